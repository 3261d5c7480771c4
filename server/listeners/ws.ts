/**
 * MQTT over WebSocket spoken here, on the same sockets as TCP and TLS: for listeners with PROXY protocol or client certificates,
 * which Bun.serve has not. All others are served by Bun.serve (ws_serve.ts).
 */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { ListenerConfig } from "../config/types.ts";
import { copyBytes } from "../lib/bytes.ts";
import type { OriginCheck } from "../lib/origin.ts";
import { Forwarding } from "./forwarding.ts";
import { type ChannelLike, copyOf, Layer, type Link, lightened, NOBODY } from "./link.ts";
import { BINARY, closeFrame, FrameReader, type FrameSink, frameOf, headerSize, PONG, writeHeader } from "./ws_frames.ts";
import { answerUpgrade, type HttpRefusal, parseRequest, refusalText, type UpgradeRules } from "./ws_request.ts";
import { Unfinished } from "./ws_unfinished.ts";

/** Longest payload of one outgoing frame: what the core writes in one flush. */
const MAX_FRAME = 64 * 1024;
/** Smaller messages do not get shorter by compression. */
const COMPRESS_FROM = 128;
/** A message compressed without a context ends in an empty block, which is not sent (RFC 7692 section 7.2.1). */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const CLOSE_MS = 2000;
/** Close codes: RFC 6455 section 7.4.1. */
const NORMAL = 1000;
const INVALID_DATA = 1007;

export interface WsRules extends UpgradeRules {
  forwarding: Forwarding;
  /** Longest payload of a frame, bytes. */
  maxFrame: number;
}

/** Bytes of a frame: at least so many, whatever the zone says. */
const FRAME_MIN = 64 * 1024;
/** Where no zone is known. */
const DEFAULT_MAX_PACKET = 1024 * 1024;

export function wsRules(c: ListenerConfig, origins: OriginCheck, maxPacket = DEFAULT_MAX_PACKET): WsRules {
  return {
    path: c.mqttPath,
    verifyProtocol: c.verifyProtocolHeader,
    compress: c.compress,
    origins,
    forwarding: new Forwarding(c),
    // A frame may carry more than one packet.
    maxFrame: c.maxFrameSize > 0 ? c.maxFrameSize : Math.max(FRAME_MIN, 2 * maxPacket),
  };
}

/** Reasons of `ChannelLike.onClose` by close code. */
const REASONS: Record<number, string> = {
  1003: "ws_text_frame",
  1007: "ws_bad_compression",
  1009: "ws_frame_too_large",
  1013: "ws_messages_unfinished",
};

/** Waits for the HTTP request, answers it, and puts the WebSocket in its own place. */
export class WsHandshake implements ChannelLike {
  #head: Uint8Array | null = null;

  constructor(
    private readonly link: Link,
    private readonly rules: WsRules,
    private readonly shared: WsShared,
    /** Gets the WebSocket and gives the channel for it. */
    private readonly opened: (ws: WsLink) => ChannelLike,
    private readonly refused: (refusal: HttpRefusal) => void,
  ) {}

  onData(chunk: Uint8Array): void {
    const head = this.#head === null ? chunk : Buffer.concat([this.#head, chunk]);
    const parsed = parseRequest(head);
    if (parsed.state === "incomplete") {
      this.#head = head;
      return;
    }
    if (parsed.state === "bad") {
      this.#refuse(parsed.refusal);
      return;
    }
    const { request } = parsed;
    const answer = answerUpgrade(request, this.rules);
    if (!answer.ok) {
      this.#refuse(answer.refusal);
      return;
    }
    const bytes = Buffer.from(answer.upgrade.answer, "latin1");
    // A fresh socket takes a few hundred bytes; one that does not is of no use.
    if (this.link.write(bytes, 0, bytes.length) !== bytes.length) {
      this.link.abort("ws_handshake_error");
      return;
    }
    const { headers } = request;
    const [ip, port] = this.rules.forwarding.told((name) => headers.get(name), this.link.ip, this.link.port);
    this.link.settled();
    const ws = new WsLink(this.link, ip, port, this.rules.maxFrame, answer.upgrade.compress, this.shared);
    this.link.channel = ws;
    ws.channel = this.opened(ws);
    // A client may send frames before it has seen the answer.
    if (request.length < head.length) ws.onData(head.subarray(request.length));
  }
  onDrain(): void {}
  onClose(): void {}

