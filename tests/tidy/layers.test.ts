/** Who may import whom. The table is that of server/README.md, and it is exact: what it allows is used, what it does not allow is not. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Import, packageOf, ROOT, readTree } from "./modules.ts";

const { files, text, imports } = readTree(["server/**/*.ts", "dashboard/src/**/*.{ts,tsx}"]);

interface Layer {
  /** Folders and files below the root. */
  parts: string[];
  values: Set<string>;
  types: Set<string>;
  outside: Set<string>;
}

/** "`a`, `b`" -> a, b; "nothing" -> none. */
const words = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((m) => m[1] as string);

const ROWS = readFileSync(join(ROOT, "server/README.md"), "utf8")
  .split("\n")
  .filter((line) => /^\| `/.test(line))
  .map((line) => line.split("|").slice(1, -1));
const LAYERS: Layer[] = ROWS.map(([names = "", , values = "", types = "", outside = ""]) => ({
  parts: words(names).map((name) => (name === "dashboard" ? "dashboard/src" : `server/${name}`)),
  values: new Set(words(values)),
  types: new Set(words(types)),
  outside: new Set(words(outside)),
}));
/** The last row of the server: it may import everything, nothing imports it. */
const isComposition = (layer: Layer): boolean => layer.parts.includes("server/main.ts");

const isIn = (file: string, layer: Layer): boolean => layer.parts.some((p) => file === p || file.startsWith(`${p}/`));
const layerOf = (file: string): Layer | undefined => LAYERS.find((l) => isIn(file, l));
const nameOf = (layer: Layer): string => layer.parts[0]?.replace(/^server\//, "") ?? "";

function isAllowed(layer: Layer, i: Import): boolean {
  if (!i.isOurs) return layer.outside.has(packageOf(i.to));
  const to = layerOf(i.to);
  if (to === layer) return true;
  if (to === undefined) return layer.outside.has(i.to);
  return layer.values.has(nameOf(to)) || (i.typeOnly && layer.types.has(nameOf(to)));
}

test("the imports are really read: the net must not be empty", () => {
  expect(files.length).toBeGreaterThan(200);
  expect(imports.length).toBeGreaterThan(files.length);
  const seen = (from: string, to: string, typeOnly: boolean): boolean =>
    imports.some((i) => i.from === from && i.to === to && i.typeOnly === typeOnly);
  expect(seen("server/core/broker.ts", "server/core/channel.ts", false)).toBe(true);
  expect(seen("server/core/session.ts", "server/core/channel.ts", true)).toBe(true);
  expect(seen("server/main.ts", "server/run.ts", false)).toBe(true);
  expect(seen("server/storage/sqlite.ts", "bun:sqlite", false) || seen("server/storage/connection.ts", "bun:sqlite", false)).toBe(true);
});

describe("layers", () => {
  test("every file is in one of them", () => {
    expect(LAYERS.length).toBeGreaterThan(10);
    expect(files.filter((f) => LAYERS.filter((l) => isIn(f, l)).length !== 1)).toEqual([]);
  });

  for (const layer of LAYERS.filter((l) => !isComposition(l))) {
    test(`${nameOf(layer)} imports what the table says, and nothing else`, () => {
      const own = imports.filter((i) => isIn(i.from, layer));
      expect(own.filter((i) => !isAllowed(layer, i)).map((i) => `${i.from} -> ${i.typeOnly ? "type " : ""}${i.to}`)).toEqual([]);
      const valuesOf = new Set(own.filter((i) => !i.typeOnly).map(target));
      const all = new Set(own.map(target));
      const unused = [
        ...[...layer.values].filter((name) => !valuesOf.has(name)).map((name) => `values of ${name}`),
        ...[...layer.types, ...layer.outside].filter((name) => !all.has(name)),
      ];
      expect(unused).toEqual([]);
    });
  }
  const target = (i: Import): string => {
    if (!i.isOurs) return packageOf(i.to);
    const to = layerOf(i.to);
    return to === undefined ? i.to : nameOf(to);
  };

  test("nothing imports the composition root", () => {
    const root = LAYERS.find(isComposition) as Layer;
    expect(imports.filter((i) => i.isOurs && isIn(i.to, root) && !isIn(i.from, root)).map((i) => `${i.from} -> ${i.to}`)).toEqual([]);
  });

  test("a plugin knows no other plugin", () => {
    const own = (f: string): string => /^server\/plugins\/([^/]+)\//.exec(f)?.[1] ?? "";
    const wrong = imports.filter((i) => {
      const [a, b] = [own(i.from), own(i.to)];
      return a !== "" && b !== "" && a !== b && !b.startsWith("_");
    });
    expect(wrong.map((i) => `${i.from} -> ${i.to}`)).toEqual([]);
  });

  test("the core knows no runtime: no Bun, timers, Date, process", () => {
    const wrong: string[] = [];
    for (const [file, source] of text) {
      if (!file.startsWith("server/core/")) continue;
      const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
      for (const re of [/\bBun\./, /\bset(?:Timeout|Interval|Immediate)\(/, /\bDate\.now\b|new Date\b/, /\bperformance\.|\bprocess\./])
        if (re.test(code)) wrong.push(`${file}: ${re.source}`);
    }
    expect(wrong).toEqual([]);
  });
});

test("every package is imported by somebody", () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<
    string,
    Record<string, string>
  >;
  const tools = readTree(["tests/**/*.ts", ".ci/*.ts", "build.ts", "dashboard/vite.config.ts"]);
  const used = new Set([...imports, ...tools.imports].filter((i) => !i.isOurs).map((i) => packageOf(i.to)));
  /** Not imported: programs, types, and what the tests read as a file. */
  const programs = ["@biomejs/biome", "typescript", "bun", "@types/bun", "axe-core"];
  const server = new Set(imports.filter((i) => !i.isOurs && i.from.startsWith("server/")).map((i) => packageOf(i.to)));
  const unused = [
    ...Object.keys(dependencies ?? {}).filter((name) => !server.has(name)),
    ...Object.keys(devDependencies ?? {}).filter((name) => !used.has(name) && !programs.includes(name)),
  ];
  expect(unused).toEqual([]);
});
