/** The rule engine's rules, actions and resources. Refusals have the codes and words of EMQ X 3.1: 400 and 404 in the body. */
import type { ResourceFigures, RuleEngineService, RuleHead } from "../plugins/rules.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import { FILTERS } from "./filters.ts";
import { chosenLetters } from "./letters.ts";
import { fromIterable, type Listed, listOf, listQuery, type Query, type Table } from "./query.ts";
import { notRunning } from "./refusals.ts";
import type {
  ActionKindRow,
  CaptureRow,
  DeadLetter,
  ImportResult,
  InspectedRow,
  ResourceRow,
  ResourceStatusRow,
  ResourceTypeRow,
  RuleErrorRow,
  RuleEventRow,
  RuleFunctionRow,
  RuleRow,
  RulesFile,
  RuleTestResult,
} from "./rule_rows.ts";
import { restBetween, Slices } from "./slices.ts";

type Given = Readonly<Record<string, unknown>>;
type RuleFields = RuleRow & { any: string };
type Step = Awaited<ReturnType<RuleEngineService["testResource"]>>[number];

/** Rules, and resources, whose figures are given to whoever gathers metrics: a series for each would be too much for them. */
const SERIES_MAX = 500;

function firstOf<T>(all: Iterable<T>): T[] {
  const found: T[] = [];
  for (const one of all) {
    if (found.length >= SERIES_MAX) break;
    found.push(one);
  }
  return found;
}

const notThere = (): AdminError => new AdminError(CODE.NOT_FOUND, "Not Found");
const noResource = (id: string): AdminError => new AdminError(CODE.BAD_ARGUMENTS, `Resource ${id} Not Found`);

/** By name: importing the class would pull the plugin into whoever uses this layer. */
function refusal(err: unknown): unknown {
  if (!(err instanceof Error) || err.name !== "RuleRefusal") return err;
  return new AdminError((err as { code?: number }).code === CODE.NOT_FOUND ? CODE.NOT_FOUND : CODE.BAD_ARGUMENTS, err.message);
}

/** Of the oldest rules and resources, and of the line before the rules. */
export interface RuleFigures {
  rules: RuleRow[];
  resources: ResourceFigures[];
  line: ReturnType<RuleEngineService["line"]>;
}

/** What rules are looked for and sorted by. */
const table: Table<RuleHead, RuleFields> = {
  fields: {
    id: (r) => r.id,
    name: (r) => r.name,
    for: (r) => r.for,
    rawsql: (r) => r.rawsql,
    actions: (r) => r.row().actions,
    enabled: (r) => r.enabled,
    description: (r) => r.description,
    state: (r) => r.state,
    condition: (r) => r.condition,
    reason: (r) => r.reason,
    events: (r) => r.events,
    topics: (r) => r.topics,
    created_at_ms: (r) => r.created_at_ms,
    metrics: (r) => r.row().metrics,
    warnings: (r) => r.row().warnings,
    any: (r) => [r.id, r.name, ...r.topics, ...r.events, r.rawsql, r.description, ...r.kinds].join("\n"),
  },
  ...FILTERS.rules,
};
const { exact, like } = FILTERS.rules;
const LIST_WORDS: ReadonlySet<string> = new Set(["_page", "_limit", "_sort", ...exact, ...like.map((name) => `_like_${name}`)]);

/** EMQ X 3.1 answers with all of them, whatever else stands in the query (`_=123`). */
export const isRulePage = (query: Query): boolean => Object.keys(query).some((name) => LIST_WORDS.has(name));

