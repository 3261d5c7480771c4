/** What a sink keeps on the disk: over restarts, on a full disk, with more than memory has room for, switched on and off; and the real directory. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Directory } from "../../../../server/plugins/_sink/disk.ts";
import { SendError } from "../../../../server/plugins/_sink/types.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";
import { numbers, ROOMY, sendAll, World } from "./world.ts";

const DISK = { lanes: 4, diskMax: 10_000_000 };
const count = (w: World): number => w.taken.length;

async function written(w: World): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await w.turn();
    await w.pass(100);
  }
}

describe("a queue on the disk", () => {
  test("what was not taken comes again after a crash, in order; what was taken does not", async () => {
    const first = new World(DISK);
    await first.turn();
    for (let n = 1; n <= 20; n++) for (const key of ["a", "b", "c"]) first.push(key, n);
    await first.turn();
    for (let i = 0; i < 5; i++) {
      for (const r of [...first.requests]) r.answer();
      await first.turn();
    }
    await written(first);
    const taken = count(first);
    expect(taken).toBeGreaterThan(4);
    const second = new World(DISK, first.disk.crash());
    await written(second);
    expect(second.report.queue.rows).toBe(60 - taken);
    await second.answerAll();
    await written(second);
    await second.answerAll();
    for (const key of ["a", "b", "c"]) {
      const all = [...first.taken, ...second.taken].filter((i) => i.key === key).map((i) => i.n);
      expect(all).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    }
  });

  test("more than memory has room for waits there, and what comes later behind it", async () => {
    const w = new World({ ...DISK, rowsMax: 10 });
    await w.turn();
    for (let n = 1; n <= 500; n++) w.push("a", n);
    expect(w.report.queue).toMatchObject({ rows: 500, dropped: 0 });
    for (let i = 0; i < 1000 && count(w) < 500; i++) {
      for (const r of [...w.requests]) r.answer();
      await w.turn();
    }
    expect(w.taken.map((i) => i.n)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
    expect(w.report.queue).toMatchObject({ rows: 0, bytes: 0, sent: 500 });
  });

  test("full: the oldest file goes, counted", async () => {
    const w = new World({ ...DISK, rowsMax: 2, diskMax: 300_000 });
    await w.turn();
    for (let n = 1; n <= 100; n++) {
      w.push("a", n, 100, 10_000);
      await w.turn();
    }
    const { queue } = w.report;
    expect(queue.diskBytes).toBeLessThan(400_000);
    expect(queue.dropped).toBeGreaterThan(50);
    expect(queue.rows + queue.dropped).toBe(100);
    expect(w.alarms.has("dropped")).toBe(true);
    for (let i = 0; i < 300; i++) {
      for (const r of [...w.requests]) r.answer();
      await w.turn();
    }
    const got = w.taken.map((i) => i.n);
    expect(got).toEqual([...got].sort((a, b) => a - b));
    expect(got.at(-1)).toBe(100);
    expect(got.length).toBe(100 - w.report.queue.dropped);
  });

  test("a disk that takes nothing: an alarm, memory goes on, and what it could not take is written when it can", async () => {
    const w = new World({ ...DISK, lanes: 1 });
    await w.turn();
    w.disk.failing = "ENOSPC: no space left on device";
    for (let n = 1; n <= 5; n++) w.push("a", n);
    await w.turn();
    expect(w.alarms.get("disk")).toMatchObject({ severity: "error" });
    expect(w.report.queue.diskError).toContain("ENOSPC");
    expect(w.requests.length).toBe(1);
    w.disk.failing = null;
    await w.pass(1100);
    expect([w.alarms.has("disk"), w.report.queue.diskError]).toEqual([false, null]);
    const second = new World({ ...DISK, lanes: 1 }, w.disk.crash());
    await written(second);
    expect(second.report.queue.rows).toBe(5);
    expect(w.lines("error")).toEqual(["the queue cannot be written to the disk"]);
  });

  test.each([false, true])(
    "a disk that takes nothing: what is in memory, and dead letters, go to the successor (it works by then: %s)",
    async (works) => {
      const w = new World({ ...DISK, lanes: 1 });
      await w.turn();
      w.push("a", 1);
      await w.answerAll(() => new SendError("give up", "never"));
      await written(w);
      w.disk.failing = "ENOSPC: no space left on device";
      w.push("a", 2);
      await w.answerAll(() => new SendError("give up", "never"));
      for (let n = 3; n <= 6; n++) w.push("a", n);
      await w.turn();
      const left = w.sink.handOver();
      await w.pass(3000);
      if (works) w.disk.failing = null;
      const heir = new World({ ...DISK, lanes: 1 }, w.disk);
      heir.sink.inherit(await left);
      heir.push("a", 7);
      await written(heir);
      expect(heir.letters).toEqual(["a2", "a1"]);
      await heir.answerAll();
      w.disk.failing = null;
      await written(heir);
      await heir.answerAll();
      expect([...new Set(heir.taken.map((i) => i.n))]).toEqual([3, 4, 5, 6, 7]);
      expect([w.counts.dropped, heir.counts.dropped]).toEqual([0, 0]);
    },
  );

  test("dead letters stand there, over a crash; those resent or removed do not", async () => {
    const first = new World({ ...DISK, lanes: 1 });
    await first.turn();
    for (let n = 1; n <= 5; n++) first.push("a", n);
    await first.answerAll(() => new SendError("give up", "http 400"));
    first.sink.deadLetters.remove([2]);
    await written(first);
    const second = new World({ ...DISK, lanes: 1 }, first.disk.crash());
    await written(second);
    expect(second.letters).toEqual(["a5", "a4", "a3", "a1"]);
    expect(second.report.queue.rows).toBe(0);
    second.sink.deadLetters.resend([1]);
    await second.answerAll();
    await written(second);
    const third = new World({ ...DISK, lanes: 1 }, second.disk.crash());
    await written(third);
    expect(third.letters).toEqual(["a5", "a4", "a3"]);
  });

  test("closed in order with nothing left, no file stays; with something left it comes again", async () => {
    const w = new World(DISK);
    await w.turn();
    w.push("a", 1);
    await w.answerAll();
    await w.sink.close();
    expect([...w.disk.files.keys()]).toEqual([]);
    const second = new World(DISK, w.disk);
    await second.turn();
    second.push("a", 2);
    await second.turn();
    const closing = second.sink.close();
    await second.pass(2000);
    await closing;
    expect(second.report.queue.dropped).toBe(0);
    const third = new World(DISK, w.disk);
    await written(third);
    await third.answerAll();
    expect(third.taken.map((i) => i.n)).toEqual([2]);
  });

  test("what comes while it closes is there at the next start", async () => {
    const w = new World({ ...DISK, lanes: 1 });
    await w.turn();
    w.push("a", 1);
    await w.turn();
    const closing = w.sink.close();
    for (let n = 2; n <= 9; n++) w.push("a", n);
    await w.turn();
    w.push("a", 10);
    await w.pass(2000);
    await closing;
    w.push("a", 11);
    expect(w.counts).toEqual({ done: 0, failed: 0, dropped: 1 });
    const second = new World({ ...DISK, lanes: 1 }, w.disk);
    await written(second);
    await second.answerAll();
    expect(second.taken.map((i) => i.n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("closed while the disk takes nothing: what is in memory alone is sent", async () => {
    const w = new World({ ...DISK, lanes: 1, batchRows: 10, batchWaitMs: 3000 });
    await w.turn();
    w.disk.failing = "ENOSPC: no space left on device";
    for (let n = 1; n <= 3; n++) w.push("a", n);
    await w.turn();
    void w.sink.close();
    await w.answerAll();
    expect(w.counts).toEqual({ done: 3, failed: 0, dropped: 0 });
  });

  test("switched off: what is there is sent, then its files go; switched on: from then on", async () => {
    const w = new World({ ...DISK, rowsMax: 3 });
    await w.turn();
    for (let n = 1; n <= 10; n++) w.push("a", n);
    await w.turn();
    w.change({ diskMax: 0 });
    w.push("a", 11);
    for (let i = 0; i < 60; i++) {
      for (const r of [...w.requests]) r.answer();
      await w.pass(100);
    }
    expect(w.taken.map((i) => i.n)).toEqual(Array.from({ length: 11 }, (_, i) => i + 1));
    expect([...w.disk.files.keys()]).toEqual([]);
    w.change({ diskMax: 1_000_000 });
    await written(w);
    w.push("a", 12);
    await written(w);
    expect([...w.disk.files.keys()].some((name) => name.startsWith("segment"))).toBe(true);
  });

  test("a former run's is sent though the disk is not used any more", async () => {
    const first = new World(DISK);
    await first.turn();
    first.push("a", 1);
    await written(first);
    const second = new World({ ...DISK, diskMax: 0 }, first.disk.crash(), () => true);
    await written(second);
    await second.answerAll();
    await written(second);
    expect([count(second), [...second.disk.files.keys()]]).toEqual([1, []]);
  });

  test("an item that cannot be read any more is counted, and the rest comes", async () => {
    const first = new World({ ...DISK, lanes: 1 });
    await first.turn();
    for (let n = 1; n <= 3; n++) first.push("a", n);
    await written(first);
    const disk = first.disk.crash();
    const [name, bytes] = [...disk.files][0] as [string, Buffer];
    // Not its checksum, its JSON: it was written by another version.
    const text = bytes.toString("latin1").indexOf('{"key":"a","n":2');
    expect(text).toBeGreaterThan(0);
    bytes[text] = "!".charCodeAt(0);
    let at = 0;
    for (let end = 0; at < bytes.length; at = end) {
      end = at + 9 + bytes.readUInt32LE(at + 4);
      bytes.writeUInt32LE(Bun.hash.crc32(bytes.subarray(at + 4, end)), at);
    }
    disk.files.set(name, bytes);
    const second = new World({ ...DISK, lanes: 1 }, disk);
    await written(second);
    await second.answerAll();
    expect(second.taken.map((i) => i.n)).toEqual([1, 3]);
    expect(second.report.queue.dropped).toBe(1);
  });

  test("a torn end is cut off, counted and told", async () => {
    const first = new World(DISK);
    await first.turn();
    for (let n = 1; n <= 3; n++) first.push("a", n);
    await written(first);
    const disk = first.disk.crash();
    const [name, bytes] = [...disk.files][0] as [string, Buffer];
    disk.files.set(name, bytes.subarray(0, bytes.length - 5));
    const second = new World(DISK, disk);
    await written(second);
    expect(second.report.queue.torn).toBeGreaterThan(0);
    expect(second.lines("warn")[0]).toContain("cut off");
    await second.answerAll();
    expect(second.taken.map((i) => i.n)).toEqual([1, 2]);
  });
});

describe("a directory", () => {
  const dir = mkdtempSync(join(tmpdir(), "baomq-sink-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test("files as they were written, for nobody else to read", async () => {
    const disk = new Directory(join(dir, "queue"));
    expect(await disk.list()).toEqual([]);
    const file = await disk.create("one");
    await file.append(Buffer.from("hello "));
    await file.append(Buffer.from("world"));
    await file.sync();
    expect(Buffer.from(await file.read(3, 100)).toString()).toBe("lo world");
    await file.close();
    const again = await disk.open("one");
    expect([again.size, await disk.sizeOf("one")]).toEqual([11, 11]);
    await again.close();
    expect(statSync(join(dir, "queue/one")).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "queue")).mode & 0o777).toBe(0o700);
    await disk.remove("one");
    expect(await disk.list()).toEqual([]);
  });

  test("a file whose name cannot be brought to the disk does not stay", async () => {
    // There its files can be found, but it itself cannot be opened by that name.
    const disk = new Directory(`${dir}/nowhere/..`);
    await expect(disk.create("two")).rejects.toThrow("ENOENT");
    expect(readdirSync(dir)).not.toContain("two");
  });

  test("one that cannot be made is told, and nothing else happens", async () => {
    writeFileSync(join(dir, "file"), "");
    expect(new Directory(join(dir, "file")).list()).rejects.toThrow();
  });
});

test("while memory is short little of what waits on the disk is read at a time, and all of it is sent", async () => {
  const first = new World({ ...ROOMY, rowsMax: 4 }, new MemoryDisk());
  for (const n of numbers(1, 100)) first.push("a", n, 100, 30_000);
  await first.turn();
  const w = new World({ ...ROOMY, bytesMax: 100_000_000 }, first.disk.crash());
  w.memoryShort = true;
  await w.pass(500);
  expect(w.report.queue.bytes).toBeLessThan(300_000);
  for (let n = 1; n <= 50; n++) {
    await w.answer();
    expect(w.report.queue.bytes).toBeLessThan(600_000);
  }
  expect(w.taken.map(({ n }) => n)).toEqual(numbers(1, 50));
  w.memoryShort = false;
  await w.pass(500);
  expect(w.report.queue.bytes).toBeGreaterThan(1_400_000);
  expect(await sendAll(w)).toEqual(numbers(1, 100));
});
