/** What the admin layer sees of the engine: rows, and one change after the other. */
import { WorkQueue } from "../../lib/work_queue.ts";
import { together } from "../_backend/together.ts";
import type { ActionKind, DeadLetters, ResourceHost, TestStep } from "../plugin.ts";
import type { ActionKindRow, ResourceRow, ResourceStatusRow, ResourceTypeRow, RuleEngineService, RuleHead, RuleRow } from "../rules.ts";
import type { Engine } from "./engine.ts";
import { actionIsFor, EVENTS, PUBLISH } from "./events.ts";
import { checkParams, shownParams, unmasked, wordOf } from "./params.ts";
import { testRule } from "./playground.ts";
import { badArguments, noHook, noResourceType, notThere, refusalOf } from "./refusal.ts";
import type { ResourceSlot } from "./resource_slot.ts";
import type { Rule } from "./rule.ts";
import type { ActionSlot } from "./slots.ts";
import { FUNCTIONS } from "./sql/index.ts";
import { exportRules, importRules } from "./transfer.ts";

/** Changes that may wait for those before them. */
const CHANGES_MAX = 1000;

/** The resource that an action of that kind needs, as EMQ X 3.1 describes it to whoever makes a form of it. */
const RESOURCE_PARAM = {
  $resource: { type: "string", required: true, title: "Resource ID", description: "Bind a resource to this action" },
} as const;

export function ruleEngineService(engine: Engine): RuleEngineService {
  const { rules, resources, ctx } = engine;
  const { kinds, broker, clock } = ctx;
  const changes = new WorkQueue(1, CHANGES_MAX);
  const node = broker.nodeName;
  const now = (): number => clock.now();
  const transfer = {
    rules,
    resources,
    kinds,
    node,
    log: ctx.log,
    now,
    mono: () => clock.mono(),
    soon: (fn: () => void) => broker.soon(fn),
  };
  const row = (rule: Rule): RuleRow => ruleRow(rule);

  function ruleOf(id: string): Rule {
    const rule = rules.get(id);
    if (rule === undefined) throw notThere();
    return rule;
  }

  async function put(plan: Parameters<typeof rules.put>[0][number]): Promise<RuleRow> {
    const [rule] = await rules.put([plan]);
    return row(rule as Rule);
  }

  const namesOf = (users: readonly Rule[] = []): string[] => users.map((rule) => rule.stored.name);
  const usedRow = (slot: ResourceSlot): ResourceRow => resourceRow(slot, namesOf(rules.using(slot.stored.id)), node);

  const letters = (rule: string, action: string): DeadLetters | null | undefined => {
    const slot = rules.get(rule)?.slots.find((s) => s.stored.id === action);
    // Of what it keeps nobody knows anything.
    if (slot?.action === null) throw badArguments(`action ${action} does not run: ${slot.reason}`);
    return slot === undefined ? undefined : (slot.action.deadLetters ?? null);
  };

  return {
    *rules() {
      for (const rule of rules.all()) yield row(rule);
    },
    *heads() {
      for (const rule of rules.all()) yield headOf(rule);
    },
    ruleCount: () => rules.size,
    rule(id) {
      const rule = rules.get(id);
      return rule && row(rule);
    },
    createRule: (given) => changes.run(() => put(rules.plan(given, null, resources.types()))),
    updateRule: (id, given) => changes.run(() => put(rules.plan(given, ruleOf(id), resources.types()))),
    removeRule: (id) => changes.run(() => rules.remove(id)),
    enableRule: (id, enabled) =>
      changes.run(async () => {
        const rule = ruleOf(id);
        const plan = rules.planEnabled(rule, enabled);
        return rule.stored.enabled === enabled && !rule.paused ? row(rule) : put(plan);
      }),
    resetMetrics(id) {
      const rule = rules.get(id);
      rule?.resetMetrics();
      return rule !== undefined;
    },
    errors: (id) => (rules.get(id) === undefined ? undefined : engine.errors.of(id)),
    inspected: (id) => (rules.get(id) === undefined ? undefined : engine.inspected.of(id)),
    deadLetters: (rule, action) => {
      const found = letters(rule, action);
      return found == null ? found : found.list();
    },
    resendDeadLetters: (rule, action, ids) => letters(rule, action)?.resend(ids) ?? (letters(rule, action) === null ? null : undefined),
    removeDeadLetters: (rule, action, ids) => letters(rule, action)?.remove(ids) ?? (letters(rule, action) === null ? null : undefined),
    actionKinds(hook) {
      const all = [...kinds.actions.values()];
      if (hook === undefined) return all.map(actionRow);
      if (actionIsFor("$any", hook) === null) throw noHook(hook);
      return all.filter((kind) => actionIsFor(kind.for, hook) === true).map(actionRow);
    },
    resources() {
      const users = rules.users();
      return [
        ...[...resources.all()].map((slot) => resourceRow(slot, namesOf(users.get(slot.stored.id)), node)),
        ...[...resources.broken.values()].map(({ id, why }) => brokenResource(id, why, node)),
      ];
    },
    resource(id) {
      const slot = resources.get(id);
      const broken = resources.broken.get(id);
      return slot ? usedRow(slot) : broken && brokenResource(id, broken.why, node);
    },
    resourceStatus: (id) => {
      const slot = resources.get(id);
      return slot && statusOf(slot);
    },
    *resourceFigures() {
      for (const slot of resources.all()) {
        const { is_alive: alive, servers } = statusOf(slot);
        yield { id: slot.stored.id, type: slot.stored.type, alive, server: together(servers) };
      }
    },
    createResource: (given) => changes.run(async () => usedRow(await resources.put(resources.plan(given)))),
    testResource: (given) => testResource(given, engine),
    restartResource: (id) => changes.run(() => resources.restart(id)),
    removeResource: (id) => changes.run(() => resources.remove(id)),
    resourceTypes: () =>
      [...kinds.resources.values()].map(
        ({ name, app, params, title, description }): ResourceTypeRow => ({ name, provider: app, params, title, description }),
      ),
    events: () =>
      EVENTS.map((event) => ({
        event: event.name,
        topic: event === PUBLISH ? "t/#" : `$events/${event.topic}`,
        title: { en: event.title },
        description: { en: event.description },
        columns: [...event.columns],
        test_columns: event.sample,
        sql_example:
          event === PUBLISH ? `SELECT payload.msg AS msg FROM "t/#" WHERE msg = 'hello'` : `SELECT * FROM "$events/${event.topic}"`,
      })),
    functions: () => FUNCTIONS,
    test: (given) => testRule(given, { kinds, node, now, mono: () => clock.mono(), soon: (fn) => broker.soon(fn) }),
    startCapture: (given) => engine.captures.start(given),
    capture: () => engine.captures.row(),
    exported: () => exportRules(transfer),
    imported: (file, dryRun) => changes.run(() => importRules(file, dryRun, transfer)),
    line: () => ({ waiting: engine.line.size, bytes: engine.line.bytes, dropped: engine.dropped }),
  };
}

