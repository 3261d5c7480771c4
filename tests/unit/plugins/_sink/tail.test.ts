/** What the disk had no room for when it came, and memory had. */
import { describe, expect, test } from "bun:test";
import { Tail } from "../../../../server/plugins/_sink/tail.ts";
import type { Entry } from "../../../../server/plugins/_sink/types.ts";
import { SendError } from "../../../../server/plugins/_sink/types.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";
import { away, numbers, ROOMY, sendAll, World } from "./world.ts";

test("entries leave it in any order, and all at once in the order of their coming", () => {
  const [a, b, c] = ["a", "b", "c"].map((key) => ({ key }) as Entry<string>) as [Entry<string>, Entry<string>, Entry<string>];
  const tail = new Tail<string>();
  for (const entry of [a, b, c]) tail.add(entry);
  tail.left(b);
  expect([tail.any, tail.takeAll(), tail.any]).toEqual([true, [a, c], false]);
});

describe("more than may wait to be written comes at once, of one key", () => {
  const over = async (disk: MemoryDisk): Promise<World> => {
    const w = new World(ROOMY, disk, undefined, 1_000_000);
    await w.turn();
    const { failing } = disk;
    disk.failing = "ENOSPC";
    for (const n of numbers(1, 8)) w.push("a", n, 100, 300_000);
    await w.turn();
    await w.answer(away());
    disk.failing = failing;
    return w;
  };

  test("all of it is on the disk when that takes it, before what comes later", async () => {
    const w = await over(new MemoryDisk());
    w.push("a", 9);
    await w.pass(2500);
    w.push("a", 10);
    await w.turn();
    expect(w.report.queue).toMatchObject({ rows: 10, dropped: 0, diskError: null });
    const next = new World(ROOMY, w.disk.crash());
    expect(await sendAll(next)).toEqual(numbers(1, 10));
  });

  for (const end of ["a stop", "a hand-over"])
    test(`nothing of it is lost by ${end} at once`, async () => {
      const w = await over(new MemoryDisk());
      w.push("a", 9);
      const closing = end === "a stop" ? w.sink.close() : w.sink.handOver();
      await w.passWithoutTicks(3000);
      const left = await closing;
      const next = new World(ROOMY, w.disk.crash());
      if (left !== undefined) next.sink.inherit(left);
      expect([...w.taken.map(({ n }) => n), ...(await sendAll(next))]).toEqual(numbers(1, 9));
      expect(w.counts.dropped + next.counts.dropped).toBe(0);
    });

  test("what finds no room in memory either is dropped, since it cannot come before; a letter is not sent again into it", async () => {
    const w = new World({ ...ROOMY, rowsMax: 8 }, new MemoryDisk(), undefined, 1_000_000);
    await w.turn();
    w.push("b", 0);
    await w.turn();
    await w.answer(new SendError("give up", "never"));
    w.disk.failing = "ENOSPC";
    for (const n of numbers(1, 12)) w.push("a", n, 100, 300_000);
    await w.turn();
    expect(w.counts.dropped).toBe(4);
    expect(w.sink.deadLetters.resend()).toBe(0);
    w.disk.failing = null;
    await w.pass(2500);
    w.push("a", 13);
    expect(await sendAll(w)).toEqual([...numbers(1, 8), 13]);
  });
});
