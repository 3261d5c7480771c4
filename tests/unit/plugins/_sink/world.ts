/** A sink with a service, a clock and a disk that do what the test says. */

import { Sink } from "../../../../server/plugins/_sink/sink.ts";
import { type Batch, type Codec, SendError, type SinkHost, type SinkSettings } from "../../../../server/plugins/_sink/types.ts";
import type { ServerReport } from "../../../../server/plugins/reports.ts";
import { FakeClock, type LogLine, recordingLog } from "../../../support/access.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";

export interface Item {
  key: string;
  n: number;
  /** So many bytes more on the disk. */
  pad?: number;
}

export const codec: Codec<Item> = {
  encode: (item) => Buffer.from(JSON.stringify(item) + " ".repeat(item.pad ?? 0)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Item,
};

/** A request that the service has not answered. */
export interface Request {
  batch: Batch<Item>;
  signal: AbortSignal;
  answer(err?: Error): void;
}

export const SETTINGS: Omit<SinkSettings<Item>, "send"> = {
  what: "the service",
  lanes: 4,
  batchRows: 1,
  batchBytes: 1_000_000,
  batchWaitMs: 0,
  timeoutMs: 5000,
  retries: 3,
  maxAgeMs: 3_600_000,
  backoffMs: 1000,
  backoffMostMs: 8000,
  rowsMax: 1000,
  bytesMax: 1_000_000,
  diskMax: 0,
  lettersMax: 100,
  letterBytesMax: 1_000_000,
};

/** One lane, and nothing that is in the way unless the test says so. */
export const ROOMY = { lanes: 1, diskMax: 1e9, rowsMax: 1000, bytesMax: 1e9, maxAgeMs: 1e9, timeoutMs: 1e9 };

export const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
export const away = (): Error => new SendError("away", "nobody listens there");

/** Until nothing has waited for a while. Returns what the service has taken. */
export async function sendAll(w: World): Promise<number[]> {
  for (let quiet = 0, i = 0; quiet < 3 && i < 200; i++) {
    await w.answerAll();
    await w.pass(500);
    quiet = w.report.waiting > 0 ? 0 : quiet + 1;
  }
  return w.taken.map(({ n }) => n);
}

export class World {
  readonly clock = new FakeClock();
  readonly log = recordingLog();
  readonly alarms = new Map<string, { severity: string; title: string; summary: string }>();
  /** Under way, oldest first. */
  requests: Request[] = [];
  /** Taken, in order. */
  readonly taken: Item[] = [];
  counts = { done: 0, failed: 0, dropped: 0 };
  memoryShort = false;
  random = (): number => 0;
  #soon: (() => void)[] = [];
  readonly #ticks = new Set<() => void>();
  readonly #timers = new Set<() => void>();
  readonly sink: Sink<Item>;
  settings: SinkSettings<Item>;

  constructor(
    given: Partial<Omit<SinkSettings<Item>, "send">> = {},
    readonly disk = new MemoryDisk(),
    hasLeft?: () => boolean,
    /** Bytes that wait to be written to the disk at most; undefined = as many as usual. */
    unwrittenMax?: number,
  ) {
    this.settings = {
      ...SETTINGS,
      ...given,
      send: (batch, signal) =>
        new Promise((resolve, reject) => {
          const request: Request = {
            batch,
            signal,
            answer: (err) => {
              this.requests = this.requests.filter((r) => r !== request);
              if (err !== undefined) return reject(err);
              this.taken.push(...batch.items);
              resolve();
            },
          };
          // Nobody waits for its answer any more.
          signal.addEventListener("abort", () => {
            this.requests = this.requests.filter((r) => r !== request);
          });
          this.requests.push(request);
        }),
    };
    const self = this;
    const host: SinkHost = {
      clock: this.clock,
      log: this.log,
      outages: new Map(),
      every: (_ms, fn) => {
        this.#ticks.add(fn);
        return () => this.#ticks.delete(fn);
      },
      alarm: (what, desc) => void (desc === null ? this.alarms.delete(what) : this.alarms.set(what, desc)),
      soon: (fn) => void this.#soon.push(fn),
      timer: (ms, fn) => {
        const end = this.clock.mono() + ms;
        const look = (): void => {
          if (this.clock.mono() < end) return;
          this.#timers.delete(look);
          fn();
        };
        this.#timers.add(look);
        return () => this.#timers.delete(look);
      },
      get memoryShort() {
        return self.memoryShort;
      },
      random: () => this.random(),
      done: (rows) => {
        this.counts.done += rows;
      },
      dropped: (rows) => {
        this.counts.dropped += rows;
      },
    };
    const options = {
      codec,
      shown: (item: Item) => `${item.key}${item.n}`,
      gaveUp: (items: readonly Item[]) => {
        this.counts.failed += items.length;
      },
      alarm: "down",
      directory: () => "dir",
      closeMs: 2000,
    };
    const more = { ...(hasLeft !== undefined && { hasLeft }), ...(unwrittenMax !== undefined && { unwrittenMax }) };
    this.sink = new Sink<Item>(host, { ...options, ...more }, this.settings, () => this.disk);
  }

  change(more: Partial<SinkSettings<Item>>): void {
    this.settings = { ...this.settings, ...more };
    this.sink.change(this.settings);
  }

  push(key: string, n: number, bytes = 100, pad = 0): void {
    this.sink.push({ key, n, pad }, key, bytes);
  }

  /** What was to happen in later turns happens, until nothing more does. */
  async turn(): Promise<void> {
    for (let i = 0; i < 50; i++) {
      const soon = this.#soon.splice(0);
      for (const fn of soon) fn();
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#soon.length === 0 && soon.length === 0) return;
    }
  }

  /** Time goes on, in ticks of 100 ms. */
  pass(ms: number): Promise<void> {
    return this.#forward(ms, 100, [this.#ticks, this.#timers]);
  }

  /** Time goes on, and no tick comes, as while the node stops. */
  passWithoutTicks(ms: number): Promise<void> {
    return this.#forward(ms, 1, [this.#timers]);
  }

  async #forward(ms: number, step: number, due: readonly Set<() => void>[]): Promise<void> {
    for (let gone = 0; gone < ms; gone += step) {
      this.clock.forward(Math.min(step, ms - gone));
      for (const fn of due.flatMap((fns) => [...fns])) fn();
      await this.turn();
    }
  }

  /** The oldest request is answered. */
  async answer(err?: Error): Promise<void> {
    (this.requests[0] as Request).answer(err);
    await this.turn();
  }

  /** Time goes on until there is a request. Returns how long that took, ms. */
  async untilRequest(): Promise<number> {
    let ms = 0;
    for (; this.requests.length === 0; ms += 100) {
      if (ms > 10_000_000) throw new Error("no request comes");
      await this.pass(100);
    }
    return ms;
  }

  /** All requests are answered, until there are no more. */
  async answerAll(err?: () => Error): Promise<void> {
    for (let i = 0; i < 10_000; i++) {
      await this.turn();
      if (this.requests.length === 0) return;
      for (const r of [...this.requests]) r.answer(err?.());
    }
    throw new Error("requests without end");
  }

  get report(): ServerReport & Required<Pick<ServerReport, "queue">> {
    return this.sink.report() as ServerReport & Required<Pick<ServerReport, "queue">>;
  }
  get letters(): string[] {
    return this.sink.deadLetters.list().map((l) => l.body);
  }
  lines(level: LogLine["level"]): string[] {
    return this.log.lines.filter((l) => l.level === level).map((l) => l.message);
  }
}
