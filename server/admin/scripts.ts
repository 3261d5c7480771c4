/** Scripts of emqx_lua_hook. */
import type { ScriptCommand, ScriptErrorView, ScriptRowView, ScriptsService } from "../plugins/services.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import type { Script, ScriptErrorRow } from "./extra_rows.ts";
import { notFound, notRunning } from "./refusals.ts";

const PLUGIN = "emqx_lua_hook";

function scriptRow({ loadedAt, retryAt, callbacks, ...rest }: ScriptRowView): Script {
  const sum = (of: "calls" | "errors"): number => callbacks.reduce((n, c) => n + c[of], 0);
  return {
    ...rest,
    callbacks: [...callbacks],
    calls: sum("calls"),
    errors: sum("errors"),
    loaded_ms: loadedAt ?? 0,
    retry_ms: retryAt ?? 0,
  };
}

const errorRow = ({ at, ...rest }: ScriptErrorView): ScriptErrorRow => ({ at_ms: at, ...rest });

export function createScripts({ broker, plugins }: AdminDeps) {
  function service(): ScriptsService {
    const running = plugins.service(PLUGIN);
    if (!running) throw notRunning(PLUGIN);
    return running;
  }

  return {
    /** @throws AdminError 102 */
    list: (): Script[] => service().list().map(scriptRow),
    /** For whoever gathers metrics; none while the plugin is off. */
    figures: (): Script[] => plugins.service(PLUGIN)?.list().map(scriptRow) ?? [],
    /** Newest first. @throws AdminError 102 */
    errors(name: string): ScriptErrorRow[] {
      const errors = service().errors(name);
      if (errors === undefined) throw notFound();
      return errors.map(errorRow);
    },
    /** @throws AdminError 102 with the reason */
    async command(command: ScriptCommand, name: string): Promise<void> {
      const refused = await service().command(command, name);
      broker.flush();
      if (refused !== null) throw new AdminError(CODE.UNKNOWN, refused);
    },
  };
}
