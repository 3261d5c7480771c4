/** Dead letters and the queue in one directory: what has gone from the one to the other is in one of them, whenever the power goes. */
import { expect, test } from "bun:test";
import { SendError } from "../../../../server/plugins/_sink/types.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";
import { World } from "./world.ts";

const ROOMY = { lanes: 1, diskMax: 1e9, rowsMax: 1000, bytesMax: 1e9, maxAgeMs: 1e9, timeoutMs: 1e9 };

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

test("a letter that is removed before the disk is open does not come back", async () => {
  const first = new World(ROOMY, new MemoryDisk());
  await first.turn();
  first.push("a", 1);
  await first.turn();
  await first.answer(never());
  await first.turn();
  first.disk.failing = "ENOSPC";
  first.push("a", 2);
  await first.turn();
  await first.answer(never());
  await first.turn();
  const handed = first.sink.handOver();
  await first.pass(3000);
  const disk = new MemoryDisk(true);
  for (const [name, bytes] of first.disk.files) disk.files.set(name, bytes);
  const heir = new World(ROOMY, disk);
  heir.sink.inherit(await handed);
  expect([heir.sink.deadLetters.remove(), heir.letters]).toEqual([2, []]);
  await pump(heir, 100);
  expect(heir.letters).toEqual([]);
  await heir.pass(2000);
  await pump(heir, 100);
  const next = new World(ROOMY, heir.disk.crash());
  await pump(next, 100);
  expect(next.letters).toEqual([]);
});
