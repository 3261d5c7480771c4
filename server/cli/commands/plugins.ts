/** Plugins and listeners. */
import { setTimeout } from "node:timers/promises";
import type { Listener, Plugin, PluginConfigRow, PluginServer, PluginTestStep } from "../../api/contract.ts";
import { ApiError, path } from "../client.ts";
import { type Command, type Context, given, Refused, subcommands, take } from "../command.ts";
import { stepLines } from "../steps.ts";

/** A plugin that was loaded has so long to reach its server before that is told, ms. */
const REACHED_MS = 3000;
const LOOK_MS = 100;

const all = async (ctx: Context): Promise<Plugin[]> => ctx.api.get<Plugin[]>(`/nodes/${await ctx.api.node()}/plugins`);

async function listPlugins(ctx: Context): Promise<void> {
  const plugins = await all(ctx);
  ctx.show(
    plugins,
    plugins.map((p) => `Plugin(${p.name}, version=${p.version}, description=${p.description}, active=${p.active})`),
  );
}

const isRequired = async (ctx: Context, name: string): Promise<boolean> => (await all(ctx)).some((p) => p.name === name && p.required);

/** The servers of a plugin, when it has found out about them or the time is over. */
async function serversOf(ctx: Context, name: string): Promise<PluginServer[]> {
  const end = performance.now() + REACHED_MS;
  for (;;) {
    const servers = (await all(ctx)).find((p) => p.name === name)?.status?.servers ?? [];
    if (performance.now() >= end || servers.every(({ state }) => state !== "connecting")) return servers;
    await setTimeout(LOOK_MS);
  }
}

function unreachedLines({ what, state, last_error }: PluginServer): string[] {
  if (state === "up") return [];
  const why = last_error === null ? "" : `: ${last_error}`;
  return [state === "connecting" ? `${what} has not answered within ${REACHED_MS / 1000} s${why}` : `${what} is ${state}${why}`];
}

const FAILED = { load: "load", unload: "unload", reload: "Reload" } as const;

const command = (verb: "load" | "unload" | "reload") => async (ctx: Context, args: readonly string[]) => {
  const [plugin = ""] = take(args, 1);
  try {
    await ctx.api.call("PUT", path`/nodes/${await ctx.api.node()}/plugins/${plugin}/${verb}`);
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    // With the blank that EMQ X 3.1 prints at its end.
    if (verb === "unload" && (await isRequired(ctx, plugin))) throw new Refused(`Plugin ${plugin} can not be unloaded `);
    throw new Refused(`${FAILED[verb]} plugin error: ${err.code === 404 ? "not_found" : err.message}`);
  }
  const done = `Plugin ${plugin} ${verb}ed successfully.`;
  const servers = verb === "load" ? await serversOf(ctx, plugin) : [];
  const value = { plugin, done: verb, ...(servers.length > 0 && { servers }) };
  ctx.show(value, [...(verb === "load" ? [`Start apps: [${plugin}]`] : []), done, ...servers.flatMap(unreachedLines)]);
};

async function config(ctx: Context, args: readonly string[]): Promise<void> {
  const [plugin = ""] = take(args, 1);
  const rows = await ctx.api.get<PluginConfigRow[]>(path`/nodes/${await ctx.api.node()}/plugin_configs/${plugin}`);
  const lines = rows.map((r) => (r.required ? `${r.key} = ${r.value}` : `## ${r.key} = ${r.default}`));
  ctx.show(rows, lines);
}

/** With the settings as they are: does its server answer, and who would be let in? What is not allowed fails. */
async function test(ctx: Context, args: readonly string[]): Promise<void> {
  const [plugin = "", ...words] = take(args, 1, 4);
  const [username, password, action, topic] = words.map(given);
  const request = { username, password: ctx.password ?? password, action, topic };
  const asked = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  const where = path`/nodes/${await ctx.api.node()}/plugins/${plugin}/test`;
  const steps = await ctx.api.call<PluginTestStep[]>("POST", where, asked);
  ctx.show(steps, steps.flatMap(stepLines));
  const wanted = [...("username" in asked || "password" in asked ? ["authenticate"] : []), ...("action" in asked ? ["acl"] : [])];
  const fault = faultOf(steps, wanted);
  if (fault !== null) throw new Refused(ctx.json ? "" : fault);
}

