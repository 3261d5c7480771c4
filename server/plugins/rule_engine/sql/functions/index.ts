/** All functions of a rule's SQL. */
import { bits } from "./bits.ts";
import { arrays, maps } from "./collections.ts";
import { compression, encoding, hashes, identifiers } from "./encoding.ts";
import { event } from "./event.ts";
import { math, trigonometry } from "./math.ts";
import type { FunctionDef, Table } from "./table.ts";
import { texts } from "./text.ts";
import { time } from "./time.ts";
import { conditions, conversion, tests } from "./types.ts";

const TABLES: readonly Table[] = [
  event,
  math,
  trigonometry,
  bits,
  conversion,
  tests,
  conditions,
  texts,
  maps,
  arrays,
  hashes,
  compression,
  encoding,
  identifiers,
  time,
];

export const DEFINITIONS: readonly FunctionDef[] = TABLES.flatMap((t) => t.rows);
export const BY_NAME: ReadonlyMap<string, FunctionDef> = new Map(DEFINITIONS.map((d) => [d.name, d]));

/** What EMQX has and this has not -> what to use instead. */
export const ABSENT: ReadonlyMap<string, string> = new Map([
  ["jq", "jq is not part of a rule's SQL: use payload.a[1].b, FOREACH, map_get() or map_put()"],
  ["getenv", "getenv is not part of a rule's SQL: a rule does not see the broker's environment"],
  ["schema_encode", "there is no schema registry"],
  ["schema_decode", "there is no schema registry"],
  ["schema_check", "there is no schema registry"],
  ["sparkplug_encode", "there is no schema registry"],
  ["sparkplug_decode", "there is no schema registry"],
  ["term_encode", "Erlang's terms are not part of a rule's SQL: use json_encode()"],
  ["term_decode", "Erlang's terms are not part of a rule's SQL: use json_decode()"],
  ["proc_dict_get", "a rule keeps nothing between two events"],
  ["proc_dict_put", "a rule keeps nothing between two events"],
  ["proc_dict_del", "a rule keeps nothing between two events"],
  ["kv_store_get", "a rule keeps nothing between two events"],
  ["kv_store_put", "a rule keeps nothing between two events"],
  ["kv_store_del", "a rule keeps nothing between two events"],
]);
