/** Whole numbers beyond 2^53: exact in whatever is done with them, and bounded. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compileRowTemplate, rowJson } from "../../../../../server/plugins/_backend/row_template.ts";
import { compileRule, type Row, type Value } from "../../../../../server/plugins/rule_engine/sql/index.ts";
import { wholeNumber } from "../../../../../server/plugins/rule_engine/sql/wholes.ts";
import { begin, end } from "../../../../../server/plugins/rule_engine/sql/work.ts";
import { eventOf, message } from "../../../../support/rule_sql.ts";

/** 2^53 + 1; a text of the same digits; ordinary ones; 400 digits, the longest there are. */
const PAYLOAD = `{"big":9007199254740993,"neg":-9007199254740995,"text":"9007199254740993","small":7,"half":0.5,
  "most":9007199254740991,"long":12345678901234567890,"digits":${"9".repeat(400)},"list":[1,9007199254740993],
  "names":{"9007199254740993":"of the big one","7":"of seven"},"float":9007199254740993.0}`;

const rowOf = (fields: string): Row => compileRule(`SELECT ${fields} FROM "t"`).run(message(PAYLOAD))[0] as Row;
const evaluated = (expr: string): Value => rowOf(`${expr} AS x`).x;

const ROWS: readonly (readonly [expr: string, value: Value])[] = [
  // As Erlang calculates.
  ["payload.big", 9007199254740993n],
  ["payload.big + 1", 9007199254740994n],
  ["1 + payload.big", 9007199254740994n],
  ["payload.big - 1", 9007199254740992n],
  ["payload.big - 2", 9007199254740991],
  ["payload.big - payload.big", 0],
  ["payload.big + payload.neg", -2],
  ["payload.big * payload.big", 81129638414606699710187514626049n],
  ["payload.big * 0", 0],
  ["-payload.big", -9007199254740993n],
  ["- -payload.big", 9007199254740993n],
  ["payload.big div 2", 4503599627370496],
  ["payload.neg div 2", -4503599627370497],
  ["7 div payload.big", 0],
  ["payload.neg mod 10", -5],
  ["payload.big mod 1000", 993],
  ["7 mod payload.big", 7],
  ["payload.long div 10", 1234567890123456789n],
  ["payload.big / 2", 4503599627370496],
  ["payload.big + 0.5", 9007199254740992],
  ["payload.big * payload.half", 4503599627370496],
  ["payload.float + 1", 9007199254740992],
  // Out of ordinary ones.
  ["payload.most + 1", 9007199254740992n],
  ["payload.most + payload.most", 18014398509481982n],
  ["-payload.most - 2", -9007199254740993n],
  ["payload.most * payload.most", 81129638414606663681390495662081n],
  ["payload.most * payload.most mod 10", 1],
  ["9007199254740993 - 9007199254740991", 2],
  ["1e300 + 1", 1e300],
  // Text stays text, whatever its characters are.
  ["payload.text + 1", "90071992547409931"],
  ["payload.big + payload.text", "90071992547409939007199254740993"],
  ["payload.big + '-x'", "9007199254740993-x"],
  ["payload.text", "9007199254740993"],
  ["payload.text < '90071992547409930'", true],
  ["'10000000000000000' < '9007199254740993'", true],
  ["payload.text like '900%'", true],
  // A number and a text: by the number that the text says.
  ["payload.big = payload.text", true],
  ["payload.text = payload.big", true],
  ["payload.big = '9007199254740992'", false],
  ["payload.big = '9007199254740993x'", false],
  ["payload.big > '9007199254740992'", true],
  ["'9007199254740994' > payload.big", true],
  ["payload.most < payload.text", true],
  ["payload.small < payload.text", true],
  // Comparisons.
  ["payload.big = 9007199254740993", true],
  ["9007199254740993 = payload.big", true],
  ["payload.big = 9007199254740992", false],
  ["payload.big <> 9007199254740992", true],
  ["payload.big = payload.small", false],
  ["payload.big > payload.small", true],
  ["payload.small >= payload.big", false],
  ["payload.neg < 0", true],
  ["payload.big < 1e300", true],
  ["payload.big > 0.5", true],
  ["payload.big <= payload.big", true],
  ["payload.big > payload.missing", false],
  ["payload.big < null", false],
  ["payload.big in (1, 9007199254740993)", true],
  ["payload.big in (1, 9007199254740992)", false],
  ["payload.big in ('9007199254740993')", true],
  ["case payload.big when 9007199254740992 then 'a' when 9007199254740993 then 'b' end", "b"],
  ["contains(payload.big, payload.list)", true],
  ["contains(payload.text, payload.list)", false],
  ["1e20 = 100000000000000000000", true],
  ["contains(1e20, [100000000000000000000])", true],
  ["contains(100000000000000000000, [1e20])", true],
  ["contains(1e20, [100000000000000000001])", false],
  ["contains('100000000000000000000', [100000000000000000000])", false],
  ["[1e20] = [100000000000000000000]", true],
  ["payload.list = [1, 9007199254740993]", true],
  ["eq(payload.big, payload.big + 0)", true],
  // What it is.
  ["is_num(payload.big)", true],
  ["is_int(payload.big)", true],
  ["is_float(payload.big)", false],
  ["is_str(payload.big)", false],
  ["is_num(payload.text)", false],
  ["is_empty(payload.big)", false],
  // In and out of text.
  ["str(payload.big)", "9007199254740993"],
  ["concat('n', payload.neg)", "n-9007199254740995"],
  ["int(payload.big)", 9007199254740993n],
  ["int(payload.text)", 9007199254740993n],
  ["int('+9007199254740993')", 9007199254740993n],
  ["int('007')", 7],
  ["int(1e20)", 100000000000000000000n],
  ["float(payload.big)", 9007199254740992],
  ["float(payload.text)", 9007199254740992],
  ["json_encode(payload.list)", "[1,9007199254740993]"],
  ["json_encode(payload.big)", "9007199254740993"],
  ["json_encode(payload.text)", '"9007199254740993"'],
  ["str(payload.list)", "[1,9007199254740993]"],
  ["json_decode('[9007199254740993]')[1] - 9007199254740992", 1],
  ["json_decode(json_encode(payload.list)) = payload.list", true],
  ["sprintf('~b ~p ~s', payload.big, payload.big, payload.big)", "9007199254740993 9007199254740993 9007199254740993"],
  ["join_to_sql_values_string([payload.big, payload.text])", "9007199254740993, '9007199254740993'"],
  // Functions that take numbers.
  ["abs(payload.neg)", 9007199254740995n],
  ["abs(payload.big)", 9007199254740993n],
  ["floor(payload.big)", 9007199254740993n],
  ["ceil(payload.neg)", -9007199254740995n],
  ["round(payload.big)", 9007199254740993n],
  ["mod(payload.big, 10)", 3],
  ["mod(7, payload.big)", 7],
  ["sqrt(payload.most * payload.most)", 9007199254740991],
  ["bitand(payload.big, 255)", 1],
  ["bitor(payload.big, 2)", 9007199254740995n],
  ["bitxor(payload.big, payload.big)", 0],
  ["bitsr(payload.long, 60)", 10],
  ["bitnot(payload.big)", -9007199254740994n],
  ["now_timestamp('nanosecond') + 1", 1700000000000000001n],
  ["now_timestamp('nanosecond') div 1000000000", 1700000000],
  // As a name in a map, where there can be no such position.
  ["payload.names[payload.big]", "of the big one"],
  ["map_get(payload.big, payload.names)", "of the big one"],
  ["map_get(payload.small, payload.names)", "of seven"],
  ["map_put(payload.big, 1, map_new())", { "9007199254740993": 1 }],
  ["map_remove(payload.big, payload.names)", { "7": "of seven" }],
  ["map([[payload.big, 1]])", { "9007199254740993": 1 }],
  ["payload.list[payload.big]", undefined],
];

