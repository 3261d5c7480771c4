/** All rules: made, changed, deleted, each change all or nothing. */

import type { Log } from "../../core/ports.ts";
import { lineOf } from "../../lib/errors.ts";
import { type FromFile, planActions } from "./action_plan.ts";
import { SourceError } from "./events.ts";
import { badArguments, noHook, type RuleRefusal, refusalOf } from "./refusal.ts";
import { type Compiled, compileGiven, compileStored, Rule, type RuleWorld, type StoredRule } from "./rule.ts";
import { ActionSlot, type SlotWorld } from "./slots.ts";
import type { RuleStore } from "./store.ts";
import { Turns, type TurnsPorts } from "./turns.ts";
import type { Watching } from "./watching.ts";

const RULES_MAX = 10_000;
const SQL_MAX = 64 * 1024;
const NAME_MAX = 200;
const DESCRIPTION_MAX = 4096;

export interface RuleSetPorts extends TurnsPorts {
  readonly slots: SlotWorld;
  readonly rules: RuleWorld;
  readonly store: RuleStore;
  readonly watching: Watching;
  readonly log: Log;
  /** Unix ms. */
  now(): number;
  /** A rule has gone: nothing of it is kept. */
  forget(id: string): void;
}

/** A rule that may be made: its SQL compiles, its actions are known, their parameters are of the right kind. */
export interface PlannedRule {
  readonly stored: StoredRule;
  readonly compiled: Compiled | string;
  readonly old: Rule | null;
}

type Given = Readonly<Record<string, unknown>>;

export class RuleSet {
  readonly #rules = new Map<string, Rule>();
  #order = 0;
  #serial = 0;
  #lastId = 0n;

  constructor(private readonly ports: RuleSetPorts) {
    const { store, watching, log } = ports;
    for (const stored of store.rules) this.#load(stored, log);
    for (const { id, why } of store.broken.rules) this.#keepBroken(id, why);
    watching.settle();
  }

