/** A cluster of three, as far as its servers' breakers can tell. */
import { describe, expect, test } from "bun:test";
import { judgeRedis } from "../../../../server/plugins/_redis/driver.ts";
import { ShardAway, Shards } from "../../../../server/plugins/_redis/shards.ts";
import { FakeClock } from "../../../support/access.ts";

const reply = (text: string): Error => Object.assign(new Error(text), { name: "ReplyError" });
const silent = new Error("Command timed out");

/** One slot for each server: 0 is a's, 1 is b's, 2 is c's, 3 is nobody's. */
function setUp() {
  const clock = new FakeClock();
  const shards = new Shards(
    () => clock.mono(),
    (err) => judgeRedis(err) === "refused",
  );
  const nodes = ["a", "b", "c"].map((host) => ({ options: { host, port: 1 } }));
  const cluster = { slots: [["a:1"], ["b:1", "a:1"], ["c:1"]], nodes: () => nodes };
  const asked: number[] = [];
  /** What came of a question; `answer`: an error, or what is answered. */
  const ask = (slot: number, answer: unknown): Promise<string> =>
    shards
      .ask(cluster as never, { getSlot: () => slot } as never, async () => {
        asked.push(slot);
        if (answer instanceof Error) throw answer;
        return String(answer);
      })
      .catch((err: unknown) => (err instanceof ShardAway ? `part: ${err.message}` : `all: ${String((err as Error).message)}`));
  return { clock, asked, ask };
}

describe("one of them is silent", () => {
  test("after three of its users the next ones are refused unasked; the others are asked all the time", async () => {
    const { asked, ask } = setUp();
    for (let i = 0; i < 3; i++) expect(await ask(1, silent)).toBe("part: b:1: Command timed out");
    expect([await ask(1, "x"), await ask(0, "x"), await ask(2, "x")]).toEqual(["part: b:1 does not answer", "x", "x"]);
    expect(asked).toEqual([1, 1, 1, 0, 2]);
  });

  test("now and then one of its own asks it, and when it answers all do", async () => {
    const { clock, asked, ask } = setUp();
    for (let i = 0; i < 3; i++) await ask(1, silent);
    let tries = 0;
    for (let ms = 0; ms < 10_000; ms += 10) {
      clock.forward(10);
      asked.length = 0;
      await ask(1, silent);
      tries += asked.length;
    }
    expect(tries).toBeGreaterThan(7);
    expect(tries).toBeLessThan(16);
    clock.forward(1300);
    expect([await ask(1, "x"), await ask(1, "y"), await ask(1, "z")]).toEqual(["x", "y", "z"]);
  });

  test("one that is busy with itself is silent, too; one that says no to a question is not", async () => {
    const { asked, ask } = setUp();
    for (let i = 0; i < 4; i++) await ask(1, reply("LOADING Redis is loading the dataset in memory"));
    expect(asked).toEqual([1, 1, 1]);
    for (let i = 0; i < 4; i++) expect(await ask(2, reply("WRONGTYPE Operation"))).toBe("all: WRONGTYPE Operation");
    expect(asked).toEqual([1, 1, 1, 2, 2, 2, 2]);
  });
});

test("all of them are silent: that is the cluster's fault, not a part's", async () => {
  const { ask } = setUp();
  for (const slot of [0, 1, 2]) for (let i = 0; i < 3; i++) await ask(slot, silent);
  expect([await ask(0, "x"), await ask(1, "x"), await ask(2, "x")]).toEqual([
    "all: a:1 does not answer",
    "all: b:1 does not answer",
    "all: c:1 does not answer",
  ]);
});

test("what has no server of its own is asked of anybody", async () => {
  const { ask } = setUp();
  for (let i = 0; i < 5; i++) expect(await ask(3, reply("CLUSTERDOWN Hash slot not served"))).toStartWith("all: CLUSTERDOWN");
  expect(await ask(3, "x")).toBe("x");
});
