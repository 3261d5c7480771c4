/** Ways into values: reading, and building maps and arrays on the way. */
import { ArgumentError, Refusal } from "./errors.ts";
import { parseJson } from "./json.ts";
import { isMap, put, type Row, type Value } from "./values.ts";
import { copyOf, payCopied } from "./work.ts";

/** A name in a map, or a position in an array: 1 = first, -1 = last; where something is put also 0 = before the first, and BEHIND. */
export type Key = string | number;
/** Behind the last element. */
export const BEHIND = Number.POSITIVE_INFINITY;

/** Text that looks like JSON is read, for whoever looks into it: a payload within a payload. */
function opened(value: Value): Value {
  if (typeof value !== "string") return value;
  const c = value.charCodeAt(value.length - value.trimStart().length);
  if (c !== 0x7b && c !== 0x5b) return undefined;
  try {
    return parseJson(value);
  } catch (err) {
    if (err instanceof Refusal) throw err;
    return undefined;
  }
}

/** undefined = there is no such thing. */
export function member(value: Value, name: string): Value {
  const inside = opened(value);
  return isMap(inside) && Object.hasOwn(inside, name) ? inside[name] : undefined;
}

/** `n` from 1; negative from the end. A text is a name, and so are the digits of what no position can be. */
export function element(value: Value, n: Value): Value {
  if (typeof n === "string") return member(value, n);
  if (typeof n === "bigint") return member(value, String(n));
  const inside = opened(value);
  if (!Array.isArray(inside) || typeof n !== "number") return undefined;
  return inside[n > 0 ? n - 1 : n < 0 ? inside.length + n : -1];
}

/** From `first` to `last`, both included. */
export function slice(value: Value, first: Value, last: Value): Value {
  const inside = opened(value);
  if (!Array.isArray(inside) || typeof first !== "number" || typeof last !== "number") return undefined;
  const from = first < 0 ? inside.length + first : first - 1;
  const to = last < 0 ? inside.length + last + 1 : last;
  return part(inside, Math.max(0, from), Math.max(0, to));
}

/** From an index up to, but not, another one; paid for. */
export function part(list: readonly Value[], from: number, to: number): Value[] {
  const copy = list.slice(from, to);
  payCopied(copy.length);
  return copy;
}

export function follow(value: Value, keys: readonly Key[]): Value {
  let v = value;
  for (const key of keys) v = typeof key === "number" ? element(v, key) : member(v, key);
  return v;
}

/** What `value` becomes with something put into it at a path; `value` itself stays as it is. Copies along the path are paid for. */
export function placed(value: Value, keys: readonly Key[], what: Value, at = 0): Value {
  if (at === keys.length) return what;
  const key = keys[at] as Key;
  const inside = opened(value);
  if (typeof key === "string") {
    const map: Row = isMap(inside) ? copyOf(inside) : {};
    put(map, key, placed(Object.hasOwn(map, key) ? map[key] : undefined, keys, what, at + 1));
    return map;
  }
  const list = Array.isArray(inside) ? part(inside, 0, inside.length) : [];
  const position = key === BEHIND ? list.length : key < 0 ? list.length + key : key - 1;
  if (key === 0) list.unshift(placed(undefined, keys, what, at + 1));
  else if (position < 0 || position > list.length)
    throw new ArgumentError(`a position of an array of ${list.length}, or the next one`, key);
  else list[position] = placed(list[position], keys, what, at + 1);
  return list;
}
