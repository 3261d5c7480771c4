/** A disk that fails to be read, and is well again. */
import { describe, expect, test } from "bun:test";
import { SpoolTrouble } from "../../../../server/plugins/_sink/trouble.ts";
import { SendError } from "../../../../server/plugins/_sink/types.ts";
import { FakeClock } from "../../../support/access.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";
import { numbers, ROOMY, sendAll, World } from "./world.ts";

test("a write waits a second behind one that failed; what nothing is written for is over behind ten quiet ones", () => {
  const clock = new FakeClock();
  const told: (string | null)[] = [];
  const trouble = new SpoolTrouble({ now: () => clock.mono(), trouble: (_, why) => void told.push(why) });
  trouble.writeFailed(new Error("full"));
  expect([trouble.is, trouble.mayWrite]).toEqual([true, false]);
  clock.forward(1000);
  expect(trouble.mayWrite).toBe(true);
  clock.forward(9500);
  trouble.tick(clock.mono(), false);
  expect(trouble.is).toBe(true);
  trouble.tick(clock.mono(), true);
  expect([trouble.is, told]).toEqual([false, ["full", null]]);
});

test("a file that cannot be opened stays for a later start, and an alarm says so; what is in it waits until then", async () => {
  const first = new World({ ...ROOMY, rowsMax: 4 }, new MemoryDisk());
  for (const n of numbers(1, 40)) first.push("a", n, 100, 1000);
  await first.turn();
  const disk = first.disk.crash();
  const w = new World({ ...ROOMY, rowsMax: 4 }, disk);
  let opens = 0;
  disk.refuses = () => (opens++ >= 1 ? "EIO" : null);
  await w.pass(1000);
  expect([w.counts.dropped, w.report.waiting, [...w.alarms.keys()]]).toEqual([0, 40, ["unreadable"]]);
  expect([...disk.files.keys()]).toEqual(["segment-0000000001"]);
  expect(w.alarms.get("unreadable")?.summary).toStartWith("segment-0000000001: EIO");
  expect(w.lines("error")).toEqual(["a file of the queue cannot be read"]);
  disk.refuses = () => null;
  w.push("a", 41);
  expect(await sendAll(w)).toEqual([41]);
  const closing = w.sink.close();
  await w.pass(3000);
  await closing;
  expect(w.alarms.size).toBe(0);
  // What is done of those behind it is known as long as it is there.
  expect(await sendAll(new World(ROOMY, disk.crash()))).toEqual(numbers(1, 40));
});

test("a file in which all is done is not opened to be read, whatever became of it", async () => {
  const settings = { ...ROOMY, lanes: 2, diskMax: 512_000 };
  const first = new World(settings, new MemoryDisk());
  await first.turn();
  first.push("a", 1, 100, 20_000);
  await first.turn();
  for (const n of numbers(1, 11)) {
    first.push("b", n, 100, 20_000);
    await first.turn();
  }
  for (const _ of numbers(1, 11)) {
    first.requests.find(({ batch }) => batch.items[0]?.key === "b")?.answer();
    await first.turn();
  }
  const disk = first.disk.crash();
  const w = new World({ ...settings, rowsMax: 2 }, disk);
  let opens = 0;
  disk.refuses = (name) => (name.endsWith("02") && ++opens > 1 ? "EIO" : null);
  expect(await sendAll(w)).toEqual([1]);
  expect([w.counts.dropped, w.lines("error")]).toEqual([0, []]);
  const closing = w.sink.close();
  await w.pass(3000);
  await closing;
  expect([...disk.files.keys()]).toEqual([]);
});

describe("a file that cannot be read at the start stays for a later one", () => {
  for (const [name, offset] of [
    ["from its beginning", 0],
    ["from some place on", 1],
  ] as const)
    test(`${name}: nothing of it is lost, nothing of it comes twice`, async () => {
      const first = new World({ ...ROOMY, rowsMax: 4 }, new MemoryDisk());
      for (const n of numbers(1, 40)) first.push("a", n, 100, 30_000);
      await first.turn();
      const disk = first.disk.crash();
      disk.failsRead = (file, from) => (file.endsWith("01") && from >= offset ? "EIO" : null);
      const w = new World(ROOMY, disk);
      w.push("a", 41);
      expect(await sendAll(w)).toEqual([41]);
      expect([w.counts.dropped, [...w.alarms.keys()], w.lines("error")]).toEqual([
        0,
        ["unreadable"],
        ["a file of the queue cannot be read"],
      ]);
      expect([...disk.files.keys()]).toContain("segment-0000000001");
      disk.failsRead = () => null;
      const closing = w.sink.close();
      await w.pass(3000);
      await closing;
      expect([w.alarms.size, w.lines("notice")]).toEqual([0, []]);
      expect(await sendAll(new World(ROOMY, disk.crash()))).toEqual(numbers(1, 40));
    });

  test("and so do those behind it, which say what of it is done", async () => {
    const settings = { ...ROOMY, diskMax: 512_000 };
    const first = new World(settings, new MemoryDisk());
    await first.turn();
    for (const n of numbers(1, 10)) {
      first.push("a", n, 100, 30_000);
      await first.turn();
    }
    await first.answer();
    await first.turn();
    const disk = first.disk.crash();
    disk.refuses = (name) => (name.endsWith("01") ? "EACCES" : null);
    const w = new World(settings, disk);
    expect(await sendAll(w)).toEqual(numbers(3, 10));
    expect([w.lines("error"), [...w.alarms.keys()]]).toEqual([["a file of the queue cannot be read"], ["unreadable"]]);
    const closing = w.sink.close();
    await w.pass(3000);
    await closing;
    disk.refuses = () => null;
    expect(await sendAll(new World(settings, disk.crash()))).toEqual([2]);
  });
});

