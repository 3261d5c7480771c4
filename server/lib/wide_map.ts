/**
 * Maps of a million strings. A map doubles its table in one go: at 786,432 entries that takes 75 ms, in which nobody is served. So a large
 * one is cut into many that grow one at a time.
 */

/** What is used of a map. */
export interface StringMap<V> extends Iterable<[string, V]> {
  readonly size: number;
  get(key: string): V | undefined;
  set(key: string, value: V): unknown;
  delete(key: string): boolean;
}

/** A map of so many entries is cut: to double it takes 3 ms, and so does the cutting. */
const FROM = 32 * 1024;
/** A power of two. */
const PARTS = 256;
/** Characters that decide where a key goes, from its end: there names that are much alike differ. */
const LOOK = 64;

/** The map to go on with after something was put into `map`. */
export function widened<V>(map: StringMap<V>): StringMap<V> {
  return map.size < FROM || map instanceof WideMap ? map : new WideMap(map);
}

/** In no order. Entries may come and go while it is iterated. */
export class WideMap<V> implements StringMap<V> {
  readonly #parts: Map<string, V>[] = Array.from({ length: PARTS }, () => new Map());
  #size = 0;

  constructor(entries: Iterable<[string, V]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    return this.#partOf(key).get(key);
  }

  set(key: string, value: V): this {
    const part = this.#partOf(key);
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
    return this;
  }

  delete(key: string): boolean {
    if (!this.#partOf(key).delete(key)) return false;
    this.#size--;
    return true;
  }

  *[Symbol.iterator](): Iterator<[string, V]> {
    for (const part of this.#parts) yield* part;
  }

  #partOf(key: string): Map<string, V> {
    let h = key.length;
    for (let i = Math.max(0, key.length - LOOK); i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
    return this.#parts[(h ^ (h >>> 15)) & (PARTS - 1)] as Map<string, V>;
  }
}
