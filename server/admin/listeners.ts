/** Listeners of all kinds: MQTT, and those of this API itself. */

import { wordsOf } from "../lib/errors.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError, type HttpListeners, type MqttListeners } from "./deps.ts";
import { notFound } from "./refusals.ts";
import type { Listener, NodeListeners } from "./rows.ts";

export type ListenerCommand = "start" | "stop" | "restart";

/** One listener and what can be done with it. */
interface Handle {
  row: Listener;
  /** As configured, also where the list shows the port alone. */
  address: string;
  port: number;
  stop(): boolean | Promise<boolean>;
  start(): boolean | Promise<boolean>;
}

const told = (l: Handle): string => `${l.address} (${l.row.name})`;
const plain = (l: Handle): boolean => l.row.protocol === "mqtt:tcp" || l.row.protocol === "mqtt:ssl";

function mqttHandles(listeners: MqttListeners): Handle[] {
  return listeners.list().map((l) => {
    // EMQ X 3.1 shows WebSocket listeners by their port alone, and never counts why their connections ended.
    const web = l.protocol === "mqtt:ws" || l.protocol === "mqtt:wss";
    return {
      row: {
        protocol: l.protocol,
        listen_on: web ? String(l.port) : l.listenOn,
        acceptors: l.acceptors,
        max_conns: l.maxConns,
        current_conns: l.currentConns,
        shutdown_count: web || l.shutdownCount.size === 0 ? [] : Object.fromEntries(l.shutdownCount),
        name: l.name,
        running: l.running,
      },
      address: l.listenOn,
      port: l.port,
      stop: () => listeners.stopOne(l.protocol, l.name),
      start: () => listeners.startOne(l.protocol, l.name),
    };
  });
}

function httpHandles(listeners: HttpListeners): Handle[] {
  return listeners.list().map((row) => ({
    row,
    address: row.listen_on,
    port: Number(row.listen_on),
    stop: () => listeners.stopOne(row.protocol, Number(row.listen_on)),
    start: () => listeners.startOne(row.protocol, Number(row.listen_on)),
  }));
}

export function createListeners({ broker, listeners }: AdminDeps) {
  let http: HttpListeners | null = null;

  /** TCP and TLS first, then those over HTTP by name (EMQ X 3.1). */
  function handles(): Handle[] {
    const all = [...mqttHandles(listeners), ...(http ? httpHandles(http) : [])];
    const web = all
      .filter((l) => !plain(l))
      .sort((a, b) => (a.row.protocol < b.row.protocol ? -1 : a.row.protocol > b.row.protocol ? 1 : 0));
    return [...all.filter(plain), ...web];
  }

  const list = (): Listener[] => handles().map((h) => h.row);

  /** `at`: as in the list, the address as configured, the bare port, or the name; the first that fits counts. @throws AdminError 102 */
  function find(protocol: string, at: string): Handle {
    const own = handles().filter((h) => h.row.protocol === protocol);
    const ways: readonly ((h: Handle) => string)[] = [(h) => h.row.listen_on, (h) => h.address, (h) => String(h.port), (h) => h.row.name];
    for (const way of ways) {
      const [found, ...others] = own.filter((h) => way(h) === at);
      if (found && others.length === 0) return found;
      if (found)
        throw new AdminError(
          CODE.UNKNOWN,
          `${at} is more than one: ${[found, ...others].map(told).join(", ")}; say which by address or name`,
        );
    }
    throw notFound();
  }

  return {
    /** The HTTP server tells of its own listeners. */
    setHttp(view: HttpListeners): void {
      http = view;
    },

    list,
    all: (): NodeListeners[] => [{ node: broker.node.nodeName, listeners: list() }],

    /** @throws AdminError 102 */
    async command(protocol: string, listenOn: string, command: ListenerCommand): Promise<void> {
      try {
        if (command !== "start" && !(await find(protocol, listenOn).stop())) throw new AdminError(CODE.UNKNOWN, "not_started");
        if (command !== "stop" && !(await find(protocol, listenOn).start())) throw new AdminError(CODE.UNKNOWN, "already_started");
      } catch (err) {
        if (err instanceof AdminError) throw err;
        throw new AdminError(CODE.UNKNOWN, wordsOf(err));
      }
    },
  };
}