test("starts that can read other files each: no number is given twice, and nothing is taken for what is there already", async () => {
  let disk = new MemoryDisk();
  const files = (): string[] => [...disk.files.keys()].sort();
  const start = async (hours: number, broken: (name: string) => boolean, from: number, to: number): Promise<void> => {
    disk = disk.crash();
    disk.refuses = (name) => (broken(name) ? "EACCES" : null);
    const w = new World({ ...ROOMY, rowsMax: 1 }, disk);
    w.clock.forward(hours * 3_600_000);
    await w.turn();
    for (const n of numbers(from, to)) w.push("a", n, 100, 1000);
    await w.turn();
  };
  await start(0, () => false, 1, 3);
  await start(1, (name) => name === files()[0], 4, 12);
  await start(2, (name) => name === files()[1], 13, 30);
  await start(3, (name) => name === files()[2], 31, 33);
  expect(files()).toHaveLength(4);
  expect(await sendAll(new World(ROOMY, disk.crash()))).toEqual(numbers(1, 33));
});

describe("a file that cannot be read makes room as any other", () => {
  const settings = { ...ROOMY, rowsMax: 4, diskMax: 512_000 };
  /** Its first file cannot be read any more, and has two rows, of which none is in memory. */
  const kept = async (): Promise<World> => {
    const w = new World(settings, new MemoryDisk());
    await w.turn();
    for (const n of numbers(1, 8)) {
      w.push("a", n, 100, 30_000);
      await w.turn();
    }
    const next = new World(settings, w.disk.crash());
    let reads = 0;
    next.disk.failsRead = (name) => (name.endsWith("01") && ++reads > 1 ? "EIO" : null);
    await next.turn();
    return next;
  };

  test("its rows wait, until they are dropped with it; the alarm ends with it", async () => {
    const w = await kept();
    expect([w.counts.dropped, w.report.waiting, [...w.alarms.keys()]]).toEqual([0, 8, ["unreadable"]]);
    expect(w.alarms.get("unreadable")?.summary).toContain("as long as the queue has room on the disk");
    const taken = await sendAll(w);
    expect([taken, w.report.waiting]).toEqual([numbers(3, 8), 2]);
    for (let n = 9; n <= 30; n++) {
      w.push("a", n, 100, 30_000);
      await w.turn();
      await w.answerAll();
    }
    expect([w.counts.dropped, w.report.waiting, w.alarms.has("unreadable")]).toEqual([2, 0, false]);
    expect([...w.disk.files.keys()]).not.toContain("segment-0000000001");
    expect(w.lines("error")).toContain("a file of the queue that cannot be read has made room: what was in it is lost");
    expect(w.taken.map(({ n }) => n)).toEqual(numbers(3, 30));
  });

  test("but not for a dead letter: it is not sent again in its place, and the alarm says so", async () => {
    const w = await kept();
    await sendAll(w);
    w.push("letter", 9, 100, 31_500);
    await w.answerAll(() => new SendError("give up", "http 400"));
    for (let n = 10; settings.diskMax - w.report.queue.diskBytes > 31_000; n++) {
      w.push("a", n, 100, 30_000);
      await w.turn();
      await w.answerAll();
    }
    expect([w.sink.deadLetters.resend(), w.letters, w.report.waiting, w.counts.dropped]).toEqual([0, ["letter9"], 2, 0]);
    expect(w.alarms.get("unreadable")?.summary).toContain("Dead letters are sent again only as far as there is room beside it");
  });

  test("none of those that nobody may open goes before there is no room for it, and then one at a time; all of them count", async () => {
    const first = new World(settings, new MemoryDisk());
    await first.turn();
    for (const n of numbers(1, 14)) {
      first.push("a", n, 100, 30_000);
      await first.turn();
    }
    const disk = first.disk.crash();
    const before = [...disk.files.keys()];
    disk.refuses = (name) => (before.includes(name) ? "EACCES" : null);
    const w = new World(settings, disk);
    await w.turn();
    expect(w.report.queue.diskBytes).toBeGreaterThan(14 * 30_000);
    for (const n of numbers(15, 20)) {
      w.push("a", n, 100, 30_000);
      await w.turn();
    }
    expect(w.report.queue.diskBytes).toBeLessThanOrEqual(settings.diskMax);
    const there = before.filter((name) => disk.files.has(name));
    expect(there).toEqual(before.slice(-5));
    disk.refuses = () => null;
    expect(await sendAll(new World(settings, disk.crash()))).toEqual(numbers(5, 20));
  });

  test("the next one of the same queue reads them, and none counts twice", async () => {
    const w = await kept();
    await sendAll(w);
    const handed = w.sink.handOver();
    await w.pass(3000);
    w.disk.failsRead = () => null;
    const heir = new World(settings, w.disk);
    heir.sink.inherit(await handed);
    expect(await sendAll(heir)).toEqual([1, 2]);
    expect([w.counts.done + heir.counts.done, w.counts.dropped + heir.counts.dropped]).toEqual([8, 0]);
  });
});
