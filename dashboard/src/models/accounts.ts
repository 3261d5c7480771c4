/** Accounts of the plugins emqx_auth_username and emqx_auth_clientid. */
import type { AccountKind } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface AccountsModel {
  names: Live<string[]>;
  /** Clients without an account are let in as well. */
  anonymous: Live<boolean>;
  create(name: string, password: string): Promise<boolean>;
  setPassword(name: string, password: string): Promise<boolean>;
  remove(name: string): Promise<void>;
  dispose(): void;
}

/** Which accounts a plugin keeps; null = none. */
export function accountKind(plugin: string): AccountKind | null {
  if (plugin === "emqx_auth_username") return "username";
  return plugin === "emqx_auth_clientid" ? "clientid" : null;
}

export function createAccounts(app: App, kind: AccountKind): AccountsModel {
  const { api, i18n, link, notices } = app;
  const names = createLive(() => api.accounts(kind), { link, every: 10_000 });
  const anonymous = createLive(
    async () => /^(true|on)$/.test((await api.settings()).find((s) => s.key === "allow_anonymous")?.value ?? ""),
    { link, every: 20_000 },
  );
  const changed = async (work: () => Promise<unknown>, done: string): Promise<boolean> => {
    const ok = await app.act(work, done);
    void names.refresh();
    return ok;
  };
  return {
    names,
    anonymous,
    create: (name, password) => changed(() => api.createAccount(kind, name, password), i18n.t("accounts.created", { name })),
    setPassword: (name, password) => changed(() => api.setAccountPassword(kind, name, password), i18n.t("password.changed")),
    async remove(name) {
      const { t } = i18n;
      const yes = await notices.ask({
        title: t("accounts.deleteOne", { name }),
        text: t("accounts.deleteText"),
        yes: t("action.delete"),
        danger: true,
      });
      if (yes) await changed(() => api.deleteAccount(kind, name), t("accounts.deleted", { name }));
    },
    dispose() {
      names.dispose();
      anonymous.dispose();
    },
  };
}
