/** Watches the pool of staging buffers: nobody may give back what is in it already, and no buffer may have two owners. */
import type { OutPool } from "../../server/core/out_pool.ts";
import { violate } from "./violation.ts";

export class PoolWatch {
  readonly #free = new Set<Uint8Array>();
  readonly #out = new Set<Uint8Array>();

  constructor(pool: OutPool) {
    const take = pool.take.bind(pool);
    const give = pool.give.bind(pool);
    pool.take = (size) => {
      const buf = take(size);
      if (this.#out.has(buf)) violate("buffer_shared", `a staging buffer of ${buf.length} bytes has two owners`);
      this.#free.delete(buf);
      this.#out.add(buf);
      return buf;
    };
    pool.give = (buf) => {
      if (this.#free.has(buf)) violate("buffer_given_twice", `a staging buffer of ${buf.length} bytes was given back twice`);
      this.#free.add(buf);
      this.#out.delete(buf);
      give(buf);
    };
  }

  /** Buffers that somebody holds. */
  get held(): number {
    return this.#out.size;
  }
}
