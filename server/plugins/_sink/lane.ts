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
import { Fifo } from "../../lib/fifo.ts";
import { later, type MonoMs, reached } from "../../lib/time.ts";
import { type Batch, type Entry, type FailureKind, PartError, SendError, type SinkSettings } from "./types.ts";

export type LaneState = "idle" | "gathering" | "sending" | "resting";

export interface LaneOwner<T> {
  settings(): SinkSettings<T>;
  /** What has gathered is sent as it is: there is no time for more. */
  isClosing(): boolean;
  now(): MonoMs;
  random(): number;
  /** It has something to do then. */
  due(at: MonoMs): void;
  /** It has begun to send. */
  began(again: boolean): void;
  taken(entries: readonly Entry<T>[], ms: number): void;
  gaveUp(entries: readonly Entry<T>[], why: string): void;
  /** Nothing gets through. */
  isDown(): boolean;
  /** Returns whether that counts against what was sent, or the other side as a whole is away. */
  failed(lane: Lane<T>, err: SendError, isTimeout: boolean): boolean;
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
  /** Rows of a batch at most, while it is found out which of them is refused. */
  #most = Number.POSITIVE_INFINITY;
  /** Not before that, as the other side has said. */
  #earliest = 0 as MonoMs;
  #failedBy: FailureKind | null = null;
  /** Since something was taken, or since all were tried. */
  readonly #triedKeys = new Set<string>();
  #isAlone = false;

  constructor(private readonly owner: LaneOwner<T>) {}

  get state(): LaneState {
    return this.#state;
  }
  /** Under way or not. */
  get rows(): number {
    return this.#waiting.size + this.#batch.length;
  }
  get waitingBytes(): number {
    return this.#waitingBytes;
  }
  /** It has nothing, and nothing under way. */
  get isEmpty(): boolean {
    return this.rows === 0;
  }
  /** All it has fails, one as the other: there is nothing else to try. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** What is sent next, or under way. */
  get first(): Entry<T> | undefined {
    return this.#batch[0] ?? this.#waiting.first;
  }

  add(entry: Entry<T>): void {
    this.#waiting.push(entry);
    this.#waitingBytes += entry.bytes;
  }

