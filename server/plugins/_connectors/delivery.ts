/** How an action's rows get to its server: a queue before the resource's connections, and what errors mean for what was in a batch. */
import { wordsOf } from "../../lib/errors.ts";
import type { BackendError } from "../_backend/errors.ts";
import { Directory } from "../_sink/disk.ts";
import { Left } from "../_sink/left.ts";
import { Sink } from "../_sink/sink.ts";
import { realTimer } from "../_sink/timer.ts";
import { type Batch, PartError, SendError, type SinkHost, type SinkOptions, type SinkSettings } from "../_sink/types.ts";
import type { Action, ActionHost, ParamsSpec } from "../plugin.ts";
import { backendHost } from "./backend_host.ts";
import type { Connected, Writing } from "./connector.ts";
import { jsonCodec, sizeOf } from "./item.ts";
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
  ordered: flag(true, "Ordered", "What is done about one client is done in order. Off: whatever connection is free takes the next rows."),
  max_age: number(86_400, [1, 2_592_000], "Max Age", "A row that could not be sent for so long is given up, in seconds."),
  retries: number(3, [0, 1000], "Retries", "So often a row is sent again that may itself be what is wrong; then it is given up."),
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

export function deliver<D, I>(host: ActionHost, q: ValuesIn<typeof QUEUE>, resource: Connected<D>, writing: Writing<D, I>): Action {
  const { what } = resource.backend.status();
  const settings: SinkSettings<I> = {
    what,
    lanes: resource.pool,
    batchRows: writing.single === true ? 1 : q.batch_size,
    batchBytes: BATCH_BYTES,
    batchWaitMs: q.batch_wait,
    // The resource's own time limit comes first, and says more.
    timeoutMs: 4 * resource.timeoutMs,
    retries: q.retries,
    maxAgeMs: 1000 * q.max_age,
    ...BACKOFF,
    rowsMax: ROWS_MAX,
    bytesMax: q.queue_size * MIB,
    diskMax: q.disk_size * MIB,
    ...LETTERS,
    send: (batch, signal) => send(resource, writing, batch, signal),
  };
  const options: SinkOptions<I> = {
    codec: jsonCodec<I>(),
    shown: (item) => writing.shown(item),
    alarm: "action",
    directory: () => host.directory(),
    hasLeft: () => host.hasDirectory(),
    closeMs: CLOSE_MS,
  };
  const sink = new Sink<I>(sinkHost(host), options, settings, (path) => new Directory(path));
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
      sink.push(item, q.ordered ? event.clientId : String(n++), sizeOf(item));
    },
    waiting: () => sink.waiting,
    deadLetters: sink.deadLetters,
    close: () => sink.close(),
    handOver: () => sink.handOver(),
    inherit(legacy) {
      if (!(legacy instanceof Left)) return false;
      sink.inherit(legacy as Left<I>);
      return true;
    },
  };
}

/** @throws SendError, PartError */
async function send<D, I>(resource: Connected<D>, writing: Writing<D, I>, { items }: Batch<I>, signal: AbortSignal): Promise<void> {
  const failed = new Map<number, SendError>();
  let left = items.map((_, at) => at);
  try {
    await resource.backend.ask(
      async (driver) => {
        const asked = left;
        const missing = await writing.write(
          driver,
          asked.map((at) => items[at] as I),
        );
        left = [];
        let why: unknown;
        for (const [i, err] of missing) {
          const at = asked[i] as number;
          if (resource.judge(err) === "refused") failed.set(at, new SendError("give up", resource.words(err)));
          else {
            left.push(at);
            why ??= err;
          }
        }
        if (left.length > 0) throw why;
      },
      () => !signal.aborted,
    );
  } catch (err) {
    const { kind, message } = err as BackendError;
    const failure = new SendError(kind === "refused" ? "give up" : "away", message);
    if (left.length === items.length && kind !== "refused") throw failure;
    for (const at of left) failed.set(at, failure);
  }
  if (failed.size > 0) throw new PartError(failed);
}

function sinkHost(host: ActionHost): SinkHost {
  return {
    ...backendHost(host),
    soon: (fn) => void setImmediate(fn),
    timer: realTimer,
    random: Math.random,
    done: (rows, ms) => host.done(rows, ms),
    failed: (rows, why) => host.failed(rows, why),
    dropped: (rows) => host.dropped(rows),
  };
}
