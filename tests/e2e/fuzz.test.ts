/** Rubbish on the wire: mutated, cut, joined and trickling packets never stop the service, and cost only their own connection. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { seededRandom } from "../../server/lib/random.ts";
import { CLIENT_ROWS } from "../packets/index.ts";
import { jsClient } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";

const SEED = 20_261_124;
const RUN_MS = 3000;
const WORKERS = 20;
/** Resident memory the broker may have after it all, MB. */
const RSS_MAX = 400;

let baomq: Installation;
let broker: RunningBroker;
beforeAll(async () => {
  baomq = new Installation();
  broker = await baomq.start({ set: { "listener.tcp.external.max_conn_rate": "0", "listener.ws.external.max_conn_rate": "0" } });
});
afterAll(() => baomq.remove());

const CONNECTS = [
  [0x10, 13, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 1, 97],
  [0x10, 14, 0, 4, 77, 81, 84, 84, 5, 2, 0, 60, 0, 0, 1, 98],
];
const random = seededRandom(SEED);
const below = (n: number): number => Math.floor(random.next() * n);

/** A few packets of the tables, some bytes changed, some cut off. */
function rubbish(): Buffer {
  const parts: Buffer[] = [];
  if (below(3) > 0) parts.push(Buffer.from(CONNECTS[below(2)] as number[]));
  for (let i = below(6); i >= 0; i--) {
    const row = CLIENT_ROWS[below(CLIENT_ROWS.length)] as { bytes: Uint8Array };
    const b = Buffer.from(row.bytes);
    for (let m = below(4); m > 0 && b.length > 0; m--) b[below(b.length)] = below(256);
    parts.push(below(5) === 0 ? b.subarray(0, below(b.length + 1)) : b);
  }
  return Buffer.concat(parts);
}

/** One connection; a quarter of them send byte by byte. */
function attack(port: number): Promise<void> {
  return new Promise((done) => {
    const s = connect(port, "127.0.0.1");
    s.on("error", () => {});
    s.on("close", () => done());
    s.on("connect", () => {
      const bytes = rubbish();
      if (below(4) > 0) s.write(bytes);
      else for (const b of bytes) s.write(Buffer.from([b]));
      setTimeout(() => s.destroy(), 5 + below(20));
    });
  });
}

test("service goes on, memory stays bounded, nothing fails inside", async () => {
  const { client: watcher, received } = await jsClient(`mqtt://127.0.0.1:${broker.ports.tcp}`, { protocolVersion: 5 });
  await watcher.subscribeAsync("healthy/client", { qos: 1 });
  const end = Date.now() + RUN_MS;
  let connections = 0;
  const worker = async (): Promise<void> => {
    for (; Date.now() < end; connections++) await attack(connections % 5 === 4 ? broker.ports.ws : broker.ports.tcp);
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
  expect(connections).toBeGreaterThan(100);
  await watcher.publishAsync("healthy/client", "still here", { qos: 1 });
  for (let i = 0; i < 500 && received.length === 0; i++) await Bun.sleep(10);
  expect(received.map((m) => m.payload)).toEqual(["still here"]);
  await watcher.endAsync();
  expect(broker.child.exitCode).toBeNull();
  const status = await Bun.file(`/proc/${broker.child.pid}/status`).text();
  expect(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024).toBeLessThan(RSS_MAX);
  expect(await broker.stop()).toBe(0);
}, 30_000);
