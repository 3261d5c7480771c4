/** The socket of one simulated connection, with all that a real one may do to whoever writes to it. */
import type { Transport } from "../../server/core/ports.ts";

/** Where all clients come from. */
export const ADDRESS = "10.0.0.1";

/** Bytes the peer's side has taken, and how much was durable when they left. */
export interface Taken {
  readonly bytes: Buffer;
  readonly committed: number;
}

export class SimTransport implements Transport {
  /** Taken and not yet read by the client. */
  readonly taken: Taken[] = [];
  takenBytes = 0;
  ended = false;
  destroyed = false;
  paused = false;
  /** Bytes the kernel's buffer still takes. */
  room = Number.POSITIVE_INFINITY;
  /** The peer is gone: every write answers -1, the close event comes later. */
  gone = false;
  /** The next write throws. */
  throwing = false;
  /** A write was not taken whole: a drain event is owed. */
  owesDrain = false;
  /** Some bytes left later than the broker had them ready: a write was not taken whole, or they waited for the disk. */
  everLate = false;
  writes = 0;

  constructor(
    readonly ip: string,
    readonly port: number,
    /** What was durable at this moment. */
    private readonly committed: () => number,
  ) {}

  get closed(): boolean {
    return this.ended || this.destroyed;
  }

  write(buf: Uint8Array, offset: number, length: number): number {
    if (this.throwing) {
      this.throwing = false;
      throw new Error("simulated: the socket's write throws");
    }
    if (this.gone || this.closed) return -1;
    const n = Math.min(length, this.room);
    if (n < length) this.owesDrain = this.everLate = true;
    if (n > 0) {
      this.taken.push({ bytes: Buffer.from(buf.subarray(offset, offset + n)), committed: this.committed() });
      this.takenBytes += n;
      this.room -= n;
      this.writes++;
    }
    return n;
  }

  end(): void {
    this.ended = true;
  }
  finish(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  probe(): void {}
}
