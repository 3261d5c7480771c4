/**
 * Globals do not survive a call (EMQ X 3.1, where every call began with the state that loading had left). Copying that state for each call would
 * cost more than most calls: instead, what a call writes into a table that was there before is noted, and taken back when it ends. So are the
 * variables of functions. Only what a coroutine has that was made while loading is not looked after.
 */
import { defs, lobject, ltable, type lua_State, type Table, type TValue } from "./fengari.ts";

interface Write {
  table: Table;
  key: TValue;
  type: number;
  value: unknown;
}

/** Bytes of a note, about. */
const NOTE_BYTES = 120;

export class Undo {
  readonly #kept = new Set<Table>();
  readonly #variables: { cell: TValue; type: number; value: unknown }[] = [];
  #writes: Write[] = [];
  #metatables: { table: Table; before: Table | null }[] = [];
  #watching = false;
  readonly #setFrom = ltable.luaH_setfrom;
  readonly #setInt = ltable.luaH_setint;

  /** `take`: counts the bytes of a note. */
  constructor(
    private readonly L: lua_State,
    take: (bytes: number) => void,
  ) {
    const note = (table: Table, key: TValue, { type, value }: TValue, write: () => void): void => {
      take(NOTE_BYTES);
      // A key that is none throws here, and nothing is to be taken back.
      write();
      this.#writes.push({ table, key: new lobject.TValue(key.type, key.value), type, value });
    };
    ltable.luaH_setfrom = (of, table, key, value) => {
      if (!this.#watching || !this.#kept.has(table)) return this.#setFrom(of, table, key, value);
      const old = ltable.luaH_get(of, table, key);
      note(table, key, new lobject.TValue(old.type, old.value), () => this.#setFrom(of, table, key, value));
    };
    ltable.luaH_setint = (table, key, value) => {
      if (!this.#watching || !this.#kept.has(table)) return this.#setInt(table, key, value);
      const old = ltable.luaH_getint(table, key);
      note(table, new lobject.TValue(defs.constant_types.LUA_TNUMINT, key), new lobject.TValue(old.type, old.value), () =>
        this.#setInt(table, key, value),
      );
    };
  }

  /** Everything that can be reached from these is as it is to be. */
  keep(roots: readonly Table[]): void {
    const { Table } = ltable;
    const cells = new Set<TValue>();
    const open: unknown[] = [...roots];
    const seen = new Set<unknown>(open);
    const reach = (what: unknown): void => {
      if (what === null || typeof what !== "object" || seen.has(what)) return;
      seen.add(what);
      open.push(what);
    };
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next instanceof Table) {
        this.#kept.add(next);
        reach(next.metatable);
        for (let e = next.f; e !== undefined; e = e.n) {
          reach(e.key.value);
          reach(e.value.value);
        }
      } else if (next instanceof lobject.LClosure) {
        for (const cell of next.upvals) {
          cells.add(cell);
          reach(cell.value);
        }
      }
    }
    for (const cell of cells) this.#variables.push({ cell, type: cell.type, value: cell.value });
  }

  begin(): void {
    this.#watching = true;
  }

  /** A table is about to get another metatable. */
  metatable(table: unknown): void {
    if (this.#watching && table instanceof ltable.Table && this.#kept.has(table)) this.#metatables.push({ table, before: table.metatable });
  }

  /** As before `begin`. */
  end(): void {
    this.#watching = false;
    for (const { table, before } of this.#metatables.reverse()) table.metatable = before;
    for (const { table, key, type, value } of this.#writes.reverse()) {
      this.#setFrom(this.L, table, key, new lobject.TValue(type, value));
      ltable.invalidateTMcache(table);
    }
    for (const { cell, type, value } of this.#variables) {
      cell.type = type;
      cell.value = value;
    }
    if (this.#writes.length > 0) this.#writes = [];
    if (this.#metatables.length > 0) this.#metatables = [];
  }
}
