/** One server outside: what is asked of it when, and what is told, while it comes, goes, hangs and errs. */
import { describe, expect, test } from "bun:test";
import { type Driver, setUp } from "./world.ts";

describe("at the start", () => {
  test("connecting until the first answer, then up; nothing is logged", async () => {
    const { state, settle, log, alarms, ask } = setUp();
    expect(state()).toBe("connecting");
    await settle();
    expect(state()).toBe("up");
    expect(await ask()).toBe("q by 0");
    expect([log.lines.length, alarms.filter((a) => a !== null).length]).toEqual([0, 0]);
  });

  test("a server that is not there: down, one alarm, one line, and nobody else asks it", async () => {
    const { state, settle, log, alarms, ask, questions } = setUp("away");
    await settle();
    expect(state()).toBe("down");
    const before = questions.length;
    expect(await ask()).toBe("! down");
    expect(questions.length).toBe(before);
    expect(log.lines.map((l) => `${l.level} ${l.message}`)).toEqual(["warn server cannot be reached"]);
    expect(alarms).toEqual([{ severity: "error", title: "Server is down", summary: "ECONNREFUSED" }]);
  });
});

describe("it goes and comes back", () => {
  test("five failures open the breaker, probes find it again, each told once", async () => {
    const { world, state, settle, log, alarms, ask, pass, questions, backend } = setUp();
    await settle();
    world.mode = "away";
    for (let i = 0; i < 5; i++) expect(await ask()).toBe("! down");
    expect(state()).toBe("down");
    const before = questions.length;
    for (let i = 0; i < 100; i++) await ask();
    expect(questions.length).toBe(before);
    expect(backend.status()).toMatchObject({ calls: 105, failed: 5, notAsked: 100 });
    await pass(10_000);
    // With a pause of a second at the longest, a fifth more or less.
    expect(questions.length - before).toBeGreaterThan(7);
    expect(questions.length - before).toBeLessThan(16);
    world.mode = "up";
    await pass(1300);
    expect(state()).toBe("up");
    expect(await ask()).toStartWith("q by ");
    expect(log.lines.map((l) => `${l.level} ${l.message}`)).toEqual(["warn server is down", "notice server is back"]);
    expect(alarms.map((a) => a?.title ?? "cleared")).toEqual(["Server is down", "cleared"]);
  });

  test("what a driver says of the server is told, and forgotten", async () => {
    const { world, state, settle, ask, pass, backend, standing } = setUp();
    await settle();
    world.mode = "says";
    await ask();
    expect(backend.status()).toMatchObject({ state: "degraded", lastError: "http 500", failed: 1 });
    world.mode = "up";
    await pass(10_000);
    expect(state()).toBe("up");
    world.mode = "says";
    for (let i = 0; i < 5; i++) await ask();
    expect(standing.get("down")).toMatchObject({ summary: "http 500" });
  });

  test("fewer failures only degrade it, and that is forgotten", async () => {
    const { world, state, settle, ask, pass } = setUp();
    await settle();
    world.mode = "away";
    for (let i = 0; i < 4; i++) await ask();
    expect(state()).toBe("degraded");
    world.mode = "up";
    expect(await ask()).toStartWith("q");
    await pass(9_900);
    expect(state()).toBe("degraded");
    await pass(200);
    expect(state()).toBe("up");
  });

  test("while nobody asks, it is asked now and then whether it is there", async () => {
    const { world, state, settle, pass, questions } = setUp();
    await settle();
    await pass(9_900);
    expect(questions).toEqual(["probe"]);
    await pass(200);
    expect(questions).toEqual(["probe", "probe"]);
    world.mode = "away";
    await pass(10_100);
    expect(state()).toBe("down");
  });
});

