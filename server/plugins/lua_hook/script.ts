/** One script: the version of it that runs, the one that is being loaded, what came of its calls. */
import { CALLBACKS, type CallbackName, numberOf } from "./callbacks.ts";
import { type Answer, Host } from "./host.ts";
import type { Language } from "./messages.ts";
import type { Value } from "./values.ts";
import type { Fault, Limits } from "./worker/engine.ts";

/**
 * `loading`: for the first time. `running`: with `error`, it is the former version that runs, since the file cannot be loaded. `failed`: none runs.
 * `stopped`: it took more than it may, too often. `unloaded`: by command. `disabled`: its file's name ends in ".x".
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

/** Errors that are kept. */
const ERRORS_KEPT = 50;
/** A worker that is gone is started again behind so long, ms; the script is passed over meanwhile. */
const AGAIN_MS = 50;

export interface ScriptHost {
  readonly limits: Limits;
  /** Overruns in a row that stop a script. */
  readonly overruns: number;
  now(): number;
  after(ms: number, fn: () => void): () => void;
  /** Another version runs, or none. */
  changed(script: Script): void;
  failed(script: Script, error: ScriptError): void;
  stopped(script: Script, why: string): void;
  printed(script: Script, text: string): void;
}

export class Script {
  state: ScriptState = "loading";
  /** Why its file, as it is now, cannot be loaded. */
  error: string | null = null;
  /** Unix ms; null = never. */
  loadedAt: number | null = null;
  callbacks: readonly CallbackName[] = [];
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
  #host: Host | null = null;
  #next: { host: Host; gone: () => void } | null = null;
  #cancelAgain = (): void => {};

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

  /** Load the file as it is now. Resolves with what is wrong with it; null = it runs. */
  load(inARow = 0): Promise<string | null> {
    this.#cancelAgain();
    this.#next?.gone();
    if (!this.active) this.state = "loading";
    return new Promise((resolve) => {
      const { name, language, path } = this;
      const isNext = (): boolean => this.#next?.host === host;
      const host = new Host(
        { name, language, path, limits: this.by.limits },
        {
          loaded: (callbacks, unknown) => {
            if (!isNext()) return;
            this.#next = null;
            this.#takeOver(host, callbacks);
            if (unknown.length > 0) this.note(null, "load", null, `unknown callbacks, which nobody calls: ${unknown.join(", ")}`);
            resolve(null);
          },
          refused: (message, line) => {
            if (!isNext()) return;
            this.#next = null;
            this.#refuse(line === null ? message : `line ${line}: ${message}`);
            this.note(null, "load", line, message);
            resolve(this.error);
          },
          failed: ({ callback, kind, line, message, inARow: n }) => {
            if (this.#host !== host) return;
            this.note(callback, kind, line, message);
            if (kind === "error") return;
            this.overruns++;
            this.#stopsAt(n, message);
          },
          printed: (text) => this.by.printed(this, text),
          ended: (why, callback, kind, n) => {
            if (this.#host !== host) return;
            this.#drop();
            this.overruns++;
            this.note(callback, kind, null, why);
            if (!this.#stopsAt(n, why)) this.#again(n);
          },
        },
        inARow,
      );
      const gone = (): void => {
        host.close();
        this.#next = null;
        resolve("another command came before it was loaded");
      };
      this.#next = { host, gone };
    });
  }

  #takeOver(host: Host, callbacks: readonly CallbackName[]): void {
    this.#drop();
    this.#host = host;
    this.callbacks = callbacks;
    this.state = "running";
    this.error = null;
    this.loadedAt = this.by.now();
    this.by.changed(this);
  }

  #refuse(why: string): void {
    this.error = why;
    // What ran goes on. What was about to be started again has no former version any more.
    if (this.#host !== null) return;
    this.state = "failed";
    this.by.changed(this);
  }

  #stopsAt(inARow: number, why: string): boolean {
    if (inARow < this.by.overruns) return false;
    this.end("stopped");
    this.by.stopped(this, why);
    return true;
  }

  #again(inARow: number): void {
    this.#cancelAgain();
    this.#cancelAgain = this.by.after(AGAIN_MS, () => {
      this.restarts++;
      void this.load(inARow);
    });
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
  end(state: "stopped" | "unloaded" | "disabled"): void {
    this.#cancelAgain();
    this.#next?.gone();
    this.#drop();
    this.state = state;
    this.error = null;
    this.by.changed(this);
  }

  note(callback: CallbackName | null, kind: ScriptError["kind"], line: number | null, message: string): void {
    const error = { at: this.by.now(), callback, line, kind, message };
    this.errors.push(error);
    if (this.errors.length > ERRORS_KEPT) this.errors.shift();
    this.by.failed(this, error);
  }

  // ---- calls

  ask(number: number, args: readonly Value[]): Answer {
    const host = this.#host;
    if (host === null) {
      this.skipped++;
      return null;
    }
    const answer = host.ask(number, args);
    // Told by its worker too, but that is read when this turn is over: many calls of it may follow before.
    if (answer === null && host === this.#host && host.overrunsInARow >= this.by.overruns) {
      const name = CALLBACKS[number]?.name ?? null;
      const why = `${host.overrunsInARow} calls in a row took more than they may`;
      this.overruns++;
      this.note(name, "time", null, why);
      this.#stopsAt(host.overrunsInARow, why);
    }
    return answer;
  }

  tell(number: number, args: readonly Value[]): void {
    if (this.#host?.tell(number, args) !== true) this.skipped++;
  }

  /** A result that the broker can do nothing with. */
  badResult(name: CallbackName, message: string): void {
    const number = numberOf(name);
    this.#failed[number] = (this.#failed[number] as number) + 1;
    this.note(name, "error", null, message);
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
