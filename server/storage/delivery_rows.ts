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
import { PIECE } from "./part.ts";
import type { RedoOps } from "./redo_ops.ts";
import { Slots } from "./slots.ts";
import { DELETE_DELIVERY, FLAGS, PUT_DELIVERY, UPDATE_DELIVERY } from "./statements.ts";

/** Nothing to write: enqueued and done in this batch. */
const NONE = 0;
/** A new row. */
const INSERT = 1;
/** A change of state of a row of the file. */
const UPDATE = 2;
const DELETE = 3;

const STATES: readonly DeliveryState[] = ["queued", "sent", "released"];
export const SENT = 1 << 3;
export const RELEASED = 2 << 3;

export function stateOf(flags: number): DeliveryState {
  return STATES[flags >> 3] ?? "queued";
}

/** From so many entries without an effect on they are cleared away once they are the majority. */
const CLEAR_FROM = 1024;
/** Memory of an entry, about: five columns, and a pair with its place in the table. */
const ENTRY_BYTES = 100;

export class DeliveryRows {
  readonly #statements: Statements;
  readonly #messages: MessageRows;
  #slots = new Slots();
  /** Entries of NONE. */
  #none = 0;
  #columns = newColumns();

  constructor(
    c: Connection,
    messages: MessageRows,
    private readonly redo: RedoOps,
  ) {
    this.#statements = {
      put: c.prepare(PUT_DELIVERY),
      update: c.prepare(UPDATE_DELIVERY),
      delete: c.prepare(DELETE_DELIVERY),
    };
    this.#messages = messages;
  }

  enqueue(key: number, seq: number, m: Message, qos: QoS, packetId: number, subIds: number[] | null, retain: boolean): void {
    // Once per delivery: there is no row of that seq, nor will there be another.
    const s = this.#slot(key, seq, INSERT);
    const id = this.#messages.hold(m);
    const flags = packetId === 0 ? packFlags(qos, retain) : packFlags(qos, retain) | SENT;
    this.#columns.message[s] = id;
    this.#columns.flags[s] = flags;
    this.#columns.packet[s] = packetId;
    this.#columns.subIds[s] = subIds;
    this.redo.enqueue(key, seq, id, flags, packetId, subIds);
  }

  sent(key: number, seq: number, packetId: number): void {
    this.redo.sent(key, seq, packetId);
    this.#change(key, seq, SENT, packetId);
  }

  released(key: number, seq: number): void {
    this.redo.released(key, seq);
    this.#change(key, seq, RELEASED, 0);
  }

  done(key: number, seq: number, m: Message): void {
    this.redo.done(key, seq);
    const known = this.#slots.n;
    const s = this.#slot(key, seq, DELETE);
    if (s < known) {
      const op = this.#columns.op[s] as number;
      if (op === NONE || op === DELETE) return;
      this.#columns.op[s] = op === INSERT ? NONE : DELETE;
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
      if (this.#columns.op[s] === NONE) continue;
      this.#slots.claim(old.a(s), old.b(s));
      this.#columns.op[to] = this.#columns.op[s] as number;
      this.#columns.flags[to] = this.#columns.flags[s] as number;
      this.#columns.packet[to] = this.#columns.packet[s] as number;
      this.#columns.message[to] = this.#columns.message[s] as number;
      this.#columns.subIds[to] = this.#columns.subIds[s] ?? null;
      to++;
    }
    for (const column of Object.values(this.#columns)) column.length = to;
    this.#none = 0;
  }

  take(): DeliveryShare {
    const share = new DeliveryShare(this.#statements, this.#slots, this.#columns, this.bytes);
    this.#slots = new Slots();
    this.#columns = newColumns();
    this.#none = 0;
    return share;
  }

  #change(key: number, seq: number, state: number, packetId: number): void {
    const s = this.#slot(key, seq, UPDATE);
    const op = this.#columns.op[s] as number;
    if (op === NONE || op === DELETE) return;
    this.#columns.flags[s] = ((this.#columns.flags[s] as number) & FLAGS) | state;
    if (packetId !== 0) this.#columns.packet[s] = packetId;
  }

  /** The entry of a delivery; a new one has the effect `op`. */
  #slot(key: number, seq: number, op: number): number {
    const known = this.#slots.n;
    const s = this.#slots.claim(key, seq);
    if (s === known) {
      this.#columns.op.push(op);
      this.#columns.flags.push(0);
      this.#columns.packet.push(0);
      this.#columns.message.push(0);
      this.#columns.subIds.push(null);
    }
    return s;
  }
}

interface Statements {
  readonly put: Statement<unknown, [number, number, number, number, number, string | null]>;
  readonly update: Statement<unknown, [number, number, number, number, number]>;
  readonly delete: Statement<unknown, [number, number]>;
}

/** By slot. */
interface Columns {
  readonly op: number[];
  readonly flags: number[];
  readonly packet: number[];
  readonly message: number[];
  readonly subIds: (number[] | null)[];
}

const newColumns = (): Columns => ({ op: [], flags: [], packet: [], message: [], subIds: [] });

class DeliveryShare {
  constructor(
    private readonly statements: Statements,
    private readonly slots: Slots,
    private readonly columns: Columns,
    readonly bytes: number,
  ) {}

  /** Rows of the sessions in `removed` are gone already. */
  *write(removed: ReadonlySet<number>): Generator<void> {
    const { slots, columns } = this;
    const some = removed.size > 0;
    for (let s = 0; s < slots.n; s++) {
      if (s % PIECE === PIECE - 1) yield;
      const op = columns.op[s];
      if (op === NONE) continue;
      const key = slots.a(s);
      if (some && removed.has(key)) continue;
      if (op === DELETE) this.statements.delete.run(key, slots.b(s));
      else if (op === UPDATE) this.#update(s);
      else this.#put(s);
    }
  }

  #put(s: number): void {
    const { message, flags, packet, subIds } = this.columns;
    const ids = subIds[s] ?? null;
    const list = ids === null ? null : ids.join(",");
    this.statements.put.run(this.slots.a(s), this.slots.b(s), message[s] as number, flags[s] as number, packet[s] as number, list);
  }

  #update(s: number): void {
    const packetId = this.columns.packet[s] as number;
    const flags = (this.columns.flags[s] as number) & ~FLAGS;
    this.statements.update.run(flags, packetId, packetId, this.slots.a(s), this.slots.b(s));
  }
}
