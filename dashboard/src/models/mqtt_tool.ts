/** Connections of the WebSocket client. They live with the tab, not with the page: look elsewhere and come back. */
import { batch, type Signal, signal } from "@preact/signals";
import type { Listener } from "../api/client.ts";
import { createMqttClient, type MqttClient, type SocketLike } from "../mqtt/client.ts";
import type { Publish, QoS, SubscribeOptions, Version, Will } from "../mqtt/packets.ts";
import type { Props } from "../mqtt/properties.ts";
import { reason } from "../mqtt/reasons.ts";
import type { App } from "./app.ts";
import { portOf } from "./listeners.ts";

export interface ToolOptions {
  url: string;
  version: Version;
  clientId: string;
  username: string;
  password: string;
  keepalive: number;
  clean: boolean;
  /** Seconds; MQTT 5. */
  sessionExpiry: number;
  will: Will | null;
}

export interface ToolMessage {
  id: number;
  direction: "in" | "out";
  topic: string;
  payload: Uint8Array;
  qos: number;
  retain: boolean;
  ts: number;
  from: string;
  extra: string;
}

export interface ToolSubscription {
  filter: string;
  options: SubscribeOptions;
}

export type ToolState = "idle" | "connecting" | "connected" | "closed";

export interface Connection {
  id: number;
  options: Signal<ToolOptions>;
  state: Signal<ToolState>;
  /** Why it is closed, or what the broker granted. */
  note: Signal<string>;
  subscriptions: Signal<readonly ToolSubscription[]>;
  /** Newest first. */
  messages: Signal<readonly ToolMessage[]>;
  counts: Signal<{ in: number; out: number }>;
  connect(): void;
  disconnect(): void;
  subscribe(filter: string, o: SubscribeOptions): Promise<void>;
  unsubscribe(filter: string): Promise<void>;
  publish(p: Omit<Publish, "id" | "dup">): Promise<boolean>;
}

export interface Tool {
  connections: Signal<readonly Connection[]>;
  active: Signal<number>;
  add(): Connection;
  remove(c: Connection): void;
  /** Fill in where this broker really listens, unless the person has typed an address. */
  locate(secure: boolean, host: string): Promise<void>;
}

/** The address of a running WebSocket listener, the secure one on https pages (a page from https may not open ws:). */
export function urlFrom(
  listeners: readonly Pick<Listener, "protocol" | "listen_on" | "running">[],
  secure: boolean,
  host: string,
): string | null {
  const wanted = secure ? "mqtt:wss" : "mqtt:ws";
  const l = listeners.find((x) => x.protocol === wanted && x.running);
  return l ? `${secure ? "wss" : "ws"}://${host || "localhost"}:${portOf(l)}/mqtt` : null;
}

export type OpenSocket = (url: string) => SocketLike;

const KEEP = 500;

export const randomId = (): string => `mqttjs_${Math.random().toString(16).slice(2, 12)}`;

export const defaultUrl = (secure: boolean, host: string): string =>
  `${secure ? "wss" : "ws"}://${host || "localhost"}:${secure ? 8084 : 8083}/mqtt`;

const tools = new WeakMap<App, Tool>();

/** The one tool of an app. */
export function toolOf(app: App, url: string, open: OpenSocket): Tool {
  const known = tools.get(app);
  if (known) return known;
  const tool = createTool(app, url, open);
  tools.set(app, tool);
  return tool;
}

function createTool(app: App, fallback: string, open: OpenSocket): Tool {
  let url = fallback;
  const connections = signal<readonly Connection[]>([]);
  const active = signal(0);
  let next = 1;
  const add = (): Connection => {
    const id = next++;
    const c = createConnection(
      app,
      id,
      { url, version: 5, clientId: randomId(), username: "", password: "", keepalive: 60, clean: true, sessionExpiry: 0, will: null },
      open,
    );
    batch(() => {
      connections.value = [...connections.peek(), c];
      active.value = id;
    });
    return c;
  };
  add();
  return {
    connections,
    active,
    add,
    remove(c) {
      c.disconnect();
      const rest = connections.peek().filter((x) => x !== c);
      batch(() => {
        connections.value = rest;
        if (active.peek() === c.id) active.value = rest.at(-1)?.id ?? 0;
      });
      if (rest.length === 0) add();
    },
    async locate(secure, host) {
      try {
        const found = urlFrom(
          (await app.api.listeners()).flatMap((n) => n.listeners),
          secure,
          host,
        );
        if (!found) return;
        const old = url;
        url = found;
        for (const c of connections.peek()) if (c.options.peek().url === old) c.options.value = { ...c.options.peek(), url };
      } catch {
        // The usual port stays.
      }
    },
  };
}

