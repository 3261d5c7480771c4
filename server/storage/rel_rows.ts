/** Packet identifiers of received QoS 2 messages that wait for PUBREL: net effect per identifier, like delivery_rows.ts. */
import type { Statement } from "bun:sqlite";
import type { Connection } from "./connection.ts";
import { PIECE } from "./part.ts";
import type { RedoOps } from "./redo_ops.ts";
import { Slots } from "./slots.ts";
import { DELETE_REL, PUT_REL } from "./statements.ts";

const NONE = 0;
const INSERT = 1;
const REPLACE = 2;
const DELETE = 3;

/** As in delivery_rows.ts. */
const CLEAR_FROM = 1024;
const ENTRY_BYTES = 60;

export class RelRows {
  readonly #put: Statement<unknown, [number, number, number]>;
  readonly #delete: Statement<unknown, [number, number]>;
  #slots = new Slots();
  /** Entries of NONE. */
  #none = 0;
  #op: number[] = [];
  #since: number[] = [];

  constructor(
    c: Connection,
    private readonly redo: RedoOps,
  ) {
    this.#put = c.prepare(PUT_REL);
    this.#delete = c.prepare(DELETE_REL);
  }

  awaitRel(key: number, packetId: number, since: number): void {
    this.redo.awaitRel(key, packetId, since);
    const before = this.#slots.n;
    const s = this.#slots.claim(key, packetId);
    const op = this.#op[s];
    if (s !== before && op === NONE) this.#none--;
    this.#op[s] = s === before || op === NONE || op === INSERT ? INSERT : REPLACE;
    this.#since[s] = since;
  }

  relDone(key: number, packetId: number): void {
    this.redo.relDone(key, packetId);
    const before = this.#slots.n;
    const s = this.#slots.claim(key, packetId);
    if (s !== before && this.#op[s] === NONE) return;
    if (s === before || this.#op[s] !== INSERT) {
      this.#op[s] = DELETE;
      return;
    }
    this.#op[s] = NONE;
    if (++this.#none >= CLEAR_FROM && this.#none * 2 > this.#slots.n) this.#clear();
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
      this.#since[to] = this.#since[s] as number;
      to++;
    }
    this.#op.length = this.#since.length = to;
    this.#none = 0;
  }

  take(): RelShare {
    const share = new RelShare(this.#put, this.#delete, this.#slots, this.#op, this.#since, this.bytes);
    this.#slots = new Slots();
    this.#none = 0;
    this.#op = [];
    this.#since = [];
    return share;
  }
}

class RelShare {
  constructor(
    private readonly put: Statement<unknown, [number, number, number]>,
    private readonly remove: Statement<unknown, [number, number]>,
    private readonly slots: Slots,
    private readonly op: readonly number[],
    private readonly since: readonly number[],
    readonly bytes: number,
  ) {}

  /** Rows of the sessions in `removed` are gone already. */
  *write(removed: ReadonlySet<number>): Generator<void> {
    const { slots } = this;
    for (let s = 0; s < slots.n; s++) {
      if (s % PIECE === PIECE - 1) yield;
      const key = slots.a(s);
      const op = this.op[s];
      if (op === NONE || removed.has(key)) continue;
      if (op === DELETE) this.remove.run(key, slots.b(s));
      else this.put.run(key, slots.b(s), this.since[s] as number);
    }
  }
}
