/** The program as a graph: files, what each imports and exports. Read by a parser, so that words in comments and texts count for nothing. */
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseSync } from "vite";

export const ROOT = resolve(import.meta.dir, "../..");

export interface Import {
  from: string;
  /** A file of ours, or the package or builtin module. */
  to: string;
  isOurs: boolean;
  typeOnly: boolean;
  /** Names taken; "*" = all of them. */
  names: string[];
}
export interface Export {
  file: string;
  name: string;
  isType: boolean;
}
export interface Tree {
  files: string[];
  text: Map<string, string>;
  imports: Import[];
  exports: Export[];
}

interface Names {
  importName: { kind: string; name: string | null };
  isType: boolean;
}

/** Of `import("./x.ts")`, in values and in types, whose names nobody tells. */
const INLINE = /\bimport\(\s*["']([^"']+)["']\s*\)/g;

export function readTree(globs: readonly string[]): Tree {
  const files = globs.flatMap((g) => [...new Bun.Glob(g).scanSync(ROOT)]).sort();
  const tree: Tree = { files, text: new Map(), imports: [], exports: [] };
  for (const file of files) tree.text.set(file, readFileSync(join(ROOT, file), "utf8"));
  for (const file of files) {
    const text = tree.text.get(file) as string;
    const { module, errors } = parseSync(file, text);
    if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
    const add = (spec: string, names: Names[], typeOnly: boolean): void => {
      const isOurs = spec.startsWith(".");
      const to = isOurs ? join(dirname(file), spec) : spec;
      tree.imports.push({ from: file, to, isOurs, typeOnly, names: names.map((n) => nameOf(n)) });
    };
    for (const i of module.staticImports) add(i.moduleRequest.value, i.entries, i.entries.length > 0 && i.entries.every((e) => e.isType));
    for (const e of module.staticExports.flatMap((s) => s.entries)) {
      if (e.moduleRequest) add(e.moduleRequest.value, [e], e.isType);
      const name = e.exportName.kind === "Default" ? "default" : e.exportName.name;
      if (name) tree.exports.push({ file, name, isType: e.isType });
    }
    for (const [whole, spec = ""] of text.matchAll(INLINE))
      if (!/^\s*(?:\/\/|\*)/.test(whole)) add(spec, [{ importName: { kind: "All", name: null }, isType: false }], false);
  }
  return tree;
}

const nameOf = ({ importName: { kind, name } }: Names): string => (kind === "Default" ? "default" : (name ?? "*"));

/** The package of `@a/b/c` or `a/b`; builtin modules by their kind. */
export function packageOf(spec: string): string {
  if (/^(?:node|bun):/.test(spec)) return spec.startsWith("node:") ? "node:*" : spec;
  return spec
    .split("/")
    .slice(0, spec.startsWith("@") ? 2 : 1)
    .join("/");
}
