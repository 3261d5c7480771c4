/**
 * `bun run fuzz [--short] [--seconds N] [--inputs N] [--seed N] [--target NAME]`: every target for N seconds (10), or N inputs, with a seed of
 * its own making, or with `--short` the few thousand inputs of the gate, always the same ones. The decoders first, then `wire`: the executable, running, over
 * TCP and WebSocket (`--from N --seed N` plays its attack number N again). The planted bugs come first: if they are not found, nothing
 * else counts. Exit code 1 on any failure, with the input in hex and the seed to play it again.
 */
import { parseArgs } from "node:util";
import { Installation } from "../support/executable.ts";
import { describeFailure, type Failure, fuzz, type Target } from "./fuzz.ts";
import { CANARIES, TARGETS } from "./targets.ts";
import { describeWireFailure, fuzzWire } from "./wire.ts";
import { startTarget } from "./wire_broker.ts";

const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    seconds: { type: "string", default: "10" },
    inputs: { type: "string" },
    seed: { type: "string" },
    target: { type: "string" },
    from: { type: "string" },
  },
});
/** A change is not refused for what it did not do: the gate looks at the same inputs every time. */
const seed = Number(values.seed ?? (values.short ? 1_000_001 : Date.now() % 1_000_000));
const seconds = Number(values.seconds);
const inputs = values.inputs === undefined ? null : Number(values.inputs);
if (!Number.isInteger(seed) || !(seconds > 0) || (inputs !== null && !(inputs > 0))) {
  console.error("--seed wants a whole number, --seconds and --inputs a positive one");
  process.exit(2);
}

function run(target: Target): Failure | null {
  if (values.short) return fuzz(target, { seed, inputs: target.smoke });
  if (inputs !== null) return fuzz(target, { seed, inputs });
  return fuzz(target, { seed, inputs: Number.POSITIVE_INFINITY, deadline: performance.now() + seconds * 1000 });
}

for (const canary of CANARIES) {
  if (fuzz(canary, { seed, inputs: canary.smoke * 5 }) !== null) continue;
  console.error(`${canary.name}: the planted bug was not found, the fuzzer is blind (seed ${seed})`);
  process.exit(1);
}
/** The attack that is to be played again, or as many as the time allows. */
async function runWire(): Promise<string | null> {
  const baomq = new Installation();
  try {
    const { target } = await startTarget(baomq);
    const again = values.from === undefined ? {} : { from: Number(values.from) };
    const attacks = values.from !== undefined ? 1 : values.short ? 3000 : (inputs ?? Number.POSITIVE_INFINITY);
    const deadline = values.short || values.from !== undefined || inputs !== null ? {} : { deadline: performance.now() + seconds * 1000 };
    const failure = await fuzzWire(target, { seed, attacks, ...deadline, ...again });
    return failure === null ? null : describeWireFailure(failure);
  } finally {
    await baomq.remove();
  }
}

const isWanted = (name: string): boolean => values.target === undefined || name.includes(values.target);
const chosen = TARGETS.filter((t) => isWanted(t.name));
const wire = isWanted("wire");
if (chosen.length === 0 && !wire) {
  console.error(`no target is called ${values.target}; there are: ${TARGETS.map((t) => t.name).join(", ")}, wire`);
  process.exit(2);
}
let failures = 0;
function report(name: string, failure: string | null): void {
  if (failure !== null) failures++;
  console.log(failure === null ? `ok    ${name}` : `FAIL  ${failure}`);
}
for (const target of chosen) {
  let tried = 0;
  const check = (input: Uint8Array): void => {
    tried++;
    target.check(input);
  };
  const failure = run({ ...target, check });
  report(`${target.name}: ${tried} inputs`, failure && describeFailure(failure));
}
if (wire) report("wire", await runWire());
console.log(`${chosen.length + (wire ? 1 : 0) - failures} targets passed, ${failures} failed, seed ${seed}`);
process.exit(failures > 0 ? 1 : 0);
