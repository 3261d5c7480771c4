/** What decides whether a change is good, looked at itself: the reading of a test report, one lockfile, no second tries. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { readReport } from "../run.ts";

const ROOT = resolve(import.meta.dir, "../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

describe("the last line counts", () => {
  const report = (totals: string, cases = ""): string =>
    `<?xml version="1.0"?>\n<testsuites name="bun test" ${totals} time="1">${cases}</testsuites>`;

  test("passed, failed, and what was skipped by file and name, without the hooks of a skipped group", () => {
    const cases = [
      '<testcase name="good" file="a.test.ts" line="1" assertions="1" />',
      '<testcase name="a &amp; &quot;b&quot;" classname="c" file="b.test.ts" line="2"><skipped /></testcase>',
      '<testcase name="(unnamed)" file="b.test.ts" line="3">\n  <skipped />\n</testcase>',
      '<testcase name="bad" file="b.test.ts" line="4"><failure type="AssertionError" /></testcase>',
    ].join("\n");
    const result = readReport(report('tests="4" assertions="1" failures="1" skipped="2"', cases), 1);
    expect(result).toEqual({ passed: 1, failed: 1, skipped: new Map([["b.test.ts", ['a & "b"']]]) });
  });

  test("a crash, an error outside any test and a run of nothing fail", () => {
    expect(readReport(report('tests="3" failures="0" skipped="0"'), 1)).toMatchObject({ passed: 3, failed: 1 });
    expect(readReport("", 0)).toMatchObject({ passed: 0, failed: 1 });
    expect(readReport(report('tests="2" failures="0" skipped="2"'), 0)).toMatchObject({ passed: 0, failed: 1 });
  });
});

describe("dependencies", () => {
  interface Manifest {
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  }
  const manifest = JSON.parse(read("package.json")) as Manifest;
  const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, Partial<Manifest> & { version?: string }> };

  test("package-lock.json is the one lockfile, and agrees with package.json", () => {
    expect(["bun.lock", "bun.lockb", "yarn.lock", "pnpm-lock.yaml"].filter((f) => existsSync(join(ROOT, f)))).toEqual([]);
    expect(lock.packages[""]?.dependencies).toEqual(manifest.dependencies);
    expect(lock.packages[""]?.devDependencies).toEqual(manifest.devDependencies);
  });

  test("what is installed is what it says", () => {
    const wrong = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(([name, wanted]) => {
      const installed = JSON.parse(read(`node_modules/${name}/package.json`)) as { version: string };
      return installed.version !== wanted || lock.packages[`node_modules/${name}`]?.version !== wanted;
    });
    expect(wrong).toEqual([]);
  });
});

test("nothing is tried twice: no retry, no todo, no test that runs alone", () => {
  const files = [...new Bun.Glob("{.ci,tests}/**/*").scanSync({ cwd: ROOT, dot: true })].filter((f) => f !== "tests/tidy/gates.test.ts");
  const wrong = files.filter((f) => /--retry|\bretry:|\b(?:test|describe|it)\.(?:only|todo|failing)\b/.test(read(f)));
  expect(files).toContain(".ci/run");
  expect(files).toContain("tests/run.ts");
  expect(wrong).toEqual([]);
});

test("no test has a time limit of its own: the runner's is for a machine that is busy with something else", () => {
  const files = [...new Bun.Glob("tests/**/*.test.ts").scanSync({ cwd: ROOT })].filter((f) => f !== "tests/tidy/gates.test.ts");
  expect(files.length).toBeGreaterThan(300);
  expect(files.filter((f) => /^\s*\}, \d[\d_]{3,}\);$/m.test(read(f)))).toEqual([]);
});
