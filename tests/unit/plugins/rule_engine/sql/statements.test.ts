/** Statements: rows out of events. */
import { describe, expect, test } from "bun:test";
import { type Columns, compileRule, type Row, RuleError, type Value } from "../../../../../server/plugins/rule_engine/sql/index.ts";
import { eventOf, message } from "../../../../support/rule_sql.ts";

interface Case {
  sql: string;
  payload?: Value;
  columns?: Row;
  rows: unknown[];
}
const of = (sql: string, payload: Value, ...rows: unknown[]): Case => ({ sql, payload, rows });

const SELECTS: readonly Case[] = [
  of(`SELECT payload.msg as msg FROM "t/#" WHERE msg = 'hello'`, { msg: "hello" }, { msg: "hello" }),
  of(`SELECT payload.msg as msg FROM "t/#" WHERE msg = 'hello'`, { msg: "bye" }),
  of(`select qos from "t" where qos = 1`, {}, { qos: 1 }),
  of(`select qos from "t" where qos > 1`, {}),
  of(`SELECT qos, topic FROM "t"`, {}, { qos: 1, topic: "sensor/7/temp" }),
  of(`SELECT payload.x.y, qos FROM "t"`, { x: { y: 7 } }, { payload: { x: { y: 7 } }, qos: 1 }),
  of(`SELECT payload.x, payload.y FROM "t"`, { x: 1, y: 2, z: 3 }, { payload: { x: 1, y: 2 } }),
  of(`SELECT payload.x.a, payload.x.b FROM "t"`, { x: { a: 1, b: 2, c: 3 } }, { payload: { x: { a: 1, b: 2 } } }),
  of(`SELECT payload.missing, qos FROM "t"`, {}, { qos: 1 }),
  of(`SELECT payload FROM "t"`, '{"a":1}', { payload: '{"a":1}' }),
  of(
    `SELECT 'hello', 1, qos + 1, upper(topic), payload.a[1] FROM "t"`,
    { a: [5] },
    { hello: "hello", "1": 1, "qos + 1": 2, "upper(topic)": "SENSOR/7/TEMP", "payload.a[1]": 5 },
  ),
  of(`SELECT qos q, payload.a b FROM "t"`, { a: 1 }, { q: 1, b: 1 }),
  of(`SELECT qos AS "a.b" FROM "t"`, {}, { "a.b": 1 }),
  of(`SELECT qos AS 'x y' FROM "t"`, {}, { "x y": 1 }),
  of('SELECT qos AS `end` FROM "t"', {}, { end: 1 }),
  of(`SELECT qos AS a.b.c FROM "t"`, {}, { a: { b: { c: 1 } } }),
  of(`SELECT qos AS payload.temp FROM "t"`, { x: 1 }, { payload: { temp: 1 } }),
  of(`SELECT qos AS a[1], topic AS a[2] FROM "t"`, {}, { a: [1, "sensor/7/temp"] }),
  of(`SELECT qos AS a.b[1] FROM "t"`, {}, { a: { b: [1] } }),
  of(`SELECT qos AS a.b[1].c FROM "t"`, {}, { a: { b: [{ c: 1 }] } }),
  of(`SELECT payload.a AS a, 9 AS a[-1], 0 AS a[0], 4 AS a[-0] FROM "t"`, { a: [1, 2] }, { a: [0, 1, 9, 4] }),
  of(`SELECT payload.o AS o, 2 AS o.b FROM "t"`, { o: { a: 1 } }, { o: { a: 1, b: 2 } }),
  of(`SELECT payload AS payload, 2 AS payload.b FROM "t"`, '{"a":1}', { payload: { a: 1, b: 2 } }),
  of(`SELECT 1 AS a, 2 AS a.b FROM "t"`, {}, { a: { b: 2 } }),
  of(`SELECT 1 AS a.b, 2 AS a FROM "t"`, {}, { a: 2 }),
  of(`SELECT 1 AS a, 2 AS a FROM "t"`, {}, { a: 2 }),
  of(`SELECT 1 AS a, payload.missing AS a FROM "t"`, {}, {}),
  of('SELECT 1 AS `__proto__`, 2 AS a.`__proto__` FROM "t"', {}, JSON.parse('{"__proto__":1,"a":{"__proto__":2}}')),
  of(`SELECT 1 AS constructor, 2 AS a.toString FROM "t"`, {}, { constructor: 1, a: { toString: 2 } }),
  // Fields see what those before them gave, when the event has no such column.
  of(`SELECT json_decode('{"a":{"b":3}}') AS p, p.a.b AS c FROM "t"`, {}, { p: { a: { b: 3 } }, c: 3 }),
  of(`SELECT payload.n AS n, n * 2 AS m, m + 1 AS o FROM "t"`, { n: 4 }, { n: 4, m: 8, o: 9 }),
  of(`SELECT qos + 1 AS qos, qos AS old FROM "t"`, {}, { qos: 2, old: 1 }),
  of(`SELECT payload.a AS v.a, v.a AS w FROM "t"`, { a: 1 }, { v: { a: 1 }, w: 1 }),
  // WHERE sees what SELECT made first, then the columns.
  of(`SELECT qos + 1 AS qos FROM "t" WHERE qos = 2`, {}, { qos: 2 }),
  of(`SELECT topic FROM "t" WHERE qos = 1`, {}, { topic: "sensor/7/temp" }),
  of(`SELECT topic FROM "t" WHERE payload.x = 1`, { x: 1 }, { topic: "sensor/7/temp" }),
  of(`SELECT payload.x FROM "t" WHERE payload.x = 1`, { x: 1 }, { payload: { x: 1 } }),
  of(`SELECT payload.x FROM "t" WHERE payload.y = 2`, { x: 1, y: 2 }, { payload: { x: 1 } }),
  of(`SELECT payload.a.x FROM "t" WHERE payload.a.y = 2`, { a: { x: 1, y: 2 } }, { payload: { a: { x: 1 } } }),
  of(`SELECT 5 AS payload.x FROM "t" WHERE payload.x = 5`, { x: 1 }, { payload: { x: 5 } }),
  of(`SELECT 5 AS a[1] FROM "t" WHERE a[1] = 5`, {}, { a: [5] }),
  of(`SELECT 5 AS payload.a[1] FROM "t" WHERE payload.a[2] = 3`, { a: [1, 3] }, { payload: { a: [5] } }),
  of(`SELECT 5 AS a[-0] FROM "t" WHERE a[1] = 5`, {}, { a: [5] }),
  of(`SELECT 5 AS a[1] FROM "t" WHERE a[qos] = 5`, {}, { a: [5] }),
  of(`SELECT payload.u AS username FROM "t" WHERE username = 'joe'`, {}),
  of(`SELECT payload.u AS username FROM "t" WHERE is_null(username)`, {}, {}),
  of(`SELECT payload.t AS toString FROM "t" WHERE is_null(toString)`, {}, {}),
  of(`SELECT topic FROM "t" WHERE nowhere = 'nowhere'`, {}),
  of(`SELECT topic FROM "t" WHERE nowhere <> 'x'`, {}, { topic: "sensor/7/temp" }),
  of(`SELECT topic FROM "t" WHERE true`, {}, { topic: "sensor/7/temp" }),
  of(`SELECT topic FROM "t" WHERE 1`, {}),
  of(`SELECT topic FROM "t" WHERE payload.flag`, { flag: true }, { topic: "sensor/7/temp" }),
  of(`SELECT topic FROM "t" WHERE payload.flag`, { flag: "yes" }),
  of(`SELECT payload.s AS s FROM "t" WHERE s in ('a', 'b') and not (s = 'b')`, { s: "a" }, { s: "a" }),
  of(`SELECT topic FROM "a", "b/#" , 'c'`, {}, { topic: "sensor/7/temp" }),
  of(`SELECT topic`, {}, { topic: "sensor/7/temp" }),
  of(`SELECT topic WHERE qos = 1`, {}, { topic: "sensor/7/temp" }),
  of(`SELECT topic FROM "t";`, {}, { topic: "sensor/7/temp" }),
  of(`-- a rule\nSELECT topic -- column\nFROM "t" -- the end`, {}, { topic: "sensor/7/temp" }),
  {
    sql: `SELECT distinct, limit, order * 2 AS left FROM "t" WHERE offset = 4`,
    columns: { distinct: 1, limit: 2, order: 3, offset: 4 },
    rows: [{ distinct: 1, limit: 2, left: 6 }],
  },
  { sql: `SELECT * FROM "t"`, columns: { topic: "a", qos: 0 }, rows: [{ topic: "a", qos: 0 }] },
  { sql: `SELECT *, qos + 1 AS n FROM "t" WHERE n = 1`, columns: { topic: "a", qos: 0 }, rows: [{ topic: "a", qos: 0, n: 1 }] },
  { sql: `SELECT *, 7 AS qos FROM "t" WHERE qos = 7`, columns: { topic: "a", qos: 0 }, rows: [{ topic: "a", qos: 7 }] },
  { sql: `SELECT *, 7 AS payload.b FROM "t"`, columns: { payload: '{"a":1}' }, rows: [{ payload: { a: 1, b: 7 } }] },
  { sql: `SELECT * FROM "t" WHERE username = 'nobody'`, columns: { topic: "a" }, rows: [] },
  { sql: `SELECT * FROM message.publish WHERE username = 'joe'`, columns: { username: "joe" }, rows: [{ username: "joe" }] },
  { sql: `SELECT *, missing AS qos FROM "t"`, columns: { topic: "a", qos: 0 }, rows: [{ topic: "a" }] },
  {
    sql: `SELECT peername as ip_port FROM "$events/client_connected" WHERE clientid = 'c1'`,
    columns: { clientid: "c1", peername: "1.2.3.4:5" },
    rows: [{ ip_port: "1.2.3.4:5" }],
  },
  {
    sql: `SELECT clientid FROM "$events/session_subscribed" WHERE topic =~ 't/#' and qos = 1`,
    columns: { clientid: "c", topic: "t/a", qos: 1 },
    rows: [{ clientid: "c" }],
  },
];

