/** Everything a change must pass. Every gate is run, also behind one that fails; each counts as one test in the last line. */
import { runTests } from "../tests/run.ts";

/** Name, and the script with its arguments. */
const GATES: readonly (readonly [string, ...string[]])[] = [
  ["format and lint", ".ci/lint.ts"],
  ["types", "run", "types"],
  ["build", "build.ts", "--quiet"],
  ["simulation", "tests/sim/run.ts", "--short"],
  ["fuzz", "tests/fuzz/run.ts", "--short"],
];

let passed = 0;
let failed = 0;
const summary: string[] = [];
for (const [name, ...command] of GATES) {
  console.log(`\n== ${name}`);
  const started = performance.now();
  const code = await Bun.spawn([process.execPath, ...command], { stdio: ["ignore", "inherit", "inherit"] }).exited;
  if (code === 0) passed++;
  else failed++;
  summary.push(`${code === 0 ? "ok    " : "FAILED"} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}
console.log("\n== tests");
const tests = await runTests([]);
console.log(summary.join("\n"));
console.log(`${passed + tests.passed} passed, ${failed + tests.failed} failed`);
process.exit(failed + tests.failed > 0 ? 1 : 0);
