/** What `emqx_reloader` reloads while the node runs: configuration files, access rules, certificates. */
import { statSync } from "node:fs";
import type { Config } from "../config/config.ts";
import type { Overridden } from "../config/layers.ts";
import type { Core } from "../core/core.ts";
import type { Log } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";
import type { Listeners } from "../listeners/index.ts";
import type { PluginManager } from "../plugins/manager.ts";
import { problemsOf } from "./checks.ts";

type Plugins = Pick<PluginManager, "isRunning" | "updateSettings">;

/** The plugins have their settings from the files too; they come after this function is made. */
export function createReload(config: Config, core: Core, listeners: Listeners, log: Log, plugins: () => Plugins): () => Promise<string[]> {
  let aclStamp = stampOf(String(config.get("acl_file")));
  return async () => {
    const done: string[] = [];
    try {
      const { changed: keys, overridden } = config.reread((plugin) => plugins().isRunning(plugin));
      done.push(...overridden.map(({ key, where, by }) => `${key} ${where}, which is not in force: it is set ${by}`));
      tellOverridden(overridden, log);
      if (keys.length > 0) {
        core.refresh();
        await plugins().updateSettings(keys);
        // What acts after a restart only is told now, while somebody is looking.
        for (const { message } of problemsOf(config)) log.error("the node would not start with this configuration", { why: message });
        done.push(`settings ${keys.join(", ")}`);
      }
    } catch (err) {
      log.error("configuration stays as it was", { error: wordsOf(err) });
    }
    const stamp = stampOf(String(config.get("acl_file")));
    if (stamp !== aclStamp) {
      aclStamp = stamp;
      try {
        core.reloadAcl();
        done.push(`access rules (${config.get("acl_file")})`);
      } catch (err) {
        log.error("access rules stay as they were", { error: wordsOf(err) });
      }
    }
    for (const r of await listeners.reloadCertificates()) {
      if (r.error !== null) log.error("certificate stays as it was", { listener: r.listener, error: r.error });
      else if (r.changed) done.push(`certificate of ${r.listener}`);
    }
    return done;
  };
}

/** Whoever has written a line waits for it to act. Keys only: values may be secrets. */
export function tellOverridden(lines: readonly Overridden[], log: Pick<Log, "warn">): void {
  for (const { key, where, by } of lines) log.warn("a line of a file is not in force", { key, written: where, because: `it is set ${by}` });
}

/** Changes when the file does; "" = there is none. */
function stampOf(file: string): string {
  try {
    const s = statSync(file);
    return `${s.ino}:${s.size}:${s.mtimeMs}`;
  } catch {
    return "";
  }
}
