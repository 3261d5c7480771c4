/** JSON schemas of scripts on hooks. */
import { Type } from "@sinclair/typebox";
import type * as C from "./contract.ts";
import { int, list, nullable, num, row, text } from "./schemas.ts";

const time = Type.Integer({ description: "Unix milliseconds; 0 = not yet" });
const retry = Type.Integer({ description: "When it is loaded again by itself, Unix milliseconds; 0 = it is not" });

export const script = row<C.Script>({
  name: text,
  language: text,
  state: text,
  error: nullable(text),
  retry_ms: retry,
  callbacks: list(row<C.ScriptCallback>({ name: text, calls: int, errors: int })),
  calls: int,
  errors: int,
  overruns: int,
  skipped: int,
  restarts: int,
  p50: nullable(num),
  p95: nullable(num),
  p99: nullable(num),
  loaded_ms: time,
});
export const scriptError = row<C.ScriptErrorRow>({
  at_ms: time,
  callback: nullable(text),
  line: nullable(int),
  kind: text,
  message: text,
});
