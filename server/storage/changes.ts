/** The net changes of a keyed table within one batch: the last value per key, null = deleted. What came and went within it leaves it. */
import type { SQLQueryBindings, Statement } from "bun:sqlite";
import type { Owner, Part } from "./part.ts";

/** Memory of a change, about. */
const CHANGE_BYTES = 150;

export abstract class Changes<Key, Value> implements Part {
  protected readonly changes = new Map<Key, Value | null>();
  #cleared = false;
  #bytes = 0;

  constructor(protected readonly owner: Owner) {}

  get dirty(): boolean {
    return this.#cleared || this.changes.size > 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  write(): void {
    if (this.#cleared) this.deleteAll();
    for (const [key, value] of this.changes) {
      if (value === null) this.deleteRow(key);
      else this.putRow(key, value);
    }
  }

  written(): void {
    this.changes.clear();
    this.#cleared = false;
    this.#bytes = 0;
  }

  protected change(key: Key, value: Value | null): void {
    const before = this.changes.get(key);
    this.owner.pending = true;
    if (before !== undefined) this.#bytes -= this.#bytesOf(before);
    if (value === null && before && (this.#cleared || !this.inFile(key))) {
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
  }

  /** Read from the file, with everything put before in it. */
  protected read<T>(fn: () => T): T {
    this.owner.commit();
    try {
      return fn();
    } catch (err) {
      throw this.owner.readError(err);
    }
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
