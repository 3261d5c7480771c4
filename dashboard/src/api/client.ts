/** Every call the dashboard makes, typed by the server's contract. Models use this; components never do. */
import type * as C from "../../../server/api/contract.ts";
import { envelopeError } from "./http.ts";
import type { ApiRequest, Query, Transport } from "./transport.ts";

export type * from "../../../server/api/contract.ts";

export interface Rows<T> {
  rows: T[];
  count: number;
}

/** What an authentication plugin's accounts are named by, as in its routes. */
export type AccountKind = "username" | "clientid";

/** Who keeps what it could not deliver. */
export type LetterKeeper = { rule: string; action: string } | { plugin: string };

/** An action as it is sent: with the id it has, it is the one that runs. */
export interface ActionRequest {
  id?: string;
  name: string;
  params: Record<string, unknown>;
}

export interface RuleRequest {
  name: string;
  description: string;
  rawsql: string;
  actions: ActionRequest[];
  enabled: boolean;
}

export interface RuleTrial {
  rawsql: string;
  /** Columns of an event. */
  sample: Record<string, unknown>;
  actions: ActionRequest[];
}

export interface ResourceRequest {
  name: string;
  type: string;
  description: string;
  config: Record<string, unknown>;
}

const seg = encodeURIComponent;

/** The routes of a plugin begin with its name, without what all of them begin with. */
const lettersOf = (k: LetterKeeper): string =>
  `${"plugin" in k ? `/${seg(k.plugin.replace(/^emqx_/, ""))}` : `/rules/${seg(k.rule)}/actions/${seg(k.action)}`}/dead_letters`;

export type Api = ReturnType<typeof createApi>;

