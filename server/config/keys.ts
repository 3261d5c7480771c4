/** Finding the row of a key: exact rows first, then rows in which `$name` stands for any part and `$n` for a number. */
import type { ConfigTable, Entry } from "../lib/config_entry.ts";
import { nearest } from "../lib/nearest.ts";
import { cutShort } from "./sources.ts";

export interface KeyRow {
  /** As in the table, placeholders included. */
  pattern: string;
  entry: Entry<unknown>;
  /** "emqx", or the plugin the row belongs to. */
  app: string;
}

/** What counts while nobody says anything. */
export const byDefault = ({ optional, default: text }: Entry<unknown>): string => (optional ? "" : text);

export interface NamedTable {
  app: string;
  table: ConfigTable;
  /** The node does not start without this plugin. */
  required?: boolean;
}

/** Comparing takes time with the square of the length, and nobody writes such a key by mistake. */
const LONGEST = 200;

export class Keys {
  #tables: readonly NamedTable[];
  #rows: KeyRow[] = [];
  #exact = new Map<string, KeyRow>();
  /** By their shape: a change may have a thousand keys, and each is looked for several times. */
  #patterns = new Map<string, Pattern[]>();

  constructor(tables: readonly NamedTable[]) {
    this.#tables = tables;
    this.#index();
  }

  #index(): void {
    this.#rows = this.#tables.flatMap(({ app, table }) => Object.entries(table).map(([pattern, entry]) => ({ pattern, entry, app })));
    this.#exact = new Map(this.#rows.filter((r) => !r.pattern.includes("$")).map((r) => [r.pattern, r]));
    const patterns = this.#rows.filter((r) => r.pattern.includes("$"));
    this.#patterns = Map.groupBy(
      patterns.map((row, order): Pattern => ({ row, order, re: regexOf(row.pattern) })),
      ({ row }) => shapeOf(row.pattern.replaceAll(/\$[^.]+/g, "$")),
    );
  }

  /** Put an application's table in place of the one it had; undefined = it has none any more. */
  put(app: string, table: NamedTable | undefined): void {
    this.#tables = [...this.#tables.filter((t) => t.app !== app), ...(table === undefined ? [] : [table])];
    this.#index();
  }

  get rows(): readonly KeyRow[] {
    return this.#rows;
  }

  app(name: string): NamedTable | undefined {
    return this.#tables.find((t) => t.app === name);
  }

  find(key: string): KeyRow | undefined {
    const exact = this.#exact.get(key);
    if (exact !== undefined) return exact;
    let found: Pattern | undefined;
    for (const shape of [shapeOf(key), shapeOf(key, "$")])
      for (const p of this.#patterns.get(shape) ?? []) if ((found === undefined || p.order < found.order) && p.re.test(key)) found = p;
    return found?.row;
  }

  /** Keys without placeholders that begin so. */
  exact(prefix: string): string[] {
    return [...this.#exact.keys()].filter((key) => key.startsWith(prefix));
  }

  /** Does any key begin with this part? */
  knowsFirst(part: string): boolean {
    return this.#rows.some((r) => r.pattern.split(".")[0] === part);
  }

  /** What to say of a key that is none. `quoted`: what may be said of it; "" = nothing. */
  unknown(key: string, quoted: string = key): string {
    // What is like it may have parts of it, but for the first.
    const like = this.nearest(quoted === "" ? (key.split(".")[0] ?? "") : quoted);
    const named = quoted === "" ? "unknown key" : `unknown key ${cutShort(quoted, key)}`;
    return `${named}${like === null ? "; baomq config sample shows all keys" : `; did you mean ${like}?`}`;
  }

  /** The known key that is most like an unknown one; placeholders are filled with the unknown key's own parts. */
  nearest(key: string): string | null {
    if (key.length > LONGEST) return null;
    const parts = key.split(".");
    const candidates = this.#rows.flatMap(({ pattern }) => {
      const own = pattern.split(".");
      // What stands for a placeholder fits in any case: the other parts say whether this is meant.
      const isFar = pattern.includes("$") && own.some((p, i) => !p.startsWith("$") && nearest(parts[i] ?? "", [p]) === null);
      return isFar ? [] : [own.map((p, i) => (p.startsWith("$") ? (parts[i] ?? p) : p)).join(".")];
    });
    return nearest(key, candidates);
  }
}

interface Pattern {
  readonly row: KeyRow;
  /** Its place in the tables: the first that fits counts. */
  readonly order: number;
  readonly re: RegExp;
}

/** "zone.$.max_inflight" and "zone.east.max_inflight" have the same: parts, the first one, the last one. `last`: in its place. */
function shapeOf(key: string, last?: string): string {
  const parts = key.split(".");
  return `${parts.length} ${parts[0]} ${last ?? parts.at(-1)}`;
}

/** "a.$name.b" -> what fits it, the parts in question captured; `$n` is digits only. */
function regexOf(pattern: string): RegExp {
  const parts = pattern.split(".").map((p) => (p === "$n" ? "(\\d+)" : p.startsWith("$") ? "([^.]+)" : p.replace(/[^\w]/g, "\\$&")));
  return new RegExp(`^${parts.join("\\.")}$`);
}

/** The keys a row of the table stands for now, by the names that fill its placeholder. */
export function* concreteKeys(pattern: string, names: ReadonlyMap<string, readonly string[]>): Iterable<string> {
  if (!pattern.includes("$")) {
    yield pattern;
    return;
  }
  const [prefix, rest] = pattern.split(".$name");
  if (rest === undefined || rest.includes("$")) return;
  for (const name of names.get(prefix as string) ?? []) yield `${prefix}.${name}${rest}`;
}
