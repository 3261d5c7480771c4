/** One script: the version of it that runs, the one that is being loaded, what came of its calls. */
import { wordsOf } from "../../lib/errors.ts";
import type { MonoMs } from "../../lib/time.ts";
import { ACCESS, type AccessName, CALLBACKS, type CallbackName, numberOf } from "./callbacks.ts";
import { accessNamedIn } from "./files.ts";
import { Host, type HostEvents } from "./host.ts";
import type { Failure, Language, Refusal } from "./messages.ts";
import { Overruns } from "./overruns.ts";
import { sizeOf, type Value } from "./values.ts";
import type { Fault, Limits } from "./worker/engine.ts";

/**
 * `loading`: for the first time, or again while none runs. `running`: with `error`, it is the former version that runs, since the file cannot be
 * loaded. `failed`: none runs. `stopped`: it took more than it may, too often. `unloaded`: by command. `disabled`: its file's name ends in ".x".
 */
export type ScriptState = "loading" | "running" | "failed" | "stopped" | "unloaded" | "disabled";

export interface ScriptError {
  /** Unix ms. */
  at: number;
  /** null = while loading, or not known. */
  callback: CallbackName | null;
  line: number | null;
  kind: Fault | "load";
  message: string;
}

export interface CallbackFigures {
  readonly name: CallbackName;
  readonly calls: number;
  readonly errors: number;
}

/** What a callback returned, or, in words that read on after the script's name, why there is nothing. */
export type Answer = Value[] | string;

/** Errors that are kept. */
const ERRORS_KEPT = 50;
/** What was too slow to be loaded is tried again behind so long, and twice as long each time, ms. */
const RETRY_MS = 1000;
const RETRY_MOST_MS = 300_000;

export interface ScriptHost {
  readonly limits: Limits;
  /** Overruns that stop a script: see overruns.ts. */
  readonly overruns: number;
  /** Bytes of the largest packet that the node takes. */
  readonly packet: number;
  now(): number;
  mono(): MonoMs;
  after(ms: number, fn: () => void): () => void;
  /** Another version runs, or none, or it has become known why none does. */
  changed(script: Script): void;
  failed(script: Script, error: ScriptError): void;
  stopped(script: Script): void;
  printed(script: Script, text: string): void;
  /** It was not told something, since there was no room. `tooLarge`: there never will be. */
  notTold(script: Script, tooLarge: boolean): void;
}

export class Script {
  state: ScriptState = "loading";
  /** Why its file, as it is now, cannot be loaded, or why it was stopped. */
  error: string | null = null;
  /** When it is tried again by itself, Unix ms; null = it is not. */
  retryAt: number | null = null;
  /** Unix ms; null = never. */
  loadedAt: number | null = null;
  /** Of the version that runs, or ran last. */
  callbacks: readonly CallbackName[] = [];
  /** Of those about access the ones that it does not answer, though nobody has taken it away: it is stopped, or cannot be loaded. */
  owed: readonly AccessName[] = [];
  readonly errors: ScriptError[] = [];
  overruns = 0;
  restarts = 0;
  /** Calls that could not be made: no worker, or no room for what is told. */
  skipped = 0;
  /** What a look at the file said of it when it was last loaded. */
  seen = "";

  readonly #calls = new Float64Array(CALLBACKS.length);
  readonly #failed = new Float64Array(CALLBACKS.length);
  /** What was added of the running worker's counters. */
  readonly #taken = { calls: new Uint32Array(CALLBACKS.length), failed: new Uint32Array(CALLBACKS.length) };
  readonly #standing = new Overruns();
  #host: Host | null = null;
  #next: { host: Host; gone: () => void } | null = null;
  /** Of the next one, or the last: it resolves when it is there, or will not be. */
  #loading: Promise<string | null> = Promise.resolve(null);
  #cancelRetry = (): void => {};
  /** Tries to load it so far that were too slow. */
  #tries = 0;
  /** What went wrong last, in words. */
  #lastFault = "";

