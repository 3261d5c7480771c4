/**
 * Sends retained messages to new subscribers, a slice at a time, in turn: many of them to one subscriber hold up nobody else.
 * A job needs next to no memory however many messages it sends: a broad filter walks along the index's own order.
 */
import type { SubscribeOptions } from "../../core/types.ts";
import { topicMatches } from "../../mqtt/topic.ts";
import type { PluginBroker, PluginSession } from "../plugin.ts";
import type { Entry, RetainedIndex } from "./retained_index.ts";

/** A filter that selects no more than this is looked up at once. */
const LOOKUP = { found: 1000, visited: 10_000 };
/** One slice ends with whichever comes first. */
const SLICE_MESSAGES = 500;
const SLICE_BYTES = 256 * 1024;
const SLICE_LOOKED_AT = 5000;
/** So many topics may be looked at for subscriptions of one turn at once; those behind them wait for theirs. */
const AT_ONCE = 20_000;
/** A client with more unread bytes waits. */
const UNREAD_MAX = 256 * 1024;
/** Of a queue without limit, no more than this is filled. */
const QUEUE_MAX = 1000;
const PAUSE_MS = 100;

interface Job {
  readonly id: string;
  readonly session: PluginSession;
  readonly channel: PluginSession["channel"];
  readonly filter: string;
  readonly options: SubscribeOptions;
  /** Messages stored later reach the subscriber as live ones. */
  readonly until: number;
  /** null = not looked up yet. */
  entries: Iterator<Entry> | null;
  /** The filter is yet to be applied to `entries`. */
  broad: boolean;
}

type Outcome = "done" | "more" | "pause";

export interface SenderParts {
  index: RetainedIndex;
  broker: PluginBroker;
  after(ms: number, fn: () => void): void;
  /** The entry's message, unless it has expired (then it is removed). */
  fresh(entry: Entry): boolean;
}

export class RetainedSender {
  private readonly jobs = new Map<string, Job>();
  private turns: Job[] = [];
  private planned = false;
  /** Topics looked at outside of turns of our own. */
  private lookedAt = 0;

  constructor(private readonly p: SenderParts) {}

  /** Jobs that are not finished. */
  get pending(): number {
    return this.jobs.size;
  }

  send(clientId: string, filter: string, options: SubscribeOptions): void {
    const session = this.p.broker.session(clientId);
    if (!session) return;
    const job: Job = {
      id: `${clientId}\0${filter}`,
      session,
      channel: session.channel,
      filter,
      options,
      until: this.p.index.seq,
      entries: null,
      broad: false,
    };
    // A repeated subscription starts anew.
    this.jobs.set(job.id, job);
    // One packet may bring hundreds of filters that each select everything.
    if (this.lookedAt > AT_ONCE) this.queue(job);
    else this.run(job);
  }

  private lookUp(job: Job): Iterator<Entry> {
    const { index } = this.p;
    const before = index.steps;
    const found = index.match(job.filter, LOOKUP);
    this.lookedAt += index.steps - before;
    job.broad = found === null;
    return found ? found.values() : index.entries();
  }

  /** The subscription has ended. */
  cancel(clientId: string, filter: string): void {
    this.jobs.delete(`${clientId}\0${filter}`);
  }

  close(): void {
    this.jobs.clear();
    this.turns = [];
  }

  private run(job: Job): void {
    const outcome = this.slice(job);
    if (outcome === "more") this.queue(job);
    else if (outcome === "pause") this.p.after(PAUSE_MS, () => this.queue(job));
    else if (this.jobs.get(job.id) === job) this.jobs.delete(job.id);
  }

  private queue(job: Job): void {
    this.turns.push(job);
    this.plan();
  }

  private plan(): void {
    if (this.planned || this.turns.length === 0) return;
    this.planned = true;
    this.p.broker.soon(() => {
      this.planned = false;
      this.lookedAt = 0;
      const job = this.turns.shift();
      if (job) this.run(job);
      this.plan();
    });
  }

  private slice(job: Job): Outcome {
    const { session, options } = job;
    const { broker, index, fresh } = this.p;
    // Gone, back again with another connection, unsubscribed or subscribed again.
    if (this.jobs.get(job.id) !== job || broker.session(session.clientId) !== session || session.channel !== job.channel) return "done";
    job.entries ??= this.lookUp(job);
    const end = this.lookedAt + SLICE_LOOKED_AT;
    let sent = 0;
    let bytes = 0;
    for (; this.lookedAt < end && sent < SLICE_MESSAGES && bytes < SLICE_BYTES; this.lookedAt++) {
      // An offline session gets what its queue has room for, nobody takes from it.
      if (!hasRoom(session)) return session.channel === null ? "done" : "pause";
      const { value: entry, done } = job.entries.next();
      if (done || (job.broad && entry.seq > job.until)) return "done";
      const m = entry.message;
      if (job.broad ? !topicMatches(m.topic, job.filter) : entry.seq > job.until || index.get(m.topic) !== entry) continue;
      if (!fresh(entry) || (options.nl && m.from === session.clientId)) continue;
      broker.deliverTo(session, m, options, true);
      // Encoded forms are for messages on their way; these stay.
      m.dropEncoded();
      sent++;
      bytes += m.topic.length + m.payloadEnd - m.payloadStart;
    }
    return "more";
  }
}

/** Up to half of the queue: the other half is for live messages. */
function hasRoom(session: PluginSession): boolean {
  if (session.channel !== null && session.channel.sendPend > UNREAD_MAX) return false;
  return session.mqueueLen < Math.ceil((session.maxMqueue === 0 ? QUEUE_MAX : session.maxMqueue) / 2);
}
