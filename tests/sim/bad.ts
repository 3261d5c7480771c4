/** Clients that break the rules, each in one way, and what the broker has to do about it. */
import type { Conn } from "./conn.ts";
import * as E from "./encode.ts";
import type { BadKind } from "./steps.ts";
import type { World } from "./world.ts";

const MALFORMED = 0x81;
const PROTOCOL = 0x82;

export function breakRule(w: World, conn: Conn, what: BadKind): void {
  const { version: v, client } = conn;
  const bad = (bytes: Buffer, why: string, codes: readonly number[]): void => conn.put(bytes, { kind: "bad", why, codes });
  const filter = ["a#", "", "a/+b", "#/a", "$share/+/x", "$share/g/"][client.index % 6] as string;
  const request = { filter, qos: 0, nl: false, rap: false, rh: 0 };
  switch (what) {
    case "filter":
      bad(E.subscribe(v, 7, [request], 0), `malformed filter ${JSON.stringify(filter)}`, [0x8f, MALFORMED, PROTOCOL]);
      return;
    case "unfilter":
      bad(E.unsubscribe(v, 7, [filter]), `malformed filter ${JSON.stringify(filter)} in UNSUBSCRIBE`, [0x8f, MALFORMED, PROTOCOL]);
      return;
    case "share_pub": {
      const topic = client.index % 2 === 0 ? "$share/g/a" : "$queue/a";
      const qos = client.index % 3;
      const max = w.zone.maxAwaitingRel;
      if (qos > 0 && max > 0 && client.outgoing.size + client.abandoned.size >= max) return;
      const m = w.model.message({ from: client.id, topic, qos, retain: false, size: 20, kind: "client" });
      const pid = qos > 0 ? client.pid() : 0;
      if (pid > 0) client.outgoing.set(pid, { m, topic, delay: undefined, refuse: true, released: false, on: conn.no });
      conn.put(E.publish(v, { topic, payload: m.payload, qos, retain: false, dup: false, id: pid, props: {} }), {
        kind: "publish",
        m,
        pid,
        dup: false,
        refuse: true,
      });
      return;
    }
    case "wrong_ack": {
      // Only what is in hand now: what waits on the wire may change it before this arrives.
      if (conn.wire.length > 0 || conn.queue.length > 0 || conn.session?.conn !== conn || conn.session.disturbedIn.size > 0) return;
      const d = [...conn.session.inflight.values()].find((x) => x.state === "seen" && x.seenOn === conn && !x.rec && !x.again);
      if (d === undefined || conn.connack !== 0) return;
      bad(E.ack(v, d.qos === 1 ? 5 : 4, d.pid), `acknowledgement of the wrong kind for QoS ${d.qos}`, [PROTOCOL]);
      return;
    }
    case "reserved":
      bad(Buffer.from([0x00, 0]), "packet type 0", [MALFORMED, PROTOCOL]);
      return;
    case "connect_twice":
      bad(E.connect({ version: v, clientId: client.id, clean: true, keepalive: 0 }), "second CONNECT", [PROTOCOL]);
      return;
    case "flags":
      // MQTT 3.1 does not use them.
      if (v !== 3) bad(Buffer.from([0xc1, 0]), "flags of PINGREQ", [MALFORMED]);
      return;
    case "topic":
      bad(
        E.publish(v, { topic: "a/+", payload: Buffer.from("x"), qos: 0, retain: false, dup: false, id: 0, props: {} }),
        "wildcard in a topic name",
        [0x90, MALFORMED, PROTOCOL],
      );
      return;
    case "no_topic":
      bad(E.publish(v, { topic: "", payload: Buffer.from("x"), qos: 0, retain: false, dup: false, id: 0, props: {} }), "no topic", [
        0x90,
        MALFORMED,
        PROTOCOL,
      ]);
      return;
    case "alias_unknown":
      if (v === 5)
        bad(
          E.publish(v, { topic: "", payload: Buffer.from("x"), qos: 0, retain: false, dup: false, id: 0, props: { topicAlias: 77 } }),
          "unknown topic alias",
          [0x94, PROTOCOL],
        );
      return;
    case "nl_shared":
      if (v === 5)
        bad(
          E.subscribe(v, 7, [{ filter: "$share/g/a", qos: 0, nl: true, rap: false, rh: 0 }], 0),
          "No Local on a shared subscription [MQTT-3.8.3-4]",
          [PROTOCOL, MALFORMED],
        );
      return;
    case "server_packet":
      bad(Buffer.from([0xd0, 0]), "PINGRESP from a client", [PROTOCOL, MALFORMED]);
      return;
    case "dup31": {
      // MQTT 3.1 section 2.1 has a DUP flag on these.
      if (v !== 3) return;
      const id = client.pid();
      const requests = [{ filter: "dup31", qos: 0, nl: false, rap: false, rh: 0 }];
      conn.put(E.subscribe(v, id, requests, 0, true), { kind: "subscribe", id, requests, subId: 0 });
      const un = client.pid();
      conn.put(E.unsubscribe(v, un, ["dup31"], true), { kind: "unsubscribe", id: un, filters: ["dup31"] });
      conn.put(E.ack(v, 6, 60_000, 0, true), { kind: "ack", type: 6, pid: 60_000, code: 0, d: null });
      return;
    }
  }
}
