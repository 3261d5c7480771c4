/** Messages the broker holds, and publishing one; alarms; settings. */
import type { Alarm, AlarmHistory, Delayed, Setting, SettingsApplied } from "../../api/contract.ts";
import { ApiError, path } from "../client.ts";
import { type Command, type Context, Refused, subcommands, take, UsageError } from "../command.ts";

async function cleanRetained(ctx: Context, args: readonly string[]): Promise<void> {
  const [topic] = take(args, 0, 1);
  let n = 0;
  if (topic === undefined) {
    // `#` leaves out the topics that begin with `$`.
    for (const filter of ["#", "$SYS/#"])
      n += (await ctx.api.call<{ deleted: number }>("DELETE", "/retained", { _filter: filter })).deleted;
  } else if (/[+#]/.test(topic)) {
    n = (await ctx.api.call<{ deleted: number }>("DELETE", "/retained", { _filter: topic })).deleted;
  } else n = await removeOne(ctx, topic);
  ctx.show({ deleted: n }, [`Cleaned ${n} retained messages`]);
}

async function removeOne(ctx: Context, topic: string): Promise<number> {
  try {
    await ctx.api.call("DELETE", path`/retained/${topic}`);
    return 1;
  } catch (err) {
    if (err instanceof ApiError && err.message === "not_found") return 0;
    throw err;
  }
}

const retainer = subcommands({
  async info(ctx) {
    const stats = await ctx.api.get<Record<string, number>>(`/nodes/${await ctx.api.node()}/stats`);
    const total = stats["retained/count"] ?? 0;
    ctx.show({ "retained/total": total }, [`retained/total: ${total}`]);
  },
  async topics(ctx) {
    const topics: string[] = [];
    for await (const { topic } of ctx.api.rows<{ topic: string }>("/retained")) {
      if (ctx.json) topics.push(topic);
      else ctx.out(topic);
    }
    if (ctx.json) ctx.show(topics, []);
  },
  clean: cleanRetained,
});

const delayed = subcommands({
  async list(ctx) {
    const rows: Delayed[] = [];
    for await (const row of ctx.api.rows<Delayed>("/delayed")) rows.push(row);
    ctx.show(
      rows,
      rows.map((d) => `Delayed(${d.id}, topic=${d.topic}, qos=${d.qos}, due_at=${Math.floor(d.due_at_ms / 1000)})`),
    );
  },
  async del(ctx, args) {
    const [id = ""] = take(args, 1);
    await ctx.api.call("DELETE", path`/delayed/${id}`);
    ctx.show({ deleted: id }, ["ok"]);
  },
  async send(ctx, args) {
    const [id = ""] = take(args, 1);
    await ctx.api.call("POST", path`/delayed/${id}/send`);
    ctx.show({ sent: id }, ["ok"]);
  },
});

async function publish(ctx: Context, args: readonly string[]): Promise<void> {
  const retain = args.includes("-r") || args.includes("--retain");
  const [topic, payload, qos = "0"] = take(
    args.filter((a) => a !== "-r" && a !== "--retain"),
    2,
    1,
  );
  if (!/^[012]$/.test(qos)) throw new UsageError();
  await ctx.api.call("POST", "/mqtt/publish", { topic, payload, qos: Number(qos), retain, client_id: "ctl" });
  ctx.show({ published: topic }, ["ok"]);
}

const descOf = (desc: Alarm["desc"]): string => (typeof desc === "string" ? desc : `${desc.severity}: ${desc.title} (${desc.summary})`);

const alarms = subcommands({
  async list(ctx) {
    const rows = await ctx.api.get<Alarm[]>(`/alarms/present/${await ctx.api.node()}`);
    ctx.show(
      rows,
      rows.map((a) => `Alarm(${a.id}, desc=${descOf(a.desc)}, raised_at=${Math.floor(a.raised_at_ms / 1000)})`),
    );
  },
  async history(ctx) {
    const rows = await ctx.api.get<AlarmHistory[]>(`/alarms/history/${await ctx.api.node()}`);
    ctx.show(
      rows,
      rows.map((a) => `Alarm(${a.id}, desc=${descOf(a.desc)}, cleared at ${a.clear_at})`),
    );
  },
  async clean(ctx) {
    await ctx.api.call("DELETE", "/alarms/history");
    ctx.show({ ok: true }, ["ok"]);
  },
});

async function change(ctx: Context, changes: Record<string, string | null>): Promise<void> {
  const done = await ctx.api.call<SettingsApplied>("PUT", "/settings", changes);
  ctx.show(done, [...done.applied.map((k) => `${k}: in force now`), ...done.restart.map((k) => `${k}: in force after a restart`)]);
}

const settings = subcommands({
  async list(ctx, args) {
    const [part = ""] = take(args, 0, 1);
    const rows = await ctx.api.get<Setting[]>(path`/settings?_like_key=${part}`);
    ctx.show(
      rows,
      rows.map(
        (s) =>
          `${s.key} = ${s.value}${s.origin === "default" ? "" : `  # ${s.origin}`}${s.unused ? `  # not in force: ${s.unused.value}` : ""}`,
      ),
    );
  },
  async show(ctx, args) {
    const [key = ""] = take(args, 1);
    const rows = await ctx.api.get<Setting[]>(path`/settings?_like_key=${key}`);
    const found = rows.find((s) => s.key === key);
    if (!found) throw new Refused("Not Found.");
    ctx.show(found, [
      `${found.key} = ${found.value}`,
      ...(found.doc === "" ? [] : [found.doc]),
      `type: ${found.type}${found.enum ? ` (${found.enum.join(", ")})` : ""}`,
      `default: ${found.default}`,
      `origin: ${found.origin}`,
      `change: ${found.live ? "acts at once" : "acts after a restart"}`,
      ...(found.unused ? [`not in force: ${found.unused.value} (${found.unused.why})`] : []),
    ]);
  },
  set(ctx, args) {
    const [key = "", value = ""] = take(args, 2);
    return change(ctx, { [key]: value });
  },
  reset(ctx, args) {
    const [key = ""] = take(args, 1);
    return change(ctx, { [key]: null });
  },
});

export const messageCommands: readonly Command[] = [
  {
    name: "retainer",
    usage: [
      ["retainer info", "Show the count of retained messages"],
      ["retainer topics", "Show all topics of retained messages"],
      ["retainer clean", "Clean all retained messages"],
      ["retainer clean <Topic>", "Clean retained messages of a topic or topic filter"],
    ],
    run: retainer,
  },
  {
    name: "delayed",
    usage: [
      ["delayed list", "List messages that wait for their time"],
      ["delayed del <Id>", "Cancel a delayed message"],
      ["delayed send <Id>", "Publish a delayed message now"],
    ],
    run: delayed,
  },
  {
    name: "publish",
    usage: [["publish <Topic> <Payload> [<QoS>] [--retain]", "Publish a message"]],
    run: publish,
  },
  {
    name: "alarms",
    usage: [
      ["alarms list", "List alarms that stand"],
      ["alarms history", "List alarms that were cleared"],
      ["alarms clean", "Forget the alarms that were cleared"],
    ],
    run: alarms,
  },
  {
    name: "settings",
    usage: [
      ["settings list [<Part>]", "List configuration keys and where their values come from"],
      ["settings show <Key>", "Show a configuration key"],
      ["settings set <Key> <Value>", "Change a configuration key, for good"],
      ["settings reset <Key>", "Back to what file, environment or default say"],
    ],
    run: settings,
  },
];
