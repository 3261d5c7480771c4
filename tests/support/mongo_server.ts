/** The twin of MongoDB as a server like the others, alone or several as a replica set, with what a test wants in it from the beginning. */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MongoClient } from "mongodb";
import type { SetState, TwinOptions } from "./mongo_twin.ts";
import { Server } from "./servers.ts";

export type Collections = Readonly<Record<string, readonly Record<string, unknown>[]>>;

/** Files. `clients`: it wants certificates that `ca` has signed, and there is one; absent = it wants none, and its own is its authority's. */
export interface MongoTls {
  cert: string;
  key: string;
  clients?: { ca: string; cert: string; key: string };
}

export class MongoTwin extends Server {
  /** With what a URL, and the protocol's own list of attributes, would stumble over. */
  readonly user = "mqtt,app=1";
  readonly password = "se,c=ret";

  constructor(
    private readonly seed: Collections,
    private readonly tls: MongoTls | null = null,
    private readonly kind?: TwinOptions["kind"],
  ) {
    super();
  }

  protected command(): string[] {
    const account = join(this.dir, "account");
    writeFileSync(account, `${this.user}\n${this.password}`);
    const { tls, kind } = this;
    const options: TwinOptions = {
      ...(tls !== null && { tls: { cert: tls.cert, key: tls.key, ...(tls.clients !== undefined && { ca: tls.clients.ca }) } }),
      ...(kind !== undefined && { kind }),
    };
    return [process.execPath, join(import.meta.dir, "mongo_twin.ts"), String(this.port), account, JSON.stringify(options)];
  }

  protected greet(): Promise<void> {
    return this.hold(this.seed);
  }

  /** From now on these documents are what stands in these collections. */
  async hold(documents: Collections): Promise<void> {
    await fill(`mongodb://127.0.0.1:${this.port}/`, documents, {
      auth: { username: this.user, password: this.password },
      authSource: "mqtt",
      directConnection: true,
      serverSelectionTimeoutMS: 1000,
      ...this.#tlsOfClient(),
    });
  }

  #tlsOfClient(): object {
    if (this.tls === null) return {};
    const { cert, clients } = this.tls;
    if (clients === undefined) return { tls: true, tlsCAFile: cert };
    return { tls: true, ca: readFileSync(clients.ca), cert: readFileSync(clients.cert), key: readFileSync(clients.key) };
  }
}

/** Three twins as a replica set. */
export class MongoSet {
  readonly name = "the-set";
  readonly #dir = mkdtempSync(join(tmpdir(), "baomq-set-"));
  readonly #state = join(this.#dir, "state.json");
  readonly members: readonly MongoTwin[];
  #term = 0;

  constructor(seed: Collections) {
    this.members = Array.from({ length: 3 }, () => new MongoTwin(seed, null, { set: this.#state }));
  }

  get hosts(): string[] {
    return this.members.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** The first one is the primary. */
  async start(): Promise<void> {
    this.lead(0);
    await Promise.all(this.members.map((member) => member.start()));
  }

  /** From now on this member is the primary; null = none is. */
  lead(member: number | null): void {
    const { hosts, name: setName } = this;
    const state: SetState = { setName, hosts, primary: member === null ? null : (hosts[member] ?? null), term: ++this.#term };
    // They read it at any time.
    writeFileSync(`${this.#state}.new`, JSON.stringify(state));
    renameSync(`${this.#state}.new`, this.#state);
  }

  async remove(): Promise<void> {
    for (const member of this.members) await member.remove();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Everything that is in the database `mqtt`, anew. */
export async function fill(url: string, seed: Collections, options: object = {}): Promise<void> {
  const client = new MongoClient(url, options);
  try {
    for (const [name, documents] of Object.entries(seed)) {
      const collection = client.db("mqtt").collection(name);
      await collection.drop();
      await collection.insertMany(documents.map((d) => ({ ...d })));
    }
  } finally {
    await client.close();
  }
}