function createConnection(app: App, id: number, initial: ToolOptions, open: OpenSocket): Connection {
  const { i18n, notices } = app;
  const options = signal(initial);
  const state = signal<ToolState>("idle");
  const note = signal("");
  const subscriptions = signal<readonly ToolSubscription[]>([]);
  const messages = signal<readonly ToolMessage[]>([]);
  const counts = signal({ in: 0, out: 0 });
  let client: MqttClient | null = null;
  let nextMessage = 1;

  const keep = (m: Omit<ToolMessage, "id" | "ts">): void => {
    batch(() => {
      messages.value = [{ ...m, id: nextMessage++, ts: Date.now() }, ...messages.peek()].slice(0, KEEP);
      const c = counts.peek();
      counts.value = { ...c, [m.direction]: c[m.direction] + 1 };
    });
  };

  return {
    id,
    options,
    state,
    note,
    subscriptions,
    messages,
    counts,
    connect() {
      const o = options.peek();
      let socket: SocketLike;
      try {
        socket = open(o.url);
      } catch (e) {
        state.value = "closed";
        note.value = e instanceof Error ? e.message : String(e);
        return;
      }
      state.value = "connecting";
      note.value = "";
      const mine = createMqttClient(socket, connectOf(o), {
        connected(present, props) {
          if (o.clean || !present) subscriptions.value = [];
          batch(() => {
            state.value = "connected";
            note.value = grantedText(present, props);
          });
        },
        closed(why) {
          if (client !== mine) return;
          client = null;
          batch(() => {
            state.value = "closed";
            note.value = why === "unreachable" ? i18n.t("mqtt.unreachable", { url: o.url }) : why === "ended" ? "" : why;
          });
        },
        message: (p) =>
          keep({ direction: "in", topic: p.topic, payload: p.payload, qos: p.qos, retain: p.retain, from: "", extra: propsText(p.props) }),
      });
      client = mine;
    },
    disconnect: () => client?.end(),
    async subscribe(filter, o) {
      const code = await client?.subscribe(filter, o);
      if (code === undefined) return;
      if (code >= 128) notices.bad(i18n.t("mqtt.refused", { topic: filter, reason: reason(code) }));
      else
        subscriptions.value = [...subscriptions.peek().filter((s) => s.filter !== filter), { filter, options: { ...o, qos: code as QoS } }];
    },
    async unsubscribe(filter) {
      await client?.unsubscribe(filter);
      subscriptions.value = subscriptions.peek().filter((s) => s.filter !== filter);
    },
    async publish(p) {
      if (!client) return false;
      const code = await client.publish(p);
      if (code >= 128) {
        notices.bad(i18n.t("mqtt.refused", { topic: p.topic, reason: reason(code) }));
        return false;
      }
      const note16 = code === 16 ? i18n.t("mqtt.nobody") : "";
      keep({
        direction: "out",
        topic: p.topic,
        payload: p.payload,
        qos: p.qos,
        retain: p.retain,
        from: "",
        extra: [propsText(p.props), note16].filter(Boolean).join(" · "),
      });
      return true;
    },
  };
}

const connectOf = (o: ToolOptions) => ({
  version: o.version,
  clientId: o.clientId,
  keepalive: o.keepalive,
  clean: o.clean,
  ...(o.username === "" ? {} : { username: o.username }),
  ...(o.password === "" ? {} : { password: o.password }),
  ...(o.will ? { will: o.will } : {}),
  ...(o.version === 5 && o.sessionExpiry > 0 ? { props: { sessionExpiry: o.sessionExpiry } } : {}),
});

/** What the broker told in CONNACK, in the specification's words. */
function grantedText(sessionPresent: boolean, props: Props): string {
  const parts = [`session present: ${sessionPresent}`];
  for (const [k, v] of Object.entries(props))
    if (typeof v === "string" || typeof v === "number") parts.push(`${k.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`)}: ${v}`);
  return parts.join(" · ");
}

function propsText(props: Props | undefined): string {
  const parts: string[] = [];
  for (const [k, v] of Object.entries(props ?? {})) {
    if (k === "user") for (const [name, value] of v as [string, string][]) parts.push(`${name}: ${value}`);
    else if (v instanceof Uint8Array) parts.push(`${k}: ${new TextDecoder().decode(v)}`);
    else if (k !== "topicAlias") parts.push(`${k}: ${String(v)}`);
  }
  return parts.join(" · ");
}
