/** What lets strangers in: of the whole chain, and of one plugin on its page. */
import type { AccessStep, AccessView, AccessWarning, Plugin } from "../api/client.ts";
import { accountKind } from "./accounts.ts";

export interface Warning {
  what: AccessWarning["what"] | "ignored_topics";
  zones: readonly string[];
  /** What everybody may do with any topic. */
  actions?: readonly ("publish" | "subscribe")[];
}

/** It asks no server: it stands in the chain while one of its scripts has a word there. */
const SCRIPTS = "emqx_lua_hook";

const isPassedOn = ({ while_down }: Pick<AccessStep, "while_down">): boolean => while_down === "ignore";

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
  const refusesLogins = new Set(view.authentication.filter((s) => !isPassedOn(s)).map((s) => s.step));
  const passesTopics = view.acl.some((s) => refusesLogins.has(s.step) && s.asks_topics && isPassedOn(s));
  return given([
    { what: "ignored_errors", zones: told("ignored_errors") },
    { what: "everybody", zones: told("everybody") },
    { what: "ignored_topics", zones: passesTopics ? zonesWith(view, (z) => z.enable_acl) : [] },
    { what: "unknown", zones: told("unknown") },
    { what: "no_acl", zones: told("no_acl") },
    open("open_rules"),
    open("no_rule"),
  ]);
}

/**
 * What concerns one plugin, with `on_error` as it stands on its page (null = it has no such setting). One that does not run is judged as if its server
 * could be down.
 */
export function warningsOfPlugin(
  view: AccessView,
  { name, on_error_of }: Pick<Plugin, "name" | "on_error_of">,
  onError: string | null,
): Warning[] {
  if (accountKind(name) !== null)
    return given([{ what: "unknown", zones: view.warnings.filter((w) => w.what === "unknown").map((w) => w.zone) }]);
  const found = view.authentication.find((s) => s.plugin === name);
  if (onError !== "ignore" || (found === undefined ? name === SCRIPTS : found.while_down === null)) return [];
  return given([
    on_error_of === "topics"
      ? { what: "ignored_topics", zones: zonesWith(view, (z) => z.enable_acl) }
      : { what: "ignored_errors", zones: zonesWith(view, (z) => z.allow_anonymous) },
  ]);
}
