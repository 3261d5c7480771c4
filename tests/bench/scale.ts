/**
 * The management API with large tables: 100,000 connections and 1,000,000 subscriptions in a node of this process, pages asked for
 * over HTTP while a message goes round every 2 ms. How long does a page take, and what do deliveries feel of it?
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqttPacket from "mqtt-packet";
import { loadConfig } from "../../server/config/config.ts";
import type { ListenerInfo, Transport } from "../../server/core/ports.ts";
import { Logger } from "../../server/lib/log.ts";
import { type RunningNode, startNode } from "../../server/node/index.ts";
import { pluginTables } from "../../server/plugins/index.ts";

const PAGES = [
  "connections?_limit=100",
  "connections?_page=900&_limit=100",
  "sessions?_limit=100",
  "subscriptions?_limit=100",
  "subscriptions?_page=5000&_limit=100",
  "routes?_limit=100",
  "connections/device-77777",
  "subscriptions/device-77777",
  "connections?_like_client_id=7777&_limit=100",
];
const ASKED = 20;

const sink = (): Transport => ({
  ip: "127.0.0.1",
  port: 1,
  write: (_b, _o, n) => n,
  end() {},
  finish() {},
  destroy() {},
  pause() {},
  resume() {},
  probe() {},
});
const quantile = (all: number[], q: number): number => all.sort((a, b) => a - b)[Math.floor(all.length * q)] ?? Number.NaN;

async function node(dir: string): Promise<RunningNode> {
  const keys = [
    "listener.tcp.external",
    "listener.tcp.internal",
    "listener.ws.external",
    "management.listener.http",
    "dashboard.listener.http",
  ];
  const flags = new Map(keys.map((k): [string, string] => [k, "127.0.0.1:0"]));
  for (const k of ["listener.ssl.external", "listener.wss.external"]) flags.set(k, "off");
  const config = loadConfig({ tables: pluginTables, file: null, flags });
  return startNode({ config, log: new Logger({ level: "error", handlers: [], now: Date.now }), dataDir: dir });
}

function fill(n: RunningNode, clients: number, each: number): void {
  const { broker } = n;
  const info: ListenerInfo = {
    protocol: "mqtt:tcp",
    name: "bench",
    isWebSocket: false,
    zone: "external",
    peerCertAsUsername: "",
    shutdowns: new Map(),
  };
  for (let i = 0; i < clients; i++) {
    const clientId = `device-${i}`;
    const packet = { cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, clientId, keepalive: 0 } as const;
    broker.accept(sink(), info, null).onData(mqttPacket.generate(packet));
    for (let k = 0; k < each; k++) broker.subscribe(clientId, `site/${i}/channel/${k}`, { qos: 0, nl: false, rap: false, rh: 0, subId: 0 });
  }
}

/** Delivery times in ms of a message every 2 ms, until `stop` is called. */
function watchDeliveries(n: RunningNode): () => number[] {
  const times: number[] = [];
  let due = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    // Late timers are what a delivery would have waited.
    times.push(Math.max(0, now - due));
    due = now + 2;
    n.broker.flush();
  }, 2);
  return () => {
    clearInterval(timer);
    return times;
  };
}

export async function benchScale(quick: boolean): Promise<string> {
  const [clients, each] = quick ? [10_000, 10] : [100_000, 10];
  const dir = mkdtempSync(join(tmpdir(), "baomq-scale-"));
  const n = await node(dir);
  try {
    const port = n.http
      .list()
      .find((l) => l.protocol === "http:management")
      ?.listen_on.replace(/^.*:/, "");
    n.admin.apps.add("bench", "bench-secret", { name: "bench" });
    const idle = watchDeliveries(n);
    await Bun.sleep(1500);
    const idleTimes = idle();
    fill(n, clients, each);
    const headers = { authorization: `Basic ${btoa("bench:bench-secret")}` };
    const rows: string[] = [];
    for (const page of PAGES) {
      const times: number[] = [];
      const watch = watchDeliveries(n);
      let count = 0;
      for (let i = 0; i < ASKED; i++) {
        const t0 = performance.now();
        const r = await fetch(`http://127.0.0.1:${port}/api/v3/${page}`, { headers });
        count = ((await r.json()) as { data: unknown[] }).data.length;
        times.push(performance.now() - t0);
        await Bun.sleep(5);
      }
      const waits = watch();
      rows.push(
        `| ${page} | ${count} | ${quantile(times, 0.5).toFixed(1)} | ${quantile(times, 0.95).toFixed(1)} | ${quantile(waits, 0.99).toFixed(1)} |`,
      );
    }
    return [
      `${n.broker.connections} connections, ${n.broker.router.subscriptionCount} subscriptions; the loop's p99 delay before: ${quantile(idleTimes, 0.99).toFixed(1)} ms`,
      "",
      "| page | rows | median ms | p95 ms | p99 delay of the loop meanwhile, ms |",
      "|---|---|---|---|---|",
      ...rows,
    ].join("\n");
  } finally {
    await n.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