/** Why not all that was asked is allowed, or, when nothing was, why it is not connected; null = it is. */
function faultOf(steps: readonly PluginTestStep[], wanted: readonly string[]): string | null {
  const failed = steps.find((s) => s.verdict === "error");
  if (failed !== undefined) return `Error: ${failed.step}: ${failed.why}`;
  for (const name of wanted) {
    const found = steps.find((s) => s.step === name);
    if (found === undefined) return `Not allowed: ${name}: the plugin decides nothing of it`;
    if (found.verdict !== "allow") return `Not allowed: ${name}: ${found.verdict}: ${found.why}`;
  }
  return null;
}

/** As Erlang prints a property list. */
const counts = (c: Listener["shutdown_count"]): string =>
  `[${Object.entries(c)
    .map(([reason, n]) => `{${reason},${n}}`)
    .join(",")}]`;

function listenerLines(l: Listener): string[] {
  const figures = {
    acceptors: l.acceptors,
    max_conns: l.max_conns,
    current_conn: l.current_conns,
    shutdown_count: counts(l.shutdown_count),
  };
  return [
    `listener on ${l.protocol}:${l.listen_on}${l.running ? "" : " (stopped)"}`,
    ...Object.entries(figures).map(([k, v]) => `  ${k.padEnd(16)}: ${v}`),
  ];
}

async function listListeners(ctx: Context): Promise<void> {
  const rows = await ctx.api.get<Listener[]>(`/nodes/${await ctx.api.node()}/listeners`);
  ctx.show(rows, rows.flatMap(listenerLines));
}

const DONE = { stop: "Stop", start: "Start", restart: "Restart" } as const;

const listenerCommand = (verb: keyof typeof DONE) => async (ctx: Context, args: readonly string[]) => {
  const [protocol = "", port = ""] = take(args, 2);
  try {
    await ctx.api.call("PUT", path`/nodes/${await ctx.api.node()}/listeners/${protocol}/${port}/${verb}`);
  } catch (err) {
    if (err instanceof ApiError) throw new Refused(`Failed to ${verb} ${protocol} listener on ${port}, error:${err.message}`);
    throw err;
  }
  ctx.show({ protocol, port, done: verb }, [`${DONE[verb]} ${protocol} listener on ${port} successfully.`]);
};

export const pluginCommands: readonly Command[] = [
  {
    name: "plugins",
    usage: [
      ["plugins list", "Show loaded plugins"],
      ["plugins load <Plugin>", "Load plugin"],
      ["plugins unload <Plugin>", "Unload plugin"],
      ["plugins reload <Plugin>", "Reload plugin"],
      ["plugins config <Plugin>", "Show the configuration of a plugin"],
      ["plugins test <Plugin> [<Username> [<Password> [<Action> <Topic>]]]", "Ask its server, with the settings as they are; - = none"],
    ],
    run: subcommands({ list: listPlugins, load: command("load"), unload: command("unload"), reload: command("reload"), config, test }),
  },
  {
    name: "listeners",
    usage: [
      ["listeners", "List listeners"],
      ["listeners stop <Proto> <Port>", "Stop a listener"],
      ["listeners start <Proto> <Port>", "Start a stopped listener"],
      ["listeners restart <Proto> <Port>", "Restart a listener"],
    ],
    run: subcommands({
      "": listListeners,
      list: listListeners,
      stop: listenerCommand("stop"),
      start: listenerCommand("start"),
      restart: listenerCommand("restart"),
    }),
  },
];
