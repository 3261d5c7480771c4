/** A rule while the node runs: what it looks at, its SQL compiled, its actions, its figures. */
import { lineOf } from "../../lib/errors.ts";
import { validTopicFilter } from "../../mqtt/topic.ts";
import type { Cause } from "../plugin.ts";
import type { RuleCondition, RuleMetrics, RuleState } from "../rules.ts";
import { causeOf, PAYLOAD_KEPT } from "./cause.ts";
import type { EventColumns } from "./columns.ts";
import { filterFault, namesEvent, SourceError, type Sources, sourcesOf } from "./events.ts";
import { EVERY, Figures, rateRow } from "./figures.ts";
import { Overwork, type TooMuch } from "./overwork.ts";
import type { RowEvent } from "./place.ts";
import type { ActionSlot, StoredAction } from "./slots.ts";
import { type CompiledRule, compileRule, type Row, RuleError } from "./sql/index.ts";
import { lastSaid } from "./telling.ts";
import { warningsOf } from "./warnings.ts";
import type { Consumer } from "./watching.ts";

/** As it is stored. */
export interface StoredRule {
  readonly id: string;
  readonly name: string;
  /** As it was given; null = FROM says it. */
  readonly for: string | null;
  readonly rawsql: string;
  readonly actions: readonly StoredAction[];
  readonly enabled: boolean;
  readonly description: string;
  /** Unix ms. */
  readonly created: number;
  /** Counts up: the order of those that were made in one moment. */
  readonly serial: number;
}

export interface RuleWorld {
  /** Ms, monotonic. */
  mono(): number;
  /** Unix ms. */
  now(): number;
  /** `causes`: an event each that it could not do with. */
  failed(rule: Rule, where: string, why: string, causes: readonly Cause[]): void;
  /** It looks at nothing for so long, ms, and is told to go on then: `reason` says why. */
  paused(rule: Rule, ms: number): void;
  /** One that was paused goes on, has gone, or another one is in its place. */
  pauseEnded(rule: Rule): void;
}

const WHY: Readonly<Record<TooMuch, string>> = {
  row: "each of the last 10 events was too much work for its SQL",
  share: "events that were too much work for its SQL took more than a quarter of the time",
};

export interface Compiled {
  readonly sql: CompiledRule;
  readonly sources: Sources;
}

/** @throws SqlError: also where what FROM names is no event, or no topic filter; SourceError: `for` is none */
export function compileStored(rawsql: string, wanted: string | null, sql = compileRule(rawsql)): Compiled {
  try {
    const sources = sourcesOf(sql.from, wanted);
    for (const filter of sources.filters) if (!validTopicFilter(filter)) throw filterFault(filter, sql.from.indexOf(filter));
    return { sql, sources };
  } catch (err) {
    if (!(err instanceof SourceError) || err.source === null) throw err;
    throw sql.fault(err.source === "none" ? null : err.source, err.reason, err.hint);
  }
}

/**
 * SQL with a `for` as somebody gives it (null or "" = FROM says it; undefined = as `old` has it), and the `for` that is to be stored.
 * @throws SqlError, SourceError
 */
export function compileGiven(rawsql: string, given: unknown, old: Rule | null): { wanted: string | null; compiled: Compiled } {
  const sql = compileRule(rawsql);
  const stored = old === null ? null : old.stored.for;
  let wanted: string | null = null;
  if (typeof given === "string" && given !== "") {
    // Nobody has given one, and it comes back as it is shown: FROM still says it.
    const says = old !== null && stored === null && given === old.for && saidBy(sql) === given;
    if (!says) wanted = given;
  } else if (given === undefined && stored !== null && (rawsql === old?.stored.rawsql || !namesEvent(sql.from, stored))) wanted = stored;
  return { wanted, compiled: compileStored(rawsql, wanted, sql) };
}

/** The event that FROM names first. */
function saidBy({ from }: CompiledRule): string | undefined {
  try {
    return sourcesOf(from, null).events[0]?.name;
  } catch {
    return undefined;
  }
}

/** Whatever one of them looks at, the other does as well. */
export function sameSources(a: Sources, b: Sources): boolean {
  const same = (x: readonly unknown[], y: readonly unknown[]): boolean => new Set(x).symmetricDifference(new Set(y)).size === 0;
  return same(a.events, b.events) && same(a.filters, b.filters);
}

const NOTHING: Sources = { events: [], filters: [] };
const NO_ROWS: readonly Row[] = [];

