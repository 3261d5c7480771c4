/** Date and time. `unit`: second, millisecond, microsecond, nanosecond. */
import { ArgumentError } from "../errors.ts";
import { bounded, type Value } from "../values.ts";
import { bigOf, wholeNumber } from "../wholes.ts";
import { offsetAt, offsetOf, parseDate, parseRfc3339, printDate, printRfc3339, type Zone } from "./calendar.ts";
import { oneOf, Table, text } from "./table.ts";

const unitOf = oneOf("second", "millisecond", "microsecond", "nanosecond");
const NANOS = { second: 1_000_000_000n, millisecond: 1_000_000n, microsecond: 1000n, nanosecond: 1n } as const;
const DIGITS = { second: 0, millisecond: 3, microsecond: 6, nanosecond: 9 } as const;

/** Years 0 to 9999: what four digits can say. */
const FIRST = -62_167_219_200n * 1_000_000_000n;
const LAST = 253_402_300_800n * 1_000_000_000n;

function nanos(time: Value, unit: Value): bigint {
  const whole = typeof time === "number" && !Number.isInteger(time) ? BigInt(Math.floor(time)) : bigOf(time);
  const n = whole * NANOS[unitOf(unit)];
  if (n < FIRST || n >= LAST) throw new ArgumentError("a time of the years 0 to 9999", time);
  return n;
}

const inUnit = (ns: bigint, unit: Value): Value => {
  const size = NANOS[unitOf(unit)];
  return wholeNumber((ns - (((ns % size) + size) % size)) / size);
};
const ofMs = (ms: number): bigint => BigInt(Math.floor(ms)) * 1_000_000n;

/** In the machine's time zone, as EMQ X does. */
const local = (ns: bigint, unit: Value): string => printRfc3339(ns, offsetAt("local", ns), DIGITS[unitOf(unit)]);

function dateToUnix(unit: Value, ...rest: Value[]): Value {
  const zone: Zone | null = rest.length > 2 ? offsetOf(rest[0]) : null;
  const [format, date] = rest.slice(-2);
  return inUnit(parseDate(text(format), text(date), zone), unit);
}

function mongoDate(ns: bigint): Value {
  return { $date: new Date(Number(ns / 1_000_000n)).toISOString() };
}

const NANOSECONDS = " %Y %m %d %H %M %S, %N %6N %3N (nano-, micro-, milliseconds), %z +0100, %:z +01:00, %::z +01:00:00.";

export const time = new Table("date and time")
  .event(
    "now_timestamp",
    "[unit]",
    "Unix time of the event's evaluation, in seconds if nothing is said.",
    "now_timestamp('millisecond')",
    1_700_000_000_000,
    [],
    ({ now }, unit) => inUnit(ofMs(now), unit),
    { checks: { 0: unitOf } },
  )
  .event(
    "now_rfc3339",
    "[unit]",
    "The same as RFC 3339 writes it, in the machine's time zone.",
    "now_rfc3339()",
    "2023-11-14T22:13:20+00:00",
    [],
    ({ now }, unit) => local(ofMs(now), unit),
    { checks: { 0: unitOf } },
  )
  .add(
    "unix_ts_to_rfc3339",
    "time[, unit]",
    "Unix time as RFC 3339 writes it, in the machine's time zone.",
    "unix_ts_to_rfc3339(1650874318331, 'millisecond')",
    "2022-04-25T08:11:58.331+00:00",
    (t, unit) => local(nanos(t, unit), unit),
    { checks: { 1: unitOf } },
  )
  .add(
    "rfc3339_to_unix_ts",
    "text[, unit]",
    "Unix time of RFC 3339.",
    "rfc3339_to_unix_ts('2024-02-23T15:56:30.87Z', 'millisecond')",
    1_708_703_790_870,
    (s, unit) => inUnit(parseRfc3339(text(s)), unit),
    { checks: { 1: unitOf } },
  )
  .event(
    "format_date",
    "unit, offset, format[, time]",
    `Unix time (of now, if nothing is said) as text. offset: 'Z', 'local', '+08:00' or seconds. format:${NANOSECONDS}`,
    "format_date('millisecond', '+08:00', '%Y-%m-%d %H:%M:%S.%3N%z', 1708933353472)",
    "2024-02-26 15:42:33.472+0800",
    [],
    ({ now }, unit, offset, format, t) => {
      const ns = t === undefined ? ofMs(now) : nanos(t, unit);
      unitOf(unit);
      return bounded(printDate(text(format), ns, offsetAt(offsetOf(offset), ns)));
    },
    { checks: { 0: unitOf, 1: offsetOf } },
  )
  .add(
    "date_to_unix_ts",
    "unit, offset_or_format, format_or_text[, text]",
    `Unix time of a text. format:${NANOSECONDS} offset: for a text that says none.`,
    "date_to_unix_ts('second', '%Y-%m-%d %H:%M:%S%:z', '2024-02-23 15:00:00+08:00')",
    1_708_671_600,
    dateToUnix,
    { checks: { 0: unitOf } },
  )
  .event(
    "timezone_to_offset_seconds",
    "offset",
    "Seconds of 'Z', '+08:00', '-0330' or 'local'.",
    "timezone_to_offset_seconds('+08:00')",
    28_800,
    [],
    ({ now }, o) => offsetAt(offsetOf(o), ofMs(now)),
  )
  .event("timezone_to_second", "offset", "The same.", "timezone_to_second('-0330')", -12_600, [], ({ now }, o) =>
    offsetAt(offsetOf(o), ofMs(now)),
  )
  .event(
    "mongo_date",
    "[time[, unit]]",
    'A date for MongoDB, of now or of a Unix time in milliseconds; as JSON {"$date": …}.',
    "mongo_date(1700000000000)",
    { $date: "2023-11-14T22:13:20.000Z" },
    [],
    ({ now }, t, unit) => mongoDate(t === undefined ? ofMs(now) : nanos(t, unit ?? "millisecond")),
    { checks: { 1: unitOf } },
  );
