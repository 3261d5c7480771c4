/** How an action's rows get to its server: a queue before the resource's connections, and what errors mean for what was in a batch. */

import type { Clock } from "../../core/ports.ts";
import { wordsOf } from "../../lib/errors.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import type { BackendError } from "../_backend/errors.ts";
import { sinkHost } from "../_sink/action_host.ts";
import { CauseBytes } from "../_sink/cause.ts";
import { Directory } from "../_sink/disk.ts";
import { Left } from "../_sink/left.ts";
import { Sink } from "../_sink/sink.ts";
import { realTimer } from "../_sink/timer.ts";
import { type Batch, type FailureKind, PartError, SendError, type SinkOptions, type SinkSettings } from "../_sink/types.ts";
import type { Action, ActionHost, ParamsSpec } from "../plugin.ts";
import type { Attempt, Connected, Missing, Writing } from "./connector.ts";
import { sizeOf } from "./item.ts";
import { Foreign, keptCodec, type Made } from "./kept.ts";
import { Pace } from "./pace.ts";
import { flag, number, type ValuesIn } from "./params.ts";

/** Of every action. Ours. */
export const QUEUE = {
  batch_size: number(100, [1, 1000], "Batch Size", "Rows that are sent together at most."),
  batch_wait: number(10, [0, 10_000], "Batch Wait", "So long a row waits for others to be sent with, in milliseconds."),
  queue_size: number(32, [1, 1024], "Queue Size", "What waits in memory at most, in MiB; then the oldest is dropped."),
  disk_size: number(
    0,
    [0, 102_400],
    "Disk Size",
    "What waits on the disk at most, in MiB: it survives a restart. 0 = nothing is kept there.",
  ),
  ordered: flag(
    true,
    "Ordered",
    "What is done about one client is done in order, except that a row that is tried again by itself (retries) may come behind rows that were sent with it. Off: whatever connection is free takes the next rows.",
  ),
  max_age: number(86_400, [1, 2_592_000], "Max Age", "A row that could not be sent for so long is given up, in seconds."),
  retries: number(
    3,
    [0, 1000],
    "Retries",
    "So often a row is sent again that may itself be what is wrong; then it is given up. Rows of the same client that were sent with it may arrive before it.",
  ),
} as const satisfies ParamsSpec;

const MIB = 1024 * 1024;
const BATCH_BYTES = 4 * MIB;
/** Rows in memory, whatever their size. */
const ROWS_MAX = 1_000_000;
/** Between tries, ms. */
const BACKOFF = { backoffMs: 100, backoffMostMs: 2000 };
const LETTERS = { lettersMax: 1000, letterBytesMax: 4 * MIB };
/** `close` sends on for so long, ms. */
const CLOSE_MS = 2000;

/** `name`: of the action's kind. */
export function deliver<D, I>(
  host: ActionHost,
  q: ValuesIn<typeof QUEUE>,
  resource: Connected<D>,
  name: string,
  writing: Writing<D, I>,
): Action {
  const { what } = resource.backend.status();
  const pace = new Pace(q.batch_size, resource.timeoutMs);
  const settings: SinkSettings<Made<I> | Foreign> = {
    what,
    lanes: resource.pool,
    batchRows: q.batch_size,
    batchBytes: BATCH_BYTES,
    batchWaitMs: q.batch_wait,
    // The resource's own time limit comes first, and says more. It is for each part of a batch, of which there may be one for each row.
    timeoutMs: (q.retries + 1) * ((q.batch_size + 1) * resource.timeoutMs + BACKOFF.backoffMostMs),
    retries: q.retries,
    maxAgeMs: 1000 * q.max_age,
    ...BACKOFF,
    rowsMax: ROWS_MAX,
    bytesMax: q.queue_size * MIB,
    diskMax: q.disk_size * MIB,
    ...LETTERS,
    send: (batch, signal) => new Sending(resource, writing, pace, q.retries, host.clock, batch, signal).run(),
  };
  const options: SinkOptions<Made<I> | Foreign> = {
    codec: keptCodec<I>(`${name} ${writing.meaning ?? ""}`),
    shown: (made) => (made instanceof Foreign ? made.shown : writing.shown(made.item)),
    gaveUp: (all, why) =>
      host.failed(
        all.length,
        why,
        all.map(({ cause }) => cause),
      ),
    alarm: "action",
    // Why has the server's name in it.
    title: () => "rows cannot be sent",
    directory: () => host.directory(),
    hasLeft: () => host.hasDirectory(),
    closeMs: CLOSE_MS,
  };
  const sink = new Sink<Made<I> | Foreign>(sinkHost(host), options, settings, (path) => new Directory(path));
  const causes = new CauseBytes();
  let n = 0;
  return {
    run(row, event) {
      let item: I;
      try {
        item = writing.make(row, event);
      } catch (err) {
        host.failed(1, wordsOf(err));
        return;
      }
      const cause = event.cause();
      sink.push({ item, cause }, q.ordered ? event.clientId : String(n++), sizeOf(item) + causes.of(cause));
    },
    waiting: () => sink.waiting,
    deadLetters: sink.deadLetters,
    close: () => sink.close(),
    handOver: () => sink.handOver(),
    inherit(legacy) {
      if (!(legacy instanceof Left)) return false;
      sink.inherit(legacy as Left<Made<I> | Foreign>);
      return true;
    },
    hold: () => sink.reading.hold(),
    begin: () => sink.reading.begin(),
  };
}

