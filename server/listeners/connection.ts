/** One accepted socket. As small as can be: there is one for every client that sits there and says nothing. */
import { seldomOf } from "../lib/seldom.ts";
import type { Bucket } from "./limits.ts";
import { type ChannelLike, type Link, NOBODY } from "./link.ts";
import type { Listener } from "./listener.ts";

/** What is used of a Bun socket. */
export interface Wire {
  write(data: Uint8Array, byteOffset?: number, byteLength?: number): number;
  shutdown(): void;
  close(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  setKeepAlive(on: boolean, afterMs: number): void;
}

/** Silence after which the kernel asks. */
const PROBE_MS = 300_000;

const OPEN = 0;
/** Half-closed by us; what still comes is thrown away until the peer closes or the linger time is over. */
const CLOSING = 1;
const CLOSED = 2;

const PAUSED_BY_CHANNEL = 1;
const PAUSED_BY_RATE = 2;

export class Connection implements Link {
  channel: ChannelLike = NOBODY;
  /** Neighbours in the listener's list. */
  prev: Connection | null = null;
  next: Connection | null = null;
  /** Present when the listener has a rate limit. */
  meter: Bucket | null = null;
  private state = OPEN;
  /** It is no client's yet. */
  private opening = true;
  /** Why it ends when we or the deadline end it; "" = the peer does. */
  private reason = "";
  /** What is awaited, told as the reason when it does not come; "" = nothing. */
  private awaited = "";
  private aborted = false;
  private blocked = false;
  private paused = 0;

  constructor(
    readonly listener: Listener,
    readonly wire: Wire,
    public ip: string,
    public port: number,
  ) {}

  // ---- for the layer above

  write(buf: Uint8Array, offset: number, length: number): number {
    if (this.state > OPEN) return -1;
    const n = this.wire.write(buf, offset, length);
    if (n < length && n >= 0) this.#stuck(n > 0);
    return n;
  }

  /** The kernel's buffer is full. The time without any progress is limited by `send_timeout`. */
  #stuck(progress: boolean): void {
    if (this.blocked && !progress) return;
    this.blocked = true;
    if (this.awaited !== "") return;
    const { sendTimeoutMs, sendTimeoutClose } = this.listener.config;
    if (sendTimeoutClose && sendTimeoutMs > 0) this.listener.deadlines.set(this, sendTimeoutMs);
  }

  /**
   * Half-close and drain: an immediate close would turn into a TCP reset when the peer is still sending, and the peer would
   * lose the reason it was told.
   */
  end(): void {
    if (this.state >= CLOSING) return;
    this.state = CLOSING;
    this.channel = NOBODY;
    this.listener.deadlines.set(this, this.listener.lingerMs);
    if (this.paused !== 0) this.wire.resume();
    this.wire.shutdown();
  }

  /**
   * Three system calls and a deadline less than `end`. Slowly all the same where the peer's close_notify is still to come, where the kernel
   * has not taken everything, and where bytes lie unread: they would turn the close into a reset.
   */
  finish(): void {
    if (this.listener.secure || this.blocked || this.paused !== 0) {
      this.end();
      return;
    }
    if (this.state >= CLOSING) return;
    this.state = CLOSING;
    this.channel = NOBODY;
    this.wire.close();
  }

  destroy(): void {
    if (this.state === CLOSED) return;
    this.channel = NOBODY;
    this.wire.terminate();
  }

  pause(): void {
    this.#hold(PAUSED_BY_CHANNEL);
  }
  resume(): void {
    this.#release(PAUSED_BY_CHANNEL);
  }

  /** Four system calls, which a client with a keep alive does not need. */
  probe(): void {
    if (this.state === OPEN) this.wire.setKeepAlive(true, PROBE_MS);
  }

  expectWithin(ms: number, reason: string): void {
    if (this.state >= CLOSING) return;
    this.awaited = reason;
    this.listener.deadlines.set(this, ms);
  }

  settled(): void {
    this.opening = false;
    if (this.awaited === "") return;
    this.awaited = "";
    this.listener.deadlines.clear(this);
  }

  because(reason: string): void {
    if (!this.aborted) this.reason = reason;
  }

  abort(reason: string): void {
    if (this.state === CLOSED) return;
    this.reason = reason;
    // Closing a TLS socket in its handshake reports a failed handshake first.
    this.aborted = true;
    this.wire.terminate();
  }

  // ---- for the listener

  drained(): void {
    if (this.blocked) {
      this.blocked = false;
      if (this.state === OPEN && this.awaited === "") this.listener.deadlines.clear(this);
    }
    this.channel.onDrain();
  }

  /** Called by the shared deadlines. */
  expired(): void {
    if (this.state === CLOSING) this.wire.close();
    else this.abort(this.awaited || "send_timeout");
  }

  closed(error: Error | undefined): void {
    if (this.state === CLOSED) return;
    const reason = this.reason || (error === undefined ? "closed" : "tcp_error");
    const { channel } = this;
    this.state = CLOSED;
    this.channel = NOBODY;
    this.listener.forget(this);
    if (this.opening) this.listener.rejected(reason, this.ip);
    channel.onClose(reason);
  }

  /** `bytes` were read: above the listener's rate, reading stops until they are paid for. */
  charge(meter: Bucket, bytes: number): void {
    const wait = meter.spend(bytes, this.listener.now());
    if (wait === 0 || this.state > OPEN) return;
    this.#hold(PAUSED_BY_RATE);
    this.listener.slowed.set(this, wait);
  }

  paid(): void {
    this.#release(PAUSED_BY_RATE);
  }

  #hold(who: number): void {
    if (this.state > OPEN) return;
    if (this.paused === 0) this.wire.pause();
    this.paused |= who;
  }

  #release(who: number): void {
    if ((this.paused & who) === 0) return;
    this.paused &= ~who;
    if (this.paused === 0 && this.state <= OPEN) this.wire.resume();
  }
}

seldomOf(Connection, "end", "finish", "expectWithin", "settled", "closed");
