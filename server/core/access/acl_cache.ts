/**
 * ACL verdicts of one connection, made on its first check.
 * Bounded by size (the oldest verdict goes first) and by age.
 */
import { between, later, type MonoMs, NO_MONO } from "../../lib/time.ts";
import type { AclVerdict, Action } from "../types.ts";

/**
 * For so long at most a verdict stands that came about by a failure, ms: whoever publishes on while nobody can be asked is not asked about with each
 * message, and what others said instead is over soon behind the failure.
 */
const FAILED_MS = 1000;

/** How long a verdict that came about by a failure stands where others do for `ttlMs`. */
export const failedTtl = (ttlMs: number): number => Math.min(ttlMs, FAILED_MS);

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
  /** The verdict that `get` found last stands until then. */
  hitUntil = NO_MONO;
  /** Generation of the rules the verdicts were made under; a newer one empties the cache. */
  private generation = 0;
  // One table per action: a look-up needs no key to be put together.
  private publish: Table = null;
  private subscribe: Table = null;
  /** Verdicts by a failure: apart, so that they push out none of those that stay. */
  private failed: AclCache | null = null;

  /** Verdicts by a failure are not counted. */
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
    if (e !== undefined && between(e.at, now) < ttlMs) {
      this.hitUntil = later(e.at, ttlMs);
      return e.verdict;
    }
    if (e !== undefined) this[action] = without(this[action], topic);
    const { failed } = this;
    if (failed === null) return undefined;
    const verdict = failed.get(action, topic, now, failedTtl(ttlMs), generation);
    this.hitUntil = failed.hitUntil;
    return verdict;
  }

  /** `now`, `generation`: when the check began, and of the rules then; a verdict made under older rules is not kept. */
  put(action: Action, topic: string, verdict: AclVerdict, now: MonoMs, maxSize: number, generation: number): void {
    if (maxSize <= 0 || generation !== this.generation) return;
    // Whoever could not be asked is likely to answer again: each of those is asked about anew.
    this.failed = null;
    // Deleted first, so that the table stays in order of age.
    this[action] = without(this[action], topic);
    while (this.size >= maxSize) this.evict();
    this[action] = including(this[action], { topic, verdict, at: now });
  }

  /** As `put`, of a verdict that came about by a failure, at `now`. */
  putFailed(action: Action, topic: string, verdict: AclVerdict, now: MonoMs, maxSize: number, generation: number): void {
    if (generation !== this.generation) return;
    this.failed ??= new AclCache();
    this.failed.generation = generation;
    this.failed.put(action, topic, verdict, now, maxSize, generation);
  }

  /** Forget what is known of a topic; returns how many verdicts that were. */
  drop(topic: string): number {
    const before = this.size;
    this.publish = without(this.publish, topic);
    this.subscribe = without(this.subscribe, topic);
    return before - this.size + (this.failed?.drop(topic) ?? 0);
  }

  clear(): void {
    this.publish = null;
    this.subscribe = null;
    this.failed = null;
  }

  /** Verdicts still in force, oldest first within an action; behind them those by a failure, likewise. */
  list(now: MonoMs, ttlMs: number): AclCacheRow[] {
    const rows: AclCacheRow[] = [];
    for (const action of ["publish", "subscribe"] as const) {
      for (const { topic, verdict, at } of entries(this[action])) {
        const age = between(at, now);
        if (age < ttlMs) rows.push({ action, topic, verdict, age });
      }
    }
    return this.failed === null ? rows : [...rows, ...this.failed.list(now, failedTtl(ttlMs))];
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
