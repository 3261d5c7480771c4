/** Authentication and access rules from MongoDB. EMQ X 3.1; verification, `on_error` and the time limit are ours. */
import { flag, ignored, inert, integer, oneOf, optional, parsed, secret, text } from "../../lib/config_entry.ts";
import { onErrorEntry } from "../_auth/outside.ts";
import { defineOutside, type OutsidePlugin } from "../_auth/source.ts";
import { passwordHash } from "../_auth/stored.ts";
import { serverAddresses } from "../_backend/address.ts";
import { laterTimeLimitEntry, timeLimitEntry } from "../_backend/calls.ts";
import { peerTlsEntries, peerTlsOf, unverifiedBy } from "../_backend/tls.ts";
import type { MongoServers } from "../_mongo/driver.ts";
import type { ValuesOf } from "../plugin.ts";
import { parseSelector } from "./selector.ts";
import { mongoSource } from "./source.ts";

const OURS = { required: false };
const TOPOLOGY = "the driver looks after its connections itself; auth.mongo.pool is how many there are at most.";

const selector = (doc: string) =>
  parsed(
    "username=%u",
    "fields and what they have to be, such as username=%u, clientid=%c",
    parseSelector,
    `${doc} %u, %c, %a, %cn, %dn are values.`,
  );

const config = {
  "auth.mongo.type": oneOf(["single", "unknown", "sharded", "rs"], "single", "What stands under auth.mongo.server; rs: a replica set."),
  "auth.mongo.server": serverAddresses("127.0.0.1:27017", 27_017),
  "auth.mongo.pool": integer(8, "Connections to each server.", { min: 1, max: 256 }),
  "auth.mongo.database": text("mqtt", "Database that has the collections."),
  "auth.mongo.auth_query.collection": text("mqtt_user", "Collection that has the users."),
  "auth.mongo.auth_query.password_field": text("password", "Field of the password; with one of the salt behind it: password,salt."),
  "auth.mongo.auth_query.password_hash": passwordHash("sha256", "How passwords are stored."),
  "auth.mongo.auth_query.selector": selector("Which document is the client's."),
  "auth.mongo.super_query": flag("on", "Ask whether a client may do everything. Left out of a file = off.", { unset: "off" }),
  "auth.mongo.super_query.collection": text("mqtt_user", "Collection that is asked for it."),
  "auth.mongo.super_query.super_field": text("is_superuser", "Field that is true then."),
  "auth.mongo.super_query.selector": selector("Which document is the client's."),
  "auth.mongo.acl_query": flag("on", "Ask for a client's rules. Left out of a file = off.", { unset: "off" }),
  "auth.mongo.acl_query.collection": text(
    "mqtt_acl",
    "Collection that is asked for them: publish, subscribe, pubsub, each a list of topic filters. Who has any may do nothing else.",
  ),
  "auth.mongo.acl_query.selector": selector("Which document is the client's."),
  "auth.mongo.rs_set_name": optional(text("mqtt", "Name of the replica set.")),
  "auth.mongo.login": optional(text("mqtt", "Account at the server.")),
  "auth.mongo.password": optional(secret("", "Its password.")),
  "auth.mongo.auth_source": optional(text("mqtt", "Database that knows the account.")),
  "auth.mongo.ssl": flag("false", "Speak TLS with the server.", OURS),
  ...peerTlsEntries("auth.mongo.ssl_opts"),
  "auth.mongo.w_mode": inert(optional(text("undef", "")), "nothing is written."),
  "auth.mongo.r_mode": optional(oneOf(["master", "slave_ok", "undef"], "undef", "slave_ok: read from others than the primary, too.")),
  "auth.mongo.topology.$name": ignored("", TOPOLOGY, OURS),
  "auth.mongo.acl_query.selector.$id": optional(selector("A further document.")),
  "auth.mongo.timeout": timeLimitEntry("3s"),
  "auth.mongo.query_timeout": laterTimeLimitEntry("auth.mongo.timeout"),
  "auth.mongo.on_error": onErrorEntry(),
};
type Values = ValuesOf<typeof config>;

const outside: OutsidePlugin<typeof config> = {
  open: (host, c, many) =>
    mongoSource(host, {
      servers: serversOf(c),
      auth: {
        collection: c["auth.mongo.auth_query.collection"],
        selector: c["auth.mongo.auth_query.selector"],
        fields: passwordFields(c["auth.mongo.auth_query.password_field"]),
      },
      isSuper: c["auth.mongo.super_query"]
        ? {
            collection: c["auth.mongo.super_query.collection"],
            selector: c["auth.mongo.super_query.selector"],
            field: c["auth.mongo.super_query.super_field"],
          }
        : null,
      acl: c["auth.mongo.acl_query"]
        ? {
            collection: c["auth.mongo.acl_query.collection"],
            selectors: [c["auth.mongo.acl_query.selector"], ...many("auth.mongo.acl_query.selector.$id").values()].filter(
              (s) => s !== null,
            ),
          }
        : null,
      hash: c["auth.mongo.auth_query.password_hash"],
    }),
  onError: (c) => c["auth.mongo.on_error"],
  unverified: (c) => unverifiedBy("auth.mongo.ssl_opts", c["auth.mongo.ssl"], c),
};

function passwordFields(text: string): string[] {
  const fields = text.split(",").map((name) => name.trim());
  if (fields.length > 2 || fields.some((name) => name === "" || name.startsWith("$")))
    throw new Error("auth.mongo.auth_query.password_field: expected password, or password,salt");
  return fields;
}

function serversOf(c: Values): MongoServers {
  const database = c["auth.mongo.database"];
  return {
    type: c["auth.mongo.type"],
    addresses: c["auth.mongo.server"],
    replicaSet: c["auth.mongo.rs_set_name"] ?? "mqtt",
    login: c["auth.mongo.login"] ?? "",
    password: c["auth.mongo.password"] ?? "",
    authSource: c["auth.mongo.auth_source"] ?? "mqtt",
    database,
    readSecondary: c["auth.mongo.r_mode"] === "slave_ok",
    pool: c["auth.mongo.pool"],
    timeoutMs: c["auth.mongo.query_timeout"] ?? c["auth.mongo.timeout"],
    tls: c["auth.mongo.ssl"] ? peerTlsOf("auth.mongo.ssl_opts", c) : null,
  };
}

export const authMongo = defineOutside(
  {
    name: "emqx_auth_mongo",
    description: "EMQ X Authentication/ACL with MongoDB",
    config,
    liveKeys: {
      "auth.mongo.type": "enum",
      "auth.mongo.server": "string",
      "auth.mongo.pool": "integer",
      "auth.mongo.login": "string",
      "auth.mongo.password": "string",
      "auth.mongo.database": "string",
      "auth.mongo.auth_source": "string",
      "auth.mongo.auth_query.collection": "string",
      "auth.mongo.auth_query.password_field": "string",
      "auth.mongo.auth_query.password_hash": "string",
      "auth.mongo.auth_query.selector": "string",
      "auth.mongo.super_query.collection": "string",
      "auth.mongo.super_query.super_field": "string",
      "auth.mongo.super_query.selector": "string",
      "auth.mongo.acl_query.collection": "string",
      "auth.mongo.acl_query.selector": "string",
    },
  },
  outside,
);
