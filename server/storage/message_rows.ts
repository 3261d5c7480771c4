/** Message bodies of the journal: one row however many sessions queue it, until the last delivery is done. */
import type { Statement } from "bun:sqlite";
import type { Message } from "../core/message.ts";
import { MESSAGE_COLUMNS, packFlags, packProperties } from "./codec.ts";
import type { Connection } from "./connection.ts";

type Insert = [number, string, Uint8Array, number, string, string | null, number, number, string | null];

export class MessageRows {
  readonly #insert: Statement<unknown, Insert>;
  readonly #delete: Statement<unknown, [number]>;
  #nextId: number;
  /** Id of the first message of the batch; it stands at index 0 of `#fresh`. null = no delivery needs it any more. */
  #firstFresh: number;
  #fresh: (Message | null)[] = [];
  #deleted: number[] = [];

  constructor(c: Connection) {
    this.#insert = c.prepare(`INSERT INTO messages (id, ${MESSAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#delete = c.prepare("DELETE FROM messages WHERE id = ?");
    this.#nextId = Number(c.value("SELECT coalesce(max(id), 0) FROM messages")) + 1;
    this.#firstFresh = this.#nextId;
  }

  /** One more delivery needs the message; returns its id. */
  hold(m: Message): number {
    if (m.storeId === 0) {
      m.storeId = this.#nextId++;
      m.storeRefs = 0;
      this.#fresh.push(m);
    }
    m.storeRefs++;
    return m.storeId;
  }

  /** One delivery less. */
  release(m: Message): void {
    const id = m.storeId;
    if (id === 0 || --m.storeRefs > 0) return;
    m.storeId = 0;
    m.storeRefs = 0;
    if (id >= this.#firstFresh) this.#fresh[id - this.#firstFresh] = null;
    else this.#deleted.push(id);
  }

  insertRows(): void {
    const insert = this.#insert;
    let id = this.#firstFresh;
    for (const m of this.#fresh) {
      if (m !== null) {
        const flags = packFlags(m.qos, m.retain);
        insert.run(id, m.topic, m.payload, flags, m.from, m.username, m.timestamp, m.expiresAt, packProperties(m.properties));
      }
      id++;
    }
  }

  deleteRows(): void {
    for (const id of this.#deleted) this.#delete.run(id);
  }

  written(): void {
    if (this.#fresh.length > 0) this.#fresh = [];
    if (this.#deleted.length > 0) this.#deleted = [];
    this.#firstFresh = this.#nextId;
  }
}
