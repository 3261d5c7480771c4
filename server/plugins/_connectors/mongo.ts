/** MongoDB: one server, a replica set, or mongos. */
import { randomBytes } from "node:crypto";
import { shownAddresses } from "../_backend/address.ts";
import type { SettingKeys } from "../_backend/advice.ts";
import { BackendError } from "../_backend/errors.ts";
import type { Judgement } from "../_backend/options.ts";
import { compileRowTemplate, rowJson } from "../_backend/row_template.ts";
import { MONGO_ADVICE } from "../_mongo/advice.ts";
import { type Document, judgeMongo, MongoDriver } from "../_mongo/driver.ts";
import { actionKind, asWritten, type Missing, NOTHING, resourceKind, type Writing } from "./connector.ts";
import { jsonCodec } from "./item.ts";
import { compileJsonTemplate } from "./json_template.ts";
import * as P from "./params.ts";

const KEYS: SettingKeys = {
  server: "servers",
  kind: "rs_set_name",
  timeout: "timeout",
  pool: "pool_size",
  account: "login, password, auth_source",
  database: "database",
  tls: "ssl",
  trust: "cacertfile",
  verify: "verify",
  certificate: "certfile, keyfile",
};

interface Kind {
  readonly name: string;
  readonly title: string;
  readonly type: "single" | "rs" | "sharded";
}

const KINDS: readonly Kind[] = [
  { name: "mongo_single", title: "MongoDB", type: "single" },
  { name: "mongo_rs", title: "MongoDB replica set", type: "rs" },
  { name: "mongo_sharded", title: "MongoDB sharded cluster", type: "sharded" },
];
const TYPES = KINDS.map(({ name }) => name) as [string, ...string[]];

/** There is one with this key already. */
const DUPLICATE = 11_000;
/** Not enough members have it yet, a write conflict, or no right to write there: the document is not what is wrong. */
const LATER = new Set([13, 64, 112, 100, 262, 50, 14_031]);

function judgeMongoWrite(err: unknown): Judgement {
  const { code } = (err ?? {}) as { code?: unknown };
  return typeof code === "number" && LATER.has(code) ? "part" : judgeMongo(err);
}

const resourceOf = ({ name, title, type }: Kind) =>
  resourceKind({
    name,
    title,
    description: title,
    params: {
      servers: P.text("127.0.0.1:27017", "Servers", "Hosts and ports, with commas between them."),
      ...(type === "rs" && { rs_set_name: P.needed("Replica Set Name", "Name of the replica set.") }),
      database: P.needed("Database", "The database that has the collections."),
      login: P.text("", "User Name", "Account at the server; empty = nobody logs in."),
      password: P.secret("Password", "Its password."),
      auth_source: P.text("admin", "Auth Source", "The database that knows the account."),
      ...P.poolParam(8),
      ...P.TIMEOUT,
      ...P.TLS,
    },
    keys: KEYS,
    advice: MONGO_ADVICE,
    judge: judgeMongoWrite,
    open(c) {
      const addresses = P.serversIn("servers", c.servers, 27_017);
      const [timeoutMs, pool] = [1000 * c.timeout, c.pool_size];
      const replicaSet = (c as unknown as { rs_set_name?: string }).rs_set_name ?? "";
      const { login, password, auth_source: authSource, database } = c;
      const tls = P.tlsIn(c);
      return {
        what: `${title} at ${shownAddresses(addresses)}`,
        open: () =>
          MongoDriver.open({
            type,
            addresses,
            replicaSet,
            login,
            password,
            authSource,
            database,
            readSecondary: false,
            pool,
            timeoutMs,
            tls,
          }),
        close: (driver: MongoDriver) => driver.close(),
        lost: (driver: MongoDriver) => driver.lost(),
        probe: (driver: MongoDriver) => driver.probe(),
        pool,
        timeoutMs,
        // With the first lost connection the driver throws all of them away.
        retries: 2,
      };
    },
  });

/** `id`: of a document that has none of its own, so that one which is sent again is not there twice. */
interface Item {
  readonly collection: string;
  readonly id: string;
  /** Values, or MongoDB's JSON. */
  readonly row: Document | string;
}

const ids = { prefix: randomBytes(5).toString("hex"), count: randomBytes(3).readUIntBE(0, 3) };
/** As MongoDB's drivers make them: seconds, who it is, a counter. */
function newId(now: number): string {
  ids.count = (ids.count + 1) % 0x1000000;
  const seconds = Math.floor(now / 1000) % 0x100000000;
  return seconds.toString(16).padStart(8, "0") + ids.prefix + ids.count.toString(16).padStart(6, "0");
}

/** What a database keeps for itself, or cannot be a name. */
const NO_COLLECTION = /^$|[\0$]|^system\./;

function mongoWriting(collection: string, text: string): Writing<MongoDriver, Item> {
  const named = compileRowTemplate(collection);
  const json = text.trim() === "" ? null : compileJsonTemplate(text);
  const codec = jsonCodec<Document>();
  return {
    make(row) {
      const name = named.text(row);
      if (NO_COLLECTION.test(name)) throw new Error(`collection: ${JSON.stringify(name.slice(0, 100))} can be none`);
      // An own copy of whatever is in it.
      return { collection: name, id: newId(Date.now()), row: json === null ? codec.decode(codec.encode(row)) : json(row) };
    },
    shown: ({ row }) => (typeof row === "string" ? row : rowJson(row)),
    async write(driver, items) {
      const missing = new Map<number, unknown>();
      for (const [collection, places] of byCollection(items)) {
        for (const [at, why] of await written(driver, collection, places, items)) missing.set(at, why);
      }
      return missing.size === 0 ? NOTHING : missing;
    },
  };
}

function byCollection(items: readonly Item[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const [i, { collection }] of items.entries()) found.set(collection, [...(found.get(collection) ?? []), i]);
  return found;
}

async function written(driver: MongoDriver, collection: string, places: readonly number[], items: readonly Item[]): Promise<Missing> {
  const missing = new Map<number, unknown>();
  const sent: { at: number; document: Document; isOurs: boolean }[] = [];
  for (const at of places) {
    const { row, id } = items[at] as Item;
    try {
      const document = typeof row === "string" ? driver.parse(row) : row;
      const isOurs = document._id === undefined;
      sent.push({ at, document: isOurs ? { _id: driver.id(id), ...document } : document, isOurs });
    } catch (err) {
      missing.set(at, new BackendError("refused", (err as Error).message));
    }
  }
  if (sent.length === 0) return missing;
  const refused = await asWritten(
    "collection, payload_tmpl",
    driver.insert(
      collection,
      sent.map(({ document }) => document),
    ),
  );
  for (const [i, err] of refused) {
    const one = sent[i];
    // It came with a try whose answer was lost.
    const isThere = one?.isOurs === true && (err as { code?: unknown }).code === DUPLICATE && (err as Error).message.includes("_id_");
    if (one !== undefined && !isThere) missing.set(one.at, err);
  }
  return missing;
}

const ACTION = actionKind(TYPES, {
  name: "data_to_mongo",
  title: "Data to MongoDB",
  description: "Store documents in MongoDB",
  params: {
    collection: { ...P.needed("Collection", "Where the document is stored; may have variables."), format: "template" } as const,
    payload_tmpl: P.template("", "Payload Template", "The document as JSON with variables; empty = the row."),
  },
  open: ({ collection, payload_tmpl }) => mongoWriting(collection, payload_tmpl),
});

export const MONGO = { resources: KINDS.map(resourceOf), actions: [ACTION] };
