/** The input side of a connection: why its socket is not read now, and what had come before it stood still. */
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

export class Intake {
  #reasons = 0;
  #kept: Uint8Array[] | null = null;

  constructor(private readonly transport: Transport) {}

  pause(reason: number): void {
    if (this.#reasons === 0) this.transport.pause();
    this.#reasons |= reason;
  }

  resume(reason: number): void {
    if ((this.#reasons & reason) === 0) return;
    this.#reasons &= ~reason;
    if (this.#reasons === 0) this.transport.resume();
  }

  paused(reason: number): boolean {
    return (this.#reasons & reason) !== 0;
  }

  get deaf(): boolean {
    return (this.#reasons & OURS) !== 0;
  }

  /** Bytes to be handled later. */
  keep(chunk: Uint8Array): void {
    if (this.#kept === null) this.#kept = [chunk];
    else this.#kept.push(chunk);
  }

  /** What was kept, in order; it is the caller's now. */
  take(): readonly Uint8Array[] {
    const kept = this.#kept ?? [];
    this.#kept = null;
    return kept;
  }

  /** Bytes kept. */
  get bytes(): number {
    let n = 0;
    if (this.#kept !== null) for (const chunk of this.#kept) n += chunk.length;
    return n;
  }

  /** Nothing is read or handled any more. The transport goes on reading as it likes: it drains a connection before it closes it. */
  close(): void {
    this.#kept = null;
    this.#reasons |= PAUSED.CLOSED;
  }
}
