/** Unix time in nanoseconds (bigint) to text and back. The calendar is the Gregorian one, for all years. */
import { ArgumentError } from "../errors.ts";
import type { Value } from "../values.ts";

/** Seconds east of Greenwich, or what the machine says. */
export type Zone = number | "local";

const SECOND = 1_000_000_000n;
/** A day, less a second: what an offset can be. */
const MAX_OFFSET = 86_399;

/** 'Z', 'local', '+08', '+0800', '+08:00', '+08:00:30', or seconds. @throws ArgumentError */
export function offsetOf(value: Value): Zone {
  if (value === "local") return "local";
  if (value === "Z" || value === "z" || value === "") return 0;
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= MAX_OFFSET) return value;
  const found = typeof value === "string" ? /^([+-])(\d\d)(?::?([0-5]\d)(?::?([0-5]\d))?)?$/.exec(value) : null;
  if (found === null || Number(found[2]) > 23) throw new ArgumentError("an offset such as 'Z', 'local', '+08:00' or 28800", value);
  const seconds = Number(found[2]) * 3600 + Number(found[3] ?? 0) * 60 + Number(found[4] ?? 0);
  return found[1] === "-" ? -seconds : seconds;
}

/** Seconds, at a time. */
export function offsetAt(zone: Zone, ns: bigint): number {
  return zone === "local" ? -new Date(Number(floorDiv(ns, 1_000_000n))).getTimezoneOffset() * 60 : zone;
}

function floorDiv(a: bigint, b: bigint): bigint {
  return (a - (((a % b) + b) % b)) / b;
}

const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

interface Fields {
  date: Date;
  nanos: string;
}

function fieldsAt(ns: bigint, offset: number): Fields {
  const seconds = floorDiv(ns, SECOND);
  return { date: new Date((Number(seconds) + offset) * 1000), nanos: (ns - seconds * SECOND).toString().padStart(9, "0") };
}

function zoneText(offset: number, colons: 0 | 1 | 2): string {
  const size = Math.abs(offset);
  const separator = colons === 0 ? "" : ":";
  const text = `${offset < 0 ? "-" : "+"}${two(Math.floor(size / 3600))}${separator}${two(Math.floor(size / 60) % 60)}`;
  return colons === 2 ? `${text}:${two(size % 60)}` : text;
}

/** `digits` of the second: 0, 3, 6 or 9. */
export function printRfc3339(ns: bigint, offset: number, digits: number): string {
  return printDate(digits === 0 ? "%Y-%m-%dT%H:%M:%S%:z" : `%Y-%m-%dT%H:%M:%S.%${digits}N%:z`, ns, offset);
}

const FIELD = /%(?:[YmdHMSNz%]|[369]N|:z|::z)/g;

export function printDate(format: string, ns: bigint, offset: number): string {
  const { date, nanos } = fieldsAt(ns, offset);
  return format.replace(FIELD, (field) => {
    switch (field) {
      case "%Y":
        return String(date.getUTCFullYear()).padStart(4, "0");
      case "%m":
        return two(date.getUTCMonth() + 1);
      case "%d":
        return two(date.getUTCDate());
      case "%H":
        return two(date.getUTCHours());
      case "%M":
        return two(date.getUTCMinutes());
      case "%S":
        return two(date.getUTCSeconds());
      case "%z":
        return zoneText(offset, 0);
      case "%:z":
        return zoneText(offset, 1);
      case "%::z":
        return zoneText(offset, 2);
      case "%%":
        return "%";
      default:
        return nanos.slice(0, field === "%N" ? 9 : Number(field[1]));
    }
  });
}

const FORMS: Readonly<Record<string, RegExp>> = {
  "%Y": /\d{4}/y,
  "%m": /\d\d/y,
  "%d": /\d\d/y,
  "%H": /\d\d/y,
  "%M": /\d\d/y,
  "%S": /\d\d/y,
  "%N": /\d{9}/y,
  "%9N": /\d{9}/y,
  "%6N": /\d{6}/y,
  "%3N": /\d{3}/y,
  "%z": /[Zz]|[+-]\d{4}/y,
  "%:z": /[Zz]|[+-]\d\d:\d\d/y,
  "%::z": /[Zz]|[+-]\d\d:\d\d:\d\d/y,
};

/** `zone`: for a text that has no offset; null = UTC. Nanoseconds. @throws ArgumentError */
export function parseDate(format: string, text: string, zone: Zone | null): bigint {
  const parts = new Map<string, string>();
  let at = 0;
  let from = 0;
  const literal = (to: number): void => {
    const expected = format.slice(from, to);
    if (!text.startsWith(expected, at)) throw new ArgumentError(`a date such as '${format}'`, text);
    at += expected.length;
  };
  for (const found of format.matchAll(FIELD)) {
    literal(found.index);
    from = found.index + found[0].length;
    const form = FORMS[found[0]];
    if (form === undefined) {
      if (text[at] !== "%") throw new ArgumentError(`a date such as '${format}'`, text);
      at++;
      continue;
    }
    form.lastIndex = at;
    const value = form.exec(text)?.[0];
    // The offset that is said beside the text may stand for one that the text has not.
    if (value === undefined && found[0].endsWith("z") && zone !== null && at === text.length) continue;
    if (value === undefined) throw new ArgumentError(`a date such as '${format}'`, text);
    parts.set(found[0].replace(/^%[:369]*/, "%"), value);
    at += value.length;
  }
  literal(format.length);
  if (at !== text.length) throw new ArgumentError(`a date such as '${format}'`, text);
  const field = (name: string, otherwise: number): number => Number(parts.get(name) ?? otherwise);
  const written = parts.get("%z");
  const own = written === undefined ? (zone ?? 0) : offsetOf(written);
  const day: Day = [field("%Y", 1970), field("%m", 1), field("%d", 1), field("%H", 0), field("%M", 0), field("%S", 0)];
  return unixOf(day, own, text) + BigInt((parts.get("%N") ?? "").padEnd(9, "0"));
}

type Day = [year: number, month: number, day: number, hour: number, minute: number, second: number];

/** Without fractions. */
function unixOf([year, month, day, hour, minute, second]: Day, zone: Zone, text: string): bigint {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const isThere = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!isThere) throw new ArgumentError("a day and time that exist", text);
  if (zone !== "local") return BigInt(date.getTime() / 1000 - zone) * SECOND;
  const here = new Date(0);
  here.setFullYear(year, month - 1, day);
  here.setHours(hour, minute, second, 0);
  return BigInt(here.getTime() / 1000) * SECOND;
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,20}))?([Zz]|[+-]\d\d:\d\d)$/;

/** Nanoseconds. @throws ArgumentError */
export function parseRfc3339(text: string): bigint {
  const found = RFC3339.exec(text);
  if (found === null) throw new ArgumentError("a date of RFC 3339 such as '2024-02-23T15:56:30Z'", text);
  const day = found.slice(1, 7).map(Number) as Day;
  return unixOf(day, offsetOf(found[8]), text) + BigInt((found[7] ?? "").slice(0, 9).padEnd(9, "0"));
}
