/** MongoDB's own driver for one server, a replica set or mongos: one document of a collection by equal fields. */
import type { Db, MongoClient, MongoClientOptions, ObjectId } from "mongodb";
import { type ServerAddress, shownAddress } from "../_backend/address.ts";
import type { Judgement } from "../_backend/options.ts";
import { type Document, readDocument } from "./document.ts";

export interface MongoServers {
  /** `unknown`: the driver finds out what is there. */
  type: "single" | "unknown" | "sharded" | "rs";
  addresses: readonly ServerAddress[];
  replicaSet: string;
  /** "" = nobody logs in. */
  login: string;
  password: string;
  authSource: string;
  database: string;
  /** Read from others than the primary, if there are any. */
  readSecondary: boolean;
  pool: number;
  timeoutMs: number;
  /** null = no TLS. */
  tls: Bun.TLSOptions | null;
}

export class MongoDriver {
  #lost = false;

  private constructor(
    private readonly library: typeof import("mongodb"),
    private readonly client: MongoClient,
    private readonly db: Db,
  ) {
    client.on("connectionClosed", ({ reason }) => {
      // The others are those that the library closes itself.
      this.#lost ||= reason === "error";
    });
  }

  static async open(o: MongoServers): Promise<MongoDriver> {
    // Six megabytes of program that most brokers never need.
    const library = await import("mongodb");
    const client = new library.MongoClient(`mongodb://${o.addresses.map(shownAddress).join(",")}/`, options(o));
    return new MongoDriver(library, client, client.db(o.database));
  }

  /** The first document that is so; null = none is. `fields`: what of it is wanted. */
  async first(collection: string, filter: Document, fields: readonly string[]): Promise<Document | null> {
    const projection = { _id: 0, ...Object.fromEntries(fields.map((name) => [name, 1])) };
    // A third cheaper than the cursor of `findOne`.
    const answer = await this.#read({ find: collection, filter, projection, limit: 1, singleBatch: true });
    const { firstBatch } = (answer as { cursor: { firstBatch: Document[] } }).cursor;
    return firstBatch[0] ?? null;
  }

  /**
   * All that it takes. Position of those that it did not take -> why. One that is there already, by its `_id`, is taken.
   * @throws what the driver throws: nobody knows which have been taken
   */
  async insert(collection: string, documents: readonly Document[]): Promise<ReadonlyMap<number, Error>> {
    const answer = (await this.db.command({ insert: collection, documents: [...documents], ordered: false })) as Inserted;
    const concern = answer.writeConcernError;
    if (concern !== undefined) throw Object.assign(new Error(concern.errmsg), { name: "MongoWriteConcernError", code: concern.code });
    const refused = (answer.writeErrors ?? []).map(
      ({ index, code, errmsg }) => [index, Object.assign(new Error(errmsg), { code })] as const,
    );
    return new Map(refused);
  }

  /** Why it cannot be sent at all: a name in it has a NUL, say; null = it can. */
  whyNot(document: Document): Error | null {
    try {
      this.library.BSON.serialize(document);
      return null;
    } catch (err) {
      return err as Error;
    }
  }

  /** Of 24 hexadecimal digits. */
  id(digits: string): ObjectId {
    return new this.library.ObjectId(digits);
  }

  /** MongoDB's JSON, in which `{"$date": …}` is a date. @throws Error when it is none */
  parse(json: string): Document {
    return readDocument(json, this.library.BSON.EJSON);
  }

  async probe(): Promise<void> {
    await this.#read({ ping: 1 });
  }

  /** From whom the settings say: `command` by itself asks the primary alone, whatever the client's options are. */
  #read(command: Document): Promise<Document> {
    return this.db.command(command, { readPreference: this.db.readPreference });
  }

  /** Since it was last asked. */
  lost(): boolean {
    const lost = this.#lost;
    this.#lost = false;
    return lost;
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

interface Inserted {
  writeErrors?: { index: number; code: number; errmsg: string }[];
  writeConcernError?: { code: number; errmsg: string };
}

function options(o: MongoServers): MongoClientOptions {
  return {
    appName: "BaoMQ",
    maxPoolSize: o.pool,
    // Before our own time limit, which knows no reason.
    serverSelectionTimeoutMS: Math.ceil(0.7 * o.timeoutMs),
    connectTimeoutMS: o.timeoutMs,
    // Behind our own time limit: it only frees what nobody waits for.
    socketTimeoutMS: 2 * o.timeoutMs,
    readPreference: o.readSecondary ? "secondaryPreferred" : "primary",
    ...(o.type === "single" && { directConnection: true }),
    ...(o.type === "rs" && { replicaSet: o.replicaSet }),
    ...(o.login !== "" && { auth: { username: o.login, password: o.password }, authSource: o.authSource }),
    ...(o.tls !== null && { tls: true, ...(o.tls as MongoClientOptions) }),
  };
}

/** The server is about to go, not the primary, or does not know or want our account: nobody is answered until that is mended. */
const AWAY = new Set([13, 18, 91, 189, 10_107, 11_600, 11_602, 13_435, 13_436]);

export function judgeMongo(err: unknown): Judgement {
  const { name, code, message } = (err ?? {}) as { name?: unknown; code?: unknown; message?: unknown };
  if (typeof code === "number") return AWAY.has(code) ? "down" : "refused";
  if (/^MongoNetwork(?:Timeout)?Error$|^MongoPoolClearedError$/.test(String(name)) && !/ECONNREFUSED|certificate/.test(String(message)))
    return "lost";
  return "down";
}