describe("connections are lost while nobody asks", () => {
  test("the server is gone: that is known at once", async () => {
    const { world, state, settle, pass, log } = setUp();
    await settle();
    await pass(3000);
    world.mode = "away";
    world.closesIdle = true;
    await pass(100);
    expect([state(), ...log.lines.map((l) => l.message)]).toEqual(["down", "server is down"]);
  });

  test("it was not the server, and the probe's connection goes with them: nobody is refused", async () => {
    const { world, state, settle, pass, ask, backend, log } = setUp("up", 4);
    await settle();
    await pass(3000);
    world.mode = "lost";
    world.lost = 4;
    world.closesIdle = true;
    await pass(100);
    expect(world.lost).toBeLessThanOrEqual(0);
    expect([state(), await ask(), log.lines]).toEqual(["up", "q by 0", []]);
    // Only questions are counted.
    expect(backend.status().retries).toBe(0);
  });

  test("the server closes them as soon as they are made: it is asked once a second, and is up", async () => {
    const { world, state, settle, pass, questions, log } = setUp();
    await settle();
    world.closesIdle = true;
    await pass(10_000);
    expect([state(), log.lines, questions.length]).toEqual(["up", [], 11]);
  });

  test("while it is down that is no news", async () => {
    const { world, settle, pass, questions } = setUp("away");
    await settle();
    await pass(5000);
    const before = questions.length;
    world.closesIdle = true;
    await pass(10_000);
    expect(questions.length - before).toBeLessThan(16);
  });
});

describe("a lost connection", () => {
  test("costs nobody an answer, as long as there are no more of them than connections", async () => {
    const { world, settle, ask, backend } = setUp("up", 4);
    await settle();
    world.mode = "lost";
    world.lost = 4;
    expect(await ask()).toBe("q by 0");
    expect(backend.status()).toMatchObject({ retries: 4, answered: 1, failed: 0 });
    world.lost = 100;
    expect(await ask()).toBe("! down");
    expect(backend.status().failed).toBe(1);
  });
});

describe("it hangs", () => {
  test("calls end in time, new ones get a new driver, the old one is closed; five of them open the breaker", async () => {
    const { world, settle, ask, pass, drivers, state, backend } = setUp("up", 8);
    await settle();
    world.mode = "hangs";
    const first = [ask(), ask()];
    await pass(1000);
    expect(await Promise.all(first)).toEqual(["! timeout", "! timeout"]);
    expect(state()).toBe("degraded");
    world.mode = "up";
    expect(await ask()).toBe("q by 1");
    await pass(1000);
    expect(drivers.map((d) => d.closed)).toEqual([true, false]);
    world.mode = "hangs";
    const more = Array.from({ length: 5 }, () => ask());
    const waiting = ask();
    await pass(1000);
    expect(await Promise.all(more)).toEqual(Array.from({ length: 5 }, () => "! timeout"));
    expect(await waiting).toBe("! timeout");
    expect(state()).toBe("down");
    expect(await ask()).toBe("! down");
    // Drivers of the time before have nobody to answer any more.
    await settle();
    expect(drivers.filter((d) => !d.closed).length).toBe(1);
    expect(backend.status()).toMatchObject({ timeouts: 8, running: 0, waiting: 0 });
  });

  test("a probe that hangs does not stop probing", async () => {
    const { world, settle, pass, state, questions } = setUp("away");
    await settle();
    world.mode = "hangs";
    await pass(10_000);
    const before = questions.length;
    expect(before).toBeGreaterThan(4);
    world.mode = "up";
    await pass(2500);
    expect(state()).toBe("up");
  });
});

describe("the server says no to a question", () => {
  test("it is there: degraded, never down, and its words are kept", async () => {
    const { world, settle, ask, state, backend, alarms, log } = setUp();
    await settle();
    world.mode = "refuses";
    for (let i = 0; i < 50; i++) expect(await ask()).toBe("! refused");
    expect(state()).toBe("degraded");
    expect(log.lines.map((l) => `${l.message}: ${String(l.fields.error)}`)).toEqual(["server refuses a question: no such table"]);
    expect(backend.status()).toMatchObject({ refused: 50, failed: 0, lastError: "no such table" });
    expect(alarms.filter((a) => a !== null)).toEqual([]);
  });
});

