/** Applications: keys for the REST API on port 8080. */
import { type Signal, signal } from "@preact/signals";
import type { App as AppRecord, AppRequest, AppRow } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface AppsModel {
  list: Live<AppRow[]>;
  /** Shown once after creation, or on demand. */
  secret: Signal<{ app_id: string; secret: string; fresh: boolean } | null>;
  create(r: AppRequest): Promise<boolean>;
  update(row: AppRow, changes: Partial<Pick<AppRow, "name" | "desc" | "status" | "expired">>): Promise<boolean>;
  reveal(id: string): Promise<void>;
  remove(row: AppRow): Promise<void>;
  dispose(): void;
}

/** An id like those EMQ X proposed: 14 hex digits. */
export const proposeId = (random: (n: number) => Uint8Array = (n) => crypto.getRandomValues(new Uint8Array(n))): string =>
  [...random(7)].map((b) => b.toString(16).padStart(2, "0")).join("");

export const appExpired = (row: Pick<AppRow, "expired">, nowMs: number): boolean =>
  typeof row.expired === "number" && row.expired * 1000 < nowMs;

export function createApps(app: App): AppsModel {
  const { api, i18n, link, notices } = app;
  const list = createLive(() => api.apps(), { link, every: 15_000 });
  const secret: AppsModel["secret"] = signal(null);
  return {
    list,
    secret,
    async create(r) {
      const done = await app.act(async () => {
        const made = await api.createApp(r);
        secret.value = { app_id: r.app_id, secret: made.secret, fresh: true };
      });
      void list.refresh();
      return done;
    },
    async update(row, changes) {
      const next = { ...row, ...changes };
      const body = {
        name: next.name,
        desc: next.desc,
        status: next.status,
        expired: typeof next.expired === "number" ? next.expired : null,
      };
      const done = await app.act(() => api.updateApp(row.app_id, body), i18n.t("done.saved"));
      void list.refresh();
      return done;
    },
    async reveal(id) {
      await app.act(async () => {
        const found = (await api.app(id)) as AppRecord | [];
        if (!Array.isArray(found)) secret.value = { app_id: id, secret: found.secret, fresh: false };
      });
    },
    async remove(row) {
      const { t } = i18n;
      if (
        !(await notices.ask({
          title: t("apps.deleteOne", { id: row.app_id }),
          text: t("apps.deleteText"),
          yes: t("action.delete"),
          danger: true,
        }))
      )
        return;
      await app.act(() => api.deleteApp(row.app_id), t("apps.deleted", { id: row.app_id }));
      void list.refresh();
    },
    dispose: () => list.dispose(),
  };
}
