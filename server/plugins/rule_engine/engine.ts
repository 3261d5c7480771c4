/** The rule engine: events come in, rules look at them behind the broker's output, actions take what they make. */
import type { Lineage, Message } from "../../core/message.ts";
import type { Cause, Kinds, PluginContext } from "../plugin.ts";
import type { InspectedRow, RuleErrorRow } from "../rules.ts";
import { builtinKinds } from "./builtin.ts";
import { Captures } from "./capture.ts";
import { EventColumns, type Noted } from "./columns.ts";
import { KeptLast } from "./kept.ts";
import { Line } from "./line.ts";
import { ResourceSet } from "./resource_set.ts";
import type { Rule, RuleWorld } from "./rule.ts";
import { RuleSet } from "./rule_set.ts";
import type { SlotWorld } from "./slots.ts";
import { RuleStore } from "./store.ts";
import type { Users } from "./telling.ts";
import { type Consumer, Watching } from "./watching.ts";

const RATE_MS = 1000;
/** Kept of each rule, and bytes of all together. */
const ERRORS = 50;
const INSPECTED = 100;
const KEPT_BYTES = 8 * 1024 * 1024;
const ERROR_SHOWN = 1000;
/** A rule that fails with every message costs no more than so often an error to be looked at, ms. */
const ERROR_EVERY_MS = 20;
const WARN_EVERY_MS = 60_000;
/** What waits when the plugin is unloaded is looked at for so long, ms. */
const LAST_MS = 500;

export interface EngineSettings {
  ignoresSys(): boolean;
  /** Bytes. */
  maxWaiting(): number;
}

type Ctx = Pick<
  PluginContext,
  "kv" | "log" | "clock" | "broker" | "dataDir" | "hook" | "kinds" | "after" | "every" | "alarm" | "closing"
> & { offer(kinds: Kinds): void };

