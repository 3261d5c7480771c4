/** Who must stay outside. */
import type { Banned, BannedRequest } from "../api/client.ts";
import { isSet } from "../lib/format.ts";
import type { App } from "./app.ts";
import { createTable, type TableModel } from "./table.ts";

export interface BannedModel {
  table: TableModel<Banned>;
  ban(r: BannedRequest): Promise<boolean>;
  lift(b: Banned): Promise<void>;
  dispose(): void;
}

/** The request that makes a ban anew. */
const requestOf = (b: Banned): BannedRequest => ({
  who: b.who,
  as: b.as,
  ...(isSet(b.reason) ? { reason: b.reason } : {}),
  ...(isSet(b.desc) ? { desc: b.desc } : {}),
  ...(isSet(b.by) ? { by: b.by } : {}),
  ...(typeof b.until === "number" ? { until: b.until } : {}),
});

export function createBanned(app: App): BannedModel {
  const { api, i18n } = app;
  const table = createTable<Banned>(app, {
    fetch: (q) => api.banned(q),
    filters: { who: (v) => ({ _like_who: v }), reason: (v) => ({ _like_reason: v }), as: (v) => ({ as: v }) },
  });
  const refresh = (): void => void table.live.refresh();
  return {
    table,
    async ban(r) {
      const done = await app.act(
        () => api.ban(r),
        i18n.t("banned.done", { who: r.who }),
        async () => {
          await api.unban(r.as, r.who);
          refresh();
        },
      );
      refresh();
      return done;
    },
    async lift(b) {
      await app.act(
        () => api.unban(b.as, b.who),
        i18n.t("banned.lifted", { who: b.who }),
        async () => {
          await api.ban(requestOf(b));
          refresh();
        },
      );
      refresh();
    },
    dispose: () => table.dispose(),
  };
}
