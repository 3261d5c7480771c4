/**
 * `bun run mutate -- server/core [server/mqtt/frame.ts …] [--sample N] [--seed N] [--jobs N]`: makes the program faulty in one small place
 * after the other and runs the tests that belong there. A mutant that no test notices is a line nobody looks after; they are listed. All
 * of an area are tried with `--sample 0`; exit code 1 when fewer are noticed than tests/mutate/areas.ts promises.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Rng } from "../fuzz/mutate.ts";
import { type Area, areaOf } from "./areas.ts";
import { EQUIVALENTS } from "./equivalents.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";
import { ROOT, stagesOf, type Verdict, Workshop } from "./workshop.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: String(Math.min(2, availableParallelism())) },
  },
});
const [sample, seed, jobs] = [values.sample, values.seed, values.jobs].map(Number) as [number, number, number];
if (positionals.length === 0 || ![sample, seed].every(Number.isInteger) || !(jobs >= 1)) {
  console.error("bun run mutate -- server/<folder or file> … [--sample N, 0 = all] [--seed N] [--jobs N]");
  process.exit(2);
}

interface Entry extends Mutant {
  area: Area;
  source: string;
}

function isEquivalent(m: Entry): boolean {
  return EQUIVALENTS.some((e) => e.file === m.file && e.line === m.source && e.change === m.change);
}

async function mutantsBelow(path: string): Promise<Entry[]> {
  const files = path.endsWith(".ts") ? [path] : [...new Bun.Glob(`${path.replace(/\/$/, "")}/**/*.ts`).scanSync(ROOT)].sort();
  const found: Entry[] = [];
  for (const file of files) {
    const area = areaOf(file);
    if (area === undefined) throw new Error(`${file}: no area in tests/mutate/areas.ts`);
    const text = await Bun.file(`${ROOT}/${file}`).text();
    const lines = text.split("\n");
    for (const m of mutantsOf(file, text)) found.push({ ...m, area, source: (lines[m.line - 1] ?? "").trim() });
  }
  return found;
}

/** `n` of them, the same for the same seed. */
function drawn<T>(all: T[], n: number, rng: Rng): T[] {
  const rest = [...all];
  const taken: T[] = [];
  while (rest.length > 0 && (n === 0 || taken.length < n)) taken.push(...rest.splice(rng.below(rest.length), 1));
  return taken;
}

const failed: string[] = [];
const workshops = Array.from({ length: jobs }, () => new Workshop());
try {
  for (const path of positionals) {
    const all = (await mutantsBelow(path)).filter((m) => !isEquivalent(m));
    const chosen = drawn(all, sample, new Rng(seed));
    const queue = [...chosen];
    const results: { mutant: Entry; verdict: Verdict }[] = [];
    const started = performance.now();
    const work = async (shop: Workshop): Promise<void> => {
      for (let m = queue.shift(); m !== undefined; m = queue.shift()) {
        const stages = stagesOf(m.area, m.file);
        await shop.calibrate(stages);
        const verdict = await shop.try(m, stages);
        results.push({ mutant: m, verdict });
        if (verdict === "survived") console.log(`survived  ${m.file}:${m.line}  ${m.change}\n          ${m.source}`);
      }
    };
    await Promise.all(workshops.map(work));
    const survived = results.filter((r) => r.verdict === "survived").length;
    const score = results.length === 0 ? 100 : (100 * (results.length - survived)) / results.length;
    const seconds = (performance.now() - started) / 1000;
    const target = chosen[0]?.area.target ?? null;
    console.log(
      `${path}: ${results.length - survived} of ${results.length} noticed, ${score.toFixed(1)} %` +
        ` (${all.length} mutants in all, seed ${seed}, ${(seconds / Math.max(1, results.length)).toFixed(1)} s each, target ${target ?? "none"})`,
    );
    if (target !== null && score < target) failed.push(path);
  }
} finally {
  for (const shop of workshops) shop.remove();
}
process.exit(failed.length > 0 ? 1 : 0);
