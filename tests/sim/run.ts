/**
 * `bun run sim [--seed N | --from A --to B | --count K | --short] [--steps M] [--store sqlite] [--strict] [--ignore RULE,RULE] [--trace] [--keep-going]`:
 * histories of M steps (60), one for each seed. The first that breaks a rule is made smaller and printed, exit code 1; with
 * `--keep-going` only the rules and the seeds that break them are counted. `--strict` looks at known faults too. `--short`: a part of the gate.
 */
import { parseArgs } from "node:util";
import { generate } from "./generate.ts";
import { shrink } from "./shrink.ts";
import { run } from "./sim.ts";
import { describe } from "./steps.ts";
import { ignore, strict } from "./violation.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    count: { type: "string" },
    short: { type: "boolean", default: false },
    steps: { type: "string", default: "60" },
    store: { type: "string", default: "memory" },
    strict: { type: "boolean", default: false },
    ignore: { type: "string", default: "" },
    trace: { type: "boolean", default: false },
    "keep-going": { type: "boolean", default: false },
    "no-shrink": { type: "boolean", default: false },
  },
});
const whole = (text: string | undefined, name: string, fallback: number): number => {
  const n = text === undefined ? fallback : Number(text);
  if (Number.isInteger(n) && n >= 0) return n;
  console.error(`--${name} wants a whole number`);
  process.exit(2);
};
const steps = whole(values.steps, "steps", 60);
/** Beside the 2,000 seeds of the tests: others, and longer ones. */
const SHORT = { from: 2001, count: 500 };
const from = whole(values.seed ?? values.from, "from", values.short ? SHORT.from : 1);
const usual = values.seed !== undefined ? 1 : values.short ? SHORT.count : 1000;
const to = values.to !== undefined ? whole(values.to, "to", 0) : from + whole(values.count, "count", usual) - 1;
const options = { sqlite: values.store === "sqlite" };
if (values.strict) strict();
ignore(values.ignore.split(",").filter((x) => x !== ""));

const found = new Map<string, { seeds: number[]; detail: string }>();
const started = performance.now();
for (let seed = from; seed <= to; seed++) {
  const history = generate(seed, steps);
  const trace = values.trace ? { trace: (at: number) => console.log(at, history.steps[at] ? describe(history.steps[at]) : "the end") } : {};
  const finding = run(history, { ...options, ...trace });
  if (finding === null) continue;
  const known = found.get(finding.rule);
  if (known === undefined) found.set(finding.rule, { seeds: [seed], detail: finding.detail });
  else known.seeds.push(seed);
  if (values["keep-going"]) continue;
  console.log(`seed ${seed}, step ${finding.at} of ${steps}: ${finding.rule}\n  ${finding.detail}`);
  if (!values["no-shrink"]) {
    const small = shrink(history, finding, options);
    console.log(
      `made smaller to ${small.history.steps.length} steps (${small.runs} runs): ${small.finding.rule}\n  ${small.finding.detail}\n`,
    );
    console.log(`setup   ${JSON.stringify(small.history.setup)}`);
    for (const [i, s] of small.history.steps.entries()) console.log(`${String(i).padStart(4)}  ${describe(s)}`);
    console.log(`\nagain: bun run sim --seed ${seed} --steps ${steps}${options.sqlite ? " --store sqlite" : ""}`);
  }
  process.exit(1);
}
const seconds = (performance.now() - started) / 1000;
for (const [rule, { seeds, detail }] of [...found].sort((a, b) => b[1].seeds.length - a[1].seeds.length))
  console.log(`${rule.padEnd(22)} ${String(seeds.length).padStart(5)} seeds (${seeds.slice(0, 4)}): ${detail.slice(0, 300)}`);
const count = to - from + 1;
console.log(
  `${count} seeds of ${steps} steps in ${seconds.toFixed(1)} s (${(count / seconds).toFixed(0)} a second), ${found.size} rules broken`,
);
process.exit(found.size > 0 ? 1 : 0);
