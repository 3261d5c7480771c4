/** Maps and arrays. Positions in arrays begin at 1. What is given is never changed: results are copies along the way. */
import { ArgumentError } from "../errors.ts";
import { follow, type Key, part, placed } from "../paths.ts";
import { isMap, isSame, type Row, textOf, type Value } from "../values.ts";
import { copyOf } from "../work.ts";
import { array, name, Table, whole } from "./table.ts";

/** Deepest path. */
const MAX_STEPS = 64;

/** 'a.b.c', or ['a', 'b', 'c'] when names have dots in them. Texts of digits in brackets are indices: 'a[1]'. */
function path(key: Value): Key[] {
  const keys: Key[] = [];
  const parts = Array.isArray(key) ? key.map((k) => (typeof k === "number" ? k : [name(k)])) : name(key).split(".").map(indexed);
  for (const step of parts) keys.push(...(typeof step === "number" ? [step] : step));
  if (keys.length > MAX_STEPS) throw new ArgumentError(`a path of at most ${MAX_STEPS} steps`, key);
  return keys;
}

function indexed(step: string): Key[] {
  const found = /^([^[\]]+)((?:\[-?\d{1,9}\])+)$/.exec(step);
  if (found === null) return [step];
  return [found[1] as string, ...[...(found[2] as string).matchAll(/-?\d+/g)].map((m) => Number(m[0]))];
}

function map(value: Value): Row {
  if (!isMap(value)) throw new ArgumentError("a map", value);
  return value;
}

function get(key: Value, from: Value, otherwise: Value): Value {
  if (from === undefined || from === null) return otherwise;
  const whole = typeof key === "string" && isMap(from) && Object.hasOwn(from, key) ? from[key] : follow(from, path(key));
  return whole === undefined ? otherwise : whole;
}

function set(key: Value, value: Value, into: Value): Value {
  const own = map(into === undefined || into === null ? {} : into);
  return typeof key === "string" && Object.hasOwn(own, key) ? placed(own, [key], value) : placed(own, path(key), value);
}

const EXAMPLE = `json_decode('{"a":{"b":[1,2]}}')`;

/** The key is gone through. What is copied is paid for there. */
const LOOKED_UP = { cost: ["all", "none", "none"] } as const;
const FREE = { cost: "none" } as const;

export const maps = new Table("maps")
  .add("map_new", "", "A map with nothing in it.", "map_new()", {}, () => ({}))
  .add(
    "map_get",
    "key, map[, otherwise]",
    "What the map has there; key may be a path such as 'a.b[1]'.",
    `map_get('a.b[2]', ${EXAMPLE})`,
    2,
    get,
    LOOKED_UP,
  )
  .add(
    "map_put",
    "key, value, map",
    "The map with one entry more, or another; key may be a path.",
    "map_put('a.b', 1, map_new())",
    { a: { b: 1 } },
    set,
    LOOKED_UP,
  )
  .add(
    "mget",
    "key, map[, otherwise]",
    "As map_get; key may be an array of names as well.",
    `mget(['a', 'b'], ${EXAMPLE})`,
    [1, 2],
    get,
    LOOKED_UP,
  )
  .add(
    "mput",
    "key, value, map",
    "As map_put; key may be an array of names as well.",
    "mput(['a', 'b.c'], 1, map_new())",
    { a: { "b.c": 1 } },
    set,
    LOOKED_UP,
  )
  .add(
    "map_remove",
    "key, map",
    "The map without an entry.",
    `map_remove('a', json_decode('{"a":1,"b":2}'))`,
    { b: 2 },
    (key, from) => {
      const rest = copyOf(map(from));
      delete rest[name(key)];
      return rest;
    },
    LOOKED_UP,
  )
  .add("map_keys", "map", "Its names.", `map_keys(json_decode('{"a":1,"b":2}'))`, ["a", "b"], (m) => Object.keys(map(m)))
  .add("map_values", "map", "Its values.", `map_values(json_decode('{"a":1,"b":2}'))`, [1, 2], (m) => Object.values(map(m)))
  .add("map_to_entries", "map", "An array of {key, value}.", `map_to_entries(json_decode('{"a":1}'))`, [{ key: "a", value: 1 }], (m) =>
    Object.entries(map(m)).map(([key, value]) => ({ key, value })),
  )
  .add("map_size", "map", "Number of entries.", `map_size(json_decode('{"a":1,"b":2}'))`, 2, (m) => Object.keys(map(m)).length)
  .add(
    "map_to_redis_hset_args",
    "map",
    "Names and values one behind the other, as texts: the arguments of Redis' HSET.",
    `map_to_redis_hset_args(json_decode('{"a":1}'))`,
    ["a", "1"],
    (m) => Object.entries(map(m)).flatMap(([key, value]) => [key, textOf(value)]),
  );

function some(value: Value): Value[] {
  const a = array(value);
  if (a.length === 0) throw new ArgumentError("an array with something in it", value);
  return a;
}

function nth(n: Value, from: Value): Value {
  const a = array(from);
  const i = whole(n);
  if (i < 1 || i > a.length) throw new ArgumentError(`a position from 1 to ${a.length}`, i);
  return a[i - 1];
}

function sublist(a: Value, b: Value, c: Value): Value[] {
  const start = c === undefined ? 1 : whole(a);
  const length = whole(c === undefined ? a : b);
  if (start < 1 || length < 0) throw new ArgumentError("a start of 1 or more, and a length of 0 or more", start < 1 ? start : length);
  return part(array(c === undefined ? b : c), start - 1, start - 1 + length);
}

export const arrays = new Table("arrays")
  .add("nth", "n, array", "The nth element (1 = the first).", "nth(2, [5, 6, 7])", 6, nth, FREE)
  .add("length", "array", "Number of elements.", "length([5, 6, 7])", 3, (a) => array(a).length, FREE)
  .add(
    "sublist",
    "start_or_length, length_or_array[, array]",
    "Its first elements, or so many from a start.",
    "sublist(2, 2, [5, 6, 7, 8])",
    [6, 7],
    sublist,
    FREE,
  )
  .add("first", "array", "The first element.", "first([5, 6])", 5, (a) => some(a)[0], FREE)
  .add("last", "array", "The last element.", "last([5, 6])", 6, (a) => some(a).at(-1), FREE)
  .add("contains", "value, array", "Is it among the elements?", "contains(2, [1, 2])", true, (v, a) => array(a).some((x) => isSame(x, v)))
  .add(
    "zip_arrays",
    "a, b",
    "Pairs of the elements of two arrays of one length.",
    "zip_arrays([1, 2], ['a', 'b'])",
    [
      [1, "a"],
      [2, "b"],
    ],
    (a, b) => {
      const [left, right] = [array(a), array(b)];
      if (left.length !== right.length) throw new ArgumentError(`an array of ${left.length}`, right);
      return left.map((x, i) => [x, right[i]]);
    },
  );
