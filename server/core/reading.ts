/** Whether a connection's socket is read: paused while there is any reason to. */
import type { Transport } from "./ports.ts";

/** Reasons to pause, bits. */
export const WAITS = 1;
export const UNREAD = 2;
export const SLOWED = 4;

export class Reading {
  #reasons = 0;
  #closed = false;

  constructor(private readonly transport: Transport) {}

  /** WAITS: a handler waits for an answer. UNREAD: the client does not read its own answers. SLOWED: it sends more than it may. */
  pause(reason: number): void {
    if (this.#reasons === 0) this.transport.pause();
    this.#reasons |= reason;
  }

  resume(reason: number): void {
    if ((this.#reasons & reason) === 0) return;
    this.#reasons &= ~reason;
    if (this.#reasons === 0 && !this.#closed) this.transport.resume();
  }

  pausedFor(reason: number): boolean {
    return (this.#reasons & reason) !== 0;
  }

  /** The channel is closed: nobody reads any more. */
  close(): void {
    this.#closed = true;
  }
}
