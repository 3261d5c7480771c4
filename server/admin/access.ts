/** The access chain as it really runs: who is asked, in which order, and how they are; the file of access rules; hashes in a table. */
import { type AclRule, parseAclRules } from "../core/access/acl_file.ts";
import type { AclVerdict } from "../core/types.ts";
import { TermError } from "../lib/erlang_term.ts";
import { whyUnreadable } from "../lib/file_errors.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import type { AccessStep, AccessView, AccessWarning, AccessZone, AclCheck, AclFileRow, HashQuestion } from "./extra_rows.ts";
import { leftOpen } from "./open_rules.ts";
import type { Plugin, PluginConfigRow } from "./rows.ts";

interface Plugins {
  list(): Plugin[];
  pluginConfig(name: string): PluginConfigRow[];
}

/** It asks no server, but scripts, which can fail. */
const SCRIPTS = "emqx_lua_hook";

type Point = "client.authenticate" | "client.check_acl";

function whileDown(point: Point, { name, on_error_of, status }: Plugin, onError: string | null): AccessStep["while_down"] {
  const canBeDown = name === SCRIPTS || status === null || status.servers.length > 0;
  if (onError === null || !canBeDown) return null;
  return onError === "ignore" && (point === "client.check_acl" || on_error_of !== "topics") ? "ignore" : "deny";
}

export function createAccess({ broker, aclFile, aclRules, fittingKinds }: AdminDeps, plugins: Plugins) {
  const node = broker.node.nodeName;

  function steps(point: Point, rows: ReadonlyMap<string, Plugin>): AccessStep[] {
    return broker.hooks.at[point].map(({ id, failures }) => {
      const plugin = rows.get(id) ?? null;
      const onError = plugin === null ? null : onErrorOf(plugin.name);
      const onTopics = broker.hooks.at["client.check_acl"].some((h) => h.id === id);
      return {
        step: id,
        plugin: plugin?.name ?? null,
        description: plugin?.description ?? "",
        failures,
        on_error: onError,
        while_down: plugin === null ? null : whileDown(point, plugin, onError),
        // Those that ask others hang on the chain always: a setting may give them something to ask.
        asks_topics: onTopics && plugin?.status?.acl !== null,
        status: plugin?.status ?? null,
      };
    });
  }

  /** null = it asks nobody, and runs no scripts. */
  function onErrorOf(name: string): string | null {
    const row = plugins.pluginConfig(name).find(({ key }) => /\.(on_error|on_failure)$/.test(key));
    return row === undefined ? null : row.value === "" ? row.default : row.value;
  }

  /** What lets strangers in, in the zones that have listeners: the defaults of EMQ X 3.1 do. */
  function warnings(view: Omit<AccessView, "warnings">): AccessWarning[] {
    return view.zones.flatMap(({ zone, allow_anonymous, enable_acl, acl_nomatch }) => {
      const found: AccessWarning["what"][] = [];
      if (allow_anonymous) found.push(view.authentication.length === 0 ? "everybody" : "unknown");
      if (allow_anonymous && view.authentication.some((s) => s.while_down === "ignore")) found.push("ignored_errors");
      if (!enable_acl) found.push("no_acl");
      return [...found.map((what) => ({ what, zone })), ...(enable_acl && aclRules ? openTo(aclRules(), zone, acl_nomatch) : [])];
    });
  }

  function openTo(rules: readonly AclRule[], zone: string, nomatch: AclVerdict): AccessWarning[] {
    const { open_rules, no_rule } = leftOpen(rules, nomatch);
    const found: AccessWarning[] = [
      { what: "open_rules", zone, actions: open_rules },
      { what: "no_rule", zone, actions: no_rule },
    ];
    return found.filter(({ actions = [] }) => actions.length > 0);
  }

  function view(): AccessView {
    const rows = new Map(plugins.list().map((p) => [p.name, p]));
    const zones = [...broker.zones].map(
      ([zone, z]): AccessZone => ({
        zone,
        allow_anonymous: z.allowAnonymous,
        acl_nomatch: z.aclNomatch,
        acl_deny_action: z.aclDenyAction,
        enable_acl: z.enableAcl,
        enable_ban: z.enableBan,
        enable_flapping_detect: z.enableFlappingDetect,
      }),
    );
    const chain = { node, authentication: steps("client.authenticate", rows), acl: steps("client.check_acl", rows), zones };
    return { ...chain, warnings: warnings(chain) };
  }

  /** Are these rules, and if not: where is what wrong? */
  function check(text: string): AclCheck {
    try {
      return { rules: parseAclRules(text).length, error: null };
    } catch (err) {
      if (!(err instanceof TermError)) throw err;
      const { line, column, expected, found } = err;
      return { rules: 0, error: { line, column, message: `expected ${expected}, found ${found}` } };
    }
  }

  function file() {
    if (aclFile === undefined) throw new AdminError(CODE.UNKNOWN, "the access rules of this node are in no file");
    return aclFile;
  }

  return {
    view,
    check,

    /** @throws AdminError 102 */
    aclFile(): AclFileRow {
      try {
        return file().read();
      } catch (err) {
        throw unusable(err);
      }
    },

    /** At once in force; what it was before is kept beside it. @throws AdminError 102, 108 where and what is wrong */
    replaceAclFile(text: string): AclCheck {
      const found = check(text);
      if (found.error !== null)
        throw new AdminError(CODE.BAD_PARAMETER, `line ${found.error.line}, column ${found.error.column}: ${found.error.message}`);
      try {
        file().write(text);
      } catch (err) {
        throw unusable(err);
      }
      return found;
    },

    /** Which settings of `password_hash` fit. @throws AdminError 102 when many are asking, 108 when none does and one was not tried */
    async fittingHashes({ stored, salt = "", password, iterations }: HashQuestion): Promise<string[]> {
      const found = (await fittingKinds?.({ stored, salt, password, iterations: iterations ?? null })) ?? null;
      if (found === null) throw new AdminError(CODE.UNKNOWN, "too many passwords are being tried");
      if (found.kinds.length === 0 && found.untried !== null) throw new AdminError(CODE.BAD_PARAMETER, `not tried: ${found.untried}`);
      return found.kinds;
    },
  };
}

function unusable(err: unknown): AdminError {
  return err instanceof AdminError ? err : new AdminError(CODE.UNKNOWN, `the file of access rules: ${whyUnreadable(err)}`);
}
