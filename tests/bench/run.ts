/**
 * `bun run bench`: BaoMQ's executable beside every other broker that is installed, in one table.
 *
 *   bun run bench                      what the wire carries, and what matching costs
 *   bun run bench wire matching codec scale      the parts by name
 *   --quick                            one short round          --rounds N (3)   --seconds T (3)
 *   --only pairs0,fanin                scenarios by name        --brokers baomq,mosquitto
 *   --base FILE            another build of BaoMQ, to compare with: its executable
 *   --json FILE                        every measurement, for machines
 *
 * The broker runs on core 0, the generator on core 1. Throughput is messages delivered per second of the broker's own processor
 * time (user and system, all threads): that hardly moves with what else runs on the machine, messages per second do.
 */
import { parseArgs } from "node:util";
import { type Contestant, contestants, launch } from "./brokers.ts";
import { benchCodec } from "./codec.ts";
import { compileGenerator, type LoadResult, runLoad } from "./generator.ts";
import { benchMatching } from "./matching.ts";
import { benchScale } from "./scale.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { complaint, type Measurement, machine, table } from "./table.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    seconds: { type: "string" },
    only: { type: "string" },
    brokers: { type: "string" },
    base: { type: "string" },
    json: { type: "string" },
  },
});
const quick = values.quick;
const rounds = Number(values.rounds ?? (quick ? 1 : 3));
const seconds = values.seconds ?? (quick ? "1" : "3");
// Long enough for the JIT compiler to be done with the hot path.
const warmup = quick ? "0.7" : "1.5";

function chosen<T>(all: readonly T[], names: string | undefined, nameOf: (t: T) => string, what: string): T[] {
  if (names === undefined) return [...all];
  return names.split(",").flatMap((name) => {
    const found = all.filter((t) => nameOf(t).toLowerCase().startsWith(name.toLowerCase()));
    if (found.length === 0) throw new Error(`no ${what} ${name}; there are: ${all.map(nameOf).join(", ")}`);
    return found;
  });
}

/** A fresh broker for every measurement: nobody inherits another scenario's memory. */
async function measure(generator: string, s: Scenario, c: Contestant): Promise<LoadResult> {
  const broker = await launch(c);
  try {
    const port = s.webSocket ? broker.ports.ws : broker.ports.tcp;
    const common = ["--port", String(port), "--pid", String(broker.pid)];
    if (s.warm) await runLoad(generator, [...s.warm, ...common]);
    return await runLoad(generator, [
      ...s.args,
      ...common,
      ...(s.timed ? ["--seconds", seconds, "--warmup", quick ? warmup : (s.warmup ?? warmup)] : []),
    ]);
  } catch (err) {
    return { error: String(err) };
  } finally {
    await broker.stop();
  }
}

async function benchWire(): Promise<string> {
  const generator = compileGenerator();
  const brokers = chosen(contestants(values.base), values.brokers, (c) => c.name, "broker");
  const scenarios = chosen(SCENARIOS, values.only, (s) => s.id, "scenario");
  const all: Measurement[] = [];
  // Interleaved, so that a noisy minute of the machine hits everybody, and turned round by turns: who comes first has it harder, or easier.
  for (let round = 1; round <= rounds; round++) {
    for (const s of scenarios) {
      for (const c of round % 2 === 0 ? brokers.toReversed() : brokers) {
        if (s.webSocket && !c.webSocket) continue;
        const result = await measure(generator, s, c);
        all.push({ scenario: s.id, broker: c.name, round, result });
        const shown = s.figures(result).map((v) => (v === undefined || Number.isNaN(v) ? "-" : v.toFixed(1)));
        console.error(`${round}/${rounds}  ${s.id.padEnd(11)} ${c.name.padEnd(22)} ${shown.join(" / ")} ${complaint(result)}`);
      }
    }
  }
  if (values.json !== undefined) await Bun.write(values.json, `${JSON.stringify({ machine: machine(), measurements: all }, null, 2)}\n`);
  const names = brokers.map((c) => c.name);
  const versions = brokers.map((c) => `${c.name} ${c.version}`).join(", ");
  return [
    `Thousands of messages (or connects) per second of broker CPU, unless said otherwise; 64-byte payloads; medians of ${rounds} interleaved rounds of ${seconds} s.`,
    `${new Date().toISOString().slice(0, 10)}, ${machine()}. ${versions}.`,
    "",
    table(scenarios, names, all),
  ].join("\n");
}

const PARTS: Record<string, () => string | Promise<string>> = {
  wire: benchWire,
  matching: () => benchMatching(quick),
  codec: () => benchCodec(quick),
  scale: () => benchScale(quick),
};

for (const name of positionals.length > 0 ? positionals : ["wire", "matching"]) {
  const part = PARTS[name];
  if (part === undefined) {
    console.error(`no benchmark ${name}; there are: ${Object.keys(PARTS).join(", ")}`);
    process.exit(2);
  }
  console.log(`${await part()}\n`);
}
