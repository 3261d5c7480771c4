/** JSON schemas of the rule engine's rows. */
import { Type } from "@sinclair/typebox";
import type * as C from "./contract.ts";
import { flag, int, list, nullable, num, row, text } from "./schemas.ts";

const fields = Type.Record(Type.String(), Type.Unknown());
const texts = list(text);
const time = nullable(Type.Integer({ description: "Unix milliseconds" }));

const actionMetrics = row<C.ActionMetrics>({
  taken: int,
  success: int,
  failed: int,
  dropped: int,
  waiting: int,
  waiting_bytes: int,
  dead_letters: nullable(int),
  rate: num,
  rate_5m: num,
  rate_max: num,
  p95_ms: nullable(num),
  last_error: nullable(text),
  last_error_at_ms: time,
});
const ruleMetrics = row<C.RuleMetrics>({
  matched: int,
  passed: int,
  no_result: int,
  failed: int,
  dropped: int,
  actions_success: int,
  actions_failed: int,
  actions_dropped: int,
  rate: num,
  rate_5m: num,
  rate_max: num,
  p95_ms: nullable(num),
  last_error: nullable(text),
  last_error_at_ms: time,
});
const ruleAction = row<C.RuleActionRow>({
  id: text,
  name: text,
  params: fields,
  state: text,
  reason: nullable(text),
  metrics: actionMetrics,
});
export const rule = row<C.RuleRow>({
  id: text,
  name: text,
  for: text,
  rawsql: text,
  actions: list(ruleAction),
  enabled: flag,
  description: text,
  state: text,
  condition: text,
  reason: nullable(text),
  events: texts,
  topics: texts,
  created_at_ms: int,
  metrics: ruleMetrics,
  warnings: Type.Optional(texts),
});
export const ruleError = row<C.RuleErrorRow>({
  at_ms: int,
  where: text,
  error: text,
  event: text,
  client_id: text,
  topic: nullable(text),
  payload: nullable(text),
});
export const inspected = row<C.InspectedRow>({ at_ms: int, event: text, client_id: text, selected: text, params: fields });
/** Which dead letters. */
const letterIds = Type.Optional(Type.Unknown({ description: "Numbers of dead letters, a list, or text with commas between them" }));
const allLetters = (description: string) => Type.Optional(Type.Boolean({ description }));
export const resent = Type.Object({ ids: letterIds, all: allLetters("true, or neither of the two: all") });
export const deleted = Type.Object({ ids: letterIds, all: allLetters("true instead of ids: all") });
export const deadLetter = row<C.DeadLetter>({ id: int, at_ms: int, why: text, tries: int, bytes: int, body: text });
export const actionKind = row<C.ActionKindRow>({
  name: text,
  app: text,
  for: text,
  type: text,
  types: texts,
  params: fields,
  title: text,
  description: text,
});
export const resource = row<C.ResourceRow>({
  id: text,
  name: text,
  type: text,
  config: fields,
  attrs: text,
  description: text,
  status: list(Type.Object({ node: text, is_alive: flag })),
  reason: nullable(text),
  used_by: texts,
});
export const resourceStatus = row<C.ResourceStatusRow>({ is_alive: flag, reason: nullable(text), servers: list(fields) });
export const resourceType = row<C.ResourceTypeRow>({ name: text, provider: text, params: fields, title: text, description: text });
const words = Type.Object({ en: text });
export const ruleEvent = row<C.RuleEventRow>({
  event: text,
  topic: text,
  title: words,
  description: words,
  columns: texts,
  test_columns: fields,
  sql_example: text,
});
export const ruleFunction = row<C.RuleFunctionRow>({ name: text, args: text, doc: text, example: text, result: text, group: text });
const fault = row<C.SqlFault>({ message: text, line: int, column: int, length: int, hint: nullable(text), stage: text });
export const ruleTest = row<C.RuleTestResult>({
  event: nullable(text),
  rows: nullable(list(fields)),
  columns: fields,
  fields: nullable(list(texts)),
  error: nullable(fault),
  actions: list(Type.Object({ name: text, rendered: list(fields), error: nullable(text) })),
  warnings: Type.Optional(texts),
});
export const capture = row<C.CaptureRow>({
  topic: text,
  running: flag,
  started_at_ms: int,
  until_ms: int,
  seen: int,
  samples: list(Type.Object({ at_ms: int, event: text, columns: fields })),
});
export const rulesFile = row<C.RulesFile>({
  version: Type.Literal(1),
  node: text,
  exported_at_ms: int,
  resources: list(Type.Object({ id: text, name: text, type: text, config: fields, description: text })),
  rules: list(
    Type.Object({
      id: text,
      name: text,
      for: nullable(text),
      rawsql: text,
      actions: list(Type.Object({ id: text, name: text, params: fields })),
      enabled: flag,
      description: text,
    }),
  ),
});
const counts = row<C.ImportCounts>({ create: texts, update: texts, same: texts });
export const importResult = row<C.ImportResult>({
  applied: flag,
  resources: counts,
  rules: counts,
  secrets: list(Type.Object({ where: text, field: text })),
  errors: list(Type.Object({ where: text, message: text })),
});
