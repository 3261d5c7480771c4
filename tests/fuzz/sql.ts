/** The rule engine's SQL: whatever is written is refused at a place within it, or is a rule that keeps its promises with every event. */
import { compileRule, FUNCTIONS, RuleError, SqlError } from "../../server/plugins/rule_engine/sql/index.ts";
import { parse } from "../../server/plugins/rule_engine/sql/parser.ts";
import { eventOf, printStatement } from "../support/rule_sql.ts";
import type { Target } from "./fuzz.ts";

const STATEMENTS = [
  `SELECT payload.t AS t FROM "#" WHERE t > 20`,
  `SELECT * FROM "t/#", "$events/client_connected" WHERE username = 'joe' and qos in (0, 1) or not topic =~ 'a/+'`,
  `SELECT *, payload.a[1].b AS payload.x.y, qos div 2 mod 3 AS a[-0] FROM "t" -- comment\n WHERE payload.s like 'a%_' and x is not null`,
  `SELECT CASE WHEN payload.x < 0 THEN 'a' ELSE -1.5e3 END AS k, [1..5] r, [payload.a, "x"][1] FROM 'a'`,
  `FOREACH payload.list AS e, e[1..2] AS f DO f.v AS v, upper(item.n) INCASE f.id >= 1 FROM "t/#" WHERE length(payload.list) <> 0`,
  "SELECT `a-b`.'c d'.end, 'it''s' + \"q\"\"q\" FROM message.publish;",
];
const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s);
const SEEDS = [...STATEMENTS, ...FUNCTIONS.map((f) => `SELECT ${f.example} AS x FROM "t" WHERE x = ${f.example}`)].map(utf8);

const EVENTS = [
  eventOf({
    topic: "a/b/c",
    qos: 1,
    payload: '{"t":21.5,"a":[{"b":1}],"s":"abc","list":[{"id":1,"v":"x"}]}',
    username: "joe",
    flags: { retain: true },
  }),
  eventOf({ payload: Uint8Array.of(0xff, 0xfe, 0x00) }),
  eventOf({}),
];

/**
 * ms of processor time, whoever else uses the machine: several times what is promised, for the runtime compiles and collects meanwhile. Constants
 * are worked out in 25 ms, one event costs 50 ms, all elements of FOREACH together a second.
 */
const COMPILE_MS = 500;
const EVALUATE_MS = 500;
const ELEMENTS_MS = 3000;

/** What took longer than it may is told at the end: whatever else is thrown meanwhile has its own meaning. */
function timed<T>(slow: string[], ms: number, what: string, run: () => T): T {
  const before = process.cpuUsage().user;
  try {
    return run();
  } finally {
    const took = Math.round((process.cpuUsage().user - before) / 1000);
    if (took > ms) slow.push(`${what} took ${took} ms`);
  }
}

function check(input: Uint8Array): void {
  const sql = new TextDecoder().decode(input);
  const slow: string[] = [];
  try {
    const rule = timed(slow, COMPILE_MS, "compiling", () => compileRule(sql));
    const longest = rule.pieces === null ? EVALUATE_MS : ELEMENTS_MS;
    const printed = printStatement(parse(sql));
    const again = printStatement(parse(printed, { depth: 10_000, length: 1_000_000 }));
    if (again !== printed) throw new Error(`printed ${printed}, read and printed again ${again}`);
    for (const e of EVENTS) {
      try {
        if (timed(slow, longest, "an event", () => rule.run(e)).some((row) => Object.getPrototypeOf(row) !== Object.prototype))
          throw new Error("a row with another prototype");
      } catch (err) {
        if (!(err instanceof RuleError)) throw err;
        if (err.message.length > 1000) throw new Error(`tells too much: ${err.message}`);
      }
    }
  } catch (err) {
    if (!(err instanceof SqlError)) throw err;
    const isWithin = err.at >= 0 && err.length >= 0 && err.at + err.length <= sql.length && err.line >= 1 && err.column >= 1;
    if (!isWithin || err.message.length > 1000) throw new Error(`odd refusal ${JSON.stringify(err)}`);
  }
  if (Object.keys(Object.prototype).length > 0) throw new Error("something was put into the prototype of everything");
  if (slow.length > 0) throw new Error(slow.join(", "));
}

export const SQL: Target = { name: "rule SQL", seeds: SEEDS, check, smoke: 4000, tooLong: 2 * COMPILE_MS + EVENTS.length * ELEMENTS_MS };
