/** The rules of the house that a program can check: who may import whom, no cycles, small files, nothing dead, no leftovers. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dir, "../..");
const files = ["server/**/*.ts", "dashboard/src/**/*.{ts,tsx}"].flatMap((g) => [...new Bun.Glob(g).scanSync(ROOT)]).sort();
const text = new Map(files.map((f) => [f, readFileSync(join(ROOT, f), "utf8")]));

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}
const IMPORT = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?["'](\.[^"']+)["']|import\(\s*["'](\.[^"']+)["']\s*\)/g;

function importsOf(file: string): Import[] {
  return [...(text.get(file) ?? "").matchAll(IMPORT)].map((m) => ({
    from: file,
    to: resolveImport(file, (m[2] ?? m[3]) as string),
    typeOnly: m[1] !== undefined,
  }));
}
function resolveImport(file: string, spec: string): string {
  const base = join(dirname(file), spec);
  for (const end of ["", ".ts", ".tsx", "/index.ts", "/index.tsx"]) if (text.has(base + end)) return base + end;
  return base;
}
const imports = files.flatMap(importsOf);

/** Folder -> folders (or files) it may import; itself always. The most exact row counts. */
const LAYERS: Record<string, readonly string[]> = {
  "server/lib": ["package.json"],
  "server/mqtt": ["server/lib"],
  "server/core": ["server/lib", "server/mqtt", "server/config/types.ts"],
  "server/config": ["server/lib"],
  "server/storage": ["server/lib", "server/core", "server/mqtt/types.ts"],
  "server/machine": ["server/lib", "server/core", "server/admin"],
  "server/listeners": ["server/lib", "server/mqtt", "server/core", "server/config/types.ts", "server/machine/open_files.ts"],
  "server/plugins": ["server/lib", "server/mqtt", "server/core", "server/config/types.ts"],
  "server/admin": ["server/lib", "server/core", "server/mqtt", "server/config/types.ts", "server/plugins"],
  "server/api": ["server/lib", "server/admin", "server/core/ports.ts", "server/config/types.ts"],
  "server/cli": ["server/lib", "server/admin", "server/api/contract.ts"],
  "dashboard/src": ["server/api/contract.ts"],
};
const COMPOSITION = ["server/node/", "server/main.ts", "server/run.ts"];

test("the imports are really read: the net must not be empty", () => {
  expect(files.length).toBeGreaterThan(200);
  expect(imports.length).toBeGreaterThan(files.length);
  expect(imports).toContainEqual({ from: "server/core/broker.ts", to: "server/core/channel.ts", typeOnly: false });
  expect(imports).toContainEqual({ from: "server/core/session.ts", to: "server/core/channel.ts", typeOnly: true });
  expect(imports).toContainEqual({ from: "server/main.ts", to: "server/run.ts", typeOnly: false });
});

describe("layers", () => {
  for (const [layer, allowed] of Object.entries(LAYERS)) {
    test(`${layer} imports only ${allowed.join(", ") || "its own"}`, () => {
      const wrong = imports
        .filter((i) => i.from.startsWith(`${layer}/`) && !i.to.startsWith(`${layer}/`))
        .filter((i) => !allowed.some((a) => i.to === a || i.to.startsWith(`${a}/`)))
        .map((i) => `${i.from} -> ${i.to}`);
      expect(wrong).toEqual([]);
    });
  }

  test("nothing imports the composition root", () => {
    const isRoot = (f: string): boolean => COMPOSITION.some((c) => f.startsWith(c));
    expect(imports.filter((i) => isRoot(i.to) && !isRoot(i.from)).map((i) => `${i.from} -> ${i.to}`)).toEqual([]);
  });

  test("a plugin knows no other plugin", () => {
    const own = (f: string): string => /^server\/plugins\/([^/]+)\//.exec(f)?.[1] ?? "";
    const wrong = imports.filter((i) => {
      const [a, b] = [own(i.from), own(i.to)];
      return a !== "" && b !== "" && a !== b && !b.startsWith("_");
    });
    expect(wrong.map((i) => `${i.from} -> ${i.to}`)).toEqual([]);
  });

  test("the core knows no runtime: no Bun, node:*, timers, Date", () => {
    const wrong: string[] = [];
    for (const [file, source] of text) {
      if (!file.startsWith("server/core/")) continue;
      const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
      for (const re of [/\bBun\./, /from "node:/, /from "bun/, /\bset(?:Timeout|Interval|Immediate)\(/, /\bDate\.now\b|new Date\b/]) {
        if (re.test(code)) wrong.push(`${file}: ${re.source}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe("files", () => {
  /** Longer than 400 lines, with the reason. */
  const LONG: Record<string, string> = {
    "dashboard/src/i18n/en.ts": "one table of texts",
    "dashboard/src/i18n/zh.ts": "one table of texts",
    "dashboard/src/api/fake_routes.ts": "one table of answers for the demo",
  };
  test("at most 400 lines", () => {
    const long = files.filter((f) => (text.get(f) ?? "").split("\n").length > 401 && LONG[f] === undefined);
    expect(long.map((f) => `${f}: ${(text.get(f) ?? "").split("\n").length}`)).toEqual([]);
  });

  test("no values imported in a circle", () => {
    const graph = new Map<string, string[]>();
    for (const i of imports) if (!i.typeOnly) graph.set(i.from, [...(graph.get(i.from) ?? []), i.to]);
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
    for (const entry of ["server/main.ts", "dashboard/src/main.tsx"]) if (existsSync(join(ROOT, entry))) walk(entry);
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

  test("imports carry their extension", () => {
    const bare = imports.filter((i) => !/\.(?:tsx?|json|css|svg)$/.test(i.to)).map((i) => `${i.from} -> ${relative(".", i.to)}`);
    expect(bare).toEqual([]);
  });
});
