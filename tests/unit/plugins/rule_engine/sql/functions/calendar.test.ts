/** Unix time and text, in every zone and for every year. */
import { afterEach, expect, test } from "bun:test";
import fc from "fast-check";
import {
  offsetAt,
  offsetOf,
  parseDate,
  parseRfc3339,
  printDate,
  printRfc3339,
} from "../../../../../../server/plugins/rule_engine/sql/functions/calendar.ts";
import { compileRule, type Value } from "../../../../../../server/plugins/rule_engine/sql/index.ts";
import { message } from "../../../../../support/rule_sql.ts";

const ZONE = process.env.TZ;
afterEach(() => {
  process.env.TZ = ZONE ?? "Etc/UTC";
});

/** The years 0 to 9999 in every zone, in nanoseconds. */
const DAY = 86_400_000_000_000n;
const anyTime = fc.bigInt({ min: -62_167_219_200_000_000_000n + DAY, max: 253_402_300_799_999_999_999n - DAY });
const anyOffset = fc.integer({ min: -50_000, max: 50_000 });

test("what is printed is read as the same time, with every offset", () => {
  fc.assert(
    fc.property(anyTime, anyOffset, (ns, offset) => {
      const format = "%d.%m.%Y at %H:%M:%S,%N (%::z) 100%%";
      expect(parseDate(format, printDate(format, ns, offset), null)).toBe(ns);
    }),
  );
});

test("RFC 3339 as the runtime reads it", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date("0001-01-02"), max: new Date("9999-12-30"), noInvalidDate: true }),
      fc.integer({ min: -1439, max: 1439 }),
      (date, minutes) => {
        const ns = BigInt(date.getTime()) * 1_000_000n;
        const text = printRfc3339(ns, minutes * 60, 3);
        expect(Date.parse(text)).toBe(date.getTime());
        expect(parseRfc3339(text)).toBe(ns);
      },
    ),
  );
});

test.each([
  ["Z", 0],
  ["z", 0],
  ["", 0],
  ["+08", 28_800],
  ["+0800", 28_800],
  ["-08:30", -30_600],
  ["+08:20:30", 30_030],
  ["+082030", 30_030],
  [-3600, -3600],
] as const)("offset %p", (text, seconds) => {
  expect(offsetAt(offsetOf(text), 0n)).toBe(seconds);
});

test.each(["x", "+8", "+24:00", "+08:60", "08:00", 90_000, 1.5, null, undefined])("no offset: %p", (value) => {
  expect(() => offsetOf(value)).toThrow("expected an offset");
});

test.each([
  ["2024-02-30T00:00:00Z"],
  ["2023-02-29T00:00:00Z"],
  ["2024-01-01T24:00:00Z"],
  ["2024-01-01T00:60:00Z"],
  ["2024-13-01T00:00:00Z"],
  ["2024-00-01T00:00:00Z"],
  ["2024-01-01 00:00:00"],
  ["2024-01-01T00:00:00+25:00"],
  ["24-01-01T00:00:00Z"],
  [""],
])("no time: %s", (text) => {
  expect(() => parseRfc3339(text)).toThrow("expected");
});

const evaluated = (expr: string): Value => compileRule(`SELECT ${expr} AS x`).run(message("{}"))[0]?.x;

/** As EMQX's manual has it, on a machine in China; and where the clocks are changed. */
test.each([
  ["Asia/Shanghai", "unix_ts_to_rfc3339(1708671600)", "2024-02-23T15:00:00+08:00"],
  ["Asia/Shanghai", "unix_ts_to_rfc3339(1708671600766, 'millisecond')", "2024-02-23T15:00:00.766+08:00"],
  ["Asia/Shanghai", "now_rfc3339()", "2023-11-15T06:13:20+08:00"],
  ["Asia/Shanghai", "timezone_to_offset_seconds('local')", 28_800],
  ["Asia/Shanghai", "date_to_unix_ts('second', 'local', '%Y-%m-%d %H-%M-%S', '2022-05-26 18-40-12')", 1_653_561_612],
  ["America/New_York", "format_date('second', 'local', '%H:%M %z', 1710054000)", "03:00 -0400"],
  ["America/New_York", "format_date('second', 'local', '%H:%M %z', 1710053999)", "01:59 -0500"],
  ["America/New_York", "date_to_unix_ts('second', 'local', '%Y-%m-%d', '2024-07-01')", 1_719_806_400],
  ["Asia/Kolkata", "unix_ts_to_rfc3339(0)", "1970-01-01T05:30:00+05:30"],
] as const)("%s: %s", (zone, expr, value) => {
  process.env.TZ = zone;
  expect(evaluated(expr) as unknown).toBe(value);
});
