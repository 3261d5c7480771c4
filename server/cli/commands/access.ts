/** Who may call the API, log in to the dashboard, connect; and who may not. */
import type { App, AppRow, Banned, User } from "../../api/contract.ts";
import { ApiError, path } from "../client.ts";
import { type Command, Refused, subcommands, take, UsageError } from "../command.ts";

const pairs = (row: object): string[] => Object.entries(row).map(([k, v]) => `${k}: ${v}`);

/** What may be said of an application: EMQ X 3.1 took any word, and none but `true` let it in; its own examples say `stop`. */
const STATUS: Readonly<Record<string, boolean>> = { true: true, start: true, false: false, stop: false };

const mgmt = subcommands({
  async list(ctx, args) {
    take(args, 0);
    const apps: App[] = [];
    // The list of the API has no secrets, that of EMQ X 3.1's command line has.
    for (const { app_id } of await ctx.api.get<AppRow[]>("/apps")) {
      const app = await ctx.api.get<App | []>(path`/apps/${app_id}`);
      if (!Array.isArray(app)) apps.push(app);
    }
    ctx.show(
      apps,
      apps.map((a) => pairs(a).join(", ")),
    );
  },
  async insert(ctx, args) {
    const [app_id, name] = take(args, 2);
    const { secret } = await ctx.api.call<{ secret: string }>("POST", "/apps", { app_id, name, desc: "Application user", status: true });
    ctx.show({ app_id, secret }, [`AppSecret: ${secret}`]);
  },
  async update(ctx, args) {
    const [id = "", word = ""] = take(args, 2);
    if (!Object.hasOwn(STATUS, word)) throw new UsageError();
    const status = STATUS[word];
    await ctx.api.call("PUT", path`/apps/${id}`, { status });
    ctx.show({ app_id: id, status }, ["update successfully."]);
  },
  async lookup(ctx, args) {
    const [id = ""] = take(args, 1);
    const app = await ctx.api.get<App | []>(path`/apps/${id}`);
    if (Array.isArray(app)) throw new Refused("Not Found.");
    ctx.show(app, pairs(app));
  },
  async delete(ctx, args) {
    const [id = ""] = take(args, 1);
    await ctx.api.call("DELETE", path`/apps/${id}`);
    ctx.show({ deleted: id }, ["ok"]);
  },
});

const admins = subcommands({
  async list(ctx, args) {
    take(args, 0);
    const users = await ctx.api.get<User[]>("/users");
    ctx.show(
      users,
      users.map((u) => `User(${u.username}, tags=${u.tags})`),
    );
  },
  async add(ctx, args) {
    const [username, password, tags] = take(args, 2, 1);
    await ctx.api.call("POST", "/users", { username, password, ...(tags !== undefined && { tags }) });
    ctx.show({ added: username }, ["ok"]);
  },
  async passwd(ctx, args) {
    const [username = "", password] = take(args, 2);
    await ctx.api.call("PUT", path`/users/${username}/password`, { password });
    ctx.show({ changed: username }, ["ok"]);
  },
  async del(ctx, args) {
    const [username = ""] = take(args, 1);
    await ctx.api.call("DELETE", path`/users/${username}`);
    ctx.show({ deleted: username }, ["ok"]);
  },
});

const banned = subcommands({
  async list(ctx, args) {
    take(args, 0);
    const rows: Banned[] = [];
    for await (const row of ctx.api.rows<Banned>("/banned")) rows.push(row);
    ctx.show(
      rows,
      rows.map((b) => `Banned(${b.as}=${b.who}, reason=${b.reason}, by=${b.by}, until=${b.until})`),
    );
  },
  async add(ctx, args) {
    const [as, who, seconds, reason] = take(args, 2, 2);
    if (seconds !== undefined && !/^\d+$/.test(seconds)) throw new UsageError();
    const until = seconds === undefined || seconds === "0" ? {} : { until: Math.floor(Date.now() / 1000) + Number(seconds) };
    await ctx.api.call("POST", "/banned", { as, who, by: "ctl", ...(reason !== undefined && { reason }), ...until });
    ctx.show({ banned: who }, ["ok"]);
  },
  async del(ctx, args) {
    const [as, who = ""] = take(args, 2);
    await ctx.api.call("DELETE", path`/banned/${who}`, { as });
    ctx.show({ unbanned: who }, ["ok"]);
  },
});

/** `users` and `clientid`: accounts of MQTT clients, kept by a plugin. */
function accounts(name: "users" | "clientid", plugin: string, where: string, field: "username" | "clientid"): Command {
  const [shown, one, many] = field === "username" ? ["Username", "User", "users"] : ["ClientId", "ClientId", "ClientId"];
  const ofPlugin = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (err) {
      if (err instanceof ApiError && err.code === 404) throw new Refused(`${plugin} is not running: plugins load ${plugin}`);
      throw err;
    }
  };
  return {
    name,
    usage: [
      [`${name} list`, `List ${many}`],
      [`${name} add <${shown}> <Password>`, `Add ${one}`],
      [`${name} update <${shown}> <NewPassword>`, `Update ${one}`],
      [`${name} del <${shown}>`, `Delete ${one}`],
    ],
    run: subcommands({
      async list(ctx, args) {
        take(args, 0);
        const names = await ofPlugin(ctx.api.get<string[]>(where));
        ctx.show(names, names);
      },
      async add(ctx, args) {
        const [account, password] = take(args, 2);
        await ofPlugin(ctx.api.call("POST", where, { [field]: account, password }));
        ctx.show({ added: account }, ["ok"]);
      },
      async update(ctx, args) {
        const [account = "", password] = take(args, 2);
        await ofPlugin(ctx.api.call("PUT", where + path`/${account}`, { password }));
        ctx.show({ updated: account }, ["ok"]);
      },
      async del(ctx, args) {
        const [account = ""] = take(args, 1);
        await ofPlugin(ctx.api.call("DELETE", where + path`/${account}`));
        ctx.show({ deleted: account }, ["ok"]);
      },
    }),
  };
}

export const accessCommands: readonly Command[] = [
  {
    name: "mgmt",
    usage: [
      ["mgmt list", "List Applications"],
      ["mgmt insert <AppId> <Name>", "Add Application of REST API"],
      ["mgmt update <AppId> <status>", "Update Application of REST API"],
      ["mgmt lookup <AppId>", "Get Application of REST API"],
      ["mgmt delete <AppId>", "Delete Application of REST API"],
    ],
    run: mgmt,
  },
  {
    name: "admins",
    usage: [
      ["admins list", "List dashboard users"],
      ["admins add <Username> <Password> [<Tags>]", "Add dashboard user"],
      ["admins passwd <Username> <Password>", "Reset dashboard user password"],
      ["admins del <Username>", "Delete dashboard user"],
    ],
    run: admins,
  },
  accounts("users", "emqx_auth_username", "/auth_username", "username"),
  accounts("clientid", "emqx_auth_clientid", "/auth_clientid", "clientid"),
  {
    name: "banned",
    usage: [
      ["banned list", "List banned clients, user names and addresses"],
      ["banned add <As> <Who> [<Seconds>] [<Reason>]", "Ban; As: client_id, username or ip_address"],
      ["banned del <As> <Who>", "Lift a ban"],
    ],
    run: banned,
  },
];
