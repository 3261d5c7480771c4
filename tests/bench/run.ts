/**
 * `bun run bench`: BaoMQ's executable beside every other broker that is installed, in one table.
 *
 *   bun run bench                      what the wire carries, what matching costs, and the web hook
 *   bun run bench wire matching codec scale auth hook   the parts by name
 *   --quick                            one short round          --rounds N (3)   --seconds T (3)
 *   --only pairs0,fanin                scenarios (auth: servers, idle, ping) by how their names begin      --brokers baomq,mosquitto
 *   --group traffic,latency,topics,connections,storage,rules                   scenarios by what they are about
 *   --base FILE                        another build of BaoMQ, to compare with: its executable
 *   --json FILE                        every measurement, for machines
 *
 * MOSQUITTO=, FLASHMQ=, NANOMQ= and EMQX= in the environment say where a broker's program is that is not on the PATH.
 *
 * The broker runs on core 0, the generator on core 1. Throughput is messages delivered per second of the broker's own processor
 * time (user and system, all threads): that hardly moves with what else runs on the machine, messages per second do.
 */
import { parseArgs } from "node:util";
import { benchAuth } from "./auth.ts";
import { ours, peers } from "./brokers.ts";
import { benchCodec } from "./codec.ts";
import { compileGenerator, type Generator } from "./generator.ts";
import { benchMatching } from "./matching.ts";
import { measure, suits } from "./measure.ts";
import { benchScale } from "./scale.ts";
import { GROUPS, SCENARIOS, type Scenario } from "./scenarios.ts";
import { chosen } from "./select.ts";
import { complaint, type Measurement, machine, table } from "./table.ts";
import { benchWebHook } from "./web_hook.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    seconds: { type: "string" },
    only: { type: "string" },
    group: { type: "string" },
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

/** The scenarios that are wanted and that this machine can do. */
function scenariosFor(generator: Generator): Scenario[] {
  const groups = chosen(GROUPS, values.group, (g) => g, "group");
  const scenarios = chosen(SCENARIOS, values.only, (s) => s.id, "scenario").filter((s) => groups.includes(s.group));
  const lacking = [...(generator.tls ? [] : ["OpenSSL's headers (libssl-dev)"]), ...(Bun.which("openssl") === null ? ["openssl"] : [])];
  if (lacking.length === 0 || !scenarios.some((s) => s.via === "tls")) return scenarios;
  console.error(`without ${lacking.join(" and ")} nothing is measured over TLS`);
  return scenarios.filter((s) => s.via !== "tls");
}

async function benchWire(): Promise<string> {
  const generator = compileGenerator();
  const { own, base } = ours(values.base);
  const there = [own, base, ...peers()].filter((c) => c !== null);
  const brokers = chosen(there, values.brokers, (c) => c.name, "broker");
  const scenarios = scenariosFor(generator);
  const all: Measurement[] = [];
  // Interleaved, so that a noisy minute of the machine hits everybody, and turned round by turns: who comes first has it harder, or easier.
  for (let round = 1; round <= rounds; round++) {
    for (const s of scenarios) {
      for (const c of round % 2 === 0 ? brokers.toReversed() : brokers) {
        if (!suits(s, c)) continue;
        const result = await measure(generator, s, c, { quick, seconds, warmup });
        all.push({ scenario: s.id, broker: c.name, round, result });
        const shown = s.figures(result).map((v) => (v === undefined || Number.isNaN(v) ? "-" : v.toFixed(1)));
        console.error(`${round}/${rounds}  ${s.id.padEnd(11)} ${c.name.padEnd(22)} ${shown.join(" / ")} ${complaint(result)}`);
      }
    }
  }
  if (values.json !== undefined) await Bun.write(values.json, `${JSON.stringify({ machine: machine(), measurements: all }, null, 2)}\n`);
  const versions = brokers.map((c) => `${c.name} ${c.version}`).join(", ");
  return [
    `Thousands of messages (or connects) per second of broker CPU, unless said otherwise; 64-byte payloads; medians of ${rounds} interleaved rounds of ${seconds} s.`,
    `${new Date().toISOString().slice(0, 10)}, ${machine()}. ${versions}.`,
    ...(quick ? ["Quick: a tenth of the usual connects, sessions and retained messages."] : []),
    "",
    table(scenarios, { names: brokers.map((c) => c.name), own: own.name, base: base?.name }, all),
  ].join("\n");
}

const PARTS: Record<string, () => string | Promise<string>> = {
  wire: benchWire,
  matching: () => benchMatching(quick),
  codec: () => benchCodec(quick),
  scale: () => benchScale(quick),
  auth: () => benchAuth(quick, values.only),
  hook: () => benchWebHook(quick),
};

/** Whoever names scenarios means those. */
const DEFAULT = values.only === undefined && values.group === undefined ? ["wire", "matching", "hook"] : ["wire"];

for (const name of positionals.length > 0 ? positionals : DEFAULT) {
  const part = PARTS[name];
  if (part === undefined) {
    console.error(`no benchmark ${name}; there are: ${Object.keys(PARTS).join(", ")}`);
    process.exit(2);
  }
  console.log(`${await part()}\n`);
}
