/** All rules: made, changed, deleted, each change all or nothing. */

import type { Log } from "../../core/ports.ts";
import { lineOf } from "../../lib/errors.ts";
import { type ActionKind, takesResource } from "../actions.ts";
import { SourceError } from "./events.ts";
import { checkParams, secretNames, unmasked } from "./params.ts";
import { badArguments, noAction, noHook, noResource, type RuleRefusal, refusalOf } from "./refusal.ts";
import { type Compiled, compileStored, Rule, type RuleWorld, type StoredRule } from "./rule.ts";
import { ActionSlot, type SlotWorld, type StoredAction } from "./slots.ts";
import type { RuleStore } from "./store.ts";
import type { Watching } from "./watching.ts";

const RULES_MAX = 10_000;
const ACTIONS_MAX = 32;
const SQL_MAX = 64 * 1024;
const NAME_MAX = 200;
const DESCRIPTION_MAX = 4096;

export interface RuleSetPorts {
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

/** Where a rule comes from that keeps its ids. */
export interface FromFile {
  readonly id: string;
  /** An action of another rule has that id: alarms and the log call actions by it. */
  isOthers(action: string): boolean;
}

type Given = Readonly<Record<string, unknown>>;

export class RuleSet {
  readonly #rules = new Map<string, Rule>();
  #order = 0;
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
    const slots = stored.actions.map((action) => new ActionSlot(action, stored.id, this.ports.slots));
    for (const slot of slots) slot.sync();
    this.#set(new Rule(stored, ++this.#order, slots, this.ports.rules, compiled));
  }

  /** Shown, and deleted when somebody says so; its row is not written. */
  #keepBroken(id: string, why: string): void {
    const stored = { id, name: id, for: null, rawsql: "", actions: [], enabled: false, description: "", created: 0 };
    this.#rules.set(id, new Rule(stored, ++this.#order, [], this.ports.rules, why));
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

  /** Kinds or resources have come or gone. */
  sync(): void {
    for (const rule of this.#rules.values()) for (const slot of rule.slots) slot.sync();
  }

  /** Rules with an action that uses the resource. */
  using(resource: string): Rule[] {
    return [...this.#rules.values()].filter((rule) => rule.slots.some((slot) => slot.resourceId === resource));
  }

  /** Names of the rules that use each resource, by its id. */
  users(): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const { slots, stored } of this.#rules.values()) {
      for (const id of new Set(slots.map((slot) => slot.resourceId))) {
        if (id === null) continue;
        const names = found.get(id);
        if (names === undefined) found.set(id, [stored.name]);
        else names.push(stored.name);
      }
    }
    return found;
  }

