/**
 * Room that addresses share, in places or bytes. None of them has more than is left to the others, so that one alone has half of it, and somebody
 * from elsewhere still finds some.
 */
export class Shares {
  #taken = 0;
  /** By address. */
  readonly #parts = new Map<string, number>();

  constructor(private readonly max: number) {}

  /** false = it would have too much: nothing is taken. */
  take(address: string, n: number): boolean {
    const part = (this.#parts.get(address) ?? 0) + n;
    if (part > this.max - this.#taken) return false;
    this.#parts.set(address, part);
    this.#taken += n;
    return true;
  }

  /** As much as was taken before. */
  giveBack(address: string, n: number): void {
    const part = (this.#parts.get(address) ?? 0) - n;
    if (part > 0) this.#parts.set(address, part);
    else this.#parts.delete(address);
    this.#taken -= n;
  }
}
