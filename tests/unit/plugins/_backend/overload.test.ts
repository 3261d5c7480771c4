/** A server that answers, but not as fast as it is asked: told once, apart from its being down, until it keeps up again. */
import { describe, expect, test } from "bun:test";
import { setUp } from "./world.ts";

type World = ReturnType<typeof setUp>;

/** So long it is asked thrice in a tick, and answers one of them. */
async function tooMuch({ world, ask, pass, hung, settle }: World, ms: number): Promise<void> {
  world.mode = "hangs";
  for (let t = 0; t < ms; t += 100) {
    for (let i = 0; i < 3; i++) void ask();
    await settle();
    for (const list of hung.values()) list.shift()?.resolve("good");
    await pass(100);
  }
}

const said = ({ log }: World): string[] => log.lines.map((l) => `${l.level} ${l.message}`);

describe("more is asked than is answered", () => {
  for (const [how, perConnection] of [
    ["in line", 1],
    ["on a connection, behind others", 8],
  ] as const)
    test(`calls end while they wait ${how}: an alarm of its own and one line, until it keeps up`, async () => {
      const w = setUp("up", 1, true, perConnection);
      await w.settle();
      await tooMuch(w, 5000);
      expect([...w.standing.keys()]).toEqual(["overloaded"]);
      expect(w.standing.get("overloaded")).toMatchObject({ severity: "warning", title: "Server is asked more than it answers" });
      expect(w.standing.get("overloaded")?.summary).toContain("the pool is too small, or the server too slow");
      expect(said(w)).toEqual(["warn server is asked more than it answers"]);
      w.world.mode = "up";
      for (const list of w.hung.values()) for (const p of list) p.resolve("good");
      await w.pass(1000);
      await w.ask();
      await w.pass(4800);
      expect(w.standing.size).toBe(0);
      expect(said(w).slice(1)).toEqual(["notice server keeps up again"]);
    });

  test("as many wait as may: the same", async () => {
    const w = setUp("up", 1);
    await w.settle();
    await w.ask();
    w.world.mode = "hangs";
    for (let i = 0; i < 257; i++) void w.ask();
    expect(await w.ask()).toBe("! busy");
    expect([...w.standing.keys()]).toEqual(["overloaded"]);
    await w.backend.close();
  });
});

test("nobody is answered at all: that is no overload, but a server that is down", async () => {
  const w = setUp("up", 1, true, 8);
  await w.settle();
  await w.ask();
  w.world.mode = "hangs";
  for (let i = 0; i < 40; i++) void w.ask();
  await w.pass(3000);
  expect([...w.standing.keys()]).toEqual(["down"]);
  expect(said(w)).toEqual(["warn server is down"]);
});

test("single questions that hang are none, either", async () => {
  const w = setUp("up", 64);
  await w.settle();
  for (let round = 0; round < 30; round++) {
    w.world.mode = "hangs";
    void w.ask();
    await w.settle();
    w.world.mode = "up";
    await w.ask();
    await w.pass(100);
  }
  expect([w.standing.size, said(w)]).toEqual([0, []]);
});
