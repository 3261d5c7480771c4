/** More calls than are answered: who came last goes first, so that as many are answered as the server can. */
import { describe, expect, test } from "bun:test";
import type { MonoMs } from "../../../../server/lib/time.ts";
import { Calls, type Rank } from "../../../../server/plugins/_backend/calls.ts";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";

const LIMIT_MS = 1000;
const STEP_MS = 10;

/** Lines to a server that works on `pool` questions at a time, in order, `takes` ms on the next one, also where nobody waits for it any more. */
function served(takes: (rank: Rank) => number, pool = 4) {
  let now = 0;
  const calls = new Calls({ now: () => now as MonoMs, atATime: pool, waitingMax: 10_000, timeoutMs: LIMIT_MS });
  const there: { readonly ms: number; done(): void }[] = [];
  const under = new Set<{ readonly end: number; done(): void }>();
  const outcomes = { answered: 0, notAsked: 0, unanswered: 0, asked: 0 };
  const ask = (rank: Rank = "first", unnoticed = false): void => {
    const question = (): Promise<void> => {
      outcomes.asked++;
      return new Promise((done) => void there.push({ ms: takes(rank), done }));
    };
    void calls
      .run(question, () => true, unnoticed, rank)
      .then(
        () => outcomes.answered++,
        (err: unknown) => {
          const isWaiting = err instanceof BackendError && err.message.includes("its turn did not come");
          outcomes[isWaiting ? "notAsked" : "unanswered"]++;
        },
      );
  };
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) await Promise.resolve();
  };
  const work = (): void => {
    while (under.size < pool) {
      const next = there.shift();
      if (next === undefined) return;
      under.add({ end: now + next.ms, done: next.done });
    }
  };
  /** So long, with so many calls a second. Whether any was late, and what came of them. */
  const pass = async (ms: number, perSecond: number, rank?: Rank) => {
    const before = { ...outcomes };
    let late = false;
    let due = 0;
    for (let t = 0; t < ms; t += STEP_MS) {
      for (due += (perSecond * STEP_MS) / 1000; due >= 1; due--) ask(rank);
      work();
      now += STEP_MS;
      for (const one of under) if (one.end <= now && under.delete(one)) one.done();
      await settle();
      if (now % 100 > 0) continue;
      calls.expire();
      late ||= calls.late;
      calls.next();
      await settle();
    }
    const { answered, notAsked, unanswered, asked } = outcomes;
    return {
      late,
      answered: answered - before.answered,
      notAsked: notAsked - before.notAsked,
      unanswered: unanswered - before.unanswered,
      asked: asked - before.asked,
    };
  };
  return { calls, ask, pass, settle, outcomes };
}

/** One behind another, again and again. */
function inTurn(...ms: readonly number[]): () => number {
  let i = 0;
  return () => ms[i++ % ms.length] as number;
}

describe("asked half as much again as it can answer, it answers as much as it can", () => {
  // A mean of 100 ms, four at a time: 40 a second.
  for (const [how, takes, least] of [
    ["as fast each time", inTurn(100), 780],
    ["now fast, now slowly", inTurn(20, 20, 260, 20, 180), 720],
    ["some much more slowly", inTurn(50, 50, 50, 50, 50, 50, 50, 450), 720],
  ] as const)
    test(how, async () => {
      const { pass } = served(takes);
      await pass(10_000, 60);
      const { late, answered, notAsked } = await pass(20_000, 60);
      expect(late).toBe(true);
      expect(answered).toBeGreaterThan(least);
      expect(notAsked).toBeGreaterThan(350);
    });

  test("also one at a time", async () => {
    const { pass } = served(() => 200, 1);
    await pass(10_000, 8);
    const { answered } = await pass(20_000, 8);
    expect(answered).toBeGreaterThan(95);
  });

  test("also when it gets slower all at once, and faster again: then nobody goes without", async () => {
    let ms = 100;
    const { pass } = served(() => ms);
    await pass(10_000, 60);
    ms = 400;
    await pass(5000, 60);
    // Ten a second.
    expect((await pass(20_000, 60)).answered).toBeGreaterThan(190);
    ms = 20;
    await pass(2000, 60);
    const after = await pass(10_000, 60);
    expect(after).toMatchObject({ notAsked: 0, unanswered: 0, late: false });
    // The last may still be under way.
    expect(after.answered).toBeGreaterThan(595);
  });
});

test("a burst that is answered in time is, to the last one", async () => {
  const { ask, pass } = served(() => 100);
  await pass(5000, 30);
  for (let i = 0; i < 30; i++) ask();
  expect(await pass(2000, 0)).toMatchObject({ notAsked: 0, unanswered: 0, late: false });
});

test("however many are not answered, who comes where nobody waits is asked", async () => {
  const { pass } = served(() => 1e9);
  expect(await pass(60_000, 3)).toMatchObject({ asked: 180, notAsked: 0 });
  expect((await pass(60_000, 40)).asked).toBeGreaterThan(200);
});

test("two lines each have those who came last first, and share their turns as ever", async () => {
  const { pass, calls, ask, outcomes } = served(() => 100);
  for (let i = 0; i < 100; i++) ask("second");
  await pass(5000, 60);
  outcomes.answered = 0;
  const { answered } = await pass(10_000, 60);
  expect(answered).toBeGreaterThan(380);
  expect(calls.running).toBeLessThanOrEqual(4);
});
