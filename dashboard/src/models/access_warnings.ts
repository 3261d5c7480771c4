/** What lets strangers in: of the whole chain, and of one plugin on its page. */
import type { AccessStep, AccessView, AccessWarning } from "../api/client.ts";
import { accountKind } from "./accounts.ts";

export interface Warning {
  what: AccessWarning["what"] | "ignored_topics";
  zones: readonly string[];
  /** What everybody may do with any topic. */
  actions?: readonly ("publish" | "subscribe")[];
}

/** Of these `on_error = ignore` speaks of topics only: log-ins are refused all the same. */
const TOPICS_ONLY: ReadonlySet<string> = new Set(["emqx_auth_http"]);

/** It asks no server, but scripts, which can fail, and it stands in the chain while one of them has a word there. */
const SCRIPTS = "emqx_lua_hook";

/** Something of it can be down. A plugin that does not run is judged as if. */
const asksOthers = ({ step, status }: Pick<AccessStep, "step" | "status">): boolean =>
  step === SCRIPTS || status === null || status.servers.length > 0;

/** What a step answers while its server is down; null = it has none. */
export function whileDown(step: AccessStep, half: "authentication" | "acl"): "deny" | "ignore" | null {
  if (step.on_error === null || !asksOthers(step)) return null;
  return step.on_error === "ignore" && (half === "acl" || !TOPICS_ONLY.has(step.step)) ? "ignore" : "deny";
}

const zonesWith = (view: AccessView, fits: (zone: AccessView["zones"][number]) => boolean): string[] =>
  view.zones.filter(fits).map((z) => z.zone);

const given = (warnings: readonly Warning[]): Warning[] => warnings.filter((w) => w.zones.length > 0);

/** The gravest first; one for all zones it holds for. */
export function warningsOf(view: AccessView): Warning[] {
  const told = (what: AccessWarning["what"]): string[] => view.warnings.filter((w) => w.what === what).map((w) => w.zone);
  // Zones have the same rules.
  const open = (what: "open_rules" | "no_rule"): Warning => ({
    what,
    zones: told(what),
    actions: view.warnings.find((w) => w.what === what)?.actions ?? [],
  });
  const passes = view.authentication.some((s) => whileDown(s, "authentication") === "ignore");
  const passesTopics = view.acl.some((s) => TOPICS_ONLY.has(s.step) && s.asks_topics && whileDown(s, "acl") === "ignore");
  return given([
    { what: "ignored_errors", zones: passes ? told("ignored_errors") : [] },
    { what: "everybody", zones: told("everybody") },
    { what: "ignored_topics", zones: passesTopics ? zonesWith(view, (z) => z.enable_acl) : [] },
    { what: "unknown", zones: told("unknown") },
    { what: "no_acl", zones: told("no_acl") },
    open("open_rules"),
    open("no_rule"),
  ]);
}

/** What concerns one plugin, with `on_error` as it stands on its page (null = it has no such setting). */
export function warningsOfPlugin(view: AccessView, name: string, onError: string | null): Warning[] {
  if (accountKind(name) !== null)
    return given([{ what: "unknown", zones: view.warnings.filter((w) => w.what === "unknown").map((w) => w.zone) }]);
  const found = view.authentication.find((s) => s.plugin === name);
  if (onError !== "ignore" || (found === undefined ? name === SCRIPTS : !asksOthers(found))) return [];
  return given([
    TOPICS_ONLY.has(name)
      ? { what: "ignored_topics", zones: zonesWith(view, (z) => z.enable_acl) }
      : { what: "ignored_errors", zones: zonesWith(view, (z) => z.allow_anonymous) },
  ]);
}
