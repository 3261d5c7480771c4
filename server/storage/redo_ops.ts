/**
 * What the redo log says: the operations of the parts that change with every message, in the order in which they were done. Their net effect
 * is in the batch, too; the log is what makes them durable until the batch goes to the database (sqlite.ts). redo_replay.ts reads it.
 */
import type { Message } from "../core/message.ts";
import type { DelayedRow, SessionMeta, StoredMessage } from "../core/ports.ts";
import { packFlags, packProperties, packWill } from "./codec.ts";
import { RedoWriter } from "./redo_bytes.ts";

/** One byte each; never give a number another meaning. */
export const OP = {
  MESSAGE: 1,
  ENQUEUE: 2,
  SENT: 3,
  RELEASED: 4,
  DONE: 5,
  AWAIT_REL: 6,
  REL_DONE: 7,
  OPEN: 8,
  REMOVE: 9,
  SUBSCRIBE: 10,
  UNSUBSCRIBE: 11,
  RETAIN: 12,
  UNRETAIN: 13,
  CLEAR_RETAINED: 14,
  DELAY: 15,
  UNDELAY: 16,
} as const;

/** Before a record's operations: see redo_file.ts. */
export const HEAD = 32;
const FIRST = 64 * 1024;
/** Operations of more bytes than this in one turn are not written down: the batch goes to the database at once. */
const LARGE = 8 * 1024 * 1024;

export class RedoOps {
  /** The batch has to go to the database: what is appended is not written down here any more. */
  #full = false;
  readonly #w = new RedoWriter(HEAD, FIRST);

  get full(): boolean {
    return this.#full;
  }

  /** Bytes of the operations since the last record. */
  get bytes(): number {
    return this.#w.length;
  }

  /** Room for the head, then the operations. */
  get record(): Buffer {
    return this.#w.record;
  }

  /** The record is written. */
  written(): void {
    this.#w.reset();
  }

  /** The batch goes to the database next, or tries to: nothing has to be written down until then. */
  stop(): void {
    this.#full = true;
    this.#w.reset();
  }

  /** The batch is in the database. */
  start(): void {
    this.#full = false;
    this.#w.reset();
  }

  // ---- sessions

  /** `m.storeId` is its row's; a number that is used again means another message. */
  message(m: Message): void {
    if (!this.#begin(OP.MESSAGE)) return;
    this.#w.uint(m.storeId);
    this.#head(m);
    this.#w.bytes(m.buf, m.payloadStart, m.payloadEnd);
  }

  /** `flags`: as the row has them. */
  enqueue(key: number, seq: number, message: number, flags: number, packetId: number, subIds: number[] | null): void {
    if (!this.#begin(OP.ENQUEUE)) return;
    const w = this.#w;
    w.uint(key);
    w.uint(seq);
    w.uint(message);
    w.u8(flags);
    w.uint(packetId);
    w.uint(subIds === null ? 0 : subIds.length);
    for (const id of subIds ?? []) w.uint(id);
  }

  sent(key: number, seq: number, packetId: number): void {
    if (this.#pair(OP.SENT, key, seq)) this.#w.uint(packetId);
  }

  released(key: number, seq: number): void {
    this.#pair(OP.RELEASED, key, seq);
  }

  done(key: number, seq: number): void {
    this.#pair(OP.DONE, key, seq);
  }

  awaitRel(key: number, packetId: number, since: number): void {
    if (this.#pair(OP.AWAIT_REL, key, packetId)) this.#w.f64(since);
  }

  relDone(key: number, packetId: number): void {
    this.#pair(OP.REL_DONE, key, packetId);
  }

  open(key: number, m: SessionMeta): void {
    if (!this.#begin(OP.OPEN)) return;
    const w = this.#w;
    w.uint(key);
    w.string(m.clientId);
    w.nullable(m.username);
    w.u8(m.version);
    w.string(m.zone);
    w.string(m.mountpoint);
    w.u8((m.cleanStart ? 1 : 0) | (m.isSuper ? 2 : 0));
    w.string(m.ip);
    w.f64(m.createdAt);
    w.uint(m.expiry);
    w.f64(m.disconnectedAt);
    w.nullable(packWill(m.will));
    if (m.will !== null) w.bytes(m.will.payload);
  }

  remove(key: number): void {
    if (this.#begin(OP.REMOVE)) this.#w.uint(key);
  }

  /** `options`: as the row has them. */
  subscribe(key: number, filter: string, options: number, subId: number): void {
    if (!this.#begin(OP.SUBSCRIBE)) return;
    this.#w.uint(key);
    this.#w.string(filter);
    this.#w.u8(options);
    this.#w.uint(subId);
  }

  unsubscribe(key: number, filter: string): void {
    if (!this.#begin(OP.UNSUBSCRIBE)) return;
    this.#w.uint(key);
    this.#w.string(filter);
  }

  // ---- retained and delayed messages

  /** null = it goes. */
  retained(id: number, m: StoredMessage | null): void {
    if (!this.#begin(m === null ? OP.UNRETAIN : OP.RETAIN)) return;
    this.#w.uint(id);
    if (m !== null) this.#stored(m);
  }

  clearRetained(): void {
    this.#begin(OP.CLEAR_RETAINED);
  }

  /** null = it goes. */
  delayed(id: number, row: DelayedRow | null): void {
    if (!this.#begin(row === null ? OP.UNDELAY : OP.DELAY)) return;
    this.#w.uint(id);
    if (row === null) return;
    this.#w.f64(row.dueAt);
    this.#stored(row.message);
  }

  // ----

  /** False = it need not be written down. */
  #begin(op: number): boolean {
    if (this.#full) return false;
    if (this.#w.length > LARGE) {
      this.stop();
      return false;
    }
    this.#w.u8(op);
    return true;
  }

  #pair(op: number, a: number, b: number): boolean {
    if (!this.#begin(op)) return false;
    this.#w.uint(a);
    this.#w.uint(b);
    return true;
  }

  #stored(m: StoredMessage): void {
    this.#head(m);
    this.#w.bytes(m.payload);
  }

  /** All but the payload. */
  #head(m: Omit<StoredMessage, "payload">): void {
    const w = this.#w;
    w.string(m.topic);
    w.u8(packFlags(m.qos, m.retain));
    w.string(m.from);
    w.nullable(m.username);
    w.f64(m.timestamp);
    w.f64(m.expiresAt);
    w.nullable(packProperties(m.properties));
  }
}
