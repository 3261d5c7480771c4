/** From one kind of value to another, what kind a value is, and what to do with those that are missing. */
import { ArgumentError, Refusal } from "../errors.ts";
import { parseJson } from "../json.ts";
import { isMap, numberText, put, type Row, textOf, type Value } from "../values.ts";
import { isNumeric, numberIn, wholeNumber, wholeOf } from "../wholes.ts";
import { paid } from "../work.ts";
import { name, number, Table, whole } from "./table.ts";

const FREE = { cost: "none" } as const;

export const conversion = new Table("conversion")
  .add(
    "str",
    "value",
    "As text: arrays and maps as JSON, numbers with ten decimals at most.",
    "str(json_decode('[1,false]'))",
    "[1,false]",
    textOf,
    FREE,
  )
  .add("str_utf8", "value", "The same, and what is no UTF-8 in bytes becomes U+FFFD.", "str_utf8(hexstr2bin('41FF'))", "A\ufffd", (v) => {
    const t = textOf(v);
    return typeof t === "string" ? t : new TextDecoder("utf-8", { ignoreBOM: true }).decode(t);
  })
  .add("bool", "value", "true and false, 1 and 0, 'true' and 'false'.", "bool('true')", true, bool, FREE)
  .add(
    "int",
    "value",
    "A whole number: of a fraction the next lower one, of text the one it says, of true 1, of false 0.",
    "int('3.9')",
    3,
    int,
    FREE,
  )
  .add("float", "value[, decimals]", "A number, with so many decimals at most.", "float('21.4567', 2)", 21.46, float, FREE)
  .add("float2str", "x, decimals", "A number as text with at most so many decimals (0 to 100).", "float2str(0.1, 5)", "0.1", (x, n) =>
    numberText(number(x), decimals(n)),
  )
  .add("map", "value", "A map of JSON text, or of an array of [key, value] or {key, value}.", `map('{"a":1}')`, { a: 1 }, map);

function bool(v: Value): boolean {
  if (v === true || v === 1 || v === "true") return true;
  if (v === false || v === 0 || v === "false") return false;
  throw new ArgumentError("true, false, 1, 0, 'true' or 'false'", v);
}

function int(v: Value): Value {
  if (typeof v === "boolean") return v ? 1 : 0;
  if (typeof v === "bigint") return v;
  if (typeof v === "string" && /^[+-]?\d{1,400}$/.test(v)) return wholeNumber(BigInt(v));
  return wholeOf(Math.floor(numberOf(v)));
}

function float(v: Value, places: Value): number {
  const n = numberOf(v);
  return places === undefined ? n : Number(numberText(n, decimals(places)));
}

function numberOf(v: Value): number {
  const n = typeof v === "string" ? Number(numberIn(v)) : typeof v === "bigint" ? Number(v) : v;
  if (typeof n !== "number" || !Number.isFinite(n)) throw new ArgumentError("a number, or a text that says one", v);
  return n;
}

function decimals(v: Value): number {
  const n = whole(v);
  if (n < 0 || n > 100) throw new ArgumentError("0 to 100 decimals", n);
  return n;
}

function map(v: Value): Value {
  if (isMap(v)) return v;
  if (typeof v === "string") {
    const decoded = json(v);
    if (isMap(decoded)) return decoded;
  }
  if (!Array.isArray(v)) throw new ArgumentError("a map, or JSON text of one", v);
  const out: Row = {};
  for (const entry of v) {
    if (Array.isArray(entry) && entry.length === 2) put(out, name(entry[0]), entry[1]);
    else if (isMap(entry) && Object.hasOwn(entry, "key"))
      put(out, name(entry.key), Object.hasOwn(entry, "value") ? entry.value : undefined);
    else throw new ArgumentError("entries such as ['a', 1]", entry);
  }
  return out;
}

function json(v: string): Value {
  try {
    return parseJson(v);
  } catch (err) {
    if (err instanceof Refusal) throw err;
    throw new ArgumentError("JSON text of a map", v);
  }
}

const isStr = (v: Value): boolean => typeof v === "string" || v instanceof Uint8Array;

export const tests = new Table("type tests")
  .add("is_null", "value", "Is it missing? JSON's null is not.", "is_null(payload.missing)", true, (v) => v === undefined, FREE)
  .add("is_not_null", "value", "Is it there, even as JSON's null?", "is_not_null(payload.missing)", false, (v) => v !== undefined, FREE)
  .add("is_null_var", "value", "Is it missing, or null?", "is_null_var(null)", true, (v) => v === undefined || v === null, FREE)
  .add("is_not_null_var", "value", "Is it there, and not null?", "is_not_null_var(0)", true, (v) => v !== undefined && v !== null, FREE)
  .add("is_empty", "value", "Is it missing, null, or a text, array or map with nothing in it?", "is_empty('')", true, isEmpty, FREE)
  .add("is_str", "value", "Is it text, or bytes?", "is_str('1')", true, isStr, FREE)
  .add("is_bool", "value", "Is it true or false?", "is_bool('true')", false, (v) => typeof v === "boolean", FREE)
  .add("is_int", "value", "Is it a whole number?", "is_int(2.0)", true, (v) => typeof v === "bigint" || Number.isInteger(v), FREE)
  .add(
    "is_float",
    "value",
    "Is it a number with decimals?",
    "is_float(2.5)",
    true,
    (v) => typeof v === "number" && !Number.isInteger(v),
    FREE,
  )
  .add("is_num", "value", "Is it a number?", "is_num(2.5)", true, isNumeric, FREE)
  .add("is_map", "value", "Is it a map?", "is_map(map_new())", true, isMap, FREE)
  .add("is_array", "value", "Is it an array?", "is_array([1, 2])", true, (v) => Array.isArray(v), FREE);

function isEmpty(v: Value): boolean {
  if (v === undefined || v === null || v === "") return true;
  if (Array.isArray(v) || v instanceof Uint8Array) return v.length === 0;
  if (!isMap(v)) return false;
  for (const _ in v) return false;
  return true;
}

/** One array stands for its elements. */
const choices = (values: Value[]): Value[] => (values.length === 1 && Array.isArray(values[0]) ? paid(values[0]) : values);
const isThere = (v: Value): boolean => v !== undefined && v !== null;

export const conditions = new Table("conditions")
  .add(
    "coalesce",
    "value, …",
    "The first that is neither missing nor null, also of an array.",
    "coalesce(payload.missing, 0)",
    0,
    (...all: Value[]) => choices(all).find(isThere),
    FREE,
  )
  .add(
    "coalesce_ne",
    "value, …",
    "The first that is neither missing, null nor ''.",
    "coalesce_ne('', 'none')",
    "none",
    (...all: Value[]) => choices(all).find((v) => isThere(v) && v !== ""),
    FREE,
  )
  .add("null", "", "Nothing, as if it were missing.", "is_null(null())", true, () => undefined);
