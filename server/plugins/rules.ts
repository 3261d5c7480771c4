/** The rule engine as the admin layer, the API and the dashboard see it: rows as they are on the wire, and the door to it. Types only. */
import type { DeadLetter, ParamsSpec } from "./actions.ts";
import type { ServerReport, TestStep } from "./reports.ts";

/** Rows per action: `success` have arrived, `failed` were given up, `dropped` found no room or nobody who takes them. */
export interface ActionMetrics {
  taken: number;
  success: number;
  failed: number;
  dropped: number;
  /** Rows that wait now, and their bytes. */
  waiting: number;
  waiting_bytes: number;
  /** What could not be delivered and is kept to be looked at; null = this action keeps none. */
  dead_letters: number | null;
  /** Taken a second: now, on average of the last five minutes, highest. */
  rate: number;
  rate_5m: number;
  rate_max: number;
  /** Ms until what was sent together had arrived, 95 % take no longer; null = nothing was measured, as of what is done at once. */
  p95_ms: number | null;
  last_error: string | null;
  /** Unix ms; null = there was none. */
  last_error_at_ms: number | null;
}

/** Events a rule was asked about: `passed` gave rows, `no_result` did not (WHERE), `failed` could not be evaluated, `dropped` waited too long. */
export interface RuleMetrics {
  matched: number;
  passed: number;
  no_result: number;
  failed: number;
  dropped: number;
  actions_success: number;
  actions_failed: number;
  actions_dropped: number;
  /** Matched a second: now, on average of the last five minutes, highest. */
  rate: number;
  rate_5m: number;
  rate_max: number;
  /** Ms of an evaluation, 95 % take no longer; null = nothing was measured yet. */
  p95_ms: number | null;
  last_error: string | null;
  last_error_at_ms: number | null;
}

/** `broken`: it looks at nothing, or an action of it does not run, and `reason` says why; also where it was paused because each event was too much work. */
export type RuleState = "running" | "disabled" | "broken";
/** How it really is: `failing` runs, and since its figures began an event or a row of it has failed or found no room, or rows wait that cannot be sent. */
export type RuleCondition = RuleState | "failing";

export interface RuleActionRow {
  id: string;
  name: string;
  params: Record<string, unknown>;
  state: "running" | "broken";
  /** Why it is broken. */
  reason: string | null;
  metrics: ActionMetrics;
}

export interface RuleRow {
  id: string;
  name: string;
  for: string;
  rawsql: string;
  actions: RuleActionRow[];
  enabled: boolean;
  description: string;
  state: RuleState;
  condition: RuleCondition;
  reason: string | null;
  /** All events it looks at, and the topic filters of messages. */
  events: string[];
  topics: string[];
  created_at_ms: number;
  metrics: RuleMetrics;
  /** What in its SQL will hardly be meant, with the place: a column that no event has. Absent when there is nothing. */
  warnings?: string[];
}

/** A rule as it is looked for: what takes time to gather is gathered when it is asked for. */
export interface RuleHead extends Readonly<Omit<RuleRow, "actions" | "metrics" | "warnings">> {
  /** Names of its actions' kinds. */
  readonly kinds: readonly string[];
  row(): RuleRow;
}

export interface RuleErrorRow {
  at_ms: number;
  /** "sql", or the id of the action. */
  where: string;
  error: string;
  event: string;
  client_id: string;
  topic: string | null;
  /** Cut. */
  payload: string | null;
}

export interface InspectedRow {
  at_ms: number;
  event: string;
  client_id: string;
  /** JSON of the row, cut. */
  selected: string;
  params: Record<string, unknown>;
}

export interface ActionKindRow {
  name: string;
  app: string;
  for: string;
  type: string;
  /** Of resources that will do. EMQX 4. */
  types: string[];
  params: ParamsSpec;
  title: string;
  description: string;
}

export interface ResourceRow {
  id: string;
  name: string;
  type: string;
  config: Record<string, unknown>;
  /** EMQ X 3.1 has nothing there. */
  attrs: "undefined";
  description: string;
  /** 3.2: whether it can be used, by node. */
  status: { node: string; is_alive: boolean }[];
  /** Why it cannot be used. */
  reason: string | null;
  /** Names of the rules that use it. */
  used_by: string[];
}

export interface ResourceStatusRow {
  is_alive: boolean;
  reason: string | null;
  servers: ServerReport[];
}

export interface ResourceTypeRow {
  name: string;
  provider: string;
  params: ParamsSpec;
  title: string;
  description: string;
}

/** 3.2's `GET /rule_events`. */
export interface RuleEventRow {
  event: string;
  /** In FROM. */
  topic: string;
  title: { en: string };
  description: { en: string };
  columns: string[];
  test_columns: Record<string, unknown>;
  sql_example: string;
}

export interface RuleFunctionRow {
  name: string;
  args: string;
  doc: string;
  example: string;
  /** JSON of what the example gives. */
  result: string;
  group: string;
}

/** What is wrong with SQL: `line` and `column` begin at 1, `length` is that of the word; all 0 where it is no word's fault. */
export interface SqlFault {
  message: string;
  line: number;
  column: number;
  length: number;
  hint: string | null;
  /** "sql" = the text, "run" = the example cannot be evaluated, "actions" = parameters. */
  stage: "sql" | "run" | "actions";
}

