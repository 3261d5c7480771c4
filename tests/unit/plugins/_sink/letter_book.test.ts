/** Dead letters on a disk that fails: told, tried again, and no file left open; one that cannot be read stays. */
import { describe, expect, test } from "bun:test";
import type { WallMs } from "../../../../server/lib/time.ts";
import { Left } from "../../../../server/plugins/_sink/left.ts";
import { SendError } from "../../../../server/plugins/_sink/types.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";
import { codec, type Item, numbers, sendAll, World } from "./world.ts";

const DISK = { lanes: 1, diskMax: 10_000_000 };

async function given(count: number, w: World): Promise<void> {
  await w.turn();
  for (let n = 1; n <= count; n++) w.push("a", n);
  await w.answerAll(() => new SendError("give up", "http 400"));
}

test("what could not be written is when it can be, though no other letter comes; the alarm ends with it", async () => {
  const w = new World(DISK);
  await w.turn();
  w.disk.failingFiles = /^letters/;
  w.disk.failing = "ENOSPC: no space left on device";
  await given(1, w);
  expect(w.report.queue.diskError).toContain("ENOSPC");
  await w.pass(3000);
  expect(w.alarms.has("disk")).toBe(true);
  w.disk.failing = null;
  await w.pass(1100);
  expect([w.alarms.has("disk"), w.report.queue.diskError]).toEqual([false, null]);
  const second = new World(DISK, w.disk.crash());
  await second.turn();
  expect(second.letters).toEqual(["a1"]);
});

test("the alarm stands as long as the queue or the letters cannot be written", async () => {
  const w = new World(DISK);
  await w.turn();
  w.disk.failing = "ENOSPC: no space left on device";
  await given(1, w);
  w.push("b", 1);
  await w.turn();
  w.disk.failingFiles = /^letters/;
  await w.pass(1100);
  expect(w.alarms.has("disk")).toBe(true);
  w.disk.failing = null;
  await w.pass(1100);
  expect(w.alarms.has("disk")).toBe(false);
});

for (const createFails of [false, true])
  test(`a disk that is full leaves no file open${createFails ? ", nor where no name can be written" : ""}`, async () => {
    const w = new World({ ...DISK, lettersMax: 1000 });
    await given(1, w);
    w.disk.createFails = createFails;
    w.disk.failing = "ENOSPC: no space left on device";
    for (let i = 0; i < 50; i++) {
      await given(4, w);
      await w.pass(500);
    }
    expect(w.report.queue.letters).toBe(201);
    expect(w.disk.handles).toBeLessThan(3);
    expect(w.disk.files.size).toBeLessThan(4);
  });

test("a file that cannot be finished: another one is tried each second, however many letters come; all that stay are gone when one can be", async () => {
  const w = new World({ ...DISK, lettersMax: 1000 });
  await given(1, w);
  const { disk } = w;
  const create = disk.create.bind(disk);
  const files = (): string[] => [...disk.files.keys()].filter((name) => name.startsWith("letters"));
  // As where the name of a new file cannot be brought to the disk, nor taken back.
  disk.create = async (name) => {
    await (await create(name)).close();
    throw Object.assign(new Error("EMFILE"), { code: "EMFILE" });
  };
  disk.failing = "ENOSPC: no space left on device";
  disk.failingFiles = /^letters-1$/;
  await given(30, w);
  expect(files()).toEqual(["letters-1"]);
  for (let second = 1; second <= 10; second++) {
    await w.pass(1000);
    expect(files().length).toBeLessThan(second + 2);
  }
  expect(files().length).toBeGreaterThan(8);
  disk.create = create;
  await w.pass(2000);
  expect(files()).toHaveLength(1);
  const next = new World(DISK, disk.crash());
  await next.turn();
  expect(next.letters).toEqual([...numbers(1, 30).reverse(), 1].map((n) => `a${n}`));
});

test("a file that cannot be read at the start is not written anew without what is in it", async () => {
  const first = new World(DISK);
  await given(3, first);
  await first.pass(1100);
  const disk = first.disk.crash();
  disk.refuses = (name) => (name.startsWith("letters") ? "EMFILE" : null);
  const second = new World(DISK, disk);
  await second.turn();
  await second.pass(2500);
  expect(second.letters).toEqual([]);
  const third = new World(DISK, second.disk.crash());
  await third.turn();
  expect(third.letters).toEqual(["a3", "a2", "a1"]);
});

