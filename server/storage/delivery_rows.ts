/**
 * Deliveries of the journal. The batch holds one entry per delivery, its net effect: what was enqueued and is done within one batch is
 * never written, and leaves the batch again when it is most of it. So a batch that waits for a failing disk stays as small as what there is.
 */
import type { Statement } from "bun:sqlite";
import type { Message } from "../core/message.ts";
import type { DeliveryState } from "../core/ports.ts";
import type { QoS } from "../mqtt/types.ts";
import { packFlags } from "./codec.ts";
import type { Connection } from "./connection.ts";
import type { MessageRows } from "./message_rows.ts";
import { Slots } from "./slots.ts";

/** Nothing to write: enqueued and done in this batch. */
const NONE = 0;
/** A new row. */
const INSERT = 1;
/** A change of state of a row of the file. */
const UPDATE = 2;
const DELETE = 3;

const STATES: readonly DeliveryState[] = ["queued", "sent", "released"];
const SENT = 1 << 3;
const RELEASED = 2 << 3;
/** QoS and retain, as packed by codec.ts; the state lies above them. */
const FLAGS = 7;

export function stateOf(flags: number): DeliveryState {
  return STATES[flags >> 3] ?? "queued";
}

/** From so many entries without an effect on they are cleared away once they are the majority. */
const CLEAR_FROM = 1024;
/** Memory of an entry, about: five columns, and a pair with its place in the table. */
const ENTRY_BYTES = 100;

export class DeliveryRows {
  readonly #put: Statement<unknown, [number, number, number, number, number, string | null]>;
  readonly #update: Statement<unknown, [number, number, number, number, number]>;
  readonly #delete: Statement<unknown, [number, number]>;
  readonly #messages: MessageRows;
  #slots = new Slots();
  /** Entries of NONE. */
  #none = 0;
  /** Columns of the batch, by slot. */
  #op: number[] = [];
  #flags: number[] = [];
  #packet: number[] = [];
  #message: number[] = [];
  #subIds: (number[] | null)[] = [];

  constructor(c: Connection, messages: MessageRows) {
    this.#put = c.prepare("REPLACE INTO deliveries (session, seq, message, flags, packet_id, sub_ids) VALUES (?, ?, ?, ?, ?, ?)");
    this.#update = c.prepare(
      `UPDATE deliveries SET flags = (flags & ${FLAGS}) | ?, packet_id = iif(? = 0, packet_id, ?) WHERE session = ? AND seq = ?`,
    );
    this.#delete = c.prepare("DELETE FROM deliveries WHERE session = ? AND seq = ?");
    this.#messages = messages;
  }

  enqueue(key: number, seq: number, m: Message, qos: QoS, packetId: number, subIds: number[] | null, retain: boolean): void {
    // Once per delivery: there is no row of that seq, nor will there be another.
    const s = this.#slot(key, seq, INSERT);
    this.#message[s] = this.#messages.hold(m);
    this.#flags[s] = packetId === 0 ? packFlags(qos, retain) : packFlags(qos, retain) | SENT;
    this.#packet[s] = packetId;
    this.#subIds[s] = subIds;
  }

  sent(key: number, seq: number, packetId: number): void {
    this.#change(key, seq, SENT, packetId);
  }

  released(key: number, seq: number): void {
    this.#change(key, seq, RELEASED, 0);
  }

  done(key: number, seq: number, m: Message): void {
    const known = this.#slots.n;
    const s = this.#slot(key, seq, DELETE);
    if (s < known) {
      const op = this.#op[s] as number;
      if (op === NONE || op === DELETE) return;
      this.#op[s] = op === INSERT ? NONE : DELETE;
      if (op === INSERT) this.#none++;
    }
    this.#messages.release(m);
    if (this.#none >= CLEAR_FROM && this.#none * 2 > this.#slots.n) this.#clear();
  }

  /** Entries of the batch. */
  get size(): number {
    return this.#slots.n;
  }
  get bytes(): number {
    return this.#slots.n * ENTRY_BYTES;
  }

  /** Entries without an effect leave; the others move up. */
  #clear(): void {
    const old = this.#slots;
    this.#slots = new Slots();
    let to = 0;
    for (let s = 0; s < old.n; s++) {
      if (this.#op[s] === NONE) continue;
      this.#slots.claim(old.a(s), old.b(s));
      this.#op[to] = this.#op[s] as number;
      this.#flags[to] = this.#flags[s] as number;
      this.#packet[to] = this.#packet[s] as number;
      this.#message[to] = this.#message[s] as number;
      this.#subIds[to] = this.#subIds[s] ?? null;
      to++;
    }
    for (const column of [this.#op, this.#flags, this.#packet, this.#message, this.#subIds]) column.length = to;
    this.#none = 0;
  }

  /** Rows of the sessions in `removed` are gone already. */
  write(removed: ReadonlySet<number>): void {
    const slots = this.#slots;
    const some = removed.size > 0;
    for (let s = 0; s < slots.n; s++) {
      const op = this.#op[s];
      if (op === NONE) continue;
      const key = slots.a(s);
      if (some && removed.has(key)) continue;
      if (op === DELETE) this.#delete.run(key, slots.b(s));
      else if (op === UPDATE) this.#writeUpdate(s);
      else this.#writePut(s);
    }
  }

  written(): void {
    if (this.#slots.n === 0) return;
    this.#slots.clear();
    this.#none = 0;
    this.#op = [];
    this.#flags = [];
    this.#packet = [];
    this.#message = [];
    this.#subIds = [];
  }

  #change(key: number, seq: number, state: number, packetId: number): void {
    const s = this.#slot(key, seq, UPDATE);
    const op = this.#op[s] as number;
    if (op === NONE || op === DELETE) return;
    this.#flags[s] = ((this.#flags[s] as number) & FLAGS) | state;
    if (packetId !== 0) this.#packet[s] = packetId;
  }

  /** The entry of a delivery; a new one has the effect `op`. */
  #slot(key: number, seq: number, op: number): number {
    const known = this.#slots.n;
    const s = this.#slots.claim(key, seq);
    if (s === known) {
      this.#op.push(op);
      this.#flags.push(0);
      this.#packet.push(0);
      this.#message.push(0);
      this.#subIds.push(null);
    }
    return s;
  }

  #writePut(s: number): void {
    const ids = this.#subIds[s] ?? null;
    this.#put.run(
      this.#slots.a(s),
      this.#slots.b(s),
      this.#message[s] as number,
      this.#flags[s] as number,
      this.#packet[s] as number,
      ids === null ? null : ids.join(","),
    );
  }

  #writeUpdate(s: number): void {
    const packetId = this.#packet[s] as number;
    this.#update.run((this.#flags[s] as number) & ~FLAGS, packetId, packetId, this.#slots.a(s), this.#slots.b(s));
  }
}
