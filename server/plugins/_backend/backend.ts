/**
 * One server outside, for a plugin: its driver, calls with a time limit, what it costs when it is away, and what is shown of it.
 *
 *   connecting --answers--> up <--> degraded (errors or hung calls lately)
 *        \------ fails -----> down --a probe is answered, or where that proves little the call behind it--> up
 *
 * While it is down nobody is asked but by probes: a call fails at once. A call whose answer does not come makes the driver suspect: new
 * calls get a new one, and the old one is closed when its last call is over.
 */
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import { wordsOf } from "../../lib/errors.ts";
import { between, later, type MonoMs, reached } from "../../lib/time.ts";
import type { ServerReport, ServerState } from "../reports.ts";
import { Breaker } from "./breaker.ts";
import { Calls } from "./calls.ts";
import { BackendError } from "./errors.ts";
import { Figures } from "./figures.ts";
import type { BackendHost } from "./host.ts";

/** What an error of a driver means: the connection was lost before the question arrived; the server said no to the question; else it is away. */
export type Judgement = "lost" | "refused" | "down";

export interface BackendOptions<D> {
  /** For people, without secrets: "PostgreSQL at 127.0.0.1:5432". */
  what: string;
  /** Make the driver's object. That need not connect yet. */
  open(): D | Promise<D>;
  close(driver: D): void | Promise<void>;
  /** The cheapest question there is. */
  probe(driver: D): Promise<unknown>;
  judge(err: unknown): Judgement;
  /** An error of the driver's for people; by default its message. */
  words?: (err: unknown) => string;
  /** Connections. */
  pool: number;
  /** Calls at a time on each of them. */
  perConnection: number;
  /** For an answer, ms. */
  timeoutMs: number;
  /** The alarm's name, one for each server of a plugin. */
  alarm: string;
  /** How often a question is put again behind lost connections. */
  retries: number;
  /** A probe that is answered proves that questions are: else the first one does. */
  probeProves: boolean;
}

/** Calls that may wait, for each connection. */
const WAITING_PER_CONNECTION = 2048;
const BREAKER = { threshold: 5, pauseMs: 250, pauseMaxMs: 1000 };
/** How often what has waited too long is looked for, ms. */
const EVERY_MS = 100;
/** Without an answer for so long the server is asked whether it is there, ms. */
const IDLE_MS = 10_000;
/** An error is told in the state for so long, ms. */
const DEGRADED_MS = 10_000;
/** Questions that the server refuses are told in the log so often, ms. */
const REFUSALS_MS = 60_000;

interface Opened<D> {
  readonly driver: Promise<D>;
  inUse: number;
  /** null = in use; else closed as soon as nobody waits for an answer of it, and then at the latest: some questions are never answered. */
  closeBy: MonoMs | null;
}

export class Backend<D> {
  #current: Opened<D>;
  readonly #old = new Set<Opened<D>>();
  readonly #calls: Calls;
  /** A probe has no place in the line of calls: while nobody is let through there is none. */
  readonly #probes: Calls;
  readonly #breaker: Breaker;
  #state: ServerState = "connecting";
  #since: number;
  #lastError: { text: string; at: number; mono: MonoMs } | null = null;
  #answeredAt: MonoMs;
  #probing = false;
  readonly #tried: Promise<void>;
  #closed = false;
  /** Others serve now: nobody is told anything of it any more. */
  #retired = false;
  #recycledAt: MonoMs | null = null;
  #refusalsTold: MonoMs | null = null;
  #downSince: MonoMs;
  readonly #stopTimer: () => void;

  constructor(
    private readonly host: BackendHost,
    private readonly o: BackendOptions<D>,
    /** Those of a former one, when only settings have changed. */
    readonly figures = new Figures(),
  ) {
    this.#since = host.clock.now();
    this.#answeredAt = this.#downSince = host.clock.mono();
    this.#current = this.#open();
    const { pool, perConnection, timeoutMs } = o;
    const now = (): MonoMs => host.clock.mono();
    this.#calls = new Calls({ now, atATime: pool * perConnection, waitingMax: pool * WAITING_PER_CONNECTION, timeoutMs });
    this.#probes = new Calls({ now, atATime: 1, waitingMax: 1, timeoutMs });
    this.#breaker = new Breaker({ ...BREAKER, random: Math.random }, host.clock.mono());
    this.#stopTimer = host.every(EVERY_MS, () => this.#tick());
    this.#tried = this.#probe();
  }

