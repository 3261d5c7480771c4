/** The queue on the disk where files cannot be opened, written or read in time: nothing is taken for what it is not, no file stays open, the order stays. */
import { describe, expect, test } from "bun:test";
import type { DiskFile } from "../../../../server/plugins/_sink/disk.ts";
import { SendError } from "../../../../server/plugins/_sink/types.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";
import { away, numbers, sendAll, World } from "./world.ts";

/** A sink that keeps all on the disk, and little in memory. */
async function keeping(disk: MemoryDisk, settings: object = {}): Promise<World> {
  const w = new World({ lanes: 1, diskMax: 1_000_000, rowsMax: 10, timeoutMs: 1e9, ...settings }, disk);
  await w.turn();
  return w;
}
describe("a start that cannot read all there is", () => {
  const cases: readonly [name: string, refuse: (disk: MemoryDisk, segments: string[]) => void][] = [
    ["the first file", (disk, [first]) => (disk.refuses = (name) => (name === first ? "EMFILE" : null))],
    ["one in the middle", (disk, [, second]) => (disk.refuses = (name) => (name === second ? "EACCES" : null))],
    ["the last one", (disk, segments) => (disk.refuses = (name) => (name === segments.at(-1) ? "EMFILE" : null))],
    ["any", (disk) => (disk.refuses = () => "EMFILE")],
    ["the directory", (disk) => (disk.refusesList = "EMFILE")],
  ];
  for (const [name, refuse] of cases)
    test(`${name}: what comes is not taken for it, and all is there when it can be read`, async () => {
      const first = await keeping(new MemoryDisk());
      for (const n of numbers(1, 20)) {
        first.push("a", n, 100, 30_000);
        await first.turn();
      }
      const disk = first.disk.crash();
      const segments = [...disk.files.keys()].sort();
      expect(segments.length).toBeGreaterThan(3);
      refuse(disk, segments);
      const second = await keeping(disk);
      for (const n of numbers(101, 110)) second.push("a", n, 100, 30_000);
      await second.turn();
      const letters = name === "the directory" ? ["a file of dead letters cannot be read"] : [];
      expect([second.lines("error"), second.alarms.has("unreadable")]).toEqual([[...letters, "a file of the queue cannot be read"], true]);
      const third = await keeping(second.disk.crash());
      expect(await sendAll(third)).toEqual([...numbers(1, 20), ...numbers(101, 110)]);
      expect(third.report.queue).toMatchObject({ dropped: 0, diskError: null });
    });
});

describe("open files", () => {
  for (const createFails of [false, true])
    test(`a disk that is full for a minute leaves none open, and no empty ones behind${createFails ? "; nor where not even a name can be written" : ""}`, async () => {
      const w = await keeping(new MemoryDisk(), { maxAgeMs: 1e9 });
      w.disk.part = () => 0;
      w.push("a", 1);
      await w.turn();
      await w.answer(away());
      w.disk.failing = "ENOSPC: no space left on device";
      w.disk.createFails = createFails;
      w.push("a", 2);
      for (let i = 0; i < 600; i++) {
        for (const r of [...w.requests]) r.answer(away());
        await w.pass(100);
      }
      expect(w.report.queue.diskError).toContain("ENOSPC");
      expect(w.disk.handles).toBeLessThan(3);
      expect(w.disk.files.size).toBeLessThan(3);
    });

  test("many files are not open at a time, neither while they wait nor while they are read", async () => {
    const w = await keeping(new MemoryDisk(), { diskMax: 200_000_000, rowsMax: 4 });
    for (const n of numbers(1, 100)) {
      w.push("a", n, 100, 1_000_000);
      await w.turn();
      if (n % 10 === 0) await w.pass(1100);
    }
    expect(w.disk.files.size).toBeGreaterThan(6);
    let most = w.disk.handles;
    while (w.report.waiting > 0) {
      for (const r of [...w.requests]) r.answer();
      await w.pass(100);
      most = Math.max(most, w.disk.handles);
    }
    expect(w.taken.map((i) => i.n)).toEqual(numbers(1, 100));
    expect(most).toBeLessThan(5);
    const again = await keeping(w.disk.crash());
    expect(again.disk.handles).toBeLessThan(2);
  });

  test("one that cannot be opened for a moment is read later", async () => {
    const first = await keeping(new MemoryDisk());
    for (const n of numbers(1, 10)) {
      first.push("a", n, 100, 30_000);
      await first.turn();
    }
    const second = await keeping(first.disk.crash(), { rowsMax: 2 });
    second.disk.refuses = () => "EMFILE";
    const taken = await sendAll(second);
    expect(taken.length).toBeLessThan(10);
    expect(second.report.queue.diskError).toContain("EMFILE");
    second.disk.refuses = () => null;
    expect(await sendAll(second)).toEqual(numbers(1, 10));
    expect(second.report.queue).toMatchObject({ dropped: 0, diskError: null });
  });
});

