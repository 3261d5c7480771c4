/** The net changes of a keyed table within one batch: the last value per key, null = deleted. What came and went within it leaves it. */
import type { SQLQueryBindings, Statement } from "bun:sqlite";
import { type Owner, type Part, PIECE, type Share } from "./part.ts";

/** Memory of a change, about. */
const CHANGE_BYTES = 150;

export abstract class Changes<Key, Value> implements Part {
  protected changes = new Map<Key, Value | null>();
  /** On their way to the file. */
  #taken: ReadonlyMap<Key, Value | null> | null = null;
  #cleared = false;
  #bytes = 0;

  constructor(protected readonly owner: Owner) {}

  get dirty(): boolean {
    return this.#cleared || this.changes.size > 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(): Share {
    const share = { bytes: this.#bytes, ...this.#shareOf(this.changes, this.#cleared) };
    this.#taken = this.changes;
    this.changes = new Map();
    this.#cleared = false;
    this.#bytes = 0;
    return share;
  }

  #shareOf(changes: ReadonlyMap<Key, Value | null>, cleared: boolean): Pick<Share, "write" | "written"> {
    const rows = (): Generator<void> => this.writeRows(changes, cleared);
    return {
      write: rows,
      written: () => {
        if (this.#taken === changes) this.#taken = null;
      },
    };
  }

  protected *writeRows(changes: ReadonlyMap<Key, Value | null>, cleared: boolean): Generator<void> {
    if (cleared) this.deleteAll();
    let n = 0;
    for (const [key, value] of changes) {
      if (value === null) this.deleteRow(key);
      else this.putRow(key, value);
      if (++n % PIECE === 0) yield;
    }
  }

  protected change(key: Key, value: Value | null): void {
    const before = this.changes.get(key);
    this.owner.pending = true;
    this.log(key, value);
    if (before !== undefined) this.#bytes -= this.#bytesOf(before);
    if (value === null && before && (this.#cleared || !(this.#taken?.has(key) || this.inFile(key)))) {
      this.changes.delete(key);
      return;
    }
    this.changes.set(key, value);
    this.#bytes += this.#bytesOf(value);
  }

  /** A value that waits to be written is not written at all. */
  protected withdraw(key: Key): void {
    const value = this.changes.get(key);
    if (value === undefined) return;
    this.changes.delete(key);
    this.#bytes -= this.#bytesOf(value);
  }

  #bytesOf(value: Value | null): number {
    return value === null ? CHANGE_BYTES : CHANGE_BYTES + this.sizeOf(value);
  }

  protected changeAll(): void {
    this.changes.clear();
    this.#bytes = 0;
    this.#cleared = true;
    this.owner.pending = true;
    this.logAll();
  }

  /** Read from the file, with everything put before in it. */
  protected read<T>(fn: () => T): T {
    this.owner.settle();
    try {
      return fn();
    } catch (err) {
      throw this.owner.readError(err);
    }
  }

  /** Say it in the redo log, or have it brought to the database at once. */
  protected log(_key: Key, _value: Value | null): void {
    this.owner.direct = true;
  }
  protected logAll(): void {
    this.owner.direct = true;
  }

  /** May the file have a row of that key? Asked when a value that waits to be written is deleted again. */
  protected inFile(_key: Key): boolean {
    return true;
  }
  /** Memory of a value, about. */
  protected sizeOf(_value: Value): number {
    return 100;
  }

  protected abstract putRow(key: Key, value: Value): void;
  protected abstract deleteRow(key: Key): void;
  protected deleteAll(): void {}
}

/** Does a statement that looks for one row find it? A file that cannot be read may have it. */
export function mayBeThere<Args extends SQLQueryBindings[]>(find: Statement<unknown, Args>, ...args: Args): boolean {
  try {
    return find.get(...args) !== null;
  } catch {
    return true;
  }
}
