import { describe, expect, test } from "bun:test";
import { Timers, Wheel } from "../../../server/core/timers.ts";
import { mono } from "../../support/time.ts";

const never = (): void => {
  throw new Error("must not run");
};

describe("Timers", () => {
  test("run in the order of their times, equal ones in the order of adding", () => {
    const t = new Timers();
    const seen: string[] = [];
    for (const [name, at] of [
      ["c", 30],
      ["a", 10],
      ["b", 20],
      ["b2", 20],
      ["d", 40],
    ] as const)
      t.add(mono(at), () => seen.push(name));
    t.run(mono(30), never);
    expect(seen).toEqual(["a", "b", "b2", "c"]);
    t.run(mono(1000), never);
    expect(seen.at(-1)).toBe("d");
  });

  test("a cancelled one does not run, a late cancel does nothing, a failure is reported and the rest runs", () => {
    const t = new Timers();
    const seen: unknown[] = [];
    t.add(mono(1), never)();
    const cancel = t.add(mono(2), () => seen.push("ran"));
    t.add(mono(1), never);
    t.run(mono(5), (err) => seen.push((err as Error).message));
    cancel();
    expect(seen).toEqual(["must not run", "ran"]);
    expect(t.size).toBe(0);
  });

  test("cancelled timers of the far future do not pile up", () => {
    const t = new Timers();
    const seen: number[] = [];
    for (let i = 0; i < 100; i++) t.add(mono(1000 - i), () => seen.push(1000 - i));
    for (let i = 0; i < 100_000; i++) t.add(mono(1e12 + i), never)();
    expect(t.size).toBeLessThan(2500);
    t.run(mono(1000), never);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => 901 + i));
  });
});

describe("Wheel", () => {
  const visitor = (): { wheel: Wheel<{ visitAt: number }>; visited: { visitAt: number }[]; run: (now: number) => void } => {
    const wheel = new Wheel<{ visitAt: number }>(mono(0));
    const visited: { visitAt: number }[] = [];
    return { wheel, visited, run: (now) => wheel.run(mono(now), (t) => void visited.push(t)) };
  };

  test("visits once, at or shortly after the time", () => {
    const { wheel, visited, run } = visitor();
    const t = { visitAt: 0 };
    wheel.plan(t, mono(1300));
    run(1299);
    expect(visited).toHaveLength(0);
    run(1500);
    expect(visited).toEqual([t]);
    run(600_000);
    expect(visited).toHaveLength(1);
  });

  test("the earlier of two plans counts; a removed one is not visited and not held", () => {
    const { wheel, visited, run } = visitor();
    const [early, gone] = [{ visitAt: 0 }, { visitAt: 0 }];
    wheel.plan(early, mono(5000));
    wheel.plan(early, mono(2000));
    wheel.plan(early, mono(9000));
    wheel.plan(gone, mono(2000));
    wheel.remove(gone);
    run(2000);
    expect(visited).toEqual([early]);
    run(10_000);
    expect(visited).toEqual([early]);
  });

  test("beyond one turn it is visited early, to be planned again", () => {
    const { wheel, visited, run } = visitor();
    wheel.plan({ visitAt: 0 }, mono(1_000_000));
    run(255_000);
    expect(visited).toHaveLength(0);
    run(255_500);
    expect(visited).toHaveLength(1);
  });

  test("one removed by another's visit in the same slot stays unvisited", () => {
    const wheel = new Wheel<{ visitAt: number }>(mono(0));
    const [a, b] = [{ visitAt: 0 }, { visitAt: 0 }];
    wheel.plan(a, mono(1000));
    wheel.plan(b, mono(1000));
    const seen: unknown[] = [];
    wheel.run(mono(1000), (t) => {
      seen.push(t);
      wheel.remove(t === a ? b : a);
    });
    expect(seen).toEqual([a]);
  });

  test("a clock that jumps far ahead visits everything once", () => {
    const { wheel, visited, run } = visitor();
    for (let i = 1; i <= 500; i++) wheel.plan({ visitAt: 0 }, mono(i * 500));
    run(10_000_000);
    expect(visited).toHaveLength(500);
  });
});
