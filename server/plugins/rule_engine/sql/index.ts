/** The rule engine's SQL: that of EMQ X 3.1, and of EMQX 4 and 5 where it only adds. No broker, no clock, no input or output. */
import { DEFINITIONS } from "./functions/index.ts";
import type { FunctionRow } from "./functions/table.ts";

export { Exhausted, Refusal, RuleError, SqlError } from "./errors.ts";
export { parseJson } from "./json.ts";
export { type CompiledRule, compileRule } from "./rule.ts";
export type { Columns, Row, Value } from "./values.ts";
export { payCopied, payEntries } from "./work.ts";
export type { FunctionRow };

/**
 * For completion, help pages and `GET /rules/functions`. The examples look at a message of client c1 (user joe, 10.0.0.1:5000) to topic
 * sensor/7/temp with QoS 1 and payload {"t":21.5,"a":{"b":2}}, at 1700000000000.
 */
export const FUNCTIONS: readonly FunctionRow[] = DEFINITIONS.map(({ name, args, doc, example, result, group }) => ({
  name,
  args,
  doc,
  example,
  result,
  group,
}));
