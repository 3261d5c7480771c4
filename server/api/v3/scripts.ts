/** Scripts on hooks (emqx_lua_hook). */
import type { ScriptCommand } from "../contract.ts";
import { data, ok } from "../reply.ts";
import { type AnyRoute, route } from "../route.ts";
import * as S from "../schemas.ts";
import * as R from "../script_schemas.ts";

const DESCR: Record<ScriptCommand, string> = {
  load: "Load a script, until the plugin starts again",
  unload: "Unload a script, until the plugin starts again",
  reload: "Load the file of a script again; where that fails, the former version goes on",
  enable: "Give the file of a script its name back, and load it",
  disable: "Unload a script, and rename its file, so that it stays unloaded",
};

const commandRoute = (command: ScriptCommand): AnyRoute =>
  route({
    name: `${command}_script`,
    method: "POST",
    path: `/lua_hook/scripts/:name/${command}`,
    descr: DESCR[command],
    plugin: "emqx_lua_hook",
    handle: async ({ admin, path }) => {
      await admin.scripts.command(command, path.name ?? "");
      return ok();
    },
  });

export const scriptRoutes: readonly AnyRoute[] = [
  route({
    name: "list_scripts",
    method: "GET",
    path: "/lua_hook/scripts",
    descr: "List scripts, in the order in which they are asked",
    plugin: "emqx_lua_hook",
    data: S.list(R.script),
    handle: ({ admin }) => data(admin.scripts.list()),
  }),
  route({
    name: "list_script_errors",
    method: "GET",
    path: "/lua_hook/scripts/:name/errors",
    descr: "The last 50 errors of a script, newest first",
    plugin: "emqx_lua_hook",
    data: S.list(R.scriptError),
    handle: ({ admin, path }) => data(admin.scripts.errors(path.name ?? "")),
  }),
  commandRoute("load"),
  commandRoute("unload"),
  commandRoute("reload"),
  commandRoute("enable"),
  commandRoute("disable"),
];
