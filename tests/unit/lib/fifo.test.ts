/** First in, first out. */
import { expect, test } from "bun:test";
import { Fifo } from "../../../server/lib/fifo.ts";
import { seededRandom } from "../../support/random.ts";

test("what is put in comes out in order, as of an array", () => {
  const { next: rng } = seededRandom(7);
  const fifo = new Fifo<number>();
  let model: number[] = [];
  let n = 0;
  for (let step = 0; step < 20_000; step++) {
    const kind = rng();
    if (kind < 0.5) {
      fifo.push(++n);
      model.push(n);
    } else if (kind < 0.97) expect(fifo.shift()).toBe(model.shift());
    else if (kind < 0.98) {
      const back = [++n, ++n];
      fifo.putBack(back);
      model = [...back, ...model];
    } else if (kind < 0.99)
      for (let i = 0; i < 2000; i++) {
        fifo.push(++n);
        model.push(n);
      }
    else if (rng() < 0.05) {
      expect(fifo.drain()).toEqual(model);
      model = [];
    }
    expect(fifo.size).toBe(model.length);
    expect(fifo.first).toBe(model[0]);
  }
});