export interface RuleTestResult {
  event: string | null;
  /** What SELECT made; null = there is an error. [] = WHERE said no. Whole numbers beyond 2^53 are texts of their digits, as browsers read them. */
  rows: Record<string, unknown>[] | null;
  /** The columns it was made of. */
  columns: Record<string, unknown>;
  /**
   * What rows of this SQL may have, whatever the example and WHERE say: paths of names, the outermost first, each once (`AS a.b` is ["a", "b"]; `*`
   * all columns of its events). null = the SQL is wrong.
   */
  fields: string[][] | null;
  error: SqlFault | null;
  /** Parameters with their templates filled, for each row. Nothing is done. */
  actions: { name: string; rendered: Record<string, unknown>[]; error: string | null }[];
  /** As those of a rule: absent when there are none, or when the SQL cannot be compiled. */
  warnings?: string[];
}

export interface CaptureRow {
  /** Of a topic filter, or an event. */
  topic: string;
  running: boolean;
  started_at_ms: number;
  until_ms: number;
  /** Seen, though there was no room for more samples. */
  seen: number;
  samples: { at_ms: number; event: string; columns: Record<string, unknown> }[];
}

/** One JSON file. Secrets are masked. */
export interface RulesFile {
  version: 1;
  node: string;
  exported_at_ms: number;
  resources: { id: string; name: string; type: string; config: Record<string, unknown>; description: string }[];
  rules: {
    id: string;
    name: string;
    /** null = FROM says it. */
    for: string | null;
    rawsql: string;
    actions: { id: string; name: string; params: Record<string, unknown> }[];
    enabled: boolean;
    description: string;
  }[];
}

export interface ImportResult {
  applied: boolean;
  resources: ImportCounts;
  rules: ImportCounts;
  /** Masked secrets that nobody has saved here: type them into the file. */
  secrets: { where: string; field: string }[];
  errors: { where: string; message: string }[];
}
/** Ids. */
export interface ImportCounts {
  create: string[];
  update: string[];
  same: string[];
}

/** What has become of what actions have sent to a resource. */
export interface ResourceFigures {
  id: string;
  type: string;
  /** It is open, and not all of its servers are down. */
  alive: boolean;
  /** All of its servers as one; null = it is not open, or has none. */
  server: ServerReport | null;
}

export interface RuleEngineService {
  /** In order of making. */
  rules(): Iterable<RuleRow>;
  heads(): Iterable<RuleHead>;
  ruleCount(): number;
  rule(id: string): RuleRow | undefined;
  /** Fields as they came. @throws RuleRefusal */
  createRule(given: Readonly<Record<string, unknown>>): Promise<RuleRow>;
  /** What is not given stays as it is. @throws RuleRefusal */
  updateRule(id: string, given: Readonly<Record<string, unknown>>): Promise<RuleRow>;
  /** Never refused; one that is not there is gone. */
  removeRule(id: string): Promise<void>;
  /** @throws RuleRefusal */
  enableRule(id: string, enabled: boolean): Promise<RuleRow>;
  /** False = there is no such rule. */
  resetMetrics(id: string): boolean;
  /** Newest first; undefined = there is no such rule. */
  errors(id: string): RuleErrorRow[] | undefined;
  inspected(id: string): InspectedRow[] | undefined;
  /** Of an action: undefined = there is no such rule or action, null = it keeps none. @throws RuleRefusal: it does not run */
  deadLetters(rule: string, action: string): DeadLetter[] | null | undefined;
  resendDeadLetters(rule: string, action: string, ids?: readonly number[]): number | null | undefined;
  removeDeadLetters(rule: string, action: string, ids?: readonly number[]): number | null | undefined;
  /** `hook`: an event, or a class of them. @throws RuleRefusal when there is none of that name */
  actionKinds(hook?: string): ActionKindRow[];
  resources(): ResourceRow[];
  resource(id: string): ResourceRow | undefined;
  resourceStatus(id: string): ResourceStatusRow | undefined;
  resourceFigures(): Iterable<ResourceFigures>;
  /** One of the same type and name is replaced (EMQ X 3.1). @throws RuleRefusal */
  createResource(given: Readonly<Record<string, unknown>>): Promise<ResourceRow>;
  /** Try a configuration that is not saved. @throws RuleRefusal */
  testResource(given: Readonly<Record<string, unknown>>): Promise<TestStep[]>;
  /** Close and open it again. @throws RuleRefusal */
  restartResource(id: string): Promise<void>;
  /** @throws RuleRefusal while a rule uses it */
  removeResource(id: string): Promise<void>;
  resourceTypes(): ResourceTypeRow[];
  events(): RuleEventRow[];
  functions(): readonly RuleFunctionRow[];
  test(given: Readonly<Record<string, unknown>>): Promise<RuleTestResult>;
  /** @throws RuleRefusal */
  startCapture(given: Readonly<Record<string, unknown>>): CaptureRow;
  capture(): CaptureRow | null;
  exported(): RulesFile;
  /** All or nothing. @throws RuleRefusal when it is no such file */
  imported(file: unknown, dryRun: boolean): Promise<ImportResult>;
  /** Events that wait for their rules, and how many were given up. */
  line(): { waiting: number; bytes: number; dropped: number };
}
