/** An outage that stands while settings change: who goes on with it, and what is told of it. */
import { expect, test } from "bun:test";
import { Backend } from "../../../../server/plugins/_backend/backend.ts";
import { type Driver, setUp } from "./world.ts";

type World = ReturnType<typeof setUp>;

/** Other settings, in the same turn: another back end serves. */
function changeSettings(w: World, what = w.options.what, heir = true): Backend<Driver> {
  const next = new Backend<Driver>(w.host, { ...w.options, what });
  void w.backend.retire(heir);
  return next;
}

async function goDown(w: World): Promise<void> {
  await w.settle();
  w.world.mode = "away";
  for (let i = 0; i < 5; i++) await w.ask();
}

const lines = ({ log }: World): string[] => log.lines.map((l) => `${l.level} ${l.message}: ${String(l.fields.error ?? l.fields.seconds)}`);
const alarms = (w: World): string[] => w.alarms.map((a) => a?.title ?? "cleared");

test("the server stays away: one alarm all the time, in the words of the new settings, and its end when it is really back", async () => {
  const w = setUp();
  await goDown(w);
  await w.pass(5000);
  const next = changeSettings(w, "Other server");
  expect([next.status().state, w.standing.get("down")?.title]).toEqual(["connecting", "Server is down"]);
  await w.settle();
  expect([next.status().state, ...alarms(w)]).toEqual(["down", "Server is down", "Other server is down"]);
  await w.pass(5000);
  w.world.mode = "up";
  await w.pass(1300);
  expect(next.status().state).toBe("up");
  expect(alarms(w)).toEqual(["Server is down", "Other server is down", "cleared"]);
  expect(lines(w)).toEqual([
    "warn server is down: ECONNREFUSED",
    "warn server cannot be reached: ECONNREFUSED",
    expect.stringMatching(/^notice server is back: 1[01]$/),
  ]);
});

test("the new settings mend it: the alarm stands until the new back end is answered", async () => {
  const w = setUp();
  await goDown(w);
  w.world.mode = "hangs";
  const next = changeSettings(w);
  await w.pass(500);
  expect([next.status().state, alarms(w), w.standing.size]).toEqual(["connecting", ["Server is down"], 1]);
  for (const p of [...w.hung.values()].flat()) p.resolve("at last");
  await w.settle();
  expect([next.status().state, alarms(w)]).toEqual(["up", ["Server is down", "cleared"]]);
  expect(lines(w).slice(1)).toEqual(["notice server answers with its new settings: 1"]);
});

test("again and again: each goes on with it", async () => {
  const w = setUp();
  await goDown(w);
  let serving = changeSettings(w);
  for (let i = 0; i < 3; i++) {
    await w.settle();
    const next = new Backend<Driver>(w.host, w.options);
    void serving.retire(true);
    serving = next;
  }
  w.world.mode = "up";
  await w.pass(100);
  expect([serving.status().state, w.standing.size, alarms(w).filter((a) => a === "cleared").length]).toEqual(["up", 0, 1]);
});

test("nobody has that alarm any more: it ends, and nobody says that the server is back", async () => {
  const w = setUp();
  await goDown(w);
  const next = new Backend<Driver>(w.host, { ...w.options, alarm: "down_elsewhere" });
  void w.backend.retire(false);
  expect([...w.standing.keys()]).toEqual([]);
  await w.settle();
  expect([next.status().state, ...w.standing.keys()]).toEqual(["down", "down_elsewhere"]);
  w.world.mode = "up";
  await w.pass(1300);
  expect([next.status().state, w.standing.size]).toEqual(["up", 0]);
  expect(lines(w).filter((l) => l.includes("is back")).length).toBe(1);
});

test("questions went unanswered: with new settings, too, a probe does not say that it is over", async () => {
  for (const [proves, found] of [
    [true, "down"],
    [false, "down"],
    ["always", "up"],
  ] as const) {
    const w = setUp("up", 8, proves);
    await w.settle();
    w.world.mode = "hangs";
    const asked = Array.from({ length: 5 }, () => w.ask());
    await w.settle();
    w.world.mode = "up";
    await w.pass(1000);
    await Promise.all(asked);
    const next = changeSettings(w);
    await w.pass(5000);
    expect([next.status().state, w.standing.size]).toEqual([found, found === "down" ? 1 : 0]);
    expect(await w.askOf(next)).toStartWith("q by ");
    expect([next.status().state, alarms(w)]).toEqual(["up", ["Server is down", "cleared"]]);
  }
});

test("such a one, and the server cannot be reached with the new settings: told in their words", async () => {
  const w = setUp("up", 8);
  await w.settle();
  w.world.mode = "hangs";
  for (let i = 0; i < 5; i++) void w.ask();
  await w.pass(1000);
  w.world.mode = "away";
  const next = changeSettings(w, "Other server");
  await w.settle();
  expect([next.status().state, ...alarms(w)]).toEqual(["down", "Server is down", "Other server is down"]);
  w.world.mode = "up";
  await w.pass(1500);
  expect([next.status().state, alarms(w).at(-1)]).toEqual(["up", "cleared"]);
});

test("no outage: a change of settings tells nothing", async () => {
  const w = setUp();
  await w.settle();
  const next = changeSettings(w);
  await w.pass(2000);
  expect([next.status().state, lines(w), alarms(w)]).toEqual(["up", [], []]);
});
