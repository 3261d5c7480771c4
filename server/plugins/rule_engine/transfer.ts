/** All rules and resources as one JSON file, without secrets; and such a file brought in, all of it or nothing. */
import type { Log } from "../../core/ports.ts";
import { lineOf } from "../../lib/errors.ts";
import type { ActionKinds } from "../plugin.ts";
import type { ImportCounts, ImportResult, RulesFile } from "../rules.ts";
import { maskedFields, shownParams, wordOf } from "./params.ts";
import { badArguments } from "./refusal.ts";
import type { Changed, ResourceSet } from "./resource_set.ts";
import type { StoredResource } from "./resource_slot.ts";
import { type Rule, sameSources } from "./rule.ts";
import type { PlannedRule, RuleSet } from "./rule_set.ts";
import { Turns, type TurnsPorts } from "./turns.ts";

/** Mistakes that are told of at once. */
const ERRORS_MAX = 100;

type Given = Readonly<Record<string, unknown>>;

export interface TransferPorts extends TurnsPorts {
  readonly rules: RuleSet;
  readonly resources: ResourceSet;
  readonly kinds: ActionKinds;
  readonly node: string;
  readonly log: Log;
  now(): number;
}

export function exportRules({ rules, resources, kinds, node, now }: TransferPorts): RulesFile {
  return {
    version: 1,
    node,
    exported_at_ms: now(),
    resources: [...resources.all()].map(({ stored: { id, name, type, config, description, secrets } }) => ({
      id,
      name,
      type,
      config: shownParams(config, kinds.resources.get(type)?.params ?? null, secrets),
      description,
    })),
    rules: [...rules.all()]
      .filter((rule) => rule.stored.rawsql !== "")
      .map(({ stored }) => ({
        id: stored.id,
        name: stored.name,
        for: stored.for,
        rawsql: stored.rawsql,
        actions: stored.actions.map(({ id, name, params, secrets }) => ({
          id,
          name,
          params: shownParams(params, kinds.actions.get(name)?.params ?? null, secrets),
        })),
        enabled: stored.enabled,
        description: stored.description,
      })),
  };
}

interface Plan {
  resources: StoredResource[];
  rules: PlannedRule[];
  result: ImportResult;
}

/** What would be done. @throws RuleRefusal: it is no such file */
async function planImport(file: unknown, ports: TransferPorts): Promise<Plan> {
  const { version, resources = [], rules = [] } = (typeof file === "object" && file !== null ? file : {}) as Given;
  if (version !== 1) throw badArguments("this is no file of GET /rules_export: version must be 1");
  if (!Array.isArray(resources) || !Array.isArray(rules)) throw badArguments("resources and rules must be arrays");
  const counts = (): ImportCounts => ({ create: [], update: [], same: [] });
  const result: ImportResult = { applied: false, resources: counts(), rules: counts(), secrets: [], errors: [] };
  const plan: Plan = { resources: [], rules: [], result };
  const tell = (where: string, err: unknown): void => {
    if (result.errors.length < ERRORS_MAX) result.errors.push({ where, message: lineOf(err).replace(/^Bad Arguments: /, "") });
  };
  const turns = new Turns(ports);
  const types = ports.resources.types();
  for (const [i, given] of resources.entries()) {
    try {
      planResource(given as Given, `resources[${i + 1}]`, plan, ports);
    } catch (err) {
      tell(`resources[${i + 1}]`, err);
    }
    const { type, name } = (given ?? {}) as Given;
    if (typeof type === "string" && typeof name === "string") types.set(`${type}:${name}`, type);
    if (turns.over) await turns.rest();
  }
  const seen = new Set<string>();
  const owners = new Map<string, string>();
  for (const { stored } of ports.rules.all()) for (const { id } of stored.actions) owners.set(id, stored.id);
  for (const [i, given] of rules.entries()) {
    try {
      planRule(given as Given, `rules[${i + 1}]`, plan, ports, types, seen, owners);
    } catch (err) {
      tell(`rules[${i + 1}]`, err);
    }
    if (turns.over) await turns.rest();
  }
  return plan;
}

