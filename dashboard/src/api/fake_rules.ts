/** The made-up broker's rule engine: rules and resources that can be made, changed and tried; of SQL as much as a form shows. */
import { missingParams, RESOURCE, SECRET_MASK } from "../lib/params.ts";
import { type FormCondition, type FormField, readSql } from "../lib/rule_form.ts";
import { sourcesOf, sqlClauses } from "../lib/sql_text.ts";
import { parsed } from "../lib/value_paths.ts";
import type {
  ActionRequest,
  CaptureRow,
  DeadLetter,
  ResourceRow,
  RuleActionRow,
  RuleErrorRow,
  RuleRow,
  RuleTestResult,
  SqlFault,
} from "./client.ts";
import { letterRoutes } from "./fake_letters.ts";
import { data, fail, type On, ok, paged, remove, text } from "./fake_reply.ts";
import { ACTION_KINDS, RESOURCE_TYPES, RULE_EVENTS, RULE_FUNCTIONS } from "./fake_rule_kinds.ts";
import { NODE, point, type State } from "./fake_state.ts";

type Fields = Record<string, unknown>;

const NOT_THERE = fail(404, "Not Found");

export function rules(s: State, on: On): void {
  const all: RuleRow[] = [];
  const resources: ResourceRow[] = [];
  const letters = new Map<string, DeadLetter[]>();
  const errors = new Map<string, RuleErrorRow[]>();
  let capture: CaptureRow | null = null;
  let ids = 0;

  const actionRow = ({ id, name, params }: ActionRequest, old?: RuleRow): RuleActionRow => {
    const own = id ?? `${name}_${++ids}`;
    const kept = letters.get(own)?.length ?? (params[RESOURCE] === undefined ? null : 0);
    const none = {
      taken: 0,
      success: 0,
      failed: 0,
      dropped: 0,
      waiting: 0,
      waiting_bytes: 0,
      ...PACE,
      last_error: null,
      last_error_at_ms: null,
    };
    const metrics = old?.actions.find((a) => a.id === own)?.metrics ?? { ...none, dead_letters: kept };
    return { id: own, name, params, state: "running", reason: null, metrics };
  };
  const ruleRow = (b: Fields, old?: RuleRow): RuleRow | string => {
    const rawsql = text(b.rawsql ?? old?.rawsql);
    const fault = faultOf(rawsql);
    if (fault !== null) return `Bad Arguments: ${fault.message}`;
    const actions = (b.actions ?? old?.actions ?? []) as ActionRequest[];
    for (const [i, a] of actions.entries()) {
      const [missing] = missingParams(a.params, ACTION_KINDS.find((k) => k.name === a.name)?.params ?? {});
      if (missing !== undefined) return `Bad Arguments: actions[${i + 1}]: ${missing} is missing`;
    }
    const name = text(b.name ?? old?.name);
    const enabled = (b.enabled ?? old?.enabled ?? true) as boolean;
    const sources = sourcesOf(rawsql) ?? [];
    const events = RULE_EVENTS.filter((e) => sources.includes(e.topic) && e.topic.startsWith("$")).map((e) => e.event);
    return {
      id: old?.id ?? `${name}:${++ids}`,
      name,
      for: events[0] ?? "message.publish",
      rawsql,
      actions: actions.map((a) => actionRow(a, old)),
      enabled,
      description: text(b.description ?? old?.description),
      state: enabled ? "running" : "disabled",
      condition: enabled ? "running" : "disabled",
      reason: null,
      events: events.length > 0 ? events : ["message.publish"],
      topics: sources.filter((t) => !t.startsWith("$events/")),
      created_at_ms: old?.created_at_ms ?? s.now(),
      metrics: old?.metrics ?? zero(),
    };
  };

  /** With figures that go on while it is looked at. */
  const live = (r: RuleRow): RuleRow => {
    const failed = r.metrics.failed + r.metrics.actions_failed + r.metrics.actions_dropped > 0;
    return { ...growing(r), condition: r.state === "running" && failed ? "failing" : r.state };
  };
  const growing = (r: RuleRow): RuleRow => {
    if (!r.enabled || r.metrics.matched === 0) return r;
    const rate = Math.round(point(s, s.now()).received / 60);
    const more = Math.round(((s.now() - s.start) / 1000) * rate);
    const metrics = { ...r.metrics, rate, matched: r.metrics.matched + more, passed: r.metrics.passed + Math.round(more / 4) };
    const actions = r.actions.map((a) => ({ ...a, metrics: { ...a.metrics, success: a.metrics.success + Math.round(more / 4) } }));
    return { ...r, metrics, actions };
  };
  const find = (id: string | undefined): RuleRow | undefined => all.find((r) => r.id === id);
  const change = (id: string | undefined, b: Fields): unknown => {
    const old = find(id);
    if (!old) return NOT_THERE;
    const made = ruleRow(b, old);
    if (typeof made === "string") return fail(400, made);
    all[all.indexOf(old)] = made;
    return data(made);
  };
  const usedBy = (id: string): string[] => all.filter((r) => r.actions.some((a) => a.params[RESOURCE] === id)).map((r) => r.name);
  const resourceRow = (b: Fields): ResourceRow | string => {
    const type = RESOURCE_TYPES.find((k) => k.name === b.type);
    if (!type) return `Resource Type ${text(b.type)} Not Found`;
    const id = `${type.name}:${text(b.name)}`;
    const config = { ...(b.config as Fields) };
    const [missing] = missingParams(config, type.params);
    if (missing !== undefined) return `Bad Arguments: ${missing} is missing`;
    for (const [name, spec] of Object.entries(type.params)) if (spec.secret && config[name]) config[name] = SECRET_MASK;
    const status = [{ node: NODE, is_alive: true }];
    return {
      id,
      name: text(b.name),
      type: type.name,
      config,
      attrs: "undefined",
      description: text(b.description),
      status,
      reason: null,
      used_by: [],
    };
  };

  begin();

  function begin(): void {
    const warehouse = resourceRow({
      type: "pgsql",
      name: "warehouse",
      config: { server: "127.0.0.1:5432", database: "iot", user: "iot", password: "x" },
    });
    if (typeof warehouse !== "string") resources.push(warehouse);
    const hot = ruleRow({
      name: "temperature above 30",
      rawsql: `SELECT clientid, topic, payload.value AS temperature\nFROM "plant-1/#", "plant-2/#"\nWHERE payload.value > 30`,
      actions: [
        {
          id: "data_to_pgsql_1",
          name: "data_to_pgsql",
          params: {
            [RESOURCE]: "pgsql:warehouse",
            sql: "INSERT INTO readings (clientid, temperature) VALUES ($" + "{clientid}, $" + "{temperature})",
          },
        },
      ],
    });
    if (typeof hot === "string") return;
    letters.set("data_to_pgsql_1", [
      {
        id: 1,
        at_ms: s.start - 40_000,
        why: 'relation "readings" does not exist',
        tries: 1,
        bytes: 61,
        body: '{"clientid": "<b>s1</b>", "temperature": 31.5}',
      },
    ]);
    errors.set(hot.id, [
      {
        at_ms: s.start - 30_000,
        where: "sql",
        error: "payload is no JSON",
        event: "message.publish",
        client_id: "<img src=x onerror=alert(1)>",
        topic: "plant-1/line-a/state",
        payload: "{oops",
      },
    ]);
    Object.assign(hot.metrics, { matched: 4200, passed: 1010, no_result: 3189, failed: 1, actions_success: 1009, actions_failed: 1 });
    Object.assign(hot.metrics, { p95_ms: 0.02, last_error: "payload is no JSON", last_error_at_ms: s.start - 30_000 });
    const first = { taken: 1022, success: 1009, failed: 1, waiting: 12, waiting_bytes: 2304, dead_letters: 1 };
    Object.assign(hot.actions[0]?.metrics ?? {}, first, { rate: 3, rate_5m: 2.8, rate_max: 41, p95_ms: 18.4 });
    all.push(hot);
  }

  on("GET", "/rules", "All rules", ({ query }) => {
    const found = all
      .map(live)
      .map((r) => ({ ...r, any: [r.id, r.name, r.rawsql, r.description, ...r.actions.map((a) => a.name)].join("\n") }));
    return paged(found, query);
  });
  on("POST", "/rules", "Create a rule", ({ body }) => {
    const made = ruleRow(body);
    if (typeof made === "string") return fail(400, made);
    all.push(made);
    return data(made);
  });
  on("GET", "/rules/functions", "Functions of the SQL", () => data(RULE_FUNCTIONS));
  on("GET", "/rules/capture", "What was taken", () => data(capture));
  on("POST", "/rules/capture", "Take real messages", ({ body }) => {
    const columns = {
      ...RULE_EVENTS[0]?.test_columns,
      topic: "plant-1/line-a/temperature",
      payload: '{"value": 31.2}',
      clientid: "plant-1-7",
    };
    const samples = [{ at_ms: s.now(), event: "message.publish", columns }];
    capture = { topic: text(body.topic), running: false, started_at_ms: s.now(), until_ms: s.now() + 30_000, seen: 1, samples };
    return data({ ...capture, running: true, samples: [] });
  });
  on("POST", "/rules/test", "Try SQL", ({ body }) =>
    data(tried(text(body.rawsql), body.sample as Fields, (body.actions ?? []) as ActionRequest[])),
  );
  on("GET", "/rules/:id", "A rule", ({ params }) => {
    const found = find(params.id);
    return found ? data(live(found)) : NOT_THERE;
  });
  on("PUT", "/rules/:id", "Update a rule", ({ params, body }) => change(params.id, body));
  on("PUT", "/rules/:id/enable", "Enable a rule", ({ params }) => change(params.id, { enabled: true }));
  on("PUT", "/rules/:id/disable", "Disable a rule", ({ params }) => change(params.id, { enabled: false }));
  on("PUT", "/rules/:id/reset_metrics", "Figures back to 0", ({ params }) => {
    const found = find(params.id);
    if (found) found.metrics = zero();
    return ok;
  });
  on("DELETE", "/rules/:id", "Delete a rule", ({ params }) => {
    remove(all, (r) => r.id === params.id);
    return ok;
  });
  on("GET", "/rules/:id/errors", "The last errors", ({ params }) => data(errors.get(params.id ?? "") ?? []));
  on("GET", "/rules/:id/inspected", "Inspected rows", () => data([]));
  letterRoutes(
    on,
    "/rules/:id/actions/:action/dead_letters",
    ({ action = "" }) => letters.get(action) ?? [],
    ({ action = "" }) => {
      for (const rule of all) for (const a of rule.actions) if (a.id === action) a.metrics.dead_letters = letters.get(action)?.length ?? 0;
    },
  );
  on("GET", "/rules_export", "All rules and resources", () =>
    data({
      version: 1,
      node: NODE,
      exported_at_ms: s.now(),
      resources: resources.map(({ id, name, type, config, description }) => ({ id, name, type, config, description })),
      rules: all.map((r) => ({
        id: r.id,
        name: r.name,
        for: r.for,
        rawsql: r.rawsql,
        actions: r.actions,
        enabled: r.enabled,
        description: r.description,
      })),
    }),
  );
  on("POST", "/rules_import", "Take over rules and resources", ({ body, query }) => {
    if (body.version !== 1) return fail(400, "Bad Arguments: this is no file of GET /rules_export: version must be 1");
    const given = (body.rules ?? []) as RuleRow[];
    const dry = query.dry_run === "true";
    const counts = {
      create: given.filter((r) => !find(r.id)).map((r) => r.id),
      update: given.filter((r) => find(r.id) && find(r.id)?.rawsql !== r.rawsql).map((r) => r.id),
      same: given.filter((r) => find(r.id)?.rawsql === r.rawsql).map((r) => r.id),
    };
    const store = (body.resources ?? []) as ResourceRow[];
    const isMasked = (r: ResourceRow): boolean => !resources.some((o) => o.id === r.id) && r.config.password === SECRET_MASK;
    const secrets = store.flatMap((r, i) => (isMasked(r) ? [{ where: `resources[${i + 1}] ${r.id}`, field: "password" }] : []));
    const none = { create: [], update: [], same: store.map((r) => r.id) };
    if (!dry && secrets.length === 0)
      for (const r of given) {
        const made = ruleRow(r as unknown as Fields, find(r.id));
        if (typeof made === "string") return fail(400, made);
        remove(all, (o) => o.id === r.id);
        all.push({ ...made, id: r.id });
      }
    return data({ applied: !dry && secrets.length === 0, resources: none, rules: counts, secrets, errors: [] });
  });
  on("GET", "/rule_events", "Events", () => data(RULE_EVENTS));
  on("GET", "/actions", "Kinds of actions", () => data(ACTION_KINDS));
  on("GET", "/resource_types", "Kinds of resources", () => data(RESOURCE_TYPES));
  on("GET", "/resources", "All resources", () => data(resources.map((r) => ({ ...r, used_by: usedBy(r.id) }))));
  on("GET", "/resource_status/:id", "How a resource is", () => data({ is_alive: true, reason: null, servers: [] }));
  on("POST", "/resources/test", "Try a resource", ({ body }) => {
    const made = resourceRow(body);
    if (typeof made === "string") return fail(400, made);
    return data([{ step: "connect", verdict: "ok", why: "the server answers", ms: 3.2, asked: [] }]);
  });
  on("POST", "/resources/:id", "Connect anew", () => ok);
  on("POST", "/resources", "Create or replace a resource", ({ body }) => {
    const made = resourceRow(body);
    if (typeof made === "string") return fail(400, made);
    remove(resources, (r) => r.id === made.id);
    resources.push(made);
    return data(made);
  });
  on("DELETE", "/resources/:id", "Delete a resource", ({ params }) => {
    if (usedBy(params.id ?? "").length > 0) return fail(400, "Bad Arguments: the resource is used by a rule");
    remove(resources, (r) => r.id === params.id);
    return ok;
  });
}

