/** What one sink leaves to the next. */
import { describe, expect, test } from "bun:test";
import { Left, onlyHere } from "../../../../server/plugins/_sink/left.ts";
import type { Codec, Entry } from "../../../../server/plugins/_sink/types.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";
import { away, numbers, ROOMY, sendAll, World } from "./world.ts";

async function handedOver(w: World) {
  const left = w.sink.handOver();
  await w.pass(3000);
  return left;
}

test("what is older than the disk's is what comes before the first of it; where nothing of memory is there all is, if something was not read", () => {
  const entries = numbers(0, 4).map((seq) => ({ seq }) as Entry<string>);
  const on = (seqs: number[], hasUnread: boolean) => onlyHere(entries, { has: (seq) => seqs.includes(seq), hasUnread });
  const seqs = (w: { entries: readonly Entry<string>[]; older: number }) => [w.entries.map(({ seq }) => seq), w.older];
  expect(seqs(on([2, 3], false))).toEqual([[0, 1, 4], 2]);
  expect(seqs(on([], true))).toEqual([[0, 1, 2, 3, 4], 5]);
  expect(seqs(on([], false))).toEqual([[0, 1, 2, 3, 4], 0]);
  expect(seqs(onlyHere(entries, null))).toEqual([[0, 1, 2, 3, 4], 0]);
});

test("items are the next one's as by way of the disk, if it says what it makes of them", () => {
  const codec = (name: string, adopt?: Codec<string>["adopt"]): Codec<string> => ({
    encode: (item) => Buffer.from(name + item),
    decode: (bytes) => Buffer.from(bytes).toString(),
    ...(adopt !== undefined && { adopt }),
  });
  const entry = { item: "x", key: "k", bytes: 5, since: 7 } as Entry<string>;
  const letter = { id: 3, item: "y", at: 0, why: "", tries: 1, key: "k", bytes: 1 };
  const left = new Left<string>({ entries: [entry], older: 1 }, [letter], 1, codec("old "));
  expect([left.rows, left.bytes]).toEqual([1, 5]);
  expect(left.under(codec("new "))).toBe(left);
  const other = left.under(codec("new ", (item, from) => Buffer.from(from.encode(item)).toString()));
  expect(other.waiting).toMatchObject({ entries: [{ item: "old x", key: "k", since: 7 }], older: 1 });
  expect(other.deadLetters).toMatchObject([{ id: 3, item: "old y" }]);
});

describe("handed over", () => {
  test("what waits only to be written to a disk that fails", async () => {
    const w = new World({ ...ROOMY, rowsMax: 10 }, new MemoryDisk());
    await w.turn();
    for (const n of numbers(1, 10)) w.push("a", n);
    await w.turn();
    await w.answer(away());
    w.disk.failing = "ENOSPC";
    for (const n of numbers(11, 300)) w.push("a", n);
    await w.turn();
    const left = await handedOver(w);
    expect([left.rows, w.counts.dropped]).toEqual([290, 0]);
    w.disk.failing = null;
    const heir = new World(ROOMY, w.disk);
    heir.sink.inherit(left);
    expect(await sendAll(heir)).toEqual(numbers(1, 300));
  });

  test("to one with a smaller memory and a disk: that memory's bound holds", async () => {
    const w = new World({ ...ROOMY, diskMax: 0 });
    for (const n of numbers(1, 300)) w.push("a", n, 10_000);
    await w.turn();
    await w.answer(away());
    const heir = new World({ ...ROOMY, rowsMax: 50, bytesMax: 100_000 }, new MemoryDisk());
    heir.sink.inherit(await handedOver(w));
    for (let i = 0; i < 10; i++) {
      await heir.pass(1000);
      for (const r of [...heir.requests]) r.answer(away());
    }
    expect(heir.report.queue).toMatchObject({ rows: 300, dropped: 0 });
    expect(heir.report.queue.bytes).toBeLessThan(100_000);
    expect(await sendAll(heir)).toEqual(numbers(1, 300));
  });

  test("to one that is stopped before its disk is open: it is on the disk", async () => {
    const w = new World({ ...ROOMY, diskMax: 0 });
    for (const n of numbers(1, 20)) w.push("a", n);
    await w.turn();
    await w.answer(away());
    const heir = new World(ROOMY, new MemoryDisk(true));
    heir.sink.inherit(await handedOver(w));
    let isClosed = false;
    const closing = heir.sink.close().then(() => {
      isClosed = true;
    });
    for (let i = 0; !isClosed && i < 3000; i++) {
      for (const r of [...heir.requests]) r.answer(away());
      heir.disk.step();
      await heir.passWithoutTicks(1);
    }
    await closing;
    expect(heir.counts.dropped).toBe(0);
    const disk = new MemoryDisk();
    for (const [name, bytes] of heir.disk.files) disk.files.set(name, bytes);
    expect(await sendAll(new World(ROOMY, disk))).toEqual(numbers(1, 20));
  });

  test("too long for the disk: it alone is lost, whenever it comes, and nobody is said to be full", async () => {
    for (const isOpen of [false, true]) {
      const w = new World({ ...ROOMY, diskMax: isOpen ? 1e9 : 0 }, new MemoryDisk());
      if (isOpen) await w.turn();
      for (const n of [1, 2, 3]) {
        w.push("a", n, 100, n === 2 ? 65 * 1024 * 1024 : 0);
        await w.turn();
      }
      if (isOpen) {
        expect([isOpen, w.counts.dropped, [...w.alarms.keys()], await sendAll(w)]).toEqual([isOpen, 1, [], [1, 3]]);
        continue;
      }
      await w.answer(away());
      const heir = new World(ROOMY, new MemoryDisk());
      heir.sink.inherit(await handedOver(w));
      expect([isOpen, await sendAll(heir), heir.counts.dropped, [...heir.alarms.keys()]]).toEqual([isOpen, [1, 3], 1, []]);
      expect(heir.lines("error")).toEqual(["an item cannot be queued"]);
    }
  });

  test("what is older than the disk's comes first, however late it is given", async () => {
    const settings = { ...ROOMY, diskMax: 512_000, rowsMax: 10, bytesMax: 1e9 };
    const w = new World(settings, new MemoryDisk());
    await w.turn();
    for (const n of numbers(1, 40)) {
      w.push("a", n, 100, 30_000);
      await w.turn();
      if (n === 1) await w.answer(away());
    }
    const left = await handedOver(w);
    expect(left.waiting.older).toBe(10);
    const heir = new World(settings, w.disk);
    heir.sink.reading.hold();
    await heir.pass(2000);
    expect(heir.requests).toEqual([]);
    heir.sink.inherit(left);
    heir.sink.reading.begin();
    const taken = await sendAll(heir);
    expect(taken.slice(0, 10)).toEqual(numbers(1, 10));
    expect(taken).toEqual([...taken].sort((a, b) => a - b));
    expect(taken.at(-1)).toBe(40);
  });
});
