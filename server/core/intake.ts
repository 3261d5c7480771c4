/** The input side of a connection: why its socket is not read now, and what had come before it stood still. */
import { copyBytes } from "../lib/bytes.ts";
import type { Transport } from "./ports.ts";

/** Reasons not to read, as bits: reading goes on when the last one is gone. */
export const PAUSED = {
  /** A handler waits for an answer, or for its next turn. */
  HANDLER: 1,
  /** The client does not read what it is sent. */
  UNREAD: 2,
  /** It publishes faster than its zone allows. */
  LIMIT: 4,
  /** The node has no memory to spare. */
  MEMORY: 8,
  CLOSED: 16,
} as const;

/** We do not listen: its silence says nothing about the client. */
const OURS = PAUSED.HANDLER | PAUSED.LIMIT | PAUSED.MEMORY;

/** Smaller chunks are put together up to this size: a WebSocket client may send each byte in a frame of its own. */
const PIECE = 4096;
const PIECE_MIN = 256;

export interface IntakeOwner {
  /** We listen again: what the client has sent meanwhile is still to be read, it has not been silent. */
  listens(): void;
}

interface IntakeClock {
  after(ms: number, fn: () => void): unknown;
}

export class Intake {
  /** Bytes kept. */
  bytes = 0;
  /** The transport is gone, and why, while what came before is still to be handled. "" = it is there. */
  ended = "";
  #reasons = 0;
  /** A handler waits, and so many bytes may have come before nothing more is read; 0 = none waits, or nothing may. */
  #room = 0;
  #kept: Uint8Array[] | null = null;
  /** What the last of them is a part of, when it was put together here. */
  #piece: Uint8Array | null = null;

  constructor(
    private readonly transport: Transport,
    private readonly owner: IntakeOwner,
  ) {}

  pause(reason: number): void {
    if (this.#reasons === 0) this.transport.pause();
    this.#reasons |= reason;
  }

  /**
   * A handler waits, until `resume(PAUSED.HANDLER)`. `room`: so many bytes are still read meanwhile, because who is not read is not seen to
   * leave.
   */
  wait(room: number): void {
    this.#room = room;
    if (this.bytes >= room) this.pause(PAUSED.HANDLER);
    else if (this.#reasons === 0) this.transport.watch?.();
  }

  /** Not for so long: the client sends more than it may (`zone.*.publish_limit`, `max_awaiting_rel`), or memory is short. */
  slowDown(clock: IntakeClock, ms: number, reason: number): void {
    if (ms <= 0 || this.paused(reason)) return;
    this.pause(reason);
    clock.after(ms, () => this.resume(reason));
  }

  resume(reason: number): void {
    const watched = reason === PAUSED.HANDLER && this.#room > 0;
    if (!watched && (this.#reasons & reason) === 0) return;
    if (watched) this.#room = 0;
    this.#reasons &= ~reason;
    if ((reason & OURS) !== 0 && this.ended === "") this.owner.listens();
    if (this.#reasons !== 0) return;
    this.transport.resume();
    if (this.#room > 0) this.transport.watch?.();
  }

  paused(reason: number): boolean {
    return (this.#reasons & reason) !== 0;
  }

  get deaf(): boolean {
    return (this.#reasons & OURS) !== 0;
  }

  /** Bytes to be handled later. */
  keep(chunk: Uint8Array): void {
    if (this.paused(PAUSED.CLOSED)) return;
    this.#kept ??= [];
    this.bytes += chunk.length;
    if (this.#room > 0 && this.bytes >= this.#room) this.pause(PAUSED.HANDLER);
    if (chunk.length < PIECE) {
      this.#gather(this.#kept, chunk);
      return;
    }
    this.#piece = null;
    this.#kept.push(chunk);
  }

  #gather(kept: Uint8Array[], chunk: Uint8Array): void {
    let have = 0;
    let piece = this.#piece;
    if (piece !== null) have = (kept.at(-1) as Uint8Array).length;
    if (piece === null || have + chunk.length > PIECE) {
      have = 0;
      piece = Buffer.allocUnsafeSlow(Math.max(PIECE_MIN, chunk.length));
      kept.push(piece);
    } else if (have + chunk.length > piece.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(PIECE, Math.max(piece.length * 2, have + chunk.length)));
      copyBytes(piece, grown, 0, 0, have);
      piece = grown;
    }
    copyBytes(chunk, piece, have, 0, chunk.length);
    this.#piece = piece;
    kept[kept.length - 1] = piece.subarray(0, have + chunk.length);
  }

  /** What was kept, in order; it is the caller's now. */
  take(): readonly Uint8Array[] {
    const kept = this.#kept ?? [];
    this.#forget();
    return kept;
  }

  #forget(): void {
    this.#kept = this.#piece = null;
    this.bytes = 0;
  }

  /** Nothing is read or handled any more. The transport goes on reading as it likes: it drains a connection before it closes it. */
  close(): void {
    this.#forget();
    this.#reasons |= PAUSED.CLOSED;
  }
}