export class Engine implements RuleWorld, SlotWorld {
  readonly errors = new KeptLast<RuleErrorRow>(ERRORS, KEPT_BYTES);
  readonly inspected = new KeptLast<InspectedRow>(INSPECTED, KEPT_BYTES);
  readonly rules: RuleSet;
  readonly resources: ResourceSet;
  readonly captures: Captures;
  readonly line: Line<Consumer>;
  readonly watching: Watching;
  readonly raised: SlotWorld["raised"] = new Map();
  /** Events that were given up because too much waited. */
  dropped = 0;
  readonly #columns: EventColumns;
  /** Of what a rule publishes now: whatever else happens because of it is as deep. */
  #lineage: Lineage | null = null;
  readonly #erredAt = new Map<string, number>();
  /** Rules that are paused: call it, and they are not told to go on. */
  readonly #pauses = new Map<Rule, () => void>();
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly ctx: Ctx,
    settings: EngineSettings,
  ) {
    const { broker, clock } = ctx;
    this.#columns = new EventColumns(broker.nodeName, (id) => broker.client(id));
    this.line = new Line<Consumer>({
      soon: (fn) => broker.soon(fn),
      mono: () => clock.mono(),
      begin: () => {
        this.#columns.now = clock.now();
      },
      next: (noted: Noted) => void this.#columns.of(noted),
      evaluate: (consumer) => consumer.look(this.#columns),
      dropped: (consumers) => this.#dropped(consumers),
      limit: settings.maxWaiting,
    });
    this.watching = new Watching({
      broker,
      clock,
      hook: ctx.hook,
      ignoresSys: settings.ignoresSys,
      lineageOf: (m) => this.#lineageOf(m),
      add: (noted, consumers) => this.line.add(noted, consumers),
    });
    ctx.closing(broker.countWaiting(() => this.line.bytes));
    ctx.offer(
      builtinKinds({
        clock,
        inspected: this.inspected,
        publish: (message) => this.#publish(message),
        count: (name) => broker.count(name),
      }),
    );
    const store = new RuleStore(ctx.kv, ctx.log);
    this.resources = new ResourceSet(this, store, () => this.rules);
    this.rules = new RuleSet({
      slots: this,
      rules: this,
      store,
      watching: this.watching,
      log: ctx.log,
      now: () => clock.now(),
      mono: () => clock.mono(),
      soon: (fn) => broker.soon(fn),
      forget: (id) => this.#forget(id),
    });
    this.captures = new Captures(this.watching, ctx);
    const unwatch = ctx.kinds.watch(() => this.sync());
    ctx.every(RATE_MS, () => this.#look());
    ctx.closing(async () => {
      unwatch();
      await this.#close();
    });
  }

  now(): number {
    return this.ctx.clock.now();
  }

  mono(): number {
    return this.ctx.clock.mono();
  }

  resource(id: string) {
    return this.resources.get(id);
  }

  openedLate(resource: string): void {
    this.rules.sync(resource);
  }

  /** Kinds have come or gone. */
  sync(): void {
    this.resources.sync();
    this.rules.sync();
  }

  #look(): void {
    for (const { figures, slots } of this.rules.all()) {
      figures.rate.look(figures.matched);
      for (const slot of slots) slot.figures.rate.look(slot.figures.taken);
    }
    this.#erredAt.clear();
  }

  async #close(): Promise<void> {
    this.captures.stop();
    this.watching.close();
    this.line.close();
    this.line.work(LAST_MS);
    await this.rules.close();
    await this.resources.close();
  }

  #forget(id: string): void {
    this.errors.remove(id);
    this.inspected.remove(id);
  }

  #lineageOf(m: Message | null): Lineage | null {
    const own = m === null ? null : m.lineage;
    const now = this.#lineage;
    if (own === null || now === null) return own ?? now;
    return own.depth > now.depth ? own : now;
  }

  #publish(message: Message): void {
    const before = this.#lineage;
    this.#lineage = message.lineage;
    try {
      this.ctx.broker.publish(message);
    } finally {
      this.#lineage = before;
    }
  }

  #dropped(consumers: readonly Consumer[]): void {
    this.dropped++;
    this.ctx.broker.count("rules/dropped");
    for (const consumer of consumers) if ("figures" in consumer) (consumer as Rule).figures.dropped++;
    const now = this.mono();
    if (now - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = now;
    this.ctx.log.warn("rules cannot keep up: events are given up", { waiting: this.line.size, bytes: this.line.bytes });
  }

  /** Of an action (by the id of its rule), or of a rule's own SQL. */
  failed(rule: Rule | string, where: string, why: string, causes: readonly (Cause | null)[]): void {
    const found = typeof rule === "string" ? this.rules?.get(rule) : rule;
    const id = typeof rule === "string" ? rule : rule.id;
    const now = this.ctx.clock.now();
    if (found !== undefined) {
      found.figures.lastError = why;
      found.figures.lastErrorAt = now;
    }
    for (const cause of causes) this.#list(id, where, why, cause);
  }

  /** Its hooks go with it: what it would look at does not even wait. */
  paused(rule: Rule, ms: number): void {
    this.watching.remove(rule);
    this.watching.settle();
    this.#pauses.set(
      rule,
      this.ctx.after(ms, () => rule.goOn()),
    );
    this.ctx.alarm(pausedAlarm(rule), {
      severity: "warning",
      title: `rule "${rule.stored.name}" is paused`,
      summary: `Rule ${rule.id}: ${rule.reason}.`,
    });
  }

  pauseEnded(rule: Rule): void {
    this.#pauses.get(rule)?.();
    this.#pauses.delete(rule);
    if (rule.active) {
      this.watching.add(rule);
      this.watching.settle();
    }
    this.ctx.alarm(pausedAlarm(rule), null);
  }

  told(rule: string, action: string, why: string): void {
    this.#list(rule, action, why, null);
  }

  ruleName(rule: string): string {
    return this.rules?.get(rule)?.stored.name ?? rule;
  }

  users(resource: string): Users {
    const rules = this.rules?.using(resource) ?? [];
    const slots = rules.flatMap((rule) => rule.slots.filter((slot) => slot.resourceId === resource));
    return { rules: rules.map((rule) => rule.stored.name), waiting: slots.reduce((n, slot) => n + slot.waiting, 0) };
  }

  /** Among the last errors of a rule. */
  #list(id: string, where: string, why: string, cause: Cause | null): void {
    const now = this.ctx.clock.now();
    const erredAt = this.#erredAt.get(id);
    if (erredAt !== undefined && this.mono() - erredAt < ERROR_EVERY_MS && this.errors.count(id) >= ERRORS) return;
    this.#erredAt.set(id, this.mono());
    const error = why.length > ERROR_SHOWN ? `${why.slice(0, ERROR_SHOWN)}…` : why;
    const row: RuleErrorRow = {
      at_ms: now,
      where,
      error,
      event: cause?.event ?? "",
      client_id: cause?.clientId ?? "",
      topic: cause?.topic ?? null,
      payload: cause?.payload ?? null,
    };
    this.errors.add(id, row, 200 + error.length + (row.topic?.length ?? 0) + (row.payload?.length ?? 0));
  }
}

/** Alarms are told in topics: an id may have what no topic has. */
const pausedAlarm = (rule: Rule): string => `rule_${rule.id.replaceAll(/[+#/]/g, "_")}_paused`;
