import { resolve } from "node:path";
import type { Config } from "../config/config.ts";

/** Under the data directory: every file there is run, and the working directory may be anybody's. "" = no plugins of other people. */
export function pluginsDir(config: Config, dataDir: string): string {
  const dir = String(config.get("plugins.expand_plugins_dir"));
  return dir === "" ? "" : resolve(dataDir, dir);
}
