/**
 * Where several filters match a topic: one list of their subscriptions, each session once [MQTT-3.3.5-1].
 *
 * Topics that the same filters match share one list, however many topics there are. A list is made anew only after one of its own
 * filters has changed, in one pass over its subscriptions.
 */
import type { QoS } from "../mqtt/types.ts";
import type { ShareGroup } from "./shared.ts";
import { Subscription } from "./subscription.ts";

/** A topic filter with its subscriptions. */
export class FilterEntry {
  /** One that nobody has asked for as a list is none yet: most filters have one subscription, and many are never published to. */
  #subs: Subscription | Subscription[] | null = null;
  groups: Map<string, ShareGroup> | null = null;
  /** Some merged list has been made of it: changes here make that one stale. */
  merged = false;
  /** Counts the changes of `subs` and of their options. */
  version = 0;
  /** The dispatch during which `subs` was last replaced by a copy (router.ts). */
  copiedIn = 0;
  #shares: readonly ShareGroup[] | null = null;

  constructor(
    readonly filter: string,
    readonly id: number,
  ) {}

  get empty(): boolean {
    const subs = this.#subs;
    return (subs === null || (Array.isArray(subs) && subs.length === 0)) && this.groups === null;
  }

  get subs(): Subscription[] {
    const subs = this.#subs;
    return Array.isArray(subs) ? subs : this.#listed(subs);
  }
  set subs(subs: Subscription[]) {
    this.#subs = subs;
  }

  #listed(only: Subscription | null): Subscription[] {
    const list = only === null ? [] : [only];
    this.#subs = list;
    return list;
  }

  /** The first, of a filter that is new. */
  begin(s: Subscription): void {
    s.index = 0;
    this.#subs = s;
  }

  /** Its groups as a list, which stays as it is; null = none. */
  get shares(): readonly ShareGroup[] | null {
    if (this.groups !== null) this.#shares ??= [...this.groups.values()];
    return this.#shares;
  }

  /** A group has come or gone. */
  regrouped(): void {
    this.#shares = null;
  }
}

export class Merged {
  subs: readonly Subscription[] = [];
  /** Sum of the entries' versions when the list was made: those only grow, so equal sums mean that nothing has changed. */
  #version = -1;

  /** `refs`: references that it holds, if it is one topic's alone; 0 = it is shared. */
  constructor(
    readonly entries: readonly FilterEntry[],
    readonly refs: number,
  ) {}

  /** Bring the list up to date. Returns the number of steps that took. A changed list is a new array: whoever walks the old one may go on. */
  refresh(): number {
    let version = 0;
    let size = 0;
    for (const e of this.entries) {
      version += e.version;
      size += e.subs.length;
    }
    if (version === this.#version) return this.entries.length;
    this.#version = version;
    this.subs = merge(this.entries);
    return this.entries.length + size;
  }
}

/** More filters than that, and a topic has its list for itself. */
const SHARED_MAX = 64;
/** References that all lists together may hold; then all are made anew when they are asked for. */
const REFS_MAX = 4_000_000;

/** Lists found last, by a hash of their filters' numbers: a power of two. To find one takes 29 ns, by the key of the map 110. */
const LAST = 256;

export class MergedLists {
  #shared = new Map<string, Merged>();
  readonly #last = new Array<Merged | null>(LAST).fill(null);
  #refs = 0;

  /** Too many are kept: whoever holds one must ask again. */
  get full(): boolean {
    return this.#refs > REFS_MAX;
  }

  /** The list of these entries, two at least. `kept`: the asker will use it again; of one that is not shared, it has to `release` it then. */
  of(entries: readonly FilterEntry[], kept: boolean): Merged {
    if (entries.length > SHARED_MAX) return this.#alone(entries, kept);
    let h = 0;
    for (let i = 0; i < entries.length; i++) h = Math.imul(h, 31) + (entries[i] as FilterEntry).id;
    const at = (h ^ (h >>> 8)) & (LAST - 1);
    let m = this.#last[at] ?? null;
    if (m === null || !sameEntries(m.entries, entries)) {
      m = this.#ofKey(entries);
      this.#last[at] = m;
    }
    return m;
  }

  release(m: Merged): void {
    this.#refs -= m.refs;
  }

  clear(): void {
    this.#shared = new Map();
    this.#last.fill(null);
    this.#refs = 0;
  }

  #ofKey(entries: readonly FilterEntry[]): Merged {
    let key = "";
    for (const e of entries) key += `${e.id},`;
    let m = this.#shared.get(key);
    if (m === undefined) {
      m = new Merged(marked(entries), 0);
      this.#refs += refsOf(entries);
      this.#shared.set(key, m);
    }
    return m;
  }

  #alone(entries: readonly FilterEntry[], kept: boolean): Merged {
    const m = new Merged(marked(entries), kept ? refsOf(entries) : 0);
    this.#refs += m.refs;
    return m;
  }
}

/** A list of its own, whose changes make the merged one stale. */
function marked(entries: readonly FilterEntry[]): readonly FilterEntry[] {
  for (const e of entries) e.merged = true;
  return entries.slice();
}

function refsOf(entries: readonly FilterEntry[]): number {
  let n = 0;
  for (const e of entries) n += 1 + e.subs.length;
  return n;
}

function sameEntries(a: readonly FilterEntry[], b: readonly FilterEntry[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

let mark = 0;

/** Highest QoS, all subscription identifiers [MQTT-3.3.4-3]. Marks on the sessions take the place of a map. */
function merge(entries: readonly FilterEntry[]): Subscription[] {
  const out: Subscription[] = [];
  const overlaps = new Map<number, Subscription[]>();
  mark++;
  for (const e of entries) {
    for (const s of e.subs) {
      const { session } = s;
      if (session.mergeMark !== mark) {
        session.mergeMark = mark;
        session.mergeAt = out.length;
        out.push(s);
        continue;
      }
      const parts = overlaps.get(session.mergeAt);
      if (parts === undefined) overlaps.set(session.mergeAt, [out[session.mergeAt] as Subscription, s]);
      else parts.push(s);
    }
  }
  for (const [at, parts] of overlaps) out[at] = combined(parts);
  return out;
}

/** The stand-in for overlapping subscriptions of one session. */
function combined(parts: readonly Subscription[]): Subscription {
  const first = parts[0] as Subscription;
  let qos: QoS = 0;
  let local = 0;
  let rap = false;
  let subIds: number[] | null = null;
  for (const p of parts) {
    if (p.qos > qos) qos = p.qos;
    if (p.nl) local++;
    if (p.rap) rap = true;
    if (p.subIds === null) continue;
    subIds ??= [];
    for (const id of p.subIds) subIds.push(id);
  }
  const s = new Subscription(first.session, first.filter, null, { qos, nl: local === parts.length, rap, rh: 0, subId: 0 });
  s.subIds = subIds;
  s.index = 0;
  if (local > 0 && local < parts.length) s.ownCopy = combined(parts.filter((p) => !p.nl));
  return s;
}
