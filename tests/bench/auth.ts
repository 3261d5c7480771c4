/**
 * `bun run bench auth`: log-ins that a server outside is asked about, with each of the real servers that are installed, beside the bare
 * driver with the same server in the same run. 10,000 users; the broker on core 0, the generator on core 1, the servers where they like.
 * Behind it what plugins cost that are loaded and idle, and how long others wait beside slow hashes.
 */
import { AuthKit } from "../support/auth_kit.ts";
import { benchIdle } from "./auth_idle.ts";
import { benchPings } from "./auth_pings.ts";
import { isThere, KINDS, type Kind, type Outside, USERS, withKit } from "./auth_servers.ts";
import { compileGenerator, type Generator, runLoad } from "./generator.ts";
import { machine, median, toMarkdown } from "./table.ts";
import { benchTokens } from "./tokens.ts";

/** Through the driver alone: answers a second of this process's CPU with 64 at a time, and the median time of one, ms. */
async function bare(ask: (user: number) => Promise<unknown>, count: number): Promise<Rates> {
  const run = async (n: number, atATime: number): Promise<void> => {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < n) await ask(next++ % USERS);
    };
    await Promise.all(Array.from({ length: atATime }, worker));
  };
  await run(count / 4, 64);
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run(count, 64);
  const { user, system } = process.cpuUsage(cpu);
  const perSecond = (1000 * count) / (performance.now() - began);
  const times: number[] = [];
  for (let i = 0; i < 500; i++) {
    const t = performance.now();
    await ask(i);
    times.push(performance.now() - t);
  }
  return { perCpuSecond: (1e6 * count) / (user + system), perSecond, p50: median(times) };
}

interface Rates {
  perCpuSecond: number;
  perSecond: number;
  /** ms. */
  p50: number;
}

interface LogIns extends Rates {
  /** Between 50 pairs who have logged in, QoS 0, per CPU second: what may be done to a topic is asked once. */
  messages: number;
}

type Clients = Pick<Outside, "who" | "one">;
const ANYBODY: Clients = { who: [], one: [] };

/** As many log-ins as there is time for, then messages: a short while, so that two brokers can take turns on a machine that changes its speed. */
async function turn(generator: Generator, kit: AuthKit, { who, one }: Clients, count: number): Promise<Omit<LogIns, "p50">> {
  const { pid, ports } = kit.broker;
  const broker = ["--port", String(ports.tcp), "--pid", String(pid)];
  const fast = await runLoad(generator, ["connect", "--count", String(count), ...broker, ...who]);
  const pairs = await runLoad(generator, ["pairs", "--warmup", "1", "--seconds", "2", ...broker, ...one]);
  const error = fast.error ?? pairs.error;
  if (error !== undefined) throw new Error(error);
  return {
    perCpuSecond: fast.connects_per_broker_cpu_s ?? Number.NaN,
    perSecond: fast.connects_per_s ?? Number.NaN,
    messages: pairs.msgs_per_broker_cpu_s ?? Number.NaN,
  };
}

/** Between CONNECT and CONNACK with four clients at a time, ms. */
async function calm(generator: Generator, kit: AuthKit, { who }: Clients): Promise<number> {
  const broker = ["--port", String(kit.broker.ports.tcp), "--pid", String(kit.broker.pid)];
  const run = await runLoad(generator, ["connect", "--count", "1000", "--rate", "200", "--conc", "4", ...broker, ...who]);
  if (run.error !== undefined) throw new Error(run.error);
  return (run.connack_us?.p50 ?? Number.NaN) / 1000;
}

interface Compared {
  found: LogIns;
  none: LogIns;
  /** Medians of the shares, turn by turn. */
  share: { logIns: number; messages: number };
}

const TURNS = 3;