  /** All it has, under way or not, in order. */
  *entries(): Generator<Entry<T>> {
    yield* this.#batch;
    yield* this.#waiting;
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
        this.#until = later(this.#waiting.first.since as MonoMs, this.owner.settings().batchWaitMs);
        this.#state = "gathering";
        this.step(now);
        return;
      case "gathering":
        if (this.#waiting.first === undefined) this.#state = "idle";
        else if (this.#isFull || this.owner.isClosing() || reached(this.#until, now)) {
          this.#gather();
          this.#send(now);
        } else this.owner.due(this.#until);
        return;
      case "sending":
        if (!reached(this.#until, now)) return;
        this.#abort?.abort();
        this.#settle(this.#attempt, new SendError("away", `it does not answer within ${this.owner.settings().timeoutMs} ms`), true);
        return;
      case "resting":
        if (!reached(this.#until, now)) return;
        if (this.owner.isDown() && this.#failedBy === "retry") this.#tryOthers();
        else this.#isAlone = false;
        this.#trim();
        this.#send(now);
    }
  }

  /** The other side is there again. `isAnother`: it is another one, and what the former has said of the time is void. */
  wake(isAnother: boolean): void {
    if (this.#state === "resting") this.#until = isAnother ? (0 as MonoMs) : this.#earliest;
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

  get #rowsMost(): number {
    return Math.min(this.owner.settings().batchRows, this.#most);
  }

  get #isFull(): boolean {
    return this.#waiting.size >= this.#rowsMost || this.#waitingBytes >= this.owner.settings().batchBytes;
  }

  /** One at least, however large it is. */
  #gather(): void {
    const { batchBytes } = this.owner.settings();
    const most = this.#rowsMost;
    this.#isAlone = false;
    let bytes = 0;
    for (let next = this.#waiting.first; next !== undefined && this.#batch.length < most; next = this.#waiting.first) {
      bytes += next.bytes;
      if (this.#batch.length > 0 && bytes > batchBytes) break;
      this.#batch.push(this.dropOldest() as Entry<T>);
    }
  }

  /**
   * Somebody answers, and takes nothing: is it these? What has another key is tried in turn, so that a few that nobody takes do not keep all others
   * from being sent.
   */
  #tryOthers(): void {
    for (const { key } of this.#batch) this.#triedKeys.add(key);
    const others = this.#cut((entry) => !this.#triedKeys.has(entry.key));
    this.#isAlone = others.length === 0;
    if (this.#isAlone) {
      this.#triedKeys.clear();
      return;
    }
    this.#putBack(this.#batch);
    this.#batch = others;
    this.#sent = null;
  }

  /** A batch of those, out of the middle: the first ones, so that each key stays in order. */
  #cut(isWanted: (entry: Entry<T>) => boolean): Entry<T>[] {
    const { batchBytes } = this.owner.settings();
    const cut: Entry<T>[] = [];
    let bytes = 0;
    let isFull = false;
    for (const entry of this.#waiting.drain()) {
      const isNext: boolean = !isFull && isWanted(entry);
      if (isNext && cut.length > 0) isFull = cut.length >= this.#rowsMost || bytes + entry.bytes > batchBytes;
      if (!isNext || isFull) this.#waiting.push(entry);
      else {
        cut.push(entry);
        bytes += entry.bytes;
      }
    }
    this.#waitingBytes -= bytes;
    return cut;
  }

  /** Batches have come to be smaller while this one rested: the rest of it waits again. */
  #trim(): void {
    const over = this.#batch.splice(this.#rowsMost);
    if (over.length === 0) return;
    this.#putBack(over);
    this.#sent = null;
  }

  #putBack(entries: readonly Entry<T>[]): void {
    this.#waiting.putBack(entries);
    for (const { bytes } of entries) this.#waitingBytes += bytes;
  }

  #send(now: MonoMs): void {
    const attempt = ++this.#attempt;
    const abort = new AbortController();
    this.#abort = abort;
    this.#state = "sending";
    this.#began = now;
    this.#until = later(now, this.owner.settings().timeoutMs);
    const again = this.#batch.some(({ sends }) => sends > 0);
    for (const entry of this.#batch) entry.sends++;
    const batch: Batch<T> = {
      items: this.#sent?.items ?? this.#batch.map(({ item }) => item),
      tries: this.#sent === null ? 0 : this.#sent.tries + 1,
    };
    this.#sent = batch;
    this.owner.began(again);
    sent(this.owner.settings(), batch, abort.signal).then(
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
    this.#most *= 2;
    if (this.#most >= this.owner.settings().batchRows) this.#most = Number.POSITIVE_INFINITY;
    this.#triedKeys.clear();
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
      const runs = runsOf(all, failed, kind);
      const [first] = runs;
      if (first === undefined) continue;
      this.#failedBy = kind;
      const counts = this.owner.failed(this, first.err, false);
      for (const { entries, err } of runs) this.#judge(entries, err, counts);
    }
    this.#rest([...failed.values()].reduce((most, { afterMs }) => Math.max(most, afterMs), 0));
  }

  #failed(err: SendError, isTimeout: boolean): void {
    this.#failedBy = err.kind;
    const counts = this.owner.failed(this, err, isTimeout);
    const all = this.#batch;
    this.#batch = [];
    const isRefused =
      err.kind === "give up" || (err.kind === "retry" && counts && all.some((e) => e.tries >= this.owner.settings().retries));
    if (all.length > 1 && isRefused) {
      this.#halve(all, err);
      return;
    }
    this.#judge(all, err, counts);
    // What is sent again is the same batch, unless some of it is gone.
    if (this.#batch.length !== all.length) this.#sent = null;
    this.#rest(err.afterMs);
  }

  /** All are refused, and one of them may be why: half of them are sent by themselves, until it is alone. */
  #halve(all: readonly Entry<T>[], { kind, afterMs }: SendError): void {
    const half = Math.ceil(all.length / 2);
    this.#most = half;
    this.#sent = null;
    this.#putBack(all.slice(half));
    this.#batch = all.slice(0, half);
    if (kind === "retry") this.#rest(afterMs);
    else {
      // It was answered: there is nothing to wait for.
      this.#until = 0 as MonoMs;
      this.#state = "resting";
    }
  }

  /** `counts`: against these entries. Those that are to be sent again are the batch then. */
  #judge(entries: readonly Entry<T>[], err: SendError, counts: boolean): void {
    const { retries, maxAgeMs } = this.owner.settings();
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
    const now = this.owner.now();
    const { backoffMs, backoffMostMs } = this.owner.settings();
    const most = Math.min(backoffMs * 2 ** Math.min(this.#failures++, 20), backoffMostMs);
    this.#earliest = later(now, Math.min(afterMs, AFTER_MOST_MS));
    const rested = later(now, most * (1 - this.owner.random() / 2));
    this.#until = Math.max(this.#earliest, rested) as MonoMs;
    this.#state = "resting";
  }
}

/** Nobody is waited for longer because it says so. */
const AFTER_MOST_MS = 5 * 60_000;

/** A `send` that throws at once has failed as any other. */
async function sent<T>(settings: SinkSettings<T>, batch: Batch<T>, signal: AbortSignal): Promise<void> {
  await settings.send(batch, signal);
}

/** Those that failed in this way, in order, as many together as have the same reason. */
function runsOf<T>(all: readonly Entry<T>[], failed: PartError["failed"], kind: FailureKind): { err: SendError; entries: Entry<T>[] }[] {
  const runs: { err: SendError; entries: Entry<T>[] }[] = [];
  for (const [i, entry] of all.entries()) {
    const err = failed.get(i);
    if (err?.kind !== kind) continue;
    const run = runs.at(-1);
    if (run?.err.message === err.message) run.entries.push(entry);
    else runs.push({ err, entries: [entry] });
  }
  return runs;
}
