/** A server that answers some questions and not others: what that costs those who are answered, and what is told of it. */
import { describe, expect, test } from "bun:test";
import { setUp } from "./world.ts";

type World = ReturnType<typeof setUp>;

/** So many questions that are never answered, at once. */
async function hang({ world, ask, pass, settle }: World, n: number, ms = 1000): Promise<string[]> {
  world.mode = "hangs";
  const asked = Array.from({ length: n }, () => ask());
  await settle();
  world.mode = "up";
  await pass(ms);
  return Promise.all(asked);
}

const told = ({ log, alarms }: World): [lines: string[], alarms: number] => [
  log.lines.map((l) => l.message),
  alarms.filter((a) => a !== null).length,
];

describe("probes are answered, questions are not", () => {
  test("down until a question is answered: told once, whatever probes say", async () => {
    const w = setUp("up", 8);
    await w.settle();
    expect(await hang(w, 5)).toEqual(Array.from({ length: 5 }, () => "! timeout"));
    for (let round = 0; round < 30; round++) {
      await w.pass(500);
      await hang(w, 3);
      expect(w.state()).toBe("down");
    }
    expect(told(w)).toEqual([["server is down"], 1]);
    await w.pass(3000);
    expect([await w.ask(), w.state()]).toEqual([expect.stringMatching(/^q by /), "up"]);
    expect(told(w)).toEqual([["server is down", "server is back"], 1]);
  });

  test("too late is no answer", async () => {
    const w = setUp("up", 8);
    await w.settle();
    for (let round = 0; round < 10; round++) {
      w.world.mode = "hangs";
      void w.ask();
      await w.settle();
      w.world.mode = "up";
      await w.pass(1300);
      for (const late of [...w.hung.values()].flat()) late.resolve("late");
      await w.settle();
    }
    expect(told(w)).toEqual([["server is down"], 1]);
    expect(w.state()).toBe("down");
  });

  test("gone meanwhile, and back: a probe says so", async () => {
    const w = setUp("up", 8);
    await w.settle();
    await hang(w, 5, 1100);
    w.world.mode = "away";
    await w.pass(3000);
    w.world.mode = "up";
    await w.pass(1500);
    expect(w.state()).toBe("up");
  });

  test("nobody has asked meanwhile: a server that stood still and goes on is found by probes", async () => {
    const w = setUp("up", 8);
    await w.settle();
    w.world.mode = "hangs";
    await w.pass(12_000);
    expect(w.state()).toBe("down");
    w.world.mode = "up";
    await w.pass(3000);
    expect(w.state()).toBe("up");
  });

  test("questions went unanswered: an answered probe brings it back only where it is such a question itself", async () => {
    for (const [proves, found] of [
      [true, "down"],
      ["always", "up"],
    ] as const) {
      const w = setUp("up", 8, proves);
      await w.settle();
      await hang(w, 5);
      expect(w.state()).toBe("down");
      await w.pass(3000);
      expect(w.state()).toBe(found);
    }
  });

  test("nobody asks any more: taken for back after a minute of answered probes, and the next question that hangs brings it down again", async () => {
    const w = setUp("up", 8);
    await w.settle();
    await hang(w, 5);
    await w.pass(55_000);
    expect([w.state(), w.standing.size]).toEqual(["down", 1]);
    await w.pass(6000);
    expect([w.state(), w.standing.size]).toEqual(["up", 0]);
    expect(told(w)).toEqual([["server is down", "server answers probes and nobody asks it: taken for back"], 1]);
    expect(w.log.lines.at(-1)).toMatchObject({ level: "notice", fields: { server: "Server", seconds: 60 } });
    // However many probes are answered in between.
    await w.pass(30_000);
    expect(await hang(w, 1)).toEqual(["! timeout"]);
    expect([w.state(), w.standing.size, ...told(w)[0].slice(2)]).toEqual(["down", 1, "server is down"]);
  });

  test("taken for back, and a question is answered: it takes five again", async () => {
    const w = setUp("up", 8);
    await w.settle();
    await hang(w, 5);
    await w.pass(61_000);
    expect(await w.ask()).toStartWith("q by ");
    await hang(w, 4);
    expect([w.state(), w.standing.size]).toEqual(["degraded", 0]);
  });

  test("nobody asks, and it is gone meanwhile: it stays down until it is there again", async () => {
    const w = setUp("up", 8);
    await w.settle();
    await hang(w, 5);
    await w.pass(20_000);
    w.world.mode = "away";
    await w.pass(100_000);
    expect([w.state(), w.standing.size]).toEqual(["down", 1]);
    w.world.mode = "up";
    await w.pass(1500);
    expect([w.state(), ...told(w)]).toEqual(["up", ["server is down", "server is back"], 1]);
  });

  test("where a probe is only a connection: gone and back, and nobody asks", async () => {
    const w = setUp("up", 8, false);
    await w.settle();
    w.world.mode = "away";
    for (let i = 0; i < 5; i++) await w.ask();
    w.world.mode = "up";
    await w.pass(30_000);
    expect([w.state(), w.standing.size]).toEqual(["down", 1]);
    await w.pass(33_000);
    expect([w.state(), w.standing.size]).toEqual(["up", 0]);
    w.world.mode = "away";
    expect([await w.ask(), w.state(), w.standing.size]).toEqual(["! down", "down", 1]);
  });

  test("there are two drivers at most", async () => {
    const w = setUp("up", 2);
    await w.settle();
    let most = 0;
    for (let round = 0; round < 100; round++) {
      w.world.mode = round % 10 === 9 ? "away" : "hangs";
      void w.ask();
      await w.settle();
      w.world.mode = round % 4 === 0 ? "hangs" : "up";
      await w.pass(300);
      most = Math.max(most, w.drivers.filter((d) => !d.closed).length);
    }
    expect(most).toBe(2);
  });
});

