/** Packet identifiers of received QoS 2 messages that wait for PUBREL: net effect per identifier, like delivery_rows.ts. */
import type { Statement } from "bun:sqlite";
import type { Connection } from "./connection.ts";
import { Slots } from "./slots.ts";

const NONE = 0;
const INSERT = 1;
const REPLACE = 2;
const DELETE = 3;

export class RelRows {
  readonly #put: Statement<unknown, [number, number, number]>;
  readonly #delete: Statement<unknown, [number, number]>;
  readonly #slots = new Slots();
  #op: number[] = [];
  #since: number[] = [];

  constructor(c: Connection) {
    this.#put = c.prepare("REPLACE INTO awaiting_rel (session, packet_id, since) VALUES (?, ?, ?)");
    this.#delete = c.prepare("DELETE FROM awaiting_rel WHERE session = ? AND packet_id = ?");
  }

  awaitRel(key: number, packetId: number, since: number): void {
    const before = this.#slots.n;
    const s = this.#slots.claim(key, packetId);
    const op = this.#op[s];
    this.#op[s] = s === before || op === NONE || op === INSERT ? INSERT : REPLACE;
    this.#since[s] = since;
  }

  relDone(key: number, packetId: number): void {
    const before = this.#slots.n;
    const s = this.#slots.claim(key, packetId);
    this.#op[s] = s !== before && (this.#op[s] === INSERT || this.#op[s] === NONE) ? NONE : DELETE;
  }

  write(removed: ReadonlySet<number>): void {
    for (let s = 0; s < this.#slots.n; s++) {
      const key = this.#slots.a(s);
      const op = this.#op[s];
      if (op === NONE || removed.has(key)) continue;
      if (op === DELETE) this.#delete.run(key, this.#slots.b(s));
      else this.#put.run(key, this.#slots.b(s), this.#since[s] as number);
    }
  }

  written(): void {
    if (this.#slots.n === 0) return;
    this.#slots.clear();
    this.#op = [];
    this.#since = [];
  }
}
