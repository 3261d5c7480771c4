import { expect, test } from "bun:test";
import { Reading } from "../../../../server/plugins/_sink/reading.ts";
import type { Spool } from "../../../../server/plugins/_sink/spool.ts";
import type { Stored } from "../../../../server/plugins/_sink/types.ts";

const stored = (seq: number): Stored => ({ seq, at: 0, key: "k", item: new Uint8Array() });

/** A spool that answers when it is told to. */
function played() {
  const asked: [rows: number, bytes: number][] = [];
  let answer: (found: Stored[]) => void = () => {};
  const spool = {
    caughtUp: false,
    read(rows: number, bytes: number): Promise<Stored[]> {
      asked.push([rows, bytes]);
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
    unload: (seqs: readonly number[]) => seqs.length - 1,
  };
  const state = { isOpen: true, hasRoom: true };
  const events: unknown[] = [];
  const reading = new Reading({
    isOpen: () => state.isOpen,
    hasRoom: () => state.hasRoom,
    bounds: () => ({ rowsMax: 10, bytesMax: 1000 }),
    found: (all) => void events.push(all.map(({ seq }) => seq)),
    dropped: (rows) => void events.push(`dropped ${rows}`),
  });
  const on = (): void => reading.on(spool as unknown as Spool);
  return { asked, spool, state, events, reading, on, answer: (found: Stored[]) => answer(found) };
}

test("half of what memory holds, one read at a time, and only where there is room and something to be read", async () => {
  const p = played();
  for (const change of [() => (p.spool.caughtUp = true), () => (p.state.hasRoom = false), () => (p.state.isOpen = false)]) {
    change();
    p.on();
    expect(p.asked).toEqual([]);
    Object.assign(p.spool, { caughtUp: false });
    Object.assign(p.state, { isOpen: true, hasRoom: true });
  }
  p.on();
  p.on();
  expect([p.asked, p.reading.isUnderWay]).toEqual([[[5, 500]], true]);
  p.answer([stored(1), stored(2)]);
  await Bun.sleep(0);
  expect([p.events, p.reading.isUnderWay]).toEqual([[[1, 2]], false]);
});

test("where nothing can be read nobody is told, or it would be tried again at once, without end", async () => {
  const p = played();
  p.on();
  p.answer([]);
  await Bun.sleep(0);
  expect([p.events, p.reading.isUnderWay]).toEqual([[], false]);
});

test("what is read while it closes is left to the disk, and counted where that has it no more", async () => {
  const p = played();
  p.on();
  p.state.isOpen = false;
  p.answer([stored(1), stored(2), stored(3)]);
  await Bun.sleep(0);
  expect(p.events).toEqual(["dropped 2"]);
});