const FOREIGN = new SendError("give up", "it was made for other parameters than the action has now, before they were changed");

/**
 * One try to send a batch, in parts as large as the pace has it, one after the other. What may be a row's own fault is tried again here: the server has
 * answered, so that it is no failure of its own, and nobody else's rows wait for a server that is there. It may come behind
 * rows of its key that were sent with it: only what a row names itself (a topic, a key) is blamed, and there its rows mostly fail together.
 */
class Sending<D, I> {
  readonly #failed = new Map<number, SendError>();
  /** Why, as it was said the last time. */
  readonly #blamed = new Map<number, SendError>();

  constructor(
    private readonly resource: Connected<D>,
    private readonly writing: Writing<D, I>,
    private readonly pace: Pace,
    private readonly retries: number,
    private readonly clock: Clock,
    private readonly batch: Batch<Made<I> | Foreign>,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws SendError, PartError */
  async run(): Promise<void> {
    const { items } = this.batch;
    const ours: number[] = [];
    for (const [at, item] of items.entries()) {
      if (item instanceof Foreign) this.#failed.set(at, FOREIGN);
      else ours.push(at);
    }
    let away = await this.#parts(ours);
    for (let again = 0; away === null && this.#blamed.size > 0 && again < this.retries; again++) {
      await pause(again, this.signal);
      const these = [...this.#blamed.keys()];
      this.#blamed.clear();
      away = await this.#parts(these);
    }
    // Without an answer they are sent again, as all the others.
    for (const [at, why] of this.#blamed) this.#failed.set(at, away ?? why);
    if (away !== null && this.#failed.size === items.length && new Set(this.#failed.values()).size === 1) throw away;
    if (this.#failed.size > 0) throw new PartError(this.#failed);
  }

  /** Returns why what has no failure of its own has not arrived; null = all of that has. */
  async #parts(places: readonly number[]): Promise<SendError | null> {
    for (let from = 0; from < places.length; ) {
      const part = places.slice(from, from + this.pace.most);
      from += part.length;
      const { left, why } = await this.#part(part);
      if (why === null) continue;
      for (const at of left) this.#failed.set(at, why);
      if (why.kind !== "away") continue;
      for (const at of places.slice(from)) this.#failed.set(at, why);
      return why;
    }
    return null;
  }

  /** Those that have failed each for itself are noted. Returns the others that have not arrived; `why`: null = there are none. */
  async #part(part: readonly number[]): Promise<{ left: readonly number[]; why: SendError | null }> {
    let left = part;
    let began = null as MonoMs | null;
    let isOver = false;
    const attempt: Attempt = { wanted: () => !isOver && !this.signal.aborted, careful: this.pace.careful };
    try {
      await this.resource.backend.ask(
        async (driver) => {
          began = this.clock.mono();
          const asked = left;
          const missing = await this.#write(driver, asked, attempt);
          // Its time is over, and it is sent again: what is said now comes too late.
          if (isOver) return;
          left = this.#sort(asked, missing);
          const [first] = left;
          if (first !== undefined) throw missing.get(asked.indexOf(first));
          this.pace.done(asked.length, between(began, this.clock.mono()));
        },
        () => !this.signal.aborted,
      );
      return { left: [], why: null };
    } catch (err) {
      isOver = true;
      const { kind, message } = err as BackendError;
      if (kind === "timeout" && began !== null) this.pace.late(left.length, between(began, this.clock.mono()));
      return { left, why: new SendError(kind === "refused" ? "give up" : "away", message) };
    }
  }

  async #write(driver: D, asked: readonly number[], attempt: Attempt): Promise<Missing> {
    const { batch, writing } = this;
    try {
      return await writing.write(
        driver,
        asked.map((at) => (batch.items[at] as Made<I>).item),
        attempt,
      );
    } catch (err) {
      if (this.#kindOf(err) === "retry") return new Map(asked.map((_, i) => [i, err]));
      throw err;
    }
  }

  /** Returns those that are nobody's fault. */
  #sort(asked: readonly number[], missing: Missing): number[] {
    const left: number[] = [];
    for (const [i, err] of missing) {
      const at = asked[i] as number;
      const kind = this.#kindOf(err);
      if (kind === "away") left.push(at);
      else (kind === "retry" ? this.#blamed : this.#failed).set(at, new SendError("give up", this.resource.words(err)));
    }
    return left.sort((a, b) => a - b);
  }

  #kindOf(err: unknown): FailureKind {
    const judged = this.resource.judge(err);
    if (judged === "refused") return "give up";
    return judged === "part" && this.writing.blames?.(err) === true ? "retry" : "away";
  }
}

/** Longer each time; over at once when nobody waits any more. */
async function pause(again: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = realTimer(Math.min(BACKOFF.backoffMs * 2 ** Math.min(again, 20), BACKOFF.backoffMostMs), resolve);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  cancel();
}
