/** How an event of the log becomes a line. */
import type { LogFields, LogFormat } from "./log.ts";
import { MASK } from "./mask.ts";

const SECRET = /pass(?:word|wd|phrase)?$|password|secret|token|cookie|authorization|api_?key|private_?key/i;
/** Objects nested deeper are not written. */
const MAX_DEPTH = 4;
const MAX_ITEMS = 100;

/** `limit`: longest line in characters; -1 = no limit. "2026-11-24T04:55:26.740Z [error] message key=value other="two words"". */
export function textFormat(limit: number): LogFormat {
  return (e) => {
    let line = `${new Date(e.at).toISOString()} [${e.level}] ${oneLine(e.message)}`;
    for (const [key, value] of safeEntries(e.fields)) line += ` ${key}=${textValue(value)}`;
    return cut(line, limit);
  };
}

/** `limit`: longest text in characters; -1 = no limit. The line as a whole stays valid JSON. */
export function jsonFormat(limit: number): LogFormat {
  return (e) => {
    const out: Record<string, unknown> = { time: new Date(e.at).toISOString(), level: e.level, message: cut(e.message, limit) };
    // A field must not stand in for the event's own time, level or message.
    for (const [key, value] of safeEntries(e.fields)) out[key in out ? `${key}_` : key] = shorten(value, limit);
    return JSON.stringify(out);
  };
}

function safeEntries(fields: LogFields | undefined): [string, unknown][] {
  if (fields === undefined) return [];
  return Object.keys(fields)
    .map((key): [string, unknown] => [key, SECRET.test(key) ? MASK : plain(() => fields[key], MAX_DEPTH)])
    .filter(([, value]) => value !== undefined);
}

/** A value that JSON can carry: no cycles, no secrets, no surprises from getters. */
function plain(get: () => unknown, depth: number): unknown {
  try {
    const value = get();
    if (typeof value === "bigint") return value.toString();
    if (typeof value === "number" && !Number.isFinite(value)) return String(value);
    if (typeof value === "function" || typeof value === "symbol") return String(value);
    if (typeof value !== "object" || value === null) return value;
    if (value instanceof Error) return value.stack ?? String(value);
    if (value instanceof Date) return value.toISOString();
    if (value instanceof Uint8Array) return `<${value.length} bytes>`;
    if (depth === 0) return "…";
    if (value instanceof Map) return plain(() => Object.fromEntries(value), depth);
    if (value instanceof Set || Array.isArray(value)) return [...value].slice(0, MAX_ITEMS).map((v: unknown) => plain(() => v, depth - 1));
    const keys = Object.keys(value).slice(0, MAX_ITEMS);
    return Object.fromEntries(keys.map((k) => [k, SECRET.test(k) ? MASK : plain(() => (value as LogFields)[k], depth - 1)]));
  } catch (err) {
    return `<unreadable: ${err instanceof Error ? err.message : "error"}>`;
  }
}

function textValue(value: unknown): string {
  if (typeof value !== "string") return oneLine(typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
  return /^[\p{L}\p{N}_./:@#+*$%,;<>()[\]{}~^&|!?'-]+$/u.test(value) ? value : oneLine(JSON.stringify(value));
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A line feed in a text, perhaps sent by a client, must not look like a new event; nor must a terminal obey it. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (c) => SHORT_ESCAPES[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function shorten(value: unknown, limit: number): unknown {
  if (typeof value === "string") return cut(value, limit);
  if (Array.isArray(value)) return value.map((v) => shorten(v, limit));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, shorten(v, limit)]));
}

function cut(text: string, limit: number): string {
  return limit < 0 || text.length <= limit ? text : `${text.slice(0, Math.max(0, limit - 1))}…`;
}
