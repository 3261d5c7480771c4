/** Payloads in JSON: as text, or encoded. */

export type PayloadEncoding = "off" | "base64" | "base62";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `encoding`: what was done to it; null = it is text. What is not UTF-8 is in base64 whatever is asked for: EMQ X 3.1 made JSON of it that nobody could read. */
export function encodePayload(payload: Uint8Array, wanted: PayloadEncoding): { text: string; encoding: "base64" | "base62" | null } {
  if (wanted === "base64") return { text: base64(payload), encoding: "base64" };
  if (wanted === "base62") return { text: base62(payload), encoding: "base62" };
  try {
    return { text: UTF8.decode(payload), encoding: null };
  } catch {
    return { text: base64(payload), encoding: "base64" };
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz012345678";
/** Six bits as one letter, or two: 61 to 63 are 9A to 9C (EMQ X's own base62). */
const CODES: readonly string[] = [...LETTERS, "9A", "9B", "9C"];

/** As emqx_base62: of what is left at the end, the bits as a number. */
function base62(bytes: Uint8Array): string {
  let out = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += CODES[(held >> bits) & 63];
    }
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? out + CODES[held] : out;
}
