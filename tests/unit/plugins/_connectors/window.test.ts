import { expect, test } from "bun:test";
import { Window } from "../../../../server/plugins/_connectors/window.ts";

const always = (): boolean => true;

/** Things under way, ended by hand. */
class Work {
  readonly begun: number[] = [];
  most = 0;
  #under = 0;
  readonly #ends = new Map<number, (err?: Error) => void>();

  send = (n: number): Promise<void> => {
    this.begun.push(n);
    this.most = Math.max(this.most, ++this.#under);
    return new Promise((resolve, reject) => {
      this.#ends.set(n, (err) => {
        this.#under--;
        if (err === undefined) resolve();
        else reject(err);
      });
    });
  };

  async end(n: number, err?: Error): Promise<void> {
    this.#ends.get(n)?.(err);
    await Bun.sleep(0);
  }
}

test("the window is one for all who use it, in order", async () => {
  const [window, work] = [new Window(() => 2), new Work()];
  const first = window.all([1, 2, 3], work.send, always);
  const second = window.all([4, 5], work.send, always);
  await Bun.sleep(0);
  expect([work.begun, window.isEmpty]).toEqual([[1, 2], false]);
  await work.end(2);
  await work.end(1, new Error("no"));
  expect(work.begun).toEqual([1, 2, 3, 4]);
  for (const n of [3, 4, 5]) await work.end(n);
  expect([...(await first)].map(([i, err]) => [i, (err as Error).message])).toEqual([[0, "no"]]);
  expect((await second).size).toBe(0);
  expect([work.begun, work.most, window.isEmpty]).toEqual([[1, 2, 3, 4, 5], 2, true]);
});

test("what is not wanted any more is not begun", async () => {
  const [window, work] = [new Window(() => 1), new Work()];
  let isWanted = true;
  const all = window.all([1, 2, 3], work.send, () => isWanted);
  await Bun.sleep(0);
  isWanted = false;
  await work.end(1);
  expect([[...(await all).keys()], work.begun, window.isEmpty]).toEqual([[1, 2], [1], true]);
});
