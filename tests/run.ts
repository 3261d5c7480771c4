/**
 * Runs every test, or those the arguments name, with the one time limit of all files: a hang is a failure, a slow answer on a busy
 * machine is not. Nothing is tried twice. What is skipped for want of a program is said before and after; the last line is
 * "N passed, N failed".
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isGate, missingWords, PEERS } from "./support/peers.ts";

/** For a test without one of its own, ms. On the command line, because a default that is set in code holds for one file only. */
const TIMEOUT_MS = 300_000;

export interface Result {
  passed: number;
  failed: number;
  /** File -> names. */
  skipped: Map<string, string[]>;
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const unescaped = (text: string): string => text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name] ?? "");

/** The report's totals. A crash, or an error outside any test, fails the run though no test counts as failed; so does a run of nothing. */
export function readReport(xml: string, exitCode: number): Result {
  const totals = /<testsuites [^>]*>/.exec(xml)?.[0] ?? "";
  const count = (name: string): number => Number(new RegExp(` ${name}="(\\d+)"`).exec(totals)?.[1] ?? 0);
  const skipped = new Map<string, string[]>();
  for (const [, attributes = ""] of xml.matchAll(/<testcase ([^>]*[^/])>\s*<skipped/g)) {
    const attribute = (name: string): string => unescaped(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "");
    // A hook of a skipped group is listed as a test without a name.
    if (attribute("name") === "(unnamed)") continue;
    const file = attribute("file");
    skipped.set(file, [...(skipped.get(file) ?? []), attribute("name")]);
  }
  const passed = count("tests") - count("failures") - count("skipped");
  return { passed, failed: Math.max(count("failures"), exitCode !== 0 || passed === 0 ? 1 : 0), skipped };
}

/** What is not tested on this machine, and what helps; nothing where everything is there. */
const missing = (): string[] =>
  missingWords(
    PEERS.filter((p) => p.find() === null),
    isGate(),
  );

function banner(lines: readonly string[]): void {
  if (lines.length > 0) console.log(`\n${lines.map((line) => `!! ${line}`).join("\n")}\n`);
}

export async function runTests(wanted: readonly string[]): Promise<Result> {
  banner(missing());
  const dir = mkdtempSync(join(tmpdir(), "baomq-tests-"));
  const report = join(dir, "junit.xml");
  const files = wanted.length > 0 ? wanted : ["./tests"];
  const run = Bun.spawn(
    [process.execPath, "test", `--timeout=${TIMEOUT_MS}`, "--reporter=junit", `--reporter-outfile=${report}`, ...files],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  const code = await run.exited;
  const file = Bun.file(report);
  const result = readReport((await file.exists()) ? await file.text() : "", code);
  rmSync(dir, { recursive: true });
  const skipped = [...result.skipped].map(([file, names]) => `${names.length} skipped in ${file}: ${names.join("; ")}`);
  banner([...skipped, ...missing()]);
  return result;
}

if (import.meta.main) {
  const { passed, failed } = await runTests(process.argv.slice(2));
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
}
