/** The twin of MongoDB as a server like the others, with what a test wants in it from the beginning. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MongoClient } from "mongodb";
import { Server } from "./servers.ts";

export type Collections = Readonly<Record<string, readonly Record<string, unknown>[]>>;

export class MongoTwin extends Server {
  /** With what a URL, and the protocol's own list of attributes, would stumble over. */
  readonly user = "mqtt,app=1";
  readonly password = "se,c=ret";

  constructor(
    private readonly seed: Collections,
    private readonly tls: { cert: string; key: string } | null = null,
  ) {
    super();
  }

  protected command(): string[] {
    const account = join(this.dir, "account");
    writeFileSync(account, `${this.user}\n${this.password}`);
    const tls = this.tls === null ? [] : [this.tls.cert, this.tls.key];
    return [process.execPath, join(import.meta.dir, "mongo_twin.ts"), String(this.port), account, ...tls];
  }

  protected async greet(): Promise<void> {
    await fill(`mongodb://127.0.0.1:${this.port}/`, this.seed, {
      auth: { username: this.user, password: this.password },
      authSource: "mqtt",
      directConnection: true,
      serverSelectionTimeoutMS: 1000,
      ...(this.tls !== null && { tls: true, tlsCAFile: this.tls.cert }),
    });
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
