/**
 * What of MongoDB emqx_auth_mongo meets, as a program of its own: the wire protocol (OP_MSG, and OP_QUERY for the first word), hello, ping,
 * SCRAM-SHA-256, insert, find by equality and a few operators; alone, as a mongos, or as a member of a replica set, whose members have each the same
 * from the beginning, since nothing is replicated. There is no mongod in Debian: this one stands in for it, and shows that the official driver and we
 * get along with the protocol; not what a real server does beyond it.
 *
 *   bun mongo_twin.ts <port> <account file: user and password in two lines, empty = none> <JSON of TwinOptions>
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { deserialize, ObjectId, serialize } from "bson";

export interface TwinOptions {
  /** Files. `ca`: who has to have signed the certificates of clients; absent = they need none. */
  tls?: { cert: string; key: string; ca?: string };
  /** What it is; absent = it stands alone. A member reads the file (SetState) each time it is asked. */
  kind?: { mongos: true } | { set: string };
}

/** What the members of a replica set have agreed on. */
export interface SetState {
  setName: string;
  /** "127.0.0.1:<port>" */
  hosts: string[];
  /** One of them; null = none is. */
  primary: string | null;
  /** Goes up with each election. */
  term: number;
}

/** Of a collection whose name says so: `refused` takes no documents, `broken` tells none. */
const BROKEN = { ok: 0, code: 2, codeName: "BadValue", errmsg: "something is wrong with it" };

/** Of a member that is not the primary, to whoever wants to read from that. */
const NOT_PRIMARY = { ok: 0, code: 13_435, codeName: "NotPrimaryNoSecondaryOk", errmsg: "not primary and secondaryOk=false" };

type Doc = Record<string, unknown>;

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const ITERATIONS = 4096;

interface Connection {
  pending: Buffer;
  /** Of a SCRAM conversation: what was said so far, and its nonce. */
  scram: { user: string; first: string; nonce: string } | null;
  isKnown: boolean;
}

const sha256 = (data: Buffer): Buffer => createHash("sha256").update(data).digest();
const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

class Twin {
  readonly #collections = new Map<string, Doc[]>();
  readonly #salt = randomBytes(28);
  #id = 0;

  constructor(
    private readonly me: string,
    private readonly user: string,
    private readonly password: string,
    private readonly kind: TwinOptions["kind"],
  ) {}

