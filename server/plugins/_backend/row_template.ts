/**
 * Text with `${…}` in it that is filled from the row a rule has made: `${a.b[1]}` a value, `${.}` the whole row. Compiled once, filled often.
 * Whoever gives text to somebody who parses it again (SQL, a path) binds the values instead: they are never pasted into it.
 *
 * A text on the way that is JSON itself (`SELECT *` has the payload as it came) is looked into, as EMQX 5 does, and read as the rule engine's SQL
 * reads it: whole numbers that no number can say keep their digits.
 */
import { exactJson, exactText } from "../../lib/exact_json.ts";

/** Longest template, and longest text that is looked into for JSON, characters. */
const LENGTH_MAX = 64 * 1024;
/** Longest text that a row is made, characters: what rules look at is no larger unless they are told to (`rule_engine.max_waiting`). */
const ROW_TEXT_MAX = 32 * 1024 * 1024;
const PLACEHOLDER = /\$\{([^{}]*)\}/g;
const STEP = /^(?:([^.[\]]+)|\[(-?\d{1,9})\])/;
/** Names in objects, and positions (EMQ X: the first is 1, -1 the last). */
type Path = readonly (string | number)[];
type Part = string | Path;

export interface RowTemplate {
  /** As it was written. */
  readonly source: string;
  /** It has no placeholder: always the same. */
  readonly constant: boolean;
  /** Texts as they are, objects as JSON, bytes as UTF-8; what is not there is "undefined" (EMQ X). @throws Error: it is too long */
  text(row: Row): string;
  /** As `text`; null when something is not there, or is null. @throws Error: it is too long */
  strict(row: Row): string | null;
  /** The value itself when the template is one placeholder and nothing else; else the text. @throws Error: it is too long */
  value(row: Row): unknown;
  /** Values in order of the placeholders of `bound`: what is not there is null, objects are JSON texts. @throws Error: they are too long together */
  values(row: Row): (string | number | boolean | Uint8Array | null)[];
  /** The template with a mark in each placeholder's place. `mark`: "?" or "$1" of its position (from 1). A text quoted around a placeholder loses its quotes. */
  bound(mark: (position: number) => string): string;
}
type Row = Readonly<Record<string, unknown>>;

/** A piece at a time, of what is made so far: pieces put together take no memory before somebody looks at them. @throws Error */
export function boundedText(length: number): void {
  if (length > ROW_TEXT_MAX) throw new Error(`what the row would become has more than ${ROW_TEXT_MAX} characters`);
}

/** @throws Error, in words: it is too long, or what stands in a placeholder is no path */
export function compileRowTemplate(source: string): RowTemplate {
  if (source.length > LENGTH_MAX) throw new Error(`a template has at most ${LENGTH_MAX} characters`);
  const parts: Part[] = [];
  let end = 0;
  for (const found of source.matchAll(PLACEHOLDER)) {
    if (found.index > end) parts.push(source.slice(end, found.index));
    parts.push(pathOf((found[1] as string).trim(), found[0]));
    end = found.index + found[0].length;
  }
  if (end < source.length) parts.push(source.slice(end));
  const paths = parts.filter((p): p is Path => typeof p !== "string");
  const [only] = parts;
  const single = parts.length === 1 && typeof only !== "string" ? (only as Path) : null;
  const text = (row: Row): string => {
    let out = "";
    for (const part of parts) {
      out += typeof part === "string" ? part : textOf(valueAt(row, part));
      boundedText(out.length);
    }
    return out;
  };
  return {
    source,
    constant: paths.length === 0,
    text: paths.length === 0 ? () => source : text,
    strict(row) {
      let out = "";
      for (const part of parts) {
        const value = typeof part === "string" ? part : valueAt(row, part);
        if (value === undefined || value === null) return null;
        out += textOf(value);
        boundedText(out.length);
      }
      return out;
    },
    value: (row) => (single === null ? text(row) : ownValueAt(row, single)),
    values(row) {
      let length = 0;
      return paths.map((path) => {
        const value = boundValue(valueAt(row, path));
        if (typeof value === "string" || value instanceof Uint8Array) length += value.length;
        boundedText(length);
        return value;
      });
    },
    bound: (mark) => markedText(parts, mark),
  };
}

/** `'${a}'` of somebody who is used to quoting it: the mark stands for the value, with its quotes. */
function markedText(parts: readonly Part[], mark: (position: number) => string): string {
  let out = "";
  let position = 0;
  let quoted = "";
  for (const [i, part] of parts.entries()) {
    if (typeof part === "string") {
      out += quoted !== "" && part.startsWith(quoted) ? part.slice(1) : part;
      quoted = "";
      continue;
    }
    const next = parts[i + 1];
    const quote = out.at(-1) ?? "";
    if ((quote === "'" || quote === '"') && typeof next === "string" && next.startsWith(quote)) {
      out = out.slice(0, -1);
      quoted = quote;
    }
    out += mark(++position);
  }
  return out;
}