  /**
   * Ask the server. `wanted`: false = the answer is not awaited any more, do not ask.
   * @throws BackendError
   */
  async ask<T>(question: (driver: D) => Promise<T>, wanted: () => boolean = always): Promise<T> {
    this.figures.counts.calls++;
    try {
      if (!this.#breaker.admits()) throw this.#isDown();
      const answer = await this.#calls.run((left) => this.#tries(question, left), wanted);
      this.figures.counts.answered++;
      return answer;
    } catch (err) {
      throw this.#failed(err);
    }
  }

  status(): ServerReport {
    const { what, pool } = this.o;
    return {
      what,
      state: this.#state,
      since: this.#since,
      lastError: this.#lastError?.text ?? null,
      lastErrorAt: this.#lastError?.at ?? null,
      running: this.#calls.running,
      waiting: this.#calls.waiting,
      pool,
      ...this.figures.counts,
      ...this.figures.latencies.quantiles(),
    };
  }

  /** Settled when it is known for the first time whether the server answers. */
  get tried(): Promise<void> {
    return this.#tried;
  }

  /** Nobody new comes: end when the last one has been answered, or its time is over. */
  retire(): Promise<void> {
    this.#retired = true;
    this.host.alarm(this.o.alarm, null);
    return new Promise((done) => {
      const end = later(this.host.clock.mono(), this.o.timeoutMs);
      const stop = this.host.every(EVERY_MS, () => {
        if (this.#calls.running + this.#calls.waiting > 0 && !reached(end, this.host.clock.mono())) return;
        stop();
        done(this.close());
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTimer();
    for (const calls of [this.#calls, this.#probes]) calls.close(new BackendError("gone", "the plugin was unloaded"));
    await Promise.all([...this.#old, this.#current].map((opened) => this.#shut(opened)));
  }

  // ---- one question

  /** Behind a connection that had been lost, unnoticed, the question is put again, `retries` times at most. */
  async #tries<T>(question: (driver: D) => Promise<T>, left: () => number): Promise<T> {
    const opened = this.#current;
    const began = this.host.clock.mono();
    opened.inUse++;
    try {
      for (let again = 0; ; again++) {
        try {
          const answer = await question(await opened.driver);
          const now = this.host.clock.mono();
          if (left() > 0) this.figures.latencies.add(between(began, now));
          // Too late for this call, but it is there.
          this.#alive(now);
          return answer;
        } catch (err) {
          if (again >= this.o.retries || opened.closeBy !== null || left() <= 0 || this.o.judge(err) !== "lost") throw err;
          this.figures.counts.retries++;
        }
      }
    } finally {
      opened.inUse--;
      this.#closeIfOld(opened);
    }
  }

  /** It is there, whatever it says. */
  #alive(now: MonoMs): void {
    this.#answeredAt = now;
    if (this.#breaker.succeeded() || this.#state === "connecting") this.#isBack();
  }

  /** Count it, draw the conclusions, and say it in words. */
  #failed(err: unknown): BackendError {
    const now = this.host.clock.mono();
    if (err instanceof BackendError) {
      if (err.kind === "gone" || err.kind === "busy") this.#breaker.notMade();
      if (err.kind === "busy") this.figures.counts.busy++;
      else if (err.kind === "timeout") this.figures.counts.timeouts++;
      else if (err.kind === "gone") this.figures.counts.gone++;
      else if (err.kind === "refused") this.#isRefused(err.message);
      else this.figures.counts.failed++;
      return err;
    }
    const text = this.#words(err);
    if (this.o.judge(err) === "refused") {
      this.#isRefused(text);
      return new BackendError("refused", text);
    }
    this.figures.counts.failed++;
    this.#note(text);
    if (this.#breaker.failed(now)) this.#isGone();
    else if (this.#state === "up") this.#become("degraded");
    return new BackendError("down", `${this.o.what}: ${text}`);
  }

  /** It is there, and says no: told now and then, for it may say so to everybody. */
  #isRefused(text: string): void {
    const now = this.host.clock.mono();
    this.figures.counts.refused++;
    this.#note(text);
    this.#alive(now);
    if (this.#state === "up") this.#become("degraded");
    if (this.#refusalsTold !== null && !reached(later(this.#refusalsTold, REFUSALS_MS), now)) return;
    this.#refusalsTold = now;
    this.host.log.warn("server refuses a question", { server: this.o.what, error: text });
  }

  // ---- by the clock

  #tick(): void {
    const now = this.host.clock.mono();
    const hung = this.#calls.expire();
    this.#probes.expire();
    if (hung > 0) this.#hung(hung, now);
    this.#calls.next();
    for (const opened of this.#old) if (opened.closeBy !== null && reached(opened.closeBy, now)) void this.#shut(opened);
    if (this.#breaker.probeDue(now) || (!this.#breaker.open && reached(later(this.#answeredAt, IDLE_MS), now))) void this.#probe();
    if (this.#state === "degraded" && this.#lastError !== null && reached(later(this.#lastError.mono, DEGRADED_MS), now))
      this.#become("up");
  }

  #hung(calls: number, now: MonoMs): void {
    this.#note(`no answer within ${this.o.timeoutMs} ms`);
    // Once in a time limit: some questions may hang while others are answered.
    if (this.#recycledAt === null || reached(later(this.#recycledAt, this.o.timeoutMs), now)) {
      this.#recycledAt = now;
      this.#retire();
    }
    let opened = false;
    for (let i = 0; i < calls; i++) opened = this.#breaker.failed(now) || opened;
    if (opened) this.#isGone();
    else if (this.#state === "up") this.#become("degraded");
  }

  async #probe(): Promise<void> {
    if (this.#probing || this.#closed) return;
    this.#probing = true;
    const opened = this.#current;
    opened.inUse++;
    try {
      await this.#probes.run(async () => this.o.probe(await opened.driver), always);
      this.#probed(this.host.clock.mono());
    } catch (err) {
      this.#probeFailed(opened, err);
    } finally {
      this.#probing = false;
      opened.inUse--;
      this.#closeIfOld(opened);
    }
  }

  #probed(now: MonoMs): void {
    if (this.o.probeProves || !this.#breaker.open) this.#alive(now);
    else this.#breaker.halfOpen();
  }

  #probeFailed(opened: Opened<D>, err: unknown): void {
    if (this.#closed || opened !== this.#current) return;
    const now = this.host.clock.mono();
    // It speaks: that is all a probe wants to know.
    if (!(err instanceof BackendError) && this.o.judge(err) === "refused") {
      this.#note(this.#words(err));
      this.#probed(now);
      return;
    }
    this.#note(this.#words(err));
    // Some drivers do not come back by themselves.
    this.#retire();
    if (this.#breaker.open) this.#breaker.probeFailed(now);
    else {
      this.#answeredAt = now;
      this.#breaker.trip(now);
      this.#isGone();
    }
  }

  // ---- drivers

  #open(): Opened<D> {
    const driver = (async () => this.o.open())();
    // Whoever asks hears of it; nobody has to.
    driver.catch(() => {});
    return { driver, inUse: 0, closeBy: null };
  }

  /** Nobody new is given this driver. */
  #retire(): void {
    const before = this.#current;
    this.#current = this.#open();
    before.closeBy = later(this.host.clock.mono(), this.o.timeoutMs);
    this.#old.add(before);
    this.#closeIfOld(before);
  }

  #closeIfOld(opened: Opened<D>): void {
    if (opened.closeBy !== null && opened.inUse === 0) void this.#shut(opened);
  }

  async #shut(opened: Opened<D>): Promise<void> {
    this.#old.delete(opened);
    try {
      await this.o.close(await opened.driver);
    } catch {
      // It could not be opened, or is gone already.
    }
  }

  // ---- what is told

  #words(err: unknown): string {
    return err instanceof BackendError ? err.message : (this.o.words ?? wordsOf)(err);
  }

  #note(text: string): void {
    this.#lastError = { text, at: this.host.clock.now(), mono: this.host.clock.mono() };
  }

  #become(state: ServerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#since = this.host.clock.now();
  }

  #isGone(): void {
    const first = this.#state === "connecting";
    const error = this.#lastError?.text ?? "";
    this.#become("down");
    this.#downSince = this.host.clock.mono();
    this.#calls.refuse(this.#isDown());
    for (const opened of this.#old) void this.#shut(opened);
    if (this.#retired) return;
    this.host.log.warn(first ? "server cannot be reached" : "server is down", { server: this.o.what, error });
    this.host.alarm(this.o.alarm, { severity: "error", title: `${this.o.what} is down`, summary: error } satisfies AlarmDetails);
  }

  #isBack(): void {
    const seconds = Math.round(between(this.#downSince, this.host.clock.mono()) / 1000);
    if (this.#state === "down" && !this.#retired) this.host.log.warn("server is back", { server: this.o.what, seconds });
    this.#become("up");
    if (!this.#retired) this.host.alarm(this.o.alarm, null);
  }

  #isDown(): BackendError {
    return new BackendError("down", `${this.o.what} is down: ${this.#lastError?.text ?? "no answer yet"}`);
  }
}

const always = (): boolean => true;