const SENSORS = {
  date: "d",
  sensors: [
    { name: "a", idx: 0 },
    { name: "b", idx: 1 },
    { name: "c", idx: 2 },
  ],
};

const FOREACHES: readonly Case[] = [
  of(
    `FOREACH payload.sensors as e DO clientid, e.name as name, e.idx as idx INCASE e.idx >= 1 FROM "t/#"`,
    SENSORS,
    { clientid: "c1", name: "b", idx: 1 },
    { clientid: "c1", name: "c", idx: 2 },
  ),
  of(`FOREACH payload.sensors DO upper(item.name) as name FROM "t/#"`, SENSORS, { name: "A" }, { name: "B" }, { name: "C" }),
  of(
    `FOREACH payload.sensors e DO e.idx + 1 AS n, n * 2 AS m FROM "t/#" WHERE qos = 1`,
    SENSORS,
    { n: 1, m: 2 },
    { n: 2, m: 4 },
    { n: 3, m: 6 },
  ),
  of(`FOREACH payload.sensors AS e DO e.idx AS i FROM "t/#" WHERE qos = 0`, SENSORS),
  of(
    `FOREACH payload.sensors AS e DO e.idx FROM "t/#" WHERE length(e) = 3`,
    SENSORS,
    { e: { idx: 0 } },
    { e: { idx: 1 } },
    { e: { idx: 2 } },
  ),
  of(`FOREACH payload.sensors AS e INCASE e.idx > 5 FROM "t/#"`, SENSORS),
  of(`FOREACH payload.none AS e DO e FROM "t/#"`, SENSORS),
  of(`FOREACH payload.n AS e DO e FROM "t/#"`, { n: null }),
  of(`FOREACH [] DO item FROM "t"`, {}),
  of(`FOREACH [1..3] AS i DO i AS n INCASE i <> 2 FROM "t"`, {}, { n: 1 }, { n: 3 }),
  of(`FOREACH payload.a AS topic DO topic FROM "t"`, { a: [1, 2] }, { topic: 1 }, { topic: 2 }),
  of(
    `FOREACH payload.o AS o, o.list AS e DO e AS v, o.k AS k FROM "t"`,
    { o: { k: "x", list: [1, 2] } },
    { v: 1, k: "x" },
    { v: 2, k: "x" },
  ),
  of(`FOREACH split(payload, ',') AS part DO part FROM "t"`, "a,b", { part: "a" }, { part: "b" }),
  of(`FOREACH payload.a AS e DO e[1] AS x FROM "t"`, { a: [[1], [2]] }, { x: 1 }, { x: 2 }),
  of(`FOREACH payload.a DO payload.k AS k FROM "t"`, { a: [1, 2], k: "x" }, { k: "x" }, { k: "x" }),
  {
    sql: `FOREACH list AS e FROM "t"`,
    columns: { list: [1, 2], q: 0 },
    rows: [
      { list: [1, 2], q: 0, e: 1 },
      { list: [1, 2], q: 0, e: 2 },
    ],
  },
  { sql: `FOREACH list AS e DO * FROM "t"`, columns: { list: [1], q: 0 }, rows: [{ list: [1], q: 0 }] },
];

