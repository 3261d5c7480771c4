/** Who listens to what. */
import type { Subscription } from "../api/client.ts";
import type { App } from "./app.ts";
import { fullTopic } from "./client_detail.ts";
import { createTable, type TableModel } from "./table.ts";

export interface Subscriptions {
  table: TableModel<Subscription>;
  add(clientId: string, topic: string, qos: 0 | 1 | 2): Promise<boolean>;
  remove(s: Subscription): Promise<void>;
  dispose(): void;
}

export function createSubscriptions(app: App): Subscriptions {
  const { api, i18n } = app;
  const table = createTable<Subscription>(app, {
    fetch: (q) => api.subscriptions(q),
    filters: {
      topic: (v) => ({ _like_topic: v }),
      id: (v) => ({ _like_client_id: v }),
      qos: (v) => ({ qos: v }),
      exact: (v) => ({ topic: v }),
    },
  });
  return {
    table,
    async add(clientId, topic, qos) {
      const done = await app.act(() => api.subscribe({ client_id: clientId, topic, qos }), i18n.t("client.subscribed", { topic }));
      void table.live.refresh();
      return done;
    },
    async remove(s) {
      const topic = fullTopic(s);
      await app.act(
        () => api.unsubscribe({ client_id: s.client_id, topic }),
        i18n.t("client.unsubscribed", { topic }),
        async () => {
          await api.subscribe({ client_id: s.client_id, topic, qos: s.qos });
          void table.live.refresh();
        },
      );
      void table.live.refresh();
    },
    dispose: () => table.dispose(),
  };
}
