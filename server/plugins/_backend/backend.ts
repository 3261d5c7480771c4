/**
 * One server outside, for a plugin: its driver, calls with a time limit, what it costs when it is away, and what is shown of it.
 *
 *   connecting --answers--> up <--> degraded (errors or hung calls lately)
 *        \------ fails -----> down --a probe is answered, or where that proves little the call behind it, or nobody calls--> up
 *
 * While it is down nobody is asked but by probes: a call fails at once. A probe proves little where questions went unanswered while the server
 * was there: it may answer that one for ever, and the others never. A call whose answer does not come makes the driver suspect: new calls get a
 * new one, and the old one is closed when its last call is over.
 */
import { wordsOf } from "../../lib/errors.ts";
import { between, later, type MonoMs, reached } from "../../lib/time.ts";
import type { ServerReport } from "../reports.ts";
import { Breaker } from "./breaker.ts";
import type { Calls, Hung, Rank } from "./calls.ts";
import { Drivers, type Opened } from "./drivers.ts";
import { BackendError } from "./errors.ts";
import { Figures } from "./figures.ts";
import type { BackendHost } from "./host.ts";
import { Lines } from "./lines.ts";
import type { BackendOptions } from "./options.ts";
import { Outage } from "./outage.ts";
import { Overload, overloadAlarm } from "./overload.ts";
import { Probing } from "./probing.ts";
import { Standing } from "./standing.ts";

const BREAKER = { threshold: 5, pauseMs: 250, pauseMaxMs: 1000 };
/** How often what has waited too long is looked for, ms. */
const EVERY_MS = 100;
/** While probes are answered, and nobody asks, for so long, an outage is taken for over, ms. */
const QUIET_MS = 60_000;
/** Without a call that found no place for so long, and twice the time limit, it keeps up, ms. */
const CALM_MS = 5000;
/** Questions that the server refuses are told in the log so often, ms. */
const REFUSALS_MS = 60_000;

export class Backend<D> {
  readonly #drivers: Drivers<D>;
  readonly #lines: Lines;
  readonly #breaker: Breaker;
  readonly #probing: Probing;
  readonly #standing: Standing;
  readonly #outage: Outage;
  readonly #overload: Overload;
  /** Of a question, in time. */
  #heardAt: MonoMs | null = null;
  readonly #tried: Promise<void>;
  #closed = false;
  #recycledAt: MonoMs | null = null;
  #refusalsTold: MonoMs | null = null;
  readonly #stopTimer: () => void;