describe("a file that cannot be read at the start", () => {
  const unread = async (): Promise<World> => {
    const first = new World(DISK);
    await given(3, first);
    await first.pass(1100);
    const disk = first.disk.crash();
    disk.refuses = (name) => (name.startsWith("letters") ? "EACCES" : null);
    const w = new World(DISK, disk);
    await w.pass(5000);
    return w;
  };

  test("is told as what it is, and as long as it is: nobody is told that nothing can be written", async () => {
    const w = await unread();
    await given(1, w);
    await w.pass(5000);
    expect([w.letters, w.report.queue.diskError, [...w.alarms.keys()]]).toEqual([["a1"], null, ["unreadable"]]);
    expect(w.alarms.get("unreadable")?.title).toBe("the service: a file of dead letters cannot be read");
    expect(w.alarms.get("unreadable")?.summary).toStartWith("letters-1: EACCES: letters-1. It stays, and is tried again at the next start");
    expect([w.lines("error"), w.lines("notice")]).toEqual([["a file of dead letters cannot be read"], []]);
  });

  test("and one of the queue: both are told, and of the letters also when that of the queue has made room", async () => {
    const disk = new MemoryDisk();
    disk.files.set("segment-0000000001", Buffer.alloc(DISK.diskMax));
    disk.files.set("letters-1", Buffer.alloc(1));
    disk.refuses = (name) => (disk.files.get(name)?.at(0) === 0 ? "EACCES" : null);
    const w = new World(DISK, disk);
    await w.turn();
    expect(w.alarms.get("unreadable")?.summary).toMatch(/^segment-0000000001: .* letters-1: /);
    w.push("a", 1);
    await w.turn();
    expect([...disk.files.keys()]).not.toContain("segment-0000000001");
    expect(w.alarms.get("unreadable")?.summary).toStartWith("letters-1: ");
  });

  test("is read when the queue is kept on the disk again, and the alarm is over", async () => {
    const w = await unread();
    w.change({ diskMax: 0 });
    await w.pass(1000);
    w.disk.refuses = () => null;
    w.change({ diskMax: DISK.diskMax });
    await w.pass(1000);
    expect([w.letters, [...w.alarms.keys()]]).toEqual([["a3", "a2", "a1"], []]);
  });
});

describe("given up while letters cannot be written", () => {
  const full = async (): Promise<World> => {
    const w = new World(DISK);
    await w.turn();
    w.disk.failing = "ENOSPC: no space left on device";
    w.disk.failingFiles = /^letters/;
    w.disk.part = () => 0;
    await given(3, w);
    await w.pass(1500);
    expect(w.letters).toEqual(["a3", "a2", "a1"]);
    return w;
  };
  /** What the next one has: letters, and what it sends. */
  const next = async (w: World): Promise<[string[], number[]]> => {
    const second = new World(DISK, w.disk.crash());
    const taken = await sendAll(second);
    return [second.letters, taken];
  };

  test("and killed: it is still in the queue", async () => {
    expect(await next(await full())).toEqual([[], [1, 2, 3]]);
  });

  test("and they can be written again: it is a letter, and in the queue no more", async () => {
    const w = await full();
    w.disk.failing = null;
    await w.pass(1100);
    expect(await next(w)).toEqual([["a3", "a2", "a1"], []]);
  });

  test("and stopped: it is tried once more, and else it is still in the queue", async () => {
    for (const works of [true, false]) {
      const w = await full();
      if (works) w.disk.failing = null;
      const closing = w.sink.close();
      await w.passWithoutTicks(3000);
      await closing;
      expect([works, ...(await next(w))]).toEqual(works ? [true, ["a3", "a2", "a1"], []] : [false, [], [1, 2, 3]]);
    }
  });

  test("and handed over: the next one has it as a letter alone", async () => {
    const w = await full();
    const handed = w.sink.handOver();
    await w.pass(3000);
    const heir = new World(DISK, w.disk);
    heir.sink.inherit(await handed);
    expect([await sendAll(heir), heir.letters]).toEqual([[], ["a3", "a2", "a1"]]);
  });
});

test("letters whose file could not be listed at the start stay, beside those that come, also where both were the first", async () => {
  const first = new World(DISK);
  await given(2, first);
  const disk = first.disk.crash();
  disk.refusesList = "EMFILE";
  const second = new World(DISK, disk);
  await second.turn();
  expect(second.letters).toEqual([]);
  disk.refusesList = null;
  second.push("b", 1);
  await second.answerAll(() => new SendError("give up", "http 400"));
  await second.pass(2000);
  expect(second.letters).toEqual(["b1"]);
  const third = new World(DISK, second.disk.crash());
  await third.turn();
  expect(third.letters.toSorted()).toEqual(["a1", "a2", "b1"]);
  third.sink.deadLetters.remove(third.sink.deadLetters.list().map(({ id }) => id));
  await third.turn();
  const fourth = new World(DISK, third.disk.crash());
  await fourth.turn();
  expect(fourth.letters).toEqual([]);
});

test("one that is handed over and stands on the disk is there once, though the disk was read before", async () => {
  const first = new World(DISK);
  await given(2, first);
  const letters = first.sink.deadLetters.list();
  const left = new Left<Item>(
    { entries: [], older: 0 },
    letters.map(({ id, at_ms, why, tries }) => ({ id, at: at_ms as WallMs, why, tries, key: "a", bytes: 1, item: { key: "a", n: id } })),
    2,
    codec,
  );
  const second = new World(DISK, first.disk.crash());
  await second.turn();
  expect(second.letters).toHaveLength(2);
  second.sink.inherit(left);
  expect(second.letters).toHaveLength(2);
});
