/**
 * One server outside, for a plugin: its driver, calls with a time limit, what it costs when it is away, and what is shown of it.
 *
 *   connecting --answers--> up <--> degraded (errors or hung calls lately)
 *        \------ fails -----> down --a probe is answered, or where that proves little the call behind it--> up
 *
 * While it is down nobody is asked but by probes: a call fails at once. A probe proves little where questions went unanswered while the server
 * was there: it may answer that one for ever, and the others never. A call whose answer does not come makes the driver suspect: new calls get a
 * new one, and the old one is closed when its last call is over.
 */
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import { wordsOf } from "../../lib/errors.ts";
import { between, later, type MonoMs, reached } from "../../lib/time.ts";
import type { ServerReport } from "../reports.ts";
import { Breaker } from "./breaker.ts";
import { Calls, type Hung } from "./calls.ts";
import { Drivers, type Opened } from "./drivers.ts";
import { BackendError } from "./errors.ts";
import { Figures } from "./figures.ts";
import type { BackendHost } from "./host.ts";
import type { BackendOptions } from "./options.ts";
import { Overload, overloadAlarm } from "./overload.ts";
import { Standing } from "./standing.ts";

/** Calls that may wait, for each connection, and at most. */
const WAITING_PER_CONNECTION = 256;
const WAITING_MAX = 8192;
const BREAKER = { threshold: 5, pauseMs: 250, pauseMaxMs: 1000 };
/** How often what has waited too long is looked for, ms. */
const EVERY_MS = 100;
/** Without an answer for so long the server is asked whether it is there, ms. */
const IDLE_MS = 10_000;
/** Without a call that found no place for so long, and twice the time limit, it keeps up, ms. */
const CALM_MS = 5000;
/** Questions that the server refuses are told in the log so often, ms. */
const REFUSALS_MS = 60_000;

