/**
 * When gathered output is written: commit first, then the bytes of all connections, then the end of those that have said their last word.
 * With `storage.sync = always` promises wait meanwhile until the commit is on the disk. One sync runs at a time, for all that was committed
 * when it began; the event loop goes on, and what promises nothing is written as ever.
 */
import { stackOf } from "../lib/errors.ts";
import { loggedName } from "../lib/mask.ts";
import type { Broker } from "./broker.ts";
import type { Channel } from "./channel.ts";
import type { Out } from "./out.ts";
import { OutPool } from "./out_pool.ts";

/** From so many pieces of work in one turn on, output waits for the turn's end. */
const BUSY_CALLS = 3;
/** While it does not, every so many pieces of work one turn is watched. */
const BUSY_PROBE = 16;

export class Output {
  readonly pool: OutPool;
  /** Channels that have said their last word: ended after the next flush. */
  readonly #closing: Channel[] = [];
  /** Those of them whose clients wait for nothing more. */
  readonly #settled: Channel[] = [];
  /** Those that failed: cut after the flush in hand. */
  readonly #broken: Channel[] = [];
  /** Each of them is told once. */
  readonly #failed = new WeakSet<Channel>();
  /** The turn is busy, or has something to commit: what is gathered is written at its end. */
  deferred = false;
  #flushing = false;
  /** What was committed is on its way to the disk, and whose promises with it; null = nothing is. */
  #covered: readonly Out[] | null = null;
  /** Pieces of work since the last look, and whether the last turn had many. */
  #work = 0;
  #busy = false;

  constructor(
    private readonly broker: Broker,
    /** Run `fn` when this turn of the event loop is over. */
    private readonly defer: (fn: () => void) => void,
  ) {
    this.pool = new OutPool(broker.metrics, (out, err) => this.broke(ownerOf(out), err));
  }

  /** It is closed once everything is written. `settled`: its client waits for nothing more, and sends nothing more. */
  endSoon(ch: Channel, settled: boolean): void {
    (settled ? this.#settled : this.#closing).push(ch);
  }

  /**
   * Write what was gathered: at once while little happens, and once per turn of the event loop while many connections talk
   * (their output gathers, so a write carries more) or while the journal has something to commit first.
   */
  flush(): void {
    this.#work++;
    if (this.deferred) return;
    if (!this.#busy && !this.#mustCommit) {
      this.#flushNow();
      if (this.deferred || this.#work < BUSY_PROBE) return;
    }
    this.#flushLater();
  }

  #flushLater(): void {
    this.deferred = true;
    this.#work = 0;
    this.defer(this.#endOfTurn);
  }

  /** The journal has something that must be committed before what it promises leaves. */
  get #mustCommit(): boolean {
    return this.broker.store.pending && !this.broker.durability.failed;
  }

  /** Runs after everything that was ready in this turn. */
  readonly #endOfTurn = (): void => {
    this.deferred = false;
    this.#busy = this.#work >= BUSY_CALLS;
    this.#work = 0;
    this.commit();
    this.#flushNow();
  };

  /** Keep what was appended so far. If that fails, the promises that wait to be sent are not made. */
  commit(): void {
    if (this.broker.store.pending && !this.broker.durability.commit()) this.#cutPromises();
  }

  #flushNow(): void {
    // A transport that ends while it is written to comes back here.
    if (this.#flushing) return;
    this.#flushing = true;
    this.pool.unsynced = this.broker.store.unsynced && !this.broker.durability.failed;
    // Ends and new room may bring more to write: wills, queued messages. What of it is journalled has its commit first.
    do {
      this.pool.flushAll();
      if (!this.pool.unsynced && this.pool.waiting.length > 0) this.pool.releaseAll();
      if (this.#closing.length > 0 || this.#settled.length > 0 || this.#broken.length > 0) this.#endConnections();
    } while (this.pool.dirty.length > 0 && !this.#mustCommit);
    this.#flushing = false;
    // What a sync covers is committed: not the will of a connection that has ended just now, which somebody who waits has been sent.
    const owed = this.#mustCommit;
    if (this.pool.unsynced && this.#covered === null && !owed) this.#sync();
    if ((owed || this.pool.dirty.length > 0) && !this.deferred) this.#flushLater();
    if (this.broker.durability.failed) this.broker.durability.measure();
  }

  #sync(): void {
    const covered = this.pool.cover();
    this.#covered = covered;
    this.broker.store.sync((onDisk) => {
      this.#covered = null;
      this.#flushing = true;
      if (onDisk) this.pool.release(covered);
      else this.pool.uncover(covered);
      this.#flushing = false;
      // The next commit has all of it again; while none succeeds there is nothing to wait for.
      if (!onDisk && this.broker.durability.failed && !this.broker.durability.serving) this.#cutPromises();
      if (!this.deferred) this.#flushLater();
    });
  }

  #endConnections(): void {
    if (this.#closing.length > 0) this.#guardAll(this.#written(this.#closing), end);
    if (this.#settled.length > 0) this.#guardAll(this.#written(this.#settled), finish);
    if (this.#broken.length > 0) this.#guardAll(this.#broken.splice(0), cutBroken);
  }

  /** Takes those out of the list whose last words do not wait for the disk. */
  #written(list: Channel[]): Channel[] {
    const all = list.splice(0);
    if (this.#covered === null && this.pool.waiting.length === 0) return all;
    list.push(...all.filter((ch) => ch.out.waits));
    return all.filter((ch) => !ch.out.waits);
  }

  #guardAll(channels: Channel[], fn: (ch: Channel) => void): void {
    for (const ch of channels) this.guard(ch, fn);
  }

  /** A failing disk must not acknowledge: connections with unsent acknowledgements are cut, their clients will send again. */
  #cutPromises(): void {
    for (const out of [...this.pool.dirty, ...this.pool.waiting, ...(this.#covered ?? [])]) {
      if (out.holdsAcks) this.guard(ownerOf(out), cutUnkept);
    }
  }

  /** One connection's failure is its own: whoever loops over many goes on. */
  guard(ch: Channel, fn: (ch: Channel) => void): void {
    try {
      fn(ch);
    } catch (err) {
      this.broke(ch, err);
    }
  }

  /** Logged, and ended after the flush in hand: whoever met it may be in the middle of something. */
  broke(ch: Channel, err: unknown): void {
    if (this.#failed.has(ch)) return;
    this.#failed.add(ch);
    this.broker.log.error("connection failed", {
      clientid: loggedName(ch.client?.clientId) ?? undefined,
      ip: ch.out.transport.ip,
      error: stackOf(err),
    });
    this.#broken.push(ch);
  }
}

/** Every `Out` of the broker is a channel's. */
const ownerOf = (out: Out): Channel => out.owner as Channel;
const end = (ch: Channel): void => ch.out.transport.end();
const finish = (ch: Channel): void => ch.out.transport.finish();
const cutBroken = (ch: Channel): void => ch.cut("internal_error");
const cutUnkept = (ch: Channel): void => ch.cut("storage_failed");
