/**
 * WebSocket frames (RFC 6455 section 5) as a server reads and writes them. To MQTT the frames are one stream of bytes
 * [MQTT-6.0.0-3], so payload is handed on as it comes: nothing but a cut header or control frame is ever kept.
 */
import { copyBytes } from "../lib/bytes.ts";
import { copyOf, mayBeView } from "./link.ts";
import type { Holder, Unfinished } from "./ws_unfinished.ts";

const CONTINUATION = 0;
const TEXT = 1;
export const BINARY = 2;
const CLOSE = 8;
const PING = 9;
export const PONG = 10;

const FIN = 0x80;
const RSV1 = 0x40;
const MAX_CONTROL = 125;
/** 2 bytes, 8 of extended length, 4 of mask. */
const MAX_HEADER = 14;

/** From so many bytes on payload is unmasked by words of four. */
const BY_WORDS = 256;
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

const NOTHING = new Uint8Array(0);

/** Where the reader hands over what it found. */
export interface FrameSink {
  /** Bytes of binary messages that are not compressed, in order. */
  onBytes(bytes: Uint8Array): void;
  /** A whole compressed message. */
  onCompressed(message: Uint8Array): void;
  onPing(payload: Uint8Array): void;
  /** Status code of the peer's Close frame; 1005 = it named none. */
  onPeerClose(code: number): void;
  /** The peer broke the rules: close with this status code. */
  onViolation(code: number, why: string): void;
}

export class FrameReader implements Holder {
  /** A frame header that has not come whole. */
  #cut: Uint8Array | null = null;
  #cutLength = 0;
  #opcode = -1;
  #fin = false;
  /** Payload still to come, and the mask's position. */
  #left = 0;
  #maskAt = 0;
  #mask = 0;
  /** Inside a message of several frames. */
  #inMessage = false;
  #compressed = false;
  /** A compressed message so far, and a control frame so far: the second may come between the fragments of the first. */
  #message: Uint8Array[] = [];
  #messageLength = 0;
  #control: Uint8Array[] = [];
  /** Payload of the chunk in hand that is moved together but not handed on: [from, ready). */
  #chunk: Uint8Array = NOTHING;
  #from = 0;
  #ready = 0;
  #over = false;

  constructor(
    private readonly sink: FrameSink,
    /** Longest payload of a frame, or of a compressed message. */
    private readonly maxPayload: number,
    private readonly allowCompressed: boolean,
    private readonly unfinished: Unfinished,
  ) {}

