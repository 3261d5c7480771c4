/** One-minute points of the main counters, kept in the file alone: a week of them would cost memory that nobody looks at. */
import type { Statement } from "bun:sqlite";
import type { MonitorPoint, MonitorStore } from "../core/ports.ts";
import { Changes } from "./changes.ts";
import type { Connection } from "./connection.ts";
import type { Owner, Share } from "./part.ts";

/** Older points go when a new one comes: 7 days, 10,080 points. */
const KEEP_MS = 7 * 86_400_000;

interface Columns {
  at: number;
  points: string;
}

export class SqliteMonitor extends Changes<number, string> implements MonitorStore {
  readonly #put: Statement<unknown, [number, string]>;
  readonly #prune: Statement<unknown, [number]>;
  readonly #range: Statement<Columns, [number, number]>;
  /** Points before this are to go with the next write. */
  #before = Number.NEGATIVE_INFINITY;

  constructor(c: Connection, owner: Owner) {
    super(owner);
    this.#put = c.prepare("REPLACE INTO monitor (at, points) VALUES (?, ?)");
    this.#prune = c.prepare("DELETE FROM monitor WHERE at < ?");
    this.#range = c.prepare("SELECT at, points FROM monitor WHERE at BETWEEN ? AND ? ORDER BY at");
  }

  override get dirty(): boolean {
    return super.dirty || this.#before > Number.NEGATIVE_INFINITY;
  }

  add(point: MonitorPoint): void {
    this.change(point.at, JSON.stringify(point.values));
    this.prune(point.at - KEEP_MS);
  }

  range(from: number, to: number): MonitorPoint[] {
    return this.read(() => this.#range.all(from, to).map((r) => ({ at: r.at, values: JSON.parse(r.points) as Record<string, number> })));
  }

  prune(before: number): void {
    this.#before = Math.max(this.#before, before);
    for (const at of this.changes.keys()) if (at < before) this.withdraw(at);
    this.owner.pending = this.owner.direct = true;
  }

  override take(): Share {
    const before = this.#before;
    this.#before = Number.NEGATIVE_INFINITY;
    const share = super.take();
    const prune = (): void => void this.#prune.run(before);
    return {
      ...share,
      *write() {
        if (before > Number.NEGATIVE_INFINITY) prune();
        const rows = share.write();
        while (!rows.next().done) yield;
      },
    };
  }

  protected override sizeOf(points: string): number {
    return 2 * points.length;
  }

  protected override putRow(at: number, points: string): void {
    this.#put.run(at, points);
  }

  protected override deleteRow(): void {}
}