describe("some questions hang, or their part of the server is away", () => {
  test("while others are answered it is not down, however many there are", async () => {
    const w = setUp("up", 64);
    await w.settle();
    const answers: string[] = [];
    for (let round = 0; round < 60; round++) {
      w.world.mode = "hangs";
      for (let i = 0; i < 4; i++) void w.ask();
      await w.settle();
      w.world.mode = "up";
      await w.pass(100);
      answers.push((await w.ask()).slice(0, 4));
    }
    expect(new Set(answers)).toEqual(new Set(["q by"]));
    expect([w.state(), ...told(w)]).toEqual(["degraded", [], 0]);
  });

  test("when nobody is answered any more it is", async () => {
    const w = setUp("up", 64);
    await w.settle();
    await w.ask();
    await w.pass(100);
    await hang(w, 5);
    expect(w.state()).toBe("down");
  });

  test("of a part nobody counts the failures", async () => {
    const w = setUp();
    await w.settle();
    w.world.mode = "part";
    for (let i = 0; i < 50; i++) expect(await w.ask()).toBe("! down");
    expect([w.state(), w.backend.status().failed, ...told(w)]).toEqual(["degraded", 50, [], 0]);
    w.world.mode = "up";
    expect(await w.ask()).toStartWith("q by ");
  });

  test("and one that was the call behind a probe lets the next one through", async () => {
    const w = setUp("up", 8, false);
    await w.settle();
    await hang(w, 5, 1500);
    w.world.mode = "part";
    expect([await w.ask(), await w.ask()]).toEqual(["! down", "! down"]);
    w.world.mode = "up";
    expect([await w.ask(), w.state()]).toEqual([expect.stringMatching(/^q by /), "up"]);
  });
});

test("questions that take a connection of their own: no more at a time than connections, and the others do not wait for them", async () => {
  const w = setUp("up", 2);
  await w.settle();
  w.world.mode = "hangs";
  const apart = Array.from({ length: 600 }, () => w.askApart("bind"));
  await w.settle();
  expect(w.questions.filter((q) => q === "bind")).toHaveLength(2);
  expect(w.backend.status()).toMatchObject({ running: 2, waiting: 512, busy: 86 });
  w.world.mode = "up";
  expect(await w.ask()).toBe("q by 0");
  await w.pass(1000);
  expect(new Set(await Promise.all(apart))).toEqual(new Set(["! timeout", "! busy"]));
});
