/** Listeners of all kinds: MQTT, and those of this API itself. */
import { type AdminDeps, AdminError, type ListenersView } from "./deps.ts";
import type { Listener, NodeListeners } from "./rows.ts";

export type ListenerCommand = "start" | "stop" | "restart";

const plain = (l: Listener): boolean => l.protocol === "mqtt:tcp" || l.protocol === "mqtt:ssl";

export function createListeners({ broker, listeners }: AdminDeps) {
  const views: ListenersView[] = [listeners];

  /** TCP and TLS first, then those over HTTP by name (EMQ X 3.1). */
  function list(): Listener[] {
    const rows = views.flatMap((v) => v.list());
    const http = rows.filter((l) => !plain(l)).sort((a, b) => (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0));
    return [...rows.filter(plain), ...http];
  }

  /** The one that is meant, by its whole address or by its port. */
  function find(protocol: string, listenOn: string): { view: ListenersView; listener: Listener } {
    for (const view of views) {
      const listener = view
        .list()
        .find((l) => l.protocol === protocol && (l.listen_on === listenOn || l.listen_on.endsWith(`:${listenOn}`)));
      if (listener) return { view, listener };
    }
    throw new AdminError(102, "not_found");
  }

  return {
    /** Add the listeners of another part of the program. */
    attach(view: ListenersView): void {
      views.push(view);
    },

    list,
    all: (): NodeListeners[] => [{ node: broker.node.nodeName, listeners: list() }],

    /** @throws AdminError 102 */
    async command(protocol: string, listenOn: string, command: ListenerCommand): Promise<void> {
      const { view, listener } = find(protocol, listenOn);
      try {
        if (command !== "start" && !(await view.stop(protocol, listener.listen_on))) throw new AdminError(102, "not_started");
        if (command !== "stop" && !(await view.start(protocol, listener.listen_on))) throw new AdminError(102, "already_started");
      } catch (err) {
        if (err instanceof AdminError) throw err;
        throw new AdminError(102, err instanceof Error ? err.message : String(err));
      }
    },
  };
}
