/** The net changes of a keyed table within one batch: the last value per key, null = deleted. */
import type { Owner, Part } from "./part.ts";

export abstract class Changes<Key, Value> implements Part {
  protected readonly changes = new Map<Key, Value | null>();
  #cleared = false;

  constructor(protected readonly owner: Owner) {}

  get dirty(): boolean {
    return this.#cleared || this.changes.size > 0;
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
  }

  protected change(key: Key, value: Value | null): void {
    this.changes.set(key, value);
    this.owner.pending = true;
  }

  protected changeAll(): void {
    this.changes.clear();
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

  protected abstract putRow(key: Key, value: Value): void;
  protected abstract deleteRow(key: Key): void;
  protected deleteAll(): void {}
}
