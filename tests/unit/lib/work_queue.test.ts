import { expect, test } from "bun:test";
import { QueueFull, WorkQueue } from "../../../server/lib/work_queue.ts";

/** Work that ends when it is told. */
function job() {
  let end: (ok: boolean) => void = () => {};
  const done = new Promise<string>((resolve, reject) => {
    end = (ok) => (ok ? resolve("done") : reject(new Error("broken")));
  });
  const j = {
    begun: false,
    end,
    work: (): Promise<string> => {
      j.begun = true;
      return done;
    },
  };
  return j;
}

test("so much at once, in order of coming; more than may wait is refused before it begins", async () => {
  const queue = new WorkQueue(2, 2);
  const jobs = Array.from({ length: 5 }, job);
  const results = jobs.map((j) => queue.run(j.work));
  await expect(results[4]).rejects.toBeInstanceOf(QueueFull);
  expect(jobs.map((j) => j.begun)).toEqual([true, true, false, false, false]);
  jobs[1]?.end(true);
  expect(await results[1]).toBe("done");
  expect(jobs.map((j) => j.begun)).toEqual([true, true, true, false, false]);
  for (const i of [0, 2]) jobs[i]?.end(true);
  await Promise.all([results[0], results[2]]);
  expect(jobs[3]?.begun).toBe(true);
  jobs[3]?.end(true);
  expect(await results[3]).toBe("done");
});

test("work that fails makes room too", async () => {
  const queue = new WorkQueue(1, 1);
  const [a, b] = [job(), job()];
  const [first, second] = [queue.run(a.work), queue.run(b.work)];
  a.end(false);
  await expect(first).rejects.toThrow("broken");
  b.end(true);
  expect(await second).toBe("done");
  expect(await queue.run(async () => "later")).toBe("later");
});

test("a place that is handed on is not given away twice", async () => {
  const queue = new WorkQueue(1, 5);
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await null;
    running--;
  };
  const first = queue.run(work).then(() => queue.run(work));
  await Promise.all([first, queue.run(work), queue.run(work)]);
  expect(most).toBe(1);
});
