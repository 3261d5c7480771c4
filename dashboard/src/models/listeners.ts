/** Doors of the broker. */
import type { Listener, NodeListeners } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface ListenersModel {
  list: Live<NodeListeners[]>;
  act(node: string, l: Listener, action: "start" | "stop" | "restart"): Promise<void>;
  dispose(): void;
}

/** "0.0.0.0:1883" → "1883"; "8883" → "8883". */
export const portOf = (l: Pick<Listener, "listen_on">): string => l.listen_on.slice(l.listen_on.lastIndexOf(":") + 1);

/** What tells it from the others of its protocol: WebSocket listeners are listed by their port alone, which several may have. */
export const addressOf = (l: Listener, all: readonly Listener[]): string =>
  all.some((o) => o.protocol === l.protocol && o.listen_on === l.listen_on && o.name !== l.name) ? l.name : l.listen_on;

/** The same for people. */
export const nameOf = (l: Listener, all: readonly Listener[]): string => `${l.protocol} ${addressOf(l, all)}`;

export function createListeners(app: App): ListenersModel {
  const { api, i18n, link, notices } = app;
  const list = createLive(() => api.listeners(), { link, every: 5000 });
  return {
    list,
    async act(node, l, action) {
      const { t } = i18n;
      const all = list.data.value?.find((n) => n.node === node)?.listeners ?? [];
      const name = nameOf(l, all);
      if (
        action !== "start" &&
        !(await notices.ask({
          title: t(`listeners.${action}One`, { name }),
          text: t("listeners.stopText", { n: l.current_conns }),
          yes: t(`listeners.${action}`),
          danger: true,
        }))
      )
        return;
      await app.act(() => api.listenerAction(node, l.protocol, addressOf(l, all), action), t("done.saved"));
      void list.refresh();
    },
    dispose: () => list.dispose(),
  };
}
