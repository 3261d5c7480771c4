/**
 * Counts what a Lua script allocates, before it is allocated. fengari keeps strings in `Uint8Array`s and the entries of tables in `Map`s, and takes
 * both from the global object when it makes one: in a worker of its own, others stand there, which count. To be installed before fengari is loaded.
 */

/** Of an entry of a table, a value and its key around it: measured, 150 to 220 bytes. */
const ENTRY_BYTES = 200;
/** Of the object around the bytes. */
const STRING_BYTES = 64;

class OutOfMemory extends Error {}

export class Meter {
  #left = Number.POSITIVE_INFINITY;
  #given = 0;
  /** Bytes that calls have taken; whoever reads it sets it back. */
  taken = 0;
  /** Told once, when more was wanted than there is. */
  #spent: () => void = () => {};

  /** From now on so much may be taken; once more was wanted, nothing is given any more until `end`. */
  begin(bytes: number, spent: () => void): void {
    this.#left = bytes;
    this.#given = bytes;
    this.#spent = spent;
  }

  end(): void {
    if (this.#left !== Number.POSITIVE_INFINITY) this.taken += this.#given - this.#left;
    this.#left = Number.POSITIVE_INFINITY;
  }

  /** What is done meanwhile takes nothing. */
  freely(fn: () => void): void {
    const left = this.#left;
    this.#left = Number.POSITIVE_INFINITY;
    fn();
    this.#left = left;
  }

  /** @throws OutOfMemory */
  take(bytes: number): void {
    const before = this.#left;
    if (before < 0) throw new OutOfMemory();
    this.#left -= bytes;
    if (this.#left >= 0) return;
    this.freely(this.#spent);
    throw new OutOfMemory();
  }

  install(): void {
    const meter = this;
    const Plain = Uint8Array;
    function Counted(this: unknown, from: unknown, ...more: []): Uint8Array {
      if (typeof from === "number") meter.take(STRING_BYTES + from);
      return new Plain(from as ArrayBuffer, ...more);
    }
    // `instanceof` and what stands on the constructor go on as they were.
    Counted.prototype = Plain.prototype;
    Object.setPrototypeOf(Counted, Plain);
    // By which fengari copies strings: the plain one goes byte by byte when it is called on another constructor.
    Counted.from = (source: Iterable<number> | ArrayLike<number>): Uint8Array => {
      if (!(source instanceof Plain)) return Plain.from(source as ArrayLike<number>);
      meter.take(STRING_BYTES + source.length);
      return new Plain(source);
    };
    globalThis.Uint8Array = Counted as unknown as typeof Uint8Array;
    globalThis.Map = class<K, V> extends Map<K, V> {
      override set(key: K, value: V): this {
        meter.take(ENTRY_BYTES);
        return super.set(key, value);
      }
    } as unknown as MapConstructor;
  }
}
