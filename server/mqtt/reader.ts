/** Cursor over the body of one packet, for the packets that are not on the hot path. */
import { RC } from "./reason_codes.ts";
import { ProtocolError, type UserProperty } from "./types.ts";
import { readUtf8 } from "./utf8.ts";

/**
 * Reads never pass `end` and never throw. The first refusal is kept in `error` and moves the cursor to the end, so that loops
 * over the rest stop; the value read then is 0 or empty and must not be used.
 */
export class Reader {
  error: ProtocolError | null = null;

  constructor(
    readonly buf: Uint8Array,
    public pos: number,
    readonly end: number,
  ) {}

  fail(code: number, why: string): void {
    this.error ??= new ProtocolError(code, why);
    this.pos = this.end;
  }

  /** Moves over `n` bytes; -1 (and refused) when there are fewer, else where they begin. */
  private take(n: number, what: string): number {
    const at = this.pos;
    if (at + n > this.end) {
      this.fail(RC.MALFORMED_PACKET, `${what} is cut short`);
      return -1;
    }
    this.pos = at + n;
    return at;
  }

  u8(what: string): number {
    const at = this.take(1, what);
    return at < 0 ? 0 : (this.buf[at] as number);
  }

  u16(what: string): number {
    const at = this.take(2, what);
    return at < 0 ? 0 : ((this.buf[at] as number) << 8) | (this.buf[at + 1] as number);
  }

  u32(what: string): number {
    const high = this.u16(what);
    return high * 0x1_0000 + this.u16(what);
  }

  /** Variable Byte Integer: at most four bytes, and no more than needed [MQTT-1.5.5-1]. */
  varInt(what: string): number {
    let value = 0;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.u8(what);
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (byte === 0 && shift > 0) this.fail(RC.MALFORMED_PACKET, `${what} is not encoded in the fewest bytes`);
      return value;
    }
    this.fail(RC.MALFORMED_PACKET, `${what} is longer than four bytes`);
    return 0;
  }

  /** UTF-8 Encoded String [MQTT-1.5.4-1]. */
  string(what: string): string {
    const n = this.u16(what);
    const at = this.take(n, what);
    if (at < 0) return "";
    const s = readUtf8(this.buf, at, at + n);
    if (s === null) this.fail(RC.MALFORMED_PACKET, `${what} is not a valid UTF-8 string`);
    return s ?? "";
  }

  /** Binary Data, copied out of the packet: it outlives the receive buffer. */
  binary(what: string): Uint8Array {
    const n = this.u16(what);
    const at = this.take(n, what);
    const copy = new Uint8Array(at < 0 ? 0 : n);
    if (at >= 0) copy.set(this.buf.subarray(at, at + n));
    return copy;
  }

  pair(what: string): UserProperty {
    const key = this.string(what);
    return [key, this.string(what)];
  }

  /** The packet must be used up. */
  finish(): void {
    if (this.pos !== this.end) this.fail(RC.MALFORMED_PACKET, "bytes left over after the packet");
  }
}
