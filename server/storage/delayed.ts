/** Messages that wait for their time ($delayed). */
import type { Statement } from "bun:sqlite";
import type { DelayedRow, DelayedStore } from "../core/ports.ts";
import { Changes, mayBeThere } from "./changes.ts";
import { type MessageColumns, messageBytes, packFlags, packProperties, readMessage } from "./codec.ts";
import type { Connection } from "./connection.ts";
import type { Owner } from "./part.ts";
import { DELETE_DELAYED, PUT_DELAYED } from "./statements.ts";

type Put = [number, number, string, Uint8Array, number, string, string | null, number, number, string | null];

export class SqliteDelayed extends Changes<number, DelayedRow> implements DelayedStore {
  readonly #put: Statement<unknown, Put>;
  readonly #delete: Statement<unknown, [number]>;
  readonly #find: Statement<unknown, [number]>;

  constructor(
    private readonly c: Connection,
    owner: Owner,
  ) {
    super(owner);
    this.#put = c.prepare(PUT_DELAYED);
    this.#delete = c.prepare(DELETE_DELAYED);
    this.#find = c.prepare("SELECT 1 FROM delayed WHERE id = ?");
  }

  /** By due time. */
  load(): DelayedRow[] {
    return this.read(() => {
      const rows = this.c.rows<MessageColumns & { id: number; due_at: number }>("SELECT * FROM delayed ORDER BY due_at, id");
      return rows.map((r) => ({ id: r.id, dueAt: r.due_at, message: readMessage(r) }));
    });
  }

  /** The message must not change any more. */
  put(row: DelayedRow): void {
    this.change(row.id, { ...row });
  }

  delete(id: number): void {
    this.change(id, null);
  }

  protected override log(id: number, row: DelayedRow | null): void {
    this.owner.redo.delayed(id, row);
  }

  protected override inFile(id: number): boolean {
    return mayBeThere(this.#find, id);
  }

  protected override sizeOf({ message }: DelayedRow): number {
    return messageBytes(message);
  }

  protected override putRow(id: number, { dueAt, message: m }: DelayedRow): void {
    const flags = packFlags(m.qos, m.retain);
    this.#put.run(id, dueAt, m.topic, m.payload, flags, m.from, m.username, m.timestamp, m.expiresAt, packProperties(m.properties));
  }

  protected override deleteRow(id: number): void {
    this.#delete.run(id);
  }
}
