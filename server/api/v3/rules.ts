/** The rule engine: the routes of EMQ X 3.1 and 3.2, and what they lack. They are there while it runs. */
import { Type } from "@sinclair/typebox";
import { FILTERS } from "../../admin/filters.ts";
import { isRulePage } from "../../admin/rules.ts";
import { data, ok, page, whole } from "../reply.ts";
import { type AnyRoute, type RouteDef, route } from "../route.ts";
import * as R from "../rule_schemas.ts";
import * as S from "../schemas.ts";

const any = Type.Optional(Type.Unknown());
/** What is wrong with a field is said in the rule engine's own words. */
const ruleBody = Type.Object(
  { name: any, for: any, rawsql: any, actions: any, description: any, enabled: any },
  { additionalProperties: true },
);
const resourceBody = Type.Object({ name: any, type: any, config: any, description: any }, { additionalProperties: true });

const own = <Def extends Omit<RouteDef, "plugin">>(def: Def): AnyRoute =>
  route({ ...def, plugin: "emqx_rule_engine" } as unknown as RouteDef);
const id = (path: Readonly<Record<string, string>>): string => path.id ?? "";

const LETTERS = "/rules/:id/actions/:action/dead_letters";

const switches = (["enable", "disable"] as const).map((word) =>
  own({
    name: `${word}_rule`,
    method: "PUT",
    path: `/rules/:id/${word}`,
    keeps: word === "enable" ? "or refuse" : "or tell",
    descr: word === "enable" ? "Enable a rule" : "Disable a rule",
    data: R.rule,
    handle: async ({ admin, path }) => data(await admin.rules.enable(id(path), word === "enable")),
  }),
);

const rules: readonly AnyRoute[] = [
  own({
    name: "create_rule",
    method: "POST",
    path: "/rules/",
    keeps: "or refuse",
    descr: "Create a rule",
    body: ruleBody,
    data: R.rule,
    handle: async ({ admin, params }) => data(await admin.rules.create(params)),
  }),
  own({
    name: "list_rules",
    method: "GET",
    path: "/rules/",
    descr: "A list of all rules",
    query: S.filters(FILTERS.rules),
    data: S.list(R.rule),
    handle: async ({ admin, query }) => (isRulePage(query) ? page(await admin.rules.page(query)) : whole(await admin.rules.list())),
  }),
  own({
    name: "show_rule",
    method: "GET",
    path: "/rules/:id",
    descr: "Show a rule",
    data: R.rule,
    handle: ({ admin, path }) => data(admin.rules.show(id(path))),
  }),
  own({
    name: "update_rule",
    method: "PUT",
    path: "/rules/:id",
    keeps: "or refuse",
    descr: "Update a rule; what is not given stays",
    body: ruleBody,
    data: R.rule,
    handle: async ({ admin, path, params }) => data(await admin.rules.update(id(path), params)),
  }),
  own({
    name: "delete_rule",
    method: "DELETE",
    path: "/rules/:id",
    keeps: "or tell",
    descr: "Delete a rule",
    handle: async ({ admin, path }) => {
      await admin.rules.remove(id(path));
      return ok();
    },
  }),
  ...switches,
  own({
    name: "reset_rule_metrics",
    method: "PUT",
    path: "/rules/:id/reset_metrics",
    descr: "Set the figures of a rule and its actions back to 0",
    handle: ({ admin, path }) => {
      admin.rules.resetMetrics(id(path));
      return ok();
    },
  }),
  own({
    name: "list_rule_errors",
    method: "GET",
    path: "/rules/:id/errors",
    descr: "The last 50 errors of a rule, with what caused them",
    data: S.list(R.ruleError),
    handle: ({ admin, path }) => data(admin.rules.errors(id(path))),
  }),
  own({
    name: "list_rule_inspected",
    method: "GET",
    path: "/rules/:id/inspected",
    descr: "The last 100 rows that the inspect action of a rule has seen",
    data: S.list(R.inspected),
    handle: ({ admin, path }) => data(admin.rules.inspected(id(path))),
  }),
  own({
    name: "list_dead_letters",
    method: "GET",
    path: LETTERS,
    descr: "What an action of a rule could not deliver",
    data: S.list(R.deadLetter),
    handle: ({ admin, path }) => whole(admin.rules.deadLetters(id(path), path.action ?? "")),
  }),
  own({
    name: "resend_dead_letters",
    method: "POST",
    path: `${LETTERS}/resend`,
    descr: "Try to deliver it again, as much as there is room for in the queue",
    strict: true,
    body: R.resent,
    data: Type.Object({ resent: S.int }),
    handle: ({ admin, path, params }) => data({ resent: admin.rules.resendDeadLetters(id(path), path.action ?? "", params) }),
  }),
  own({
    name: "delete_dead_letters",
    method: "DELETE",
    path: LETTERS,
    descr: "Delete what an action could not deliver",
    strict: true,
    body: R.deleted,
    data: Type.Object({ deleted: S.int }),
    handle: ({ admin, path, params }) => data({ deleted: admin.rules.removeDeadLetters(id(path), path.action ?? "", params) }),
  }),
  own({
    name: "test_rule",
    method: "POST",
    path: "/rules/test",
    descr: "Try SQL on an example: rows, or the place of the mistake; no action is taken",
    body: Type.Object({ rawsql: any, sql: any, for: any, sample: any, context: any, actions: any }, { additionalProperties: true }),
    data: R.ruleTest,
    handle: async ({ admin, params }) => data(await admin.rules.test(params)),
  }),
  own({
    name: "list_rule_functions",
    method: "GET",
    path: "/rules/functions",
    descr: "Functions of the SQL, each with an example",
    data: S.list(R.ruleFunction),
    handle: ({ admin }) => data(admin.rules.functions()),
  }),
  own({
    name: "start_rule_capture",
    method: "POST",
    path: "/rules/capture",
    descr: "Take real messages or events of a topic for half a minute at most",
    body: Type.Object({ topic: any, seconds: any, limit: any }),
    data: R.capture,
    handle: async ({ admin, params }) => data(await admin.rules.startCapture(params)),
  }),
  own({
    name: "show_rule_capture",
    method: "GET",
    path: "/rules/capture",
    descr: "What was taken",
    data: Type.Union([Type.Null(), R.capture]),
    handle: ({ admin }) => data(admin.rules.capture()),
  }),
  own({
    name: "export_rules",
    method: "GET",
    path: "/rules_export",
    descr: "All rules and resources, without secrets",
    data: R.rulesFile,
    handle: ({ admin }) => data(admin.rules.exported()),
  }),
  own({
    name: "import_rules",
    method: "POST",
    path: "/rules_import",
    keeps: "or refuse",
    descr: "Take over rules and resources, all of them or none; dry_run only says what would change",
    query: Type.Object({ dry_run: Type.Optional(S.text) }),
    body: Type.Object({ version: any, resources: any, rules: any }, { additionalProperties: true }),
    data: R.importResult,
    handle: async ({ admin, json, query }) => data(await admin.rules.imported(json, isYes(query.dry_run))),
  }),
  own({
    name: "list_rule_events",
    method: "GET",
    path: "/rule_events/",
    descr: "Events that rules can look at, with their columns",
    data: S.list(R.ruleEvent),
    handle: ({ admin }) => data(admin.rules.events()),
  }),
];

