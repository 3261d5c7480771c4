/** Text. Lengths and positions are in characters (code points); positions begin at 0 as in EMQ X. */
import { ArgumentError } from "../errors.ts";
import { bounded, boundedLength, joined, MAX_ELEMENTS, textOf, type Value } from "../values.ts";
import { isNumeric } from "../wholes.ts";
import { paid, pay } from "../work.ts";
import { extract, match, pattern, replaceAll } from "./regex.ts";
import { format } from "./sprintf.ts";
import { array, oneOf, Table, text, textOrBytesArg, whole } from "./table.ts";

/** Nothing outside the BMP: then units are characters. */
const isSimple = (s: string): boolean => !/[\ud800-\udfff]/.test(s);
const count = (s: string): number => (isSimple(s) ? s.length : [...s].length);

const side = oneOf("trailing", "leading", "both");
const where = oneOf("all", "leading", "trailing");
const direction = oneOf("leading", "trailing");
const splitting = oneOf("trim", "notrim", "leading", "leading_notrim", "trailing", "trailing_notrim");

/** Of the text as much is looked at as the other one has. */
const AT_AN_END = { cost: ["none", "all"] } as const;

export const texts = new Table("text")
  .add("lower", "text", "In small letters.", "lower('AbC')", "abc", (s) => text(s).toLowerCase())
  .add("upper", "text", "In capital letters.", "upper('AbC')", "ABC", (s) => bounded(text(s).toUpperCase()))
  .add("trim", "text", "Without white space at both ends.", "trim('  a b ')", "a b", (s) => text(s).trim())
  .add("ltrim", "text", "Without white space at the start.", "ltrim('  a ')", "a ", (s) => text(s).trimStart())
  .add("rtrim", "text", "Without white space at the end.", "rtrim(' a  ')", " a", (s) => text(s).trimEnd())
  .add("reverse", "text", "Last character first.", "reverse('hello')", "olleh", (s) => [...text(s)].reverse().join(""))
  .add("strlen", "text", "Number of characters; of bytes, their number.", "strlen('né')", 2, lengthOf, { cost: "text" })
  .add(
    "substr",
    "text, start[, length]",
    "From position start (0 = the first), to the end or so many characters.",
    "substr('hello world', 6, 3)",
    "wor",
    substr,
  )
  .add(
    "concat",
    "text, …",
    "One behind the other; what is no text is written as text.",
    "concat('a', 1, true)",
    "a1true",
    (...all: Value[]) => joined((all.length === 1 && Array.isArray(all[0]) ? paid(all[0]) : all).map(textOf)),
    { cost: "none" },
  )
  .add(
    "join_to_string",
    "separator_or_array[, array]",
    "The elements of an array as one text; ', ' between them.",
    "join_to_string('-', [1, 2])",
    "1-2",
    (a, b) => (b === undefined ? joined(array(a).map(textOf), ", ") : joined(array(b).map(textOf), text(a))),
  )
  .add(
    "join_to_sql_values_string",
    "array",
    "As SQL writes values: texts in quotes, the rest as it is.",
    "join_to_sql_values_string([1, 'it''s', null])",
    "1, 'it\\'s', NULL",
    (a) => joined(array(a).map(sqlValue), ", "),
  )
  .add(
    "split",
    "text, separator[, how]",
    "Parts between separators, empty ones left out. how: notrim keeps them; leading, trailing, leading_notrim, trailing_notrim: only the first or the last separator.",
    "split('a;;b;c', ';')",
    ["a", "b", "c"],
    split,
    { checks: { 2: splitting } },
  )
  .add(
    "tokens",
    "text, separators[, nocrlf]",
    "Parts between any of these characters; 'nocrlf': line ends as well.",
    "tokens('a,b;c', ',;')",
    ["a", "b", "c"],
    tokens,
    { checks: { 2: oneOf("", "nocrlf") } },
  )
  .add(
    "pad",
    "text, length[, side[, fill]]",
    "Filled up to so many characters. side: trailing (default), leading, both; fill: a space.",
    "pad('7', 3, 'leading', '0')",
    "007",
    pad,
    { checks: { 2: side } },
  )
  .add(
    "replace",
    "text, part, by[, where]",
    "Another text for a part of it. where: all (default), leading, trailing (the first, the last).",
    "replace('a.b.c', '.', '-', 'trailing')",
    "a.b-c",
    replace,
    { checks: { 3: where } },
  )
  .add(
    "regex_match",
    "text, pattern",
    "Does the pattern match somewhere? Patterns are matched in linear time: no back references, no look-around.",
    "regex_match('dev-12', '^dev-\\d+$')",
    true,
    (s, p) => match(pattern(p), text(s)),
    { checks: { 1: pattern }, isHeavy: true },
  )
  .add(
    "regex_replace",
    "text, pattern, by",
    "Another text for every match; & or \\0 stands for it, \\1 … for groups.",
    "regex_replace('a;  b', ';\\s*', ',')",
    "a,b",
    (s, p, by) => replaceAll(pattern(p), text(s), text(by)),
    { checks: { 1: pattern }, isHeavy: true },
  )
  .add(
    "regex_extract",
    "text, pattern",
    "What the groups of the first match caught.",
    "regex_extract('2024-05', '(\\d+)-(\\d+)')",
    ["2024", "05"],
    (s, p) => extract(pattern(p), text(s)),
    { checks: { 1: pattern }, isHeavy: true },
  )
  .add("ascii", "text", "Code of the first character.", "ascii('abc')", 97, firstCode, { cost: "none" })
  .add(
    "find",
    "text, part[, direction]",
    "From the part on; '' if it is not there. direction: leading (default), trailing.",
    "find('a, b, c', ', ', 'trailing')",
    ", c",
    find,
    { checks: { 2: direction } },
  )
  .add(
    "rm_prefix",
    "text, prefix",
    "Without the prefix, if it begins so.",
    "rm_prefix('foo/bar', 'foo/')",
    "bar",
    (s, p) => (text(s).startsWith(text(p)) ? s.slice(p.length) : s),
    AT_AN_END,
  )
  .add(
    "starts_with",
    "text, prefix",
    "Does it begin so?",
    "starts_with('sensor/1', 'sensor/')",
    true,
    (s, p) => text(s).startsWith(text(p)),
    AT_AN_END,
  )
  .add("ends_with", "text, suffix", "Does it end so?", "ends_with('a.json', '.json')", true, (s, p) => text(s).endsWith(text(p)), AT_AN_END)
  .add(
    "unescape",
    "text",
    "\\n, \\t, \\r, \\b, \\f, \\v, \\a, \\', \\\", \\\\, \\? and \\x41 as the characters they stand for.",
    "strlen(unescape('a\\n'))",
    2,
    (s) => unescaped(text(s)),
  )
  .add(
    "sprintf",
    "format, …",
    "Erlang's format: ~s text, ~p and ~w any value, ~b whole number, ~.16b hexadecimal, ~f ~.2f ~e numbers, ~c character, ~n new line, ~~ a tilde.",
    "sprintf('~s: ~.1f', 'temp', 21.55)",
    "temp: 21.6",
    (f, ...all: Value[]) => format(text(f), all),
  )
  .add("sprintf_s", "format, array", "The same, with what is put in as an array.", "sprintf_s('~s=~p', ['a', 1])", "a=1", (f, all) =>
    format(text(f), array(all)),
  );

