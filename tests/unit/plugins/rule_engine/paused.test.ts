/** A rule whose SQL is too much work for every event: everybody would wait for each of them, for ever. */
import { afterAll, expect, test } from "bun:test";
import type { MonoMs } from "../../../../server/lib/time.ts";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import { Overwork } from "../../../../server/plugins/rule_engine/overwork.ts";
import type { RuleEngineService, RuleRow } from "../../../../server/plugins/rules.ts";
import { removeTempDirs, running, turns } from "../harness.ts";

afterAll(removeTempDirs);

/** Goes through the payload until nothing is left to spend, where that is long. */
const HEAVY = `SELECT ${Array.from({ length: 40 }, (_, i) => `upper(payload.s) AS f${i}`).join(", ")} FROM "t/#"`;
const LONG = JSON.stringify({ s: "x".repeat(600_000) });
const SHORT = JSON.stringify({ s: "x" });

/** `took`: what passes between two looks at the clock, and so what each piece of an evaluation takes, ms. */
async function start(name = "r", took = 25) {
  const m = await running(ruleEngine);
  const { kit, manager } = m;
  const { mono } = kit.clock;
  let more = 0;
  kit.clock.mono = () => {
    more += took;
    return (mono() + more) as MonoMs;
  };
  const service = manager.service("emqx_rule_engine") as RuleEngineService;
  const made = await service.createRule({ name, rawsql: HEAVY, actions: [] });
  const publisher = kit.connected("c");
  /** One after the other, each looked at; so seldom that they take less than their share of the time. */
  const publish = async (...payloads: string[]): Promise<void> => {
    for (const payload of payloads) {
      kit.pass(250);
      publisher.publish("t/1", payload);
      await turns(kit);
    }
  };
  const row = (): RuleRow => service.rule(made.id) as RuleRow;
  const alarms = () => kit.alarms.present().map(({ desc }) => desc);
  const isHooked = (): boolean => kit.hooks.at["message.publish"].some((h) => h.id.startsWith("emqx_rule_engine"));
  return { ...m, service, made, publish, row, alarms, isHooked };
}

const times = (n: number, payload: string): string[] => Array.from({ length: n }, () => payload);

test("ten events in a row, and it is paused: it says so, an alarm stands, and nothing more is looked at", async () => {
  const { publish, row, alarms, isHooked } = await start();
  await publish(...times(9, LONG));
  expect(row()).toMatchObject({ state: "running", condition: "failing", reason: null, metrics: { matched: 9, failed: 9 } });
  expect([alarms(), isHooked()]).toEqual([[], true]);
  await publish(LONG);
  const reason = expect.stringMatching(
    /^it is paused: each of the last 10 events was too much work .* it goes on at 20.* enable it to try again$/,
  );
  expect(row()).toMatchObject({ state: "broken", condition: "broken", enabled: true, reason, metrics: { matched: 10, failed: 10 } });
  expect(alarms()).toMatchObject([
    { severity: "warning", title: 'rule "r" is paused', summary: expect.stringContaining("let it do less and save it") },
  ]);
  // Not even a hook is left that would cost a publisher anything.
  expect(isHooked()).toBe(false);
  await publish(...times(3, LONG));
  expect(row().metrics).toMatchObject({ matched: 10, failed: 10, dropped: 0 });
});

test("one that is evaluated in between, or is an error of another kind, is the end of the row", async () => {
  const { publish, row } = await start();
  for (const payload of [SHORT, "no JSON"]) await publish(...times(9, LONG), payload);
  expect(row()).toMatchObject({ state: "running", metrics: { matched: 20, passed: 1, failed: 19 } });
  await publish(...times(10, LONG));
  expect(row().state).toBe("broken");
});

test("events that are too much work by what they are charged alone, and took no time, pause nothing", async () => {
  const { publish, row, alarms } = await start("r", 0);
  await publish(...times(30, LONG));
  expect([row().state, row().metrics.failed, alarms()]).toEqual(["running", 30, []]);
});