/** `?dry_run` alone means yes. */
const isYes = (word: string | undefined): boolean => word !== undefined && word !== "false" && word !== "0";

const actions: readonly AnyRoute[] = [
  own({
    name: "list_actions",
    method: "GET",
    path: "/actions/",
    descr: "A list of all actions",
    query: Type.Object({ for: Type.Optional(Type.String({ description: "An event, or $messages, $events, $any" })) }),
    data: S.list(R.actionKind),
    handle: async ({ admin, query }) => data(await admin.rules.actions(query.for)),
  }),
  own({
    name: "show_action",
    method: "GET",
    path: "/actions/:name",
    descr: "Show an action",
    data: R.actionKind,
    handle: ({ admin, path }) => data(admin.rules.action(path.name ?? "")),
  }),
];

const resources: readonly AnyRoute[] = [
  own({
    name: "list_resources",
    method: "GET",
    path: "/resources/",
    descr: "A list of all resources",
    data: S.list(R.resource),
    handle: ({ admin }) => whole(admin.rules.resources()),
  }),
  own({
    name: "create_resource",
    method: "POST",
    path: "/resources/",
    keeps: "or refuse",
    descr: "Create a resource",
    body: resourceBody,
    data: R.resource,
    handle: async ({ admin, params }) => data(await admin.rules.createResource(params)),
  }),
  own({
    name: "test_resource",
    method: "POST",
    path: "/resources/test",
    descr: "Try a resource that is not saved, step by step",
    body: resourceBody,
    data: S.list(S.pluginTestStep),
    handle: async ({ admin, params }) => data(await admin.rules.testResource(params)),
  }),
  own({
    name: "show_resource",
    method: "GET",
    path: "/resources/:id",
    descr: "Show a resource",
    data: R.resource,
    handle: ({ admin, path }) => data(admin.rules.resource(id(path))),
  }),
  own({
    name: "start_resource",
    method: "POST",
    path: "/resources/:id",
    descr: "Start a resource",
    handle: async ({ admin, path }) => {
      await admin.rules.restartResource(id(path));
      return ok();
    },
  }),
  own({
    name: "get_resource_status",
    method: "GET",
    path: "/resource_status/:id",
    descr: "Get status of a resource",
    data: R.resourceStatus,
    handle: ({ admin, path }) => data(admin.rules.resourceStatus(id(path))),
  }),
  own({
    name: "delete_resource",
    method: "DELETE",
    path: "/resources/:id",
    keeps: "or tell",
    descr: "Delete a resource",
    handle: async ({ admin, path }) => {
      await admin.rules.removeResource(id(path));
      return ok();
    },
  }),
  own({
    name: "list_resource_types",
    method: "GET",
    path: "/resource_types/",
    descr: "List all resource types",
    data: S.list(R.resourceType),
    handle: ({ admin }) => data(admin.rules.resourceTypes()),
  }),
  own({
    name: "show_resource_type",
    method: "GET",
    path: "/resource_types/:name",
    descr: "Show a resource type",
    data: R.resourceType,
    handle: ({ admin, path }) => data(admin.rules.resourceType(path.name ?? "")),
  }),
  own({
    name: "list_resources_by_type",
    method: "GET",
    path: "/resource_types/:type/resources",
    descr: "List all resources of a resource type",
    data: S.list(R.resource),
    handle: ({ admin, path }) => whole(admin.rules.resourcesOfType(path.type ?? "")),
  }),
  own({
    name: "list_actions_by_type",
    method: "GET",
    path: "/resource_types/:type/actions",
    descr: "List all actions of a resource type",
    data: S.list(R.actionKind),
    handle: ({ admin, path }) => data(admin.rules.actionsOfType(path.type ?? "")),
  }),
];

export const ruleRoutes: readonly AnyRoute[] = [...rules, ...actions, ...resources];
