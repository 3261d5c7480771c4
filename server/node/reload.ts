/** What `emqx_reloader` reloads while the node runs: configuration files, access rules, certificates. */
import { statSync } from "node:fs";
import type { Config } from "../config/config.ts";
import type { Overridden } from "../config/layers.ts";
import type { CertificateReload } from "../config/types.ts";
import type { Core } from "../core/core.ts";
import type { Log } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";
import type { PluginManager, SettingsUpdate } from "../plugins/manager.ts";
import type { Reloaded } from "../plugins/services.ts";
import { problemsOf } from "./checks.ts";

export interface ReloadParts {
  config: Config;
  core: Pick<Core, "refresh" | "reloadAcl">;
  log: Pick<Log, "error" | "warn">;
  /** They have their settings from the files too; they come after the reload is made. */
  plugins(): Pick<PluginManager, "isRunning" | "updateSettings">;
  /** Of all listeners. What cannot be used is logged there. */
  reloadCertificates(): Promise<CertificateReload[]>;
}

/**
 * Each part is read, whatever is wrong with another one, or keeps it waiting. `isAsked`: by somebody who waits for the answer, not by the clock. As
 * many may run at once as ask.
 */
export function createReload({ config, core, log, plugins, reloadCertificates }: ReloadParts): (isAsked: boolean) => Promise<Reloaded> {
  const tell = toldOnce(log);
  const appOf = (key: string): string => config.keys.find(key)?.app ?? "";
  let aclStamp = stampOf(String(config.get("acl_file")));
  /** Plugins that go on without what the files say by now: of which keys, and why. */
  const refusals = new Map<string, { keys: string[]; why: string }>();
  /** As it was when it was last looked at. */
  let wouldStart = true;
  /** Files that are still to be read, for all who want that until then; whether one of them has asked. */
  let next: Promise<Reloaded> | null = null;
  let nextIsAsked = false;

  function settingsRead(failed: string[]): ReturnType<Config["reread"]> {
    const what = "configuration stays as it was";
    try {
      const read = config.reread((plugin) => plugins().isRunning(plugin));
      tell(what, null);
      return read;
    } catch (err) {
      const why = lineOfAll(err);
      tell(what, why);
      failed.push(`the settings stay as they were: ${why}`);
      return { changed: [], overridden: [] };
    }
  }

  /** Plugins do one thing after the other. Who comes while files are being read may have written something since: they are read once more. */
  function settings(isAsked: boolean): Promise<Reloaded> {
    // By the clock nobody waits for an answer: where plugins are held up, what stands in line is enough.
    if (!isAsked && next !== null) return Promise.resolve(nothing());
    nextIsAsked ||= isAsked;
    next ??= Promise.resolve().then(readSettings);
    return next;
  }

  async function readSettings(): Promise<Reloaded> {
    const came = nothing();
    const { done, failed } = came;
    let changed: string[] = [];
    let again: string[] = [];
    let down: string[] = [];
    const update = await plugins().updateSettings(() => {
      const isAsked = nextIsAsked;
      [next, nextIsAsked] = [null, false];
      const read = settingsRead(failed);
      changed = read.changed;
      done.push(...read.overridden.map(({ key, where, by }) => `${key} ${where}, which is not in force: it is set ${by}`));
      tellOverridden(read.overridden, log);
      if (changed.length > 0) core.refresh();
      // What was in the way may be gone. By the clock a plugin would be stopped every minute for what it has refused.
      again = isAsked ? [...refusals.values()].flatMap(({ keys }) => keys.filter((key) => !changed.includes(key))) : [];
      down = [...refusals.keys()].filter((plugin) => !plugins().isRunning(plugin));
      return [...changed, ...again];
    });
    asked(changed, again, update, came);
    done.push(...down.filter((plugin) => plugins().isRunning(plugin)).map((plugin) => `${plugin} runs again`));
    if (changed.length > 0 || !wouldStart) nextStart(failed);
    return came;
  }

  /** What plugins said to keys that are others now, and to those that they had refused. */
  function asked(changed: readonly string[], again: readonly string[], update: SettingsUpdate, { done, failed }: Reloaded): void {
    const { refused } = update;
    const keys = [...changed, ...again];
    // What was refused may have come into force by somebody else since.
    const isNew = (key: string): boolean => changed.includes(key) || update.changed.includes(config.keys.find(key)?.pattern ?? "");
    const taken = keys.filter((key) => !refused.has(appOf(key)));
    if (taken.some(isNew)) done.push(`settings ${taken.filter(isNew).join(", ")}`);
    for (const key of taken) refusals.delete(appOf(key));
    for (const [plugin, why] of refused) {
      const own = keys.filter((key) => appOf(key) === plugin);
      refusals.set(plugin, { keys: [...new Set([...(refusals.get(plugin)?.keys ?? []), ...own])], why });
    }
    for (const [plugin, { why }] of refusals)
      failed.push(`${plugin} ${plugins().isRunning(plugin) ? "goes on with its settings of before" : "has stopped"}: ${why}`);
  }

  /** What acts after a restart only is told now, while somebody is looking, and until it is mended. */
  function nextStart(failed: string[]): void {
    const what = "the node would not start with this configuration";
    const problems = problemsOf(config).map(({ message }) => message);
    wouldStart = problems.length === 0;
    tell(what, wouldStart ? null : problems.join("; "));
    failed.push(...problems.map((why) => `${what}: ${why}`));
  }

  /** `tells`: a failure is logged. */
  function accessRules(tells: boolean): Reloaded {
    const came = nothing();
    const stamp = stampOf(String(config.get("acl_file")));
    if (stamp === aclStamp) return came;
    const what = "access rules stay as they were";
    try {
      core.reloadAcl();
      aclStamp = stamp;
      tell(what, null);
      came.done.push(`access rules (${config.get("acl_file")})`);
    } catch (err) {
      const why = lineOfAll(err);
      if (tells) tell(what, why);
      came.failed.push(`the ${what}: ${why}`);
    }
    return came;
  }

  async function certificates(): Promise<Reloaded> {
    const came = nothing();
    for (const { listener, changed, error } of await reloadCertificates()) {
      if (error !== null) came.failed.push(`the certificate of ${listener} stays as it was: ${error}`);
      else if (changed) came.done.push(`certificate of ${listener}`);
    }
    return came;
  }

  return async (isAsked) => {
    // Not behind the settings: those wait for plugins, and one of somebody else's may hang.
    const early = accessRules(false);
    const [read, renewed] = await Promise.all([settings(isAsked), certificates()]);
    // The settings may name another file by now. What failed before is tried again by this, and counts here.
    const rules = accessRules(true);
    const done = [read.done, early.done, rules.done, renewed.done];
    return { done: done.flat(), failed: [read.failed, rules.failed, renewed.failed].flat() };
  };
}

const nothing = (): Reloaded => ({ done: [], failed: [] });

/** Whoever has written a line waits for it to act. Keys only: values may be secrets. */
export function tellOverridden(lines: readonly Overridden[], log: Pick<Log, "warn">): void {
  for (const { key, where, by } of lines) log.warn("a line of a file is not in force", { key, written: where, because: `it is set ${by}` });
}

/** A file that stays wrong is told in the log once, not each time it is looked at. `error` null = it is right again. */
function toldOnce(log: Pick<Log, "error">): (what: string, error: string | null) => void {
  const told = new Map<string, string | null>();
  return (what, error) => {
    if (error !== null && told.get(what) !== error) log.error(what, { error });
    told.set(what, error);
  };
}

/** All faults of a configuration, on one line. */
const lineOfAll = (err: unknown): string => wordsOf(err).replaceAll(/\s*\n\s*/g, "; ");

/** Changes when the file does; "" = there is none. */
function stampOf(file: string): string {
  try {
    const s = statSync(file);
    return `${s.ino}:${s.size}:${s.mtimeMs}`;
  } catch {
    return "";
  }
}