  /** null = it is no member of a set. */
  get #set(): SetState | null {
    const { kind } = this;
    return kind !== undefined && "set" in kind ? (JSON.parse(readFileSync(kind.set, "utf8")) as SetState) : null;
  }

  /** What it says of itself. */
  #standing(): Doc {
    const set = this.#set;
    if (set === null) return { ismaster: true, isWritablePrimary: true, ...(this.kind !== undefined && { msg: "isdbgrid" }) };
    const { setName, hosts, primary, term } = set;
    const isPrimary = primary === this.me;
    return {
      ismaster: isPrimary,
      isWritablePrimary: isPrimary,
      secondary: !isPrimary,
      setName,
      setVersion: 1,
      hosts,
      me: this.me,
      ...(primary !== null && { primary }),
      ...(isPrimary && { electionId: new ObjectId(term.toString(16).padStart(24, "0")) }),
    };
  }

  answer(c: Connection, command: Doc): Doc {
    const [name = ""] = Object.keys(command);
    const db = String(command.$db ?? "");
    switch (name.toLowerCase()) {
      case "hello":
      case "ismaster":
        return {
          ...this.#standing(),
          helloOk: true,
          maxBsonObjectSize: 16_777_216,
          maxMessageSizeBytes: 48_000_000,
          maxWriteBatchSize: 100_000,
          localTime: new Date(),
          minWireVersion: 0,
          maxWireVersion: 21,
          readOnly: false,
          ...(command.saslSupportedMechs !== undefined && { saslSupportedMechs: ["SCRAM-SHA-256"] }),
          ok: 1,
        };
      case "ping":
      case "endsessions":
        return { ok: 1 };
      case "saslstart":
        return this.#saslStart(c, command);
      case "saslcontinue":
        return this.#saslContinue(c, command);
    }
    if (this.user !== "" && !c.isKnown)
      return { ok: 0, code: 13, codeName: "Unauthorized", errmsg: `Command ${name} requires authentication` };
    const collection = `${db}.${String(command[name])}`;
    switch (name) {
      case "insert":
        return this.#insert(collection, command.documents as Doc[]);
      case "drop":
        this.#collections.delete(collection);
        return { ok: 1 };
      case "find":
        return this.#find(collection, command);
    }
    return { ok: 0, code: 59, codeName: "CommandNotFound", errmsg: `no such command: '${name}'` };
  }

  /** As a collection with a unique index on `_id`, and a rule that `n` is a number where it is there. */
  #insert(collection: string, documents: readonly Doc[]): Doc {
    if (collection.endsWith(".refused")) return BROKEN;
    if (collection.endsWith(".denied"))
      return { ok: 0, code: 13, codeName: "Unauthorized", errmsg: `not authorized to insert into ${collection}` };
    const kept = this.#collections.get(collection) ?? [];
    this.#collections.set(collection, kept);
    const writeErrors: Doc[] = [];
    for (const [index, doc] of documents.entries()) {
      const id = String(doc._id);
      if (doc._id !== undefined && kept.some((k) => String(k._id) === id))
        writeErrors.push({
          index,
          code: 11_000,
          errmsg: `E11000 duplicate key error collection: ${collection} index: _id_ dup key: { _id: '${id}' }`,
        });
      else if ("n" in doc && typeof doc.n !== "number") writeErrors.push({ index, code: 121, errmsg: "Document failed validation" });
      else kept.push(doc);
    }
    return { n: documents.length - writeErrors.length, ok: 1, ...(writeErrors.length > 0 && { writeErrors }) };
  }

  #find(collection: string, command: Doc): Doc {
    if (collection.endsWith(".broken")) return BROKEN;
    const set = this.#set;
    const { mode = "primary" } = (command.$readPreference ?? {}) as { mode?: string };
    if (set !== null && set.primary !== this.me && mode === "primary") return NOT_PRIMARY;
    const filter = command.filter as Doc;
    const found = (this.#collections.get(collection) ?? []).filter((doc) => Object.entries(filter).every(([k, v]) => fits(doc[k], v)));
    const projection = (command.projection ?? {}) as Doc;
    const fields = Object.keys(projection).filter((k) => projection[k] === 1);
    const isShown = (k: string): boolean => (k === "_id" ? projection._id !== 0 : fields.length === 0 || fields.includes(k));
    const shown = (doc: Doc): Doc => Object.fromEntries(Object.entries(doc).filter(([k]) => isShown(k)));
    return { cursor: { firstBatch: found.slice(0, Number(command.limit ?? 101)).map(shown), id: 0n, ns: collection }, ok: 1 };
  }

  // ---- SCRAM-SHA-256 [RFC 5802, RFC 7677]

  #saslStart(c: Connection, { mechanism, payload }: Doc): Doc {
    if (mechanism !== "SCRAM-SHA-256") return refused();
    const first = textOf(payload).replace(/^n,,/, "");
    const { n = "", r = "" } = attributes(first);
    const nonce = r + randomBytes(18).toString("base64");
    const answer = `r=${nonce},s=${this.#salt.toString("base64")},i=${ITERATIONS}`;
    c.scram = { user: n.replaceAll("=2C", ",").replaceAll("=3D", "="), first: `${first},${answer}`, nonce };
    return { conversationId: 1, done: false, payload: Buffer.from(answer), ok: 1 };
  }

  #saslContinue(c: Connection, { payload }: Doc): Doc {
    const { scram } = c;
    if (scram === null) return refused();
    const text = textOf(payload);
    const { r = "", p = "" } = attributes(text);
    const salted = pbkdf2Sync(this.password, this.#salt, ITERATIONS, 32, "sha256");
    const said = `${scram.first},${text.slice(0, text.lastIndexOf(",p="))}`;
    const clientKey = hmac(salted, "Client Key");
    const signature = hmac(sha256(clientKey), said);
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (signature[i] as number)));
    if (r !== scram.nonce || scram.user !== this.user || p !== proof.toString("base64")) return refused();
    c.isKnown = true;
    const server = hmac(hmac(salted, "Server Key"), said).toString("base64");
    return { conversationId: 1, done: true, payload: Buffer.from(`v=${server}`), ok: 1 };
  }

  /** Whole messages of what has come, answered. */
  *replies(c: Connection, chunk: Buffer): Generator<Buffer> {
    c.pending = Buffer.concat([c.pending, chunk]);
    while (c.pending.length >= 16 && c.pending.length >= c.pending.readInt32LE(0)) {
      const message = c.pending.subarray(0, c.pending.readInt32LE(0));
      c.pending = c.pending.subarray(message.length);
      const [id, op] = [message.readInt32LE(4), message.readInt32LE(12)];
      if (op === OP_QUERY) {
        const at = message.indexOf(0, 20) + 1 + 8;
        yield framed(++this.#id, id, OP_REPLY, [ints(8, 0, 0, 0, 1), serialize(this.answer(c, deserialize(message.subarray(at))))]);
      } else {
        yield framed(++this.#id, id, OP_MSG, [ints(0), Buffer.from([0]), serialize(this.answer(c, commandOf(message)))]);
      }
    }
  }
}

/** The body and the lists of documents behind it. */
function commandOf(message: Buffer): Doc {
  let command: Doc = {};
  const lists: Doc = {};
  for (let at = 20; at < message.length; ) {
    const size = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + size);
    if (message[at] === 0) command = deserialize(section, { promoteBuffers: true });
    else {
      const end = section.indexOf(0, 4);
      const documents: Doc[] = [];
      for (let p = end + 1; p < section.length; p += section.readInt32LE(p))
        documents.push(deserialize(section.subarray(p, p + section.readInt32LE(p))));
      lists[section.toString("utf8", 4, end)] = documents;
    }
    at += 1 + size;
  }
  return { ...command, ...lists };
}

