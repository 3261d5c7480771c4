/** What a rule's SQL says of events, topics and columns, where only the rule engine knows what there is. */
import { describe, expect, test } from "bun:test";
import { compileStored } from "../../../../server/plugins/rule_engine/rule.ts";
import { SqlError } from "../../../../server/plugins/rule_engine/sql/index.ts";
import { warningsOf } from "../../../../server/plugins/rule_engine/warnings.ts";

function refused(sql: string, wanted: string | null): SqlError {
  try {
    compileStored(sql, wanted);
  } catch (err) {
    if (err instanceof SqlError) return err;
    throw err;
  }
  throw new Error(`not refused: ${sql}`);
}

describe("a mistake in FROM has a place", () => {
  /** `word`: what is marked; "" = the end of the SQL. */
  test.each<[sql: string, wanted: string | null, line: number, column: number, word: string, reason: string, hint: string | null]>([
    [
      `SELECT * FROM "$events/clientconnected"`,
      null,
      1,
      15,
      `"$events/clientconnected"`,
      "there is no $events/clientconnected",
      "$events/client_connected",
    ],
    [`SELECT *\nFROM "t",\n  '$events/x'`, null, 3, 3, `'$events/x'`, "there is no $events/x", null],
    [
      'SELECT * FROM "t/#", "a/#/b" WHERE qos = 1',
      null,
      1,
      22,
      '"a/#/b"',
      '"a/#/b" is no topic filter: # stands for all levels at its end, + for one',
      "a/+/b",
    ],
    ['SELECT * FROM "a#"', null, 1, 15, '"a#"', '"a#" is no topic filter: # stands for all levels at its end, + for one', "a/#"],
    [
      'SELECT * FROM "a/b+/c"',
      null,
      1,
      15,
      '"a/b+/c"',
      '"a/b+/c" is no topic filter: + stands for a whole level, alone between two /',
      null,
    ],
    ['SELECT * FROM "a\0"', null, 1, 15, '"a\0"', '"a\\u0000" is no topic filter: it has a character that no topic has', null],
    ["SELECT a.b  ", null, 1, 11, "", 'there is neither FROM "topic" nor `for`: nothing says what the rule looks at', null],
    ["SELECT a;", null, 1, 9, "", 'there is neither FROM "topic" nor `for`: nothing says what the rule looks at', null],
    [
      'SELECT * FROM "$events/client_connected"',
      "client.disconnected",
      1,
      15,
      '"$events/client_connected"',
      "`for` is client.disconnected, but FROM names client.connected: leave one out",
      null,
    ],
  ])("%s", (sql, wanted, line, column, word, reason, hint) => {
    const err = refused(sql, wanted);
    expect([err.line, err.column, sql.slice(err.at, err.at + err.length), err.reason, err.hint]).toEqual([
      line,
      column,
      word,
      reason,
      hint,
    ]);
  });

  test("a long filter is shown by its beginning", () => {
    expect(refused(`SELECT * FROM "${"a".repeat(60_000)}#"`, null).message.length).toBeLessThan(300);
  });

  test("an event that `for` names is no word of the SQL", () => {
    expect(() => compileStored('SELECT * FROM "t"', "client.conected")).toThrow(
      "there is no event client.conected (did you mean client.connected?)",
    );
    expect(() => compileStored('SELECT * FROM "t"', "client.conected")).not.toThrow(SqlError);
  });
});

describe("what will hardly be meant is no mistake, but told", () => {
  const warned = (sql: string, inPayload: string[] = []): string[] =>
    warningsOf(compileStored(sql, null), (name) => inPayload.includes(name));

  test.each<[sql: string, warnings: string[]]>([
    ['SELECT clientidd FROM "t/#"', ["line 1, column 8: there is no column clientidd in message.publish (did you mean clientid?)"]],
    ['SELECT *\n, qos\n, Topic FROM "t/#"', ["line 3, column 3: there is no column Topic in message.publish (did you mean topic?)"]],
    [
      'SELECT temperature FROM "t/#"',
      ["line 1, column 8: there is no column temperature in message.publish (did you mean payload.temperature?)"],
    ],
    [
      'SELECT payload.temp AS temp FROM "t/#" WHERE tmp > 30',
      ["line 1, column 46: there is no column tmp in message.publish (did you mean temp?)"],
    ],
    [
      'SELECT paylod.a AS a, paylod.b AS b, upper(toppic) AS c FROM "t/#"',
      [
        "line 1, column 8: there is no column paylod in message.publish (did you mean payload?)",
        "line 1, column 44: there is no column toppic in message.publish (did you mean topic?)",
      ],
    ],
    [
      'SELECT reson FROM "$events/client_disconnected"',
      ["line 1, column 8: there is no column reson in client.disconnected (did you mean reason?)"],
    ],
    [
      'SELECT abcdefghijk FROM "$events/client_connected", "$events/client_disconnected"',
      ["line 1, column 8: there is no column abcdefghijk in client.connected and client.disconnected"],
    ],
    ["SELECT * FROM message.publsh", ["line 1, column 15: message.publsh in FROM is a topic filter (did you mean message.publish?)"]],
    [
      'SELECT * FROM "$event/client_connected"',
      ["line 1, column 15: $event/client_connected in FROM is a topic filter (did you mean $events/client_connected?)"],
    ],
    // There.
    ['SELECT *, topic, payload.anything.at.all AS x, x FROM "t/#" WHERE x = 1', []],
    ['SELECT headers.username AS u, user_properties.a, keepalive, zone, proto_ver FROM "t/#"', []],
    ['SELECT reason, topic FROM "t", "$events/client_disconnected"', []],
    [
      'FOREACH payload.a AS e DO e.x, item FROM "t"',
      ["line 1, column 32: there is no column item in message.publish (did you mean payload.item?)"],
    ],
    [
      'FOREACH payload.a DO item.x AS y INCASE item.z = y FROM "t"',
      ["line 1, column 50: there is no column y in message.publish (did you mean payload.y?)"],
    ],
    ['FOREACH payload.a AS e DO e.x INCASE e.y FROM "t"', []],
    ["SELECT clientid(), header('x') FROM \"a.b/c\"", []],
    ['SELECT * FROM "client/connected"', []],
    ['SELECT * FROM "sensor.created"', []],
    ['SELECT * FROM "session.create/x"', []],
    ['SELECT * FROM "sesion.created"', ["line 1, column 15: sesion.created in FROM is a topic filter (did you mean session.created?)"]],
    ['SELECT * FROM "session.crated.x"', ["line 1, column 15: session.crated.x in FROM is a topic filter (did you mean session.created?)"]],
  ])("%s", (sql, warnings) => {
    expect(warned(sql)).toEqual(warnings);
  });

  test("what the example's payload has is probably meant", () => {
    expect(warned('SELECT topics FROM "t"', ["topics"])).toEqual([
      "line 1, column 8: there is no column topics in message.publish (did you mean payload.topics?)",
    ]);
  });

  test("so many and no more", () => {
    expect(warned(`SELECT ${Array.from({ length: 500 }, (_, i) => `unknown${i}`).join(",")} FROM "t"`)).toHaveLength(16);
  });
});
