/**
 * Commits are handed to the kernel without waiting for the disk. This asks for a file to reach the disk off the main thread: within a second,
 * so that a power loss costs at most that second, or at once.
 */
import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";
import type { Log } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";

const DELAY_MS = 1000;

export class FileSync {
  readonly #fd: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Calls of the system under way. */
  #running = 0;
  #failed = false;
  #broken = false;
  #closed = false;
  /** Whoever wants to know that what is written so far is on the disk. */
  #waiting: (() => void)[] = [];

  constructor(
    private readonly file: string,
    private readonly log: Log,
  ) {
    this.#fd = openSync(file, "r+");
  }

  /** Something was written without waiting for the disk. `done`: it is there; not called once the disk has failed, nor after `close`. */
  later(done?: () => void): void {
    if (this.#closed) return;
    if (done !== undefined) this.#waiting.push(done);
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => this.#sync(), DELAY_MS);
    this.#timer.unref();
  }

  /** Wait for the disk. */
  now(): void {
    fdatasyncSync(this.#fd);
    this.#tell(this.#waiting.splice(0));
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting = [];
    this.#closed = true;
    if (this.#running === 0) closeSync(this.#fd);
  }

  /** At once, off the main thread. `done` gets what the system says of it; not called after `close`. */
  soon(done: (err: Error | null) => void): void {
    this.#running++;
    fdatasync(this.#fd, (err) => {
      this.#running--;
      if (!this.#closed) done(err);
      else if (this.#running === 0) closeSync(this.#fd);
    });
  }

  #sync(): void {
    this.#timer = null;
    if (this.#running > 0) {
      this.later();
      return;
    }
    const waiting = this.#waiting.splice(0);
    this.soon((err) => {
      if (err === null) this.#tell(waiting);
      // What the disk has failed to take it never gets, and the next time it says yes: nobody is told any more.
      else this.#broken = true;
      if (err && !this.#failed) this.log.error("stored data could not be brought to the disk", { file: this.file, error: wordsOf(err) });
      this.#failed = Boolean(err);
    });
  }

  #tell(waiting: (() => void)[]): void {
    if (!this.#broken) for (const done of waiting) done();
  }
}