  constructor(
    private readonly host: BackendHost,
    private readonly o: BackendOptions<D>,
    /** Those of a former one, when only settings have changed. */
    readonly figures = new Figures(),
  ) {
    this.#standing = new Standing(host.clock);
    this.#outage = new Outage(host, o.what, o.alarm);
    this.#overload = new Overload(host, {
      what: o.what,
      alarm: overloadAlarm(o.alarm),
      pool: o.pool,
      calmMs: Math.max(CALM_MS, 2 * o.timeoutMs),
    });
    this.#drivers = new Drivers({ ...o, keptMs: o.timeoutMs });
    this.#lines = new Lines(o, () => host.clock.mono());
    this.#breaker = new Breaker({ ...BREAKER, random: Math.random }, host.clock.mono());
    this.#probing = new Probing(this.#breaker, host.clock.mono());
    // Handed over: as with the former one, a question has to be answered.
    if (this.#outage.doubted && o.probeProves !== "always") this.#breaker.trip(host.clock.mono());
    this.#stopTimer = host.every(EVERY_MS, () => this.#tick());
    this.#tried = this.#probe();
  }

  /**
   * Ask the server. `wanted`: false = the answer is not awaited any more, do not ask. `unnoticed`: whatever comes of it, no figure, state, line
   * or alarm is another one for it. `rank`: the line in which it waits.
   * @throws BackendError
   */
  ask<T>(question: (driver: D) => Promise<T>, wanted: () => boolean = always, unnoticed = false, rank: Rank = "first"): Promise<T> {
    const { shared } = this.#lines;
    return unnoticed ? this.#askUnnoticed(shared, question, rank) : this.#askIn(shared, question, wanted, rank);
  }

  /** A question for which the driver makes a connection of its own: there are never more of them at a time than connections. */
  askApart<T>(question: (driver: D) => Promise<T>, wanted: () => boolean = always, unnoticed = false): Promise<T> {
    return unnoticed ? this.#askUnnoticed(this.#lines.apart, question) : this.#askIn(this.#lines.apart, question, wanted);
  }

  async #askUnnoticed<T>(line: Calls, question: (driver: D) => Promise<T>, rank?: Rank): Promise<T> {
    if (this.#breaker.open) throw this.#isDown();
    try {
      return await line.run((left) => this.#tries(question, left, true), always, true, rank);
    } catch (err) {
      throw err instanceof BackendError ? err : this.#told(err);
    }
  }

  async #askIn<T>(line: Calls, question: (driver: D) => Promise<T>, wanted: () => boolean, rank?: Rank): Promise<T> {
    const { counts } = this.figures;
    counts.calls++;
    if (!this.#breaker.admits()) {
      counts.notAsked++;
      throw this.#isDown();
    }
    try {
      const answer = await line.run((left) => this.#tries(question, left), wanted, false, rank);
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
      running: this.#lines.running,
      waiting: this.#lines.waiting,
      pool: this.o.pool,
      ...this.figures.counts,
      ...this.figures.latencies.quantiles(),
    };
  }

  /** Settled when it is known for the first time whether the server answers. */
  get tried(): Promise<void> {
    return this.#tried;
  }

  get alarm(): string {
    return this.o.alarm;
  }

  /**
   * Nobody new comes: end when the last one has been answered, or its time is over. `heir`: another one has the same alarm. `decided`: settled when
   * whoever has asked will ask nothing more; until then this one serves on, whether or not a question is under way.
   */
  async retire(heir: boolean, decided: Promise<void> = Promise.resolve()): Promise<void> {
    this.#outage.retire(heir);
    this.#overload.end();
    await decided;
    if (this.#closed) return;
    const end = later(this.host.clock.mono(), this.o.timeoutMs);
    await new Promise<void>((done) => {
      const stop = this.host.every(EVERY_MS, () => {
        if (!this.#isIdle && !reached(end, this.host.clock.mono())) return;
        stop();
        done();
      });
    });
    await this.close();
  }

  get #isIdle(): boolean {
    return this.#lines.running + this.#lines.waiting === 0;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTimer();
    this.#lines.close(new BackendError("gone", "the plugin was unloaded"));
    await this.#drivers.close();
  }

  // ---- one question

  async #tries<T>(question: (driver: D) => Promise<T>, left: () => number, unnoticed = false): Promise<T> {
    const opened = this.#drivers.take();
    const began = this.host.clock.mono();
    try {
      const answer = await this.#drivers.ask(opened, question, left, () => {
        if (!unnoticed) this.figures.counts.retries++;
      });
      if (!unnoticed) this.#heard(began);
      return answer;
    } finally {
      this.#drivers.giveBack(opened);
    }
  }

  /** In time, whoever has waited before it was asked: what comes later does not say that the next one would be helped. */
  #heard(began: MonoMs): void {
    const now = this.host.clock.mono();
    if (reached(later(began, this.o.timeoutMs), now)) return;
    this.figures.latencies.add(between(began, now));
    this.#spoke(now);
  }

  /** To a question. */
  #spoke(now: MonoMs): void {
    this.#heardAt = now;
    this.#outage.doubted = false;
    this.#alive(now);
  }

  /** It is there, whatever it says. */
  #alive(now: MonoMs): void {
    this.#probing.answered(now);
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
      this.#standing.note(err.message);
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
      this.#outage.doubted = hung;
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
    this.#spoke(now);
    this.#standing.degrade();
    if (this.#refusalsTold !== null && !reached(later(this.#refusalsTold, REFUSALS_MS), now)) return;
    this.#refusalsTold = now;
    this.host.log.warn("server refuses a question", { server: this.o.what, error: text });
  }

  // ---- by the clock

  #tick(): void {
    const now = this.host.clock.mono();
    this.#drivers.expire(now);
    const { hung, late } = this.#lines.expire();
    if (hung.length > 0) this.#hung(hung, now);
    // Behind that, for it may be that nobody is answered at all.
    if (late || hung.some(({ startedAt, behind }) => behind && this.#heardSince(startedAt))) this.#isTooMuch();
    this.#lines.next();
    if (this.#probing.isDue(now, this.#drivers.lost)) void this.#probe();
    const { untriedSince } = this.#breaker;
    if (untriedSince !== null && reached(later(untriedSince, QUIET_MS), now)) this.#isTakenForBack();
    this.#standing.tick(now);
    this.#overload.tick(now, this.#heardAt, this.#isIdle);
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
    if (this.#outage.retired || this.#breaker.open || this.#heardAt === null || reached(later(this.#heardAt, this.o.timeoutMs), now))
      return;
    this.#overload.seen(now);
  }

  async #probe(): Promise<void> {
    if (this.#closed || !this.#probing.begin(this.host.clock.mono())) return;
    const opened = this.#drivers.take();
    try {
      // Whoever ends all connections, and not the server, ends the probe's as well.
      const probe = async (driver: D): Promise<void> => void (await this.o.probe(driver, this.#breaker.open));
      await this.#lines.probes.run((left) => this.#drivers.ask(opened, probe, left), always);
      this.#probed(this.host.clock.mono());
    } catch (err) {
      this.#probeFailed(opened, err);
    } finally {
      this.#probing.end();
      this.#drivers.giveBack(opened);
    }
  }

  #probed(now: MonoMs): void {
    const { probeProves } = this.o;
    this.#probing.answered(now);
    if (probeProves === "always" || (probeProves && !this.#outage.doubted)) this.#alive(now);
    else if (this.#breaker.open) {
      this.#standing.become("down");
      this.#breaker.halfOpen(now);
    } else if (this.#standing.state === "connecting") this.#isBack();
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
    if (!(err instanceof BackendError) || err.kind !== "timeout") this.#outage.doubted = false;
    if (this.#breaker.open && this.#standing.state === "down") this.#breaker.probeFailed(now);
    else {
      this.#outage.doubted = false;
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
    this.#standing.become("down");
    this.#lines.refuse(this.#isDown());
    this.#drivers.closeFormer();
    this.#overload.end();
    this.#outage.begins(this.#standing.error ?? "", first);
  }

  #isBack(): void {
    this.#standing.become("up");
    this.#outage.isOver();
  }

  #isTakenForBack(): void {
    this.#standing.become("up");
    this.#breaker.trust();
    this.#outage.isTakenForOver("server answers probes and nobody asks it: taken for back");
  }

  #isDown(): BackendError {
    return new NotAsked("down", `${this.o.what} is down: ${this.#standing.error ?? "no answer yet"}`);
  }
}

/** It is known to be down. */
class NotAsked extends BackendError {}

const always = (): boolean => true;
