/**
 * Sends retained messages to new subscribers, a slice at a time, in turn: many of them to one subscriber hold up nobody else.
 * A job needs next to no memory however many messages it sends: a broad filter walks along the index's own order.
 *
 * The jobs of a connection stand in one line. A line is in one of two places: among those that take turns, or, as long as the client has
 * no room, among those that are looked at again by one timer for all. However many filters a client that takes nothing has, it costs one look.
 */
import type { SubscribeOptions } from "../../core/types.ts";
import { topicMatches } from "../../mqtt/topic.ts";
import type { PluginBroker, PluginSession } from "../plugin.ts";
import type { Entry, RetainedIndex } from "./retained_index.ts";
import { Rota } from "./rota.ts";

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
/** Of those without room, so many are looked at in one turn. */
const POLLS = 500;

interface Job {
  readonly filter: string;
  readonly options: SubscribeOptions;
  /** Messages stored later reach the subscriber as live ones. */
  readonly until: number;
  /** null = not looked up yet. */
  entries: Iterator<Entry> | null;
  /** The filter is yet to be applied to `entries`. */
  broad: boolean;
}

/** What one connection is still to get; there is one as long as that is anything. */
interface Line {
  readonly session: PluginSession;
  readonly channel: PluginSession["channel"];
  /** By filter. */
  readonly jobs: Map<string, Job>;
  /** All of them but the one that is being worked at. */
  readonly order: Rota<Job>;
}

export interface SenderParts {
  index: RetainedIndex;
  broker: PluginBroker;
  after(ms: number, fn: () => void): void;
  /** The entry's message, unless it has expired (then it is removed). */
  fresh(entry: Entry): boolean;
}

export class RetainedSender {
  /** By client identifier. */
  private readonly lines = new Map<string, Line>();
  private readonly turns = new Rota<Line>();
  /** Those without room. */
  private readonly parked = new Rota<Line>();
  /** So many of them are to be looked at again. */
  private polls = 0;
  /** The timer for them runs. */
  private timed = false;
  private planned = false;
  /** Topics looked at outside of turns of our own. */
  private lookedAt = 0;

  constructor(private readonly p: SenderParts) {}

  /** Jobs that are not finished. */
  get pending(): number {
    let n = 0;
    for (const line of this.lines.values()) n += line.jobs.size;
    return n;
  }

  send(clientId: string, filter: string, options: SubscribeOptions): void {
    const session = this.p.broker.session(clientId);
    if (!session) return;
    // A repeated subscription starts anew.
    this.cancel(clientId, filter);
    const job: Job = { filter, options, until: this.p.index.seq, entries: null, broad: false };
    // One packet may bring hundreds of filters that each select everything.
    const isNow = this.lookedAt <= AT_ONCE && hasRoom(session);
    // Most filters select nothing: then there is nobody to be served in turn.
    if (isNow && this.nothingFor(job)) return;
    const line = this.lineOf(session);
    line.jobs.set(filter, job);
    if (isNow) {
      this.run(line, job);
      return;
    }
    line.order.add(job);
    this.place(line);
  }

  /** The subscription has ended. */
  cancel(clientId: string, filter: string): void {
    const line = this.lines.get(clientId);
    const job = line?.jobs.get(filter);
    if (line === undefined || job === undefined) return;
    line.jobs.delete(filter);
    line.order.delete(job);
    if (line.jobs.size === 0) this.end(line);
  }

  close(): void {
    this.lines.clear();
    this.turns.clear();
    this.parked.clear();
    this.polls = 0;
  }

  private lineOf(session: PluginSession): Line {
    const { clientId, channel } = session;
    const known = this.lines.get(clientId);
    if (known !== undefined) {
      if (this.current(known)) return known;
      this.end(known);
    }
    const line: Line = { session, channel, jobs: new Map(), order: new Rota() };
    this.lines.set(clientId, line);
    return line;
  }

  /** False = the session is gone, or back again with another connection. */
  private current({ session, channel }: Line): boolean {
    return this.p.broker.session(session.clientId) === session && session.channel === channel;
  }

  private end(line: Line): void {
    this.turns.delete(line);
    this.parked.delete(line);
    // A hook may have begun another one meanwhile.
    const { clientId } = line.session;
    if (this.lines.get(clientId) === line) this.lines.delete(clientId);
  }