  #load(stored: StoredRule, log: Log): void {
    let compiled: Compiled | string;
    try {
      compiled = compileStored(stored.rawsql, stored.for);
    } catch (err) {
      compiled = `its SQL cannot be used: ${lineOf(err)}`;
      log.error("a stored rule cannot be used", { id: stored.id, error: lineOf(err) });
    }
    this.#serial = Math.max(this.#serial, stored.serial);
    const slots = stored.actions.map((action) => new ActionSlot(action, stored.id, this.ports.slots));
    for (const slot of slots) slot.sync();
    this.#set(new Rule(stored, ++this.#order, slots, this.ports.rules, compiled));
  }

  /** Shown, and deleted when somebody says so; its row is not written. */
  #keepBroken(id: string, why: string): void {
    const stored = { id, name: id, for: null, rawsql: "", actions: [], enabled: false, description: "", created: 0, serial: 0 };
    this.#rules.set(id, new Rule(stored, ++this.#order, [], this.ports.rules, why, undefined, true));
  }

  get size(): number {
    return this.#rules.size;
  }

  all(): Iterable<Rule> {
    return this.#rules.values();
  }

  get(id: string): Rule | undefined {
    return this.#rules.get(id);
  }

  /** Kinds or resources have come or gone. `resource`: that one alone. */
  sync(resource?: string): void {
    for (const rule of this.#rules.values())
      for (const slot of rule.slots) if (resource === undefined || slot.resourceId === resource) slot.sync();
  }

  /** Rules with an action that uses the resource. */
  using(resource: string): Rule[] {
    return [...this.#rules.values()].filter((rule) => rule.slots.some((slot) => slot.resourceId === resource));
  }

  /** The same of all resources that are used, by their ids, in one pass. */
  users(): Map<string, Rule[]> {
    const users = new Map<string, Rule[]>();
    for (const rule of this.#rules.values())
      for (const id of new Set(rule.slots.flatMap((slot) => slot.resourceId ?? []))) {
        const rules = users.get(id);
        if (rules === undefined) users.set(id, [rule]);
        else rules.push(rule);
      }
    return users;
  }

  #set(rule: Rule): void {
    const old = this.#rules.get(rule.id);
    if (old?.active === true) this.ports.watching.remove(old);
    old?.end(rule);
    this.#rules.set(rule.id, rule);
    if (rule.active) this.ports.watching.add(rule);
  }

  /**
   * What becomes of these fields; `old`: of a rule that is there, what is not given stays. `resources`: ids that will be there too. `file`: it
   * comes from one, with its id and those of its actions: anywhere else one that is new is ours to give, or a copy would have those of another rule.
   * @throws RuleRefusal
   */
  plan(given: Given, old: Rule | null, resources: ReadonlyMap<string, string>, file?: FromFile): PlannedRule {
    // Of one that cannot be read nothing is known: all of it has to be given.
    const was = old === null || old.isUnreadable ? undefined : old.stored;
    const rawsql = textOf(given.rawsql ?? given.sql ?? was?.rawsql, "rawsql");
    const name = nameOf(given.name ?? was?.name);
    const description = textOf(given.description ?? was?.description ?? "", "description", DESCRIPTION_MAX);
    const enabled = flagOf(given.enabled ?? was?.enabled ?? true);
    if (rawsql.length > SQL_MAX) throw badArguments(`rawsql has at most ${SQL_MAX} characters`);
    if (given.for !== undefined && given.for !== null) textOf(given.for, "for");
    const { wanted, compiled } = compiledOf(rawsql, given.for, was === undefined ? null : old);
    const ports = { kinds: this.ports.slots.ctx.kinds, resources, newId: (prefix: string) => this.#newId(prefix) };
    const list = given.actions === undefined && was !== undefined ? was.actions : given.actions;
    const actions = planActions(list, was?.actions ?? [], ports, file);
    const stored = {
      id: old?.id ?? file?.id ?? this.#newId(`${name}:`),
      name,
      for: wanted,
      rawsql,
      actions,
      enabled,
      description,
      created: was?.created ?? this.ports.now(),
      serial: was?.serial ?? ++this.#serial,
    };
    return { stored, compiled, old };
  }

  /** Only its switch: whatever is broken of it stays so. @throws RuleRefusal: what is stored of it cannot be read, and is not written over */
  planEnabled(old: Rule, enabled: boolean): PlannedRule {
    if (old.isUnreadable) throw badArguments(old.reason ?? "");
    let compiled: Compiled | string;
    try {
      compiled = compileStored(old.stored.rawsql, old.stored.for);
    } catch (err) {
      compiled = `its SQL cannot be used: ${lineOf(err)}`;
    }
    return { stored: { ...old.stored, enabled }, compiled, old };
  }

  #newId(prefix: string): string {
    const now = BigInt(this.ports.now()) * 1_000_000n;
    this.#lastId = now > this.#lastId ? now : this.#lastId + 1n;
    return `${prefix}${this.#lastId}`;
  }

  /** All of them, or none. `storeOthers`: what is to be stored with them. @throws RuleRefusal */
  async put(planned: readonly PlannedRule[], storeOthers: () => void = () => {}): Promise<Rule[]> {
    const added = planned.filter((p) => p.old === null).length;
    if (this.#rules.size + added > RULES_MAX) throw badArguments(`there are at most ${RULES_MAX} rules`);
    const turns = new Turns(this.ports);
    const drafts: Draft[] = [];
    for (const plan of planned) {
      drafts.push(this.#draft(plan));
      if (turns.over) await turns.rest();
    }
    await this.#open(drafts);
    // All of them in one turn: so they are all there after a crash, or none is.
    storeOthers();
    for (const { stored } of planned) this.ports.store.putRule(stored);
    for (const { rule, fresh } of drafts) {
      for (const { slot } of fresh) {
        slot.own();
        slot.action?.begin?.();
      }
      this.#set(rule);
      if (turns.over) await turns.rest();
    }
    this.ports.watching.settle();
    await Promise.all(drafts.map(({ old, rule }) => old && this.#endOthers(old, rule)));
    return drafts.map(({ rule }) => rule);
  }

  /** Nothing of it is open yet but what it has of the old one. */
  #draft({ stored, compiled, old }: PlannedRule): Draft {
    const fresh: Draft["fresh"] = [];
    const slots = stored.actions.map((action) => {
      const was = old?.slots.find((slot) => slot.stored.id === action.id) ?? null;
      if (was !== null && JSON.stringify(was.stored) === JSON.stringify(action)) return was;
      const slot = new ActionSlot(action, stored.id, this.ports.slots, was?.place);
      fresh.push({ slot, was });
      return slot;
    });
    return { rule: new Rule(stored, old?.order ?? ++this.#order, slots, this.ports.rules, compiled, old?.figures), old, fresh };
  }

  /** What takes nobody's place first: nothing is closed for a change that is refused. @throws RuleRefusal; then everything is as it was */
  async #open(drafts: readonly Draft[]): Promise<void> {
    const fresh = drafts.flatMap((draft) => draft.fresh);
    const turns = new Turns(this.ports);
    const open = async (slots: typeof fresh): Promise<void> => {
      for (const { slot } of slots) {
        slot.sync();
        if (slot.reason !== null) throw badArguments(`${slot.stored.name}: ${slot.reason}`);
        // It sends nothing before it is its rule's, and what was left for it has to come first.
        slot.action?.hold?.();
        if (turns.over) await turns.rest();
      }
    };
    try {
      await open(fresh.filter(({ was }) => was === null));
      // They have one directory.
      await Promise.all(fresh.map(({ was }) => was?.setAside()));
      await open(fresh.filter(({ was }) => was !== null));
    } catch (err) {
      await Promise.all(fresh.map(({ slot }) => slot.discard()));
      for (const { was } of fresh) was?.resume();
      throw err;
    }
  }

  async remove(id: string): Promise<void> {
    const rule = this.#rules.get(id);
    if (rule === undefined) return;
    if (rule.active) this.ports.watching.remove(rule);
    rule.end(null);
    this.#rules.delete(id);
    this.ports.store.deleteRule(id);
    this.ports.watching.settle();
    this.ports.forget(id);
    await Promise.all(rule.slots.map((slot) => this.#drop(slot, rule)));
  }

  /** What waited for it, and nobody gets any more, is told. */
  async #drop(slot: ActionSlot, rule: Rule): Promise<void> {
    const lost = await slot.drop();
    const { name } = rule.stored;
    if (lost !== null) this.ports.log.warn("what waited for an action is deleted with it", { rule: name, action: slot.stored.id, ...lost });
  }

  /** Those that the changed rule has no more; what waits for one that only gets other parameters is its successor's. */
  async #endOthers(old: Rule, now: Rule): Promise<void> {
    const others = old.slots.filter((slot) => !now.slots.includes(slot));
    const isThere = (id: string): boolean => now.slots.some((s) => s.stored.id === id);
    await Promise.all(others.map((slot) => (isThere(slot.stored.id) ? slot.end() : this.#drop(slot, now))));
  }

  /** The plugin is unloaded. */
  async close(): Promise<void> {
    await Promise.all([...this.#rules.values()].flatMap((rule) => rule.slots.map((slot) => slot.end())));
  }
}

/** A rule that is about to be there. */
interface Draft {
  readonly rule: Rule;
  readonly old: Rule | null;
  /** Actions that have to be opened, and the one whose place each takes. */
  readonly fresh: { readonly slot: ActionSlot; readonly was: ActionSlot | null }[];
}

function compiledOf(rawsql: string, given: unknown, old: Rule | null): ReturnType<typeof compileGiven> {
  try {
    return compileGiven(rawsql, given, old);
  } catch (err) {
    if (err instanceof SourceError && err.hook !== null) throw noHook(err.hook);
    throw refusalOf(err);
  }
}

function textOf(value: unknown, name: string, most = Number.POSITIVE_INFINITY): string {
  if (value === undefined || value === null) throw badArguments(`${name} is missing`);
  if (typeof value !== "string") throw badArguments(`${name} must be a text`);
  if (value.length > most) throw badArguments(`${name} has at most ${most} characters`);
  return value;
}

export function nameOf(value: unknown): string {
  const name = textOf(value, "name", NAME_MAX);
  if (name === "") throw badArguments("name is empty");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused
  if (/[\u0000-\u001f\u007f]/.test(name)) throw badArguments("name has control characters");
  return name;
}

function flagOf(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  if (value === "true" || value === "false") return value === "true";
  throw wrongFlag();
}
const wrongFlag = (): RuleRefusal => badArguments("enabled must be true or false");