  #refuse(refusal: HttpRefusal): void {
    this.refused(refusal);
    const bytes = Buffer.from(refusalText(refusal), "utf8");
    this.link.write(bytes, 0, bytes.length);
    this.link.because("ws_refused");
    this.link.end();
  }
}

/** What the connections of a listener share. */
export class WsShared {
  readonly unfinished = new Unfinished();
  /** Frames are put together here, one at a time. */
  readonly scratch = Buffer.allocUnsafeSlow(MAX_FRAME + 16);
}

/** An open WebSocket: a transport for the channel, whose bytes travel in binary frames. */
export class WsLink extends Layer implements Link, ChannelLike, FrameSink {
  readonly #reader: FrameReader;
  /** What the kernel has not taken of a header, a control frame or a compressed frame: nothing else may go out before it. */
  #rest: Uint8Array | null = null;
  /** Payload that the header sent last has promised. It comes with the channel's next writes: what waits is the channel's, and counted there. */
  #owed = 0;
  /** Answer to the last ping, while it waits for room. */
  #pong: Uint8Array | null = null;
  /** Close frame that waits for room. */
  #goodbye: Uint8Array | null = null;
  #closing = false;

  constructor(
    link: Link,
    public ip: string,
    public port: number,
    private readonly maxFrame: number,
    private readonly compress: boolean,
    private readonly shared: WsShared,
  ) {
    super(link);
    this.#reader = new FrameReader(this, maxFrame, compress, shared.unfinished);
  }

  // ---- from the socket

