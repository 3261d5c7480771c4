/** Numbers that look random and are the same for the same seed: sfc32. */
export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.imul(seed, 0x9e3779b1) | 0;
    this.#c = 0x5eed;
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t >>> 0;
  }

  /** [0, 1). */
  next(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** 0 .. n-1. */
  int(n: number): number {
    return Math.floor(this.next() * n);
  }

  between(from: number, to: number): number {
    return from + this.int(to - from + 1);
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)] as T;
  }

  /** One of the values, by the weight before it. */
  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T {
    let sum = 0;
    for (const [w] of list) sum += w;
    let at = this.next() * sum;
    for (const [w, v] of list) {
      at -= w;
      if (at < 0) return v;
    }
    return (list[list.length - 1] as readonly [number, T])[1];
  }
}