  /** The only way to a place, from none or from the other one. */
  private place(line: Line): void {
    const { session } = line;
    const room = hasRoom(session);
    // An offline session gets what its queue has room for, nobody takes from it.
    if (!this.current(line) || (!room && session.channel === null)) {
      this.end(line);
      return;
    }
    (room ? this.parked : this.turns).delete(line);
    (room ? this.turns : this.parked).add(line);
    if (room) this.plan();
    else this.pause();
  }

  private pause(): void {
    if (this.timed) return;
    this.timed = true;
    this.p.after(PAUSE_MS, () => {
      this.timed = false;
      this.polls = this.parked.size;
      this.plan();
    });
  }

  private plan(): void {
    if (this.planned || (this.turns.size === 0 && this.polls === 0)) return;
    this.planned = true;
    this.p.broker.soon(() => {
      this.planned = false;
      this.lookedAt = 0;
      this.poll();
      const line = this.turns.take();
      try {
        if (line) this.turn(line);
      } catch (err) {
        // Whatever is wrong with it, the others have their turns.
        if (line) this.end(line);
        throw err;
      } finally {
        this.plan();
      }
    });
  }

  private poll(): void {
    const n = Math.min(this.polls, POLLS);
    this.polls -= n;
    for (let i = 0; i < n; i++) {
      const line = this.parked.take();
      // Somebody has left meanwhile.
      if (line === undefined) this.polls = 0;
      else this.place(line);
    }
  }

  private turn(line: Line): void {
    const job = this.current(line) && hasRoom(line.session) ? line.order.take() : undefined;
    if (job !== undefined) this.run(line, job);
    else this.place(line);
  }

  private run(line: Line, job: Job): void {
    const done = this.slice(line, job);
    const { jobs, order, session } = line;
    // A hook may have ended the subscription, or begun it anew.
    const known = jobs.get(job.filter) === job;
    if (known && done) jobs.delete(job.filter);
    else if (known) order.add(job);
    if (jobs.size === 0) this.end(line);
    else if (this.lines.get(session.clientId) === line) this.place(line);
  }

  private nothingFor(job: Job): boolean {
    const found = this.match(job);
    if (found?.length === 0) return true;
    this.walk(job, found);
    return false;
  }

  /** null = too many to be looked up at once. */
  private match({ filter }: Job): Entry[] | null {
    const { index } = this.p;
    const before = index.steps;
    const found = index.match(filter, LOOKUP);
    this.lookedAt += index.steps - before;
    return found;
  }

  private walk(job: Job, found: Entry[] | null): Iterator<Entry> {
    job.broad = found === null;
    job.entries = found === null ? this.p.index.entries() : found.values();
    return job.entries;
  }

  /** True = it was the last one. */
  private slice({ session }: Line, job: Job): boolean {
    const { broker, index, fresh } = this.p;
    const { options } = job;
    const entries = job.entries ?? this.walk(job, this.match(job));
    const end = this.lookedAt + SLICE_LOOKED_AT;
    let sent = 0;
    let bytes = 0;
    for (; this.lookedAt < end && sent < SLICE_MESSAGES && bytes < SLICE_BYTES; this.lookedAt++) {
      if (!hasRoom(session)) return false;
      const { value: entry, done } = entries.next();
      if (done || (job.broad && entry.seq > job.until)) return true;
      const m = entry.message;
      if (job.broad ? !topicMatches(m.topic, job.filter) : entry.seq > job.until || index.get(m.topic) !== entry) continue;
      if (!fresh(entry) || (options.nl && m.from === session.clientId)) continue;
      broker.deliverTo(session, m, options, true);
      sent++;
      bytes += m.topic.length + m.payloadEnd - m.payloadStart;
    }
    return false;
  }
}

/** Up to half of the queue: the other half is for live messages. */
function hasRoom(session: PluginSession): boolean {
  if (session.channel !== null && session.channel.sendPend > UNREAD_MAX) return false;
  return session.mqueueLen < Math.ceil((session.maxMqueue === 0 ? QUEUE_MAX : session.maxMqueue) / 2);
}
