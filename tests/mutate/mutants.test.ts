import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AREAS, areaOf } from "./areas.ts";
import { EQUIVALENTS } from "./equivalents.ts";
import { apply, mutantsOf } from "./mutants.ts";
import { ROOT, stagesOf } from "./workshop.ts";

const results = (source: string): string[] => mutantsOf("a.ts", source).map((m) => apply(source, m));

describe("mutants", () => {
  test.each<[string, string, string[]]>([
    ["an order is moved by one", "f(a > b);", [";", "f(a >= b);"]],
    ["an equality is turned round", "x = a === b;", [";", "x = a !== b;"]],
    ["a condition is negated", "if (a) b();", ["if (!(a)) b();", "if (a) ;"]],
    ["and, or", "x ||= a && b;", [";", "x ||= a || b;"]],
    ["a number is moved by one", "const a = 5;", ["const a = (5 + 1);", "const a = (5 - 1);"]],
    ["nothing is below 0", "const a = 0;", ["const a = (0 + 1);"]],
    ["a truth", "const a = true;", ["const a = false;"]],
    ["a count goes the other way", "for (;;) i++;", ["for (;;) i--;"]],
    [
      "a function that ends at once",
      "function f() { a(); b(); }",
      ["function f() { return; a(); b(); }", "function f() { ; b(); }", "function f() { a(); ; }"],
    ],
    [
      "nothing is returned",
      "const f = () => { return g(1); };",
      ["const f = () => { return null; };", "const f = () => { return g((1 + 1)); };", "const f = () => { return g((1 - 1)); };"],
    ],
  ])("%s", (_, source, want) => {
    expect(results(source).sort()).toEqual([...want].sort());
  });

  test("types, imports, names, texts, comments and the log are left alone", () => {
    const source = [
      'import { a } from "./b.ts"; // 1 + 1',
      "type T = 1 | 2;",
      "interface I { x: 3; }",
      "const t: 5 = x as unknown as 5;",
      'const o = { 1: y, ["z"]: y };',
      'const s = "a" + b + `c`;',
      'log.warn("x", { n: 1 });',
      "this.#log.info(String(1 + 1));",
      "declare const d: 7;",
    ].join("\n");
    expect(results(source)).toEqual([]);
  });

  test("each says its line and what it does", () => {
    expect(mutantsOf("a.ts", "\n\nx(a <= b);").map((m) => [m.line, m.change])).toEqual([
      [3, "x(a <= b); removed"],
      [3, "a <= b: <= -> <"],
    ]);
  });
});

test("every area has a folder and tests, the test beside a file comes first", () => {
  for (const area of AREAS) {
    expect(existsSync(join(ROOT, "server", area.folder))).toBe(true);
    const stages = stagesOf(area, `server/${area.folder}/x.ts`);
    expect(stages.every((files) => files.length > 0 && files.every((f) => existsSync(join(ROOT, f))))).toBe(true);
    expect(stages.flat().length).toBe(new Set(stages.flat()).size);
  }
  const core = areaOf("server/core/router.ts");
  expect(core && stagesOf(core, "server/core/router.ts")[0]).toEqual(["tests/unit/core/router.test.ts"]);
  expect(areaOf("server/node/index.ts")).toBeUndefined();
});

test("what is held to be without effect is still a mutant of its file, and has a reason", () => {
  const stale = EQUIVALENTS.filter((e) => {
    const text = readFileSync(join(ROOT, e.file), "utf8");
    const lines = text.split("\n");
    return e.reason === "" || !mutantsOf(e.file, text).some((m) => m.change === e.change && lines[m.line - 1]?.trim() === e.line);
  });
  expect(stale).toEqual([]);
});
