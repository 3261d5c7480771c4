/** The list of connections and what can be done to many of them. */
import type { Connection } from "../api/client.ts";
import type { App } from "./app.ts";
import { createTable, type TableModel } from "./table.ts";

export interface Clients {
  table: TableModel<Connection>;
  kick(ids: readonly string[]): Promise<void>;
  ban(id: string): Promise<void>;
  dispose(): void;
}

export function createClients(app: App): Clients {
  const { api, i18n, notices } = app;
  const table = createTable<Connection>(app, {
    fetch: (q) => api.connections(q),
    filters: {
      id: (v) => ({ _like_client_id: v }),
      user: (v) => ({ _like_username: v }),
      ip: (v) => ({ _like_ip_address: v }),
      ver: (v) => ({ proto_ver: v }),
      listener: (v) => ({ listener: v }),
    },
    every: 3000,
  });
  return {
    table,
    async kick(ids) {
      const { t } = i18n;
      const [one] = ids;
      if (one === undefined) return;
      const many = ids.length > 1;
      const yes = await notices.ask({
        title: many ? t("clients.kickMany", { n: ids.length }) : t("clients.kickOne", { id: one }),
        text: t("clients.kickText"),
        yes: t("clients.kick"),
        danger: true,
      });
      if (!yes) return;
      const done = await app.act(() => (many ? api.kickMany([...ids]) : api.kick(one)), t("clients.kicked", { n: ids.length }));
      if (done) table.selected.value = new Set();
      void table.live.refresh();
    },
    async ban(id) {
      const { t } = i18n;
      const yes = await notices.ask({ title: t("clients.banOne", { id }), text: t("clients.banText"), yes: t("banned.ban"), danger: true });
      if (!yes) return;
      await app.act(
        () => api.ban({ who: id, as: "client_id", reason: "", by: app.session.who.peek()?.name ?? "", kick: true }),
        t("banned.done", { who: id }),
        () => api.unban("client_id", id),
      );
      void table.live.refresh();
    },
    dispose: () => table.dispose(),
  };
}
