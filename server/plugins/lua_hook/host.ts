/** The worker of one script, as the broker sees it: asked and told through shared memory, ended when a call takes more than it may. */
import { Worker } from "node:worker_threads";
import { wordsOf } from "../../lib/errors.ts";
import { type Area, ASK, AT, CAME, newArea, PIECE, TIMES } from "./area.ts";
import { CALLBACKS, type CallbackName } from "./callbacks.ts";
import { type Failed, isFromWorker, type WorkerStart } from "./messages.ts";
import { readValues, type Value, ValueWriter } from "./values.ts";
import type { Fault } from "./worker/engine.ts";

/** In the executable all code lies in one file, and its workers where they lay below server/. */
const WORKER = new URL(Bun.isStandaloneExecutable ? "./plugins/lua_hook/worker/main.ts" : "./worker/main.ts", import.meta.url);
/** Loading a script may take so long, ms. */
const LOAD_MS = 5000;
/** Lua looks at the clock itself, and then says in which line it was: it is given a little more than its budget to do so. */
const LUA_GRACE = 1.5;
/** What is asked of a worker that has not had its turn yet may take so many budgets. */
const MOST_BUDGETS = 2;

export interface HostEvents {
  loaded(callbacks: readonly CallbackName[], unknown: readonly string[]): void;
  /** It cannot be loaded: no event follows. */
  refused(message: string, line: number | null): void;
  failed(failure: Failed): void;
  printed(text: string): void;
  /** It was ended, or ended by itself: no event follows. */
  ended(why: string, callback: CallbackName | null, kind: Fault, inARow: number): void;
}

/** `null`: there was no answer, for the reason that is told by the events. */
export type Answer = Value[] | null;

const writer = new ValueWriter();

export class Host {
  readonly #area: Area = newArea();
  readonly #worker: Worker;
  #state: "loading" | "ready" | "closed" = "loading";
  #giveUp: ReturnType<typeof setTimeout> | null;
  /** What `turns` was at the last look, and for how many looks it has been so. */
  #turns = 0;
  /** Calls that nobody waits for, done or not. */
  told = 0;
  #looks = 0;

  /** `inARow`: calls in a row that took too much already. */
  constructor(
    private readonly start: Omit<WorkerStart, "shared">,
    private readonly events: HostEvents,
    inARow = 0,
  ) {
    this.#area.numbers[AT.overrunsInARow] = inARow;
    this.#worker = new Worker(WORKER, { workerData: { ...start, shared: this.#area.shared } satisfies WorkerStart });
    this.#worker.on("message", (message: unknown) => this.#hear(message));
    this.#worker.on("error", (err) => this.#lost(wordsOf(err)));
    this.#worker.on("exit", () => this.#lost("its worker ended"));
    this.#giveUp = setTimeout(() => this.#refuse(`it was not loaded within ${LOAD_MS / 1000} s`, null), LOAD_MS);
    // Neither keeps a process alive that has nothing else to do.
    this.#giveUp.unref();
    this.#worker.unref();
  }

  get ready(): boolean {
    return this.#state === "ready";
  }

