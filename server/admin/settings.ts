/**
 * Settings changed through the API: looked at as a whole before anything is touched, put into force, and only then kept. A change
 * that is refused, by us or by the plugin it is for, leaves everything as it was.
 */

import type { ConfigRow } from "../config/types.ts";
import { hasMask, MASK, MASK_ALONE } from "../lib/mask.ts";
import type { PluginConfigRow, SettingChanges } from "../plugins/settings.ts";
import { CODE } from "./codes.ts";
import type { SettingsPorts } from "./config_view.ts";
import { AdminError, SecretAstray } from "./deps.ts";
import type { Setting, SettingsApplied } from "./extra_rows.ts";
import type { PluginsView } from "./plugins_view.ts";
import { Slices } from "./slices.ts";

/** Keys of one change: it is looked at, and put into force, as a whole. */
const CHANGES_MAX = 1000;
/** Who is a user of the dashboard is settled there, or by the machine's owner: an application must not make itself one. */
const OF_USERS = "dashboard.default_user.";
/** Keys set through the API, in all: each change looks at all that there are. */
const KEPT_MAX = 10_000;
/** Raised while the node, or a plugin, runs without values that were set through the API. */
const ASIDE_ALARM = "settings_set_aside";

/** An application, a user of the dashboard, or the machine's owner at the command line. */
export type ChangedBy = "app" | "user" | "ctl";

interface Alarms {
  set(id: string, desc: { severity: "error"; title: string; summary: string }): void;
  clear(id: string): boolean;
}

export type Settings = ReturnType<typeof createSettings>;

