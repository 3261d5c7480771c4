/** Runs every test (or those named by the arguments) and closes with one plain line: "N passed, N failed". */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const dir = mkdtempSync(join(tmpdir(), "baomq-tests-"));
const report = join(dir, "junit.xml");
const wanted = process.argv.slice(2);
const run = Bun.spawn(
  // Tests over sockets and a browser share two cores: one that misses its time is tried again, and shows in the output.
  [
    process.execPath,
    "test",
    "--retry=2",
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...(wanted.length > 0 ? wanted : ["./tests"]),
  ],
  { stdio: ["ignore", "inherit", "inherit"] },
);
const code = await run.exited;

const file = Bun.file(report);
const totals = /<testsuites [^>]*>/.exec((await file.exists()) ? await file.text() : "")?.[0] ?? "";
rmSync(dir, { recursive: true });
const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(totals)?.[1] ?? 0);
const skipped = count("skipped");
const passed = count("tests") - count("failures") - skipped;
// A crash, or an error outside any test, fails the run though no test counts as failed; so does a run of nothing.
const failed = Math.max(count("failures"), code !== 0 || passed === 0 ? 1 : 0);
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(code || (failed > 0 ? 1 : 0));
