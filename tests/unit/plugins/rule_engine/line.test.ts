import { describe, expect, test } from "bun:test";
import type { Noted } from "../../../../server/plugins/rule_engine/columns.ts";
import { PUBLISH } from "../../../../server/plugins/rule_engine/events.ts";
import { Line } from "../../../../server/plugins/rule_engine/line.ts";

const noted = (at: number, bytes = 10): Noted => ({
  event: PUBLISH,
  message: null,
  client: null,
  clientId: "",
  at,
  lineage: null,
  more: null,
  bytes,
});

function line(limit: number, { cost = 0, onEvaluate = (_: string, __: number): unknown => false } = {}) {
  let time = 0;
  let looks = 0;
  const later: (() => void)[] = [];
  const done: string[] = [];
  const dropped: string[] = [];
  const it: Line<string> = new Line<string>({
    soon: (fn) => void later.push(fn),
    mono: () => {
      looks++;
      return time;
    },
    begin: () => {},
    next: () => {},
    evaluate: (consumer, n) => {
      time += cost;
      done.push(`${consumer}${n.at}`);
      return onEvaluate(consumer, n.at) === true;
    },
    dropped: (consumers) => void dropped.push(consumers.join("")),
    limit: () => limit,
  });
  /** A turn of the event loop; false = nothing was to be done. */
  const turn = (): boolean => {
    const fns = later.splice(0);
    for (const fn of fns) fn();
    return fns.length > 0;
  };
  return { it, done, dropped, turn, turns: () => later.length, looks: () => looks };
}

describe("events wait for their turn", () => {
  test("in order, every consumer of one before the next one; nothing happens at once", () => {
    const { it, done, turn, turns } = line(1e6);
    it.add(noted(1), ["a", "b"]);
    it.add(noted(2), ["a"]);
    expect([done, it.size, it.bytes, turns()]).toEqual([[], 2, 20, 1]);
    expect(turn()).toBe(true);
    expect(done).toEqual(["a1", "b1", "a2"]);
    expect([it.size, it.bytes, turn()]).toEqual([0, 0, false]);
  });

  test("in slices: what one turn has no time for comes in the next one, in the middle of an event's consumers too", () => {
    const { it, done, turn } = line(1e6, { cost: 1 });
    it.add(
      noted(1),
      Array.from({ length: 40 }, (_, i) => `c${i}-`),
    );
    it.add(noted(2), ["z"]);
    turn();
    expect(done).toHaveLength(4);
    expect(it.size).toBe(2);
    while (turn());
    expect(done).toHaveLength(41);
    expect(done.at(-1)).toBe("z2");
  });

  test("one that has more to do with an event goes on in the next turn, before anybody else", () => {
    let left = 10;
    const { it, done, turn } = line(1e6, { cost: 1, onEvaluate: (c) => c === "a" && --left > 0 });
    it.add(noted(1), ["a", "b"]);
    it.add(noted(2), ["b"]);
    turn();
    expect(done).toEqual(["a1", "a1", "a1", "a1"]);
    while (turn());
    expect(done).toEqual([...Array(10).fill("a1"), "b1", "b2"]);
  });

  test("large events, and any after one that took long, are looked at one by one; small ones are not", () => {
    const cheap = line(1e9);
    for (let i = 0; i < 1000; i++) cheap.it.add(noted(i), ["c"]);
    cheap.turn();
    expect(cheap.done).toHaveLength(1000);
    expect(cheap.looks()).toBeLessThan(80);
    const large = line(1e9);
    for (let i = 0; i < 1000; i++) large.it.add(noted(i, 100_000), ["c"]);
    large.turn();
    expect(large.looks()).toBeGreaterThan(1000);
    const slow = line(1e9, { cost: 2 });
    for (let i = 0; i < 10; i++) slow.it.add(noted(i), ["c"]);
    slow.turn();
    expect(slow.done).toHaveLength(2);
    slow.turn();
    expect(slow.done).toHaveLength(4);
  });

  test("what rules add meanwhile comes behind what is there", () => {
    const { it, done, turn } = line(1e6, { onEvaluate: (c, at) => (c === "a" && at < 3 ? it.add(noted(at + 2), ["a"]) : undefined) });
    it.add(noted(1), ["a"]);
    it.add(noted(2), ["b"]);
    while (turn());
    expect(done).toEqual(["a1", "b2", "a3"]);
  });
});

describe("what waits is bounded", () => {
  test("the oldest are given up; one that is too large alone is not taken", () => {
    const { it, done, dropped, turn } = line(30);
    for (let i = 1; i <= 5; i++) it.add(noted(i), [`c${i}`]);
    it.add(noted(9, 31), ["big"]);
    expect([dropped, it.bytes]).toEqual([["c1", "c2", "big"], 30]);
    while (turn());
    expect(done).toEqual(["c33", "c44", "c55"]);
  });

  test("an event in hand is not given up by what its rules add", () => {
    const seen: number[] = [];
    const { it, turn } = line(20, {
      onEvaluate: (_, at) => {
        seen.push(at);
        if (at === 1) for (let i = 10; i < 20; i++) it.add(noted(i), ["x"]);
      },
    });
    it.add(noted(1), ["a", "b"]);
    while (turn());
    expect(seen.slice(0, 2)).toEqual([1, 1]);
    expect(seen.at(-1)).toBe(19);
  });

  test("a burst of ten thousand keeps its order", () => {
    const { it, done, turn } = line(1e9);
    for (let i = 0; i < 10_000; i++) it.add(noted(i), ["c"]);
    while (turn());
    expect(done).toEqual(Array.from({ length: 10_000 }, (_, i) => `c${i}`));
    it.add(noted(1), ["d"]);
    turn();
    expect(done.at(-1)).toBe("d1");
  });

  test("closed, nothing is added; what is there can be worked off", () => {
    const { it, done, turn } = line(1e6);
    it.add(noted(1), ["a"]);
    it.close();
    it.add(noted(2), ["a"]);
    it.work(100);
    expect(done).toEqual(["a1"]);
    turn();
    expect(done).toEqual(["a1"]);
  });
});
