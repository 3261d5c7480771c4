/** What is told of rows that go nowhere: while they cannot be sent, and when they are lost with their rule or action. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { removeTempDirs } from "../harness.ts";
import { startServers, stopServers, write } from "./servers.ts";

afterEach(stopServers);
afterAll(removeTempDirs);

const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** An alarm of the rule engine as it is shown now; undefined = there is none. */
function alarm({ kit }: Awaited<ReturnType<typeof startServers>>, name: string): { summary: string } | undefined {
  const desc = kit.alarms.get(`emqx_rule_engine_${name}`)?.desc;
  return desc === undefined ? undefined : JSON.parse(JSON.stringify(desc));
}

/** A rule with two dead letters and three rows that wait, and a second action that has nothing. */
async function waiting(more: object = {}) {
  const s = await startServers();
  for (const name of ["db", "other"]) await s.resource(name);
  const made = await s.rule(write("db", more), write("other"));
  s.servers.states.set("db", "refuses");
  s.publish(1, 2);
  await s.passing(() => s.letters(made.id).length === 2, "dead letters");
  s.servers.states.set("db", "down");
  s.publish(...numbers(3, 3));
  await s.passing(() => s.action(made.id).metrics.waiting === 3 && s.servers.of("other").length === 5, "rows that wait");
  /** Of what was lost: levels and fields. */
  const lost = () => {
    const lines = s.kit.log.lines.filter((l) => l.message === "what waited for an action is deleted with it");
    return lines.map(({ level, fields: { plugin: _, ...fields } = {} }) => [level, fields]);
  };
  return { ...s, made, lost };
}

describe.each([
  ["in memory", {}],
  ["on the disk", { disk_size: 1 }],
])("rows that wait %s, and dead letters, are lost, and the log says how many", (_, queue) => {
  test("with their rule", async () => {
    const { service, made, lost } = await waiting(queue);
    await service.removeRule(made.id);
    expect(lost()).toEqual([["warn", { rule: "r", action: made.actions[0]?.id, rows: 3, dead_letters: 2 }]]);
  });

  test("with their action, when it is left out of its rule", async () => {
    const { service, made, lost, row } = await waiting(queue);
    const kept = made.actions[1];
    await service.updateRule(made.id, { actions: [{ ...write("other"), id: kept?.id }] });
    expect(lost()).toEqual([["warn", { rule: "r", action: made.actions[0]?.id, rows: 3, dead_letters: 2 }]]);
    expect(row(made.id).actions.map((a) => a.id)).toEqual([kept?.id as string]);
  });
});

test("what is delivered at the last moment is not lost", async () => {
  const s = await startServers();
  await s.resource("db");
  const made = await s.rule(write("db", { batch_wait: 10_000 }));
  s.publish(1, 2);
  await s.passing(() => s.action(made.id).metrics.waiting === 2, "rows that wait for others");
  await s.service.removeRule(made.id);
  expect([s.servers.of("db"), s.kit.log.lines.filter((l) => l.level === "warn")]).toEqual([["1", "2"], []]);
});

test("of an action that cannot be opened the log says that what lies on the disk is lost", async () => {
  const w = await waiting({ disk_size: 1 });
  await w.manager.unload("test_servers");
  await w.passing(() => w.row(w.made.id).state === "broken", "its plugin has gone");
  await w.service.removeRule(w.made.id);
  expect(w.lost()).toEqual([
    ["warn", { rule: "r", action: w.made.actions[0]?.id, rows: 0, dead_letters: 2, disk: "what lies there was not counted" }],
  ]);
});

test("the alarm of rows that cannot be sent names rule and action, why, and how many wait whenever somebody looks; so do the errors", async () => {
  const s = await startServers();
  await s.resource("db");
  s.servers.states.set("db", "down");
  const { id } = await s.rule(write("db"));
  const action = s.action(id).id;
  const told = () => alarm(s, `${action}_action`);
  s.publish(1);
  await s.passing(() => told() !== undefined, "the alarm");
  expect(told()).toMatchObject({
    severity: "error",
    title: 'rule "r", action test:write: rows cannot be sent',
    summary: "database at db: nobody listens there. 1 row waits.",
  });
  s.publish(2, 3);
  await s.passing(() => s.action(id).metrics.waiting === 3, "three rows");
  expect(told()?.summary).toBe("database at db: nobody listens there. 3 rows wait.");
  const errors = s.service.errors(id) ?? [];
  expect(errors).toMatchObject([{ where: action, error: "rows cannot be sent: database at db: nobody listens there" }]);
  // As long as they wait the rule says why; then it does not any more.
  expect(s.row(id).metrics.last_error).toContain("nobody listens there");
  s.servers.states.set("db", "up");
  await s.passing(() => s.servers.of("db").length === 3 && told() === undefined, "what waited");
  expect([s.row(id).metrics.last_error, s.service.errors(id)?.length]).toEqual([null, 1]);
  const [past] = s.kit.alarms.history();
  expect(past?.desc).toMatchObject({ title: expect.stringContaining('rule "r"') });
});

test("the alarm of a server that is away names the rules that write to it, and how many rows wait", async () => {
  const s = await startServers();
  await s.resource("db");
  s.servers.states.set("db", "down");
  const { id } = await s.rule(write("db"));
  const told = () => alarm(s, "test_db:db_down");
  s.publish(1, 2);
  await s.passing(() => told() !== undefined && s.action(id).metrics.waiting === 2, "the alarm");
  expect(told()).toMatchObject({
    title: "database at db is down",
    summary: expect.stringMatching(/^.*nobody listens there\. Rules that use it: "r"\. 2 rows wait\.$/),
  });
  await s.service.removeRule(id);
  for (let n = 1; n <= 7; n++)
    await s.service.createRule({ name: `r${n}`, rawsql: 'SELECT * FROM "x"', actions: [write("db", { text: `${n}` })] });
  expect(told()).toMatchObject({ summary: expect.stringMatching(/there\. Rules that use it: "r1", "r2", "r3", "r4", "r5", 2 more\.$/) });
});

test("the log says of which rule and action it tells", async () => {
  const { kit, made, passing } = await waiting();
  const told = () => kit.log.lines.filter((l) => l.message === "server is down").map((l) => l.fields);
  await passing(() => told().some((fields) => fields?.rule === "r"), "a line");
  expect(told()).toContainEqual(expect.objectContaining({ action: made.actions[0]?.id, server: "database at db" }));
});
