/** Columns that take time to make: once for an event, paid for, and no rule's trouble is another one's. */
import { describe, expect, test } from "bun:test";
import { Message } from "../../../../server/core/message.ts";
import type { PublishProperties, UserProperty } from "../../../../server/mqtt/types.ts";
import { EventColumns } from "../../../../server/plugins/rule_engine/columns.ts";
import { PUBLISH } from "../../../../server/plugins/rule_engine/events.ts";
import { compileRule, type Row } from "../../../../server/plugins/rule_engine/sql/index.ts";
import { begin, end } from "../../../../server/plugins/rule_engine/sql/work.ts";

const TOO_MUCH = "this is too much work for one event";

function columnsOf(payload: string, properties: PublishProperties | null = null): EventColumns {
  const message = new Message("t", Buffer.from(payload), 0, false, "c1", null, 1000, 0, properties);
  return new EventColumns("n", () => undefined).of({
    event: PUBLISH,
    message,
    client: null,
    clientId: "c1",
    at: 1000,
    lineage: null,
    more: null,
    bytes: payload.length,
  });
}

const pairs = (n: number): UserProperty[] => Array.from({ length: n }, (_, i): UserProperty => [`k${i}`, "v"]);
const SLOW = ["pub_props", "user_properties", "headers"];

describe("properties", () => {
  const properties = { userProperties: pairs(1000), correlationData: Buffer.from("abc") };

  test("are made once for an event, and anew for the next one", () => {
    const columns = columnsOf("{}", properties);
    for (const name of SLOW) {
      const first = columns.get(name);
      expect([name, columns.get(name) === first]).toEqual([name, true]);
    }
    const before = columns.get("pub_props") as Row;
    expect(before["User-Property"]).toBe(columns.get("user_properties"));
    expect(columns.get("headers")).toEqual({ username: null, peerhost: undefined, properties: before });
    expect(before["Correlation-Data"]).toEqual(new Uint8Array(Buffer.from("abc")));
    expect(columns.kept().get("pub_props")).toBe(before);
    columns.of({ ...columns.noted, message: columnsOf("{}").noted.message });
    expect(SLOW.map((name) => columns.get(name))).toEqual([{}, undefined, { username: null, peerhost: undefined, properties: {} }]);
  });

  test.each(SLOW)("whoever reads %s first pays, and who cannot leaves it to the next one", (name) => {
    const columns = columnsOf("{}", properties);
    begin(100_000);
    expect(() => columns.get(name)).toThrow(TOO_MUCH);
    end();
    begin(10_000_000);
    const value = columns.get(name);
    expect(end()).toBeLessThan(10_000_000 - 1000 * 100);
    begin(100);
    expect(columns.get(name)).toBe(value);
    expect(end()).toBe(100);
  });

  test("more of them than an evaluation may read are too much for it, not for the broker", () => {
    const columns = columnsOf("{}", { userProperties: pairs(200_000) });
    expect(() => compileRule('SELECT pub_props FROM "t"').run(columns)).toThrow(TOO_MUCH);
    expect(compileRule('SELECT topic FROM "t"').run(columns)).toEqual([{ topic: "t" }]);
  });
});

describe("the payload as JSON", () => {
  const payload = JSON.stringify({ t: 1, s: "x".repeat(1_035_000) });
  // What is left of fifty milliseconds is less than reading the payload takes.
  const upper = Array.from({ length: 6 }, (_, i) => `upper(payload) AS f${i}`).join(", ");

  test("one rule that has spent what it may leaves it readable for the others", () => {
    const columns = columnsOf(payload);
    expect(() => compileRule(`SELECT ${upper}, payload.t FROM "t"`).run(columns)).toThrow(TOO_MUCH);
    expect(compileRule('SELECT payload.t AS t FROM "t"').run(columns)).toEqual([{ t: 1 }]);
  });

  test("what is no JSON is found once, and told to each", () => {
    const columns = columnsOf("{");
    const read = (): unknown => compileRule('SELECT payload.t AS t FROM "t"').run(columns);
    expect(read).toThrow("the payload is no JSON");
    begin(0);
    expect(() => columns.json()).toThrow("the payload is no JSON");
    end();
  });
});

test("a message of many user properties and many elements is refused, not held", () => {
  const sensors = Array.from({ length: 300 }, (_, i) => i);
  const columns = columnsOf(JSON.stringify({ sensors }), { userProperties: pairs(60_000) });
  expect(() => compileRule('FOREACH payload.sensors FROM "t"').run(columns)).toThrow("FOREACH: the rows take more than 64 MiB");
  expect(compileRule('FOREACH payload.sensors DO item FROM "t"').run(columns)).toHaveLength(300);
});