test("switched off while nobody is there: what comes waits behind what is there, within the bound that was", async () => {
  const w = await keeping(new MemoryDisk());
  for (const n of numbers(1, 30)) w.push("a", n);
  await w.turn();
  await w.answer(away());
  w.change({ diskMax: 0 });
  await w.turn();
  for (const n of numbers(31, 5000)) {
    w.push("a", n, 100, 1000);
    if (n % 20 === 0) await w.turn();
  }
  const { queue } = w.report;
  expect(queue.diskBytes).toBeLessThan(1_200_000);
  expect(queue.dropped).toBeGreaterThan(3000);
  expect(queue.rows + queue.dropped).toBe(5000);
  const taken = await sendAll(w);
  expect(taken).toEqual([...taken].sort((a, b) => a - b));
  expect(taken.at(-1)).toBe(5000);
});

test("full: what memory has is sent all the same, whatever became of its file; a burst larger than the disk's share loses nothing that fits in memory", async () => {
  const w = await keeping(new MemoryDisk(), { lanes: 3, rowsMax: 1000, bytesMax: 1e9 });
  for (const n of numbers(1, 100)) w.push("abc"[n % 3] as string, n, 100, 30_000);
  await w.turn();
  expect(w.report.queue).toMatchObject({ rows: 100, dropped: 0 });
  expect(w.report.queue.diskBytes).toBeGreaterThan(700_000);
  expect((await sendAll(w)).sort((a, b) => a - b)).toEqual(numbers(1, 100));
});

test("full: what is nowhere but in memory comes first where another one takes its place, and is sent at a stop", async () => {
  const full = async (rowsMax: number): Promise<World> => {
    const w = await keeping(new MemoryDisk(), { rowsMax, bytesMax: 1e9, maxAgeMs: 1e9 });
    for (const n of numbers(1, 100)) {
      w.push("a", n, 100, 30_000);
      await w.turn();
    }
    return w;
  };
  const w = await full(10);
  await w.answer(away());
  const handed = w.sink.handOver();
  await w.passWithoutTicks(3000);
  const left = await handed;
  expect(left.waiting).toMatchObject({ older: 10, entries: { length: 10 } });
  const heir = new World({ lanes: 1, diskMax: 1_000_000, rowsMax: 5, maxAgeMs: 1e9, timeoutMs: 1e9 }, w.disk);
  heir.sink.inherit(left);
  heir.push("a", 101);
  const taken = await sendAll(heir);
  expect(taken).toEqual([...numbers(1, 10), ...numbers(112 - taken.length, 101)]);
  expect(taken.length + w.counts.dropped + heir.counts.dropped).toBe(101);

  const stopped = await full(1000);
  const closing = stopped.sink.close();
  for (let ms = 0; ms < 1000; ms++) {
    for (const r of [...stopped.requests]) r.answer();
    await stopped.passWithoutTicks(1);
  }
  await closing;
  const rest = await sendAll(await keeping(stopped.disk.crash()));
  expect([...stopped.taken.map(({ n }) => n), ...rest]).toEqual(numbers(1, 100));
  expect(rest.length).toBeGreaterThan(10);
});

test("pushed out of memory while nothing new is written: a later start does not send it", async () => {
  const w = await keeping(new MemoryDisk(), { rowsMax: 10 });
  for (const n of numbers(1, 8)) w.push("a", n);
  await w.turn();
  await w.answer(away());
  w.change({ diskMax: 0 });
  for (const n of numbers(9, 30)) w.push("a", n);
  await w.turn();
  expect(w.counts.dropped).toBe(20);
  const next = new World({ lanes: 1, timeoutMs: 1e9 }, w.disk.crash(), () => true);
  // The one that was under way.
  expect(await sendAll(next)).toEqual([1]);
});

