/** The worker of one script, as the broker sees it: asked and told through shared memory, ended when a call takes more than it may. */
import { Worker } from "node:worker_threads";
import { wordsOf } from "../../lib/errors.ts";
import { type Area, ASK, AT, CAME, newArea, PIECE, ringFor, TIMES } from "./area.ts";
import { CALLBACK_NAMES, type CallbackName } from "./callbacks.ts";
import { type Failure, isFromWorker, type Refusal, type WorkerStart } from "./messages.ts";
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
  refused(refusal: Refusal): void;
  /** Of one that is asked it is told before `ask` returns. */
  failed(failure: Failure): void;
  printed(text: string): void;
  /** It was ended, or ended by itself: no event follows. `callback`: null = none ran. */
  ended(failure: Omit<Failure, "callback" | "line"> & { callback: CallbackName | null }): void;
}

/** `null`: there is none, for a reason that the events have told. */
export type Answer = Value[] | null;

const writer = new ValueWriter();

export class Host {
  readonly #area: Area;
  readonly #worker: Worker;
  #state: "loading" | "ready" | "closed" = "loading";
  #giveUp: ReturnType<typeof setTimeout> | null;
  /** What `turns` was at the last look, and for how many looks it has been so. */
  #turns = 0;
  /** Calls that nobody waits for, done or not. */
  told = 0;
  #looks = 0;

  /** `packet`: bytes of the largest packet that the node takes: what is told may be as large. */
  constructor(
    private readonly start: Omit<WorkerStart, "shared">,
    private readonly events: HostEvents,
    packet: number,
  ) {
    this.#area = newArea(ringFor(packet));
    this.#worker = new Worker(WORKER, { workerData: { ...start, shared: this.#area.shared } satisfies WorkerStart });
    this.#worker.on("message", (message: unknown) => this.#hear(message));
    this.#worker.on("error", (err) => this.#lost(wordsOf(err)));
    this.#worker.on("exit", () => this.#lost(this.ready ? "its worker ended" : "its worker ended before it was loaded"));
    this.#giveUp = setTimeout(
      () => this.#refuse({ message: `it was not loaded within ${LOAD_MS / 1000} s`, line: null, mayPass: true }),
      LOAD_MS,
    );
    // Neither keeps a process alive that has nothing else to do.
    this.#giveUp.unref();
    this.#worker.unref();
  }

  get ready(): boolean {
    return this.#state === "ready";
  }

  /** What is told never fits where it is larger than this, bytes. */
  get mostTold(): number {
    return this.#area.ring.most;
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
      if (message.isKept) this.#end(message.message, "memory", message.callback);
      else this.events.failed(message);
    } else if (message.what === "printed") this.events.printed(message.text);
    else if (message.what === "refused") this.#refuse(message);
    else if (this.#state === "loading") {
      this.#stopClock();
      this.#state = "ready";
      this.events.loaded(message.callbacks, message.unknown);
    }
  }

  #refuse(refusal: Refusal): void {
    if (this.#state !== "loading") return;
    this.close();
    this.events.refused(refusal);
  }

  #lost(message: string): void {
    if (this.#state === "loading") this.#refuse({ message, line: null, mayPass: false });
    else if (this.#state === "ready") this.#end(message, "error");
  }

  #stopClock(): void {
    if (this.#giveUp !== null) clearTimeout(this.#giveUp);
    this.#giveUp = null;
  }

  /** The callback that runs; null = none does. */
  get #current(): CallbackName | null {
    const { numbers } = this.#area;
    const isRunning = (Atomics.load(numbers, AT.turns) & 1) === 1;
    return isRunning ? (CALLBACK_NAMES[numbers[AT.current] as number] ?? null) : null;
  }

  #end(message: string, kind: Fault, callback: CallbackName | null = this.#current): void {
    this.close();
    this.events.ended({ callback, kind, message });
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
    const callback = CALLBACK_NAMES[number] as CallbackName;
    const { numbers } = this.#area;
    for (let at = 0; at < request.length || at === 0; at += PIECE) {
      const piece = request.subarray(at, at + PIECE);
      this.#area.request.set(piece);
      numbers[AT.requestLength] = piece.length;
      if (!this.#piece(at + PIECE < request.length ? ASK.part : ASK.call, callback)) return null;
    }
    const parts = [this.#reply()];
    while (numbers[AT.replyMore] === 1) {
      if (!this.#piece(ASK.more, callback)) return null;
      parts.push(this.#reply());
    }
    const reply = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    const came = reply[0] as number;
    if (came === CAME.returned) return readValues(reply);
    this.#failed(callback, came, readValues(reply));
    return null;
  }

  #failed(callback: CallbackName, came: number, [line, message]: readonly Value[]): void {
    const words = String(message);
    if (came === CAME.spent) this.#end(words, "memory", callback);
    else {
      const kind = came === CAME.time ? "time" : came === CAME.memory ? "memory" : "error";
      this.events.failed({ callback, kind, line: typeof line === "number" ? line : null, message: words });
    }
  }

  #reply(): Buffer {
    return Buffer.from(this.#area.reply.subarray(0, this.#area.numbers[AT.replyLength]));
  }

  #write(number: number, args: readonly Value[]): Buffer {
    writer.begin(number);
    for (const arg of args) writer.add(arg);
    return writer.bytes;
  }

  /** Of a call in several pieces each has the budget: all but one of them are only copied. False = it was ended. `callback`: of the call. */
  #piece(op: number, callback: CallbackName): boolean {
    const { numbers } = this.#area;
    const { budget } = this.start.limits;
    const began = performance.now();
    // What it was told, and is in the middle of, takes from the time of this one.
    const isBusy = (Atomics.load(numbers, AT.turns) & 1) === 1;
    const until = began + budget * (isBusy ? MOST_BUDGETS : this.start.language === "lua" ? LUA_GRACE : 1);
    numbers[AT.op] = op;
    const seq = (Atomics.load(numbers, AT.asked) + 1) | 0;
    Atomics.store(numbers, AT.asked, seq);
    this.#ring();
    if (this.#done(seq, until)) return true;
    // A machine that is busy with others may not have given it a turn: that is no fault of the script's.
    if (Atomics.load(numbers, AT.begun) !== seq && this.#done(seq, began + MOST_BUDGETS * budget)) return true;
    this.#end(`the call took more than ${budget} ms, and was ended`, "time", this.#current ?? callback);
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
    if ((this.#looks - 1) * everyMs >= MOST_BUDGETS * budget) this.#end(`the call took more than ${budget} ms, and was ended`, "time");
  }
}
