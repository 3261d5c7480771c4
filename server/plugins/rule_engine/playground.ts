/** SQL that is nobody's rule yet, tried on an example: rows, or the place of the mistake. Nothing is done, nothing kept. */
import { lineOf } from "../../lib/errors.ts";
import { bigAsText } from "../../lib/exact_json.ts";
import { compileRowTemplate, rowJson, wholeRowJson } from "../_backend/row_template.ts";
import type { ActionKinds, ParamSpec, ParamsSpec } from "../plugin.ts";
import type { RuleTestResult, SqlFault } from "../rules.ts";
import { SampleColumns } from "./columns.ts";
import { type EventRow, eventOf, PUBLISH } from "./events.ts";
import { checkParams, shownParams, wordOf } from "./params.ts";
import { badArguments } from "./refusal.ts";
import { type Compiled, compileStored } from "./rule.ts";
import { type CompiledRule, type Row, SqlError, type Value } from "./sql/index.ts";
import { warningsOf } from "./warnings.ts";

/** Rows that are shown. */
const ROWS_MAX = 100;
const SAMPLE_MAX = 256 * 1024;
/** Of all that is shown of rows, and made of them, characters. */
const SHOWN_MAX = 1024 * 1024;
/** FOREACH is done in pieces: so much of a turn of the event loop, and so much in all, ms. */
const SLICE_MS = 4;
const LONGEST_MS = 5000;

type Given = Readonly<Record<string, unknown>>;

export interface PlaygroundPorts {
  readonly kinds: ActionKinds;
  readonly node: string;
  now(): number;
  /** Ms, monotonic. */
  mono(): number;
  /** In a later turn of the event loop. */
  soon(fn: () => void): void;
}

/** @throws RuleRefusal: what is asked cannot be understood. A mistake in the SQL is an answer. */
export async function testRule(given: Given, ports: PlaygroundPorts): Promise<RuleTestResult> {
  const sql = given.rawsql ?? given.sql;
  if (typeof sql !== "string") throw badArguments("rawsql must be a text");
  const { sample, isRounded } = sampleOf(given);
  const wanted = given.for === undefined || given.for === null || given.for === "" ? null : given.for;
  if (wanted !== null && typeof wanted !== "string") throw badArguments("for must be a text");
  const none = { event: null, rows: null, columns: {}, fields: null, actions: [] };
  let compiled: Compiled;
  try {
    compiled = compileStored(sql, wanted);
  } catch (err) {
    return { ...none, error: faultOf(err) };
  }
  const event = eventFor(compiled, sample);
  const columns = new SampleColumns(event, sample as Record<string, Value>, ports.node, ports.now());
  const shown = shownOf(wholeRowJson(Object.fromEntries(columns.names().map((name) => [name, columns.get(name)]))));
  const warnings = [...(isRounded ? [ROUNDED] : []), ...warningsOf(compiled, (name) => isInPayload(columns, name))];
  const begun = {
    event: event.name,
    columns: shown as Record<string, unknown>,
    fields: fieldsOf(compiled),
    actions: [],
    ...(warnings.length > 0 && { warnings }),
  };
  const room = new Room();
  let rows: readonly Row[];
  let texts: string[];
  try {
    rows = (await rowsOf(compiled.sql, columns, ports)).slice(0, ROWS_MAX);
    texts = rows.map((row) => room.take(wholeRowJson(row)));
  } catch (err) {
    return { ...begun, rows: null, error: { ...faultOf(err), stage: "run" } };
  }
  const actions = actionsOf(given.actions, rows, ports.kinds, room);
  return { ...begun, rows: texts.map((text) => shownOf(text) as Record<string, unknown>), error: null, actions };
}

function isInPayload(columns: SampleColumns, name: string): boolean {
  try {
    const json = columns.json();
    return typeof json === "object" && json !== null && Object.hasOwn(json, name);
  } catch {
    return false;
  }
}

/** Of several events those of each: no row has all of them. */
function fieldsOf({ sql, sources: { events } }: Compiled): string[][] {
  const { all, paths } = sql.gives();
  const columns = all ? events.flatMap((event) => event.columns.map((name) => [name])) : [];
  return [...new Map([...columns, ...paths].map((path) => [JSON.stringify(path), [...path]])).values()];
}

/** @throws RuleError, Error: it takes too long */
async function rowsOf(sql: CompiledRule, columns: SampleColumns, { mono, soon }: PlaygroundPorts): Promise<readonly Row[]> {
  if (sql.pieces === null) return sql.run(columns);
  const making = sql.pieces(columns);
  const began = mono();
  for (let since = began; ; ) {
    const made = making.next();
    if (made.done === true) return made.value;
    const now = mono();
    if (now - began > LONGEST_MS) throw new Error(`this takes more than ${LONGEST_MS / 1000} seconds`);
    if (now - since < SLICE_MS) continue;
    await new Promise<void>((resolve) => soon(resolve));
    since = mono();
  }
}

