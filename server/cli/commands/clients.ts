/** Clients, sessions, routes, subscriptions. */

import { CODE } from "../../admin/codes.ts";
import type { Connection, Route, Session, Subscription } from "../../api/contract.ts";
import { ApiError, path } from "../client.ts";
import { type Command, type Context, Refused, subcommands, take, UsageError } from "../command.ts";

const unix = (ms: number): number => Math.floor(ms / 1000);
const fields = (kind: string, id: string, values: Readonly<Record<string, unknown>>): string =>
  `${kind}(${[id, ...Object.entries(values).map(([k, v]) => `${k}=${v}`)].join(", ")})`;

const clientLine = (c: Connection): string =>
  fields("Connection", c.client_id, {
    clean_start: c.clean_start,
    username: c.username,
    peername: `${c.ipaddress}:${c.port}`,
    connected_at: unix(c.connected_at_ms),
  });

const sessionLine = (s: Session): string =>
  fields("Session", s.client_id, {
    clean_start: s.clean_start,
    expiry_interval: s.expiry_interval,
    subscriptions_count: s.subscriptions_count,
    max_inflight: s.max_inflight,
    inflight: s.inflight_len,
    mqueue_len: s.mqueue_len,
    mqueue_dropped: s.mqueue_dropped,
    awaiting_rel: s.awaiting_rel_len,
    deliver_msg: s.deliver_msg,
    enqueue_msg: s.enqueue_msg,
    created_at: unix(s.created_at_ms),
  });

const routeLine = (r: Route): string => `${r.topic} -> ${r.node}`;

function subscriptionLine(s: Subscription): string {
  const prefix = s.share === "undefined" ? "" : s.share === "$queue" ? "$queue/" : `$share/${s.share}/`;
  return `${s.client_id} -> ${prefix}${s.topic}`;
}

/** A whole list: lines as they come, or one JSON array. */
function listAll<Row>(where: string, line: (row: Row) => string) {
  return async (ctx: Context, args: readonly string[]): Promise<void> => {
    take(args, 0);
    const rows: Row[] = [];
    for await (const row of ctx.api.rows<Row>(where)) {
      if (ctx.json) rows.push(row);
      else ctx.out(line(row));
    }
    if (ctx.json) ctx.show(rows, []);
  };
}

/** What a look-up finds; nothing is `Not Found.` */
function showOne<Row>(where: (id: string) => string, line: (row: Row) => string) {
  return async (ctx: Context, args: readonly string[]): Promise<void> => {
    const [id = ""] = take(args, 1);
    const rows = await ctx.api.get<Row[]>(where(id));
    if (rows.length === 0) throw new Refused("Not Found.");
    ctx.show(rows, rows.map(line));
  };
}

async function kick(ctx: Context, args: readonly string[]): Promise<void> {
  const [id = ""] = take(args, 1);
  try {
    await ctx.api.call("DELETE", path`/connections/${id}`);
  } catch (err) {
    throw err instanceof ApiError && err.code === CODE.CLIENT_OFFLINE ? new Refused("Not Found.") : err;
  }
  ctx.show({ kicked: id }, ["ok"]);
}

async function changeSubscription(ctx: Context, verb: "subscribe" | "unsubscribe", body: object): Promise<void> {
  try {
    await ctx.api.call("POST", `/mqtt/${verb}`, body);
  } catch (err) {
    throw err instanceof ApiError && err.code === CODE.CLIENT_OFFLINE ? new Refused("Error: Session not found!") : err;
  }
  ctx.show({ ok: true }, ["ok"]);
}

async function add(ctx: Context, args: readonly string[]): Promise<void> {
  const [client_id, topic, qos = ""] = take(args, 3);
  if (!/^[012]$/.test(qos)) throw new Refused("QoS should be 0, 1, 2");
  await changeSubscription(ctx, "subscribe", { client_id, topic, qos: Number(qos) });
}

async function del(ctx: Context, args: readonly string[]): Promise<void> {
  const [client_id, topic] = take(args, 2);
  await changeSubscription(ctx, "unsubscribe", { client_id, topic });
}

/** Forget the session of an absent client. */
async function removeSession(ctx: Context, args: readonly string[]): Promise<void> {
  const [id = ""] = take(args, 1);
  await ctx.api.call("DELETE", path`/sessions/persistent/${id}`);
  ctx.show({ deleted: id }, ["ok"]);
}

export const clientCommands: readonly Command[] = [
  {
    name: "clients",
    usage: [
      ["clients list", "List all clients"],
      ["clients show <ClientId>", "Show a client"],
      ["clients kick <ClientId>", "Kick out a client"],
    ],
    run: subcommands({ list: listAll("/connections", clientLine), show: showOne((id) => path`/connections/${id}`, clientLine), kick }),
  },
  {
    name: "sessions",
    usage: [
      ["sessions list", "List all sessions"],
      ["sessions show <ClientId>", "Show a session"],
      ["sessions delete <ClientId>", "Delete the session of an absent client"],
    ],
    run: subcommands({
      list: listAll("/sessions", sessionLine),
      show: showOne((id) => path`/sessions/${id}`, sessionLine),
      delete: removeSession,
    }),
  },
  {
    name: "routes",
    usage: [
      ["routes list", "List all routes"],
      ["routes show <Topic>", "Show a route"],
    ],
    run: subcommands({ list: listAll("/routes", routeLine), show: showOne((topic) => path`/routes/${topic}`, routeLine) }),
  },
  {
    name: "subscriptions",
    usage: [
      ["subscriptions list", "List all subscriptions"],
      ["subscriptions show <ClientId>", "Show subscriptions of a client"],
      ["subscriptions add <ClientId> <Topic> <QoS>", "Add a static subscription manually"],
      ["subscriptions del <ClientId> <Topic>", "Delete a static subscription manually"],
    ],
    run: subcommands({
      list: listAll("/subscriptions", subscriptionLine),
      show: showOne((id) => path`/subscriptions/${id}`, subscriptionLine),
      add: (ctx, args) => (args.length === 3 ? add(ctx, args) : Promise.reject(new UsageError())),
      del,
    }),
  },
];
