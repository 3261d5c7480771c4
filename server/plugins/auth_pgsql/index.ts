/** Authentication and access rules from PostgreSQL. EMQ X 3.1; verification, `on_error` and the time limit are ours. */
import { flag, inert, integer, optional, secret, text } from "../../lib/config_entry.ts";
import { onErrorEntry } from "../_auth/outside.ts";
import { defineOutside, type OutsidePlugin } from "../_auth/source.ts";
import { passwordHash } from "../_auth/stored.ts";
import { serverAddress } from "../_backend/address.ts";
import { type SettingKeys, tlsKeys } from "../_backend/advice.ts";
import { timeLimitEntry } from "../_backend/calls.ts";
import { peerTlsEntries, peerTlsOf, unverifiedBy } from "../_backend/tls.ts";
import { sqlSource } from "../_sql/auth.ts";
import * as K from "../_sql/keys.ts";

const DEAD = "EMQ X 3.1 has the key and reads it nowhere: password_hash = pbkdf2,sha256,1000,20 says it all.";

const config = {
  "auth.pgsql.server": serverAddress("127.0.0.1:5432", 5432),
  "auth.pgsql.pool": K.poolEntry(),
  "auth.pgsql.username": text("root", "Account at the server."),
  "auth.pgsql.database": K.databaseEntry(),
  "auth.pgsql.encoding": inert(text("utf8", ""), "the driver speaks UTF-8 always."),
  "auth.pgsql.ssl": flag("false", "Speak TLS with the server."),
  "auth.pgsql.auth_query": K.authQueryEntry("postgres"),
  "auth.pgsql.password_hash": passwordHash("sha256", "How passwords stand in the table."),
  "auth.pgsql.super_query": K.superQueryEntry("postgres"),
  "auth.pgsql.acl_query": K.aclQueryEntry("postgres"),
  "auth.pgsql.password": optional(secret("", "Its password.")),
  ...peerTlsEntries("auth.pgsql.ssl_opts"),
  "auth.pgsql.pbkdf2_macfun": inert(optional(text("sha256", "")), DEAD),
  "auth.pgsql.pbkdf2_iterations": inert(optional(integer(1000, "")), DEAD),
  "auth.pgsql.pbkdf2_dklen": inert(optional(integer(20, "")), DEAD),
  "auth.pgsql.timeout": timeLimitEntry("3s"),
  "auth.pgsql.on_error": onErrorEntry(),
  "auth.pgsql.prepare": K.prepareEntry(),
};

const KEYS: SettingKeys = {
  server: "auth.pgsql.server",
  timeout: "auth.pgsql.timeout",
  pool: "auth.pgsql.pool",
  account: "auth.pgsql.username, auth.pgsql.password",
  database: "auth.pgsql.database",
  tls: "auth.pgsql.ssl",
  prepare: "auth.pgsql.prepare",
  ...tlsKeys("auth.pgsql.ssl_opts"),
};

const outside: OutsidePlugin<typeof config> = {
  open: (host, c) =>
    sqlSource(host, {
      title: "PostgreSQL",
      server: {
        dialect: "postgres",
        address: c["auth.pgsql.server"],
        username: c["auth.pgsql.username"],
        password: c["auth.pgsql.password"] ?? "",
        database: c["auth.pgsql.database"],
        pool: c["auth.pgsql.pool"],
        timeoutMs: c["auth.pgsql.timeout"],
        prepare: c["auth.pgsql.prepare"],
        tls: c["auth.pgsql.ssl"] ? peerTlsOf("auth.pgsql.ssl_opts", c) : null,
      },
      keys: KEYS,
      queries: {
        auth: { key: "auth.pgsql.auth_query", text: c["auth.pgsql.auth_query"] },
        super: { key: "auth.pgsql.super_query", text: c["auth.pgsql.super_query"] },
        acl: { key: "auth.pgsql.acl_query", text: c["auth.pgsql.acl_query"] },
      },
      hash: c["auth.pgsql.password_hash"],
      hashKey: "auth.pgsql.password_hash",
      matchCase: null,
    }),
  onError: (c) => c["auth.pgsql.on_error"],
  unverified: (c) => unverifiedBy("auth.pgsql.ssl_opts", c["auth.pgsql.ssl"], c),
};

export const authPgsql = defineOutside(
  {
    name: "emqx_auth_pgsql",
    description: "EMQ X Authentication/ACL with PostgreSQL",
    config,
    liveKeys: {
      "auth.pgsql.server": "string",
      "auth.pgsql.pool": "integer",
      "auth.pgsql.username": "string",
      "auth.pgsql.password": "string",
      "auth.pgsql.database": "string",
      "auth.pgsql.password_hash": "string",
    },
  },
  outside,
);
