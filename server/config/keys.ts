/** Finding the row of a key: exact rows first, then rows in which `$name` stands for any part and `$n` for a number. */
import type { ConfigTable, Entry } from "../lib/config_entry.ts";
import { nearest } from "../lib/nearest.ts";

export interface KeyRow {
  /** As in the table, placeholders included. */
  pattern: string;
  entry: Entry<unknown>;
  /** "emqx", or the plugin the row belongs to. */
  app: string;
}

export interface NamedTable {
  app: string;
  table: ConfigTable;
}

export class Keys {
  readonly rows: KeyRow[] = [];
  readonly #exact = new Map<string, KeyRow>();
  readonly #patterns: { row: KeyRow; re: RegExp }[] = [];

  constructor(tables: readonly NamedTable[]) {
    for (const { app, table } of tables) {
      for (const [pattern, entry] of Object.entries(table)) {
        const row = { pattern, entry, app };
        this.rows.push(row);
        if (!pattern.includes("$")) this.#exact.set(pattern, row);
        else this.#patterns.push({ row, re: regexOf(pattern) });
      }
    }
  }

  find(key: string): KeyRow | undefined {
    return this.#exact.get(key) ?? this.#patterns.find((p) => p.re.test(key))?.row;
  }

  /** The known key that is most like an unknown one; placeholders are filled with the unknown key's own parts. */
  nearest(key: string): string | null {
    const parts = key.split(".");
    const candidates = this.rows.map(({ pattern }) =>
      pattern
        .split(".")
        .map((p, i) => (p.startsWith("$") ? (parts[i] ?? p) : p))
        .join("."),
    );
    return nearest(key, candidates);
  }
}

function regexOf(pattern: string): RegExp {
  const parts = pattern.split(".").map((p) => (p === "$n" ? "\\d+" : p.startsWith("$") ? "[^.]+" : p.replace(/[^\w]/g, "\\$&")));
  return new RegExp(`^${parts.join("\\.")}$`);
}
