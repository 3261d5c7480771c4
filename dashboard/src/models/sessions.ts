/** Sessions, also those of clients that are away. */
import type { Session } from "../api/client.ts";
import type { App } from "./app.ts";
import { createTable, type TableModel } from "./table.ts";

export interface Sessions {
  table: TableModel<Session>;
  drop(id: string): Promise<void>;
  dispose(): void;
}

export function createSessions(app: App): Sessions {
  const table = createTable<Session>(app, {
    fetch: (q) => app.api.sessions(q),
    filters: {
      id: (v) => ({ _like_client_id: v }),
      user: (v) => ({ _like_username: v }),
      on: (v) => ({ connected: v }),
    },
  });
  return {
    table,
    async drop(id) {
      const { t } = app.i18n;
      if (
        !(await app.notices.ask({
          title: t("sessions.dropOne", { id }),
          text: t("sessions.dropText"),
          yes: t("action.delete"),
          danger: true,
        }))
      )
        return;
      await app.act(() => app.api.dropSession(id), t("sessions.dropped", { id }));
      void table.live.refresh();
    },
    dispose: () => table.dispose(),
  };
}
