/** `luahook`: scripts on hooks, in the words of EMQ X 3.1; `list` and `errors` are ours. */
import type { Script, ScriptErrorRow } from "../../api/contract.ts";
import { formatLocalTime } from "../../lib/time_format.ts";
import { ApiError, path } from "../client.ts";
import { type Command, type Context, Refused, subcommands, take } from "../command.ts";

const WORDS = {
  load: { done: "Load", failed: (s: string) => `Load ${s} error` },
  reload: { done: "Reload", failed: (s: string) => `Reload ${s} error` },
  unload: { done: "Unload", failed: (s: string) => `Unload ${s} error` },
  enable: { done: "Enable", failed: (s: string) => `Fail to enable ${s}` },
  disable: { done: "Disable", failed: (s: string) => `Fail to disable ${s}` },
} as const;

/** EMQ X 3.1 tells why a file cannot be renamed, and of all else only that it failed. */
const command = (verb: keyof typeof WORDS) => async (ctx: Context, args: readonly string[]) => {
  const [name = ""] = take(args, 1);
  // As Erlang prints a text.
  const quoted = JSON.stringify(name);
  try {
    await ctx.api.call("POST", path`/lua_hook/scripts/${name}/${verb}`);
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    const why = err.code === 404 ? "emqx_lua_hook is not running" : err.message;
    const { failed } = WORDS[verb];
    throw new Refused(verb === "enable" || verb === "disable" ? `${failed(quoted)} due to ${why}` : `${failed(quoted)}\n${why}`);
  }
  ctx.show({ script: name, done: verb }, [`${WORDS[verb].done} ${quoted} successfully`]);
};

async function list(ctx: Context, args: readonly string[]): Promise<void> {
  take(args, 0);
  const scripts = await asked(ctx.api.get<Script[]>("/lua_hook/scripts"));
  ctx.show(
    scripts,
    scripts.flatMap((s) => [
      `Script(${s.name}, state=${s.state}, calls=${s.calls}, errors=${s.errors}, overruns=${s.overruns}, skipped=${s.skipped}, callbacks=${s.callbacks.map((c) => c.name).join(",")})`,
      ...(s.error === null ? [] : [`  ${s.error}`]),
      ...(s.retry_ms === 0 ? [] : [`  it is tried again at ${formatLocalTime(s.retry_ms)}`]),
    ]),
  );
}

async function errors(ctx: Context, args: readonly string[]): Promise<void> {
  const [name = ""] = take(args, 1);
  const rows = await asked(ctx.api.get<ScriptErrorRow[]>(path`/lua_hook/scripts/${name}/errors`));
  ctx.show(
    rows,
    rows.map((e) => `${formatLocalTime(e.at_ms)} ${e.callback ?? "load"}${e.line === null ? "" : `, line ${e.line}`}: ${e.message}`),
  );
}

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (err) {
    if (err instanceof ApiError && err.code === 404) throw new Refused("emqx_lua_hook is not running");
    throw err;
  }
}

export const scriptCommands: readonly Command[] = [
  {
    name: "luahook",
    usage: [
      ["luahook load <Script>", "load lua script into hook"],
      ["luahook unload <Script>", "unload lua script from hook"],
      ["luahook reload <Script>", "reload lua script into hook"],
      ["luahook enable <Script>", "enable lua script and load it into hook"],
      ["luahook disable <Script>", "unload lua script out of hook and disable it"],
      ["luahook list", "List scripts with their figures"],
      ["luahook errors <Script>", "Show the last errors of a script"],
    ],
    run: subcommands({
      load: command("load"),
      unload: command("unload"),
      reload: command("reload"),
      enable: command("enable"),
      disable: command("disable"),
      list,
      errors,
    }),
  },
];
