/** EMQ X's list of loaded plugins, for the first start on a data directory. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import type { Log } from "../core/ports.ts";
import { parseTerms, printTerm, type Term } from "../lib/erlang_term.ts";
import { whyUnreadable } from "../lib/file_errors.ts";

/**
 * Names of the plugins that `plugins.loaded_file` says run: `emqx_recon.` (EMQ X 3.1) or `{emqx_recon, true}.` (3.2). null = there is
 * no such list, or none that can be read: that is told, and the plugins' own defaults stand.
 */
export function loadedPlugins(config: Config, dataDir: string, log: Pick<Log, "warn">): ReadonlySet<string> | null {
  const key = "plugins.loaded_file";
  const isDefault = config.origin(key) === "default";
  const file = isDefault ? join(dataDir, "loaded_plugins") : String(config.get(key));
  try {
    return new Set(parseTerms(readFileSync(file, "utf8")).flatMap(nameOf));
  } catch (err) {
    if ((err as { code?: string }).code !== "ENOENT")
      log.warn("the list of loaded plugins is not used: which plugins run is as by default", { file, error: whyUnreadable(err) });
    return null;
  }
}

function nameOf(term: Term): string[] {
  if (term.kind === "atom") return [term.value];
  const [name, loaded] = term.kind === "tuple" ? term.items : [];
  if (name?.kind === "atom" && loaded?.kind === "atom") return loaded.value === "true" ? [name.value] : [];
  throw new Error(`line ${term.line}: expected emqx_name. or {emqx_name, true}., found ${printTerm(term).slice(0, 80)}`);
}
