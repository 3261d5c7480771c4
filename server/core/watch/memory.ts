/**
 * How much memory the node has left, and what it does when that becomes little. Above `node.memory_high_watermark` nothing new is
 * kept (sessions, retained and delayed messages) and publishers are read slowly; half-way from there to the limit no queue grows any more and
 * they are read very slowly. So the kernel never has to choose whom it kills.
 */
import { between, later, type MonoMs, reached } from "../../lib/time.ts";
import type { Held } from "../held.ts";
import type { Clock, Log } from "../ports.ts";
import type { Alarms } from "./alarms.ts";

/** What holds memory, by kind. `queues`: messages that wait, in queues and windows of sessions and, delayed, for their time. */
export const MEMORY_KINDS = ["queues", "retained", "sessions", "buffers"] as const;
export type MemoryKind = (typeof MEMORY_KINDS)[number];

export interface MemoryReading {
  /** Bytes. `limit` 0 = unknown. */
  used: number;
  limit: number;
  /** The limit is that of a container, not of the machine. */
  container: boolean;
}

export interface MemoryReadings {
  read(): MemoryReading;
  /** Let the runtime give back what nobody needs; nothing else runs meanwhile. */
  collect(): void;
}

export type MemoryLevel = "normal" | "high" | "critical";

export interface MemoryOptions {
  /** `memoryHighWatermark`: per cent, 0 = off. `memoryLimit`: bytes, 0 = what the machine or the container has. Live. */
  readonly settings: { readonly memoryHighWatermark: number; readonly memoryLimit: number };
  readonly held: Held;
  /** Unsent output: its share of the memory there is. */
  readonly output: { budget: number };
  /** Where the bytes from clients are counted. */
  readonly input: { readonly bytesReceived: number };
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly log: Log;
}

const ALARM = "node_memory_high_watermark";
/** It is left below this part of the watermark. */
const LOW = 0.9;
/**
 * What lay in a queue for a while is old when it goes, and the runtime looks for old garbage only when its heap has doubled. So it is made to
 * look from this part of the watermark on …
 */
const COLLECT_FROM = 0.9;
/** … when more is in use than the least since the last time, by this part of the limit: that may be garbage … */
const COLLECT_GROWN = 1 / 16;
/** … at most so often, ms, and for no more than one part in so many of the time … */
const COLLECT_EVERY_MS = 1000;
const COLLECT_SHARE = 20;
/** … and unless it is critical twice as seldom after each that freed less than half of it, down to so many times: it is no garbage, or not ours. */
const COLLECT_REST = 64;
/** Garbage may be gone in a moment: the alarm waits so long, ms. */
const ALARM_AFTER_MS = 1000;
/** What all publishers together may send, bytes per second; when it is critical, with what their messages are in queues and windows. */
const RATE: Record<MemoryLevel, number> = { normal: Number.POSITIVE_INFINITY, high: 8 * 1024 * 1024, critical: 1024 * 1024 };
/** What may wait for clients that do not read, as part of the limit. */
const OUTPUT_SHARE = 1 / 8;
/** After so much input, or so much more that waits for receivers, as part of the limit, memory is looked at before the next tick. */
const INPUT_SHARE = 1 / 32;
/** With less than this part of the watermark in use, one tick in so many reads: what fills memory fast is told by input and queues. */
const FAR_BELOW = 1 / 2;
const FAR_BELOW_TICKS = 5;
/** No publisher stands still for longer at a time, ms. */
const PAUSE_MAX = 10_000;

export class Memory {
  level: MemoryLevel = "normal";
  /** Nothing new may be kept. A plain field: read for every chunk. */
  short = false;
  /** When so many bytes have come in all, or so many wait for receivers, memory is looked at before the next tick. */
  #inputAt = Number.POSITIVE_INFINITY;
  #heldAt = Number.POSITIVE_INFINITY;
  /** The last reading. */
  last: MemoryReading = { used: 0, limit: 0, container: false };
  #readings: MemoryReadings | null = null;
  /** The limit is `node.memory_limit`. */
  #isOwnLimit = false;
  /** Ticks without a look. */
  #skipped = 0;
  readonly #kinds = new Map<MemoryKind, Set<() => number>>();
  #since: MonoMs;
  #collectAt: MonoMs;
  /** … and when it is not critical. */
  #restTill: MonoMs;
  /** The least that has been in use since the last collection. */
  #least = 0;
  /** How much more seldom than it may be memory is collected, times. */
  #rest = 1;
  /** When what publishers have sent so far is paid for. */
  #paidAt: MonoMs;
  /** Entries of queues and windows up to which it is paid, bytes. */
  #paidTo = 0;

  constructor(private readonly o: MemoryOptions) {
    this.#since = this.#collectAt = this.#restTill = this.#paidAt = o.clock.mono();
    this.provide("queues", () => o.held.bytes);
  }

  /** Say how a kind, or a further part of it, is measured. Returns the function that takes it back. */
  provide(kind: MemoryKind, read: () => number): () => void {
    const parts = this.#kinds.get(kind) ?? new Set();
    this.#kinds.set(kind, parts.add(read));
    return () => parts.delete(read);
  }