export function createApi(transport: Transport) {
  async function data<T>(request: ApiRequest): Promise<T> {
    const body = (await transport.send(request)) as Partial<C.Data<T>> | null;
    if (body?.code !== 0) throw envelopeError(body);
    return body.data as T;
  }
  async function page<T>(path: string, query: Query, signal?: AbortSignal): Promise<Rows<T>> {
    const body = (await transport.send({ method: "GET", path, query, ...(signal ? { signal } : {}) })) as Partial<C.Page<T>> | null;
    if (body?.code !== 0 || !body.data) throw envelopeError(body);
    return { rows: body.data, count: body.meta?.count ?? body.data.length };
  }
  const get = <T>(path: string, query?: Query): Promise<T> => data<T>({ method: "GET", path, ...(query ? { query } : {}) });
  const post = <T>(path: string, body: unknown): Promise<T> => data<T>({ method: "POST", path, body });
  const put = <T>(path: string, body?: unknown): Promise<T> => data<T>({ method: "PUT", path, ...(body === undefined ? {} : { body }) });
  const del = <T>(path: string, extra: Pick<ApiRequest, "query" | "body"> = {}): Promise<T> =>
    data<T>({ method: "DELETE", path, ...extra });
  const first = <T>(rows: T[]): T | null => rows[0] ?? null;

  return {
    transport,
    auth: (username: string, password: string) => post<void>("/auth", { username, password }),
    whoami: () => get<C.WhoAmI>("/whoami"),
    changePassword: (name: string, old_pwd: string, new_pwd: string) => put<void>(`/change_pwd/${seg(name)}`, { old_pwd, new_pwd }),

    brokers: () => get<C.Broker[]>("/brokers"),
    nodes: () => get<C.NodeRow[]>("/nodes"),
    node: (name: string) => get<C.NodeInfo>(`/nodes/${seg(name)}`),
    stats: () => get<C.NodeStats[]>("/stats"),
    metrics: () => get<C.NodeMetrics[]>("/metrics"),
    monitorCurrent: (since: number) => get<C.MonitorCurrent>("/monitor/current", { since }),
    monitor: (from: number, to: number, step: number) => get<C.MonitorHistory>("/monitor", { from, to, step }),

    connections: (q: Query) => page<C.Connection>("/connections", q),
    connection: async (id: string) => first(await get<C.Connection[]>(`/connections/${seg(id)}`)),
    kick: (id: string) => del<void>(`/connections/${seg(id)}`),
    kickMany: (client_ids: string[]) => del<{ kicked: string[]; not_found: string[] }>("/connections", { body: { client_ids } }),
    aclCache: (id: string) => get<C.AclCacheEntry[]>(`/connections/${seg(id)}/acl`),
    cleanAclCache: (id: string) => del<void>(`/connections/${seg(id)}/acl`),

    sessions: (q: Query) => page<C.Session>("/sessions", q),
    session: async (id: string) => first(await get<C.Session[]>(`/sessions/${seg(id)}`)),
    dropSession: (id: string) => del<void>(`/sessions/persistent/${seg(id)}`),

    subscriptions: (q: Query) => page<C.Subscription>("/subscriptions", q),
    clientSubscriptions: (id: string) => get<C.Subscription[]>(`/subscriptions/${seg(id)}`),
    subscribe: (r: C.SubscribeRequest) => post<void>("/mqtt/subscribe", r),
    unsubscribe: (r: C.UnsubscribeRequest) => post<void>("/mqtt/unsubscribe", r),
    publish: (r: C.PublishRequest) => post<void>("/mqtt/publish", r),
    live: (topic: string, onEvent: (e: { event: string; data: string }) => void, signal: AbortSignal, qos = 0) =>
      transport.stream("/mqtt/subscribe", { topic, qos }, onEvent, signal),

    routes: (q: Query) => page<C.Route>("/routes", q),
    topicTree: (prefix: string, limit: number) => get<C.TopicTree>("/topics/tree", { prefix, limit }),
    retained: (q: Query) => page<C.Retained>("/retained", q),
    retainedMessage: (topic: string) => get<C.RetainedMessage>(`/retained/${seg(topic)}`, { encoding: "base64" }),
    deleteRetained: (topic: string) => del<void>(`/retained/${seg(topic)}`),
    deleteRetainedAll: (filter: string) => del<{ deleted: number }>("/retained", { query: { _filter: filter } }),
    delayed: (q: Query) => page<C.Delayed>("/delayed", q),
    deleteDelayed: (id: number) => del<void>(`/delayed/${id}`),
    sendDelayed: (id: number) => post<void>(`/delayed/${id}/send`, {}),

    plugins: () => get<C.NodePlugins[]>("/plugins"),
    pluginAction: (node: string, name: string, action: "load" | "unload" | "reload") =>
      put<void>(`/nodes/${seg(node)}/plugins/${seg(name)}/${action}`),
    pluginConfig: (node: string, name: string) => get<C.PluginConfigRow[]>(`/nodes/${seg(node)}/plugin_configs/${seg(name)}`),
    testPlugin: (node: string, name: string, r: C.PluginTest) =>
      post<C.PluginTestStep[]>(`/nodes/${seg(node)}/plugins/${seg(name)}/test`, r),

    deadLetters: (of: LetterKeeper) => get<C.DeadLetter[]>(lettersOf(of)),
    resendLetters: (of: LetterKeeper, ids: number[]) => post<{ resent: number }>(`${lettersOf(of)}/resend`, { ids }),
    deleteLetters: (of: LetterKeeper, ids: number[]) => del<{ deleted: number }>(lettersOf(of), { body: { ids } }),
    accounts: (kind: AccountKind) => get<string[]>(`/auth_${kind}`),
    createAccount: (kind: AccountKind, name: string, password: string) => post<void>(`/auth_${kind}`, { [kind]: name, password }),
    setAccountPassword: (kind: AccountKind, name: string, password: string) => put<void>(`/auth_${kind}/${seg(name)}`, { password }),
    deleteAccount: (kind: AccountKind, name: string) => del<void>(`/auth_${kind}/${seg(name)}`),

    scripts: () => get<C.Script[]>("/lua_hook/scripts"),
    scriptErrors: (name: string) => get<C.ScriptErrorRow[]>(`/lua_hook/scripts/${seg(name)}/errors`),
    scriptCommand: (name: string, command: C.ScriptCommand) => post<void>(`/lua_hook/scripts/${seg(name)}/${command}`, {}),

    listeners: () => get<C.NodeListeners[]>("/listeners"),
    listenerAction: (node: string, protocol: string, at: string, action: "start" | "stop" | "restart") =>
      put<void>(`/nodes/${seg(node)}/listeners/${seg(protocol)}/${seg(at)}/${action}`),

    alarms: () => get<C.NodeAlarms[]>("/alarms/present"),
    alarmHistory: () => get<C.NodeAlarmHistory[]>("/alarms/history", { limit: 200 }),
    clearAlarmHistory: () => del<void>("/alarms/history"),

    banned: (q: Query) => page<C.Banned>("/banned", q),
    ban: (r: C.BannedRequest) => post<unknown>("/banned", r),
    unban: (as: C.BannedAs, who: string) => del<void>(`/banned/${seg(who)}`, { query: { as } }),

    apps: () => get<C.AppRow[]>("/apps"),
    app: (id: string) => get<C.App | []>(`/apps/${seg(id)}`),
    createApp: (r: C.AppRequest) => post<{ secret: string }>("/apps", r),
    updateApp: (id: string, r: Omit<C.AppRequest, "app_id">) => put<void>(`/apps/${seg(id)}`, r),
    deleteApp: (id: string) => del<void>(`/apps/${seg(id)}`),

    users: () => get<C.User[]>("/users"),
    createUser: (username: string, password: string, tags: string) => post<void>("/users", { username, password, tags }),
    updateUser: (name: string, tags: string) => put<void>(`/users/${seg(name)}`, { tags }),
    deleteUser: (name: string) => del<void>(`/users/${seg(name)}`),

    settings: () => get<C.Setting[]>("/settings"),
    saveSettings: (values: Record<string, string | null>) => put<C.SettingsApplied>("/settings", values),

    access: (node: string) => get<C.AccessView>(`/nodes/${seg(node)}/access`),
    aclFile: (node: string) => get<C.AclFileRow>(`/nodes/${seg(node)}/acl_file`),
    replaceAclFile: (node: string, text: string) => put<C.AclCheck>(`/nodes/${seg(node)}/acl_file`, { text }),
    checkAcl: (text: string) => post<C.AclCheck>("/acl/check", { text }),
    fittingHashes: (r: C.HashQuestion) => post<string[]>("/password_hash", r),
    explain: (r: C.ExplainRequest) => post<C.ExplainResult>("/explain", r),

    rules: (q: Query) => page<C.RuleRow>("/rules", q),
    rule: (id: string) => get<C.RuleRow>(`/rules/${seg(id)}`),
    createRule: (r: RuleRequest) => post<C.RuleRow>("/rules", r),
    updateRule: (id: string, r: Partial<RuleRequest>) => put<C.RuleRow>(`/rules/${seg(id)}`, r),
    switchRule: (id: string, on: boolean) => put<C.RuleRow>(`/rules/${seg(id)}/${on ? "enable" : "disable"}`),
    resetRule: (id: string) => put<void>(`/rules/${seg(id)}/reset_metrics`),
    deleteRule: (id: string) => del<void>(`/rules/${seg(id)}`),
    ruleErrors: (id: string) => get<C.RuleErrorRow[]>(`/rules/${seg(id)}/errors`),
    ruleInspected: (id: string) => get<C.InspectedRow[]>(`/rules/${seg(id)}/inspected`),
    testRule: (r: RuleTrial) => post<C.RuleTestResult>("/rules/test", r),
    ruleFunctions: () => get<C.RuleFunctionRow[]>("/rules/functions"),
    ruleEvents: () => get<C.RuleEventRow[]>("/rule_events"),
    startCapture: (topic: string) => post<C.CaptureRow>("/rules/capture", { topic }),
    capture: () => get<C.CaptureRow | null>("/rules/capture"),
    exportRules: () => get<C.RulesFile>("/rules_export"),
    importRules: (file: unknown, dryRun: boolean) =>
      data<C.ImportResult>({ method: "POST", path: "/rules_import", query: { dry_run: String(dryRun) }, body: file }),
    actionKinds: () => get<C.ActionKindRow[]>("/actions"),
    resources: () => get<C.ResourceRow[]>("/resources"),
    resourceTypes: () => get<C.ResourceTypeRow[]>("/resource_types"),
    resourceStatus: (id: string) => get<C.ResourceStatusRow>(`/resource_status/${seg(id)}`),
    saveResource: (r: ResourceRequest) => post<C.ResourceRow>("/resources", r),
    testResource: (r: ResourceRequest) => post<C.PluginTestStep[]>("/resources/test", r),
    restartResource: (id: string) => post<void>(`/resources/${seg(id)}`, {}),
    deleteResource: (id: string) => del<void>(`/resources/${seg(id)}`),
    openapi: () => transport.send({ method: "GET", path: "/openapi.json" }),
  };
}
