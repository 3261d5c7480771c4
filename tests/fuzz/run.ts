/**
 * `bun run fuzz [--short] [--seconds N] [--seed N] [--target NAME]`: every target for N seconds (10) with a seed of its own making,
 * or with `--short` only the few thousand inputs of the smoke test. The planted bugs come first: if they are not found, nothing
 * else counts. Exit code 1 on any failure, with the input in hex and the seed to play it again.
 */
import { parseArgs } from "node:util";
import { describeFailure, type Failure, fuzz, type Target } from "./fuzz.ts";
import { CANARIES, TARGETS } from "./targets.ts";

const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    seconds: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    target: { type: "string" },
  },
});
const seed = Number(values.seed);
const seconds = Number(values.seconds);
if (!Number.isInteger(seed) || !(seconds > 0)) {
  console.error("--seed wants a whole number, --seconds a positive one");
  process.exit(2);
}

function run(target: Target): Failure | null {
  if (values.short) return fuzz(target, { seed, inputs: target.smoke });
  return fuzz(target, { seed, inputs: Number.POSITIVE_INFINITY, deadline: performance.now() + seconds * 1000 });
}

for (const canary of CANARIES) {
  if (fuzz(canary, { seed, inputs: canary.smoke * 5 }) !== null) continue;
  console.error(`${canary.name}: the planted bug was not found, the fuzzer is blind (seed ${seed})`);
  process.exit(1);
}
const chosen = TARGETS.filter((t) => values.target === undefined || t.name.includes(values.target));
if (chosen.length === 0) {
  console.error(`no target is called ${values.target}; there are: ${TARGETS.map((t) => t.name).join(", ")}`);
  process.exit(2);
}
let failures = 0;
for (const target of chosen) {
  const failure = run(target);
  if (failure !== null) failures++;
  console.log(failure === null ? `ok    ${target.name}` : `FAIL  ${describeFailure(failure)}`);
}
console.log(`${chosen.length - failures} targets passed, ${failures} failed, seed ${seed}`);
process.exit(failures > 0 ? 1 : 0);
