/** The line of calls: every way from waiting to settled, and that no place is lost on any. */
import { describe, expect, test } from "bun:test";
import type { MonoMs } from "../../../../server/lib/time.ts";
import { Calls, type Rank } from "../../../../server/plugins/_backend/calls.ts";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";

function setUp(o: { atATime?: number; waitingMax?: number } = {}) {
  const clock = { ms: 0 };
  const calls = new Calls({ now: () => clock.ms as MonoMs, atATime: o.atATime ?? 2, waitingMax: o.waitingMax ?? 3, timeoutMs: 1000 });
  const asked: string[] = [];
  const answers = new Map<string, PromiseWithResolvers<string>>();
  const outcomes = new Map<string, string>();
  const call = (name: string, wanted: () => boolean = () => true, rank?: Rank): void => {
    calls
      .run(
        () => {
          asked.push(name);
          const answer = Promise.withResolvers<string>();
          answers.set(name, answer);
          return answer.promise;
        },
        wanted,
        false,
        rank,
      )
      .then(
        (value) => outcomes.set(name, value),
        (err: unknown) => outcomes.set(name, err instanceof BackendError ? err.kind : String(err)),
      );
  };
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const second = (name: string): void => call(name, undefined, "second");
  return { clock, calls, asked, answers, outcomes, call, second, settle };
}

describe("the line", () => {
  test("so many run, the others wait in order, one too many is refused", async () => {
    const { calls, asked, answers, outcomes, call, settle } = setUp();
    for (const name of ["a", "b", "c", "d", "e", "f"]) call(name);
    await settle();
    expect(asked).toEqual(["a", "b"]);
    expect([calls.running, calls.waiting]).toEqual([2, 3]);
    expect(outcomes.get("f")).toBe("busy");
    answers.get("b")?.resolve("B");
    await settle();
    expect(asked).toEqual(["a", "b", "c"]);
    answers.get("a")?.reject(new Error("no"));
    await settle();
    expect(asked).toEqual(["a", "b", "c", "d"]);
    expect([outcomes.get("a"), outcomes.get("b")]).toEqual(["Error: no", "B"]);
  });

  test("who is not wanted any more is not asked, and takes no place", async () => {
    const { calls, asked, answers, outcomes, call, settle } = setUp({ atATime: 1 });
    let wanted = true;
    call("a");
    call("b", () => wanted);
    call("c");
    wanted = false;
    answers.get("a")?.resolve("A");
    await settle();
    expect(asked).toEqual(["a", "c"]);
    expect(outcomes.get("b")).toBe("gone");
    expect([calls.running, calls.waiting]).toEqual([1, 0]);
  });
});

describe("the second line", () => {
  test("lets the first pass, and has one turn of four", async () => {
    const { calls, asked, answers, call, second, settle } = setUp({ atATime: 1, waitingMax: 10 });
    second("t0");
    for (const i of [1, 2, 3]) second(`t${i}`);
    for (const i of [1, 2, 3, 4, 5, 6, 7]) call(`c${i}`);
    expect([calls.running, calls.waiting]).toEqual([1, 10]);
    for (let at = 0; at < asked.length; at++) {
      answers.get(asked[at] as string)?.resolve("good");
      await settle();
    }
    expect(asked).toEqual(["t0", "c1", "c2", "c3", "t1", "c4", "c5", "c6", "t2", "c7", "t3"]);
    call("c8");
    second("t4");
    expect(asked.at(-1)).toBe("c8");
  });

  test("who waits in it takes no place in the first", async () => {
    const { outcomes, asked, answers, call, second, settle } = setUp({ atATime: 1, waitingMax: 2 });
    for (const name of ["t0", "t1", "t2", "t3"]) second(name);
    call("c1");
    await settle();
    expect([...outcomes]).toEqual([["t3", "busy"]]);
    answers.get("t0")?.resolve("good");
    await settle();
    expect(asked).toEqual(["t0", "c1"]);
  });

  test("ends in time, also when it runs behind one that came later", async () => {
    const { clock, calls, asked, answers, outcomes, call, second, settle } = setUp();
    call("c1");
    call("c2");
    second("t1");
    second("t2");
    clock.ms = 500;
    call("c3");
    answers.get("c1")?.resolve("good");
    answers.get("c2")?.resolve("good");
    await settle();
    expect(asked).toEqual(["c1", "c2", "c3", "t1"]);
    clock.ms = 1000;
    expect([calls.expire().length, calls.late]).toEqual([1, true]);
    await settle();
    expect([outcomes.get("t1"), outcomes.get("t2"), outcomes.get("c3")]).toEqual(["timeout", "timeout", undefined]);
  });

  test("is refused and closed with the first", async () => {
    const { calls, outcomes, call, second, settle } = setUp({ atATime: 1 });
    call("c1");
    second("t1");
    calls.refuse(new BackendError("down", "it is down"));
    second("t2");
    await settle();
    expect([...outcomes]).toEqual([["t1", "down"]]);
    calls.close(new BackendError("gone", "closed"));
    await settle();
    expect([outcomes.get("t2"), calls.waiting]).toEqual(["gone", 0]);
  });
});

describe("time", () => {
  test("runs from the call, waiting included; a late answer changes nothing and frees no second place", async () => {
    const { clock, calls, asked, answers, outcomes, call, settle } = setUp({ atATime: 1 });
    call("a");
    clock.ms = 400;
    call("b");
    clock.ms = 999;
    expect(calls.expire()).toHaveLength(0);
    clock.ms = 1000;
    expect(calls.expire()).toHaveLength(1);
    calls.next();
    await settle();
    expect(outcomes.get("a")).toBe("timeout");
    expect(asked).toEqual(["a", "b"]);
    answers.get("a")?.resolve("late");
    await settle();
    expect([calls.running, outcomes.get("a")]).toEqual([1, "timeout"]);
    clock.ms = 1400;
    expect(calls.expire()).toHaveLength(1);
    calls.next();
    await settle();
    expect([outcomes.get("b"), calls.running]).toEqual(["timeout", 0]);
  });

  test("what only waited does not count as hung", async () => {
    const { clock, calls, outcomes, call, settle } = setUp({ atATime: 1 });
    call("a");
    call("b");
    clock.ms = 1000;
    expect(calls.expire()).toHaveLength(1);
    calls.next();
    await settle();
    expect([outcomes.get("a"), outcomes.get("b"), calls.waiting, calls.running]).toEqual(["timeout", "timeout", 0, 0]);
  });

  test("the question hears how long its answer is awaited", async () => {
    const { clock, calls } = setUp();
    const heard: number[] = [];
    clock.ms = 100;
    const run = calls.run(
      async (left) => {
        heard.push(left());
        clock.ms = 700;
        heard.push(left());
      },
      () => true,
    );
    await run;
    expect(heard).toEqual([1000, 400]);
  });
});

test("refuse ends the waiting ones, close everybody and whoever comes later", async () => {
  const { calls, outcomes, call, settle } = setUp({ atATime: 1 });
  call("a");
  call("b");
  calls.refuse(new BackendError("down", "it is down"));
  await settle();
  expect([outcomes.get("a"), outcomes.get("b")]).toEqual([undefined, "down"]);
  calls.close(new BackendError("gone", "closed"));
  call("c");
  await settle();
  expect([outcomes.get("a"), outcomes.get("c"), calls.running, calls.waiting]).toEqual(["gone", "gone", 0, 0]);
});
