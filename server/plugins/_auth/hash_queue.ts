/**
 * Slow hashes run on threads of the runtime, which disk and name look-ups need too: a few at a time. Of those that wait only so many are taken
 * as have their turn while a client still waits for it, by what such a hash was measured to take; beyond that the answer is no. Everybody
 * comes back at once after a restart; nobody is served by a queue of minutes. Addresses take turns, and none has more of the queue than
 * is left to the others. What is hashed for names that are none stands behind whoever has one: it has one turn of four.
 */
import { availableParallelism } from "node:os";

/** So long may the last one wait for its turn, ms: as long as a client does. */
const WAITING_MS = 15_000;
/** Kinds whose times are remembered. */
const KINDS_MAX = 100;
/** What one more measurement counts for. */
const WEIGHT = 0.2;

/** The address of all names that are nobody's, so that names that somebody makes up keep nobody waiting for long. */
export const NOBODY = "nobody";
/** So many of others go before one of those, where they wait. */
const AHEAD_MAX = 3;

/** How long a hash takes. */
export interface Cost {
  /** All of a kind take as long: "bcrypt,12". */
  readonly kind: string;
  /** What it may take while none was measured. */
  readonly guessMs: number;
}

interface Measured {
  ms: number;
  waiting: number;
}

interface Waiting {
  readonly cost: Measured;
  start(): void;
}

/** What waits for one address, and how many of each cost. */
interface Line {
  readonly jobs: Waiting[];
  readonly of: Map<Measured, number>;
}

/** `timed`: what the hash itself is in, so that its time is measured; who is not wanted any more does without. */
type Job<T> = (timed: <R>(hash: () => Promise<R>) => Promise<R>) => Promise<T>;

export class HashQueue {
  #running = 0;
  /** By address; the one whose turn is next stands first. */
  readonly #lines = new Map<string, Line>();
  readonly #kinds = new Map<string, Measured>();
  /** Of others, since one of nobody's has had its turn. */
  #ahead = 0;

  constructor(
    private readonly atATime = Math.max(1, availableParallelism() - 1),
    private readonly waitingMs = WAITING_MS,
    private readonly now = () => performance.now(),
  ) {}

  /** Jobs that run or wait. */
  get size(): number {
    let all = this.#running;
    for (const { jobs } of this.#lines.values()) all += jobs.length;
    return all;
  }

  /** Run `job` when its turn has come. `from`: the address that it is done for. null = what waits already takes too long. */
  run<T>(cost: Cost, from: string, job: Job<T>): Promise<T> | null {
    const measured = this.#measured(cost);
    const whole = (): Promise<T> => job((hash) => this.#timed(measured, hash));
    if (this.#running < this.atATime) {
      this.#running++;
      return this.#inPlace(whole);
    }
    const line: Line = this.#lines.get(from) ?? { jobs: [], of: new Map() };
    // One turn of four is nobody's.
    const max = (this.waitingMs * this.atATime) / (from === NOBODY ? 2 : 1);
    // As with `Shares`: one address alone has half of it, a further one half of the rest.
    if (timeOf(line) + measured.ms > max - this.#waitingMs) return null;
    this.#lines.set(from, line);
    measured.waiting++;
    line.of.set(measured, (line.of.get(measured) ?? 0) + 1);
    return new Promise<void>((start) => line.jobs.push({ cost: measured, start })).then(() => this.#inPlace(whole));
  }

  /** What all that wait take, one after the other. */
  get #waitingMs(): number {
    let all = 0;
    for (const { ms, waiting } of this.#kinds.values()) all += ms * waiting;
    return all;
  }

  #measured({ kind, guessMs }: Cost): Measured {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    if (this.#kinds.size >= KINDS_MAX)
      for (const [name, { waiting }] of this.#kinds) {
        if (waiting > 0) continue;
        this.#kinds.delete(name);
        break;
      }
    const fresh = { ms: guessMs, waiting: 0 };
    this.#kinds.set(kind, fresh);
    return fresh;
  }

  async #timed<R>(measured: Measured, hash: () => Promise<R>): Promise<R> {
    const began = this.now();
    const found = await hash();
    measured.ms += (this.now() - began - measured.ms) * WEIGHT;
    return found;
  }

  /** The job has a place; at its end the place goes to the next address's. */
  async #inPlace<T>(job: () => Promise<T>): Promise<T> {
    try {
      return await job();
    } finally {
      const next = this.#next();
      if (next === undefined) this.#running--;
      else next.start();
    }
  }

  /** Of the address that has waited longest for its turn, the first that came. */
  #next(): Waiting | undefined {
    for (const [from, line] of this.#lines) {
      if (from === NOBODY && this.#lines.size > 1 && this.#ahead < AHEAD_MAX) continue;
      this.#ahead = from === NOBODY ? 0 : this.#ahead + 1;
      const first = line.jobs.shift();
      this.#lines.delete(from);
      if (line.jobs.length > 0) this.#lines.set(from, line);
      if (first === undefined) continue;
      first.cost.waiting--;
      const left = (line.of.get(first.cost) ?? 0) - 1;
      if (left > 0) line.of.set(first.cost, left);
      else line.of.delete(first.cost);
      return first;
    }
    return undefined;
  }
}

/** What all of its jobs take, one after the other, ms. */
function timeOf({ of }: Line): number {
  let all = 0;
  for (const [{ ms }, n] of of) all += ms * n;
  return all;
}

/** That of the process: however many plugins check passwords, so many threads do. */
export const hashes = new HashQueue();
