/** One message that matches thousands of filters of one client: the work it makes is counted, and must grow no faster than they. */
import { Message } from "../../server/core/message.ts";
import { Subscription } from "../../server/core/subscription.ts";
import type { QoS } from "../../server/mqtt/types.ts";
import { clientOf } from "./apply.ts";
import * as E from "./encode.ts";
import { feed } from "./sockets.ts";
import type { StepOf } from "./steps.ts";
import { violate } from "./violation.ts";
import type { World } from "./world.ts";

const qosOf = Object.getOwnPropertyDescriptor(Subscription.prototype, "qos")?.get as () => QoS;
const LEVELS = 10;
/** As many as are handled in one turn. */
const FILTERS_MAX = 500;
/** Looks at one subscription's options while one message is routed. */
const LOOKS_MAX = 30;

export function many(w: World, s: StepOf<"many">): void {
  const client = clientOf(w, s.c);
  const { conn } = client;
  if (
    conn === null ||
    !conn.live ||
    conn.silent ||
    conn.phase !== "connected" ||
    conn.connack !== 0 ||
    conn.wire.length > 0 ||
    conn.transport.paused ||
    // So many subscriptions are refused then.
    w.model.short
  )
    return;
  const n = Math.min(s.n, FILTERS_MAX);
  const requests = Array.from({ length: n }, (_, i) => ({
    filter: `m/${Array.from({ length: LEVELS }, (_, bit) => ((i >> bit) & 1 ? "+" : "a")).join("/")}`,
    qos: i % 2, nl: false, rap: false, rh: 0,
  })); // biome-ignore format: one thing
  const id = client.pid();
  conn.put(E.subscribe(conn.version, id, requests, 0), { kind: "subscribe", id, requests, subId: 0 });
  feed(w, conn);
  const session = w.broker.sessions.get(client.id);
  if (session === undefined || conn.phase !== "connected") return;
  let looks = 0;
  for (const sub of session.subscriptions()) {
    Object.defineProperty(sub, "qos", {
      configurable: true,
      enumerable: true,
      get: () => {
        looks++;
        return qosOf.call(sub);
      },
    });
  }
  const topic = `m/${Array.from({ length: LEVELS }, () => "a").join("/")}`;
  const m = w.model.message({ from: client.id, topic, qos: 0, retain: false, size: 20, kind: "client" });
  conn.put(E.publish(conn.version, { topic, payload: m.payload, qos: 0, retain: false, dup: false, id: 0, props: {} }), {
    kind: "publish",
    m,
    pid: 0,
    dup: false,
  });
  feed(w, conn);
  if (looks > LOOKS_MAX * n + 1000) violate("work", `one message to ${n} overlapping filters of one client took ${looks} looks at them`);
  const un = client.pid();
  const filters = requests.map((r) => r.filter);
  conn.put(E.unsubscribe(conn.version, un, filters), { kind: "unsubscribe", id: un, filters });
}

/** Delayed messages that are cancelled leave no trace: what is held follows what waits. */
export function cancelled(w: World, s: StepOf<"cancelled">): void {
  const service = w.plugins.service("emqx_delayed_publish");
  if (service === undefined) return;
  const before = service.count;
  const known = new Set([...service.list()].map((row) => row.id));
  w.event(() => {
    w.broker.beat();
    for (let i = 0; i < s.n; i++)
      w.broker.publish(new Message("$delayed/4000000/never", Buffer.from("x"), 0, false, "", null, w.clock.now(), 0, null));
    for (const row of service.list()) if (!known.has(row.id)) service.cancel(row.id);
    w.broker.flush();
  });
  if (service.count !== before) violate("count_delayed", `${service.count} delayed messages wait, expected ${before}`);
  // The heap clears itself from about a thousand on.
  if (service.held > 2 * before + 1100) violate("delayed_grow", `${service.held} delayed messages are held, ${before} wait`);
}
