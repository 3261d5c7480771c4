/** The lines in which calls to one server stand: questions that share its connections, those that take one of their own, and probes. */
import type { MonoMs } from "../../lib/time.ts";
import { Calls, type Hung } from "./calls.ts";
import type { BackendError } from "./errors.ts";

/** Calls that may wait, for each connection, and at most. */
const WAITING_PER_CONNECTION = 256;
const WAITING_MAX = 8192;

export interface LinesOptions {
  /** Connections. */
  pool: number;
  /** Calls at a time on each of them. */
  perConnection: number;
  /** For an answer, ms. */
  timeoutMs: number;
  /** What is said behind "no answer within …", and of those who were not asked in time: which settings to look at. */
  late?: { readonly unanswered: string; readonly waiting: string };
}

export class Lines {
  readonly shared: Calls;
  readonly apart: Calls;
  /** A probe has no place in the line of calls: while nobody is let through there is none. */
  readonly probes: Calls;

  constructor(
    private readonly o: LinesOptions,
    now: () => MonoMs,
  ) {
    const { pool, perConnection, timeoutMs, late } = o;
    const waitingMax = Math.min(pool * WAITING_PER_CONNECTION, WAITING_MAX);
    this.shared = new Calls({ now, atATime: pool * perConnection, carried: pool, waitingMax, timeoutMs, late });
    this.apart = new Calls({ now, atATime: pool, waitingMax, timeoutMs, late });
    this.probes = new Calls({ now, atATime: 1, waitingMax: 1, timeoutMs, late });
  }

  get #all(): readonly Calls[] {
    return [this.shared, this.apart];
  }

  /** Each connection carries one; what has left behind it on the same one waits, as what has not left. */
  get running(): number {
    return Math.min(this.shared.running, this.o.pool) + this.apart.running;
  }
  get waiting(): number {
    return this.shared.running + this.shared.waiting + this.apart.running + this.apart.waiting - this.running;
  }

  /** End what has waited for too long. `late`: the turn of some did not come. Call `next` behind it. */
  expire(): { hung: Hung[]; late: boolean } {
    const hung = this.#all.flatMap((line) => line.expire());
    this.probes.expire();
    return { hung, late: this.#all.some((line) => line.late) };
  }

  next(): void {
    for (const line of this.#all) line.next();
  }

  /** Who waits is told so; probes go on. */
  refuse(err: BackendError): void {
    for (const line of this.#all) line.refuse(err);
  }

  close(err: BackendError): void {
    for (const line of [...this.#all, this.probes]) line.close(err);
  }
}