test.each(ROWS.map(([expr, value]) => [expr, value] as const))("%s", (expr, value) => {
  expect(evaluated(expr)).toEqual(value as never);
});

describe("wherever a row goes the digits are there", () => {
  const row = rowOf("payload.big AS id, payload.list AS list, payload.text AS text");

  test("as JSON", () => {
    expect(rowJson(row)).toBe('{"id":9007199254740993,"list":[1,9007199254740993],"text":"9007199254740993"}');
    expect(rowJson({ ...row, bytes: Uint8Array.of(1) })).toBe(
      '{"id":9007199254740993,"list":[1,9007199254740993],"text":"9007199254740993","bytes":"AQ=="}',
    );
  });

  test("in templates, and as values of SQL", () => {
    const template = compileRowTemplate("${id} ${list} ${text}");
    expect(template.text(row)).toBe("9007199254740993 [1,9007199254740993] 9007199254740993");
    expect(template.values(row)).toEqual(["9007199254740993", "[1,9007199254740993]", "9007199254740993"]);
  });
});

describe("a number does not grow without end", () => {
  const LIMIT = "the result has more than 400 digits";
  test.each([
    ["+", "payload.digits + 1"],
    ["-", "-payload.digits - 1"],
    ["*", "payload.digits * 10"],
    ["bitsl()", "bitsl(payload.digits, 10)"],
  ])("%s", (op, expr) => {
    expect(() => evaluated(expr)).toThrow(`${op}: ${LIMIT}`);
    expect(evaluated("payload.digits - 1")).toBe(10n ** 400n - 2n);
  });

  test("what it costs is counted: an operation, and digits as they are written", () => {
    begin(1000);
    expect(wholeNumber(2n ** 60n)).toBe(2n ** 60n);
    expect(() => wholeNumber(2n ** 60n)).toThrow("this is too much work for one event");
    end();
    const many = (field: string): string => Array.from({ length: 60 }, (_, i) => `${field} AS f${i}`).join(", ");
    const list = (digits: number): string => `{"list":[${Array.from({ length: 2000 }, () => "9".repeat(digits)).join(",")}]}`;
    for (const field of ["json_encode(payload.list)", "join_to_string(payload.list)"]) {
      const rule = compileRule(`SELECT ${many(field)} FROM "t"`);
      expect(rule.run(message(list(5)))).toHaveLength(1);
      expect(() => rule.run(message(list(400)))).toThrow("this is too much work for one event");
    }
  });
});