test("full: of what memory has no room for only one file at a time goes", async () => {
  const w = await keeping(new MemoryDisk(), { rowsMax: 4 });
  for (const n of numbers(1, 40)) w.push("a", n, 100, 30_000);
  await w.turn();
  const { dropped, diskBytes } = w.report.queue;
  expect(dropped).toBeLessThan(15);
  expect(diskBytes).toBeGreaterThan(700_000);
  const taken = await sendAll(w);
  expect(taken).toHaveLength(40 - dropped);
  expect(taken.at(-1)).toBe(40);
});

test("a number that its file has lost stands for nobody else's row on another disk", async () => {
  const w = await keeping(new MemoryDisk(), { rowsMax: 1000, bytesMax: 1e9 });
  w.push("a", 1, 100, 30_000);
  await w.turn();
  for (const n of numbers(2, 60)) w.push("a", n, 100, 30_000);
  await w.turn();
  // The first one is under way, and its file is gone; the rest is taken, the disk switched off and on again.
  w.change({ lanes: 1, diskMax: 0 });
  expect(await sendAll(w)).toEqual(numbers(1, 60));
  await w.pass(500);
  w.change({ diskMax: 1_000_000 });
  await w.turn();
  for (const n of numbers(61, 65)) w.push("a", n);
  await w.turn();
  expect(await sendAll(await keeping(w.disk.crash()))).toEqual(numbers(61, 65));
});

describe("switched on while something waits in memory", () => {
  for (const [name, bytes] of [
    ["a little", 1000],
    ["more than may wait to be written otherwise", 4_000_000],
  ] as const)
    for (const end of ["stop", "kill"])
      test(`${name}: it is there after a ${end}, before what came later`, async () => {
        const w = await keeping(new MemoryDisk(), { diskMax: 0, lanes: 2, bytesMax: 1e9 });
        for (const n of numbers(1, 8)) w.push("ab"[n % 2] as string, n, 100, bytes);
        await w.turn();
        while (w.requests.length > 0) await w.answer(away());
        w.change({ diskMax: 1e9 });
        await w.turn();
        for (const n of numbers(9, 12)) w.push("ab"[n % 2] as string, n, 100, 100);
        await w.turn();
        if (end === "stop") {
          const closed = w.sink.close();
          await w.pass(3000);
          await closed;
        }
        expect(w.counts.dropped).toBe(0);
        const next = await keeping(w.disk.crash(), { diskMax: 1e9 });
        const taken = await sendAll(next);
        for (const odd of [0, 1]) expect(taken.filter((n) => n % 2 === odd)).toEqual(numbers(1, 12).filter((n) => n % 2 === odd));
      });

  test("a disk that takes nothing: memory goes on, and so does what comes", async () => {
    const w = await keeping(new MemoryDisk(), { diskMax: 0, rowsMax: 1000 });
    for (const n of numbers(1, 20)) w.push("a", n);
    await w.turn();
    await w.answer(away());
    w.disk.failing = "ENOSPC: no space left on device";
    w.change({ diskMax: 10_000_000 });
    await w.turn();
    for (const n of numbers(21, 40)) w.push("a", n);
    expect(await sendAll(w)).toEqual(numbers(1, 40));
    expect(w.counts).toMatchObject({ done: 40, dropped: 0 });
  });

  test("more than may wait to be written otherwise: what comes behind it is taken", async () => {
    const w = await keeping(new MemoryDisk(), { diskMax: 0, rowsMax: 1000, bytesMax: 1e9 });
    for (const n of numbers(1, 10)) w.push("a", n, 100, 4_000_000);
    await w.turn();
    await w.answer(away());
    w.change({ diskMax: 1e9 });
    for (const n of numbers(11, 20)) w.push("a", n);
    expect(w.report.waiting).toBe(20);
    expect(await sendAll(w)).toEqual(numbers(1, 20));
    expect(w.counts.dropped).toBe(0);
  });

  for (const end of ["", ", and killed"])
    test(`off, on, off, on${end}: the order stays`, async () => {
      const w = await keeping(new MemoryDisk(), { diskMax: 0 });
      for (const n of numbers(1, 6)) {
        w.push("a", n);
        w.change({ diskMax: n % 2 === 0 ? 0 : 1_000_000 });
        await w.turn();
      }
      w.change({ diskMax: 1_000_000 });
      await w.turn();
      const left = end === "" ? w : await keeping(w.disk.crash());
      expect(await sendAll(left)).toEqual(numbers(1, 6));
    });

  test("the service wants a pause: that stays", async () => {
    const w = await keeping(new MemoryDisk(), { diskMax: 0 });
    for (const n of numbers(1, 3)) w.push("a", n);
    await w.turn();
    await w.answer(new SendError("away", "not before a minute", 60_000));
    w.change({ diskMax: 1_000_000 });
    await w.pass(50_000);
    expect(w.requests).toEqual([]);
    await w.pass(15_000);
    expect(w.requests).toHaveLength(1);
  });

  test("another one with a disk takes over what waits in memory, however much it is", async () => {
    const w = await keeping(new MemoryDisk(), { diskMax: 0, rowsMax: 1000, bytesMax: 1e9 });
    for (const n of numbers(1, 10)) w.push("a", n, 100, 4_000_000);
    await w.turn();
    await w.answer(away());
    const left = w.sink.handOver();
    await w.pass(3000);
    const heir = new World({ lanes: 1, diskMax: 1e9, rowsMax: 1000, bytesMax: 1e9, timeoutMs: 1e9 }, new MemoryDisk());
    heir.sink.inherit(await left);
    expect(await sendAll(heir)).toEqual(numbers(1, 10));
    expect([w.counts.dropped, heir.counts.dropped]).toEqual([0, 0]);
  });

  test("what is under way is not sent twice", async () => {
    const w = await keeping(new MemoryDisk(), { diskMax: 0 });
    for (const n of numbers(1, 5)) w.push("a", n);
    await w.turn();
    w.change({ diskMax: 1_000_000 });
    await w.turn();
    expect(await sendAll(w)).toEqual(numbers(1, 5));
    expect(w.counts).toEqual({ done: 5, failed: 0, dropped: 0 });
  });
});