function eventFor({ payload, columns }: Case): Columns {
  return columns === undefined ? message(payload) : eventOf(columns);
}

describe.each([
  ["SELECT", SELECTS],
  ["FOREACH", FOREACHES],
] as const)("%s", (_name, cases) => {
  test.each(cases.map((c) => [`${c.sql} ${JSON.stringify(c.payload ?? c.columns)}`, c] as const))("%s", (_label, c) => {
    expect(JSON.parse(JSON.stringify(compileRule(c.sql).run(eventFor(c))))).toEqual(c.rows);
  });
});

describe("what a rule says of itself", () => {
  test.each([
    [`SELECT * FROM "t/#", "$events/client_connected", message.publish`, ["t/#", "$events/client_connected", "message.publish"]],
    [`SELECT a FROM 'a''b', "c""d"`, ["a'b", 'c"d']],
    [`SELECT a`, []],
    [`FOREACH a FROM "x/+/y"`, ["x/+/y"]],
  ] as const)("FROM of %s", (sql, from) => {
    expect(compileRule(sql).from as string[]).toEqual([...from]);
  });

  test.each([
    [`SELECT topic, payload.a AS a FROM "t" WHERE a > qos`, ["payload", "qos", "topic"]],
    [`SELECT upper(clientid) AS c FROM "t" WHERE c = 'X'`, ["clientid"]],
    [`SELECT topic(1) AS a, clientip() AS b FROM "t"`, ["ipaddress", "peerhost", "peername", "topic"]],
    [`SELECT payload('a.b') AS a FROM "t"`, ["payload"]],
    [`SELECT 1 AS a FROM "t" WHERE payload[a] = qos`, ["payload", "qos"]],
    [`FOREACH payload.a AS e DO e.x, topic INCASE e.y = username FROM "t" WHERE qos = 1`, ["payload", "qos", "topic", "username"]],
    [`SELECT * FROM "t"`, null],
    [`SELECT *, topic FROM "t"`, null],
    [`FOREACH payload.a FROM "t"`, null],
    [`FOREACH payload.a DO * FROM "t"`, null],
  ] as const)("columns of %s", (sql, reads) => {
    const found = compileRule(sql).reads;
    expect(found === null ? null : [...found].sort()).toEqual(reads === null ? null : [...reads]);
  });

  test("the text as it was given", () => {
    const sql = `  select  a  from "t"`;
    expect(compileRule(sql).sql).toBe(sql);
  });
});

