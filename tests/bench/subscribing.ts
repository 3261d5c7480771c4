/** What many subscriptions cost a broker: taking each of them, holding it, and forgetting all when their clients go at once. */
import { readFileSync } from "node:fs";
import { RawClient } from "../support/clients.ts";
import type { Contestant } from "./brokers.ts";
import type { LoadResult } from "./generator.ts";
import { launch, type Place } from "./launch.ts";
import { waits } from "./waits.ts";

const CLIENTS = 100;
/** Filters in one SUBSCRIBE. */
const AT_ONCE = 100;
/** What a collector gives back. */
const SETTLE_MS = 5000;
/** Without work for so long: it has forgotten them. */
const QUIET_MS = 500;
const LOOK_MS = 20;
const PATIENCE_MS = 60_000;

/** Of its processor's time, all threads, ms; a tick of the system is 10. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}
const residentBytes = (pid: number): number => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

/** Distinct, as those of a fleet are: no two of them are one. */
const filterOf = (client: number, n: number): string => `site/${client}/line/${n}/+/state`;

async function subscribe(port: number, client: number, filters: number): Promise<RawClient> {
  const c = await RawClient.connected(port, `many${client}`, 4, { keepalive: 0 });
  for (let done = 0; done < filters; done += AT_ONCE) {
    const subscriptions = Array.from({ length: Math.min(AT_ONCE, filters - done) }, (_, i) => ({
      topic: filterOf(client, done + i),
      qos: 0 as const,
    }));
    c.send({ cmd: "subscribe", messageId: 1, subscriptions });
    await c.next("suback", PATIENCE_MS);
  }
  return c;
}

/** Ms until it has nothing to do any more. */
async function untilQuiet(pid: number): Promise<number> {
  const began = performance.now();
  let [last, lastAt] = [cpuMs(pid), began];
  for (let now = began; now - lastAt < QUIET_MS && now - began < PATIENCE_MS; now = performance.now()) {
    await Bun.sleep(LOOK_MS);
    const cpu = cpuMs(pid);
    // A tick now and then is what any broker takes for its timers.
    if (cpu - last > 10) [last, lastAt] = [cpu, performance.now()];
  }
  return lastAt - began;
}

export async function measureSubscribing(c: Contestant, at: Place, filters: number): Promise<LoadResult> {
  const broker = await launch(c, at);
  try {
    const port = at.ports.tcp;
    const before = { cpu: cpuMs(broker.pid), bytes: residentBytes(broker.pid) };
    const clients: RawClient[] = [];
    for (let i = 0; i < CLIENTS; i++) clients.push(await subscribe(port, i, filters / CLIENTS));
    const subscribe_us = (1000 * (cpuMs(broker.pid) - before.cpu)) / filters;
    await Bun.sleep(SETTLE_MS);
    const subscription_bytes = (residentBytes(broker.pid) - before.bytes) / filters;
    const other = await waits(port);
    for (const client of clients) client.drop();
    const gone_ms = await untilQuiet(broker.pid);
    const gone_wait_ms = other.longest();
    other.end();
    return { subscribe_us, subscription_bytes, gone_ms, gone_wait_ms };
  } finally {
    await broker.stop();
  }
}
