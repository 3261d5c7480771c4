/** Plugins and listeners. */
import type { Listener, Plugin, PluginConfigRow, PluginTestStep } from "../../api/contract.ts";
import { askedLines } from "../asked_lines.ts";
import { ApiError, path } from "../client.ts";
import { type Command, type Context, Refused, subcommands, take } from "../command.ts";

async function listPlugins(ctx: Context): Promise<void> {
  const plugins = await ctx.api.get<Plugin[]>(`/nodes/${await ctx.api.node()}/plugins`);
  ctx.show(
    plugins,
    plugins.map((p) => `Plugin(${p.name}, version=${p.version}, description=${p.description}, active=${p.active})`),
  );
}

const isRequired = async (ctx: Context, name: string): Promise<boolean> =>
  (await ctx.api.get<Plugin[]>(`/nodes/${await ctx.api.node()}/plugins`)).some((p) => p.name === name && p.required);

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
  ctx.show({ plugin, done: verb }, verb === "load" ? [`Start apps: [${plugin}]`, done] : [done]);
};

async function config(ctx: Context, args: readonly string[]): Promise<void> {
  const [plugin = ""] = take(args, 1);
  const rows = await ctx.api.get<PluginConfigRow[]>(path`/nodes/${await ctx.api.node()}/plugin_configs/${plugin}`);
  const lines = rows.map((r) => (r.required ? `${r.key} = ${r.value}` : `## ${r.key} = ${r.default}`));
  ctx.show(rows, lines);
}

/** With the settings as they are: does its server answer, and who would be let in? */
async function test(ctx: Context, args: readonly string[]): Promise<void> {
  const [plugin = "", username, password, action, topic] = take(args, 1, 4);
  const steps = await ctx.api.call<PluginTestStep[]>("POST", path`/nodes/${await ctx.api.node()}/plugins/${plugin}/test`, {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(action !== undefined && { action }),
    ...(topic !== undefined && { topic }),
  });
  ctx.show(steps, steps.flatMap(testLines));
  const failed = steps.find((s) => s.verdict === "error");
  if (failed !== undefined) throw new Refused(`Error: ${failed.step}: ${failed.why}`);
}

function testLines({ step, verdict, why, ms, asked }: PluginTestStep): string[] {
  return [`${step.padEnd(12)} ${verdict.padEnd(6)} ${why} (${ms.toFixed(1)} ms)`, ...askedLines(asked, " ".repeat(13))];
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
      ["plugins test <Plugin> [<Username> [<Password> [<Action> <Topic>]]]", "Ask its server, with the settings as they are"],
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
