/** Bits of whole numbers, and numbers out of bits. */
import { ArgumentError, Refusal } from "../errors.ts";
import { bytesOf, textOrBytes, type Value } from "../values.ts";
import { bigOf, wholeNumber } from "../wholes.ts";
import { pay } from "../work.ts";
import { oneOf, Table, textOrBytesArg, whole } from "./table.ts";

/** Most bits that make a number, and farthest shift. */
const MAX_BITS = 1024;

const isInt32 = (a: Value): a is number => typeof a === "number" && (a | 0) === a;

/** Without bigints where both fit. */
function bitwise(small: (a: number, b: number) => number, big: (a: bigint, b: bigint) => bigint): (a: Value, b: Value) => Value {
  return (a, b) => (isInt32(a) && isInt32(b) ? small(a, b) : wholeNumber(big(bigOf(a), bigOf(b))));
}

function shift(n: Value, by: Value): Value {
  const places = whole(by);
  if (Math.abs(places) > MAX_BITS) throw new ArgumentError(`a shift of at most ${MAX_BITS} bits`, places);
  return wholeNumber(places >= 0 ? bigOf(n) << BigInt(places) : bigOf(n) >> BigInt(-places));
}

/** A text is made bytes. */
const OF_BYTES = { cost: "text" } as const;

export const bits = new Table("bits")
  .add("bitnot", "n", "Every bit the other way.", "bitnot(10)", -11, (n) => wholeNumber(~bigOf(n)))
  .add(
    "bitand",
    "a, b",
    "Bits that are set in both.",
    "bitand(10, 8)",
    8,
    bitwise(
      (a, b) => a & b,
      (a, b) => a & b,
    ),
  )
  .add(
    "bitor",
    "a, b",
    "Bits that are set in one or both.",
    "bitor(10, 5)",
    15,
    bitwise(
      (a, b) => a | b,
      (a, b) => a | b,
    ),
  )
  .add(
    "bitxor",
    "a, b",
    "Bits that are set in one of them.",
    "bitxor(10, 8)",
    2,
    bitwise(
      (a, b) => a ^ b,
      (a, b) => a ^ b,
    ),
  )
  .add("bitsl", "n, places", "Shifted to the left.", "bitsl(8, 2)", 32, shift)
  .add("bitsr", "n, places", "Shifted to the right; the sign stays.", "bitsr(-8, 2)", -2, (n, by) => shift(n, -whole(by)))
  .add(
    "bitsize",
    "bytes",
    "Number of bits; of text, those of its UTF-8.",
    "bitsize('abc')",
    24,
    (b) => bytesOf(textOrBytesArg(b)).length * 8,
    OF_BYTES,
  )
  .add(
    "bytesize",
    "bytes",
    "Number of bytes; of text, those of its UTF-8.",
    "bytesize('é')",
    2,
    (b) => bytesOf(textOrBytesArg(b)).length,
    OF_BYTES,
  )
  .add(
    "subbits",
    "bytes, start_or_length[, length[, type[, sign[, endianness]]]]",
    "Bits of bytes or text as a number. With two arguments the first `length` bits, else from bit `start` (1 = the first). " +
      "type: integer (default), float (16, 32 or 64 bits), bits (bytes again); sign: unsigned (default), signed; endianness: big (default), little. " +
      "What is left where fewer are there; nothing where none are.",
    "subbits(hexstr2bin('9F4E58'), 9, 16, 'integer', 'signed', 'little')",
    0x584e,
    subbits,
    { ...OF_BYTES, checks: { 3: oneOf("integer", "float", "bits"), 4: oneOf("unsigned", "signed"), 5: oneOf("big", "little") } },
  );

const typeOf = oneOf("integer", "float", "bits");
const signOf = oneOf("unsigned", "signed");
const endianOf = oneOf("big", "little");

function subbits(value: Value, a: Value, b: Value, type: Value, sign: Value, endianness: Value): Value {
  const bytes = bytesOf(textOrBytesArg(value));
  const from = b === undefined ? 0 : whole(a) - 1;
  const length = Math.min(whole(b === undefined ? a : b), bytes.length * 8 - from);
  if (from < 0) throw new ArgumentError("a start of 1 or more", a);
  const kind = typeOf(type);
  const isSigned = signOf(sign) === "signed";
  const isLittle = endianOf(endianness) === "little";
  if (length <= 0) return undefined;
  if (kind === "bits") return textOrBytes(slice(bytes, from, length));
  if (length > MAX_BITS) throw new ArgumentError(`at most ${MAX_BITS} bits`, length);
  const raw = slice(bytes, from, length);
  if (kind === "float") return float(raw, length, isLittle);
  return wholeNumber(integer(raw, length, isSigned, isLittle));
}

/** `length` bits from bit `from`, paid for; the last byte is filled up with zeros. */
function slice(bytes: Uint8Array, from: number, length: number): Uint8Array {
  pay(length);
  const first = from >> 3;
  const skew = from & 7;
  const out = new Uint8Array((length + 7) >> 3);
  for (let i = 0; i < out.length; i++) {
    const high = bytes[first + i] ?? 0;
    const low = bytes[first + i + 1] ?? 0;
    out[i] = skew === 0 ? high : ((high << skew) | (low >> (8 - skew))) & 0xff;
  }
  const spare = out.length * 8 - length;
  if (spare > 0) out[out.length - 1] = (out[out.length - 1] as number) & (0xff << spare);
  return out;
}

/** Of little endianness the last byte is the one that may have fewer bits, and it is the highest. */
function integer(raw: Uint8Array, length: number, isSigned: boolean, isLittle: boolean): bigint {
  const spare = BigInt(raw.length * 8 - length);
  let n = 0n;
  if (isLittle) {
    for (let i = raw.length - 1; i >= 0; i--)
      n = i === raw.length - 1 ? BigInt(raw[i] as number) >> spare : (n << 8n) | BigInt(raw[i] as number);
  } else {
    for (const byte of raw) n = (n << 8n) | BigInt(byte);
    n >>= spare;
  }
  return isSigned ? BigInt.asIntN(length, n) : n;
}

function float(raw: Uint8Array, length: number, isLittle: boolean): number {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  if (length === 16) return finite(view.getFloat16(0, isLittle));
  if (length === 32) return finite(view.getFloat32(0, isLittle));
  if (length === 64) return finite(view.getFloat64(0, isLittle));
  throw new ArgumentError("a float of 16, 32 or 64 bits", length);
}

function finite(n: number): number {
  if (!Number.isFinite(n)) throw new Refusal("these bits are no finite number");
  return n;
}
