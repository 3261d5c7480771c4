/** Plugins, their configuration, and the settings that may be changed while they run. */
import { Type } from "@sinclair/typebox";
import { CODE } from "../../admin/codes.ts";
import { AdminError } from "../../admin/index.ts";
import { isQueryWord } from "../body.ts";
import { data, notFound, ok } from "../reply.ts";
import { type AnyRoute, type Call, type RouteDef, route } from "../route.ts";
import * as S from "../schemas.ts";

type Command = "load" | "unload" | "reload";

/** A word that names no plugin is an unknown path. */
const known = (handle: (call: Call, plugin: string) => Promise<Response> | Response) => (call: Call) => {
  const plugin = call.path.plugin ?? call.path.app ?? "";
  return call.admin.plugins.has(plugin) ? handle(call, plugin) : notFound();
};

const command = (name: Command) =>
  known(async ({ admin }, plugin) => {
    await admin.plugins[name](plugin);
    return ok();
  });

const DESCR: Record<Command, string> = { load: "Load a plugin", unload: "Unload a plugin", reload: "Reload a plugin" };

/** Whoever unloads or reloads is mending something; what is loaded is to be there after a restart, or it may keep out nobody then. */
const KEEPS: Record<Command, RouteDef["keeps"] & string> = { load: "or refuse", unload: "or tell", reload: "or tell" };

const commandRoutes = (name: Command): AnyRoute[] => [
  route({
    name: `${name}_plugin`,
    method: "PUT",
    path: `/nodes/:node/plugins/:plugin/${name}`,
    keeps: KEEPS[name],
    descr: DESCR[name],
    handle: command(name),
  }),
  route({
    name: `${name}_plugin_everywhere`,
    method: "PUT",
    path: `/plugins/:plugin/${name}`,
    keeps: KEEPS[name],
    descr: `${DESCR[name]} on every node`,
    handle: command(name),
  }),
];

const configBody = Type.Object({ key: Type.Optional(Type.Unknown()), value: Type.Optional(Type.Unknown()) });

/** The core is an application too, but none of its keys may be set this way: `PUT /settings` is the way. */
async function setConfig(call: Call): Promise<Response> {
  const { admin, caller, params, path } = call;
  const app = path.app ?? "";
  if (app !== "emqx" && !admin.plugins.has(app)) return notFound();
  if (app === "emqx") throw new AdminError(CODE.UNKNOWN, "no key of emqx can be set here");
  await admin.plugins.setConfig(app, params.key, params.value, caller.kind);
  return ok();
}

/** `{}` is refused, no body at all means: everything as by default (EMQ X 3.1). */
const replaceConfig = known(async ({ admin, caller, json, params }, plugin) => {
  const given = Object.fromEntries(Object.entries(params).filter(([key]) => !isQueryWord(key)));
  if (Object.keys(given).length === 0 && json !== undefined) throw new AdminError(CODE.UNKNOWN, "unknown_error");
  await admin.plugins.replacePluginConfig(plugin, given, caller.kind);
  return ok();
});

const testBody = Type.Object({
  settings: Type.Optional(Type.Record(Type.String(), Type.String())),
  client_id: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  ip_address: Type.Optional(Type.String()),
  action: Type.Optional(Type.Union([Type.Literal("publish"), Type.Literal("subscribe")])),
  topic: Type.Optional(Type.String()),
});

export const pluginRoutes: readonly AnyRoute[] = [
  route({
    name: "list_all_plugins",
    method: "GET",
    path: "/plugins/",
    descr: "List all plugins in the cluster",
    data: S.list(S.nodePlugins),
    handle: ({ admin }) => data(admin.plugins.all()),
  }),
  route({
    name: "list_node_plugins",
    method: "GET",
    path: "/nodes/:node/plugins/",
    descr: "List all plugins on a node",
    data: S.list(S.plugin),
    handle: ({ admin }) => data(admin.plugins.list()),
  }),
  ...commandRoutes("load"),
  ...commandRoutes("unload"),
  ...commandRoutes("reload"),
  route({
    name: "get_all_configs",
    method: "GET",
    path: "/configs/",
    descr: "Get all configs",
    data: S.list(S.nodeConfigs),
    handle: ({ admin }) => data(admin.plugins.allConfigs()),
  }),
  route({
    name: "get_all_configs",
    method: "GET",
    path: "/nodes/:node/configs/",
    descr: "Get all configs of a node",
    data: S.list(S.configItem),
    handle: ({ admin }) => data(admin.plugins.configs()),
  }),
  route({
    name: "update_config",
    method: "PUT",
    path: "/configs/:app",
    keeps: "or tell",
    descr: "Update config of an application in the cluster",
    body: configBody,
    handle: setConfig,
  }),
  route({
    name: "update_node_config",
    method: "PUT",
    path: "/nodes/:node/configs/:app",
    keeps: "or tell",
    descr: "Update config of an application on a node",
    body: configBody,
    handle: setConfig,
  }),
  route({
    name: "get_plugin_configs",
    method: "GET",
    path: "/nodes/:node/plugin_configs/:plugin",
    descr: "Get configurations of a plugin on the node",
    data: S.list(S.pluginConfigRow),
    handle: known(({ admin }, plugin) => data(admin.plugins.pluginConfig(plugin))),
  }),
  route({
    name: "update_plugin_configs",
    method: "PUT",
    path: "/nodes/:node/plugin_configs/:plugin",
    keeps: "or tell",
    descr: "Update configurations of a plugin on the node",
    body: Type.Object({}, { additionalProperties: true }),
    handle: replaceConfig,
  }),
  route({
    name: "test_plugin",
    method: "POST",
    path: "/nodes/:node/plugins/:plugin/test",
    descr: "Try settings of a plugin that are not saved: connect, authenticate, and ask for a right",
    body: testBody,
    strict: true,
    data: S.list(S.pluginTestStep),
    handle: async ({ admin, path, params }) => {
      const { plugin = "" } = path;
      return admin.plugins.has(plugin) ? data(await admin.plugins.test(plugin, params)) : notFound();
    },
  }),
];
