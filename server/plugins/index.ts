/** Every plugin of this build, in alphabetical order. This is the only list. */
import { authClientid } from "./auth_clientid/index.ts";
import { authUsername } from "./auth_username/index.ts";
import { dashboard } from "./dashboard/index.ts";
import { delayedPublish } from "./delayed_publish/index.ts";
import { management } from "./management/index.ts";
import type { AnyPlugin, ConfigTable } from "./plugin.ts";
import { pluginTemplate } from "./plugin_template/index.ts";
import { recon } from "./recon/index.ts";
import { reloader } from "./reloader/index.ts";
import { retainer } from "./retainer/index.ts";

export const PLUGINS: readonly AnyPlugin[] = [
  authClientid,
  authUsername,
  dashboard,
  delayedPublish,
  management,
  pluginTemplate,
  recon,
  reloader,
  retainer,
];

/** Their configuration tables, for the loader. */
export const pluginTables: readonly { app: string; table: ConfigTable }[] = PLUGINS.map((p) => ({ app: p.name, table: p.config }));
