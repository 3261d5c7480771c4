/**
 * A lane sends one batch at a time, so that what is in it arrives in order.
 *
 *   idle ── something waits ──> gathering ── full, or waited long enough ──> sending ── taken, or given up ──> idle
 *                                                                              ^  └── failed ──> resting
 *                                                                              └──── rested, or woken ───┘
 *
 * What it has under way is its own; the sink counts, and is told what has become of each entry.
 */
import { wordsOf } from "../../lib/errors.ts";
import { later, type MonoMs, reached } from "../../lib/time.ts";
import { Fifo } from "./fifo.ts";
import { type Batch, type Entry, PartError, SendError, type SinkSettings } from "./types.ts";

export type LaneState = "idle" | "gathering" | "sending" | "resting";

export interface LaneOwner<T> {
  readonly settings: SinkSettings<T>;
  now(): MonoMs;
  random(): number;
  /** It has begun to send. */
  began(again: boolean): void;
  taken(entries: readonly Entry<T>[], ms: number): void;
  gaveUp(entries: readonly Entry<T>[], why: string): void;
  /** Returns whether that counts against what was sent, or the other side as a whole is away. */
  failed(err: SendError, isTimeout: boolean): boolean;
  /** It has ended a try: there may be more to do for it. */
  settled(lane: Lane<T>): void;
}

export class Lane<T> {
  #state: LaneState = "idle";
  readonly #waiting = new Fifo<Entry<T>>();
  #waitingBytes = 0;
  #batch: Entry<T>[] = [];
  /** When gathering, the time for a try, or the rest is over. */
  #until = 0 as MonoMs;
  #began = 0 as MonoMs;
  #abort: AbortController | null = null;
  /** Of the try under way: what an earlier one says is nobody's concern. */
  #attempt = 0;
  /** In a row. */
  #failures = 0;
  #sent: Batch<T> | null = null;

  constructor(private readonly owner: LaneOwner<T>) {}

