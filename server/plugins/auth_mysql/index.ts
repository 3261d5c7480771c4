/** Authentication and access rules from MySQL or MariaDB. EMQ X 3.1; TLS, `on_error` and the time limit are ours. */
import { flag, optional, secret, text } from "../../lib/config_entry.ts";
import { onErrorEntry } from "../_auth/outside.ts";
import { defineOutside, type OutsidePlugin } from "../_auth/source.ts";
import { passwordHash } from "../_auth/stored.ts";
import { serverAddress } from "../_backend/address.ts";
import { type SettingKeys, tlsKeys } from "../_backend/advice.ts";
import { laterTimeLimitEntry, timeLimitEntry } from "../_backend/calls.ts";
import { tlsEntries, tlsOf, unverifiedBy } from "../_backend/tls.ts";
import { sqlSource } from "../_sql/auth.ts";
import * as K from "../_sql/keys.ts";
import type { ValuesOf } from "../plugin.ts";

const config = {
  "auth.mysql.server": serverAddress("127.0.0.1:3306", 3306),
  "auth.mysql.pool": K.poolEntry(),
  "auth.mysql.database": K.databaseEntry(),
  "auth.mysql.auth_query": K.authQueryEntry("mysql"),
  "auth.mysql.password_hash": passwordHash("sha256", "How passwords stand in the table."),
  "auth.mysql.super_query": K.superQueryEntry("mysql"),
  "auth.mysql.acl_query": K.aclQueryEntry("mysql"),
  "auth.mysql.username": optional(text("root", "Account at the server.")),
  "auth.mysql.password": optional(secret("", "Its password.")),
  "auth.mysql.timeout": timeLimitEntry("3s"),
  "auth.mysql.query_timeout": laterTimeLimitEntry("auth.mysql.timeout"),
  "auth.mysql.match_case": flag(
    "on",
    "A user name or client id has to be spelt as in the table, where the query has it alone behind a column and =. Off, as EMQ X 3.1: JOE or `joe ` comes in with joe's password where the table's collation says so, and is another one to bans and rules.",
    { required: false },
  ),
  "auth.mysql.on_error": onErrorEntry(),
  "auth.mysql.ssl": flag("off", "Speak TLS with the server.", { required: false }),
  ...tlsEntries("auth.mysql.ssl"),
  "auth.mysql.enable_ssl": flag("off", "Later versions' name of auth.mysql.ssl; either switches it on.", { hidden: true, required: false }),
  "auth.mysql.ssl.cafile": text("", "Later versions' name of auth.mysql.ssl.cacertfile.", { hidden: true, required: false }),
};

type Values = ValuesOf<typeof config>;

const isTls = (c: Values): boolean => c["auth.mysql.ssl"] || c["auth.mysql.enable_ssl"];

const tlsWith = (c: Values): Bun.TLSOptions | null => {
  if (!isTls(c)) return null;
  const cacertfile = c["auth.mysql.ssl.cacertfile"] || c["auth.mysql.ssl.cafile"];
  return tlsOf("auth.mysql.ssl", { ...c, "auth.mysql.ssl.cacertfile": cacertfile });
};

const KEYS: SettingKeys = {
  server: "auth.mysql.server",
  timeout: "auth.mysql.timeout",
  pool: "auth.mysql.pool",
  account: "auth.mysql.username, auth.mysql.password",
  database: "auth.mysql.database",
  tls: "auth.mysql.ssl",
  ...tlsKeys("auth.mysql.ssl"),
};

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
        timeoutMs: c["auth.mysql.query_timeout"] ?? c["auth.mysql.timeout"],
        prepare: true,
        tls: tlsWith(c),
      },
      keys: KEYS,
      queries: {
        auth: { key: "auth.mysql.auth_query", text: c["auth.mysql.auth_query"] },
        super: { key: "auth.mysql.super_query", text: c["auth.mysql.super_query"] },
        acl: { key: "auth.mysql.acl_query", text: c["auth.mysql.acl_query"] },
      },
      hash: c["auth.mysql.password_hash"],
      hashKey: "auth.mysql.password_hash",
      matchCase: { key: "auth.mysql.match_case", on: c["auth.mysql.match_case"] },
    }),
  onError: (c) => c["auth.mysql.on_error"],
  unverified: (c) => unverifiedBy("auth.mysql.ssl", isTls(c), c),
};

export const authMysql = defineOutside(
  {
    name: "emqx_auth_mysql",
    description: "EMQ X Authentication/ACL with MySQL",
    config,
    liveKeys: {
      "auth.mysql.server": "string",
      "auth.mysql.pool": "integer",
      "auth.mysql.username": "string",
      "auth.mysql.password": "string",
      "auth.mysql.database": "string",
      "auth.mysql.password_hash": "string",
    },
  },
  outside,
);
