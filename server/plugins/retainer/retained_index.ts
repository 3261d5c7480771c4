/**
 * Retained messages in memory: in order of storing (pages, delivery), and by topic, level by level (one or a wildcard's).
 * The order is a live one: an iterator over `entries` goes on while messages come and go, and needs no copy of them. Nothing here is ever
 * copied as a whole: with a million messages everybody would have to wait for it.
 */
import type { Message } from "../../core/message.ts";
import { type Budget, Trie } from "../../core/trie.ts";
import type { MonoMs } from "../../lib/time.ts";
import { hasWildcard } from "../../mqtt/topic.ts";
import { SeqOrder } from "./seq_order.ts";

export interface Entry {
  message: Message;
  /** Since when it is retained; before the start of the process, if it was. */
  since: MonoMs;
  /** Counts the storings: a later message has a higher one. */
  seq: number;
  /** Of its row in the store; 0 = it has none. */
  row: number;
}

/** Somebody's way along the order. */
interface Walk {
  at: number;
  readonly last: number;
  /** From ahead of it they went to the end. */
  readonly moved: Entry[];
}

/** An entry, its place in the order and its place by levels. */
const ENTRY_BYTES = 400;

export class RetainedIndex {
  private readonly order = new SeqOrder<Entry>();
  private byTopic = new Trie<Entry>();
  private readonly walks = new Set<Walk>();
  /** `seq` of the message stored last. */
  seq = 0;
  /** Messages that are not the broker's own: those the limit counts. */
  ordinary = 0;
  /** Memory that the messages take, the broker's own too. */
  bytes = 0;

  get size(): number {
    return this.byTopic.size;
  }

  /** Topics and branches that `match` has looked at so far. */
  get steps(): number {
    return this.byTopic.steps;
  }

  /** null = nothing is retained there. */
  get(topic: string): Entry | null {
    return this.byTopic.get(topic);
  }

  /** Oldest first; live. */
  entries(): IterableIterator<Entry> {
    return this.order[Symbol.iterator]();
  }

  /** Topics that are retained now, each once, oldest first, though it is replaced or others come meanwhile: those are left out. */
  *walk(): Generator<Entry, void> {
    const walk: Walk = { at: 0, last: this.seq, moved: [] };
    this.walks.add(walk);
    try {
      for (const entry of this.order) {
        if (entry.seq > walk.last) break;
        walk.at = entry.seq;
        yield entry;
      }
      walk.at = walk.last;
      for (const entry of walk.moved) if (this.holds(entry)) yield entry;
    } finally {
      this.walks.delete(walk);
    }
  }

  /** False = it was deleted. */
  holds(entry: Entry): boolean {
    return this.byTopic.get(entry.message.topic) === entry;
  }

  /** Bytes that keeping it takes more than now; less than nothing when the one it replaces is larger. */
  growth(m: Message): number {
    const before = this.byTopic.get(m.topic);
    return before === null ? ENTRY_BYTES + m.size : m.size - before.message.size;
  }

  set(m: Message, since: MonoMs): Entry {
    const fresh: Entry = { message: m, since, seq: 0, row: 0 };
    const entry = this.byTopic.put(m.topic, fresh);
    if (entry !== fresh) {
      for (const walk of this.walks) if (entry.seq > walk.at && entry.seq <= walk.last) walk.moved.push(entry);
      this.takeOut(entry);
      entry.message = m;
      entry.since = since;
    }
    this.putLast(entry);
    return entry;
  }

  /** Fill it, empty as it is, with what was stored. Returns those whose topic has a later one. */
  restore(entries: Entry[]): Entry[] {
    const doubles: Entry[] = [];
    for (const entry of byTime(entries)) {
      const before = this.byTopic.put(entry.message.topic, entry);
      if (before !== entry) {
        this.takeOut(before);
        doubles.push(before);
        this.byTopic.set(entry.message.topic, entry);
      }
      this.putLast(entry);
    }
    return doubles;
  }

  /** What was deleted; null = nothing was there. */
  delete(topic: string): Entry | null {
    const entry = this.byTopic.delete(topic);
    if (entry !== null) this.takeOut(entry);
    return entry;
  }

  /** At the end of the order. */
  private putLast(entry: Entry): void {
    this.bytes += ENTRY_BYTES + entry.message.size;
    if (!isOwn(entry.message)) this.ordinary++;
    entry.seq = ++this.seq;
    this.order.add(entry);
  }

  private takeOut(entry: Entry): void {
    this.order.remove(entry);
    this.bytes -= ENTRY_BYTES + entry.message.size;
    if (!isOwn(entry.message)) this.ordinary--;
  }

  clear(): void {
    this.byTopic = new Trie();
    this.order.clear();
    this.ordinary = 0;
    this.bytes = 0;
  }

  /** What the filter selects, oldest first; null when finding it takes more than the budget. */
  match(filter: string, budget: Budget): Entry[] | null {
    if (!hasWildcard(filter)) {
      const entry = this.byTopic.get(filter);
      return entry === null ? [] : [entry];
    }
    const found = this.byTopic.select(filter, budget);
    return found === null ? null : found.sort((a, b) => a.seq - b.seq);
  }
}

/** Most come in order, and to sort a million takes as long as all else that is done with them here. */
function byTime(entries: Entry[]): Entry[] {
  const isLate = ({ message }: Entry, i: number): boolean => i > 0 && message.timestamp < (entries[i - 1] as Entry).message.timestamp;
  return entries.some(isLate) ? entries.sort((a, b) => a.message.timestamp - b.message.timestamp) : entries;
}

/** The broker's own, which no limit is for. The topic does not tell: clients may publish to $SYS where the rules allow it, and the API may. */
export function isOwn(m: Message): boolean {
  return m.sys;
}
