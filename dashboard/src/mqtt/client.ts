/** An MQTT client over WebSocket for the tool page: exact handshakes, keep alive, no reconnect of its own. */

import type { Incoming, Publish, QoS, SubscribeOptions, Version } from "./packets.ts";
import * as packets from "./packets.ts";
import type { Props } from "./properties.ts";
import { connackReason, reason } from "./reasons.ts";

export interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  send(data: Uint8Array): void;
  close(): void;
  onopen: (() => void) | null;
  onclose: ((e: { code: number; reason: string }) => void) | null;
  onerror: (() => void) | null;
  onmessage: ((e: { data: unknown }) => void) | null;
}

export interface ClientEvents {
  /** The broker took us in. */
  connected(sessionPresent: boolean, props: Props): void;
  /** The connection is over, or never came to be. */
  closed(why: string): void;
  message(p: Publish): void;
}

export interface MqttClient {
  publish(p: Omit<Publish, "id" | "dup">): Promise<number>;
  subscribe(filter: string, o: SubscribeOptions, props?: Props): Promise<number>;
  unsubscribe(filter: string): Promise<number>;
  end(): void;
}

type Waiting = (code: number) => void;

export function createMqttClient(socket: SocketLike, options: packets.Connect, events: ClientEvents): MqttClient {
  const { version } = options;
  const decode = packets.createDecoder(version);
  const waiting = new Map<string, Waiting>();
  /** QoS 2 packet ids whose message was handed on already [MQTT-4.3.3-10]. */
  const received = new Set<number>();
  let nextId = 0;
  let why = "";
  let pinger: ReturnType<typeof setInterval> | undefined;
  let over = false;

  const send = (b: Uint8Array): void => {
    if (socket.readyState === 1) socket.send(b);
  };
  const takeId = (): number => {
    do nextId = (nextId % 65_535) + 1;
    while (["pub", "sub", "unsub"].some((k) => waiting.has(`${k}${nextId}`)));
    return nextId;
  };
  const wait = (key: string): Promise<number> => new Promise((resolve) => waiting.set(key, resolve));
  const settle = (key: string, code: number): void => {
    waiting.get(key)?.(code);
    waiting.delete(key);
  };
  const finish = (text: string): void => {
    if (over) return;
    over = true;
    clearInterval(pinger);
    for (const w of waiting.values()) w(0x88);
    waiting.clear();
    events.closed(text);
  };

  function take(p: Incoming): void {
    if (p.type === "connack") {
      if (p.code !== 0) {
        why = p.props.reasonString ?? connackReason(p.code, version);
        socket.close();
        return;
      }
      const keepalive = p.props.serverKeepAlive ?? options.keepalive;
      if (keepalive > 0) pinger = setInterval(() => send(packets.pingreq()), keepalive * 750);
      events.connected(p.sessionPresent, p.props);
    } else if (p.type === "publish") {
      if (p.qos < 2 || !received.has(p.id)) events.message(p);
      if (p.qos === 1) send(packets.ack("puback", p.id));
      if (p.qos === 2) {
        received.add(p.id);
        send(packets.ack("pubrec", p.id));
      }
    } else if (p.type === "pubrel") {
      received.delete(p.id);
      send(packets.ack("pubcomp", p.id));
    } else if (p.type === "pubrec") {
      if (p.code >= 128) settle(`pub${p.id}`, p.code);
      else send(packets.ack("pubrel", p.id));
    } else if (p.type === "puback" || p.type === "pubcomp") settle(`pub${p.id}`, p.code);
    else if (p.type === "suback") settle(`sub${p.id}`, p.codes[0] ?? 128);
    else if (p.type === "unsuback") settle(`unsub${p.id}`, p.codes[0] ?? 0);
    else if (p.type === "disconnect") why = p.props.reasonString ?? reason(p.code);
  }

  socket.binaryType = "arraybuffer";
  socket.onopen = () => send(packets.connect(options));
  socket.onmessage = (e) => {
    try {
      for (const p of decode(new Uint8Array(e.data as ArrayBuffer))) take(p);
    } catch (error) {
      why = `Malformed packet from the broker: ${error instanceof Error ? error.message : ""}`;
      socket.close();
    }
  };
  socket.onclose = (e) => finish(why || e.reason || (e.code === 1006 ? "unreachable" : `closed (${e.code})`));

  return {
    publish(p) {
      const id = p.qos > 0 ? takeId() : 0;
      const done = p.qos > 0 ? wait(`pub${id}`) : Promise.resolve(0);
      send(packets.publish({ ...p, id, dup: false }, version));
      return done;
    },
    subscribe(filter, o, props) {
      const id = takeId();
      const done = wait(`sub${id}`);
      send(packets.subscribe(id, filter, o, version, props));
      return done;
    },
    unsubscribe(filter) {
      const id = takeId();
      const done = wait(`unsub${id}`);
      send(packets.unsubscribe(id, filter, version));
      return done;
    },
    end() {
      why ||= "ended";
      send(packets.disconnect());
      socket.close();
      finish("ended");
    },
  };
}

export type { Props, Publish, QoS, Version };