describe("columns are read only when they are needed", () => {
  const counted = (columns: Row): { event: Columns; asked: string[] } => {
    const inner = eventOf(columns);
    const asked: string[] = [];
    const event: Columns = {
      ...inner,
      get(name) {
        asked.push(name);
        return inner.get(name);
      },
      json() {
        asked.push("json");
        return inner.json();
      },
    };
    return { event, asked };
  };

  test("WHERE of columns alone comes before SELECT, so a payload that is no JSON costs nothing", () => {
    const { event, asked } = counted({ topic: "a", payload: "no json", qos: 0 });
    expect(compileRule(`SELECT payload.x AS x, topic FROM "t" WHERE qos = 1`).run(event)).toEqual([]);
    expect(asked).toEqual(["qos"]);
  });

  test("and where it looks at what SELECT made, behind it", () => {
    const { event } = counted({ topic: "a", payload: "no json", qos: 0 });
    expect(() => compileRule(`SELECT payload.x AS x FROM "t" WHERE x = 1`).run(event)).toThrow(RuleError);
  });
});

test("an event's values are never changed, whatever is put into copies of them", () => {
  const event = message({ o: { a: 1 }, list: [1] });
  const before = JSON.stringify(event.json());
  compileRule(`SELECT payload.o AS o, 2 AS o.b, payload.list AS l, 5 AS l[1], map_put('x', 1, payload.o) AS m FROM "t"`).run(event);
  compileRule(`SELECT *, 1 AS payload.o.a FROM "t"`).run(event);
  expect(JSON.stringify(event.json())).toBe(before);
});

