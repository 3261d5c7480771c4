/** Log levels, traces, access rules, diagnosis. */
import type { Trace } from "../../api/contract.ts";
import { ApiError, path } from "../client.ts";
import { type Command, type Context, Refused, subcommands, take, UsageError } from "../command.ts";

interface LogView {
  level: string;
  levels: string[];
  handlers: { id: string; level: string; destination: string }[];
}

async function put(ctx: Context, level: string, handler?: string): Promise<void> {
  try {
    await ctx.api.call("PUT", "/log", handler === undefined ? { level } : { level, handler });
  } catch (err) {
    const what = handler === undefined ? "set overall log level failed: " : "";
    if (err instanceof ApiError) throw new Refused(`[error] ${what}${err.message}`);
    throw err;
  }
}

/** Of one handler, or of the log: what is below it is dropped, whatever its handlers say. */
async function setLevel(ctx: Context, level: string, handler?: string): Promise<void> {
  await put(ctx, level, handler);
  ctx.show({ level, ...(handler !== undefined && { handler }) }, [level]);
}

/** Of the log and all its handlers. */
async function setAll(ctx: Context, level: string): Promise<void> {
  await put(ctx, level);
  const { handlers: rows } = await ctx.api.get<LogView>("/log");
  for (const { id } of rows) await put(ctx, level, id);
  ctx.show({ level }, [level]);
}

const handlers = subcommands({
  async list(ctx) {
    const { handlers: rows } = await ctx.api.get<LogView>("/log");
    ctx.show(
      rows,
      rows.map((h) => `LogHandler(id=${h.id}, level=${h.level}, destination=${h.destination})`),
    );
  },
  "set-level": (ctx, args) => {
    const [handler = "", level = ""] = take(args, 2);
    return setLevel(ctx, level, handler);
  },
});

const log = subcommands({
  "set-level": (ctx, args) => setAll(ctx, take(args, 1)[0] ?? ""),
  async "primary-level"(ctx, args) {
    const [level] = take(args, 0, 1);
    if (level !== undefined) return setLevel(ctx, level);
    const view = await ctx.api.get<LogView>("/log");
    ctx.show({ level: view.level }, [view.level]);
  },
  handlers,
});

/** How EMQ X 3.1 names in its answers what is traced. */
const WHO: Readonly<Record<Trace["kind"], string>> = { client: "client_id", topic: "topic" };

async function traces(ctx: Context): Promise<void> {
  const rows = await ctx.api.get<Trace[]>("/trace");
  ctx.show(
    rows,
    rows.map((t) => `Trace(${WHO[t.kind]}=${t.what}, level=${t.level}, destination="${t.file}")`),
  );
}

const kindOf = (word: string | undefined): Trace["kind"] => {
  if (word !== "client" && word !== "topic") throw new UsageError();
  return word;
};

async function startTrace(ctx: Context, args: readonly string[]): Promise<void> {
  const [word, what, file, level] = take(args, 3, 1);
  const kind = kindOf(word);
  try {
    await ctx.api.call("POST", "/trace", { kind, what, file, ...(level !== undefined && { level }) });
  } catch (err) {
    if (err instanceof ApiError) throw new Refused(`[error] trace ${WHO[kind]} ${what}: ${err.message}`);
    throw err;
  }
  ctx.show({ kind, what, file }, [`trace ${WHO[kind]} ${what} successfully`]);
}

async function stopTrace(ctx: Context, args: readonly string[]): Promise<void> {
  const [word, what = ""] = take(args, 2);
  const kind = kindOf(word);
  try {
    await ctx.api.call("DELETE", path`/trace/${kind}/${what}`);
  } catch (err) {
    if (err instanceof ApiError) throw new Refused(`[error] stop tracing ${WHO[kind]} ${what}: ${err.message}`);
    throw err;
  }
  ctx.show({ kind, what }, [`stop tracing ${WHO[kind]} ${what} successfully`]);
}

/** A plugin's command while the plugin is off. */
async function ofPlugin<T>(plugin: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (err) {
    if (err instanceof ApiError && err.code === 404) throw new Refused(`${plugin} is not running: plugins load ${plugin}`);
    throw err;
  }
}

const figures = (topic: string) => async (ctx: Context) => {
  const rows = await ofPlugin("emqx_recon", ctx.api.get<[string, number | string][]>(`/recon/${topic}`));
  ctx.show(
    Object.fromEntries(rows),
    rows.map(([name, value]) => `${name.padEnd(30)}: ${value}`),
  );
};

export const logCommands: readonly Command[] = [
  {
    name: "log",
    usage: [
      ["log set-level <Level>", "Set the overall log level"],
      ["log primary-level", "Show the primary log level now"],
      ["log primary-level <Level>", "Set the primary log level"],
      ["log handlers list", "Show log handlers"],
      ["log handlers set-level <HandlerId> <Level>", "Set log level of a log handler"],
    ],
    run: log,
  },
  {
    name: "trace",
    usage: [
      ["trace list", "List all traces started"],
      ["trace start client <ClientId> <File> [<Level>]", "Traces for a client"],
      ["trace stop client <ClientId>", "Stop tracing for a client"],
      ["trace start topic <Topic> <File> [<Level>]", "Traces for a topic"],
      ["trace stop topic <Topic>", "Stop tracing for a topic"],
    ],
    run: subcommands({ list: traces, start: startTrace, stop: stopTrace }),
  },
  {
    name: "acl",
    usage: [["acl reload", "reload etc/acl.conf"]],
    run: subcommands({
      async reload(ctx) {
        await ctx.api.call("PUT", "/acl/reload");
        ctx.show({ reloaded: "acl" }, ["ok"]);
      },
    }),
  },
  {
    name: "recon",
    usage: [
      ["recon memory", "Show memory of the runtime"],
      ["recon allocated", "Show live objects of the heap by kind"],
      ["recon bin_leak", "Show memory that a collection frees"],
      ["recon node_stats", "Show event loop, heap and hook handlers"],
      ["recon gc", "Collect garbage now"],
      ["recon remote_load <Mod>", "Not applicable here"],
    ],
    run: subcommands({
      memory: figures("memory"),
      allocated: figures("allocated"),
      bin_leak: figures("bin_leak"),
      node_stats: figures("node_stats"),
      gc: figures("gc"),
      async remote_load() {
        throw new Refused("not applicable: the program is one file");
      },
    }),
  },
  {
    name: "reload",
    usage: [["reload", "Read changed configuration files and certificates again"]],
    async run(ctx) {
      const done = await ofPlugin("emqx_reloader", ctx.api.call<string[]>("PUT", "/reload"));
      ctx.show(done, done.length === 0 ? ["Nothing has changed."] : done.map((what) => `reloaded: ${what}`));
    },
  },
];