export class Rule implements Consumer {
  readonly sources: Sources;
  readonly reads: ReadonlySet<string> | null;
  readonly #sql: CompiledRule | null;
  /** Why its SQL cannot be used: what is stored may be of another version. */
  readonly #fault: string | null;
  readonly #event: RowEvent;
  /** Looked for when somebody asks. */
  #warnings: readonly string[] | null = null;
  #columns: EventColumns | null = null;
  /** Of the event in hand, once an action has asked for it: all rows of all actions share it. */
  #cause: Cause | null = null;
  /** FOREACH of the event in hand, while it goes on. */
  #making: Generator<void, readonly Row[]> | null = null;
  /** Rows that it made, and how many of them the actions have had. */
  #rows = NO_ROWS;
  #given = 0;
  /** In the pieces of the event in hand that are done, ms; when the last one began, and whether the figures have it. */
  #spent = 0;
  #began = 0;
  #isMeasured = false;
  readonly #overwork = new Overwork();
  /** Why it looks at nothing, though it is enabled. */
  #paused: string | null = null;
  /** It has gone. */
  #ended = false;
  /** What waits for it is looked at by this one. null = it is not looked at any more. */
  #heir: Rule | null = null;

  constructor(
    readonly stored: StoredRule,
    readonly order: number,
    readonly slots: readonly ActionSlot[],
    private readonly world: RuleWorld,
    /** Or why its SQL cannot be used. */
    compiled: Compiled | string,
    readonly figures = new Figures(),
    /** What is stored of it is no row of a rule: it stands for that, and is not written. */
    readonly isUnreadable = false,
  ) {
    this.#sql = typeof compiled === "string" ? null : compiled.sql;
    this.#fault = typeof compiled === "string" ? compiled : null;
    this.sources = typeof compiled === "string" ? NOTHING : compiled.sources;
    this.reads = this.#sql === null ? new Set() : this.#sql.reads;
    const noted = () => (this.#columns as EventColumns).noted;
    this.#event = {
      get event() {
        return noted().event.hook;
      },
      ruleId: stored.id,
      get clientId() {
        return noted().clientId;
      },
      get lineage() {
        const event = noted();
        event.lineage ??= { depth: 0, family: { made: 0 } };
        return event.lineage;
      },
      get bytes() {
        return noted().bytes;
      },
      column: (name) => this.#columns?.get(name),
      cause: () => {
        this.#cause ??= causeOf(noted(), PAYLOAD_KEPT);
        return this.#cause;
      },
      kept: () => {
        const columns = (this.#columns as EventColumns).kept();
        const { event, clientId, lineage } = this.#event;
        const cause = this.#event.cause();
        return { event, ruleId: stored.id, clientId, lineage, column: (name) => columns.get(name), cause: () => cause };
      },
    };
  }

  get id(): string {
    return this.stored.id;
  }

  /** It is asked about events. */
  get active(): boolean {
    return this.stored.enabled && this.#sql !== null && this.#paused === null && !this.#ended;
  }

  /** It is enabled, and looks at nothing: its SQL was too much work, event after event. */
  get paused(): boolean {
    return this.#paused !== null;
  }

  /** The event that it looks at first, given or not. */
  get for(): string {
    return this.sources.events[0]?.name ?? this.stored.for ?? "";
  }

  get state(): RuleState {
    if (this.reason !== null) return "broken";
    return this.stored.enabled ? "running" : "disabled";
  }

  get condition(): RuleCondition {
    const { state, figures } = this;
    if (state !== "running") return state;
    const hasFailed =
      figures.failed > 0 || this.slots.some((slot) => slot.figures.failed + slot.figures.dropped > 0 || slot.behind !== null);
    return hasFailed ? "failing" : "running";
  }

  get reason(): string | null {
    if (this.#fault !== null) return this.#fault;
    if (this.#paused !== null) return this.#paused;
    for (const slot of this.slots) if (slot.reason !== null) return `${slot.stored.name}: ${slot.reason}`;
    return null;
  }

  /** One event may make ten thousand rows: each of them, and each element of FOREACH, is a piece of work of its own. */
  look(columns: EventColumns): boolean {
    if (!this.active) {
      const isAtIt = this.#making !== null || this.#rows.length > 0;
      if (this.#heir !== null && !isAtIt) return this.#heir.look(columns);
      this.#giveUp();
      return false;
    }
    const { world } = this;
    try {
      if (this.#rows.length > 0) this.#act();
      else this.#evaluate(this.#sql as CompiledRule, columns);
    } catch (err) {
      this.#making = null;
      this.figures.failed++;
      world.failed(this, "sql", lineOf(err), [causeOf(columns.noted)]);
      if (err instanceof RuleError && err.isExhausted) this.#tooMuch();
      else this.#overwork.passed();
    }
    return this.#making !== null || this.#rows.length > 0;
  }

  /** An event was too much work: what is sent on and on that way would take all of everybody's time. */
  #tooMuch(): void {
    const { world } = this;
    const now = world.mono();
    const why = this.#overwork.book(this.#spent + now - this.#began, now);
    if (why === null) return;
    const ms = this.#overwork.pause(now);
    const goesOn = new Date(world.now() + ms).toISOString();
    this.#paused = `it is paused: ${WHY[why]}, and everybody waited for it; it goes on at ${goesOn}; let it do less and save it, or enable it to try again`;
    world.paused(this, ms);
  }

  /** Its pause is over. */
  goOn(): void {
    if (this.#paused === null || this.#ended) return;
    this.#paused = null;
    this.world.pauseEnded(this);
  }

  #evaluate(sql: CompiledRule, columns: EventColumns): void {
    const { figures, world } = this;
    if (this.#making === null) {
      this.#isMeasured = figures.matched++ % EVERY === 0;
      this.#spent = 0;
    }
    // Of each: which of them will be too much work nobody knows before.
    this.#began = world.mono();
    let rows: readonly Row[];
    if (sql.pieces === null) rows = sql.run(columns);
    else {
      this.#making ??= sql.pieces(columns);
      const made = this.#making.next();
      if (made.done !== true) {
        this.#spent += world.mono() - this.#began;
        return;
      }
      this.#making = null;
      rows = made.value;
    }
    if (this.#isMeasured) figures.times.add(this.#spent + world.mono() - this.#began);
    this.#overwork.passed();
    if (rows.length === 0) {
      figures.noResult++;
      return;
    }
    figures.passed++;
    this.#columns = columns;
    this.#cause = null;
    this.#rows = rows;
    this.#given = 0;
    this.#act();
  }

  /** It is changed, or deleted. What it is at is given up; what else waits for it is its successor's, if that one looks at the same. */
  end(heir: Rule | null): void {
    this.#ended = true;
    if (this.#paused !== null) this.world.pauseEnded(this);
    this.#heir = heir !== null && sameSources(this.sources, heir.sources) ? heir : null;
  }

  /** It has been changed, switched off or deleted: what waits for it is counted, by whoever has its figures now. */
  #giveUp(): void {
    const rest = this.#rows.length - (this.#rows.length > 0 ? this.#given : 0);
    if (rest === 0) this.figures.dropped++;
    for (const { figures } of rest === 0 ? [] : this.slots) {
      figures.taken += rest;
      figures.dropped += rest;
    }
    this.#making = null;
    this.#rows = NO_ROWS;
  }

  /** With one row. */
  #act(): void {
    const row = this.#rows[this.#given++] as Row;
    if (this.#given >= this.#rows.length) this.#rows = NO_ROWS;
    for (const slot of this.slots) slot.run(row, this.#event);
  }

  /** What in its SQL will hardly be meant. */
  get warnings(): readonly string[] {
    this.#warnings ??= this.#sql === null ? [] : warningsOf({ sql: this.#sql, sources: this.sources });
    return this.#warnings;
  }

  metrics(): RuleMetrics {
    const { figures: f, slots } = this;
    const sum = (read: (slot: ActionSlot) => number): number => slots.reduce((n, slot) => n + read(slot), 0);
    const said: { why: string | null; at: number | null } = { why: f.lastError, at: f.lastErrorAt };
    const last = slots.reduce((found, slot) => lastSaid(found, slot.behind), said);
    return {
      matched: f.matched,
      passed: f.passed,
      no_result: f.noResult,
      failed: f.failed,
      dropped: f.dropped,
      actions_success: sum((s) => s.figures.success),
      actions_failed: sum((s) => s.figures.failed),
      actions_dropped: sum((s) => s.figures.dropped),
      ...rateRow(f.rate),
      p95_ms: f.times.p95,
      last_error: last.why,
      last_error_at_ms: last.at,
    };
  }

  resetMetrics(): void {
    this.figures.reset();
    for (const { figures } of this.slots) figures.reset();
  }
}
