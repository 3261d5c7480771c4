/** The rules of the house that a program can check: no cycles, small files, nothing dead, no leftovers. */
import { describe, expect, test } from "bun:test";
import { relative } from "node:path";
import { type Export, type Import, readTree } from "./modules.ts";

const { files, text, imports, exports } = readTree(["server/**/*.ts", "dashboard/src/**/*.{ts,tsx}"]);
const tests = readTree(["tests/**/*.ts", "build.ts", ".ci/*.ts"]);
/** Where the program, its workers and the dashboard begin, and what the plugins of strangers import. */
const ENTRIES = ["server/main.ts", "server/plugins/lua_hook/worker/main.ts", "dashboard/src/main.tsx"];

describe("files", () => {
  test("at most 400 lines", () => {
    const long = files.filter((f) => (text.get(f) ?? "").split("\n").length > 401);
    expect(long.map((f) => `${f}: ${(text.get(f) ?? "").split("\n").length}`)).toEqual([]);
  });

  test("no values imported in a circle", () => {
    const graph = new Map<string, string[]>();
    for (const i of imports) if (i.isOurs && !i.typeOnly) graph.set(i.from, [...(graph.get(i.from) ?? []), i.to]);
    const state = new Map<string, "open" | "done">();
    const circles: string[] = [];
    const visit = (f: string, path: string[]): void => {
      if (state.get(f) === "done") return;
      if (state.get(f) === "open") {
        circles.push([...path.slice(path.indexOf(f)), f].join(" -> "));
        return;
      }
      state.set(f, "open");
      for (const t of graph.get(f) ?? []) visit(t, [...path, f]);
      state.set(f, "done");
    };
    for (const f of files) visit(f, []);
    expect(circles.filter((c) => !KNOWN_CIRCLES.some((k) => k.test(c)))).toEqual([]);
  });

  /** The packet handlers of CONNECT and AUTH hand a connection to each other: one exchange in two files, functions only. */
  const KNOWN_CIRCLES = [/^server\/core\/handle\/(?:auth|connect)\.ts -> server\/core\/handle\/(?:auth|connect)\.ts -> /];

  test("every file is reached from the program or the dashboard", () => {
    const reached = new Set<string>();
    const walk = (f: string): void => {
      if (reached.has(f)) return;
      reached.add(f);
      for (const i of imports) if (i.from === f) walk(i.to);
    };
    for (const entry of ENTRIES) walk(entry);
    expect(files.filter((f) => !reached.has(f) && !f.endsWith(".d.ts"))).toEqual([]);
  });

  test("no leftovers: TODO, FIXME, console.log", () => {
    const wrong = files.flatMap((f) =>
      (text.get(f) ?? "")
        .split("\n")
        .flatMap((line, n) => (/\b(?:TODO|FIXME|XXX)\b|console\.log\(|debugger;/.test(line) ? [`${f}:${n + 1}`] : [])),
    );
    expect(wrong).toEqual([]);
  });

  /** SQL, templates and filters are texts of strangers: none of them becomes JavaScript, which would also be the end of any bound on its work. */
  test("no text becomes a program: no eval, no new Function", () => {
    const wrong = files
      .filter((f) => f.startsWith("server/"))
      .flatMap((f) =>
        (text.get(f) ?? "").split("\n").flatMap((line, n) => (/\beval\b|(?<![\w.])Function\s*\(/.test(line) ? [`${f}:${n + 1}`] : [])),
      );
    expect(wrong).toEqual([]);
  });

  test("imports carry their extension", () => {
    const bare = imports
      .filter((i) => i.isOurs && !/(?:\.(?:tsx?|json|css|svg)|^package\.json)$/.test(i.to))
      .map((i) => `${i.from} -> ${relative(".", i.to)}`);
    expect(bare).toEqual([]);
  });

  /**
   * A value that only its own file uses is not exported, and one that only a test uses is dead. What a file exports for its test it uses
   * itself. A type may stand beside the value it describes; one that nobody names anywhere may not.
   */
  test("every export is used", () => {
    const taken = (from: readonly Import[], e: Export): boolean =>
      from.some((i) => i.to === e.file && i.from !== e.file && (i.names.includes(e.name) || i.names.includes("*")));
    const usedAtHome = (e: Export): boolean =>
      ((text.get(e.file) ?? "").match(new RegExp(`(?<![\\w$])${e.name.replaceAll("$", "\\$")}(?![\\w$])`, "g")) ?? []).length > 1;
    const wrong = exports.filter((e) => {
      if (ENTRIES.includes(e.file) || taken(imports, e)) return false;
      return !(usedAtHome(e) && (e.isType || taken(tests.imports, e)));
    });
    expect(wrong.map((e) => `${e.file}: ${e.name}`)).toEqual([]);
  });
});