export function createRules({ broker, plugins }: AdminDeps, limits: { maxRows: number }) {
  function engine(): RuleEngineService {
    const service = plugins.service("emqx_rule_engine");
    if (service === undefined) throw notRunning("emqx_rule_engine");
    return service;
  }

  /** What the engine refuses, in the words of the API. What it has published goes out. */
  async function asked<T>(what: (service: RuleEngineService) => T | Promise<T>): Promise<T> {
    const service = engine();
    try {
      return await what(service);
    } catch (err) {
      throw refusal(err);
    } finally {
      broker.flush();
    }
  }

  const there = <T>(found: T | undefined): T => {
    if (found === undefined) throw notThere();
    return found;
  };

  /** What an action keeps. @throws AdminError 400: it keeps none, or does not run, 404: there is no such action */
  const kept = <T>(ask: (service: RuleEngineService) => T | null | undefined): T => {
    const service = engine();
    let found: T | null | undefined;
    try {
      found = ask(service);
    } catch (err) {
      throw refusal(err);
    }
    if (found === null) throw new AdminError(CODE.BAD_ARGUMENTS, "Bad Arguments: this action keeps nothing that could not be delivered");
    return there(found);
  };

  return {
    /** In order of making. */
    async list(): Promise<RuleRow[]> {
      const slices = new Slices(() => broker.clock.mono());
      const rows: RuleRow[] = [];
      for (const row of engine().rules()) {
        rows.push(row);
        if (slices.due()) await restBetween(broker, slices);
      }
      return rows;
    },
    /** A page of those that the query is for. @throws AdminError 108 */
    page(query: Query): Promise<Listed<RuleRow>> {
      const { heads, ruleCount } = engine();
      const asked = listQuery(query, table, limits.maxRows);
      return listOf(
        (head) => head.row(),
        fromIterable(heads),
        ruleCount(),
        asked,
        () => broker.clock.mono(),
      );
    },
    /** @throws AdminError 404 */
    show: (id: string): RuleRow => there(engine().rule(id)),
    /** @throws AdminError 400 */
    create: (given: Given): Promise<RuleRow> => asked((e) => e.createRule(given)),
    /** @throws AdminError 400, 404 */
    update: (id: string, given: Given): Promise<RuleRow> => asked((e) => e.updateRule(id, given)),
    remove: (id: string): Promise<void> => asked((e) => e.removeRule(id)),
    /** @throws AdminError 404 */
    enable: (id: string, enabled: boolean): Promise<RuleRow> => asked((e) => e.enableRule(id, enabled)),
    /** @throws AdminError 404 */
    resetMetrics(id: string): void {
      if (!engine().resetMetrics(id)) throw notThere();
    },
    /** @throws AdminError 404 */
    errors: (id: string): RuleErrorRow[] => there(engine().errors(id)),
    /** @throws AdminError 404 */
    inspected: (id: string): InspectedRow[] => there(engine().inspected(id)),
    /** @throws AdminError 400, 404 */
    deadLetters: (rule: string, action: string): DeadLetter[] => kept((e) => e.deadLetters(rule, action)),
    /** Returns how many: no more than the queue has room for. @throws AdminError 108, 400, 404 */
    resendDeadLetters: (rule: string, action: string, given: Given): number => {
      const ids = chosenLetters(given, false);
      return kept((e) => e.resendDeadLetters(rule, action, ids));
    },
    /** Returns how many. @throws AdminError 108, 400, 404 */
    removeDeadLetters: (rule: string, action: string, given: Given): number => {
      const ids = chosenLetters(given, true);
      return kept((e) => e.removeDeadLetters(rule, action, ids));
    },
    /** Of an event or a class of events. @throws AdminError 400 */
    actions: (hook?: string): Promise<ActionKindRow[]> => asked((e) => e.actionKinds(hook)),
    /** @throws AdminError 404 */
    action: (name: string): ActionKindRow =>
      there(
        engine()
          .actionKinds()
          .find((kind) => kind.name === name),
      ),
    actionsOfType: (type: string): ActionKindRow[] =>
      engine()
        .actionKinds()
        .filter((kind) => kind.types.includes(type)),
    resources: (): ResourceRow[] => engine().resources(),
    resourcesOfType: (type: string): ResourceRow[] =>
      engine()
        .resources()
        .filter((r) => r.type === type),
    /** @throws AdminError 404 */
    resource: (id: string): ResourceRow => there(engine().resource(id)),
    /** @throws AdminError 400, as in 3.2 */
    resourceStatus(id: string): ResourceStatusRow {
      const status = engine().resourceStatus(id);
      if (status === undefined) throw noResource(id);
      return status;
    },
    /** @throws AdminError 400 */
    createResource: (given: Given): Promise<ResourceRow> => asked((e) => e.createResource(given)),
    testResource: (given: Given): Promise<Step[]> => asked((e) => e.testResource(given)),
    restartResource: (id: string): Promise<void> => asked((e) => e.restartResource(id)),
    removeResource: (id: string): Promise<void> => asked((e) => e.removeResource(id)),
    resourceTypes: (): ResourceTypeRow[] => engine().resourceTypes(),
    /** @throws AdminError 404 */
    resourceType: (name: string): ResourceTypeRow =>
      there(
        engine()
          .resourceTypes()
          .find((type) => type.name === name),
      ),
    events: (): RuleEventRow[] => engine().events(),
    functions: (): readonly RuleFunctionRow[] => engine().functions(),
    /** @throws AdminError 400: what is asked cannot be understood */
    test: (given: Given): Promise<RuleTestResult> => asked((e) => e.test(given)),
    /** @throws AdminError 400 */
    startCapture: (given: Given): Promise<CaptureRow> => asked((e) => e.startCapture(given)),
    /** null = there was none. */
    capture: (): CaptureRow | null => engine().capture(),
    exported: (): RulesFile => engine().exported(),
    /** @throws AdminError 400: it is no such file, or cannot be applied; then nothing has changed */
    async imported(file: unknown, dryRun: boolean): Promise<ImportResult> {
      const result = await asked((e) => e.imported(file, dryRun));
      if (dryRun || result.applied) return result;
      const [error] = result.errors;
      const [secret] = result.secrets;
      const why =
        error !== undefined
          ? `${error.where}: ${error.message}`
          : `${secret?.where}: ${secret?.field} is masked and none is saved: type it`;
      const more = result.errors.length + result.secrets.length - 1;
      throw new AdminError(CODE.BAD_ARGUMENTS, `Bad Arguments: ${why}${more > 0 ? ` (and ${more} more)` : ""}; nothing was changed`);
    },
    /** For metrics. null = the rule engine does not run. */
    figures(): RuleFigures | null {
      const service = plugins.service("emqx_rule_engine");
      if (service === undefined) return null;
      return { rules: firstOf(service.rules()), resources: firstOf(service.resourceFigures()), line: service.line() };
    },
  };
}
