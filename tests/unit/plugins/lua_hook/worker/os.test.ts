/** `os` of Lua, in a real worker: what Lua 5.3 answers, with its errors. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { numberOf } from "../../../../../server/plugins/lua_hook/callbacks.ts";
import { Host } from "../../../../../server/plugins/lua_hook/host.ts";
import { removeTempDirs, tempDir } from "../../harness.ts";

/** What is asked is an expression, which is evaluated in the script: it has no `load`. */
const EXPRESSIONS: string[] = [];
const asked = (expression: string): number => EXPRESSIONS.push(expression) - 1;

const DATE = `os.date("%Y-%m-%d %H:%M:%S", t)`;
const same: [expression: string, is: unknown][] = [
  ['os.date("!%Y-%m-%d %H:%M:%S", 0)', "1970-01-01 00:00:00"],
  ['os.date("!%c", 86400)', "Fri Jan  2 00:00:00 1970"],
  ['os.date("!%H:%M", "3600")', "01:00"],
  ['os.date("!%H", 3600.0)', "01"],
  ['os.date("!*t", 1709211909).month', 2],
  ['os.date("!*t", 1709211909).yday', 60],
  ['os.date("!*t", 1709211909).wday', 5],
  ['os.date("!*t", 1709211909).isdst', false],
  ['math.type(os.date("!*t", 1709211909).year)', "integer"],
  ['os.date("!*tx", 0)', "*tx"],
  ['os.date("!%Y", -86400)', "1969"],
  ['os.date("!%Y-%m-%d", 4102444800)', "2100-01-01"],
  ['os.date("!\\xff%%\\0", 0)', "\u00ff%\0"],
  ['(function() local t = 1709211909 return os.time(os.date("*t", t)) == t end)()', true],
  [
    `(function() local t = os.time{ year = 2024, month = 2, day = 29, hour = 13, min = 5, sec = 9 } return ${DATE} end)()`,
    "2024-02-29 13:05:09",
  ],
  [`(function() local t = os.time{ year = 2024, month = 2, day = 29 } return ${DATE} end)()`, "2024-02-29 12:00:00"],
  [`(function() local t = os.time{ year = 2023, month = 14, day = -1, hour = 0 } return ${DATE} end)()`, "2024-01-30 00:00:00"],
  [`(function() local t = os.time{ year = 99, month = 1, day = '2' } return ${DATE} end)()`, "99-01-02 12:00:00"],
  [
    "(function() local d = { year = 2024, month = 1, day = 1, hour = 25 } os.time(d) return d.day .. ' ' .. d.hour .. ' ' .. d.wday end)()",
    "2 1 3",
  ],
  ["os.time() * 1000 > 1.7e12", true],
  ["#tostring(os.time())", 10],
  ['string.format("%d", os.time{ year = 2020, month = 1, day = 3 } - os.time{ year = 2020, month = 1, day = 1 })', "172800"],
  ["os.difftime(10, 4)", 6],
  ["math.type(os.difftime(10, 4))", "float"],
  ["(function() local a = os.clock() local n = 0 for i = 1, 1e5 do n = n + i end return os.clock() >= a and a > 0 end)()", true],
  ["type(os.date())", "string"],
];
const wrong: [expression: string, message: string][] = [
  ['os.date("%Ez", 0)', "bad argument #1 to 'date' (invalid conversion specifier '%Ez')"],
  ['os.date("%", 0)', "bad argument #1 to 'date' (invalid conversion specifier '%')"],
  ['os.date("%c", 1.5)', "bad argument #2 to 'date' (number has no integer representation)"],
  ['os.date("%c", "x")', "bad argument #2 to 'date' (number expected, got string)"],
  ["os.date({})", "bad argument #1 to 'date' (string expected, got table)"],
  ['os.date("%c", 1e15)', "date result cannot be represented in this installation"],
  ["os.time(1)", "bad argument #1 to 'time' (table expected, got number)"],
  ["os.time{}", "field 'year' missing in date table"],
  ["os.time{ year = 2020, month = 1 }", "field 'day' missing in date table"],
  ["os.time{ year = 2020, month = 1, day = 1.5 }", "field 'day' is not an integer"],
  ["os.time{ year = 2020, month = 'x', day = 1 }", "field 'month' is not an integer"],
  ["os.time{ year = 2 ^ 40, month = 1, day = 1 }", "field 'year' is out-of-bound"],
  ["os.time{ year = 1e9, month = 1, day = 1 }", "time result cannot be represented in this installation"],
  ["os.difftime(1)", "bad argument #2 to 'difftime' (number expected, got no value)"],
];
for (const [expression] of [...same, ...wrong]) asked(expression);

let host: Host;
beforeAll(async () => {
  const functions = EXPRESSIONS.map((e) => `function() return ${e} end`).join(",\n");
  const path = join(tempDir(), "os.lua");
  writeFileSync(
    path,
    `local all = {${functions}}
     function register_hook() return "on_message_publish" end
     function on_message_publish(n) local ok, v = pcall(all[n + 1]) return ok, v end`,
  );
  await new Promise<void>((resolve, reject) => {
    host = new Host(
      { name: "os.lua", language: "lua", path, limits: { budget: 20_000, memory: 16 * 1024 * 1024 } },
      {
        loaded: () => resolve(),
        refused: ({ message, line }) => reject(new Error(`${line}: ${message}`)),
        failed() {},
        printed() {},
        ended() {},
      },
      0,
    );
  });
});
afterAll(() => {
  host.close();
  removeTempDirs();
});

function answer(expression: string): unknown[] {
  const values = host.ask(numberOf("on_message_publish"), [EXPRESSIONS.indexOf(expression)]) ?? [];
  return values.map((v) => (v instanceof Uint8Array ? Buffer.from(v).toString("latin1") : v));
}

describe("what Lua 5.3 answers", () => {
  for (const [expression, is] of same) test(expression, () => expect(answer(expression)).toEqual([true, is]));
});

describe("what it refuses, in its words", () => {
  for (const [expression, message] of wrong)
    test(expression, () => {
      const [ok, said] = answer(expression);
      expect([ok, String(said).replace(/^os\.lua:\d+: /, "")]).toEqual([false, message]);
    });
});
