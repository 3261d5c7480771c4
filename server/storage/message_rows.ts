/** Message bodies of the journal: one row however many sessions queue it, until the last delivery is done. */
import type { Statement } from "bun:sqlite";
import type { Message } from "../core/message.ts";
import { packFlags, packProperties } from "./codec.ts";
import type { Connection } from "./connection.ts";
import { PIECE } from "./part.ts";
import type { RedoOps } from "./redo_ops.ts";
import { MESSAGE_VALUES } from "./statements.ts";

type Insert = [number, string, Uint8Array, number, string, string | null, number, number, string | null];

export class MessageRows {
  readonly #insert: Statement<unknown, Insert>;
  readonly #delete: Statement<unknown, [number]>;
  #nextId: number;
  /** Id of the first message of the batch; it stands at index 0 of `#fresh`. null = no delivery needs it any more. */
  #firstFresh: number;
  #fresh: (Message | null)[] = [];
  /** Ids of this batch that no delivery needs any more: the next messages get them, so a batch that waits for a failing disk does not grow. */
  #free: number[] = [];
  #deleted: number[] = [];
  /** Of the messages in `#fresh`. */
  #freshBytes = 0;

  constructor(
    c: Connection,
    private readonly redo: RedoOps,
  ) {
    this.#insert = c.prepare(`INSERT INTO messages ${MESSAGE_VALUES}`);
    this.#delete = c.prepare("DELETE FROM messages WHERE id = ?");
    this.#nextId = Number(c.value("SELECT coalesce(max(id), 0) FROM messages")) + 1;
    this.#firstFresh = this.#nextId;
  }

  /** One more delivery needs the message; returns its id. */
  hold(m: Message): number {
    if (m.storeId === 0) {
      if (this.#free.length === 0) {
        m.storeId = this.#nextId++;
        this.#fresh.push(m);
      } else {
        m.storeId = this.#free.pop() as number;
        this.#fresh[m.storeId - this.#firstFresh] = m;
      }
      m.storeRefs = 0;
      this.#freshBytes += bytesOf(m);
      this.redo.message(m);
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
    if (id < this.#firstFresh) this.#deleted.push(id);
    else {
      this.#fresh[id - this.#firstFresh] = null;
      this.#free.push(id);
      this.#freshBytes -= bytesOf(m);
    }
  }

  /** Messages of the batch, those that need no row included. */
  get size(): number {
    return this.#fresh.length;
  }
  get bytes(): number {
    return this.#freshBytes + (this.#fresh.length + this.#deleted.length) * 16;
  }

  /** Rows to be inserted before the deliveries that name them, and to be deleted after those are gone. */
  take(): MessageShare {
    const share = new MessageShare(this.#insert, this.#delete, this.#firstFresh, this.#fresh, this.#deleted, this.bytes);
    this.#fresh = [];
    this.#free = [];
    this.#deleted = [];
    this.#freshBytes = 0;
    this.#firstFresh = this.#nextId;
    return share;
  }
}

class MessageShare {
  constructor(
    private readonly insert: Statement<unknown, Insert>,
    private readonly remove: Statement<unknown, [number]>,
    private readonly first: number,
    private readonly fresh: readonly (Message | null)[],
    private readonly deleted: readonly number[],
    readonly bytes: number,
  ) {}

  *inserts(): Generator<void> {
    let id = this.first;
    for (const m of this.fresh) {
      if (m !== null) {
        const flags = packFlags(m.qos, m.retain);
        this.insert.run(id, m.topic, m.payload, flags, m.from, m.username, m.timestamp, m.expiresAt, packProperties(m.properties));
      }
      if (++id % PIECE === 0) yield;
    }
  }

  *deletes(): Generator<void> {
    let n = 0;
    for (const id of this.deleted) {
      this.remove.run(id);
      if (++n % PIECE === 0) yield;
    }
  }
}

/** Memory of a message that waits, about. */
function bytesOf(m: Message): number {
  return m.payloadEnd - m.payloadStart + 2 * m.topic.length + 200;
}
