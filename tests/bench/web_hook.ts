/**
 * `bun run bench hook`: what the web hook posts to nginx, in turn with a bare `fetch` loop with as many requests at a time, to the same server, of the
 * same bodies. Broker, nginx and the loop run where they like: a request is made by two threads, and on one core they would wait for one another.
 */
import { AuthKit } from "../support/auth_kit.ts";
import { RawClient } from "../support/clients.ts";
import { Nginx } from "../support/nginx.ts";
import { NGINX } from "../support/peers.ts";
import { machine, median, toMarkdown } from "./table.ts";

const POOL = 16;
const TURNS = 3;
const BODY =
  '{"action":"message_publish","from_client_id":"speaker","from_username":"undefined","topic":"t/x","qos":0,"retain":false,"payload":"0123456789abcdef","ts":1557144000}';

interface Turn {
  perSecond: number;
  perCpuSecond: number;
}

/** Posts of this process. */
async function bare(url: string, count: number): Promise<Turn> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next++ < count) await (await fetch(url, { method: "POST", body: BODY, headers: { "content-type": "application/json" } })).text();
  };
  const cpu = process.cpuUsage();
  const began = performance.now();
  await Promise.all(Array.from({ length: POOL }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (1000 * count) / (performance.now() - began), perCpuSecond: (1e6 * count) / (user + system) };
}

/** Posts of the broker's, from the first message to the last answer; its work on the messages is part of it. */
async function hooked(kit: AuthKit, speakers: readonly RawClient[], count: number): Promise<Turn> {
  const sent = async (): Promise<number> => (await kit.status()).servers[0]?.queue?.sent ?? 0;
  const before = await sent();
  const cpu = kit.broker.cpu();
  const began = performance.now();
  for (let i = 0; i < count; i++) speakers[i % speakers.length]?.publish("t/x", "0123456789abcdef", 0);
  // Whoever asks more often is part of what he measures; whoever asks less often measures his own sleep.
  while ((await sent()) < before + count) await Bun.sleep(20);
  const ms = performance.now() - began;
  return { perSecond: (1000 * count) / ms, perCpuSecond: count / (kit.broker.cpu() - cpu) };
}

export async function benchWebHook(quick: boolean): Promise<string> {
  if (NGINX.find() === null) return `nginx is not installed: apt-get install ${NGINX.apt}`;
  const count = quick ? 5000 : 50_000;
  const nginx = new Nginx();
  await nginx.start();
  const url = `http://127.0.0.1:${nginx.port}/taken`;
  const rows: string[][] = [];
  for (const [title, more] of [
    ["in memory", {}],
    ["on the disk", { "queue.disk": "1GB" }],
    ["batches of 100", { batch: 100 }],
  ] as const) {
    const kit = new AuthKit("emqx_web_hook", "web.hook");
    const rule = { "rule.message.publish.1": '{"action":"on_message_publish"}' };
    await kit.start({ "api.url": url, pool: POOL, queue: 100_000, ...rule, ...more });
    // One client is one lane: as many speak as there are requests at a time.
    const speakers = await Promise.all(Array.from({ length: 4 * POOL }, (_, i) => RawClient.connected(kit.broker.ports.tcp, `s${i}`)));
    const turns: { mine: Turn; loop: Turn }[] = [];
    for (let i = 0; i <= TURNS; i++) {
      const loop = await bare(url, count);
      const mine = await hooked(kit, speakers, count);
      if (i > 0) turns.push({ mine, loop });
    }
    const of = (read: (t: { mine: Turn; loop: Turn }) => number): number => median(turns.map(read));
    rows.push([
      title,
      of((t) => t.mine.perSecond).toFixed(0),
      of((t) => t.loop.perSecond).toFixed(0),
      `${(100 * of((t) => t.mine.perSecond / t.loop.perSecond)).toFixed(0)} %`,
      of((t) => t.mine.perCpuSecond).toFixed(0),
      `${(100 * of((t) => t.mine.perCpuSecond / t.loop.perCpuSecond)).toFixed(0)} %`,
    ]);
    for (const s of speakers) s.drop();
    await kit.stop([]);
  }
  await nginx.stop();
  await nginx.remove();
  const heading = ["queue", "messages/s", "bare fetch/s", "of its rate", "messages per broker CPU s", "of fetch's"];
  return [
    `Web hook to nginx, ${POOL} requests at a time. ${new Date().toISOString().slice(0, 10)}, ${machine()}.`,
    "",
    toMarkdown([heading, ...rows]),
  ].join("\n");
}
