/** People who may use the dashboard. */
import type { User } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface UsersModel {
  list: Live<User[]>;
  create(name: string, password: string, tags: string): Promise<boolean>;
  setTags(name: string, tags: string): Promise<boolean>;
  setPassword(name: string, old: string, next: string): Promise<boolean>;
  remove(name: string): Promise<void>;
  dispose(): void;
}

export function createUsers(app: App): UsersModel {
  const { api, i18n, link, notices, session } = app;
  const list = createLive(() => api.users(), { link, every: 20_000 });
  const changed = async (work: () => Promise<unknown>, done: string): Promise<boolean> => {
    const ok = await app.act(work, done);
    void list.refresh();
    return ok;
  };
  return {
    list,
    create: (name, password, tags) => changed(() => api.createUser(name, password, tags), i18n.t("users.created", { name })),
    setTags: (name, tags) => changed(() => api.updateUser(name, tags), i18n.t("done.saved")),
    async setPassword(name, old, next) {
      // One's own password also changes what this tab sends with every request.
      if (name !== session.who.peek()?.name) return changed(() => api.changePassword(name, old, next), i18n.t("password.changed"));
      const error = await session.changePassword(old, next);
      if (error) notices.bad(app.explainError(error));
      else notices.ok(i18n.t("password.changed"));
      return error === null;
    },
    async remove(name) {
      const { t } = i18n;
      if (
        !(await notices.ask({ title: t("users.deleteOne", { name }), text: t("users.deleteText"), yes: t("action.delete"), danger: true }))
      )
        return;
      await changed(() => api.deleteUser(name), t("users.deleted", { name }));
    },
    dispose: () => list.dispose(),
  };
}
