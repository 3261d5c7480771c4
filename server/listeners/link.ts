/**
 * How the pieces of a connection stand on each other: socket, [PROXY header], [TLS behind a proxy], [WebSocket], channel.
 * Each piece is a `ChannelLike` to the one below and a `Link` to the one above.
 */

import type { Clock, ListenerInfo, Log, Transport } from "../core/ports.ts";
import type { PeerCertificate } from "../core/types.ts";
import { LIGHT } from "../lib/bytes.ts";

/** What the listeners need of a channel; `core/channel.ts` has these methods. */
export interface ChannelLike {
  /** Bytes from the peer. The chunk is the channel's: it is never reused. */
  onData(chunk: Uint8Array): void;
  /** The transport takes bytes again. May come without a short write before. */
  onDrain(): void;
  /** The transport is gone. At most once, and not after the channel itself said `end()` or `destroy()`. */
  onClose(reason: string): void;
  /** "opening" until its CONNECT has come whole. */
  readonly phase?: string;
  /** Say good-bye in the protocol's own way (a listener is being stopped). */
  close?(code: number, reason: string): void;
}

export type Accept = (transport: Transport, listener: ListenerInfo, cert: PeerCertificate | null) => ChannelLike;

export interface ListenerDeps {
  accept: Accept;
  log: Log;
  clock: Clock;
  /** Where the self-signed certificate is kept. */
  dataDir: string;
  /** Largest MQTT packet of a zone, bytes; bounds a WebSocket frame when `max_frame_size` does not. */
  maxPacketSize?: (zone: string) => number;
  /** Bytes that Bun.serve may hold of WebSockets whose CONNECT has not come, all together. No limit when missing. */
  openingBudget?: () => number;
  /** Speak WebSocket on our own sockets everywhere, not only where Bun.serve cannot. */
  ownWebSocket?: boolean;
  /** A connection was not let in, or never became a client's. */
  rejected?: (reason: string) => void;
  /** Write what the channels have gathered (`Broker.flush`). */
  flush?: () => void;
}

/** A transport whose upper side can be exchanged, and which can still be in its opening phase. */
export interface Link extends Transport {
  ip: string;
  port: number;
  channel: ChannelLike;
  /** What is awaited now must be over in `ms`, or the connection is dropped for `reason`. `settled()` takes it back. */
  expectWithin(ms: number, reason: string): void;
  /** The opening phase is over: from here on the channel decides. */
  settled(): void;
  /** What to tell when it closes, whoever closes it. */
  because(reason: string): void;
  /** Drop the connection now and tell the channel `reason`. */
  abort(reason: string): void;
}

/** The upper side of a link that has none (yet, or any more). */
export const NOBODY: ChannelLike = {
  onData() {},
  onDrain() {},
  onClose() {},
};

/** A piece of a connection that stands on another link: what it has no part in is the lower one's. */
export abstract class Layer {
  channel: ChannelLike = NOBODY;

  constructor(protected readonly link: Link) {}

  probe(): void {
    this.link.probe();
  }
  expectWithin(ms: number, reason: string): void {
    this.link.expectWithin(ms, reason);
  }
  settled(): void {
    this.link.settled();
  }
  because(reason: string): void {
    this.link.because(reason);
  }
  abort(reason: string): void {
    this.link.abort(reason);
  }
}

/** Bytes of a buffer beside the chunk: a header's worth. */
const BESIDE = 64;

/** May a piece of so many bytes be handed on as a view of a buffer of so many? */
export const mayBeView = (length: number, whole: number): boolean => length > LIGHT || whole - length <= BESIDE;

/** A copy, whatever kind of byte array it is of: `slice` of a Buffer is a view. */
export const copyOf = (bytes: Uint8Array, start: number, end: number): Uint8Array => Uint8Array.prototype.slice.call(bytes, start, end);

/** Arrays of so few bytes have no buffer until somebody asks for it. To make that takes 160 ns, a copy 30. */
const WITHIN = 1000;

/** The same bytes, in a buffer of their own where they are few of a large one, or may be. */
export const lightened = (chunk: Uint8Array): Uint8Array =>
  chunk.length > WITHIN && mayBeView(chunk.length, chunk.buffer.byteLength) ? chunk : copyOf(chunk, 0, chunk.length);

/** What a listener needs of whatever serves its port. */
export interface Port {
  readonly port: number;
  stop(closeConnections?: boolean): void;
}
