/** Dead letters and the queue in one directory: what has gone from the one to the other is in one of them, whenever the power goes. */
import { expect, test } from "bun:test";
import { SendError } from "../../../../server/plugins/_sink/types.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";
import { ROOMY, World } from "./world.ts";

const never = (): Error => new SendError("give up", "never");
async function pump(w: World, steps = 60): Promise<void> {
  for (let i = 0; i < steps; i++) {
    w.disk.step();
    await w.turn();
  }
}

test("letters that are sent again, and the power goes at any call of the disk: each is there", async () => {
  const settings = { ...ROOMY, diskMax: 512_000 };
  for (let calls = 0, isOver = false; !isOver; calls++) {
    const w = new World(settings, new MemoryDisk(true));
    await pump(w);
    for (const n of [1, 2, 3]) w.push("a", n, 100, 21_000);
    await pump(w);
    for (let n = 1; n <= 3; n++) {
      await w.untilRequest();
      await w.answer(never());
      await pump(w);
    }
    expect(w.letters).toHaveLength(3);
    w.sink.deadLetters.resend();
    await w.turn();
    for (let i = 0; i < calls; i++) {
      w.disk.step();
      await w.turn();
    }
    isOver = w.disk.waiting === 0;
    w.disk.part = () => 0;
    const next = new World(settings, w.disk.crash());
    await pump(next, 100);
    const names = new Set(next.letters);
    for (let i = 0; i < 20; i++) {
      for (const r of [...next.requests]) r.answer();
      await next.pass(200);
      await pump(next, 5);
    }
    for (const { key, n } of next.taken) names.add(`${key}${n}`);
    expect([calls, [...names].sort()]).toEqual([calls, ["a1", "a2", "a3"]]);
    expect(calls).toBeLessThan(50);
  }
});

test("a letter that is removed is gone though the queue cannot be written; one that is sent again is the row that goes to the next one", async () => {
  for (const how of ["remove", "resend"] as const) {
    const w = new World(ROOMY, new MemoryDisk());
    await w.turn();
    w.push("l", 1);
    await w.turn();
    await w.answer(never());
    await w.turn();
    w.disk.failing = "ENOSPC";
    w.disk.failingFiles = /^segment/;
    w.disk.part = () => 0;
    if (how === "remove") {
      w.push("a", 1);
      await w.turn();
      await w.answer(new SendError("away", "nobody listens there"));
    }
    expect([how, w.sink.deadLetters[how]()]).toEqual([how, 1]);
    await w.turn();
    for (const r of [...w.requests]) r.answer(new SendError("away", "nobody listens there"));
    const handed = w.sink.handOver();
    await w.pass(3000);
    w.disk.failing = null;
    const heir = new World(ROOMY, w.disk);
    heir.sink.inherit(await handed);
    await heir.turn();
    expect([how, heir.letters]).toEqual([how, []]);
    await heir.answerAll();
    expect([how, heir.taken.map(({ key, n }) => `${key}${n}`)]).toEqual([how, [how === "remove" ? "a1" : "l1"]]);
  }
});

test("what is given up before the disk is open, and removed, takes nothing of the disk's with it", async () => {
  const first = new World(ROOMY, new MemoryDisk());
  await first.turn();
  for (const n of [1, 2, 3]) {
    first.push("a", n);
    await first.turn();
    await first.answer(never());
    await first.turn();
  }
  await first.sink.close();
  for (const how of ["remove", "resend"] as const) {
    const disk = new MemoryDisk(true);
    for (const [name, bytes] of first.disk.files) disk.files.set(name, Buffer.from(bytes));
    const w = new World({ ...ROOMY, diskMax: 0 }, disk);
    w.push("n", 99);
    await w.turn();
    w.change({ diskMax: 1e9 });
    await w.answer(never());
    expect([how, w.letters, w.sink.deadLetters[how]()]).toEqual([how, ["n99"], 1]);
    await pump(w, 100);
    expect([how, w.letters]).toEqual([how, ["a3", "a2", "a1"]]);
    const next = new World(ROOMY, w.disk.crash());
    await pump(next, 100);
    expect([how, next.letters]).toEqual([how, ["a3", "a2", "a1"]]);
  }
});

test("a letter that is too long for the disk is one in memory, and keeps no other one from being written", async () => {
  const w = new World({ ...ROOMY, batchRows: 3, letterBytesMax: 1e9 }, new MemoryDisk());
  await w.turn();
  w.push("a", 1, 100, 64 * 1024 * 1024 - 60);
  for (const n of [2, 3]) w.push("a", n);
  await w.turn();
  while (w.requests.length > 0) await w.answer(never());
  await w.pass(3000);
  expect(w.letters.length + w.report.waiting).toBe(3);
  for (let i = 0; i < 20 && w.letters.length < 3; i++) {
    for (const r of [...w.requests]) r.answer(never());
    await w.pass(2000);
  }
  expect(w.letters).toEqual(["a3", "a2", "a1"]);
  expect(w.report.queue.diskError).toBeNull();
  expect(new Set((await letteredAgain(w)).map((name) => name))).toEqual(new Set(["a2", "a3"]));
});

async function letteredAgain(w: World): Promise<string[]> {
  const next = new World({ ...ROOMY, letterBytesMax: 1e9 }, w.disk.crash());
  await next.turn();
  return next.letters;
}