export function createSettings(ports: SettingsPorts, plugins: PluginsView, alarms: Alarms) {
  const { layers, aside } = ports;
  /** One change at a time: each is judged by what the ones before it left. */
  let last: Promise<unknown> = Promise.resolve();

  /** Each time an alarm is raised it is published. */
  let told: string | null = null;

  function tellAside(): void {
    const summary = [...aside.values()].map((a) => a.why).join("; ");
    if (summary === told) return;
    told = summary;
    if (aside.size === 0) alarms.clear(ASIDE_ALARM);
    else alarms.set(ASIDE_ALARM, { severity: "error", title: "Settings made through the API are not in force", summary });
  }

  function review(): void {
    ports.review();
    tellAside();
  }

  const isSecret = (key: string): boolean => layers.row(key)?.secret === true;

  /** What he may know of what is in force: of a secret that somebody has set no guess is told to be right, but the machine's owner can read it. */
  function known(key: string, by: ChangedBy): string {
    const now = layers.raw(key);
    return by === "ctl" || layers.row(key)?.origin === "default" ? now : layers.shown(key, now);
  }

  /** It is what is shown of a secret: that stays as it is. */
  function isKept(key: string, text: string): boolean {
    if (isSecret(key)) return text === MASK;
    const now = String(layers.raw(key) ?? "");
    return now !== text && layers.shown(key, now) === text;
  }

  /** Why he cannot set this text; null = he can. */
  function fault(key: string, text: string | null | undefined, by: ChangedBy): string | null {
    const isTakenBack = text === undefined && (layers.override(key) !== undefined || aside.has(key));
    const error = isTakenBack ? null : layers.checkOverride(key, text ?? null);
    if (error !== null || typeof text !== "string" || isKept(key, text)) return error;
    // Saved, the mask would be the secret.
    if (!isSecret(key) && text !== layers.raw(key) && hasMask(text, (t) => layers.shown(key, t))) return `${key}: ${MASK_ALONE}`;
    const fixed = layers.fixedBy(key);
    if (fixed === null || text === known(key, by)) return null;
    return `${key} is set ${fixed}, which stands above what is changed here: change it there`;
  }

  /** What is kept of it: what a file says too is the file's, and of many keys one that is not to be there is not there. */
  function toKeep(key: string, text: string | null | undefined): string | null | undefined {
    const line = layers.line(key);
    if (text === null) return line === undefined && layers.isMember(key) ? undefined : null;
    // Of a secret, and of one within a text, nobody learns in this way that it is the file's.
    return text !== undefined && text === line && layers.shown(key, text) === text ? undefined : text;
  }

  /** Whoever is beyond it (from a run before) can still change and take back. @throws AdminError 108 */
  function checkRoom(real: SettingChanges): void {
    const isKept = (key: string): boolean => layers.override(key) !== undefined || aside.has(key);
    const added = [...real].reduce((n, [key, text]) => n + Number(text !== undefined) - Number(isKept(key)), 0);
    // What waits for a plugin that can use it is the layer's still.
    const leftOut = [...aside.keys()].filter((key) => layers.override(key) === undefined).length;
    if (added <= 0 || layers.overrides() + leftOut + added <= KEPT_MAX) return;
    const why = `no more than ${KEPT_MAX} keys can be set through the API in all: take some back, or set them in the configuration files`;
    throw new AdminError(CODE.BAD_PARAMETER, why);
  }

  /** A key that no application may change: of a secret any text, or the right one is found by trying. `next`: with the changes. */
  function closed(changes: SettingChanges, next: Pick<SettingsPorts["layers"], "raw">): string | undefined {
    const isClosed = (key: string, text: string | null | undefined): boolean => {
      if (typeof text === "string" && isSecret(key)) return !isKept(key, text) && text !== known(key, "app");
      return next.raw(key) !== layers.raw(key);
    };
    return [...changes].find(([key, text]) => key.startsWith(OF_USERS) && isClosed(key, text))?.[0];
  }

  /** What really changes. @throws AdminError 108, naming of each that is wrong key, value and what was expected */
  function checked(changes: SettingChanges, by: ChangedBy): Map<string, string | null | undefined> {
    const faults = [...changes].map(([key, text]) => fault(key, text, by)).filter((why) => why !== null);
    if (faults.length > 0) throw new AdminError(CODE.BAD_PARAMETER, faults.join("; "));
    const real = new Map<string, string | null | undefined>();
    const typed = new Set<string>();
    for (const [key, text] of changes) {
      if (typeof text === "string") {
        if (isKept(key, text)) continue;
        typed.add(key);
        if (layers.fixedBy(key) !== null) continue;
      }
      const kept = toKeep(key, text);
      if (kept !== layers.override(key) || aside.has(key)) real.set(key, kept);
    }
    checkRoom(real);
    const next = layers.with(real);
    const own = by === "app" ? closed(changes, next) : undefined;
    if (own !== undefined)
      throw new AdminError(CODE.BAD_PARAMETER, `${own} can be changed in the dashboard and at the command line, not by an application`);
    // What is left of them is as it is in force. Kept, it would stand above the files, and a listed default be a secret that is refused the next time.
    if (by === "app") for (const key of [...real.keys()]) if (key.startsWith(OF_USERS)) real.delete(key);
    const astray = plugins.astray([...real.keys()], (plugin) => next.texts(plugin), typed);
    if (astray !== null) throw new SecretAstray(CODE.BAD_PARAMETER, astray);
    const problems = ports.problems(real);
    if (problems.length > 0) throw new AdminError(CODE.BAD_PARAMETER, problems.map((p) => p.message).join("; "));
    return real;
  }

  async function change(changes: SettingChanges, by: ChangedBy): Promise<SettingsApplied> {
    if (changes.size > CHANGES_MAX) throw new AdminError(CODE.BAD_PARAMETER, `a change has no more than ${CHANGES_MAX} keys`);
    const real = checked(changes, by);
    const before = new Map([...real.keys()].map((key) => [key, layers.override(key)]));
    const changed = [...real.keys()];
    layers.change(real);
    const { refused } = await plugins.updateSettings(changed);
    if (refused.size > 0) {
      layers.change(before);
      await plugins.updateSettings(changed);
      // Whoever has looked meanwhile took what was refused for what is in force.
      review();
      throw new AdminError(CODE.UNKNOWN, [...refused].map(([plugin, why]) => `${plugin} does not run with it: ${why}`).join("; "));
    }
    ports.keep(real);
    for (const key of changed) aside.delete(key);
    tellAside();
    ports.changed();
    const inForce = (key: string): boolean => {
      const row = layers.row(key);
      return row === undefined || row.live || row.app !== "emqx";
    };
    const keys = [...changes.keys()];
    return { applied: keys.filter(inForce), restart: keys.filter((key) => !inForce(key)) };
  }

  function commit(changes: SettingChanges, by: ChangedBy = "ctl"): Promise<SettingsApplied> {
    const mine = last.then(() => change(changes, by));
    last = mine.catch(() => {});
    return mine;
  }

  function unused(key: string): Setting["unused"] {
    const left = aside.get(key);
    const by = layers.fixedBy(key);
    const text = left?.text ?? (by === null ? undefined : layers.override(key));
    if (left === undefined && (by === null || text === undefined)) return undefined;
    return { value: layers.shown(key, text ?? ""), why: left?.why ?? `${key} is set ${by}, which stands above it` };
  }

  function row(r: ConfigRow): Setting {
    const rest = unused(r.key);
    return {
      key: r.key,
      value: layers.shown(r.key, r.value),
      default: r.default,
      type: r.type,
      doc: r.doc,
      origin: r.origin,
      live: r.live,
      app: r.app,
      ...(r.choices !== null && { enum: [...r.choices] }),
      ...(r.secret && { secret: true }),
      ...(rest !== undefined && { unused: rest }),
    };
  }

  function pluginRow(app: string, r: PluginConfigRow): Setting {
    const rest = unused(r.key);
    return {
      key: r.key,
      value: r.value,
      default: r.default,
      type: r.type,
      doc: r.doc,
      origin: r.origin,
      live: r.live,
      app,
      ...(r.enum !== undefined && { enum: r.enum }),
      ...(r.secret === true && { secret: true }),
      ...(rest !== undefined && { unused: rest }),
    };
  }

  return {
    /** Those that are `wanted`. Secrets are shown as "******". */
    async list(wanted: (s: Setting) => boolean): Promise<Setting[]> {
      const slices = new Slices(() => performance.now());
      const found: Setting[] = [];
      const add = (s: Setting): void => void (wanted(s) && found.push(s));
      for (const r of layers.entries()) {
        if (r.app === "emqx") add(row(r));
        if (slices.due()) await slices.rest();
      }
      for (const p of plugins.list()) for (const r of plugins.configRows(p.name)) add(pluginRow(p.name, r));
      return found;
    },

    /**
     * All or nothing, kept over a restart; null = back to what the files or the default say.
     * @throws AdminError 108 naming the key; 102 when a plugin does not run with it. Then nothing is changed.
     */
    apply: (changes: ReadonlyMap<string, string | null>, by: ChangedBy = "ctl"): Promise<SettingsApplied> =>
      commit(new Map([...changes].map(([key, text]) => [key, text ?? undefined])), by),

    /** As `apply`; here null = as by default, undefined = back to the files. */
    commit,

    /** The node has started, or plugins have come, again or anew: raise or end the alarm of values that are not in force. */
    review,
  };
}
