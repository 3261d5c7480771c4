/**
 * The messages that wait in sessions' queues and windows, in bytes. A message counts once however many sessions wait for it, so the
 * figure is what they take of memory. Kept at every coming and going: two additions.
 */
import type { Message } from "./message.ts";

/** A queue's or window's own part for each message, about: its place in a ring, which is larger than what is in it. */
const ENTRY_BYTES = 48;

export class Held {
  /** Memory is short: no window may grow beyond its zone's `max_inflight`. */
  short = false;
  /** No queue may grow: there is no memory left to give. What a message adds, an older one must leave. */
  full = false;
  #messages = 0;
  /** Entries that have come and gone so far. */
  #come = 0;
  #gone = 0;
  #arrays = 0;

  get bytes(): number {
    return this.#messages + this.#arrays + (this.#come - this.#gone) * ENTRY_BYTES;
  }

  /** What all entries that there have been took, bytes. */
  get passed(): number {
    return this.#come * ENTRY_BYTES;
  }

  /** A large window has so many bytes of its own more, or less. */
  took(bytes: number): void {
    this.#arrays += bytes;
  }

  add(m: Message): void {
    this.#come++;
    if (m.holders++ === 0) {
      m.heldBytes = m.size;
      this.#messages += m.heldBytes;
    }
  }

  remove(m: Message): void {
    this.#gone++;
    if (--m.holders === 0) this.#messages -= m.heldBytes;
  }
}
