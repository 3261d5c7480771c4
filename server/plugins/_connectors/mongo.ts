/** MongoDB: one server, a replica set, or mongos. */
import { randomBytes } from "node:crypto";
import { shownAddresses } from "../_backend/address.ts";
import type { SettingKeys } from "../_backend/advice.ts";
import { BackendError, notWanted } from "../_backend/errors.ts";
import type { Judgement } from "../_backend/options.ts";
import { boundedJson, compileRowTemplate, rowJson } from "../_backend/row_template.ts";
import { MONGO_ADVICE } from "../_mongo/advice.ts";
import { type Document, storable } from "../_mongo/document.ts";
import { judgeMongo, MongoDriver } from "../_mongo/driver.ts";
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
/** The account may not write there. */
const NO_RIGHT = 13;
/** Not enough members have it yet, a write conflict, or no right: the document is not what is wrong. */
const LATER = new Set([NO_RIGHT, 64, 112, 100, 262, 50, 14_031]);

function judgeMongoWrite(err: unknown): Judgement {
  const { code } = (err ?? {}) as { code?: unknown };
  return typeof code === "number" && LATER.has(code) ? "part" : judgeMongo(err);
}

function isAway(err: unknown): boolean {
  const judged = judgeMongoWrite(err);
  return judged === "down" || judged === "lost";
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
  return {
    make(row) {
      const name = named.text(row);
      if (NO_COLLECTION.test(name)) throw new Error(`collection: ${JSON.stringify(name.slice(0, 100))} can be none`);
      return { collection: name, id: newId(Date.now()), row: json === null ? ownDocument(row) : json(row) };
    },
    shown: ({ row }) => (typeof row === "string" ? row : rowJson(row)),
    async write(driver, items, { wanted }) {
      const missing = new Map<number, unknown>();
      let away: unknown = null;
      for (const [collection, places] of byCollection(items)) {
        try {
          if (away !== null) throw away;
          if (!wanted()) throw notWanted();
          for (const [at, why] of await written(driver, collection, places, items)) missing.set(at, why);
        } catch (err) {
          // What other collections have taken they have.
          for (const at of places) missing.set(at, err);
          if (isAway(err)) away = err;
        }
      }
      return missing.size === 0 ? NOTHING : missing;
    },
    // The right to a collection that is the same for all can be given, and all wait for that.
    blames: (err) => !named.constant && (err as { code?: unknown } | null)?.code === NO_RIGHT,
  };
}

const DOCUMENTS = jsonCodec<Document>();

/** The row, with an own copy of whatever is in it. @throws Error: it is too long */
function ownDocument(row: Document): Document {
  boundedJson(row);
  return storable(DOCUMENTS.decode(DOCUMENTS.encode(row))) as Document;
}

function byCollection(items: readonly Item[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const [i, { collection }] of items.entries()) found.set(collection, [...(found.get(collection) ?? []), i]);
  return found;
}

interface Sent {
  readonly at: number;
  readonly document: Document;
  /** Its `_id` is one that we have made. */
  readonly isOurs: boolean;
}

async function written(driver: MongoDriver, collection: string, places: readonly number[], items: readonly Item[]): Promise<Missing> {
  const missing = new Map<number, unknown>();
  const sent = places.flatMap((at) => {
    try {
      return [documentOf(driver, at, items[at] as Item)];
    } catch (err) {
      missing.set(at, new BackendError("refused", (err as Error).message));
      return [];
    }
  });
  for (const [at, why] of await inserted(driver, collection, sent)) missing.set(at, why);
  return missing;
}

function documentOf(driver: MongoDriver, at: number, { row, id }: Item): Sent {
  const document = typeof row === "string" ? driver.parse(row) : row;
  const isOurs = document._id === undefined;
  return { at, document: isOurs ? { _id: driver.id(id), ...document } : document, isOurs };
}

async function inserted(driver: MongoDriver, collection: string, sent: readonly Sent[]): Promise<Missing> {
  const missing = new Map<number, unknown>();
  if (sent.length === 0) return missing;
  let refused: Missing;
  try {
    refused = await asWritten(
      "collection, payload_tmpl",
      driver.insert(
        collection,
        sent.map(({ document }) => document),
      ),
    );
  } catch (err) {
    if (!isNoBson(err)) throw err;
    return withoutBad(driver, collection, sent);
  }
  for (const [i, err] of refused) {
    const one = sent[i];
    // It came with a try whose answer was lost.
    const isThere = one?.isOurs === true && (err as { code?: unknown }).code === DUPLICATE && (err as Error).message.includes("_id_");
    if (one !== undefined && !isThere) missing.set(one.at, err);
  }
  return missing;
}

/** Of a document that the library cannot write: nothing has left. */
const isNoBson = (err: unknown): boolean => (err as Error | null)?.name === "BSONError";

async function withoutBad(driver: MongoDriver, collection: string, sent: readonly Sent[]): Promise<Missing> {
  const missing = new Map<number, unknown>();
  for (const { at, document } of sent) {
    const why = driver.whyNot(document);
    if (why !== null) missing.set(at, new BackendError("refused", why.message));
  }
  const good = sent.filter(({ at }) => !missing.has(at));
  if (good.length === sent.length) throw new BackendError("refused", "a document is none, and it is not known which");
  for (const [at, why] of await inserted(driver, collection, good)) missing.set(at, why);
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