  #set(rule: Rule): void {
    const old = this.#rules.get(rule.id);
    if (old?.active === true) this.ports.watching.remove(old);
    if (old !== undefined) old.ended = true;
    this.#rules.set(rule.id, rule);
    if (rule.active) this.ports.watching.add(rule);
  }

  /**
   * What becomes of these fields; `old`: of a rule that is there, what is not given stays. `resources`: ids that will be there too. `file`: it
   * comes from one, with its id and those of its actions: anywhere else one that is new is ours to give, or a copy would have those of another rule.
   * @throws RuleRefusal
   */
  plan(given: Given, old: Rule | null, resources: ReadonlyMap<string, string>, file?: FromFile): PlannedRule {
    const was = old?.stored;
    const rawsql = textOf(given.rawsql ?? given.sql ?? was?.rawsql, "rawsql");
    const name = nameOf(given.name ?? was?.name);
    const description = textOf(given.description ?? was?.description ?? "", "description", DESCRIPTION_MAX);
    const enabled = flagOf(given.enabled ?? was?.enabled ?? true);
    if (rawsql.length > SQL_MAX) throw badArguments(`rawsql has at most ${SQL_MAX} characters`);
    const sqlChanged = was === undefined || rawsql !== was.rawsql;
    const given4 = given.for === undefined || given.for === null || given.for === "" ? undefined : textOf(given.for, "for");
    // With other SQL its FROM says what it is for, unless somebody says otherwise.
    const wanted = given4 ?? (was !== undefined && !sqlChanged ? was.for : null);
    const compiled = compiledOf(rawsql, wanted);
    const list = given.actions === undefined && was !== undefined ? was.actions : given.actions;
    if (!Array.isArray(list)) throw badArguments("actions must be an array of {name, params}");
    if (list.length > ACTIONS_MAX) throw badArguments(`a rule has at most ${ACTIONS_MAX} actions`);
    const taken = new Set<string>();
    const actions = list.map((action: unknown, i) => this.#action(action, i, was?.actions ?? [], resources, taken, file));
    const created = was?.created ?? this.ports.now();
    const stored = {
      id: was?.id ?? file?.id ?? this.#newId(`${name}:`),
      name,
      for: wanted,
      rawsql,
      actions,
      enabled,
      description,
      created,
    };
    return { stored, compiled, old };
  }

  /** Only its switch: whatever is broken of it stays so. */
  planEnabled(old: Rule, enabled: boolean): PlannedRule {
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

  #action(
    given: unknown,
    i: number,
    was: readonly StoredAction[],
    resources: ReadonlyMap<string, string>,
    taken: Set<string>,
    file: FromFile | undefined,
  ): StoredAction {
    if (typeof given !== "object" || given === null) throw badArguments(`actions[${i + 1}] must be an object with name and params`);
    const { name, params = {}, id } = given as Given;
    if (typeof name !== "string" || name === "") throw badArguments(`actions[${i + 1}].name is missing`);
    if (typeof params !== "object" || params === null || Array.isArray(params))
      throw badArguments(`actions[${i + 1}].params must be an object`);
    // The form of 3.1 sends no ids: the action in the same place is the same one.
    const old = was.find((a) => a.id === id && a.name === name) ?? (id === undefined && was[i]?.name === name ? was[i] : undefined);
    const kind = this.ports.slots.ctx.kinds.actions.get(name);
    if (kind === undefined) {
      if (old !== undefined && (params === old.params || JSON.stringify(params) === JSON.stringify(old.params))) return old;
      throw noAction(name);
    }
    const where = `actions[${i + 1}]`;
    try {
      const whole = params === old?.params ? params : unmasked(params as Given, old?.params ?? null, kind.params);
      const checked = checkParams(whole, kind.params);
      const actionId =
        old !== undefined && !taken.has(old.id)
          ? old.id
          : file !== undefined && typeof id === "string" && ACTION_ID.test(id) && !taken.has(id) && !file.isOthers(id)
            ? id
            : this.#newId(`${name}_`);
      taken.add(actionId);
      if (kind.type !== "built_in") checkResource(checked.$resource, kind, resources);
      return { id: actionId, name, params: checked, secrets: secretNames(kind.params) };
    } catch (err) {
      throw refusalOf(err, where);
    }
  }

  /** All of them, or none. @throws RuleRefusal */
  async put(planned: readonly PlannedRule[]): Promise<Rule[]> {
    const added = planned.filter((p) => p.old === null).length;
    if (this.#rules.size + added > RULES_MAX) throw badArguments(`there are at most ${RULES_MAX} rules`);
    const made: Rule[] = [];
    const fresh: ActionSlot[] = [];
    const closed: ActionSlot[] = [];
    try {
      for (const { stored, compiled, old } of planned) made.push(await this.#make(stored, compiled, old, fresh, closed));
    } catch (err) {
      for (const slot of fresh) await slot.end();
      for (const slot of closed) slot.sync();
      throw err;
    }
    for (const [i, rule] of made.entries()) {
      const old = (planned[i] as PlannedRule).old;
      this.#set(rule);
      this.ports.store.putRule(rule.stored);
      if (old !== null) await this.#endOthers(old, rule);
    }
    this.ports.watching.settle();
    return made;
  }

  async #make(stored: StoredRule, compiled: Compiled | string, old: Rule | null, fresh: ActionSlot[], closed: ActionSlot[]): Promise<Rule> {
    const slots: ActionSlot[] = [];
    for (const action of stored.actions) {
      const was = old?.slots.find((slot) => slot.stored.id === action.id);
      if (was !== undefined && JSON.stringify(was.stored) === JSON.stringify(action)) {
        slots.push(was);
        continue;
      }
      // It has the directory of the one that it takes the place of.
      if (was !== undefined) {
        await was.close();
        closed.push(was);
      }
      const slot = new ActionSlot(action, stored.id, this.ports.slots, was?.figures);
      fresh.push(slot);
      slots.push(slot);
      slot.sync();
      if (slot.reason !== null) throw badArguments(`${action.name}: ${slot.reason}`);
    }
    return new Rule(stored, old?.order ?? ++this.#order, slots, this.ports.rules, compiled, old?.figures);
  }

  async #endOthers(old: Rule, now: Rule): Promise<void> {
    for (const slot of old.slots) {
      if (now.slots.includes(slot)) continue;
      await slot.end();
      if (!now.slots.some((s) => s.stored.id === slot.stored.id)) slot.forget();
    }
  }

  async remove(id: string): Promise<void> {
    const rule = this.#rules.get(id);
    if (rule === undefined) return;
    if (rule.active) this.ports.watching.remove(rule);
    rule.ended = true;
    this.#rules.delete(id);
    this.ports.store.deleteRule(id);
    this.ports.watching.settle();
    this.ports.forget(id);
    for (const slot of rule.slots) {
      await slot.end();
      slot.forget();
    }
  }

  /** The plugin is unloaded. */
  async close(): Promise<void> {
    await Promise.all([...this.#rules.values()].flatMap((rule) => rule.slots.map((slot) => slot.end())));
  }
}

const ACTION_ID = /^[\w:.-]{1,300}$/;

function compiledOf(rawsql: string, wanted: string | null): Compiled {
  try {
    return compileStored(rawsql, wanted);
  } catch (err) {
    if (err instanceof SourceError && err.hook !== null) throw noHook(err.hook);
    throw refusalOf(err);
  }
}

function checkResource(id: unknown, kind: ActionKind, resources: ReadonlyMap<string, string>): void {
  if (typeof id !== "string" || id === "") throw badArguments("$resource is missing: it names the resource that the action uses");
  const has = resources.get(id);
  if (has === undefined) throw noResource(id);
  if (!takesResource(kind, has)) throw badArguments(`resource ${id} is of type ${has}, the action needs one of type ${kind.type}`);
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
