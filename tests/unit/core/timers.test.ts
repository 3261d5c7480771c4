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

  test("stop when they are told to, and go on in order", () => {
    const t = new Timers();
    const seen: number[] = [];
    for (let i = 0; i < 5; i++) t.add(mono(5 - i), () => seen.push(5 - i));
    let left = 2;
    expect(t.run(mono(5), never, () => --left > 0)).toBe(false);
    expect(seen).toEqual([1, 2]);
    t.add(mono(2), () => seen.push(2.5));
    expect(t.run(mono(5), never, () => true)).toBe(true);
    expect(seen).toEqual([1, 2, 2.5, 3, 4, 5]);
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

  for (const [what, at] of [
    ["for now", 1000],
    ["for a whole turn of the wheel later", 1000 + 512 * 500],
  ] as const) {
    test(`a visit that plans the next one ${what} is not followed by it at once`, () => {
      const wheel = new Wheel<{ visitAt: number }>(mono(0));
      const t = { visitAt: 0 };
      let visits = 0;
      const visit = (): void => {
        if (++visits < 10) wheel.plan(t, mono(at));
      };
      wheel.plan(t, mono(1000));
      wheel.run(mono(1000), visit);
      wheel.run(mono(1000), visit);
      expect(visits).toBe(1);
      wheel.run(mono(at + 500), visit);
      expect(visits).toBeGreaterThan(1);
    });
  }

  test("stops when it is told to, and goes on where it was; whatever is removed or planned meanwhile counts", () => {
    const wheel = new Wheel<{ visitAt: number; name: string }>(mono(0));
    const all = [..."abcdef"].map((name) => ({ visitAt: 0, name }));
    for (const t of all) wheel.plan(t, mono(1000));
    const seen: string[] = [];
    let left = 2;
    const run = (now: number): boolean =>
      wheel.run(
        mono(now),
        (t) => void seen.push(t.name),
        () => --left > 0,
      );
    expect(run(1000)).toBe(false);
    expect(seen.join("")).toBe("ab");
    expect(wheel.size).toBe(4);
    const [, , c, d] = all as [never, never, (typeof all)[0], (typeof all)[0]];
    wheel.remove(c);
    wheel.remove(d);
    wheel.plan(d, mono(1500));
    left = 10;
    expect(run(1000)).toBe(true);
    expect(seen.join("")).toBe("abef");
    expect(run(1500)).toBe(true);
    expect(seen.join("")).toBe("abefd");
    expect(wheel.size).toBe(0);
  });

  test("a clock that jumps far ahead visits everything once", () => {
    const { wheel, visited, run } = visitor();
    for (let i = 1; i <= 500; i++) wheel.plan({ visitAt: 0 }, mono(i * 500));
    run(10_000_000);
    expect(visited).toHaveLength(500);
  });
});
