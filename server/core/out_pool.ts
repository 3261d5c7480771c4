/** Connections with something to write, those that wait for the disk with it, and the staging buffers that all borrow meanwhile (out.ts). */
import type { Out } from "./out.ts";

const SMALL = 4 * 1024;
export const LARGE = 64 * 1024;

/** Whose bytes they are. */
export interface OutOwner {
  /** A flush has brought it below the low-water mark again. */
  onRoom(): void;
}

export class OutPool {
  dirty: Out[] = [];
  /** Those whose promises wait for the next sync. */
  waiting: Out[] = [];
  /** What was committed is not on the disk, and has to be before it is promised. */
  unsynced = false;
  /** Bytes that wait in backlogs, of all connections. */
  backlog = 0;
  /** Beyond so many of them a connection is blocked by the first byte that its kernel does not take. */
  budget = Number.POSITIVE_INFINITY;
  /** What closed connections are still sent: never read. */
  readonly sink: Uint8Array = Buffer.allocUnsafeSlow(LARGE);
  readonly #small: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];

  constructor(
    /** `bytesSent`: all bytes the kernel took, of all connections. */
    readonly counter: { bytesSent: number },
    /** An exception of a transport or of ours: it costs this connection, which is closed already. Called once for each. */
    readonly failed: (out: Out, err: unknown) => void,
  ) {}

  get tight(): boolean {
    return this.backlog > this.budget;
  }

  take(size: number): Uint8Array {
    if (size <= SMALL) return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL);
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE);
  }

  give(buf: Uint8Array): void {
    if (buf.length === SMALL) {
      if (this.#small.length < 2048) this.#small.push(buf);
    } else if (this.#large.length < 64) this.#large.push(buf);
  }

  /** Free buffers of the kind that `take(size)` gives. */
  idle(size: number): number {
    return size <= SMALL ? this.#small.length : this.#large.length;
  }

  /** Every connection in the list is written, whatever happens to one of them. */
  flushAll(): void {
    const list = this.dirty;
    if (list.length === 0) return;
    this.dirty = [];
    for (let i = 0; i < list.length; i++) this.#flush(list[i] as Out);
    if (this.dirty.length === 0 && list.length < 4096) {
      list.length = 0;
      this.dirty = list;
    }
  }

  #flush(out: Out): void {
    try {
      if (this.unsynced && out.holdsAcks) {
        if (out.wait()) this.waiting.push(out);
      } else if (out.flush()) out.owner.onRoom();
    } catch (err) {
      out.fail(err);
    }
  }

  /** A sync begins. Returns whom it covers; they are to be given to `release` or `uncover`. */
  cover(): readonly Out[] {
    const list = this.waiting;
    this.waiting = [];
    for (const out of list) out.cover();
    return list;
  }

  /** The sync that has covered these is through. */
  release(covered: readonly Out[]): void {
    for (const out of covered) this.#release(out);
  }

  #release(out: Out): void {
    try {
      if (out.release()) out.owner.onRoom();
      if (out.waits) this.waiting.push(out);
    } catch (err) {
      out.fail(err);
    }
  }

  /** It has failed: they wait again. */
  uncover(covered: readonly Out[]): void {
    for (const out of covered) if (out.uncover()) this.waiting.push(out);
  }

  /** Everything is on the disk, or need not be. */
  releaseAll(): void {
    this.release(this.cover());
  }
}