function planResource(given: Given, where: string, plan: Plan, { resources, kinds }: TransferPorts): void {
  const { type, name, config } = given ?? {};
  const id = `${wordOf(type)}:${wordOf(name)}`;
  const old = resources.get(id);
  const spec = typeof type === "string" ? kinds.resources.get(type)?.params : undefined;
  if (spec !== undefined && old === undefined) {
    const masks = maskedFields((config ?? {}) as Given, spec);
    for (const field of masks) plan.result.secrets.push({ where: `${where} ${id}`, field });
    if (masks.length > 0) return;
  }
  const stored = resources.plan(given ?? {});
  if (plan.resources.some((r) => r.id === stored.id)) throw badArguments(`${stored.id} is there twice`);
  const counts = plan.result.resources;
  if (old !== undefined && JSON.stringify(old.stored) === JSON.stringify(stored)) counts.same.push(stored.id);
  else {
    (old === undefined ? counts.create : counts.update).push(stored.id);
    plan.resources.push(stored);
  }
}

function planRule(
  given: Given,
  where: string,
  plan: Plan,
  ports: TransferPorts,
  types: ReadonlyMap<string, string>,
  seen: Set<string>,
  /** Of the ids of actions: the ids of their rules. */
  owners: Map<string, string>,
): void {
  const id = given?.id;
  if (typeof id !== "string" || id === "" || id.length > 300) throw badArguments("id is missing");
  if (seen.has(id)) throw badArguments(`${id} is there twice`);
  seen.add(id);
  const old = ports.rules.get(id) ?? null;
  for (const action of old === null && Array.isArray(given.actions) ? (given.actions as unknown[]) : []) {
    const { name, params } = (action ?? {}) as Given;
    const spec = ports.kinds.actions.get(wordOf(name))?.params;
    if (spec === undefined) continue;
    for (const field of maskedFields((params ?? {}) as Given, spec)) plan.result.secrets.push({ where: `${where} ${id}`, field });
  }
  if (plan.result.secrets.some((s) => s.where === `${where} ${id}`)) return;
  const planned = ports.rules.plan(given, old, types, { id, isOthers: (action) => (owners.get(action) ?? id) !== id });
  for (const action of planned.stored.actions) owners.set(action.id, id);
  const counts = plan.result.rules;
  if (old !== null && isSame(old, planned)) counts.same.push(id);
  else {
    (old === null ? counts.create : counts.update).push(id);
    plan.rules.push(planned);
  }
}

/** Nothing but a `for` that says what FROM says anyway. One that is paused is not: brought in again it goes on, as when it is saved. */
function isSame(old: Rule, { stored, compiled }: PlannedRule): boolean {
  if (old.paused || JSON.stringify({ ...old.stored, for: null }) !== JSON.stringify({ ...stored, for: null })) return false;
  return old.stored.for === stored.for || (typeof compiled !== "string" && sameSources(old.sources, compiled.sources));
}

/** @throws RuleRefusal: nothing has changed then */
export async function importRules(file: unknown, dryRun: boolean, ports: TransferPorts): Promise<ImportResult> {
  const plan = await planImport(file, ports);
  const { result } = plan;
  if (dryRun || result.errors.length > 0 || result.secrets.length > 0) return result;
  const { resources, rules } = ports;
  const changed: Changed[] = [];
  const turns = new Turns(ports);
  try {
    for (const stored of plan.resources) {
      if (turns.over) await turns.rest();
      changed.push(await resources.change(stored));
    }
    // In the turn in which the rules are stored.
    await rules.put(plan.rules, () => {
      for (const { store } of changed) store();
    });
  } catch (err) {
    // One that cannot be taken back shall not keep the others from it.
    for (const { undo } of changed.reverse())
      await undo().catch((why: unknown) => ports.log.error("an import cannot be taken back", { error: lineOf(why) }));
    throw err;
  }
  return { ...result, applied: true };
}
