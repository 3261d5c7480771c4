/** A rule while the node runs: what it looks at, its SQL compiled, its actions, its figures. */
import { lineOf } from "../../lib/errors.ts";
import { validTopicFilter } from "../../mqtt/topic.ts";
import type { ActionEvent } from "../plugin.ts";
import type { RuleCondition, RuleMetrics, RuleState } from "../rules.ts";
import type { EventColumns } from "./columns.ts";
import { SourceError, type Sources, sourcesOf } from "./events.ts";
import { EVERY, Figures } from "./figures.ts";
import type { ActionSlot, StoredAction } from "./slots.ts";
import { type CompiledRule, compileRule, type Row } from "./sql/index.ts";
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
}

export interface RuleWorld {
  /** Ms, monotonic. */
  mono(): number;
  /** The rule that is evaluated now: what an action tells at once is of the event in hand. */
  current: Rule | null;
  failed(rule: Rule, where: string, why: string): void;
}

export interface Compiled {
  readonly sql: CompiledRule;
  readonly sources: Sources;
}

/** @throws SqlError, SourceError, Error: what it looks at is no topic filter */
export function compileStored(rawsql: string, wanted: string | null): Compiled {
  const sql = compileRule(rawsql);
  const sources = sourcesOf(sql.from, wanted);
  for (const filter of sources.filters)
    if (!validTopicFilter(filter)) throw new SourceError(`${JSON.stringify(filter.slice(0, 64))} in FROM is no topic filter`);
  return { sql, sources };
}

const NOTHING: Sources = { events: [], filters: [] };
const NO_ROWS: readonly Row[] = [];

export class Rule implements Consumer {
  readonly sources: Sources;
  readonly reads: ReadonlySet<string> | null;
  readonly #sql: CompiledRule | null;
  /** Why its SQL cannot be used: what is stored may be of another version. */
  readonly #fault: string | null;
  readonly #event: ActionEvent;
  #columns: EventColumns | null = null;
  /** FOREACH of the event in hand, while it goes on. */
  #making: Generator<void, readonly Row[]> | null = null;
  /** Rows that it made, and how many of them the actions have had. */
  #rows = NO_ROWS;
  #given = 0;
  /** In making them, ms. */
  #spent = 0;
  /** It has gone: what waits for it is not looked at any more. */
  ended = false;

  constructor(
    readonly stored: StoredRule,
    readonly order: number,
    readonly slots: readonly ActionSlot[],
    private readonly world: RuleWorld,
    /** Or why its SQL cannot be used. */
    compiled: Compiled | string,
    readonly figures = new Figures(),
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
      column: (name) => this.#columns?.get(name),
    };
  }

  get id(): string {
    return this.stored.id;
  }

  /** It is asked about events. */
  get active(): boolean {
    return this.stored.enabled && this.#sql !== null && !this.ended;
  }

  get state(): RuleState {
    if (this.reason !== null) return "broken";
    return this.stored.enabled ? "running" : "disabled";
  }

  get condition(): RuleCondition {
    const { state, figures } = this;
    if (state !== "running") return state;
    const hasFailed = figures.failed > 0 || this.slots.some((slot) => slot.figures.failed + slot.figures.dropped > 0);
    return hasFailed ? "failing" : "running";
  }

  get reason(): string | null {
    if (this.#fault !== null) return this.#fault;
    for (const slot of this.slots) if (slot.reason !== null) return `${slot.stored.name}: ${slot.reason}`;
    return null;
  }

  /** One event may make ten thousand rows: each of them, and each element of FOREACH, is a piece of work of its own. */
  look(columns: EventColumns): boolean {
    if (!this.active) {
      this.#giveUp();
      return false;
    }
    const { world } = this;
    world.current = this;
    try {
      if (this.#rows.length > 0) this.#act();
      else this.#evaluate(this.#sql as CompiledRule, columns);
    } catch (err) {
      this.#making = null;
      this.figures.failed++;
      world.failed(this, "sql", lineOf(err));
    }
    world.current = null;
    return this.#making !== null || this.#rows.length > 0;
  }

  #evaluate(sql: CompiledRule, columns: EventColumns): void {
    const { figures, world } = this;
    const isFirst = this.#making === null;
    const measured = isFirst ? figures.matched++ % EVERY === 0 : this.#spent >= 0;
    const began = measured ? world.mono() : 0;
    let rows: readonly Row[];
    if (sql.pieces === null) rows = sql.run(columns);
    else {
      this.#making ??= sql.pieces(columns);
      const made = this.#making.next();
      if (isFirst) this.#spent = measured ? 0 : -1;
      if (measured) this.#spent += world.mono() - began;
      if (made.done !== true) return;
      this.#making = null;
      rows = made.value;
    }
    if (measured) figures.time(sql.pieces === null ? world.mono() - began : this.#spent);
    if (rows.length === 0) {
      figures.noResult++;
      return;
    }
    figures.passed++;
    this.#columns = columns;
    this.#rows = rows;
    this.#given = 0;
    this.#act();
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

  metrics(): RuleMetrics {
    const { figures: f, slots } = this;
    const sum = (read: (slot: ActionSlot) => number): number => slots.reduce((n, slot) => n + read(slot), 0);
    return {
      matched: f.matched,
      passed: f.passed,
      no_result: f.noResult,
      failed: f.failed,
      dropped: f.dropped,
      actions_success: sum((s) => s.figures.success),
      actions_failed: sum((s) => s.figures.failed),
      actions_dropped: sum((s) => s.figures.dropped),
      rate: f.rate.now,
      rate_5m: Math.round(f.rate.last5m * 100) / 100,
      rate_max: f.rate.max,
      p95_ms: f.p95,
      last_error: f.lastError,
      last_error_at_ms: f.lastErrorAt,
    };
  }

  resetMetrics(): void {
    this.figures.reset();
    for (const { figures } of this.slots) figures.reset();
  }
}
