/** What decides whether a change is good, looked at itself: the reading of a test report, one lockfile, no second tries. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readReport } from "../run.ts";
import { missingWords, type Need, type Peer } from "../support/peers.ts";

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

describe("what the machine lacks", () => {
  const program = (name: string, apt: string): Peer => ({ name, tests: `the tests of ${name}`, apt, find: () => null });
  const disk: Need = { name: "a small disk", tests: "a full disk", get: "be root", find: () => null };

  test("is named, with what is not tested for it, what becomes of that, and the one command that helps", () => {
    expect(missingWords([], true)).toEqual([]);
    expect(missingWords([program("One", "one"), program("Two", "two two-tools")], false)).toEqual([
      "not on this machine: One; the tests of One is SKIPPED",
      "not on this machine: Two; the tests of Two is SKIPPED",
      "to test it too: sudo apt-get install -y one two two-tools",
    ]);
    expect(missingWords([disk], true)).toEqual(["not on this machine: a small disk; a full disk FAILS; be root"]);
    expect(missingWords([program("One", "one"), disk], true).at(-1)).toBe("to test it too: sudo apt-get install -y one");
  });

  /** How a run of two tests and a group ends that need what is not there. */
  async function run(ci: string | undefined): Promise<{ code: number; said: string }> {
    const dir = mkdtempSync(join(tmpdir(), "baomq-needing-"));
    const file = join(dir, "needing.test.ts");
    writeFileSync(
      file,
      `import { describe, expect, test } from "bun:test";
import { needing } from "${join(ROOT, "tests/support/peers.ts")}";
const lacking = { name: "Nothing", tests: "all of it", apt: "no-such-package", find: () => null };
const here = { ...lacking, find: () => "/bin/true" };
needing(lacking, test)("a test", () => expect(1).toBe(2));
needing(here, needing(lacking, describe))("a group", () => test("in it", () => expect(1).toBe(2)));
needing(here, test)("it is here", () => expect(1).toBe(1));
needing({ ...lacking, isRight: true }, test)("a right", () => expect(1).toBe(2));
`,
    );
    const { CI: _, GITHUB_ACTIONS: __, ...env } = process.env;
    const child = Bun.spawn([process.execPath, "test", "./needing.test.ts"], {
      cwd: dir,
      env: { ...env, ...(ci !== undefined && { CI: ci }) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    rmSync(dir, { recursive: true });
    return { code, said: out + err };
  }

  test("is skipped by who develops, and fails where the gate is decided, in these words", async () => {
    const skipped = await run(undefined);
    expect([skipped.code, skipped.said]).toEqual([0, expect.stringMatching(/ 1 pass\n 3 skip\n 0 fail/)]);
    const failed = await run("1");
    expect([failed.code, failed.said]).toEqual([1, expect.stringMatching(/ 1 pass\n 1 skip\n 2 fail/)]);
    expect(
      failed.said.match(/not on this machine: Nothing; all of it FAILS\nto test it too: sudo apt-get install -y no-such-package/g),
    ).toHaveLength(2);
  });

  test("is asked for in that one way: what else is skipped is of another system or account", () => {
    const files = [...new Bun.Glob("tests/**/*.test.ts").scanSync({ cwd: ROOT })].filter((f) => f !== "tests/tidy/gates.test.ts");
    const skips = files.flatMap((f) =>
      (read(f).match(/^.*(?:\.skip\b|\b(?:skipIf|runIf|todoIf)\().*$/gm) ?? []).map((line) => `${f}: ${line.trim()}`),
    );
    expect(skips.length).toBeGreaterThan(5);
    expect(skips.filter((line) => !/process\.(?:platform|getuid)|\bisRoot\b/.test(line))).toEqual([]);
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