test("bounded: what cannot wait any more is told so at once, and nobody waits for a client that has left", async () => {
  const { world, settle, ask, backend, questions } = setUp("up", 1);
  await settle();
  world.mode = "hangs";
  let here = true;
  void ask("first");
  const waiting = Array.from({ length: 256 }, () => ask("later", () => here));
  expect(await ask()).toBe("! busy");
  expect(backend.status()).toMatchObject({ running: 1, waiting: 256, busy: 1 });
  here = false;
  await backend.close();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(["! gone"]));
  expect(questions.filter((q) => q === "later")).toEqual([]);
});

test("in use are no more than there are connections: what has left behind others on the same one waits", async () => {
  const { world, settle, ask, backend } = setUp("up", 2, true, 8);
  await settle();
  world.mode = "hangs";
  for (let i = 0; i < 20; i++) void ask();
  await settle();
  expect(backend.status()).toMatchObject({ running: 2, waiting: 18, pool: 2 });
  await backend.close();
});

test("bounded with many connections, too", async () => {
  const { world, settle, ask, backend } = setUp("up", 1024);
  await settle();
  world.mode = "hangs";
  for (let i = 0; i < 1024 + 8192; i++) void ask();
  expect([await ask(), backend.status().waiting]).toEqual(["! busy", 8192]);
  await backend.close();
});

test("unnoticed: it is asked, and whatever comes of it no figure, state, line or alarm is another one", async () => {
  const { world, settle, pass, backend, log, alarms, drivers, askUnnoticed, ask } = setUp("up", 8);
  await settle();
  const before = { status: backend.status(), alarms: alarms.length };
  const nothing = (): void => {
    expect(backend.status()).toEqual(before.status);
    expect([log.lines, alarms.length, drivers.length]).toEqual([[], before.alarms, 1]);
  };
  expect(await askUnnoticed()).toBe("q by 0");
  nothing();
  for (const [mode, answer] of [
    ["refuses", "! refused"],
    ["away", "! down"],
    ["part", "! down"],
  ] as const) {
    world.mode = mode;
    for (let i = 0; i < 8; i++) expect(await askUnnoticed()).toBe(answer);
    nothing();
  }
  world.mode = "hangs";
  const asked = Array.from({ length: 8 }, () => askUnnoticed());
  await settle();
  world.mode = "up";
  await pass(1000);
  expect(new Set(await Promise.all(asked))).toEqual(new Set(["! timeout"]));
  nothing();
  // It is known to be down: it is told so without asking, and takes nobody's turn.
  world.mode = "away";
  for (let i = 0; i < 5; i++) await ask();
  const { counts } = backend.figures;
  const failed = { ...counts };
  expect([await askUnnoticed(), counts]).toEqual(["! down", failed]);
});

test("every call is counted once, whatever comes of it", async () => {
  const { world, settle, ask, pass, backend } = setUp();
  await settle();
  for (const mode of ["up", "refuses", "away", "hangs", "up", "lost"] as const) {
    world.mode = mode;
    const asked = Array.from({ length: 7 }, (_, i) => ask("q", () => i % 3 !== 2));
    await pass(1500);
    await Promise.all(asked);
    world.mode = "up";
    await pass(3000);
  }
  const { calls, answered, refused, failed, timeouts, busy, gone, notAsked } = backend.status();
  expect(calls).toBe(42);
  expect(answered + refused + failed + timeouts + busy + gone + notAsked).toBe(42);
});

