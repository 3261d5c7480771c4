/** Authentication and access rules from MySQL or MariaDB. EMQ X 3.1; TLS, `on_error` and the time limit are ours. */
import { flag, optional, secret, text } from "../../lib/config_entry.ts";
import { onErrorEntry } from "../_auth/outside.ts";
import { type OutsidePlugin, startOutside, testOutside } from "../_auth/source.ts";
import { passwordHash } from "../_auth/stored.ts";
import { serverAddress } from "../_backend/address.ts";
import { sqlSource } from "../_sql/auth.ts";
import * as K from "../_sql/keys.ts";
import { definePlugin, type ValuesOf } from "../plugin.ts";

const TLS = { required: false };

const config = {
  "auth.mysql.server": serverAddress("127.0.0.1:3306", 3306),
  "auth.mysql.pool": K.poolEntry(),
  "auth.mysql.database": K.databaseEntry(),
  "auth.mysql.auth_query": K.authQueryEntry(),
  "auth.mysql.password_hash": passwordHash("sha256", "How passwords stand in the table."),
  "auth.mysql.super_query": K.superQueryEntry(),
  "auth.mysql.acl_query": K.aclQueryEntry(),
  "auth.mysql.username": optional(text("root", "Account at the server.")),
  "auth.mysql.password": optional(secret("", "Its password.")),
  "auth.mysql.timeout": K.timeoutEntry(),
  "auth.mysql.on_error": onErrorEntry(),
  "auth.mysql.ssl": flag("off", "Speak TLS with the server.", TLS),
  "auth.mysql.ssl.cacertfile": text("", "Certificates to trust; empty = those of the system.", TLS),
  "auth.mysql.ssl.certfile": text("", "Certificate to show to the server.", TLS),
  "auth.mysql.ssl.keyfile": text("", "Its key.", TLS),
  "auth.mysql.ssl.verify": flag("on", "The server's certificate must be good for its name. Off: anybody in between can read along.", TLS),
};
type Values = ValuesOf<typeof config>;

const outside: OutsidePlugin<typeof config> = {
  open: (host, c) =>
    sqlSource(host, {
      title: "MySQL",
      server: {
        dialect: "mysql",
        address: c["auth.mysql.server"],
        username: c["auth.mysql.username"] ?? "",
        password: c["auth.mysql.password"] ?? "",
        database: c["auth.mysql.database"],
        pool: c["auth.mysql.pool"],
        timeoutMs: c["auth.mysql.timeout"],
        prepare: true,
        tls: tlsOf(c),
      },
      queries: {
        auth: { key: "auth.mysql.auth_query", text: c["auth.mysql.auth_query"] },
        super: { key: "auth.mysql.super_query", text: c["auth.mysql.super_query"] },
        acl: { key: "auth.mysql.acl_query", text: c["auth.mysql.acl_query"] },
      },
      hash: c["auth.mysql.password_hash"],
    }),
  onError: (c) => c["auth.mysql.on_error"],
};

function tlsOf(c: Values) {
  if (!c["auth.mysql.ssl"]) return null;
  return {
    cacertfile: c["auth.mysql.ssl.cacertfile"],
    certfile: c["auth.mysql.ssl.certfile"],
    keyfile: c["auth.mysql.ssl.keyfile"],
    verify: c["auth.mysql.ssl.verify"],
  };
}

export const authMysql = definePlugin({
  name: "emqx_auth_mysql",
  description: "EMQ X Authentication/ACL with MySQL",
  version: "v3.1.0",
  activeByDefault: false,
  guards: true,
  config,
  liveKeys: {
    "auth.mysql.server": "string",
    "auth.mysql.pool": "integer",
    "auth.mysql.username": "string",
    "auth.mysql.password": "string",
    "auth.mysql.database": "string",
    "auth.mysql.password_hash": "string",
  },
  start: (ctx) => startOutside(ctx, outside),
  test: (ctx, request) => testOutside(ctx, request, outside),
});