test("one rule, many events, and events within events: nothing is kept between them", () => {
  const rule = compileRule(`SELECT payload.v AS v, payload.w AS p.w FROM "t" WHERE v > 1`);
  expect(rule.run(message({ v: 2, w: 1 })) as unknown).toEqual([{ v: 2, p: { w: 1 } }]);
  expect(rule.run(message({ v: 1, w: 1 }))).toEqual([]);
  expect(rule.run(message({ v: 3 })) as unknown).toEqual([{ v: 3 }]);
});

describe("bytes that are no text", () => {
  const bytes = Uint8Array.of(0x9f, 0x4e, 0x58);
  test.each([
    ["payload", bytes],
    ["base64_encode(payload)", "n05Y"],
    ["bin2hexstr(payload)", "9F4E58"],
    ["md5(payload)", new Bun.CryptoHasher("md5").update(bytes).digest("hex")],
    ["bytesize(payload)", 3],
    ["strlen(payload)", 3],
    ["subbits(payload, 8)", 0x9f],
    ["subbits(payload, 1, 16, 'integer', 'signed', 'big')", -24754],
    ["payload = hexstr2bin('9F4E58')", true],
    ["payload = hexstr2bin('9F4E59')", false],
    ["payload <> 'x'", true],
    ["payload = 5", false],
    ["payload like '%'", false],
    ["payload =~ '#'", false],
    ["payload > 'x'", true],
    ["payload in (hexstr2bin('9F4E58'))", true],
    ["is_str(payload)", true],
    ["is_map(payload)", false],
    ["gunzip(gzip(payload)) = payload", true],
    ["base64_decode(base64_encode(payload)) = payload", true],
    ["payload + 'a' = hexstr2bin('9F4E5861')", true],
    ["concat(payload, 'a') = hexstr2bin('9F4E5861')", true],
    ["'€' = hexstr2bin('E282AC')", true],
    ["payload[1]", undefined],
  ] as const)("%s", (expr, value) => {
    const [row] = compileRule(`SELECT ${expr.startsWith("payload[") ? "1" : expr} AS x FROM "t"`).run(message(bytes));
    expect(row?.x as unknown).toEqual(expr.startsWith("payload[") ? 1 : value);
  });
});
