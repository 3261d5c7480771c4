/**
 * Values as people write them in a configuration: "10s", "64KB", "80%", "on", "10,1m".
 * Every parser takes text and throws `ValueError` saying what was expected; every printer gives text its parser takes back.
 */

/** A text is not what it should be. `expected` reads on after "expected ". */
export class ValueError extends Error {
  override readonly name = "ValueError";
  constructor(
    readonly text: string,
    readonly expected: string,
  ) {
    super(`expected ${expected}, got ${JSON.stringify(text)}`);
  }
}

/** Longest unit first, as printed. */
const DURATION_UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ms|[smhdw])/g;
export const EXPECTS_DURATION = "a duration with its unit, such as 500ms, 10s, 1m, 2h, 1d or 1w";

/** Milliseconds. Parts may be joined ("1h30m"); a bare 0 needs no unit. */
export function parseDuration(text: string): number {
  const t = text.trim().toLowerCase();
  if (t === "0") return 0;
  if (!DURATION.test(t)) throw new ValueError(text, EXPECTS_DURATION);
  let ms = 0;
  for (const [, amount, unit] of t.matchAll(DURATION_PART)) {
    ms += Number(amount) * (DURATION_UNITS.find(([u]) => u === unit)?.[1] ?? 0);
  }
  if (!Number.isSafeInteger(Math.round(ms))) throw new ValueError(text, EXPECTS_DURATION);
  return Math.round(ms);
}

const BYTE_UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["k", 1024],
  ["kb", 1024],
  ["m", 1024 ** 2],
  ["mb", 1024 ** 2],
  ["g", 1024 ** 3],
  ["gb", 1024 ** 3],
]);
export const EXPECTS_BYTES = "a size such as 512, 64KB, 1MB or 1GB";

/** Bytes; KB = 1024. */
export function parseBytes(text: string): number {
  const m = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim().toLowerCase());
  const size = BYTE_UNITS.get(m?.[2] ?? "?");
  const n = Math.round(Number(m?.[1]) * (size ?? Number.NaN));
  if (!Number.isSafeInteger(n)) throw new ValueError(text, EXPECTS_BYTES);
  return n;
}

export const EXPECTS_PERCENT = "a percentage such as 80%";

/** 0 to 100. */
export function parsePercent(text: string): number {
  const m = /^(\d+(?:\.\d+)?)%$/.exec(text.trim());
  const n = Number(m?.[1]);
  if (!(n <= 100)) throw new ValueError(text, EXPECTS_PERCENT);
  return n;
}

export const EXPECTS_FLAG = "on or off (true or false)";

export function parseFlag(text: string): boolean {
  const t = text.trim().toLowerCase();
  if (t === "on" || t === "true") return true;
  if (t === "off" || t === "false") return false;
  throw new ValueError(text, EXPECTS_FLAG);
}

export function expectsInteger(min: number, max: number): string {
  if (max < Number.MAX_SAFE_INTEGER) return `a whole number from ${min} to ${max}`;
  return min === Number.MIN_SAFE_INTEGER ? "a whole number" : `a whole number, ${min} or more`;
}

export function parseInteger(text: string, min: number = Number.MIN_SAFE_INTEGER, max: number = Number.MAX_SAFE_INTEGER): number {
  const t = text.trim();
  const n = /^[+-]?\d+$/.test(t) ? Number(t) : Number.NaN;
  if (!(n >= min && n <= max)) throw new ValueError(text, expectsInteger(min, max));
  return n;
}

export function parseNumber(text: string, min: number = Number.NEGATIVE_INFINITY, max: number = Number.POSITIVE_INFINITY): number {
  const t = text.trim();
  const n = /^[+-]?\d+(?:\.\d+)?$/.test(t) ? Number(t) : Number.NaN;
  if (!(n >= min && n <= max)) {
    const range = Number.isFinite(min) || Number.isFinite(max) ? ` from ${min} to ${max}` : "";
    throw new ValueError(text, `a number${range}, such as 0.75`);
  }
  return n;
}

/** Comma-separated, trimmed, empty items left out. */
export function parseList(text: string): string[] {
  return text
    .split(",")
    .map((s) => s.trim())
    .filter((s) => s !== "");
}

export interface Rate {
  count: number;
  intervalMs: number;
}
export const EXPECTS_RATE = "a count and an interval, such as 10,1m";

/** "10,1m": ten in a minute. */
export function parseRate(text: string): Rate {
  const [count, interval, ...rest] = text.split(",");
  try {
    if (interval === undefined || rest.length > 0) throw new ValueError(text, EXPECTS_RATE);
    const rate = { count: parseInteger(count ?? "", 1), intervalMs: parseDuration(interval) };
    if (rate.intervalMs === 0) throw new ValueError(text, EXPECTS_RATE);
    return rate;
  } catch (err) {
    throw err instanceof ValueError ? new ValueError(text, EXPECTS_RATE) : err;
  }
}

/** Bytes per second, and how many may come at once. */
export interface ByteRate {
  rate: number;
  burst: number;
}
export const EXPECTS_BYTE_RATE = "bytes per second and a burst, such as 1024,4096 or 1KB,4KB";

export function parseByteRate(text: string): ByteRate {
  const [rate, burst, ...rest] = text.split(",");
  try {
    if (burst === undefined || rest.length > 0) throw new ValueError(text, EXPECTS_BYTE_RATE);
    const r = { rate: parseBytes(rate ?? ""), burst: parseBytes(burst) };
    if (r.rate === 0 || r.burst === 0) throw new ValueError(text, EXPECTS_BYTE_RATE);
    return r;
  } catch (err) {
    throw err instanceof ValueError ? new ValueError(text, EXPECTS_BYTE_RATE) : err;
  }
}

/** Where to listen or connect. `text` is what was written. */
export interface Address {
  host: string;
  port: number;
  text: string;
}
export const EXPECTS_ADDRESS = "a port such as 1883, or an address and port such as 0.0.0.0:1883 or [::1]:1883";

/** A bare port means every IPv4 address, as in EMQ X 3.1. */
export function parseAddress(text: string): Address {
  const t = text.trim();
  const m = /^(?:(\[[0-9a-fA-F:.]+\]|[^:\s[\]]+):)?(\d{1,5})$/.exec(t);
  const port = Number(m?.[2]);
  if (!m || port > 65535) throw new ValueError(text, EXPECTS_ADDRESS);
  const host = m[1]?.replace(/^\[|\]$/g, "") ?? "0.0.0.0";
  return { host, port, text: t };
}
