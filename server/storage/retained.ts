/** Retained messages. */
import type { Statement } from "bun:sqlite";
import type { RetainedRow, RetainedStore, StoredMessage } from "../core/ports.ts";
import { Changes, mayBeThere } from "./changes.ts";
import { MESSAGE_COLUMNS, type MessageColumns, messageBytes, packFlags, packProperties, readMessage } from "./codec.ts";
import type { Connection } from "./connection.ts";
import type { Owner } from "./part.ts";
import { CLEAR_RETAINED, DELETE_RETAINED, PUT_RETAINED } from "./statements.ts";

/** Rows read at a time: payloads may be large, and the reader may stop or write in between. */
const CHUNK = 500;

type Row = MessageColumns & { id: number };
type Put = [number, string, Uint8Array, number, string, string | null, number, number, string | null];

export class SqliteRetained extends Changes<number, StoredMessage> implements RetainedStore {
  readonly #put: Statement<unknown, Put>;
  readonly #delete: Statement<unknown, [number]>;
  readonly #clear: Statement<unknown, []>;
  readonly #find: Statement<unknown, [number]>;
  readonly #chunk: Statement<Row, [number]>;

  constructor(c: Connection, owner: Owner) {
    super(owner);
    this.#put = c.prepare(PUT_RETAINED);
    this.#delete = c.prepare(DELETE_RETAINED);
    this.#clear = c.prepare(CLEAR_RETAINED);
    this.#find = c.prepare("SELECT 1 FROM retained WHERE id = ?");
    this.#chunk = c.prepare(`SELECT id, ${MESSAGE_COLUMNS} FROM retained WHERE id > ? ORDER BY id LIMIT ${CHUNK}`);
  }

  *load(): Iterable<RetainedRow> {
    let after = 0;
    let sender = "";
    const take = (r: Row): RetainedRow => {
      // Most come from the one before it: its name stands once in memory, which is an eighth of what a small message takes.
      if (r.sender === sender) r.sender = sender;
      else sender = r.sender;
      return { id: r.id, message: readMessage(r) };
    };
    for (;;) {
      const rows = this.read(() => this.#chunk.all(after).map(take));
      yield* rows;
      if (rows.length < CHUNK) return;
      after = (rows[rows.length - 1] as RetainedRow).id;
    }
  }

  /** The payload must not change any more. */
  put(id: number, m: StoredMessage): void {
    this.change(id, copy(m));
  }

  delete(id: number): void {
    this.change(id, null);
  }

  clear(): void {
    this.changeAll();
  }

  protected override log(id: number, m: StoredMessage | null): void {
    this.owner.redo.retained(id, m);
  }

  protected override logAll(): void {
    this.owner.redo.clearRetained();
  }

  protected override inFile(id: number): boolean {
    return mayBeThere(this.#find, id);
  }

  protected override sizeOf(m: StoredMessage): number {
    return messageBytes(m);
  }

  protected override putRow(id: number, m: StoredMessage): void {
    const flags = packFlags(m.qos, m.retain);
    this.#put.run(id, m.topic, m.payload, flags, m.from, m.username, m.timestamp, m.expiresAt, packProperties(m.properties));
  }

  protected override deleteRow(id: number): void {
    this.#delete.run(id);
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
