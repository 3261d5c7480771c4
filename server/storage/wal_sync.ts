/**
 * In `normal` mode SQLite hands commits to the kernel without waiting for the disk. This asks for the write-ahead log to reach the disk
 * within a second, off the main thread, so that a power loss costs at most that second.
 */
import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";
import type { Log } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";

const DELAY_MS = 1000;

export class WalSync {
  readonly #fd: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running = false;
  #failed = false;
  #closed = false;

  constructor(
    file: string,
    private readonly log: Log,
  ) {
    this.#fd = openSync(file, "r+");
  }

  /** Something was committed without waiting for the disk. */
  later(): void {
    if (this.#timer !== null || this.#closed) return;
    this.#timer = setTimeout(() => this.#sync(), DELAY_MS);
    this.#timer.unref();
  }

  /** Wait for the disk. */
  now(): void {
    fdatasyncSync(this.#fd);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#closed = true;
    if (!this.#running) closeSync(this.#fd);
  }

  #sync(): void {
    this.#timer = null;
    if (this.#running) {
      this.later();
      return;
    }
    this.#running = true;
    fdatasync(this.#fd, (err) => {
      this.#running = false;
      if (this.#closed) closeSync(this.#fd);
      if (err && !this.#failed) this.log.error("the database's journal could not be brought to the disk", { error: wordsOf(err) });
      this.#failed = Boolean(err);
    });
  }
}