test("what is in memory when it closes, and whose file has to make room for what comes then, is counted", async () => {
  const w = await keeping(new MemoryDisk(), { rowsMax: 20 });
  for (const n of numbers(1, 10)) w.push("a", n, 100, 30_000);
  await w.turn();
  await w.answer(away());
  let isClosed = false;
  void w.sink.close().then(() => {
    isClosed = true;
  });
  for (const n of numbers(11, 60)) w.push("a", n, 100, 30_000);
  await w.turn();
  expect(isClosed).toBe(true);
  const { dropped } = w.counts;
  expect(dropped).toBeGreaterThan(10);
  const next = await keeping(w.disk.crash());
  expect(await sendAll(next)).toEqual(numbers(1 + dropped, 60));
});

test("closed while the disk has only just come back: what it did not take before is there", async () => {
  const w = await keeping(new MemoryDisk());
  w.disk.failing = "ENOSPC: no space left on device";
  for (const n of numbers(1, 5)) w.push("a", n);
  await w.turn();
  await w.answer(away());
  w.disk.failing = null;
  const closing = w.sink.close();
  await w.pass(2000);
  await closing;
  expect(w.counts.dropped).toBe(0);
  expect(await sendAll(await keeping(w.disk.crash()))).toEqual(numbers(1, 5));
});

test("what comes while the last of what is on the disk is being read comes behind it", async () => {
  const held: (() => void)[] = [];
  let isHolding = false;
  let reads = 0;
  const slowly = (file: DiskFile): DiskFile => ({
    get size() {
      return file.size;
    },
    append: (bytes) => file.append(bytes),
    read(offset, length) {
      if (!isHolding || ++reads === 1) return file.read(offset, length);
      return new Promise((resolve) => held.push(() => resolve(file.read(offset, length))));
    },
    sync: () => file.sync(),
    close: () => file.close(),
  });
  const disk = new MemoryDisk();
  const { create } = disk;
  disk.create = async (name) => slowly(await create.call(disk, name));
  const w = await keeping(disk, { diskMax: 100_000_000, rowsMax: 40, bytesMax: 1e9 });
  // Forty fill memory, the rest waits on the disk up to the end of what is read at a time; that some are done stands behind it.
  for (const n of numbers(1, 59)) {
    const pad = n <= 40 ? 10 : n < 59 ? 12_900 : 256 * 1024 - w.report.queue.diskBytes - 28 - '{"key":"a","n":59,"pad":99999}'.length;
    w.push("a", n, 100, pad);
    await w.turn();
  }
  expect(w.report.queue.diskBytes).toBe(256 * 1024);
  for (let i = 0; i < 19; i++) await w.answer();
  isHolding = true;
  await w.answer();
  await w.turn();
  expect(held.length).toBe(1);
  w.push("a", 60);
  await w.turn();
  isHolding = false;
  for (const go of held) go();
  expect(await sendAll(w)).toEqual(numbers(1, 60));
});