  constructor(
    readonly name: string,
    readonly language: Language,
    private readonly path: string,
    private readonly by: ScriptHost,
  ) {}

  /** It is to be asked. */
  get active(): boolean {
    return this.state === "running";
  }

  /** It runs, but its worker is being started again: resolves when it is there, or, within seconds, when it is known that it will not be. */
  get coming(): Promise<unknown> | null {
    return this.active && this.#host === null ? this.#loading : null;
  }

  // ---- its life

  /** Load the file as it is now, whatever became of it before. Resolves with what is wrong with it; null = it runs. */
  load(): Promise<string | null> {
    this.#standing.clear();
    this.#tries = 0;
    return this.#start();
  }

  #start(): Promise<string | null> {
    this.#cancelRetry();
    this.retryAt = null;
    this.#next?.gone();
    if (!this.active) this.state = "loading";
    this.#loading = new Promise((resolve) => {
      const { name, language, path } = this;
      const { limits, packet } = this.by;
      try {
        const host: Host = new Host(
          { name, language, path, limits },
          this.#events(() => host, resolve),
          packet,
        );
        const gone = (): void => {
          host.close();
          this.#next = null;
          resolve("another command came before it was loaded");
        };
        this.#next = { host, gone };
      } catch (err) {
        // Out of memory or threads.
        this.#refuse({ message: `its worker cannot be started: ${wordsOf(err)}`, line: null, mayPass: true });
        resolve(this.error);
      }
    });
    return this.#loading;
  }

  /** Of a worker that may be the next one, the current one, or a former one by then. `settled`: with what is wrong; null = it runs. */
  #events(host: () => Host, settled: (why: string | null) => void): HostEvents {
    const isNext = (): boolean => this.#next?.host === host();
    const isCurrent = (): boolean => this.#host === host();
    return {
      loaded: (callbacks, unknown) => {
        if (!isNext()) return;
        this.#next = null;
        this.#takeOver(host(), callbacks);
        if (unknown.length > 0) this.#note(null, "load", null, `unknown callbacks, which nobody calls: ${unknown.join(", ")}`);
        settled(null);
      },
      refused: (refusal) => {
        if (!isNext()) return;
        this.#next = null;
        this.#refuse(refusal);
        settled(this.error);
      },
      failed: (failure) => {
        if (isCurrent()) this.#fail(failure);
      },
      printed: (text) => this.by.printed(this, text),
      ended: (failure) => {
        if (!isCurrent()) return;
        this.#drop();
        // The one that is being loaded already takes its place.
        if (this.#overran({ ...failure, line: null }) || this.#next !== null) return;
        this.restarts++;
        void this.#start();
      },
    };
  }

  #takeOver(host: Host, callbacks: readonly CallbackName[]): void {
    this.#drop();
    this.#host = host;
    this.#tries = 0;
    this.callbacks = callbacks;
    this.owed = [];
    this.state = "running";
    this.error = null;
    this.loadedAt = this.by.now();
    this.by.changed(this);
  }

  #refuse({ line, message, mayPass }: Refusal): void {
    this.error = line === null ? message : `line ${line}: ${message}`;
    this.#note(null, "load", line, message);
    if (mayPass) {
      const behind = Math.min(RETRY_MS * 2 ** this.#tries++, RETRY_MOST_MS);
      this.retryAt = this.by.now() + behind;
      this.#cancelRetry = this.by.after(behind, () => void this.#start());
    }
    // What ran goes on. What was about to be started again has no former version any more.
    if (this.#host !== null) return;
    this.state = "failed";
    const named = accessNamedIn(this.path);
    this.owed = ACCESS.filter((name) => this.callbacks.includes(name) || named.includes(name));
    this.by.changed(this);
  }

  #drop(): void {
    this.#collect();
    // What it was told and has not done goes with it.
    const { calls } = this.#taken;
    this.skipped += CALLBACKS.reduce((left, { kind }, i) => (kind === "tells" ? left - (calls[i] as number) : left), this.#host?.told ?? 0);
    this.#host?.close();
    this.#host = null;
    this.#taken.calls.fill(0);
    this.#taken.failed.fill(0);
  }

  /** No version runs any more. */
  end(state: "unloaded" | "disabled"): void {
    this.#end(state, null);
    this.by.changed(this);
  }

  #end(state: ScriptState, error: string | null): void {
    this.#cancelRetry();
    this.retryAt = null;
    this.#next?.gone();
    this.#drop();
    this.state = state;
    this.error = error;
    this.owed = [];
  }

  // ---- what goes wrong

  #note(callback: CallbackName | null, kind: ScriptError["kind"], line: number | null, message: string): void {
    const error = { at: this.by.now(), callback, line, kind, message };
    this.#lastFault = message;
    this.errors.push(error);
    if (this.errors.length > ERRORS_KEPT) this.errors.shift();
    this.by.failed(this, error);
  }

  #fail(failure: Failure): void {
    if (failure.kind === "error") this.#note(failure.callback, "error", failure.line, failure.message);
    else this.#overran(failure);
  }

  /** It took more than it may, or its worker is gone. True = it is stopped for that. */
  #overran({ callback, kind, line, message }: Omit<Failure, "callback"> & { callback: CallbackName | null }): boolean {
    this.overruns++;
    this.#note(callback, kind, line, message);
    this.#collect();
    const calls = this.#calls.reduce((sum, n) => sum + n, 0);
    const { limits, overruns } = this.by;
    if (this.#standing.over(this.by.mono(), calls - this.overruns, limits.budget) < overruns) return false;
    this.#end("stopped", `it was over its budget too often, lastly: ${message}`);
    this.owed = ACCESS.filter((name) => this.callbacks.includes(name));
    this.by.stopped(this);
    this.by.changed(this);
    return true;
  }

  // ---- calls

  ask(number: number, args: readonly Value[]): Answer {
    const host = this.#host;
    if (host !== null) return host.ask(number, args) ?? this.#lastFault;
    this.skipped++;
    if (this.active) return "it is being started again";
    if (this.state === "stopped") return `it is stopped: ${this.error}`;
    return this.state === "failed" ? `it is not loaded: ${this.error}` : "it is being loaded";
  }

  tell(number: number, args: readonly Value[]): void {
    const host = this.#host;
    if (host?.tell(number, args) === true) return;
    this.skipped++;
    if (host !== null) this.by.notTold(this, sizeOf(args) > host.mostTold);
  }

  /** A result that the broker can do nothing with. */
  badResult(name: CallbackName, message: string): void {
    const number = numberOf(name);
    this.#failed[number] = (this.#failed[number] as number) + 1;
    this.#note(name, "error", null, message);
  }

  /** To be called every `everyMs`. */
  watch(everyMs: number): void {
    this.#host?.watch(everyMs);
  }

  // ---- figures

  #collect(): void {
    const host = this.#host;
    if (host === null) return;
    for (const [what, sums] of [
      ["calls", this.#calls],
      ["failed", this.#failed],
    ] as const) {
      const taken = this.#taken[what];
      for (let i = 0; i < sums.length; i++) {
        const now = host.count(what, i);
        sums[i] = (sums[i] as number) + ((now - (taken[i] as number)) >>> 0);
        taken[i] = now;
      }
    }
  }

  figures(): CallbackFigures[] {
    this.#collect();
    return CALLBACKS.flatMap(({ name }, i) => {
      const calls = this.#calls[i] as number;
      const errors = this.#failed[i] as number;
      return calls + errors > 0 || this.callbacks.includes(name) ? [{ name, calls, errors }] : [];
    });
  }

  /** Ms, of the last calls of the version that runs; null = there were none. */
  quantiles(): { p50: number | null; p95: number | null; p99: number | null } {
    const sorted = this.#host?.times().sort() ?? new Float32Array();
    const at = (part: number): number | null => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? null;
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
  }
}