export class Backend<D> {
  readonly #drivers: Drivers<D>;
  /** Questions that share connections, and such as take one of their own. */
  readonly #shared: Calls;
  readonly #apart: Calls;
  /** A probe has no place in the line of calls: while nobody is let through there is none. */
  readonly #probes: Calls;
  readonly #breaker: Breaker;
  readonly #standing: Standing;
  readonly #overload: Overload;
  #answeredAt: MonoMs;
  /** Of a question, in time. */
  #heardAt: MonoMs | null = null;
  /** Questions went unanswered, connections did not fail: an answered probe does not say that it is over. */
  #doubted = false;
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
    this.#standing = new Standing(host.clock);
    this.#overload = new Overload(host, {
      what: o.what,
      alarm: overloadAlarm(o.alarm),
      pool: o.pool,
      calmMs: Math.max(CALM_MS, 2 * o.timeoutMs),
    });
    this.#answeredAt = this.#downSince = host.clock.mono();
    const { pool, perConnection, timeoutMs, late } = o;
    this.#drivers = new Drivers({ open: o.open, close: o.close, keptMs: timeoutMs });
    const now = (): MonoMs => host.clock.mono();
    const waitingMax = Math.min(pool * WAITING_PER_CONNECTION, WAITING_MAX);
    this.#shared = new Calls({ now, atATime: pool * perConnection, carried: pool, waitingMax, timeoutMs, late });
    this.#apart = new Calls({ now, atATime: pool, waitingMax, timeoutMs, late });
    this.#probes = new Calls({ now, atATime: 1, waitingMax: 1, timeoutMs, late });
    this.#breaker = new Breaker({ ...BREAKER, random: Math.random }, host.clock.mono());
    this.#stopTimer = host.every(EVERY_MS, () => this.#tick());
    this.#tried = this.#probe();
  }

  /**
   * Ask the server. `wanted`: false = the answer is not awaited any more, do not ask. `unnoticed`: whatever comes of it, no figure, state, line
   * or alarm is another one for it.
   * @throws BackendError
   */
  ask<T>(question: (driver: D) => Promise<T>, wanted: () => boolean = always, unnoticed = false): Promise<T> {
    return unnoticed ? this.#askUnnoticed(this.#shared, question) : this.#askIn(this.#shared, question, wanted);
  }

  /** A question for which the driver makes a connection of its own: there are never more of them at a time than connections. */
  askApart<T>(question: (driver: D) => Promise<T>, wanted: () => boolean = always, unnoticed = false): Promise<T> {
    return unnoticed ? this.#askUnnoticed(this.#apart, question) : this.#askIn(this.#apart, question, wanted);
  }

  async #askUnnoticed<T>(line: Calls, question: (driver: D) => Promise<T>): Promise<T> {
    if (this.#breaker.open) throw this.#isDown();
    try {
      return await line.run((left) => this.#tries(question, left, true), always, true);
    } catch (err) {
      throw err instanceof BackendError ? err : this.#told(err);
    }
  }

  async #askIn<T>(line: Calls, question: (driver: D) => Promise<T>, wanted: () => boolean): Promise<T> {
    const { counts } = this.figures;
    counts.calls++;
    if (!this.#breaker.admits()) {
      counts.notAsked++;
      throw this.#isDown();
    }
    try {
      const answer = await line.run((left) => this.#tries(question, left), wanted);
      counts.answered++;
      return answer;
    } catch (err) {
      throw this.#failed(err);
    }
  }

  status(): ServerReport {
    return {
      what: this.o.what,
      ...this.#standing.shown,
      running: this.#running,
      waiting: this.#waiting,
      pool: this.o.pool,
      ...this.figures.counts,
      ...this.figures.latencies.quantiles(),
    };
  }

  /** Each connection carries one; what has left behind it on the same one waits, as what has not left. */
  get #running(): number {
    return Math.min(this.#shared.running, this.o.pool) + this.#apart.running;
  }
  get #waiting(): number {
    return this.#shared.running + this.#shared.waiting + this.#apart.running + this.#apart.waiting - this.#running;
  }

  /** Settled when it is known for the first time whether the server answers. */
  get tried(): Promise<void> {
    return this.#tried;
  }

  /** Nobody new comes: end when the last one has been answered, or its time is over. */
  retire(): Promise<void> {
    this.#retired = true;
    this.host.alarm(this.o.alarm, null);
    this.#overload.end();
    return new Promise((done) => {
      const end = later(this.host.clock.mono(), this.o.timeoutMs);
      const stop = this.host.every(EVERY_MS, () => {
        if (this.#running + this.#waiting > 0 && !reached(end, this.host.clock.mono())) return;
        stop();
        done(this.close());
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTimer();
    for (const calls of [this.#shared, this.#apart, this.#probes]) calls.close(new BackendError("gone", "the plugin was unloaded"));
    await this.#drivers.close();
  }

  // ---- one question

  /** Behind a connection that had been lost, unnoticed, the question is put again, `retries` times at most. */
  async #tries<T>(question: (driver: D) => Promise<T>, left: () => number, unnoticed = false): Promise<T> {
    const opened = this.#drivers.take();
    const began = this.host.clock.mono();
    try {
      for (let again = 0; ; again++) {
        try {
          const answer = await question(await opened.driver);
          if (!unnoticed) this.#heard(began);
          return answer;
        } catch (err) {
          if (again >= this.o.retries || opened.closeBy !== null || left() <= 0 || this.o.judge(err) !== "lost") throw err;
          if (!unnoticed) this.figures.counts.retries++;
        }
      }
    } finally {
      this.#drivers.giveBack(opened);
    }
  }

  /** In time, whoever has waited before it was asked: what comes later does not say that the next one would be helped. */
  #heard(began: MonoMs): void {
    const now = this.host.clock.mono();
    if (reached(later(began, this.o.timeoutMs), now)) return;
    this.figures.latencies.add(between(began, now));
    this.#heardAt = now;
    this.#alive(now);
  }

  /** It is there, whatever it says. */
  #alive(now: MonoMs): void {
    this.#answeredAt = now;
    if (this.#breaker.succeeded() || this.#standing.state === "connecting") this.#isBack();
  }

  /** Count it, draw the conclusions, and say it in words. */
  #failed(err: unknown): BackendError {
    if (err instanceof BackendError) return this.#cameToNothing(err);
    const text = this.#words(err);
    const judged = this.o.judge(err);
    if (judged === "refused") this.#isRefused(text);
    else {
      this.figures.counts.failed++;
      this.#standing.note(text);
      if (judged === "part") this.#isPartly();
      else this.#countFailure(false);
    }
    return this.#told(err);
  }

  /** What whoever has asked hears of a driver's error. */
  #told(err: unknown): BackendError {
    const text = this.#words(err);
    return this.o.judge(err) === "refused" ? new BackendError("refused", text) : new BackendError("down", `${this.o.what}: ${text}`);
  }

  #cameToNothing(err: BackendError): BackendError {
    const { counts } = this.figures;
    // It stood in line when the others failed.
    if (err instanceof NotAsked) counts.notAsked++;
    else if (err.kind === "refused") this.#isRefused(err.message);
    else if (err.kind === "down") {
      counts.failed++;
      // Said by a driver.
      this.#countFailure(false);
    } else {
      counts[err.kind === "timeout" ? "timeouts" : err.kind]++;
      if (err.kind === "busy") this.#isTooMuch();
      // If it was the one call behind a probe, and nobody was asked.
      this.#breaker.notMade();
    }
    return err;
  }

  /** `hung`: no answer came, which says less of the server than an error does. */
  #countFailure(hung: boolean): void {
    if (this.#breaker.failed(this.host.clock.mono())) {
      this.#doubted = hung;
      this.#isGone();
    } else this.#standing.degrade();
  }

  /** Others are answered: nobody but who asked that part has to do without. */
  #isPartly(): void {
    this.#breaker.notMade();
    this.#standing.degrade();
  }

  /** It is there, and says no: told now and then, for it may say so to everybody. */
  #isRefused(text: string): void {
    const now = this.host.clock.mono();
    this.figures.counts.refused++;
    this.#standing.note(text);
    this.#heardAt = now;
    this.#alive(now);
    this.#standing.degrade();
    if (this.#refusalsTold !== null && !reached(later(this.#refusalsTold, REFUSALS_MS), now)) return;
    this.#refusalsTold = now;
    this.host.log.warn("server refuses a question", { server: this.o.what, error: text });
  }

  // ---- by the clock

  #tick(): void {
    const now = this.host.clock.mono();
    this.#drivers.expire(now);
    const lines = [this.#shared, this.#apart];
    const hung = lines.flatMap((line) => line.expire());
    this.#probes.expire();
    if (hung.length > 0) this.#hung(hung, now);
    // Behind that, for it may be that nobody is answered at all.
    const late = lines.some((line) => line.late) || hung.some(({ startedAt, behind }) => behind && this.#heardSince(startedAt));
    if (late) this.#isTooMuch();
    this.#shared.next();
    this.#apart.next();
    if (this.#breaker.probeDue(now) || (!this.#breaker.open && reached(later(this.#answeredAt, IDLE_MS), now))) void this.#probe();
    this.#standing.tick(now);
    this.#overload.tick(now, this.#heardAt, this.#running + this.#waiting === 0);
  }

  /** These have no answer. */
  #hung(calls: readonly Hung[], now: MonoMs): void {
    this.#standing.note(`no answer within ${this.o.timeoutMs} ms${this.o.late?.unanswered ?? ""}`);
    // Once in a time limit: some questions may hang while others are answered.
    if (this.#recycledAt === null || reached(later(this.#recycledAt, this.o.timeoutMs), now)) {
      this.#recycledAt = now;
      this.#drivers.replace(now);
    }
    this.#standing.degrade();
    // Where somebody who came later was answered, it is the question that hangs, or its part of the server: that must not cost all others theirs.
    for (const { startedAt } of calls) if (!this.#heardSince(startedAt)) this.#countFailure(true);
  }

  /** Somebody who came later was answered. */
  #heardSince(at: MonoMs): boolean {
    return this.#heardAt !== null && !reached(this.#heardAt, at);
  }

  /** It answers, but others for want of a place are not asked about. Where nobody is answered it is something else. */
  #isTooMuch(): void {
    const now = this.host.clock.mono();
    if (this.#retired || this.#breaker.open || this.#heardAt === null || reached(later(this.#heardAt, this.o.timeoutMs), now)) return;
    this.#overload.seen(now);
  }

  async #probe(): Promise<void> {
    if (this.#probing || this.#closed) return;
    this.#probing = true;
    const opened = this.#drivers.take();
    try {
      await this.#probes.run(async () => this.o.probe(await opened.driver, this.#breaker.open), always);
      this.#probed(this.host.clock.mono());
    } catch (err) {
      this.#probeFailed(opened, err);
    } finally {
      this.#probing = false;
      this.#drivers.giveBack(opened);
    }
  }

  #probed(now: MonoMs): void {
    const { probeProves } = this.o;
    if (!this.#breaker.open || probeProves === "always" || (probeProves && !this.#doubted)) this.#alive(now);
    else this.#breaker.halfOpen();
  }

  #probeFailed(opened: Opened<D>, err: unknown): void {
    if (this.#closed || !this.#drivers.isCurrent(opened)) return;
    const now = this.host.clock.mono();
    // It speaks: that is all a probe wants to know.
    if (!(err instanceof BackendError) && this.o.judge(err) === "refused") {
      this.#standing.note(this.#words(err));
      this.#probed(now);
      return;
    }
    this.#standing.note(this.#words(err));
    // Some drivers do not come back by themselves.
    this.#drivers.replace(now);
    // It is gone, not only slow: once it is there again a probe says so.
    if (!(err instanceof BackendError) || err.kind !== "timeout") this.#doubted = false;
    if (this.#breaker.open) this.#breaker.probeFailed(now);
    else {
      this.#answeredAt = now;
      this.#doubted = false;
      this.#breaker.trip(now);
      this.#isGone();
    }
  }

  // ---- what is told

  #words(err: unknown): string {
    return err instanceof BackendError ? err.message : (this.o.words ?? wordsOf)(err);
  }

  #isGone(): void {
    const first = this.#standing.state === "connecting";
    const error = this.#standing.error ?? "";
    this.#standing.become("down");
    this.#downSince = this.host.clock.mono();
    for (const line of [this.#shared, this.#apart]) line.refuse(this.#isDown());
    this.#drivers.closeFormer();
    this.#overload.end();
    if (this.#retired) return;
    this.host.log.warn(first ? "server cannot be reached" : "server is down", { server: this.o.what, error });
    this.host.alarm(this.o.alarm, { severity: "error", title: `${this.o.what} is down`, summary: error } satisfies AlarmDetails);
  }

  #isBack(): void {
    const seconds = Math.round(between(this.#downSince, this.host.clock.mono()) / 1000);
    if (this.#standing.state === "down" && !this.#retired) this.host.log.warn("server is back", { server: this.o.what, seconds });
    this.#standing.become("up");
    if (!this.#retired) this.host.alarm(this.o.alarm, null);
  }

  #isDown(): BackendError {
    return new NotAsked("down", `${this.o.what} is down: ${this.#standing.error ?? "no answer yet"}`);
  }
}

/** It is known to be down. */
class NotAsked extends BackendError {}

const always = (): boolean => true;