/** What may still be shown. */
class Room {
  left = SHOWN_MAX;

  /** @throws Error: there is no room for it */
  take(text: string): string {
    if (text.length > this.left) throw tooMuch();
    this.left -= text.length;
    return text;
  }
}

const tooMuch = (): Error =>
  new Error(`the rows, and what is made of them, have more than ${SHOWN_MAX} characters, which is the most that is shown`);

const NO_PLACE = { line: 0, column: 0, length: 0, hint: null };

function faultOf(err: unknown): SqlFault {
  if (!(err instanceof SqlError)) return { ...NO_PLACE, message: lineOf(err), stage: "sql" };
  const { line, column, length, hint } = err;
  return { message: err.message, line, column, length, hint, stage: "sql" };
}

/** Browsers read whole numbers beyond 2^53 inexactly: they are shown as texts of their digits. */
const shownOf = (json: string): unknown => JSON.parse(bigAsText(json));

const ROUNDED = "sample has whole numbers beyond 2^53, whose last digits may be lost already: give the payload as a text of JSON";

interface Sample {
  /** Columns as they are given. */
  readonly sample: Record<string, unknown>;
  /** There are numbers that would be read as exact, and that whoever has read the request may have rounded. */
  readonly isRounded: boolean;
}

/** @throws RuleRefusal */
function sampleOf(given: Given): Sample {
  const sample = given.sample ?? given.context ?? given.ctx ?? {};
  if (typeof sample !== "object" || sample === null || Array.isArray(sample)) throw badArguments("sample must be an object with columns");
  const text = JSON.stringify(sample);
  if (text.length > SAMPLE_MAX) throw badArguments(`sample has at most ${SAMPLE_MAX} characters`);
  const { payload_encoding: encoding, ...columns } = sample as Record<string, unknown>;
  if (encoding === "base64" && typeof columns.payload === "string")
    columns.payload = Uint8Array.from(Buffer.from(columns.payload, "base64"));
  // EMQX 4 takes the payload as it is, or as JSON that is no text yet.
  else if (typeof columns.payload === "object" && columns.payload !== null) columns.payload = JSON.stringify(columns.payload);
  return { sample: columns, isRounded: bigAsText(text) !== text };
}

/** Of several events the one that the example says it is of (4.x: `event_type`). */
function eventFor({ sources }: Compiled, sample: Given): EventRow {
  const named = sample.event_type ?? sample.event;
  const word = typeof named === "string" ? named.replace(/^\$events\/(?:sys\/)?/, "").replace("_", ".") : "";
  const name = eventOf(word)?.name;
  return sources.events.find((event) => event.name === name) ?? sources.events[0] ?? PUBLISH;
}

function actionsOf(given: unknown, rows: readonly Row[], kinds: ActionKinds, room: Room): RuleTestResult["actions"] {
  if (given === undefined || given === null) return [];
  if (!Array.isArray(given)) throw badArguments("actions must be an array of {name, params}");
  return given.slice(0, 32).map((action: unknown) => {
    const { name, params = {} } = (typeof action === "object" && action !== null ? action : {}) as Given;
    const kind = typeof name === "string" ? kinds.actions.get(name) : undefined;
    if (kind === undefined) return { name: wordOf(name), rendered: [], error: `Action ${wordOf(name)} Not Found` };
    const before = room.left;
    try {
      const shown = shownParams(checkParams(params, kind.params), kind.params);
      return { name: kind.name, rendered: rows.map((row) => renderFields(shown, kind.params, row, room)), error: null };
    } catch (err) {
      // It is not shown, so that there is room for the next one.
      room.left = before;
      return { name: kind.name, rendered: [], error: lineOf(err) };
    }
  });
}

function renderFields(params: Given, spec: ParamsSpec, row: Row, room: Room): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [name, render(value, Object.hasOwn(spec, name) ? spec[name] : undefined, row, room)]),
  );
}

/** SQL as it is sent: with marks for values, and the values. @throws Error: a template is none, or there is no room for what is made of it */
function render(value: unknown, spec: ParamSpec | undefined, row: Row, room: Room): unknown {
  if (typeof value === "string") {
    const template = compileRowTemplate(value);
    if (template.constant) return room.take(value);
    if (spec?.format !== "sql") return room.take(template.text(row));
    const sql = room.take(template.bound((position) => `$${position}`));
    return { sql, values: shownOf(room.take(rowJson(template.values(row)))) };
  }
  if (Array.isArray(value)) return value.map((v) => render(v, spec?.items, row, room));
  if (typeof value === "object" && value !== null) return renderFields(value as Given, spec?.schema ?? {}, row, room);
  return value;
}
