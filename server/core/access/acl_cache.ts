/**
 * ACL verdicts of one connection, made on its first check.
 * Bounded by size (the oldest verdict goes first) and by age.
 */
import { between, type MonoMs, NO_MONO } from "../../lib/time.ts";
import type { AclVerdict, Action } from "../types.ts";

interface Entry {
  readonly topic: string;
  readonly verdict: AclVerdict;
  readonly at: MonoMs;
}

/** Oldest first. Most clients have one verdict of a kind, and a map takes 550 bytes for it. */
type Table = Entry | Map<string, Entry> | null;

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
  // One table per action: a look-up needs no key to be put together.
  private publish: Table = null;
  private subscribe: Table = null;

  get size(): number {
    return sizeOf(this.publish) + sizeOf(this.subscribe);
  }

  get(action: Action, topic: string, now: MonoMs, ttlMs: number, generation: number): AclVerdict | undefined {
    if (generation !== this.generation) {
      this.clear();
      this.generation = generation;
      return undefined;
    }
    const e = find(this[action], topic);
    if (e === undefined) return undefined;
    if (between(e.at, now) < ttlMs) {
      this.hitAt = e.at;
      return e.verdict;
    }
    this[action] = without(this[action], topic);
    return undefined;
  }

  /** `generation` is that of the rules when the check began: a verdict made under older rules is not kept. */
  put(action: Action, topic: string, verdict: AclVerdict, now: MonoMs, maxSize: number, generation: number): void {
    if (maxSize <= 0 || generation !== this.generation) return;
    // Deleted first, so that the table stays in order of age.
    this[action] = without(this[action], topic);
    while (this.size >= maxSize) this.evict();
    this[action] = including(this[action], { topic, verdict, at: now });
  }

  /** Forget what is known of a topic; returns how many verdicts that were. */
  drop(topic: string): number {
    const before = this.size;
    this.publish = without(this.publish, topic);
    this.subscribe = without(this.subscribe, topic);
    return before - this.size;
  }

  clear(): void {
    this.publish = null;
    this.subscribe = null;
  }

  /** Verdicts still in force, oldest first within an action. */
  list(now: MonoMs, ttlMs: number): AclCacheRow[] {
    const rows: AclCacheRow[] = [];
    for (const action of ["publish", "subscribe"] as const) {
      for (const { topic, verdict, at } of entries(this[action])) {
        const age = between(at, now);
        if (age < ttlMs) rows.push({ action, topic, verdict, age });
      }
    }
    return rows;
  }

  private evict(): void {
    const p = oldest(this.publish);
    const s = oldest(this.subscribe);
    if (p !== undefined && (s === undefined || p.at <= s.at)) this.publish = without(this.publish, p.topic);
    else if (s !== undefined) this.subscribe = without(this.subscribe, s.topic);
  }
}

function sizeOf(t: Table): number {
  return t === null ? 0 : t instanceof Map ? t.size : 1;
}

function find(t: Table, topic: string): Entry | undefined {
  if (t instanceof Map) return t.get(topic);
  return t !== null && t.topic === topic ? t : undefined;
}

function without(t: Table, topic: string): Table {
  if (!(t instanceof Map)) return t !== null && t.topic === topic ? null : t;
  t.delete(topic);
  return t;
}

/** At its end; the topic is not in it. */
function including(t: Table, e: Entry): Table {
  if (t === null) return e;
  if (t instanceof Map) return t.set(e.topic, e);
  return new Map([
    [t.topic, t],
    [e.topic, e],
  ]);
}

function entries(t: Table): Iterable<Entry> {
  if (t === null) return [];
  return t instanceof Map ? t.values() : [t];
}

function oldest(t: Table): Entry | undefined {
  return t instanceof Map ? t.values().next().value : (t ?? undefined);
}
