/** A sink that is given other settings, and one that closes: what is still sent, and what is left; when it looks at what it has. */
import { describe, expect, test } from "bun:test";
import { away, type Item, World } from "./world.ts";

const names = (items: readonly Item[]): string => items.map(({ key, n }) => `${key}${n}`).join(" ");

describe("its life", () => {
  test("other lanes: what is under way ends first, the order stays", async () => {
    const w = new World({ lanes: 4 });
    for (let n = 1; n <= 6; n++) for (const key of "abcdef") w.push(key, n);
    await w.turn();
    w.change({ lanes: 1 });
    await w.turn();
    const before = w.requests.length;
    await w.answer();
    expect(w.requests.length).toBe(before - 1);
    for (const r of [...w.requests]) r.answer(away());
    await w.turn();
    await w.pass(100);
    expect(w.requests.length).toBe(1);
    await w.answerAll();
    expect(w.report.pool).toBe(1);
    for (const key of "abcdef") expect(names(w.taken.filter((i) => i.key === key))).toBe([1, 2, 3, 4, 5, 6].map((n) => key + n).join(" "));
  });

  test("another server: nothing is known of it, and nobody is said to be down any more", async () => {
    const w = new World({ lanes: 1 });
    w.push("a", 1);
    await w.turn();
    await w.answer(away());
    expect(w.alarms.has("down")).toBe(true);
    w.change({ what: "another one" });
    await w.turn();
    expect([w.report.what, w.report.state, w.alarms.size, w.requests.length]).toEqual(["another one", "connecting", 0, 1]);
  });

  test("close: sends on for a moment, then counts what is left", async () => {
    const w = new World({ lanes: 1 });
    for (let n = 1; n <= 5; n++) w.push("a", n);
    await w.turn();
    let closed = false;
    void w.sink.close().then(() => {
      closed = true;
    });
    await w.answer();
    await w.answer();
    expect(closed).toBe(false);
    w.push("a", 6);
    await w.pass(2000);
    expect(closed).toBe(true);
    expect(names(w.taken)).toBe("a1 a2");
    expect(w.report.queue.dropped).toBe(4);
    expect(w.alarms.size).toBe(0);
    await w.pass(1000);
    expect(w.requests.length).toBe(0);
  });

  test("close: at once when nothing can be sent", async () => {
    const w = new World({ lanes: 1 });
    w.push("a", 1);
    await w.turn();
    await w.answer(away());
    await w.sink.close();
    expect(w.report.queue.dropped).toBe(1);
    expect(w.alarms.size).toBe(0);
  });

  const gathering: readonly [name: string, settings: object][] = [
    ["so long that it would not end in time", { batchWaitMs: 3000 }],
    ["a moment", { batchWaitMs: 10 }],
  ];
  for (const [name, settings] of gathering)
    test(`close: what gathers is sent at once, though no tick comes any more; it would wait ${name}`, async () => {
      const w = new World({ lanes: 2, batchRows: 100, ...settings });
      for (let n = 1; n <= 5; n++) for (const key of ["a", "b"]) w.push(key, n);
      await w.turn();
      expect(w.requests.length).toBe(0);
      let closed = false;
      void w.sink.close().then(() => {
        closed = true;
      });
      await w.answerAll();
      expect(closed).toBe(true);
      expect(w.counts).toEqual({ done: 10, failed: 0, dropped: 0 });
    });
});

test("a batch waits no longer than it should, though ticks come seldom", async () => {
  const w = new World({ lanes: 2, batchRows: 100, batchWaitMs: 10 });
  w.push("a", 1);
  await w.turn();
  await w.passWithoutTicks(5);
  w.push("b", 1);
  await w.turn();
  await w.passWithoutTicks(4);
  expect(w.requests.length).toBe(0);
  await w.passWithoutTicks(1);
  expect(w.requests.map((r) => names(r.batch.items))).toEqual(["a1"]);
  await w.passWithoutTicks(5);
  expect(w.requests.map((r) => names(r.batch.items))).toEqual(["a1", "b1"]);
});
