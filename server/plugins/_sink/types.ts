/** What goes out through a sink, what its sender may answer, and what a sink has to know. */
import type { MonoMs, WallMs } from "../../lib/time.ts";
import type { BackendHost } from "../_backend/host.ts";

/** Several items of one lane, in order. The same object however often it is sent: whoever takes part of it away makes another one. */
export interface Batch<T> {
  readonly items: readonly T[];
  /** How often it was sent before. */
  readonly tries: number;
}

/**
 * Why something was not taken:
 * - `away`: nobody is there, or too busy for anything: sent again until it is too old.
 * - `retry`: it may be its own fault: sent again so often, then given up.
 * - `give up`: it will never be taken.
 */
export type FailureKind = "away" | "retry" | "give up";

/** What a `send` rejects with; anything else counts as `away`. */
export class SendError extends Error {
  override readonly name = "SendError";
  constructor(
    readonly kind: FailureKind,
    message: string,
    /** Not before so many ms, as the other side says. */
    readonly afterMs = 0,
  ) {
    super(message);
  }
}

/** Part of a batch was taken. */
export class PartError extends Error {
  override readonly name = "PartError";
  /** `failed`: index in the batch -> why; all others were taken. */
  constructor(readonly failed: ReadonlyMap<number, SendError>) {
    super([...failed.values()][0]?.message ?? "part of it was not taken");
  }
}

/** Bytes of an item on the disk. */
export interface Codec<T> {
  encode(item: T): Uint8Array;
  /** @throws when it is none */
  decode(bytes: Uint8Array): T;
  /** What this one makes of an item in memory that came of `from`, as it would by way of the disk. Without it: the same. */
  adopt?(item: T, from: Codec<T>): T;
}

/** What may be changed while it runs. */
export interface SinkSettings<T> {
  /** Without secrets: "web hook at http://127.0.0.1:8080". */
  what: string;
  /** Batches that are under way at a time. What has the same key is in the same lane, in order. */
  lanes: number;
  /** A batch is sent when it has so many items or bytes, or when its first item has waited so long. */
  batchRows: number;
  batchBytes: number;
  batchWaitMs: number;
  /** For one try. */
  timeoutMs: number;
  /** Of what may be its own fault: after so many further tries it is given up. */
  retries: number;
  /** Whatever is older is given up when it fails. */
  maxAgeMs: number;
  /** Between tries: doubled each time, up to the second one, less up to half of it by chance. */
  backoffMs: number;
  backoffMostMs: number;
  /** What waits in memory. With a disk the rest waits there, without one the oldest is dropped. */
  rowsMax: number;
  bytesMax: number;
  /** What waits on the disk; 0 = nothing is written there. */
  diskMax: number;
  /** What was given up and is kept; the oldest goes first. */
  lettersMax: number;
  letterBytesMax: number;
  /** `signal`: its time is over, or the sink closes. @throws SendError, PartError */
  send(batch: Batch<T>, signal: AbortSignal): Promise<void>;
}

export interface SinkOptions<T> {
  codec: Codec<T>;
  /** The item as it would be sent, for people. */
  shown(item: T): string;
  /** These were given up, and why. */
  gaveUp?(items: readonly T[], why: string): void;
  /** Of an alarm while the other side is away. Names of one plugin differ. */
  alarm: string;
  /** Its title, of the other side's name; by default that it is down, which nobody knows of one that says no to everything. */
  title?(what: string): string;
  /** Behind `alarm`s that are not about the other side: "dropped", "disk". */
  alarmSuffix?: string;
  /** Where what is kept on the disk lies; it need not exist. null = it never is. */
  directory: (() => string) | null;
  /** A former run may have left something there: it is sent though nothing new is written. */
  hasLeft?(): boolean;
  /** `close` sends on for so long. */
  closeMs: number;
  /** What waits to be written to the disk at most, bytes; 16 MiB. */
  unwrittenMax?: number;
}

/** What it needs of whoever has it. */
export interface SinkHost extends BackendHost {
  /** In a later turn of the event loop. */
  soon(fn: () => void): void;
  /** A timer that goes on while the node stops. Returns cancel. */
  timer(ms: number, fn: () => void): () => void;
  /** Nothing more is to be kept in memory: what comes takes the place of what is there. */
  readonly memoryShort?: boolean;
  /** Bytes that it takes in memory, for whoever counts them. Returns what takes it back. */
  countWaiting?(bytes: () => number): () => void;
  /** [0, 1). */
  random(): number;
  /** Rows have arrived, or found no room. */
  done?(rows: number, ms: number): void;
  dropped?(rows: number): void;
}

/** One that waits. */
export interface Entry<T> {
  readonly key: string;
  readonly item: T;
  readonly bytes: number;
  /** Counts up in the order of arrival. */
  order: number;
  /** Mono ms. */
  readonly since: number;
  /** On the disk; 0 = it is not there. */
  seq: number;
  /** How often it was sent, and how often it failed by what may be its own fault. */
  sends: number;
  tries: number;
}

/** What of it lies on the disk. */
export type Kept = "queue" | "letters";

/** An item on the disk. */
export interface Stored {
  readonly seq: number;
  /** Unix ms of its arrival. */
  readonly at: number;
  readonly key: string;
  readonly item: Uint8Array;
}

/** What a spool needs of whoever has it. */
export interface SpoolOwner {
  now(): MonoMs;
  wall(): WallMs;
  /** Bytes on the disk; 0 = nothing new is written. */
  diskMax(): number;
  /** What waits to be written, bytes. */
  readonly unwrittenMax: number;
  /** The disk does not take what it is given, and why; null = it does again. */
  trouble(of: Kept, why: string | null): void;
  /** Something may be read that could not be before. */
  readable(): void;
  /** So many cannot be read, and are gone, and why. */
  lost(rows: number, why: string): void;
  /** A file cannot be read, and stays for a later start, and why; null = all can. */
  unreadable(of: Kept, why: string | null): void;
  /** Such a one has made room, and nobody knows for sure how many rows were in it. `isLast`: there is none any more. */
  unreadableGone(file: string, isLast: boolean): void;
  /** Nothing up to this number is on the disk any more: a full one has taken something newer. So many of them are not in memory either. */
  madeRoom(seq: number, lost: number): void;
  /** It is known what a former run has left, and something new is to be written. Whatever is appended now stands before what has come meanwhile. */
  opened(): void;
  /** So many bytes of a file are no frames: a kill has cut it short, or it is damaged. */
  torn(file: string, bytes: number): void;
}