const PACE = { rate: 0, rate_5m: 0, rate_max: 0, p95_ms: null };

const zero = (): RuleRow["metrics"] => ({
  matched: 0,
  passed: 0,
  no_result: 0,
  failed: 0,
  dropped: 0,
  actions_success: 0,
  actions_failed: 0,
  actions_dropped: 0,
  ...PACE,
  last_error: null,
  last_error_at_ms: null,
});

/** As much of the real check as a demonstration needs: the first word, and a FROM. */
function faultOf(sql: string): SqlFault | null {
  const first = /^\s*(\w*)/.exec(sql)?.[1] ?? "";
  const fault = { stage: "sql" as const, hint: null, line: 1 };
  if (!/^(?:select|foreach)$/i.test(first))
    return {
      ...fault,
      message: `line 1, column 1: expected SELECT, found ${first}`,
      column: 1,
      length: first.length,
      hint: "SELECT",
    };
  if (sqlClauses(sql) === null || sourcesOf(sql)?.some((source) => source === "") !== false)
    return {
      ...fault,
      message: "expected FROM and a topic",
      line: sql.split("\n").length,
      column: (sql.split("\n").at(-1)?.length ?? 0) + 1,
      length: 0,
    };
  return null;
}

function tried(sql: string, sample: Fields, actions: readonly ActionRequest[]): RuleTestResult {
  const none: RuleTestResult = { event: null, rows: null, columns: {}, fields: null, error: null, actions: [] };
  const error = faultOf(sql);
  if (error !== null) return { ...none, error };
  const form = readSql(sql);
  const columns: Fields = { ...sample };
  const begun: RuleTestResult = { ...none, event: "message.publish", columns, fields: fieldsOf(sql) };
  if (form === null || form.conditions === null) return { ...begun, rows: [] };
  const row: Fields = {};
  const value = (path: string): unknown =>
    at({ ...columns, ...(path.startsWith("payload.") ? { payload: parsed(columns.payload) } : {}) }, path);
  for (const { expr, as } of form.fields ?? Object.keys(columns).map((name) => ({ expr: name, as: "" })))
    row[nameOf({ expr, as })] = value(expr);
  const holds = form.conditions.map((c) => compared(c, row[c.left] ?? value(c.left)));
  const passes = holds.length === 0 || (form.join === "AND" ? holds.every(Boolean) : holds.some(Boolean));
  if (!passes) return { ...begun, rows: [] };
  const filled = (v: unknown): unknown =>
    typeof v === "string" ? v.replaceAll(/\$\{([^{}]*)\}/g, (_, name: string) => String(at(row, name) ?? "undefined")) : v;
  return {
    ...begun,
    rows: [row],
    actions: actions.map(({ name, params }) => {
      const [missing] = missingParams(params, ACTION_KINDS.find((k) => k.name === name)?.params ?? {});
      if (missing !== undefined) return { name, rendered: [], error: `${missing} is missing` };
      return { name, rendered: [Object.fromEntries(Object.entries(params).map(([k, v]) => [k, filled(v)]))], error: null };
    }),
  };
}

const nameOf = ({ expr, as }: FormField): string => as || (expr.split(".").at(-1) ?? expr);

function fieldsOf(sql: string): string[][] {
  const event = RULE_EVENTS.find((e) => sourcesOf(sql)?.includes(e.topic)) ?? RULE_EVENTS[0];
  return (readSql(sql)?.fields?.map(nameOf) ?? event?.columns ?? []).map((name) => [name]);
}

const at = (from: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((v, name) => (typeof v === "object" && v !== null ? (v as Fields)[name] : undefined), from);

function compared({ op, right }: FormCondition, left: unknown): boolean {
  const [a, b] = [Number(left), Number(right)];
  const isText = Number.isNaN(a) || Number.isNaN(b);
  switch (op) {
    case "=":
      return String(left) === right;
    case "<>":
      return String(left) !== right;
    case ">":
      return !isText && a > b;
    case ">=":
      return !isText && a >= b;
    case "<":
      return !isText && a < b;
    case "<=":
      return !isText && a <= b;
    default:
      return typeof left === "string";
  }
}
