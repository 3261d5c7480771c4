/**
 * Calls to a server outside: so many at a time, the others wait in line, and none longer than its time limit, waiting included.
 *
 * A call is `waiting` (in line), then `running` (the server was asked), then settled once: by the answer, by its time, by `close`, or in the
 * line because nobody wants the answer any more. What a driver says later is dropped.
 *
 * There are two lines, so that whoever is in already, and asks about a thousand topics, keeps nobody out: that of rank "first" goes before that of
 * rank "second", but one turn of four is the second's.
 *
 * Where more is asked than is answered a line gets as long as the time limit. In order everybody would be asked in his last moment then, and nobody
 * answered; so the last to come goes first, who has the most time left, until those before him have had their turn or are ended.
 */
import { duration, type Entry, optional } from "../../lib/config_entry.ts";
import { Fifo } from "../../lib/fifo.ts";
import { later, type MonoMs, reached } from "../../lib/time.ts";
import { BackendError } from "./errors.ts";

export interface CallsOptions {
  now(): MonoMs;
  /** Calls that may run together. */
  atATime: number;
  /** So many of them are really worked on, one by each connection: the others stand behind these. Absent = all. */
  carried?: number;
  /** Calls that may wait in each line; one more is refused at once. */
  waitingMax: number;
  /** From the call to its answer, ms. */
  timeoutMs: number;
  /** What is said behind that it is over, of those who were asked and of those whose turn did not come. */
  late?: { readonly unanswered: string; readonly waiting: string } | undefined;
}

/** In which line a call waits: "first" who comes in, "second" what somebody who is in may do. */
export type Rank = "first" | "second";

/** Of a question about rights: for a will it is asked before the client is in, and would keep it out. */
export const rankOf = ({ isComing = false }: { isComing?: boolean }): Rank => (isComing ? "first" : "second");

/** So many of the first line go before one of the second. */
const AHEAD_MAX = 3;
/** Of the time limit: whoever has waited longer hardly gets an answer any more. */
const LONG = 3 / 4;

/** The configuration key. `required`: 3.1 had it. */
export const timeLimitEntry = (
  def: string,
  doc = "A question that is not answered within it counts as failed.",
  required = false,
): Entry<number> => duration(def, doc, { required, least: "100ms", most: "1m" });

/** The key that EMQ X 3.2 has for it, beside `ours`: whoever has switched it on there means that. `undef` and 0 are none, as there. */
export const laterTimeLimitEntry = (ours: string): Entry<number | null> => {
  const entry = optional(timeLimitEntry("5s", `EMQ X 3.2's name of ${ours}; where it is set, it counts.`));
  return { ...entry, parse: (text) => (/^\s*(?:undef|0)\s*$/.test(text) ? null : entry.parse(text)) };
};

/** A call whose answer did not come. */
export interface Hung {
  readonly startedAt: MonoMs;
  /** It stood behind others on its connection. */
  readonly behind: boolean;
}

interface Call {
  readonly until: MonoMs;
  readonly wanted: () => boolean;
  readonly unnoticed: boolean;
  startedAt: MonoMs | null;
  behind: boolean;
  start(): void;
  fail(err: BackendError): void;
}

export class Calls {
  /** Each in the order in which they came, so the first are the first whose time is over. */
  readonly #lines: Readonly<Record<Rank, Fifo<Call>>> = { first: new Fifo(), second: new Fifo() };
  /** Of the first line, since one of the second has had its turn. */
  #ahead = 0;
  readonly #running = new Set<Call>();
  #closed: BackendError | null = null;
  #late = false;

  constructor(readonly o: CallsOptions) {}

  get waiting(): number {
    return this.#lines.first.size + this.#lines.second.size;
  }
  get running(): number {
    return this.#running.size;
  }
  /** The last `expire` ended some whose turn did not come. */
  get late(): boolean {
    return this.#late;
  }

  /**
   * Run `ask` when its turn has come; `left` tells how long its answer is awaited, ms. `wanted` is asked just before: false = do not. `unnoticed`:
   * `expire` does not tell of it.
   * Rejects with a BackendError (busy, timeout, gone), or with what `ask` rejects with.
   */
  run<T>(ask: (left: () => number) => Promise<T>, wanted: () => boolean, unnoticed = false, rank: Rank = "first"): Promise<T> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const line = this.#lines[rank];
    if (line.size >= this.o.waitingMax) return Promise.reject(new BackendError("busy", `${line.size} calls wait already`));
    return new Promise<T>((resolve, reject) => {
      const until = later(this.o.now(), this.o.timeoutMs);
      const call: Call = {
        until,
        wanted,
        unnoticed,
        startedAt: null,
        behind: false,
        fail: reject,
        start: () => {
          const done = (settle: () => void): void => {
            // Its time may be over: then the place is another's already.
            if (!this.#running.delete(call)) return;
            settle();
            this.next();
          };
          ask(() => until - this.o.now()).then(
            (value) => done(() => resolve(value)),
            (err: unknown) => done(() => reject(err)),
          );
        },
      };
      line.push(call);
      this.next();
    });
  }

  /**
   * End what has waited for too long; call it often, and `next` behind it. Returns those that were running: their answers are still to come, and
   * whoever hears of it may want to do something about it before others run.
   */
  expire(): Hung[] {
    const now = this.o.now();
    const hung: Hung[] = [];
    this.#late = false;
    const { timeoutMs, late } = this.o;
    const over = (call: Call, why: string, see = ""): void => call.fail(new BackendError("timeout", `${why} within ${timeoutMs} ms${see}`));
    // They have not come in the order in which they were asked.
    for (const call of this.#running) {
      if (!reached(call.until, now)) continue;
      this.#running.delete(call);
      if (call.startedAt !== null && !call.unnoticed) hung.push({ startedAt: call.startedAt, behind: call.behind });
      over(call, "no answer", late?.unanswered);
    }
    for (const line of Object.values(this.#lines))
      for (let call = line.first; call !== undefined && reached(call.until, now); call = line.first) {
        line.shift();
        this.#late ||= !call.unnoticed;
        over(call, "its turn did not come", late?.waiting);
      }
    return hung;
  }

  /** Everybody who waits is told so; what runs may still be answered. */
  refuse(err: BackendError): void {
    for (const line of Object.values(this.#lines)) {
      for (const call of line.drain()) call.fail(err);
    }
  }

  /** Nothing runs any more, nothing is taken any more. */
  close(err: BackendError): void {
    this.#closed = err;
    this.refuse(err);
    const running = [...this.#running];
    this.#running.clear();
    for (const call of running) call.fail(err);
  }

  /** Whoever waits and has a place now. */
  next(): void {
    while (this.#running.size < this.o.atATime) {
      const call = this.#take();
      if (call === undefined) return;
      if (!call.wanted()) {
        call.fail(new BackendError("gone", "the client has left"));
        continue;
      }
      call.behind = this.#running.size >= (this.o.carried ?? this.o.atATime);
      this.#running.add(call);
      call.startedAt = this.o.now();
      call.start();
    }
  }

  #isLong({ until }: Call): boolean {
    return until - this.o.now() < (1 - LONG) * this.o.timeoutMs;
  }

  /** Out of its line: whose turn it is. */
  #take(): Call | undefined {
    const { first, second } = this.#lines;
    const line = second.size > 0 && (first.size === 0 || this.#ahead >= AHEAD_MAX) ? second : first;
    this.#ahead = line === first && second.size > 0 ? this.#ahead + 1 : 0;
    return line.first !== undefined && this.#isLong(line.first) ? line.pop() : line.shift();
  }
}
