/** Retained messages by topic. */
import type { Statement } from "bun:sqlite";
import type { RetainedStore, StoredMessage } from "../core/ports.ts";
import { Changes, mayBeThere } from "./changes.ts";
import { MESSAGE_COLUMNS, type MessageColumns, messageBytes, packFlags, packProperties, readMessage } from "./codec.ts";
import type { Connection } from "./connection.ts";
import type { Owner } from "./part.ts";

/** Rows read at a time: payloads may be large, and the reader may stop or write in between. */
const CHUNK = 500;

type Row = MessageColumns & { id: number };
type Put = [string, Uint8Array, number, string, string | null, number, number, string | null];

export class SqliteRetained extends Changes<string, StoredMessage> implements RetainedStore {
  readonly #put: Statement<unknown, Put>;
  readonly #delete: Statement<unknown, [string]>;
  readonly #clear: Statement<unknown, []>;
  readonly #find: Statement<unknown, [string]>;
  readonly #chunk: Statement<Row, [number]>;

  constructor(c: Connection, owner: Owner) {
    super(owner);
    const update = MESSAGE_COLUMNS.split(", ")
      .slice(1)
      .map((x) => `${x} = excluded.${x}`)
      .join(", ");
    this.#put = c.prepare(
      `INSERT INTO retained (${MESSAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (topic) DO UPDATE SET ${update}`,
    );
    this.#delete = c.prepare("DELETE FROM retained WHERE topic = ?");
    this.#clear = c.prepare("DELETE FROM retained");
    this.#find = c.prepare("SELECT 1 FROM retained WHERE topic = ?");
    this.#chunk = c.prepare(`SELECT id, ${MESSAGE_COLUMNS} FROM retained WHERE id > ? ORDER BY id LIMIT ${CHUNK}`);
  }

  *load(): Iterable<StoredMessage> {
    let after = 0;
    for (;;) {
      const rows = this.read(() => this.#chunk.all(after));
      for (const r of rows) yield this.read(() => readMessage(r));
      if (rows.length < CHUNK) return;
      after = (rows[rows.length - 1] as Row).id;
    }
  }

  /** The payload must not change until the next commit. */
  put(m: StoredMessage): void {
    this.change(m.topic, copy(m));
  }

  delete(topic: string): void {
    this.change(topic, null);
  }

  clear(): void {
    this.changeAll();
  }

  protected override inFile(topic: string): boolean {
    return mayBeThere(this.#find, topic);
  }

  protected override sizeOf(m: StoredMessage): number {
    return messageBytes(m);
  }

  protected override putRow(topic: string, m: StoredMessage): void {
    const flags = packFlags(m.qos, m.retain);
    this.#put.run(topic, m.payload, flags, m.from, m.username, m.timestamp, m.expiresAt, packProperties(m.properties));
  }

  protected override deleteRow(topic: string): void {
    this.#delete.run(topic);
  }

  protected override deleteAll(): void {
    this.#clear.run();
  }
}

/** The fields alone: the caller's object may be a live message. */
function copy(m: StoredMessage): StoredMessage {
  const { topic, payload, qos, retain, from, username, timestamp, expiresAt, properties } = m;
  return { topic, payload, qos, retain, from, username, timestamp, expiresAt, properties };
}