/** "a.b[1].c"; "." and "" are the whole row. @throws Error */
function pathOf(text: string, whole: string): Path {
  if (text === "." || text === "") return [];
  const path: (string | number)[] = [];
  let rest = text.startsWith(".") ? text.slice(1) : text;
  while (rest !== "") {
    const step = STEP.exec(rest);
    if (step === null) throw new Error(`${whole.slice(0, 64)} is no path: expected names and [positions], e.g. \${payload.values[1].t}`);
    path.push(step[2] === undefined ? (step[1] as string) : Number(step[2]));
    rest = rest.slice(step[0].length);
    if (rest.startsWith(".") && rest.length > 1) rest = rest.slice(1);
  }
  return path;
}

/** undefined = there is none. No reach into prototypes. */
function valueAt(row: Row, path: Path): unknown {
  if (path.length === 0) return withEncodings(row);
  let value: unknown = row;
  for (const step of path) {
    if (typeof value === "string") value = jsonOf(value);
    if (typeof step === "number") {
      if (!Array.isArray(value)) return undefined;
      value = step > 0 ? value[step - 1] : step < 0 ? value[value.length + step] : undefined;
    } else if (isObject(value) && Object.hasOwn(value, step)) value = value[step];
    else return undefined;
  }
  return value;
}

/** What was read of a text is nobody else's: whoever gets it may change it. */
function ownValueAt(row: Row, path: Path): unknown {
  wasRead = false;
  const value = valueAt(row, path);
  return wasRead && typeof value === "object" ? structuredClone(value) : value;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

function jsonOf(text: string): unknown {
  const first = text.charCodeAt(0);
  if ((first !== 0x7b && first !== 0x5b) || text.length > LENGTH_MAX) return undefined;
  wasRead = true;
  if (text !== lastText) {
    lastText = text;
    try {
      lastValue = exactJson(text);
    } catch {
      lastValue = undefined;
    }
  }
  return lastValue;
}

/** The last text that was looked into, and what it says: placeholders of one template ask for the same one after the other. */
let lastText = "";
let lastValue: unknown;
/** A text was looked into since somebody wanted to know. */
let wasRead = false;

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString("utf8");
  return typeof value === "object" && value !== null ? rowJson(value) : String(value);
}

function boundValue(value: unknown): string | number | boolean | Uint8Array | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value instanceof Uint8Array) return value;
  return typeof value === "bigint" ? String(value) : rowJson(value);
}

/** JSON of a whole row: `rowJson`, and what says of its fields that they are base64. @throws Error: it is too long */
export const wholeRowJson = (row: Row): string => rowJson(withEncodings(row));

/** Beside each field that is bytes, a payload that is no UTF-8 say, `<its name>_encoding`: nobody could tell its base64 from a text. */
function withEncodings(row: Row): Row {
  let told: Record<string, unknown> | null = null;
  for (const name in row) {
    if (!(row[name] instanceof Uint8Array)) continue;
    const encoding = `${name}_encoding`;
    if (Object.hasOwn(row, encoding)) continue;
    told ??= { ...row };
    told[encoding] = "base64";
  }
  return told ?? row;
}

/** JSON of a value: bytes are base64, whole numbers of any length their digits, what is not there is left out. @throws Error: it is too long */
export function rowJson(value: unknown): string {
  // With a function to ask about every value it takes three times as long.
  const json = (boundedJson(value) ? JSON.stringify(value) : exactText(value, withBase64)) ?? "null";
  boundedText(json.length);
  return json;
}

/** Before JSON is made of it: it is not too long, as far as that can be seen. True = nothing in it is bytes, or a bigint. @throws Error: it is too long */
export function boundedJson(value: unknown): boolean {
  left = ROW_TEXT_MAX;
  return isJson(value);
}

/** The value as it stands: a Buffer's own `toJSON` has been asked before. */
function withBase64(this: unknown, key: string, value: unknown): unknown {
  const own = (this as Record<string, unknown>)[key];
  return own instanceof Uint8Array ? base64(own) : value;
}

/** Of the characters that the JSON which is looked at first may have: what is seen takes so many at least. */
let left = 0;

function take(characters: number): void {
  left -= characters;
  if (left < 0) boundedText(ROW_TEXT_MAX - left);
}

/** Nothing in it is bytes, or a bigint. A row may have one value in it many times over: that is found before the JSON is written. @throws Error */
function isJson(value: unknown): boolean {
  if (typeof value === "string") {
    take(value.length + 2);
    return true;
  }
  if (typeof value === "bigint") {
    take(value.toString(16).length);
    return false;
  }
  take(1);
  if (typeof value !== "object" || value === null) return true;
  if (value instanceof Uint8Array) {
    take(value.length);
    return false;
  }
  let isAll = true;
  if (Array.isArray(value)) {
    take(value.length);
    for (const inner of value) isAll = isJson(inner) && isAll;
  } else
    for (const key in value) {
      const inner = (value as Record<string, unknown>)[key];
      if (inner === undefined) continue;
      take(key.length + 3);
      isAll = isJson(inner) && isAll;
    }
  return isAll;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