  get overrunsInARow(): number {
    return Atomics.load(this.#area.numbers, AT.overrunsInARow);
  }

  /** Calls of each callback so far, and those that failed; both wrap at 2³². */
  count(what: "calls" | "failed", number: number): number {
    return Atomics.load(this.#area.numbers, AT[what] + number) >>> 0;
  }

  /** Ms of the last calls, in no order. */
  times(): Float32Array {
    return this.#area.times.slice(0, Math.min(TIMES, this.#area.numbers[AT.timed] as number));
  }

  #hear(message: unknown): void {
    // A script of JavaScript can say something itself.
    if (this.#state === "closed" || !isFromWorker(message)) return;
    if (message.what === "failed") {
      if (message.isKept) this.#end(message.message, "memory", 0);
      else this.events.failed(message);
    } else if (message.what === "printed") this.events.printed(message.text);
    else if (message.what === "refused") this.#refuse(message.message, message.line);
    else {
      this.#stopClock();
      this.#state = "ready";
      this.events.loaded(message.callbacks, message.unknown);
    }
  }

  #refuse(message: string, line: number | null): void {
    if (this.#state !== "loading") return;
    this.close();
    this.events.refused(message, line);
  }

  #lost(why: string): void {
    if (this.#state === "loading") this.#refuse(why, null);
    else if (this.#state === "ready") this.#end(why);
  }

  #stopClock(): void {
    if (this.#giveUp !== null) clearTimeout(this.#giveUp);
    this.#giveUp = null;
  }

  /** `more`: overruns that the worker itself has not counted. */
  #end(why: string, kind: Fault = "time", more = 1): void {
    const { numbers } = this.#area;
    const called = (Atomics.load(numbers, AT.turns) & 1) === 1 || more === 0;
    const inARow = Atomics.add(numbers, AT.overrunsInARow, more) + more;
    this.close();
    this.events.ended(why, called ? (CALLBACKS[numbers[AT.current] as number]?.name ?? null) : null, kind, inARow);
  }

  /** It takes effect whatever the script does; the thread ends when what it is in the middle of has been given up. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#stopClock();
    void this.#worker.terminate();
  }

  // ---- calls

  /** The broker waits for the answer: at most two budgets. */
  ask(number: number, args: readonly Value[]): Answer {
    if (this.#state !== "ready") return null;
    const request = this.#write(number, args);
    const { numbers } = this.#area;
    for (let at = 0; at < request.length || at === 0; at += PIECE) {
      const piece = request.subarray(at, at + PIECE);
      this.#area.request.set(piece);
      numbers[AT.requestLength] = piece.length;
      if (!this.#piece(at + PIECE < request.length ? ASK.part : ASK.call)) return null;
    }
    const parts = [this.#reply()];
    while (numbers[AT.replyMore] === 1) {
      if (!this.#piece(ASK.more)) return null;
      parts.push(this.#reply());
    }
    const status = Atomics.load(numbers, AT.status);
    // Told by the worker too, but many calls may come before that is read.
    if (status === CAME.spent) this.#end("the script keeps more memory than it may", "memory", 0);
    if (status !== CAME.returned) return null;
    return readValues(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
  }

  #reply(): Buffer {
    return Buffer.from(this.#area.reply.subarray(0, this.#area.numbers[AT.replyLength]));
  }

  #write(number: number, args: readonly Value[]): Buffer {
    writer.begin(number);
    for (const arg of args) writer.add(arg);
    return writer.bytes;
  }

  /** Of a call in several pieces each has the budget: all but one of them are only copied. False = it was ended. */
  #piece(op: number): boolean {
    const { numbers } = this.#area;
    const { budget } = this.start.limits;
    const began = performance.now();
    const until = began + (this.start.language === "lua" ? budget * LUA_GRACE : budget);
    numbers[AT.op] = op;
    const seq = (Atomics.load(numbers, AT.asked) + 1) | 0;
    Atomics.store(numbers, AT.asked, seq);
    this.#ring();
    if (this.#done(seq, until)) return true;
    // A machine that is busy with others may not have given it a turn: that is no fault of the script's.
    if (Atomics.load(numbers, AT.begun) !== seq && this.#done(seq, began + MOST_BUDGETS * budget)) return true;
    this.#end(`the call took more than ${budget} ms, and was ended`);
    return false;
  }

  #done(seq: number, until: number): boolean {
    const { numbers } = this.#area;
    for (;;) {
      const done = Atomics.load(numbers, AT.done);
      if (done === seq) return true;
      const left = until - performance.now();
      if (left <= 0) return false;
      Atomics.wait(numbers, AT.done, done, left);
    }
  }

  #ring(): void {
    const { numbers } = this.#area;
    Atomics.add(numbers, AT.bell, 1);
    if (Atomics.load(numbers, AT.asleep) === 1) Atomics.notify(numbers, AT.bell);
  }

  /** Nobody waits for it. False = there is no room for more of them. */
  tell(number: number, args: readonly Value[]): boolean {
    if (this.#state !== "ready") return false;
    if (!this.#area.ring.put(this.#write(number, args))) return false;
    this.told++;
    this.#ring();
    return true;
  }

  /** To be called every `everyMs`: what is told, and never comes to an end, is found so. */
  watch(everyMs: number): void {
    if (this.#state !== "ready") return;
    const turns = Atomics.load(this.#area.numbers, AT.turns);
    this.#looks = turns === this.#turns && (turns & 1) === 1 ? this.#looks + 1 : 0;
    this.#turns = turns;
    const { budget } = this.start.limits;
    if ((this.#looks - 1) * everyMs >= MOST_BUDGETS * budget) this.#end(`the call took more than ${budget} ms, and was ended`);
  }
}