function firstCode(s: Value): number {
  const code = text(s).codePointAt(0);
  if (code === undefined) throw new ArgumentError("a text with a character", s);
  return code;
}

function lengthOf(s: Value): number {
  const t = textOrBytesArg(s);
  return typeof t === "string" ? count(t) : t.length;
}

function substr(s: Value, start: Value, length: Value): string {
  const t = text(s);
  const from = whole(start);
  if (from < 0) throw new ArgumentError("a position of 0 or more", start);
  const to = length === undefined ? Number.POSITIVE_INFINITY : from + whole(length);
  return isSimple(t) ? t.slice(from, Math.max(from, to)) : [...t].slice(from, Math.max(from, to)).join("");
}

function sqlValue(v: Value): string | Uint8Array {
  if (v === undefined || v === null) return "NULL";
  const t = textOf(v);
  if (isNumeric(v) || typeof v === "boolean") return t;
  return `'${text(t).replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** How often a part is in a text, one behind the other. */
function occurrences(t: string, part: string): number {
  let n = 0;
  for (let at = t.indexOf(part); at >= 0; at = t.indexOf(part, at + part.length)) n++;
  return n;
}

function split(s: Value, separator: Value, how: Value): string[] {
  const t = text(s);
  const by = text(separator);
  const kind = splitting(how);
  if (by === "") throw new ArgumentError("a separator", separator);
  if (kind === "trim" || kind === "notrim") {
    boundedLength(occurrences(t, by) + 1, MAX_ELEMENTS, "elements");
    const parts = t.split(by);
    return kind === "trim" ? parts.filter((p) => p !== "") : parts;
  }
  const at = kind.startsWith("leading") ? t.indexOf(by) : t.lastIndexOf(by);
  const parts = at < 0 ? [t] : [t.slice(0, at), t.slice(at + by.length)];
  return kind.endsWith("notrim") ? parts : parts.filter((p) => p !== "");
}

function tokens(s: Value, separators: Value, nocrlf: Value): string[] {
  const t = text(s);
  const by = new Set(text(separators) + (oneOf("", "nocrlf")(nocrlf) === "" ? "" : "\r\n"));
  const parts: string[] = [];
  let from = 0;
  let at = 0;
  for (const c of t) {
    if (by.has(c)) {
      if (at > from) parts.push(t.slice(from, at));
      from = at + c.length;
    }
    at += c.length;
  }
  if (at > from) parts.push(t.slice(from, at));
  boundedLength(parts.length, MAX_ELEMENTS, "elements");
  return parts;
}

function pad(s: Value, length: Value, at: Value, fill: Value): string {
  const t = text(s);
  const by = fill === undefined ? " " : text(fill);
  const missing = whole(length) - count(t);
  const kind = side(at);
  if (missing <= 0 || by === "") return t;
  boundedLength(t.length + missing * by.length);
  if (kind === "trailing") return t + by.repeat(missing);
  if (kind === "leading") return by.repeat(missing) + t;
  return by.repeat(Math.floor(missing / 2)) + t + by.repeat(Math.ceil(missing / 2));
}

/** What finding and replacing a part takes, about, beside the characters. */
const REPLACED_NS = 50;

function replace(s: Value, part: Value, by: Value, which: Value): string {
  const t = text(s);
  const p = text(part);
  const b = text(by);
  const kind = where(which);
  if (p === "") throw new ArgumentError("a part to replace", part);
  if (kind === "all") {
    const found = occurrences(t, p);
    boundedLength(t.length + found * (b.length - p.length));
    pay(found * REPLACED_NS);
    return t.replaceAll(p, b.replaceAll("$", "$$$$"));
  }
  const at = kind === "leading" ? t.indexOf(p) : t.lastIndexOf(p);
  return at < 0 ? t : bounded(t.slice(0, at) + b + t.slice(at + p.length));
}

function find(s: Value, part: Value, from: Value): string {
  const t = text(s);
  const at = direction(from) === "leading" ? t.indexOf(text(part)) : t.lastIndexOf(text(part));
  return at < 0 ? "" : t.slice(at);
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\x07",
  "'": "'",
  '"': '"',
  "\\": "\\",
  "?": "?",
};

function unescaped(s: string): string {
  return s.replace(/\\(x[0-9a-fA-F]+|[\s\S]|$)/g, (all, code: string) => {
    const known = Object.hasOwn(ESCAPES, code) ? ESCAPES[code] : undefined;
    if (known !== undefined) return known;
    const point = code.length > 1 ? Number.parseInt(code.slice(1), 16) : Number.NaN;
    if (!(point <= 0x10ffff) || (point >= 0xd800 && point <= 0xdfff))
      throw new ArgumentError("an escape sequence such as \\n or \\x41", all);
    return String.fromCodePoint(point);
  });
}