  /** Bytes by kind, measured now. */
  bytes(): Record<MemoryKind, number> {
    const sum = (kind: MemoryKind): number => [...(this.#kinds.get(kind) ?? [])].reduce((n, read) => n + read(), 0);
    return Object.fromEntries(MEMORY_KINDS.map((kind) => [kind, sum(kind)])) as Record<MemoryKind, number>;
  }

  /** From now on memory is read there. */
  watch(readings: MemoryReadings): void {
    this.#readings = readings;
    this.check();
  }

  /** So much has happened since the last look that `check` should be called. Asked for every chunk. */
  get due(): boolean {
    return this.o.input.bytesReceived >= this.#inputAt || this.o.held.bytes >= this.#heldAt;
  }

  /** Bytes at the watermark, as of the last look; infinite = there is none. */
  get high(): number {
    const { memoryHighWatermark } = this.o.settings;
    const { limit } = this.last;
    return memoryHighWatermark === 0 || limit === 0 ? Number.POSITIVE_INFINITY : (limit * memoryHighWatermark) / 100;
  }

  /** Call at every tick. A reading takes 25 to 50 us, for which messages wait: far below the watermark it is made more seldom. */
  tick(): void {
    if (this.level === "normal" && this.last.used < this.high * FAR_BELOW && ++this.#skipped < FAR_BELOW_TICKS) return;
    this.check();
  }

  /** Read and judge. Call when it is `due`, too: memory can be filled fast. */
  check(): void {
    const readings = this.#readings;
    if (readings === null) return;
    this.#skipped = 0;
    const { memoryLimit } = this.o.settings;
    this.#read(readings, memoryLimit);
    const { limit } = this.last;
    const step = limit === 0 ? Number.POSITIVE_INFINITY : limit * INPUT_SHARE;
    this.#inputAt = this.o.input.bytesReceived + step;
    this.#heldAt = this.o.held.bytes + step;
    this.o.output.budget = limit === 0 ? Number.POSITIVE_INFINITY : limit * OUTPUT_SHARE;
    const { high } = this;
    if (this.#mayBeGarbage(high)) this.#collect(readings, memoryLimit);
    const now = this.o.clock.mono();
    this.#become(judge(this.level, this.last.used, high, limit), now);
    if (this.short && !this.o.alarms.has(ALARM) && reached(later(this.#since, ALARM_AFTER_MS), now)) this.#raise();
  }

  #read(readings: MemoryReadings, ownLimit: number): void {
    this.last = readings.read();
    this.#isOwnLimit = ownLimit > 0 && (this.last.limit === 0 || ownLimit < this.last.limit);
    if (this.#isOwnLimit) this.last.limit = ownLimit;
  }

  /** There may be enough garbage to matter, and it is time to look. */
  #mayBeGarbage(high: number): boolean {
    const { used, limit } = this.last;
    this.#least = Math.min(this.#least, used);
    if (used < high * COLLECT_FROM || used - this.#least < limit * COLLECT_GROWN) return false;
    return reached(used >= criticalFrom(high, limit) ? this.#collectAt : this.#restTill, this.o.clock.mono());
  }

  #collect(readings: MemoryReadings, ownLimit: number): void {
    const { clock, log } = this.o;
    const { used } = this.last;
    const began = clock.mono();
    readings.collect();
    const ended = clock.mono();
    this.#read(readings, ownLimit);
    const freed = used - this.last.used;
    const ms = between(began, ended);
    this.#rest = freed * 2 < used - this.#least ? Math.min(COLLECT_REST, this.#rest * 2) : 1;
    const pause = Math.max(COLLECT_EVERY_MS, ms * COLLECT_SHARE);
    this.#collectAt = later(ended, pause);
    this.#restTill = later(ended, pause * this.#rest);
    this.#least = used;
    log.debug("memory collected", { ms, freed, used: this.last.used });
  }

  /** A publisher has sent so many bytes: how long is it not read now, ms? 0 = read on. */
  pauseFor(bytes: number): number {
    const now = this.o.clock.mono();
    const from = reached(this.#paidAt, now) ? now : this.#paidAt;
    const { passed } = this.o.held;
    // Queues that are full take a message for one that goes: they do not grow, but what goes is garbage for a while.
    const churn = this.level === "critical" ? passed - this.#paidTo : 0;
    this.#paidTo = passed;
    const wait = from - now + ((bytes + churn) / RATE[this.level]) * 1000;
    // Whoever waits longest pays no more than that: the debt must not outlive the shortage.
    const paid = Math.min(PAUSE_MAX, wait);
    this.#paidAt = later(now, paid);
    return Math.ceil(paid);
  }

  #become(level: MemoryLevel, now: MonoMs): void {
    if (level === this.level) return;
    const { held, alarms, log } = this.o;
    if (this.level === "normal") this.#since = now;
    log.info("memory", { level, used: this.last.used, limit: this.last.limit });
    this.#paidTo = held.passed;
    this.level = level;
    this.short = level !== "normal";
    held.short = this.short;
    held.full = level === "critical";
    if (!this.short) alarms.clear(ALARM);
    else if (alarms.has(ALARM)) this.#raise();
  }

  #raise(): void {
    const { used, limit, container } = this.last;
    const percent = Math.round((used / limit) * 100);
    const kinds = Object.entries(this.bytes()).sort((a, b) => b[1] - a[1]);
    const of = this.#isOwnLimit ? "node.memory_limit" : container ? "the container" : "the machine";
    this.o.alarms.set(
      ALARM,
      `${mib(used)} in use, ${percent} % of the ${mib(limit)} of ${of}, level ${this.level}: ${kinds.map(([kind, n]) => `${kind} ${mib(n)}`).join(", ")}`,
    );
  }
}

/** Between two marks things stay as they are: each is left some way below where it begins. */
function judge(level: MemoryLevel, used: number, high: number, limit: number): MemoryLevel {
  const critical = criticalFrom(high, limit);
  if (used >= critical) return "critical";
  if (level === "critical" && used >= (high + critical) / 2) return "critical";
  if (used >= high) return "high";
  return level !== "normal" && used >= high * LOW ? "high" : "normal";
}

function criticalFrom(high: number, limit: number): number {
  return (high + limit) / 2;
}

function mib(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MB`;
}
