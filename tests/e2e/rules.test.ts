/** Rules in the executable: kept over `kill -9`, a thousand of them, loops, one that fails beside one that works, unloaded while messages come. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { RuleRow } from "../../server/api/contract.ts";
import { jsClient, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";

let baomq: Installation;
beforeAll(() => {
  baomq = new Installation();
});
afterAll(() => baomq.remove());

async function ask<T>(broker: RunningBroker, method: string, path: string, body?: unknown): Promise<T> {
  const init = { method, unix: join(broker.dataDir, "ctl.sock"), ...(body !== undefined && { body: JSON.stringify(body) }) };
  const response = await fetch(`http://localhost/api/v3${path}`, init);
  const answer = (await response.json()) as { code: number; message?: string; data: T };
  if (answer.code !== 0) throw new Error(`${method} ${path}: ${answer.code} ${answer.message}`);
  return answer.data;
}
const create = (broker: RunningBroker, name: string, rawsql: string, target: string): Promise<RuleRow> =>
  ask(broker, "POST", "/rules/", { name, rawsql, actions: [{ name: "built_in:republish_action", params: { target_topic: target } }] });
const show = (broker: RunningBroker, { id }: RuleRow): Promise<RuleRow> => ask(broker, "GET", `/rules/${encodeURIComponent(id)}`);

test("a thousand rules, of which one matches, are there after kill -9, in their order and with their switches", async () => {
  const broker = await baomq.start({ data: "thousand" });
  const made: RuleRow[] = [];
  for (let n = 0; n < 1000; n++) made.push(await create(broker, `r${n}`, `SELECT ${n} AS n FROM "in/${n}/#"`, "out"));
  const off = made[500] as RuleRow;
  await ask(broker, "PUT", `/rules/${encodeURIComponent(off.id)}/disable`);
  await ask(broker, "DELETE", `/rules/${encodeURIComponent((made[999] as RuleRow).id)}`);
  await broker.crash();
  const again = await broker.restart();
  const rules = await ask<RuleRow[]>(again, "GET", "/rules/");
  expect(rules.map((r) => r.id)).toEqual(made.slice(0, 999).map((r) => r.id));
  expect(rules.filter((r) => r.state !== "running").map((r) => [r.id, r.state])).toEqual([[off.id, "disabled"]]);
  const { client, received } = await jsClient(`mqtt://127.0.0.1:${again.ports.tcp}`);
  await client.subscribeAsync("out");
  for (const n of [500, 999, 7]) await client.publishAsync(`in/${n}/x`, "x", { qos: 1 });
  await until(() => received.length > 0, "the row");
  expect(received.map((m) => m.payload)).toEqual(['{"n":7}']);
  const seen = (await ask<RuleRow[]>(again, "GET", "/rules/")).filter((r) => r.metrics.matched > 0);
  expect(seen.map((r) => r.name)).toEqual(["r7"]);
  await client.endAsync();
  expect(await again.stop()).toBe(0);
});

test("a loop is stopped, one that fails is counted, one that works goes on; all of it beside the message itself", async () => {
  const broker = await baomq.start({ data: "loop" });
  const loop = await create(broker, "loop", 'SELECT * FROM "loop/#"', "loop/again");
  const fails = await create(broker, "fails", 'SELECT payload.x.y AS y FROM "loop/a"', "never");
  const works = await create(broker, "works", 'SELECT topic FROM "loop/a"', "good");
  const { client, received } = await jsClient(`mqtt://127.0.0.1:${broker.ports.tcp}`);
  await client.subscribeAsync("#");
  await client.publishAsync("loop/a", Buffer.from([0xff, 0xfe]), { qos: 1 });
  await until(async () => (await show(broker, loop)).metrics.actions_failed === 1, "the end of the loop");
  await until(() => received.length === 7, "all messages");
  expect(received.map((m) => m.topic).sort()).toEqual(["good", "loop/a", ...Array(5).fill("loop/again")]);
  expect((await show(broker, fails)).metrics).toMatchObject({ failed: 1, last_error: "the payload is no JSON" });
  expect((await show(broker, works)).metrics).toMatchObject({ matched: 1, passed: 1, actions_success: 1 });
  await client.endAsync();
  expect(await broker.stop()).toBe(0);
});

test("unloaded and loaded while messages come: every message arrives, and rows go on", async () => {
  const broker = await baomq.start({ data: "load" });
  await create(broker, "r", 'SELECT payload.n AS n FROM "in"', "out");
  const { client, received } = await jsClient(`mqtt://127.0.0.1:${broker.ports.tcp}`);
  await client.subscribeAsync(["in", "out"], { qos: 1 });
  let sent = 0;
  const publish = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) await client.publishAsync("in", `{"n":${sent++}}`, { qos: 1 });
  };
  for (let round = 0; round < 4; round++) {
    const traffic = publish();
    await ask(broker, "PUT", `/plugins/emqx_rule_engine/${round % 2 === 0 ? "unload" : "load"}`);
    await traffic;
  }
  await publish();
  await until(() => received.filter((m) => m.topic === "in").length === sent, "every message");
  await until(() => received.some((m) => m.topic === "out" && m.payload === `{"n":${sent - 1}}`), "the last row");
  const rows = received.filter((m) => m.topic === "out").map((m) => (JSON.parse(m.payload) as { n: number }).n);
  expect(rows).toEqual([...new Set(rows)].sort((a, b) => a - b));
  expect(broker.log + broker.errors).not.toMatch(/error/i);
  await client.endAsync();
  expect(await broker.stop()).toBe(0);
});
