/** A packet that the end of a chunk has cut: its bytes are gathered until it is whole. */
import { copyBytes } from "../lib/bytes.ts";
import { frameLength } from "../mqtt/frame.ts";
import type { ProtocolVersion } from "../mqtt/types.ts";

/** The buffer grows with what arrives, never by what the packet's header claims. */
const MIN = 256;

export class CutPacket {
  #buf: Uint8Array;
  #length: number;

  /** Keep `buf[pos, end)`. `total`: length of the packet, 0 = not known yet. */
  constructor(buf: Uint8Array, pos: number, end: number, total: number) {
    const have = end - pos;
    this.#buf = Buffer.allocUnsafeSlow(total === 0 ? 8 : Math.min(total, Math.max(MIN, have * 2)));
    copyBytes(buf, this.#buf, 0, pos, end);
    this.#length = have;
  }

  /** Memory it takes, bytes. */
  get held(): number {
    return this.#buf.length;
  }

  /** Bytes gathered; the packet once it is whole. */
  get bytes(): Uint8Array {
    return this.#buf;
  }

  /** Length of the whole packet; 0 = not known yet. */
  total(version: ProtocolVersion | 0): number {
    return frameLength(this.#buf, 0, this.#length, version);
  }

  /** Take from the chunk what is missing to `total`. Returns how many bytes that were. */
  take(chunk: Uint8Array, total: number): number {
    const have = this.#length;
    const n = Math.min(total - have, chunk.length);
    if (have + n > this.#buf.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(total, Math.max(have + n, this.#buf.length * 2)));
      copyBytes(this.#buf, grown, 0, 0, have);
      this.#buf = grown;
    }
    copyBytes(chunk, this.#buf, have, 0, n);
    this.#length = have + n;
    return n;
  }

  whole(total: number): boolean {
    return this.#length >= total;
  }

  /** Not even the length was there: both pieces as one. */
  joined(chunk: Uint8Array): Uint8Array {
    const all = Buffer.allocUnsafeSlow(this.#length + chunk.length);
    copyBytes(this.#buf, all, 0, 0, this.#length);
    copyBytes(chunk, all, this.#length, 0, chunk.length);
    return all;
  }
}