describe("the end", () => {
  test("retire lets the last answers come", async () => {
    const { world, settle, ask, backend, hung, drivers, pass } = setUp();
    await settle();
    world.mode = "hangs";
    const asked = ask();
    await settle();
    const retired = backend.retire(false);
    for (const p of [...hung.values()].flat()) p.resolve("late but good");
    expect(await asked).toBe("late but good");
    await pass(200);
    await retired;
    expect(drivers.every((d) => d.closed)).toBe(true);
  });

  test("close ends everything at once, and later calls too", async () => {
    const { world, settle, ask, backend, drivers, alarms } = setUp();
    await settle();
    world.mode = "hangs";
    const asked = ask();
    await settle();
    await backend.close();
    expect([await asked, await ask()]).toEqual(["! gone", "! gone"]);
    expect(drivers.every((d) => d.closed)).toBe(true);
    expect(alarms.filter((a) => a !== null)).toEqual([]);
  });
});

describe("where a probe proves little", () => {
  test("one call is let through; while it hangs nobody else is, and it is told as down all the time", async () => {
    const { world, settle, ask, pass, state, alarms, log, questions } = setUp("up", 8, false);
    await settle();
    world.mode = "hangs";
    const asked = Array.from({ length: 5 }, () => ask());
    await pass(1000);
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 5 }, () => "! timeout"));
    expect(state()).toBe("down");
    // Probes are answered, questions are not.
    let trials = 0;
    for (let round = 0; round < 90; round++) {
      world.mode = "up";
      await pass(100);
      world.mode = "hangs";
      const before = questions.length;
      void ask("trial");
      void ask("trial");
      await settle();
      trials += questions.slice(before).filter((q) => q === "trial").length;
    }
    expect(trials).toBeGreaterThan(2);
    expect(trials).toBeLessThan(10);
    expect(state()).toBe("down");
    expect(log.lines.map((l) => l.message)).toEqual(["server is down"]);
    expect(alarms.filter((a) => a !== null).length).toBe(1);
    world.mode = "up";
    await pass(3000);
    expect(await ask()).toStartWith("q by ");
    expect([state(), await ask()]).toEqual(["up", expect.stringMatching(/^q by /)]);
  });
});

test("some questions hang, others are answered: the pool is not replaced all the time", async () => {
  const { world, settle, ask, pass, drivers } = setUp("up", 8);
  await settle();
  for (let round = 0; round < 100; round++) {
    world.mode = "hangs";
    void ask();
    world.mode = "up";
    await ask();
    await pass(100);
  }
  expect(drivers.length).toBeLessThan(14);
  expect(drivers.filter((d) => !d.closed).length).toBeLessThan(4);
});

test("what has waited does not run on a driver that hangs", async () => {
  const { world, settle, ask, pass, hung, drivers } = setUp("up", 2);
  await settle();
  world.mode = "hangs";
  const first = [ask("a"), ask("b")];
  await pass(900);
  const waiting = [ask("c"), ask("d")];
  await pass(100);
  expect(await Promise.all(first)).toEqual(["! timeout", "! timeout"]);
  expect(hung.get(drivers[0] as Driver)?.length).toBe(2);
  expect(hung.get(drivers[1] as Driver)?.length).toBe(2);
  for (const p of hung.get(drivers[1] as Driver) ?? []) p.resolve("good");
  expect(await Promise.all(waiting)).toEqual(["good", "good"]);
});

test("a server that is not asked any more says nothing: no alarm, no line", async () => {
  const { world, settle, ask, backend, pass, alarms, log } = setUp();
  await settle();
  world.mode = "hangs";
  for (let i = 0; i < 5; i++) void ask();
  void backend.retire(false);
  await pass(2000);
  expect(alarms.filter((a) => a !== null)).toEqual([]);
  expect(log.lines).toEqual([]);
});

test("half open, a call that nobody wants any more is no trial: the next one is made", async () => {
  const { world, settle, ask, pass, backend } = setUp("up", 5, false);
  await settle();
  world.mode = "hangs";
  const first = Array.from({ length: 5 }, () => ask());
  await pass(1000);
  await Promise.all(first);
  expect(backend.status().state).toBe("down");
  world.mode = "up";
  await pass(400);
  expect(await ask("unwanted", () => false)).toBe("! gone");
  expect(await ask("next")).toStartWith("next by ");
  expect(backend.status().state).toBe("up");
});
