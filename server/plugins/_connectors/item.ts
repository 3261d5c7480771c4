/** What an action keeps of a row until it is sent: values, as bytes on the disk. JSON, with bytes and bigints marked. */
import type { Codec } from "../_sink/types.ts";

export type Scalar = string | number | boolean | Uint8Array | null;

/** Marks of what JSON has not: under a name that no value has, because a value under it is marked itself. */
const BYTES = "$bytes";
const WHOLE = "$whole";
const QUOTED = "$quoted";

/** Anything that JSON has, bytes, bigints. What is none of these is null; a number that JSON has not is its name. */
export const jsonCodec = <T>(): Codec<T> => ({
  encode: (item) => Buffer.from(jsonOf(item)),
  decode: (bytes) => unmarked(JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"))) as T,
});

/** As it stands on the disk. */
export const jsonOf = (item: unknown): string => JSON.stringify(marked(item));

function marked(value: unknown): unknown {
  if (value instanceof Uint8Array) return { [BYTES]: Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64") };
  if (typeof value === "bigint") return { [WHOLE]: String(value) };
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(marked);
  if (typeof value !== "object" || value === null) return value ?? null;
  const out: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) if (inner !== undefined) setOwn(out, name, marked(inner));
  return BYTES in out || WHOLE in out || QUOTED in out ? { [QUOTED]: out } : out;
}

function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== "object" || value === null) return value;
  const object = value as Record<string, unknown>;
  if (typeof object[BYTES] === "string") return new Uint8Array(Buffer.from(object[BYTES], "base64"));
  if (typeof object[WHOLE] === "string") return BigInt(object[WHOLE]);
  const inside = typeof object[QUOTED] === "object" && object[QUOTED] !== null ? (object[QUOTED] as Record<string, unknown>) : object;
  const out: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(inside)) setOwn(out, name, unmarked(inner));
  return out;
}

/** `__proto__` is a name like others. */
function setOwn(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  else object[name] = value;
}

/** About what it takes in memory, bytes. */
export function sizeOf(value: unknown): number {
  if (typeof value === "string") return 2 * value.length + 16;
  if (typeof value === "bigint") return value.toString(16).length / 2 + 32;
  if (typeof value !== "object" || value === null) return 8;
  if (value instanceof Uint8Array) return value.length + 64;
  let size = 32;
  for (const [name, inner] of Object.entries(value)) size += name.length + sizeOf(inner);
  return size;
}

/** An own copy: rows and their bytes belong to whoever made them. */
export const ownBytes = (value: Uint8Array): Uint8Array => new Uint8Array(value);

/** Bytes as UTF-8 where they are, so that a payload is text wherever it can be; else null. */
export function utf8Of(bytes: Uint8Array): string | null {
  try {
    return DECODER.decode(bytes);
  } catch {
    return null;
  }
}
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