  onData(chunk: Uint8Array): void {
    if (!this.#closing) this.#reader.read(chunk);
  }

  onDrain(): void {
    if (!this.#flush()) return;
    if (this.#goodbye !== null) this.#leave();
    else this.channel.onDrain();
  }

  onClose(reason: string): void {
    this.#closing = true;
    this.#reader.stop();
    const channel = this.channel;
    this.channel = NOBODY;
    channel.onClose(reason);
  }

  // ---- from the frame reader

  onBytes(bytes: Uint8Array): void {
    this.channel.onData(bytes);
  }

  onCompressed(message: Uint8Array): void {
    if (this.#closing) return;
    let plain: Uint8Array;
    try {
      const options = { maxOutputLength: this.maxFrame, finishFlush: constants.Z_SYNC_FLUSH };
      plain = inflateRawSync(Buffer.concat([message, TAIL]), options);
    } catch (err) {
      const tooLarge = (err as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
      this.onViolation(
        tooLarge ? 1009 : INVALID_DATA,
        tooLarge ? `message longer than ${this.maxFrame} bytes` : "message cannot be decompressed",
      );
      return;
    }
    if (plain.length > 0) this.channel.onData(lightened(plain));
  }

  onPing(payload: Uint8Array): void {
    if (this.#closing) return;
    // Only the most recent ping needs an answer (RFC 6455 section 5.5.3).
    this.#pong = frameOf(PONG, payload);
    this.#flush();
  }

  onPeerClose(code: number): void {
    this.#fail("closed", code === 1005 ? NORMAL : code, "");
  }

  onViolation(code: number, why: string): void {
    this.#fail(REASONS[code] ?? "ws_protocol_error", code, why);
  }

  /** The channel hears of it now, not after the slow close. */
  #fail(reason: string, code: number, why: string): void {
    if (this.#closing) return;
    const channel = this.channel;
    this.#close(code, why);
    channel.onClose(reason);
  }

  // ---- for the channel

  write(buf: Uint8Array, offset: number, length: number): number {
    if (this.#closing) return -1;
    let done = 0;
    while (done < length && this.#rest === null) {
      const begun = this.#owed > 0;
      const n = Math.min(length - done, begun ? this.#owed : MAX_FRAME);
      const taken = begun ? this.#pay(buf, offset + done, n) : this.#writeFrame(buf, offset + done, n);
      if (taken < 0) return -1;
      done += taken;
      if (taken < n) break;
    }
    return done;
  }

  /** More of a frame begun before. */
  #pay(buf: Uint8Array, offset: number, length: number): number {
    const taken = this.link.write(buf, offset, length);
    if (taken > 0) this.#owed -= taken;
    if (this.#owed === 0 && this.#pong !== null) this.#flush();
    return taken;
  }

  /** Returns how much of the payload the kernel took. */
  #writeFrame(buf: Uint8Array, offset: number, length: number): number {
    if (this.compress && length >= COMPRESS_FROM) return this.#writeCompressed(buf.subarray(offset, offset + length));
    const out = this.shared.scratch;
    const at = writeHeader(out, 0, BINARY, length, false);
    copyBytes(buf, out, at, offset, offset + length);
    const n = this.link.write(out, 0, at + length);
    if (n <= 0) return n;
    const taken = Math.max(0, n - at);
    if (n < at) this.#rest = copyOf(out, n, at);
    this.#owed = length - taken;
    return taken;
  }

  /** Whole or not at all: its rest is kept here, since nobody else could go on with it. */
  #writeCompressed(plain: Uint8Array): number {
    const packed = deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH });
    const length = packed.length - TAIL.length;
    const out = Buffer.allocUnsafe(headerSize(length) + length);
    const at = writeHeader(out, 0, BINARY, length, true);
    copyBytes(packed, out, at, 0, length);
    const n = this.#send(out);
    return n > 0 ? plain.length : n;
  }

  /** A frame that is begun goes out as soon as there is room. */
  #send(bytes: Uint8Array): number {
    const n = this.link.write(bytes, 0, bytes.length);
    if (n > 0 && n < bytes.length) this.#rest = bytes.subarray(n);
    return n;
  }

  /** Send what waits: the rest of a frame, then a pong. False = there is still something. */
  #flush(): boolean {
    if (this.#rest !== null) {
      const rest = this.#rest;
      this.#rest = null;
      const n = this.link.write(rest, 0, rest.length);
      if (n < 0) return false;
      if (n < rest.length) {
        this.#rest = rest.subarray(n);
        return false;
      }
    }
    if (this.#pong !== null && this.#owed === 0 && !this.#closing) {
      const n = this.#send(this.#pong);
      if (n === 0) return false;
      this.#pong = null;
    }
    return this.#rest === null;
  }

  end(): void {
    this.#close(NORMAL, "");
  }
  /** The Close frames are still to be exchanged. */
  finish(): void {
    this.end();
  }

  destroy(): void {
    this.#closing = true;
    this.#reader.stop();
    this.channel = NOBODY;
    this.link.destroy();
  }

  #close(code: number, why: string): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#reader.stop();
    this.channel = NOBODY;
    this.#goodbye = closeFrame(code, why);
    this.#leave();
  }

  /**
   * Close frame, then the slow close of the socket, once an unfinished frame is out. The channel sends no more of one that it owes: such a
   * stream ends as one on TCP does, in the middle.
   */
  #leave(): void {
    if (this.#rest !== null) {
      this.link.expectWithin(CLOSE_MS, "closed");
      return;
    }
    if (this.#goodbye !== null && this.#owed === 0) this.link.write(this.#goodbye, 0, this.#goodbye.length);
    this.#goodbye = null;
    this.link.end();
  }

  pause(): void {
    this.link.pause();
  }
  resume(): void {
    this.link.resume();
  }
}
