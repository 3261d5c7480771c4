/** Rests of long work share one line, and a turn. */
import { describe, expect, test } from "bun:test";
import { Pieces } from "../../../server/core/pieces.ts";
import type { MonoMs } from "../../../server/lib/time.ts";
import { FakeClock } from "../../support/access.ts";
import { TestKit } from "../../support/test_broker.ts";

function line() {
  const clock = new FakeClock();
  const deferred: (() => void)[] = [];
  const done: string[] = [];
  const pieces = new Pieces(
    clock,
    (fn) => deferred.push(fn),
    () => done.push("settle"),
    (err) => done.push(`failed: ${(err as Error).message}`),
  );
  /** A turn of the event loop; what was done in it. */
  const turn = async (): Promise<string[]> => {
    for (const fn of deferred.splice(0)) fn();
    await Promise.resolve();
    return done.splice(0);
  };
  return { clock, pieces, deferred, done, turn };
}

describe("pieces", () => {
  test("in turn, as many as a turn has room for; what they add comes behind those that wait", async () => {
    const { clock, pieces, done, turn, deferred } = line();
    const work = (name: string, left: number) => (): void => {
      done.push(`${name}${left}`);
      clock.forward(2);
      if (left > 1) pieces.add(work(name, left - 1));
    };
    for (const name of ["a", "b", "c", "d"]) pieces.add(work(name, 2));
    expect(await turn()).toEqual(["settle", "a2", "b2", "c2", "settle"]);
    expect(await turn()).toEqual(["settle", "d2", "a1", "b1", "settle"]);
    expect(await turn()).toEqual(["settle", "c1", "d1", "settle"]);
    expect(deferred).toEqual([]);
  });

  test("one that takes long is alone in its turn, and nobody is left out", async () => {
    const { clock, pieces, done, turn } = line();
    for (const name of ["a", "b"])
      pieces.add(() => {
        done.push(name);
        clock.forward(1000);
      });
    expect(await turn()).toEqual(["settle", "a", "settle"]);
    expect(await turn()).toEqual(["settle", "b", "settle"]);
    expect(await turn()).toEqual([]);
  });

  test("one that throws costs nobody else the turn", async () => {
    const { pieces, done, turn } = line();
    pieces.add(() => done.push("a"));
    pieces.add(() => {
      throw new Error("b");
    });
    pieces.add(() => done.push("c"));
    expect(await turn()).toEqual(["settle", "a", "failed: b", "c", "settle"]);
    pieces.add(() => done.push("d"));
    expect(await turn()).toEqual(["settle", "d", "settle"]);
  });

  test("a turn costs what is done in it, however many wait", async () => {
    const { clock, pieces, turn } = line();
    const many = 40_000;
    let left = many;
    for (let i = 0; i < many; i++)
      pieces.add(() => {
        left--;
        clock.forward(1000);
      });
    const before = process.threadCpuUsage();
    while (left > 0) await turn();
    const { user } = process.threadCpuUsage(before);
    // Some 10 ms; 1.5 s and more where each turn moves those that wait.
    expect(user / 1000).toBeLessThan(500);
  });
});

test("a subscription that cannot be taken out of the router keeps no other one in", async () => {
  const kit = new TestKit();
  const c = kit.connected("c");
  const many = 3000;
  for (let n = 0; n < many; n++) kit.broker.subscribe("c", `f/${n}`, { qos: 0, nl: false, rap: false, rh: 0, subId: 0 });
  const { router } = kit.broker;
  const { remove } = router;
  let calls = 0;
  router.remove = (s) => {
    // Behind those that go at once.
    if (++calls === 2000) throw new Error("it is not there");
    remove.call(router, s);
  };
  c.channel.onClose("closed");
  for (let turns = 0; router.size > 1 && turns < 100; turns++) {
    kit.settle();
    await Promise.resolve();
  }
  expect(router.size).toBe(1);
  expect(kit.log.lines.filter(({ message }) => message === "long work failed")).toHaveLength(1);
});

test("many clients with many subscriptions that leave at once take no more of a turn than one", async () => {
  const kit = new TestKit();
  const options = { qos: 0, nl: false, rap: false, rh: 0, subId: 0 } as const;
  const clients = Array.from({ length: 20 }, (_, i) => kit.connected(`c${i}`));
  for (const [i] of clients.entries()) for (let n = 0; n < 3000; n++) kit.broker.subscribe(`c${i}`, `f/${i}/${n}`, options);
  const { router } = kit.broker;
  let most = 0;
  const { remove } = router;
  const mono = kit.clock.mono.bind(kit.clock);
  let removed = 0;
  // Each costs 2 µs.
  router.remove = (s) => {
    removed++;
    remove.call(router, s);
  };
  kit.clock.mono = () => (mono() + removed * 0.002) as MonoMs;
  for (const c of clients) c.transport.room = 0;
  for (const c of clients) c.channel.onClose("closed");
  most = removed;
  for (let turns = 0; router.size > 0 && turns < 1000; turns++) {
    const before = removed;
    kit.settle();
    await Promise.resolve();
    most = Math.max(most, removed - before);
  }
  expect(router.size).toBe(0);
  // 5 ms, and the piece that was begun in them.
  expect(most).toBeLessThanOrEqual(2500 + 500);
});
