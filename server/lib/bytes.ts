/** Moving bytes between buffers, whatever kind of byte array the source is. */

/**
 * Chunks of input up to so many bytes are light: whoever keeps a part of one may hold on to the whole, a copy would cost more. So a light
 * one must be no view of a much larger buffer.
 */
export const LIGHT = 2048;
export const NO_BYTES = new Uint8Array(0);

const copy = Buffer.prototype.copy;

/** Copy `src[start, end)` to `dst` at `at`. The native copy needs no view of the source (15–19 ns for a small packet). */
export function copyBytes(src: Uint8Array, dst: Uint8Array, at: number, start: number, end: number): void {
  copy.call(src, dst, at, start, end);
}

/** Is `buf[start, end)` equal to `bytes`? Short strings: a loop beats a native compare. */
export function sameBytes(bytes: Uint8Array, buf: Uint8Array, start: number, end: number): boolean {
  const n = bytes.length;
  if (end - start !== n) return false;
  for (let i = 0; i < n; i++) if (bytes[i] !== buf[start + i]) return false;
  return true;
}
