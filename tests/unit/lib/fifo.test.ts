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

test("the last one may leave out of turn, and is the first where there is only one", () => {
  const fifo = new Fifo<number>();
  expect(fifo.pop()).toBeUndefined();
  for (const n of [1, 2, 3]) fifo.push(n);
  expect([fifo.pop(), fifo.shift(), fifo.pop(), fifo.pop(), fifo.size]).toEqual([3, 1, 2, undefined, 0]);
  fifo.push(4);
  expect([fifo.first, fifo.shift(), fifo.size]).toEqual([4, 4, 0]);
});
