/**
 * ACL verdicts of one connection. Made on the first check, so that a client that never publishes has none.
 * Bounded by size (the oldest verdict goes first) and by age.
 */
import { between, type MonoMs, NO_MONO } from "../../lib/time.ts";
import type { AclVerdict, Action } from "../types.ts";

interface Entry {
  readonly verdict: AclVerdict;
  readonly at: MonoMs;
}

export interface AclCacheRow {
  action: Action;
  topic: string;
  verdict: AclVerdict;
  /** Age in ms. */
  age: number;
}

export class AclCache {
  /** When the verdict that `get` found last had been made. */
  hitAt = NO_MONO;
  /** Generation of the rules the verdicts were made under; a newer one empties the cache. */
  private generation = 0;
  // One table per action, oldest first: a look-up needs no key to be put together. Made on first use: most clients do one of the two.
  private publish: Map<string, Entry> | null = null;
  private subscribe: Map<string, Entry> | null = null;

  get size(): number {
    return (this.publish?.size ?? 0) + (this.subscribe?.size ?? 0);
  }

  get(action: Action, topic: string, now: MonoMs, ttlMs: number, generation: number): AclVerdict | undefined {
    if (generation !== this.generation) {
      this.clear();
      this.generation = generation;
      return undefined;
    }
    const table = action === "publish" ? this.publish : this.subscribe;
    const e = table?.get(topic);
    if (e === undefined) return undefined;
    if (between(e.at, now) < ttlMs) {
      this.hitAt = e.at;
      return e.verdict;
    }
    table?.delete(topic);
    return undefined;
  }

  /** `generation` is that of the rules when the check began: a verdict made under older rules is not kept. */
  put(action: Action, topic: string, verdict: AclVerdict, now: MonoMs, maxSize: number, generation: number): void {
    if (maxSize <= 0 || generation !== this.generation) return;
    const table = this.table(action);
    // Deleted first, so that the table stays in order of age.
    table.delete(topic);
    while (this.size >= maxSize) this.evict();
    table.set(topic, { verdict, at: now });
  }

  /** Forget what is known of a topic; returns how many verdicts that were. */
  drop(topic: string): number {
    return Number(this.publish?.delete(topic) ?? false) + Number(this.subscribe?.delete(topic) ?? false);
  }

  clear(): void {
    this.publish = null;
    this.subscribe = null;
  }

  /** Verdicts still in force, oldest first within an action. */
  list(now: MonoMs, ttlMs: number): AclCacheRow[] {
    const rows: AclCacheRow[] = [];
    const add = (action: Action, table: Map<string, Entry> | null): void => {
      for (const [topic, e] of table ?? []) {
        if (between(e.at, now) < ttlMs) rows.push({ action, topic, verdict: e.verdict, age: between(e.at, now) });
      }
    };
    add("publish", this.publish);
    add("subscribe", this.subscribe);
    return rows;
  }

  private table(action: Action): Map<string, Entry> {
    if (action === "publish") {
      this.publish ??= new Map();
      return this.publish;
    }
    this.subscribe ??= new Map();
    return this.subscribe;
  }

  private evict(): void {
    const p = oldest(this.publish);
    const s = oldest(this.subscribe);
    if (p && (!s || p[1].at <= s[1].at)) this.publish?.delete(p[0]);
    else if (s) this.subscribe?.delete(s[0]);
  }
}

function oldest(table: Map<string, Entry> | null): [string, Entry] | undefined {
  return table?.entries().next().value;
}
