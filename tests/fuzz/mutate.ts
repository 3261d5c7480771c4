/** Seeded mutations of packets. Everything follows from the seed, so that a failure can be played again. */
import { bodyStart, frameLength, varIntSize, writeVarInt } from "../../server/mqtt/frame.ts";

/** mulberry32: small, fast, and the same everywhere. */
export class Rng {
  constructor(private state: number) {}

  /** 0 <= n < limit. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

/** Bytes at which decoders change their mind: limits of lengths, of UTF-8, wildcards, all property identifiers. */
const INTERESTING = [
  0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0xff, 0x1f, 0x20, 0x23, 0x24, 0x2b, 0x2f, 0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4,
];

function splice(input: Uint8Array, at: number, remove: number, insert: ArrayLike<number>): Uint8Array {
  const out = new Uint8Array(input.length - remove + insert.length);
  out.set(input.subarray(0, at));
  out.set(insert, at);
  out.set(input.subarray(at + remove), at + insert.length);
  return out;
}

type Mutation = (input: Uint8Array, rng: Rng, other: Uint8Array) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  // One bit.
  (input, rng) => {
    const out = input.slice();
    const at = rng.below(out.length);
    out[at] = (out[at] as number) ^ (1 << rng.below(8));
    return out;
  },
  // One byte, to something interesting or to any property identifier.
  (input, rng) => {
    const out = input.slice();
    out[rng.below(out.length)] = rng.below(2) === 0 ? rng.pick(INTERESTING) : rng.below(0x30);
    return out;
  },
  // One more or less, where it may be a length.
  (input, rng) => {
    const out = input.slice();
    const at = rng.below(out.length);
    out[at] = (out[at] as number) + (rng.below(2) === 0 ? 1 : 255);
    return out;
  },
  // Bytes added.
  (input, rng) =>
    splice(
      input,
      rng.below(input.length + 1),
      0,
      Array.from({ length: 1 + rng.below(4) }, () => rng.pick(INTERESTING)),
    ),
  // Bytes taken away.
  (input, rng) => {
    const at = rng.below(input.length);
    return splice(input, at, Math.min(1 + rng.below(4), input.length - at), []);
  },
  // A piece of it again: properties that come twice.
  (input, rng) => {
    const from = rng.below(input.length);
    const piece = input.subarray(from, from + 1 + rng.below(16));
    return splice(input, rng.below(input.length + 1), 0, piece);
  },
  // A piece of another seed.
  (input, rng, other) => {
    const from = rng.below(other.length);
    const piece = other.subarray(from, from + 1 + rng.below(24));
    const at = rng.below(input.length);
    return splice(input, at, rng.below(2) === 0 ? Math.min(piece.length, input.length - at) : 0, piece);
  },
  // Cut.
  (input, rng) => input.slice(0, rng.below(input.length)),
  // Head of one, tail of another.
  (input, rng, other) =>
    splice(input.subarray(0, rng.below(input.length + 1)), 0, 0, []).length
      ? splice(input, rng.below(input.length), 0, other.subarray(rng.below(other.length)))
      : other.slice(),
];

/** Makes the remaining length right again, so that the mutated body comes past the framing. */
export function mendLength(input: Uint8Array): Uint8Array {
  const before = frameLength(input, 0, input.length, 4);
  if (before <= 0) return input;
  const body = input.subarray(bodyStart(input, 0));
  const out = new Uint8Array(1 + varIntSize(body.length) + body.length);
  out[0] = input[0] as number;
  out.set(body, writeVarInt(out, 1, body.length));
  return out;
}

/** One to six mutations of a seed; three times of four with its length mended. */
export function mutate(seeds: readonly Uint8Array[], rng: Rng): Uint8Array {
  let out = rng.pick(seeds);
  for (let n = 1 + rng.below(6); n > 0; n--) {
    const mutation = rng.pick(MUTATIONS);
    out = out.length === 0 ? rng.pick(seeds) : mutation(out, rng, rng.pick(seeds));
  }
  return rng.below(4) === 0 ? out : mendLength(out);
}