/** `kit` and a broker without a plugin in turn, three times, behind one turn each that is not counted. */
async function compare(generator: Generator, kit: AuthKit, alone: AuthKit, clients: Clients, count: number): Promise<Compared> {
  const turns: { mine: Omit<LogIns, "p50">; bare: Omit<LogIns, "p50"> }[] = [];
  for (let i = 0; i <= TURNS; i++) {
    const bare = await turn(generator, alone, ANYBODY, count);
    const mine = await turn(generator, kit, clients, count);
    if (i > 0) turns.push({ mine, bare });
  }
  const all = (of: (t: (typeof turns)[number]) => number): number => median(turns.map(of));
  const side = (which: "mine" | "bare", p50: number): LogIns => ({
    perCpuSecond: all((t) => t[which].perCpuSecond),
    perSecond: all((t) => t[which].perSecond),
    messages: all((t) => t[which].messages),
    p50,
  });
  return {
    none: side("bare", await calm(generator, alone, ANYBODY)),
    found: side("mine", await calm(generator, kit, clients)),
    share: { logIns: all((t) => t.mine.perCpuSecond / t.bare.perCpuSecond), messages: all((t) => t.mine.messages / t.bare.messages) },
  };
}

/** `only`: "idle", "ping", or beginnings of plugins' names behind `emqx_auth_`, with commas between them; "" = all. */
export async function benchAuth(quick: boolean, only = ""): Promise<string> {
  const generator = compileGenerator();
  const wanted = only.split(",");
  const kinds = KINDS.filter((k) => wanted.some((name) => k.plugin.startsWith(`emqx_auth_${name}`)));
  const parts = [
    ...(kinds.length > 0 ? [await benchLogIns(generator, kinds, quick ? 2000 : 10_000)] : []),
    ...(only === "" ? [benchTokens(quick)] : []),
    ...(only === "" || wanted.includes("idle") ? [await benchIdle(generator, quick)] : []),
    ...(only === "" || wanted.includes("ping") ? [await benchPings(generator, quick)] : []),
  ];
  return [`${new Date().toISOString().slice(0, 10)}, ${machine()}.`, ...parts].join("\n\n");
}

async function benchLogIns(generator: Generator, kinds: readonly Kind[], count: number): Promise<string> {
  const alone = new AuthKit("", "");
  const rows = await withKit(alone, null, async () => {
    const found: string[][] = [];
    for (const kind of kinds) {
      const row = await rowOf(generator, kind, alone, count);
      if (row !== null) found.push(row);
    }
    return found;
  });
  const heading = [
    "",
    "log-ins/s",
    "without plugin",
    "per broker CPU s",
    "of without",
    "bare driver/s",
    "of its rate",
    "p50 ms at 200/s",
    "added to its answer, ms",
    "k messages per broker CPU s",
    "of without",
  ];
  return [
    `Log-ins of ${USERS.toLocaleString("en-US")} users, each asked about at the server: password and super user, in turn with a broker without a plugin.`,
    "",
    toMarkdown([heading, ...rows]),
  ].join("\n");
}

/** null = its server is not installed. */
async function rowOf(generator: Generator, kind: Kind, alone: AuthKit, count: number): Promise<string[] | null> {
  if (!isThere(kind)) return null;
  const outside = await kind.make();
  try {
    const raw = outside.ask === null ? null : await bare(outside.ask, count);
    const kit = new AuthKit(kind.plugin, kind.prefix);
    const compared = await withKit(kit, outside.lines, () => compare(generator, kit, alone, outside, count));
    const row = cells(kind.title, compared, raw);
    console.error(row.join(" | "));
    return row;
  } finally {
    await outside.close();
    await outside.server?.remove();
  }
}

function cells(title: string, { found, none, share }: Compared, raw: Rates | null): string[] {
  const against = raw === null ? ["", ""] : [whole(raw.perSecond), (found.perSecond / raw.perSecond).toFixed(2)];
  const added = raw === null ? found.p50 - none.p50 : found.p50 - none.p50 - raw.p50;
  const rates = [whole(found.perSecond), whole(none.perSecond), whole(found.perCpuSecond), share.logIns.toFixed(2)];
  return [title, ...rates, ...against, found.p50.toFixed(2), added.toFixed(2), whole(found.messages / 1000), share.messages.toFixed(2)];
}

const whole = (n: number): string => Math.round(n).toLocaleString("en-US");