const actionRow = ({
  name,
  app,
  for: hooks,
  type,
  orTypes = [],
  params,
  title,
  description,
}: ActionKind & { readonly app: string }): ActionKindRow => ({
  name,
  app,
  for: hooks,
  type,
  types: [type, ...orTypes],
  params: type === "built_in" || "$resource" in params ? params : { ...RESOURCE_PARAM, ...params },
  title,
  description,
});

const forOf = ({ stored, sources }: Rule): string => sources.events[0]?.name ?? stored.for ?? "";

function ruleRow(rule: Rule): RuleRow {
  const { stored, sources, slots, warnings } = rule;
  return {
    id: stored.id,
    name: stored.name,
    for: rule.for,
    rawsql: stored.rawsql,
    actions: slots.map(actionOf),
    enabled: stored.enabled,
    description: stored.description,
    state: rule.state,
    condition: rule.condition,
    reason: rule.reason,
    events: sources.events.map((event) => event.name),
    topics: [...sources.filters],
    created_at_ms: stored.created,
    metrics: rule.metrics(),
    ...(warnings.length > 0 && { warnings: [...warnings] }),
  };
}

function headOf(rule: Rule): RuleHead {
  const { stored, sources } = rule;
  return {
    id: stored.id,
    name: stored.name,
    for: forOf(rule),
    rawsql: stored.rawsql,
    enabled: stored.enabled,
    description: stored.description,
    get state() {
      return rule.state;
    },
    get condition() {
      return rule.condition;
    },
    get reason() {
      return rule.reason;
    },
    get events() {
      return sources.events.map((event) => event.name);
    },
    get topics() {
      return [...sources.filters];
    },
    created_at_ms: stored.created,
    get kinds() {
      return stored.actions.map((action) => action.name);
    },
    row: () => ruleRow(rule),
  };
}

function actionOf(slot: ActionSlot): RuleRow["actions"][number] {
  const { id, name, params, secrets } = slot.stored;
  return {
    id,
    name,
    params: shownParams(params, slot.kind?.params ?? null, secrets),
    state: slot.reason === null ? "running" : "broken",
    reason: slot.reason,
    metrics: slot.metrics(),
  };
}

/** `users`: names of the rules that use it. */
function resourceRow(slot: ResourceSlot, users: string[], node: string): ResourceRow {
  const { id, name, type, config, description, secrets } = slot.stored;
  return {
    id,
    name,
    type,
    config: shownParams(config, slot.kind?.params ?? null, secrets),
    attrs: "undefined",
    description,
    status: [{ node, is_alive: statusOf(slot).is_alive }],
    reason: slot.reason,
    used_by: users,
  };
}

function brokenResource(id: string, why: string, node: string): ResourceRow {
  const status = [{ node, is_alive: false }];
  return { id, name: id, type: "", config: {}, attrs: "undefined", description: "", status, reason: why, used_by: [] };
}

/** Alive: it is open, and not all of its servers are down. */
function statusOf(slot: ResourceSlot): ResourceStatusRow {
  const servers = slot.resource?.status() ?? [];
  const up = servers.length === 0 || servers.some((s) => s.state !== "down");
  return { is_alive: slot.resource !== null && up, reason: slot.reason, servers };
}

async function testResource(given: Readonly<Record<string, unknown>>, { ctx, resources }: Engine): Promise<TestStep[]> {
  const { type, name, config = {} } = given;
  const kind = typeof type === "string" ? ctx.kinds.resources.get(type) : undefined;
  if (kind === undefined) throw noResourceType(wordOf(type));
  if (typeof config !== "object" || config === null || Array.isArray(config)) throw badArguments("config must be an object");
  const saved = resources.get(`${kind.name}:${wordOf(name)}`)?.stored.config ?? null;
  const undo: (() => void)[] = [];
  const host: ResourceHost = {
    clock: ctx.clock,
    log: ctx.log,
    every: (ms, fn) => {
      const cancel = ctx.every(ms, fn);
      undo.push(cancel);
      return cancel;
    },
    alarm: () => {},
  };
  try {
    return await kind.test(checkParams(unmasked(config as Record<string, unknown>, saved, kind.params), kind.params), host);
  } catch (err) {
    throw refusalOf(err);
  } finally {
    for (const cancel of undo) cancel();
  }
}