/** A value that is a question of its own is asked as a real server would: whoever could send one would be let in. */
function fits(value: unknown, wanted: unknown): boolean {
  if (wanted !== null && typeof wanted === "object" && Object.keys(wanted).some((k) => k.startsWith("$"))) {
    const { $ne, $gt, $exists } = wanted as Doc;
    return $ne !== undefined ? value !== $ne : $gt !== undefined ? String(value) > String($gt) : $exists !== undefined;
  }
  return value === wanted;
}

function refused(): Doc {
  return { ok: 0, code: 18, codeName: "AuthenticationFailed", errmsg: "Authentication failed." };
}

function textOf(payload: unknown): string {
  return Buffer.from(payload as Uint8Array).toString("utf8");
}

function attributes(text: string): Record<string, string> {
  return Object.fromEntries(text.split(",").map((part) => [part.slice(0, 1), part.slice(2)]));
}

function ints(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) out.writeInt32LE(value, i * 4);
  return out;
}

function framed(id: number, to: number, op: number, parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([ints(16 + body.length, id, to, op), body]);
}

/** @throws Error when there is no such file */
function tlsOf({ cert, key, ca }: NonNullable<TwinOptions["tls"]>): Bun.TLSOptions {
  const file = (path: string): string => readFileSync(path, "utf8");
  const pair = { cert: file(cert), key: file(key) };
  return ca === undefined ? pair : { ...pair, ca: file(ca), requestCert: true, rejectUnauthorized: true };
}

function serve(port: number, account: string, { tls, kind }: TwinOptions): void {
  const [user = "", password = ""] = account.split("\n");
  const twin = new Twin(`127.0.0.1:${port}`, user, password, kind);
  Bun.listen<Connection>({
    hostname: "127.0.0.1",
    port,
    ...(tls !== undefined && { tls: tlsOf(tls) }),
    socket: {
      open(socket) {
        socket.data = { pending: Buffer.alloc(0), scram: null, isKnown: false };
      },
      handshake(socket) {
        // To the runtime one without a good certificate has come off as well.
        if (tls?.ca !== undefined && !socket.authorized) socket.terminate();
      },
      data(socket, chunk) {
        for (const reply of twin.replies(socket.data, chunk)) socket.write(reply);
      },
    },
  });
}

const [port = "0", account = "", options = "{}"] = process.argv.slice(2);
serve(Number(port), readFileSync(account, "utf8"), JSON.parse(options) as TwinOptions);
