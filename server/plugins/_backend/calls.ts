/**
 * Calls to a server outside: so many at a time, the others wait in line, and none longer than its time limit, waiting included.
 *
 * A call is `waiting` (in line), then `running` (the server was asked), then settled once: by the answer, by its time, by `close`, or in the
 * line because nobody wants the answer any more. What a driver says later is dropped.
 */
import { duration, type Entry, optional } from "../../lib/config_entry.ts";
import { later, type MonoMs, reached } from "../../lib/time.ts";
import { BackendError } from "./errors.ts";

export interface CallsOptions {
  now(): MonoMs;
  /** Calls that may run together. */
  atATime: number;
  /** So many of them are really worked on, one by each connection: the others stand behind these. Absent = all. */
  carried?: number;
  /** Calls that may wait; one more is refused at once. */
  waitingMax: number;
  /** From the call to its answer, ms. */
  timeoutMs: number;
  /** What is said behind that it is over, of those who were asked and of those whose turn did not come. */
  late?: { readonly unanswered: string; readonly waiting: string } | undefined;
}

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

/** Always in the order in which they came, so the first are the first whose time is over. */
export class Calls {
  readonly #waiting = new Set<Call>();
  readonly #running = new Set<Call>();
  #closed: BackendError | null = null;
  #late = false;

  constructor(readonly o: CallsOptions) {}

  get waiting(): number {
    return this.#waiting.size;
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
  run<T>(ask: (left: () => number) => Promise<T>, wanted: () => boolean, unnoticed = false): Promise<T> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (this.#waiting.size >= this.o.waitingMax)
      return Promise.reject(new BackendError("busy", `${this.#waiting.size} calls wait already`));
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
      this.#waiting.add(call);
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
    for (const [calls, why, see = ""] of [
      [this.#running, "no answer", late?.unanswered],
      [this.#waiting, "its turn did not come", late?.waiting],
    ] as const) {
      for (const call of calls) {
        if (!reached(call.until, now)) break;
        calls.delete(call);
        if (call.startedAt === null) this.#late ||= !call.unnoticed;
        else if (!call.unnoticed) hung.push({ startedAt: call.startedAt, behind: call.behind });
        call.fail(new BackendError("timeout", `${why} within ${timeoutMs} ms${see}`));
      }
    }
    return hung;
  }

  /** Everybody who waits is told so; what runs may still be answered. */
  refuse(err: BackendError): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) call.fail(err);
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
    for (const call of this.#waiting) {
      if (this.#running.size >= this.o.atATime) return;
      this.#waiting.delete(call);
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
}