  get state(): LaneState {
    return this.#state;
  }
  /** Not under way. */
  get waitingRows(): number {
    return this.#waiting.size;
  }
  get waitingBytes(): number {
    return this.#waitingBytes;
  }
  /** It has nothing, and nothing under way. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#batch.length === 0;
  }

  add(entry: Entry<T>): void {
    this.#waiting.push(entry);
    this.#waitingBytes += entry.bytes;
  }

  dropOldest(): Entry<T> | undefined {
    const entry = this.#waiting.shift();
    if (entry !== undefined) this.#waitingBytes -= entry.bytes;
    return entry;
  }

  /** Do what is due. */
  step(now: MonoMs): void {
    switch (this.#state) {
      case "idle":
        if (this.#waiting.first === undefined) return;
        this.#until = later(this.#waiting.first.since as MonoMs, this.owner.settings.batchWaitMs);
        this.#state = "gathering";
        this.step(now);
        return;
      case "gathering":
        if (this.#waiting.first === undefined) this.#state = "idle";
        else if (this.#isFull || reached(this.#until, now)) {
          this.#gather();
          this.#send(now);
        }
        return;
      case "sending":
        if (!reached(this.#until, now)) return;
        this.#abort?.abort();
        this.#settle(this.#attempt, new SendError("away", `it does not answer within ${this.owner.settings.timeoutMs} ms`), true);
        return;
      case "resting":
        if (reached(this.#until, now)) this.#send(now);
    }
  }

  /** The other side is there again. */
  wake(): void {
    if (this.#state === "resting") this.#until = 0 as MonoMs;
  }

  /** Everything that is not being sent; the order is that of arrival. */
  takeAll(): Entry<T>[] {
    if (this.#state === "sending") return [];
    const all = [...this.#batch, ...this.#waiting.drain()];
    this.#batch = [];
    this.#sent = null;
    this.#waitingBytes = 0;
    this.#state = "idle";
    return all;
  }

  /** End what is under way, without waiting for it. */
  stop(): void {
    if (this.#state !== "sending") return;
    this.#attempt++;
    this.#abort?.abort();
    this.#state = "resting";
  }

  get #isFull(): boolean {
    const { batchRows, batchBytes } = this.owner.settings;
    return this.#waiting.size >= batchRows || this.#waitingBytes >= batchBytes;
  }

  /** One at least, however large it is. */
  #gather(): void {
    const { batchRows, batchBytes } = this.owner.settings;
    let bytes = 0;
    for (let next = this.#waiting.first; next !== undefined && this.#batch.length < batchRows; next = this.#waiting.first) {
      bytes += next.bytes;
      if (this.#batch.length > 0 && bytes > batchBytes) break;
      this.#batch.push(this.dropOldest() as Entry<T>);
    }
  }

  #send(now: MonoMs): void {
    const attempt = ++this.#attempt;
    const abort = new AbortController();
    this.#abort = abort;
    this.#state = "sending";
    this.#began = now;
    this.#until = later(now, this.owner.settings.timeoutMs);
    const again = this.#sent !== null;
    for (const entry of this.#batch) entry.sends++;
    const batch = { items: this.#sent?.items ?? this.#batch.map((e) => e.item), tries: this.#sent === null ? 0 : this.#sent.tries + 1 };
    this.#sent = batch;
    this.owner.began(again);
    sent(this.owner.settings, batch, abort.signal).then(
      () => this.#settle(attempt, null),
      (err: unknown) => this.#settle(attempt, err),
    );
  }

  #settle(attempt: number, err: unknown, isTimeout = false): void {
    if (attempt !== this.#attempt || this.#state !== "sending") return;
    this.#abort = null;
    // Later words of this try are void.
    this.#attempt++;
    if (err === null) this.#taken();
    else if (err instanceof PartError) this.#partTaken(err);
    else this.#failed(err instanceof SendError ? err : new SendError("away", wordsOf(err)), isTimeout);
    this.owner.settled(this);
  }

  #taken(): void {
    const all = this.#end();
    this.#failures = 0;
    this.owner.taken(all, this.owner.now() - this.#began);
  }

  #end(): Entry<T>[] {
    const all = this.#batch;
    this.#batch = [];
    this.#sent = null;
    this.#state = "idle";
    return all;
  }

  #partTaken({ failed }: PartError): void {
    const all = this.#end();
    const taken = all.filter((_, i) => !failed.has(i));
    if (taken.length > 0) this.owner.taken(taken, this.owner.now() - this.#began);
    for (const kind of ["give up", "retry", "away"] as const) {
      const these = all.filter((_, i) => failed.get(i)?.kind === kind);
      const why = [...failed.values()].find((f) => f.kind === kind);
      if (these.length > 0 && why !== undefined) this.#judge(these, why, this.owner.failed(why, false));
    }
    this.#rest(0);
  }

  #failed(err: SendError, isTimeout: boolean): void {
    const counts = this.owner.failed(err, isTimeout);
    const all = this.#batch;
    this.#batch = [];
    this.#judge(all, err, counts);
    // What is sent again is the same batch, unless some of it is gone.
    if (this.#batch.length !== all.length) this.#sent = null;
    this.#rest(err.afterMs);
  }

  /** `counts`: against these entries. Those that are to be sent again are the batch then. */
  #judge(entries: readonly Entry<T>[], err: SendError, counts: boolean): void {
    const { retries, maxAgeMs } = this.owner.settings;
    const now = this.owner.now();
    const over: Entry<T>[] = [];
    for (const e of entries) {
      if (err.kind === "retry" && counts) e.tries++;
      if (err.kind === "give up" || e.tries > retries || now - e.since >= maxAgeMs) over.push(e);
      else this.#batch.push(e);
    }
    if (over.length > 0) this.owner.gaveUp(over, err.message);
  }

  #rest(afterMs: number): void {
    if (this.#batch.length === 0) {
      this.#sent = null;
      this.#state = "idle";
      return;
    }
    this.#batch.sort((a, b) => a.order - b.order);
    const { backoffMs, backoffMostMs } = this.owner.settings;
    const most = Math.min(backoffMs * 2 ** Math.min(this.#failures++, 20), backoffMostMs);
    const rest = Math.max(most * (1 - this.owner.random() / 2), Math.min(afterMs, AFTER_MOST_MS));
    this.#until = later(this.owner.now(), rest);
    this.#state = "resting";
  }
}

/** Nobody is waited for longer because it says so. */
const AFTER_MOST_MS = 5 * 60_000;

/** A `send` that throws at once has failed as any other. */
async function sent<T>(settings: SinkSettings<T>, batch: Batch<T>, signal: AbortSignal): Promise<void> {
  await settings.send(batch, signal);
}