test("where others come between, it is paused when such events take more than a quarter of the time", () => {
  const seldom = new Overwork();
  for (let at = 200; at < 200_000; at += 200) {
    expect(seldom.book(50, at)).toBe(null);
    seldom.passed();
  }
  const often = new Overwork();
  const said: unknown[] = [];
  for (let at = 100; said.at(-1) !== "share" && at < 200_000; at += 100) {
    said.push(often.book(50, at));
    often.passed();
  }
  // 25 ms too much of each 100 ms, until that is two seconds.
  expect(said).toHaveLength(79);
});

test("ten in a row over hours pause nothing, however long each took; each pause is twice as long, up to an hour", () => {
  const work = new Overwork();
  for (let i = 1; i <= 30; i++) expect(work.book(50, i * 3_600_000)).toBe(null);
  const pauses: number[] = [];
  for (let at = 0; pauses.length < 8; at += pauses.at(-1) as number) pauses.push(work.pause(at) / 60_000);
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
});

test("a pause ends by itself: it goes on, the alarm has gone", async () => {
  const { kit, publish, row, alarms, isHooked } = await start();
  await publish(...times(10, LONG));
  expect([row().state, isHooked()]).toEqual(["broken", false]);
  kit.pass(61_000);
  expect([row().state, row().reason, alarms(), isHooked()]).toEqual(["running", null, [], true]);
});

test("a file brought in with a paused rule as it is lets it go on", async () => {
  const { service, made, publish, row, alarms } = await start();
  await publish(...times(10, LONG));
  expect(await service.imported(service.exported(), false)).toMatchObject({ rules: { update: [made.id], same: [] } });
  expect([row().state, alarms()]).toEqual(["running", []]);
  expect(await service.imported(service.exported(), false)).toMatchObject({ rules: { update: [], same: [made.id] } });
});

test.each<[how: string, resume: (service: RuleEngineService, id: string) => Promise<unknown>]>([
  ["enabled", (service, id) => service.enableRule(id, true)],
  ["changed", (service, id) => service.updateRule(id, { rawsql: 'SELECT topic FROM "t/#"' })],
])("%s, it goes on, and the alarm has gone", async (_, resume) => {
  const { service, made, publish, row, alarms } = await start("a/# +");
  await publish(...times(10, LONG));
  expect(alarms()).toHaveLength(1);
  await resume(service, made.id);
  expect([row().state, row().reason, alarms()]).toEqual(["running", null, []]);
  await publish(SHORT);
  expect(row().metrics).toMatchObject({ matched: 11, passed: 1 });
});

test.each<[how: string, end: (service: RuleEngineService, id: string) => Promise<unknown>]>([
  ["disabled", (service, id) => service.enableRule(id, false)],
  ["deleted", (service, id) => service.removeRule(id)],
])("%s, it is not paused any more, and the alarm has gone", async (how, end) => {
  const { service, made, publish, alarms, isHooked } = await start();
  await publish(...times(10, LONG));
  expect([service.rule(made.id)?.state, alarms()]).toMatchObject(["broken", [{ severity: "warning" }]]);
  await end(service, made.id);
  expect([service.rule(made.id)?.state ?? "deleted", alarms(), isHooked()]).toEqual([how, [], false]);
});

test("what waits when it is paused is given up, and counted", async () => {
  const { kit, row } = await start();
  const c = kit.connected("many");
  for (let i = 0; i < 14; i++) c.publish("t/1", LONG);
  for (let i = 0; i < 20; i++) await turns(kit);
  expect(row()).toMatchObject({ state: "broken", metrics: { matched: 10, failed: 10, dropped: 4 } });
});

test("a FOREACH that spends what an event may in pieces is paused as well: all of them count", async () => {
  const { service, publish, made, row, kit } = await start("r", 12);
  const rawsql = `FOREACH payload.a DO ${Array.from({ length: 40 }, (_, i) => `upper(payload.s) AS f${i}`).join(", ")} FROM "t/#"`;
  await service.updateRule(made.id, { rawsql });
  const payload = JSON.stringify({ a: [1], s: "x".repeat(600_000) });
  await publish(...times(10, payload));
  for (let i = 0; i < 10; i++) await turns(kit);
  expect(row()).toMatchObject({ state: "broken", metrics: { matched: 10, failed: 10 } });
});