  /** Read a chunk; it is unmasked, and its payload moved together, in place. */
  read(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#from = this.#ready = 0;
    let at = 0;
    while (at < chunk.length && !this.#over) {
      if (this.#opcode < 0) {
        at = this.#readHeader(chunk, at);
        continue;
      }
      const n = Math.min(this.#left, chunk.length - at);
      if (this.#opcode > BINARY) this.#control.push(this.#unmasked(chunk, at, n));
      else if (this.#compressed) this.#keep(chunk, at, n);
      else {
        this.#unmask(chunk, at, n, chunk, this.#ready);
        this.#ready += n;
      }
      at += n;
      this.#left -= n;
      if (this.#left === 0 && !this.#over) this.#frameDone();
    }
    this.#handOn();
    this.#chunk = NOTHING;
  }

  /** Nothing more is read: the connection is being closed. */
  stop(): void {
    this.#over = true;
    this.#forgetMessage();
  }

  giveUp(): void {
    this.#violation(1013, "compressed messages under way take too much memory");
  }

  #forgetMessage(): void {
    if (this.#message.length > 0) this.unfinished.release(this);
    this.#message = [];
    this.#messageLength = 0;
  }

  /** What came before an event goes up before it. */
  #handOn(): void {
    if (this.#ready === this.#from) return;
    const chunk = this.#chunk;
    const view = mayBeView(this.#ready - this.#from, chunk.length);
    const bytes = view ? chunk.subarray(this.#from, this.#ready) : copyOf(chunk, this.#from, this.#ready);
    this.#from = this.#ready;
    this.sink.onBytes(bytes);
  }

  /** Returns the position behind the header, or the chunk's end when it is cut. */
  #readHeader(chunk: Uint8Array, start: number): number {
    if (this.#cut === null && chunk.length - start >= 2) {
      const size = sizeOfHeader(chunk[start + 1] as number);
      if (chunk.length - start >= size) {
        this.#begin(chunk, start, size);
        return start + size;
      }
    }
    this.#cut ??= new Uint8Array(MAX_HEADER);
    const h = this.#cut;
    for (let at = start; at < chunk.length; ) {
      h[this.#cutLength++] = chunk[at++] as number;
      // Of a frame against the rules no more may ever come: without a mask, say, it is over by now.
      if (this.#cutLength === 2 && !this.#checkStart(h[0] as number, h[1] as number)) return at;
      const size = this.#cutLength < 2 ? MAX_HEADER : sizeOfHeader(h[1] as number);
      if (this.#cutLength < size) continue;
      this.#cut = null;
      this.#cutLength = 0;
      this.#begin(h, 0, size);
      return at;
    }
    return chunk.length;
  }

  /** Rules that the first two bytes can break. */
  #checkStart(b0: number, b1: number): boolean {
    const opcode = b0 & 15;
    const control = opcode >= CLOSE;
    const first = opcode === BINARY || opcode === TEXT;
    if ((b1 & 0x80) === 0) return this.#violation(1002, "frame is not masked");
    if (opcode > PONG || (opcode > BINARY && opcode < CLOSE)) return this.#violation(1002, "reserved opcode");
    if ((b0 & 0x30) !== 0 || ((b0 & RSV1) !== 0 && !(this.allowCompressed && first))) return this.#violation(1002, "reserved bit");
    if (opcode === TEXT) return this.#violation(1003, "MQTT needs binary frames");
    if (control && ((b0 & FIN) === 0 || (b1 & 0x7f) > MAX_CONTROL)) return this.#violation(1002, "control frame is cut or too long");
    if (first && this.#inMessage) return this.#violation(1002, "message begins inside another");
    if (opcode === CONTINUATION && !this.#inMessage) return this.#violation(1002, "continuation of nothing");
    return true;
  }

  #begin(h: Uint8Array, at: number, size: number): void {
    const b0 = h[at] as number;
    const b1 = h[at + 1] as number;
    if (!this.#checkStart(b0, b1)) return;
    const short = b1 & 0x7f;
    let length = short < 126 ? short : 0;
    if (short >= 126) for (let i = at + 2; i < at + size - 4; i++) length = length * 256 + (h[i] as number);
    const opcode = b0 & 15;
    if (opcode === BINARY) this.#compressed = (b0 & RSV1) !== 0;
    const soFar = opcode <= BINARY ? this.#messageLength : 0;
    if (soFar + length > this.maxPayload) {
      this.#violation(1009, `frame of ${length} bytes, limit ${this.maxPayload}`);
      return;
    }
    this.#opcode = opcode;
    this.#fin = (b0 & FIN) !== 0;
    this.#left = length;
    this.#maskAt = 0;
    const m = at + size - 4;
    this.#mask = ((h[m] as number) << 24) | ((h[m + 1] as number) << 16) | ((h[m + 2] as number) << 8) | (h[m + 3] as number);
    if (length === 0) this.#frameDone();
  }

  /** `to` may be `from`, at the same place or before. */
  #unmask(from: Uint8Array, at: number, n: number, to: Uint8Array, dest: number): void {
    if (n >= BY_WORDS) {
      copyBytes(from, to, dest, at, at + n);
      this.#unmaskWords(to, dest, n);
    } else this.#unmaskBytes(from, at, n, to, dest);
  }

  #unmaskBytes(from: Uint8Array, at: number, n: number, to: Uint8Array, dest: number): void {
    const phase = this.#maskAt;
    const a = this.#maskByte(phase);
    const b = this.#maskByte(phase + 1);
    const c = this.#maskByte(phase + 2);
    const d = this.#maskByte(phase + 3);
    const whole = n & ~3;
    let i = 0;
    for (; i < whole; i += 4) {
      to[dest + i] = (from[at + i] as number) ^ a;
      to[dest + i + 1] = (from[at + i + 1] as number) ^ b;
      to[dest + i + 2] = (from[at + i + 2] as number) ^ c;
      to[dest + i + 3] = (from[at + i + 3] as number) ^ d;
    }
    if (i < n) to[dest + i] = (from[at + i] as number) ^ a;
    if (i + 1 < n) to[dest + i + 1] = (from[at + i + 1] as number) ^ b;
    if (i + 2 < n) to[dest + i + 2] = (from[at + i + 2] as number) ^ c;
    this.#maskAt = (phase + n) & 3;
  }

  /** Where they lie, four at a time: up to the first word of the memory by bytes, and the last ones too. */
  #unmaskWords(bytes: Uint8Array, start: number, n: number): void {
    const first = -(bytes.byteOffset + start) & 3;
    this.#unmaskBytes(bytes, start, first, bytes, start);
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + start + first, (n - first) >> 2);
    const phase = this.#maskAt;
    let mask = 0;
    for (let i = 0; i < 4; i++) mask |= this.#maskByte(phase + i) << (LITTLE_ENDIAN ? 8 * i : 24 - 8 * i);
    for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) ^ mask;
    const done = first + 4 * words.length;
    this.#unmaskBytes(bytes, start + done, n - done, bytes, start + done);
  }

  #maskByte(i: number): number {
    return (this.#mask >>> (24 - (i & 3) * 8)) & 0xff;
  }

  #unmasked(chunk: Uint8Array, at: number, n: number): Uint8Array {
    const part = new Uint8Array(n);
    this.#unmask(chunk, at, n, part, 0);
    return part;
  }

  #keep(chunk: Uint8Array, at: number, n: number): void {
    this.#message.push(this.#unmasked(chunk, at, n));
    this.#messageLength += n;
    this.unfinished.hold(this, this.#messageLength, this.#message.length);
  }

  #frameDone(): void {
    const opcode = this.#opcode;
    this.#opcode = -1;
    if (opcode > BINARY) {
      this.#controlDone(opcode);
      return;
    }
    this.#inMessage = !this.#fin;
    if (!this.#fin || !this.#compressed) return;
    const whole = Buffer.concat(this.#message);
    this.#forgetMessage();
    this.#handOn();
    this.sink.onCompressed(whole);
  }

  #controlDone(opcode: number): void {
    const payload = Buffer.concat(this.#control);
    this.#control = [];
    if (opcode === PONG) return;
    this.#handOn();
    if (opcode === PING) {
      this.sink.onPing(payload);
      return;
    }
    this.#over = true;
    const code = payload.length === 0 ? 1005 : payload.length === 1 ? 0 : payload.readUInt16BE(0);
    if (code === 1005 ? payload.length === 0 : isCloseCode(code)) this.sink.onPeerClose(code);
    else this.sink.onViolation(1002, "invalid close code");
  }

  #violation(code: number, why: string): false {
    this.stop();
    this.#opcode = -1;
    this.#handOn();
    this.sink.onViolation(code, why);
    return false;
  }
}

/** Of a masked frame, by its second byte. */
function sizeOfHeader(b1: number): number {
  const short = b1 & 0x7f;
  return 6 + (short === 126 ? 2 : short === 127 ? 8 : 0);
}

/** Codes a peer may send (RFC 6455 section 7.4 and the IANA registry). */
function isCloseCode(code: number): boolean {
  return (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999);
}

/** Bytes of the header of an unmasked frame. */
export function headerSize(payload: number): number {
  return payload < 126 ? 2 : payload < 65536 ? 4 : 10;
}

/** Write the header of a single-frame message at `at`; returns the position behind it. */
export function writeHeader(to: Uint8Array, at: number, opcode: number, payload: number, compressed: boolean): number {
  to[at] = FIN | (compressed ? RSV1 : 0) | opcode;
  if (payload < 126) {
    to[at + 1] = payload;
    return at + 2;
  }
  if (payload < 65536) {
    to[at + 1] = 126;
    to[at + 2] = payload >> 8;
    to[at + 3] = payload & 0xff;
    return at + 4;
  }
  to[at + 1] = 127;
  let rest = payload;
  for (let i = 9; i >= 2; i--) {
    to[at + i] = rest & 0xff;
    rest = Math.floor(rest / 256);
  }
  return at + 10;
}

/** A whole small frame. */
export function frameOf(opcode: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(headerSize(payload.length) + payload.length);
  const at = writeHeader(out, 0, opcode, payload.length, false);
  copyBytes(payload, out, at, 0, payload.length);
  return out;
}

export function closeFrame(code: number, reason: string): Uint8Array {
  const text = Buffer.from(reason).subarray(0, MAX_CONTROL - 2);
  return frameOf(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), text]));
}
