/** The access chain: who is asked, how they are, and what it says of a client. */
import type { AccessStep, AccessView, AccessWarning, ExplainResult, PluginServer } from "../../api/contract.ts";
import { path } from "../client.ts";
import { type Command, type Context, given, take } from "../command.ts";
import { stepLines } from "../steps.ts";
import { tableLines } from "../table.ts";

type Half = "authentication" | "acl";

const STEP_HEAD = ["#", "asked", "state", "while down", "allowed", "denied", "ignored", "errors", "failures"];
/** A column of servers: its title, and what stands in it. */
type Column = readonly [title: string, cell: (s: PluginServer) => string | number | null];
const ms = (time: number | null): string | null => (time === null ? null : time.toFixed(1));
const SERVER_COLUMNS: readonly Column[] = [
  ["server", (s) => s.what],
  ["state", (s) => s.state],
  ["in use", (s) => s.running],
  ["pool", (s) => s.pool],
  ["waiting", (s) => s.waiting],
  ["calls", (s) => s.calls],
  ["answered", (s) => s.answered],
  ["failed", (s) => s.failed],
  ["timeouts", (s) => s.timeouts],
  ["not asked", (s) => s.not_asked],
  ["p50 ms", (s) => ms(s.p50)],
  ["p95 ms", (s) => ms(s.p95)],
  ["p99 ms", (s) => ms(s.p99)],
];

const WARNINGS: Readonly<Record<AccessWarning["what"], (zone: string, actions: string) => string>> = {
  everybody: (zone) => `zone ${zone}: everybody is let in: allow_anonymous is on, and no plugin is asked`,
  unknown: (zone) => `zone ${zone}: whoever no plugin knows is let in: allow_anonymous is on`,
  ignored_errors: (zone) =>
    `zone ${zone}: while a server is down, or a script fails, everybody is let in: on_error (or on_failure) is ignore, and allow_anonymous on`,
  no_acl: (zone) => `zone ${zone}: everybody may do everything: enable_acl is off`,
  open_rules: (zone, actions) =>
    `zone ${zone}: whoever the access rules do not know may ${actions} everywhere: a rule of acl.conf allows all`,
  no_rule: (zone, actions) =>
    `zone ${zone}: whoever the access rules do not know may ${actions} everywhere: no rule of acl.conf forbids it, and acl_nomatch is allow`,
};

async function access(ctx: Context, args: readonly string[]): Promise<void> {
  take(args, 0);
  const view = await ctx.api.get<AccessView>(path`/nodes/${await ctx.api.node()}/access`);
  ctx.show(view, [
    ...halfLines("authentication", view.authentication),
    ...view.zones.map((z) => `otherwise, in zone ${z.zone}: ${z.allow_anonymous ? "allow" : "deny"} (allow_anonymous)`),
    "",
    ...halfLines(
      "acl",
      view.acl.filter((s) => s.asks_topics),
    ),
    ...view.zones.map((z) =>
      z.enable_acl
        ? `otherwise, in zone ${z.zone}: ${z.acl_nomatch} (acl_nomatch)`
        : `nobody is asked in zone ${z.zone}: allow (enable_acl)`,
    ),
    ...serverLines([...view.authentication, ...view.acl]),
    ...(view.warnings.length > 0
      ? ["", ...view.warnings.map((w) => `warning: ${WARNINGS[w.what](w.zone, (w.actions ?? []).join(" and "))}`)]
      : []),
  ]);
}

function halfLines(half: Half, steps: readonly AccessStep[]): string[] {
  const row = (s: AccessStep, i: number): (string | number | null)[] => {
    const counts = s.status?.[half] ?? null;
    const figures = counts === null ? [null, null, null, null] : [counts.allowed, counts.denied, counts.ignored, counts.errors];
    return [i + 1, s.plugin ?? s.step, stateOf(s), s.while_down, ...figures, s.failures];
  };
  return [half, ...(steps.length === 0 ? ["nobody is asked"] : tableLines(STEP_HEAD, steps.map(row)))];
}

const STATES = ["up", "connecting", "degraded", "down"] as const;

/** Of its servers that of the one which is worst off; null = it has none. */
function stateOf({ status }: AccessStep): string | null {
  const worst = Math.max(...(status?.servers ?? []).map(({ state }) => STATES.indexOf(state)));
  return STATES[worst] ?? null;
}

/** Each plugin's once, though it stands in both halves. */
function serverLines(steps: readonly AccessStep[]): string[] {
  const servers = new Map(
    steps.flatMap((s) => (s.status?.servers ?? []).map((server) => [`${s.step} ${server.what}`, { of: s.step, server }])),
  );
  if (servers.size === 0) return [];
  const all = [...servers.values()];
  const head = ["of", ...SERVER_COLUMNS.map(([title]) => title)];
  const rows = all.map(({ of, server }) => [of, ...SERVER_COLUMNS.map(([, cell]) => cell(server))]);
  const errors = all.flatMap(({ server }) => (server.last_error === null ? [] : [lastError(server)]));
  return ["", "servers", ...tableLines(head, rows), ...errors];
}

function lastError({ what, last_error, last_error_ms }: PluginServer): string {
  const at = last_error_ms === null ? "" : ` at ${new Date(last_error_ms).toISOString()}`;
  return `last error of ${what}${at}: ${last_error}`;
}

async function explain(ctx: Context, args: readonly string[]): Promise<void> {
  const [client_id, username, password, action, topic] = take(args, 1, 4);
  const who = { username: given(username), password: ctx.password ?? given(password) };
  const asked = Object.fromEntries(Object.entries({ ...who, action, topic }).filter(([, v]) => v !== undefined));
  const result = await ctx.api.call<ExplainResult>("POST", "/explain", { client_id, ...asked });
  const part = (name: Half, r: NonNullable<ExplainResult["acl"]>): string[] => [
    `${name}: ${r.allow ? "allow" : "deny"}`,
    ...r.steps.flatMap(stepLines).map((line) => `  ${line}`),
  ];
  ctx.show(result, [...part("authentication", result.authentication), ...(result.acl ? part("acl", result.acl) : [])]);
}

export const chainCommands: readonly Command[] = [
  { name: "access", usage: [["access", "Show who is asked about clients, how they are, and what lets strangers in"]], run: access },
  {
    name: "explain",
    usage: [["explain <ClientId> [<User> [<Pwd> [<Action> <Topic>]]]", "Why a client gets in and may publish or subscribe; - = none"]],
    run: explain,
  },
];