test("JSON of one long number many times over is refused before it is written", () => {
  const of = (name: string, n: number): string => `[${Array.from({ length: n }, () => name).join(",")}]`;
  const rule = compileRule(`SELECT payload.n AS n, ${of("n", 200)} AS a, json_encode(${of("a", 200)}) AS j FROM "t"`);
  expect(() => rule.run(message(`{"n":${"7".repeat(400)}}`))).toThrow("the result would have more than 1048576 characters");
});

describe("what cannot be is told with its digits", () => {
  test.each([
    ["payload.big - 'a'", '-: expected a number, got text "a"'],
    ["payload.big + null", "+: expected a number, got null"],
    ["payload.big * payload.text", '*: expected a number, got text "9007199254740993"'],
    ["payload.text - 1", '-: expected a number, got text "9007199254740993"'],
    ["-payload.text", '-: expected a number, got text "9007199254740993"'],
    ["payload.big div 0", "div: division by zero"],
    ["payload.big mod 0", "mod: division by zero"],
    ["payload.big / 0", "/: division by zero"],
    ["payload.big div 0.5", "div: expected a whole number, got number 0.5"],
    ["upper(payload.big)", "upper(): expected text, got number 9007199254740993"],
    ["nth(payload.big, payload.list)", "nth(): expected a whole number below 2^53, got number 9007199254740993"],
    ["sqrt(payload.digits)", "sqrt(): expected a number up to 1.8e308, got number 999"],
    ["payload.digits * 0.5", "*: the result is no finite number"],
  ])("%s", (expr, says) => expect(() => evaluated(expr)).toThrow(says));

  test("of hundreds of them a piece", () => {
    expect(() => evaluated("upper(payload.digits)")).toThrow(/number 9{64}…$/);
  });
});

test("whatever whole numbers meet: the same as with bigints alone", () => {
  const whole = fc.oneof(
    fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }),
    fc.bigInt({ min: -20n, max: 20n }),
    fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
  );
  const OPERATIONS: Record<string, (a: bigint, b: bigint) => bigint | boolean> = {
    "+": (a, b) => a + b,
    "-": (a, b) => a - b,
    "*": (a, b) => a * b,
    div: (a, b) => a / b,
    mod: (a, b) => a % b,
    "<": (a, b) => a < b,
    ">=": (a, b) => a >= b,
    "=": (a, b) => a === b,
  };
  const rules = Object.keys(OPERATIONS).map((op) => [op, compileRule(`SELECT payload.a ${op} payload.b AS x`)] as const);
  fc.assert(
    fc.property(whole, whole, fc.constantFrom(...rules), (a, b, [op, rule]) => {
      fc.pre(b !== 0n || (op !== "div" && op !== "mod"));
      const [row] = rule.run(eventOf({ payload: `{"a":${a},"b":${b}}` }));
      const expected = OPERATIONS[op]?.(a, b);
      expect([a, op, b, typeof row?.x === "number" ? BigInt(row.x) : row?.x]).toEqual([a, op, b, expected]);
      if (typeof row?.x === "bigint") expect(Number.isSafeInteger(Number(row.x))).toBe(false);
    }),
    { numRuns: 1000 },
  );
});
