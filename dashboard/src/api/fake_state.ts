/** The made-up broker behind the demo mode and the tests: its clients, topics and records. Deterministic. */
import { toBase64, utf8 } from "../lib/payload.ts";
import type {
  AlarmHistory,
  App,
  Banned,
  Connection,
  Delayed,
  MonitorPoint,
  RetainedMessage,
  Session,
  Subscription,
  User,
} from "./client.ts";
import { CONFIGS, LISTENERS, PLUGINS, SETTINGS } from "./fake_static.ts";

export const NODE = "emqx@127.0.0.1";

/** mulberry32: the same world at every start. */
function seeded(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const stamp = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace("T", " ");

const PLACES = ["plant-1/line-a", "plant-1/line-b", "plant-2/line-a", "office/floor-3", "home/kitchen", "home/attic"];
const KINDS = ["temperature", "humidity", "power", "state"];

export type State = ReturnType<typeof createState>;

export function createState(now: () => number, size: number, defaultPassword: boolean) {
  const random = seeded(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const start = now();
  const connections: Connection[] = [];
  const sessions: Session[] = [];
  const subscriptions: Subscription[] = [];

  const names = Array.from({ length: size }, (_, i) => {
    if (i === 0) return "backend-ingest";
    if (i === 1) return "<img src=x onerror=alert(1)>";
    if (i === 2) return "温度传感器/客厅";
    if (i === 3) return "home/assistant 01%";
    const place = (PLACES[i % PLACES.length] ?? "").replace("/", "-");
    return `${place}-${pick(["sensor", "gateway", "plc", "meter"])}-${String(i).padStart(4, "0")}`;
  });
  for (const [i, id] of names.entries()) {
    const online = i % 13 !== 7;
    const at = start - Math.floor(random() * 86_400_000 * 3);
    const username = i % 5 === 4 ? "undefined" : pick(["ingest", "sensors", "gateway", "operator"]);
    const ver = pick([4, 4, 5, 5, 5, 3] as const);
    const ws = i % 9 === 8;
    if (online) connections.push(connection(id, username, at, ver, ws, i, random));
    sessions.push(session(id, username, at, online, i, start, random));
    const filters =
      i === 0
        ? ["plant-1/#", "plant-2/#", "office/+/state"]
        : [`${PLACES[i % PLACES.length]}/cmd`, ...(i % 4 === 0 ? [`devices/${id.replace(/[+#/]/g, "-")}/set`] : [])];
    for (const topic of filters)
      subscriptions.push(subscription(id, topic, pick([0, 1, 1, 2] as const), i % 11 === 10 ? "workers" : "undefined"));
  }
  const retained = new Map<string, RetainedMessage>();
  for (const place of PLACES)
    for (const kind of KINDS) {
      const body =
        kind === "state"
          ? JSON.stringify({ online: true, firmware: "2.4.1", rssi: -61 })
          : JSON.stringify({ value: Math.round(random() * 300) / 10, unit: kind === "power" ? "W" : kind === "humidity" ? "%" : "°C" });
      put(retained, `${place}/${kind}`, utf8(body), pick(names), start - Math.floor(random() * 3_600_000));
    }
  put(
    retained,
    "home/attic/image",
    Uint8Array.from({ length: 96 }, (_, i) => (i * 37) % 256),
    "home-attic-cam",
    start - 60_000,
  );
  put(retained, "notes/<script>alert(1)</script>", utf8("<b>not bold</b>"), "<img src=x onerror=alert(1)>", start - 5000);

  const banned: Banned[] = [
    {
      who: "crawler-77",
      as: "client_id",
      reason: "flapping",
      desc: "undefined",
      by: "flapping_checker",
      until: Math.floor(start / 1000) + 3600,
    },
    { who: "203.0.113.0/24", as: "ip_address", reason: "password guessing", desc: "undefined", by: "admin", until: "undefined" },
    {
      who: "old-vendor",
      as: "username",
      reason: "contract ended",
      desc: "undefined",
      by: "admin",
      until: Math.floor(start / 1000) + 86_400 * 20,
    },
  ];
  const apps: App[] = [
    {
      app_id: "5f3c9ad1e2b740",
      name: "Grafana exporter",
      desc: "Reads metrics every 15 s",
      status: true,
      expired: "undefined",
      secret: "MjkwMzY4OTcwODQ2NDA3NjIxMDg3NTI4OTk5Njc2NDk2NjQ",
    },
    {
      app_id: "a91d0c7be44f20",
      name: "Nightly backup",
      desc: "undefined",
      status: true,
      expired: Math.floor(start / 1000) + 86_400 * 90,
      secret: "OTQ3NjIxMDg3NTI4OTk5Njc2NDk2NjQwMzY4OTcwODQ2NDA",
    },
    {
      app_id: "77e1f00d52c9a3",
      name: "Old portal",
      desc: "Kept for reference",
      status: false,
      expired: Math.floor(start / 1000) - 86_400,
      secret: "Njc2NDk2NjQwMzY4OTcwODQ2NDA3NjIxMDg3NTI4OTk",
    },
  ];
  const users: (User & { password: string })[] = [
    { username: "admin", tags: "administrator", password: defaultPassword ? "public" : "public" },
    { username: "lin", tags: "operations", password: "lin-password" },
  ];
  const delayed: Delayed[] = [
    {
      id: 1,
      topic: "home/kitchen/lamp/set",
      qos: 1,
      retain: false,
      from: "home/assistant 01%",
      payload_size: 14,
      due_at_ms: start + 95_000,
    },
    { id: 2, topic: "plant-1/line-a/cmd", qos: 2, retain: false, from: "backend-ingest", payload_size: 220, due_at_ms: start + 3_600_000 },
  ];
  const history: AlarmHistory[] = [
    {
      id: "cpu_high_watermark",
      desc: "82.6",
      raised_at_ms: start - 9_000_000,
      clear_at_ms: start - 8_700_000,
      clear_at: stamp(start - 8_700_000),
    },
    {
      id: "event_loop_stall",
      desc: "512 ms",
      raised_at_ms: start - 90_000_000,
      clear_at_ms: start - 89_990_000,
      clear_at: stamp(start - 89_990_000),
    },
  ];
  return {
    start,
    now,
    random,
    mustChange: defaultPassword,
    connections,
    sessions,
    subscriptions,
    retained,
    banned,
    apps,
    users,
    delayed,
    history,
    alarms: [{ id: "system_memory_high_watermark", desc: "76.2 %", raised_at_ms: start - 1_260_000 }],
    plugins: PLUGINS.map((p) => ({ ...p })),
    configs: new Map(Object.entries(CONFIGS).map(([name, rows]) => [name, rows.map((r) => ({ ...r }))])),
    accounts: { username: new Set(["sensors", "gateway"]), clientid: new Set<string>() },
    listeners: LISTENERS.map((l) => ({ ...l })),
    settings: SETTINGS.map((s) => ({ ...s })),
  };
}

function put(into: Map<string, RetainedMessage>, topic: string, payload: Uint8Array, from: string, ts_ms: number): void {
  into.set(topic, {
    topic,
    qos: 1,
    payload_size: payload.length,
    from,
    ts_ms,
    expires_at_ms: 0,
    payload: toBase64(payload),
    encoding: "base64",
  });
}

export function subscription(client_id: string, topic: string, qos: 0 | 1 | 2, share = "undefined"): Subscription {
  return { client_id, node: NODE, topic, qos, share, nl: false, rap: false, rh: 0, sub_id: 0 };
}

function connection(
  client_id: string,
  username: string,
  at: number,
  ver: 3 | 4 | 5,
  ws: boolean,
  i: number,
  random: () => number,
): Connection {
  const msgs = Math.floor(random() * 40_000);
  return {
    client_id,
    username,
    node: NODE,
    ipaddress: `10.20.${i % 7}.${(i * 13) % 250}`,
    port: 40_000 + i,
    proto_name: ver === 3 ? "MQIsdp" : "MQTT",
    proto_ver: ver,
    clean_start: i % 3 !== 0,
    keepalive: 60,
    connected_at: stamp(at),
    is_bridge: false,
    zone: "external",
    peercert: "nossl",
    is_super: i === 0,
    mountpoint: "undefined",
    will_topic: i % 4 === 0 ? `clients/${client_id}/gone` : "undefined",
    conn_mod: ws ? "emqx_ws_connection" : "emqx_connection",
    recv_oct: msgs * 96,
    recv_cnt: msgs,
    recv_pkt: msgs + 40,
    recv_msg: msgs,
    send_oct: msgs * 31,
    send_cnt: msgs,
    send_pkt: msgs,
    send_msg: Math.floor(msgs / 9),
    send_pend: 0,
    mailbox_len: 0,
    heap_size: 0,
    reductions: 0,
    connected_at_ms: at,
    listener: ws ? "mqtt:ws" : "mqtt:tcp",
    subscriptions_count: i === 0 ? 3 : 1 + (i % 4 === 0 ? 1 : 0),
    inflight_len: i % 17 === 0 ? 4 : 0,
    mqueue_len: 0,
  };
}

function session(
  client_id: string,
  username: string,
  at: number,
  connected: boolean,
  i: number,
  start: number,
  random: () => number,
): Session {
  return {
    client_id,
    node: NODE,
    username,
    clean_start: i % 3 !== 0,
    binding: "local",
    created_at: stamp(at),
    expiry_interval: i % 3 === 0 ? 7200 : 0,
    subscriptions_count: i === 0 ? 3 : 1 + (i % 4 === 0 ? 1 : 0),
    max_subscriptions: 0,
    inflight_len: i % 17 === 0 ? 4 : 0,
    max_inflight: 32,
    mqueue_len: connected ? 0 : Math.floor(random() * 900),
    max_mqueue: 1000,
    mqueue_dropped: i % 41 === 7 ? 128 : 0,
    awaiting_rel_len: 0,
    max_awaiting_rel: 100,
    deliver_msg: Math.floor(random() * 40_000),
    enqueue_msg: Math.floor(random() * 900),
    mailbox_len: 0,
    heap_size: 0,
    reductions: 0,
    connected,
    created_at_ms: at,
    disconnected_at_ms: connected ? 0 : start - Math.floor(random() * 7_000_000),
  };
}

/** A day of a plant: quiet nights, busy mornings, a little noise. */
export function point(s: State, at_ms: number): MonitorPoint {
  const hour = (at_ms / 3_600_000) % 24;
  const wave = 0.65 + 0.3 * Math.sin(((hour - 8) / 24) * 2 * Math.PI);
  const noise = seeded(Math.floor(at_ms / 1000));
  const received = Math.round(1450 * wave * (0.9 + noise() * 0.2));
  return {
    at_ms,
    connections: Math.round(s.connections.length * (0.96 + 0.04 * wave)),
    sessions: s.sessions.length,
    subscriptions: s.subscriptions.length,
    topics: new Set(s.subscriptions.map((x) => x.topic)).size,
    retained: s.retained.size,
    received,
    sent: Math.round(received * 2.7),
    dropped: noise() > 0.93 ? Math.round(noise() * 60) : 0,
    bytes_received: received * 112,
    bytes_sent: received * 268,
    memory: 58_000_000 + Math.round(noise() * 3_000_000),
    cpu: 6 + 9 * wave + noise() * 3,
    loop_delay: 0.4 + noise() * (noise() > 0.95 ? 14 : 1.2),
  };
}
