/** So many at a time on one connection, whoever has begun them. */
import { notWanted } from "../_backend/errors.ts";
import { type Missing, NOTHING } from "./connector.ts";

export class Window {
  #under = 0;
  /** In order. */
  readonly #line: (() => void)[] = [];

  /** `most`: ≥ 1; it may change until the first one is begun. */
  constructor(private readonly most: () => number) {}

  get isEmpty(): boolean {
    return this.#under === 0;
  }

  /** Begun in order. What is not wanted any more as its turn comes is not begun. Each item's failure by its position; never rejects. */
  async all<I>(items: readonly I[], send: (item: I) => Promise<void>, wanted: () => boolean): Promise<Missing> {
    const missing = new Map<number, unknown>();
    const one = async (item: I, i: number): Promise<void> => {
      await this.#turn();
      try {
        if (!wanted()) throw notWanted();
        await send(item);
      } catch (err) {
        missing.set(i, err);
      } finally {
        this.#free();
      }
    };
    await Promise.all(items.map(one));
    return missing.size === 0 ? NOTHING : missing;
  }

  async #turn(): Promise<void> {
    if (this.#under < this.most()) this.#under++;
    else await new Promise<void>((resolve) => this.#line.push(resolve));
  }

  /** Whoever is next has the place, so that nobody who comes now is before him. */
  #free(): void {
    const next = this.#line.shift();
    if (next === undefined) this.#under--;
    else next();
  }
}
