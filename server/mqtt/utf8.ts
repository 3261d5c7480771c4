/**
 * UTF-8 on the wire (section 1.5.4). The bytes are checked by hand because no built-in decoder has MQTT's rules: the usual ones
 * replace what is invalid, drop a leading BOM [MQTT-1.5.4-3], and accept U+0000.
 */

// Engine natives behind Buffer; they take any Uint8Array as receiver and cost half of TextDecoder/TextEncoder.
const { latin1Slice, utf8Slice, utf8Write } = Buffer.prototype;

/** What the bytes of a string are: refused, one byte per character, or longer sequences as well. */
const INVALID = 0;
const ASCII = 1;
const WIDE = 2;

/** End of the longest valid multi-byte sequence starting at `i` (lead byte >= 0x80), or 0 when it is ill-formed (RFC 3629). */
function sequenceEnd(buf: Uint8Array, i: number, end: number): number {
  const a = buf[i] as number;
  const n = a < 0xc2 ? 0 : a < 0xe0 ? 2 : a < 0xf0 ? 3 : a < 0xf5 ? 4 : 0;
  if (n === 0 || i + n > end) return 0;
  const b = buf[i + 1] as number;
  if ((b & 0xc0) !== 0x80) return 0;
  if (n === 2) return i + 2;
  if (((buf[i + 2] as number) & 0xc0) !== 0x80) return 0;
  // Overlong forms, and surrogates U+D800..U+DFFF [MQTT-1.5.4-1].
  if ((a === 0xe0 && b < 0xa0) || (a === 0xed && b > 0x9f)) return 0;
  if (n === 3) return i + 3;
  if (((buf[i + 3] as number) & 0xc0) !== 0x80) return 0;
  // Overlong forms, and code points over U+10FFFF.
  return (a === 0xf0 && b < 0x90) || (a === 0xf4 && b > 0x8f) ? 0 : i + 4;
}

/** Control characters U+0080..U+009F and the non-characters: valid UTF-8 that a receiver may refuse (section 1.5.4), and we do. */
function unwanted(buf: Uint8Array, i: number, n: number): boolean {
  const a = buf[i] as number;
  const b = buf[i + 1] as number;
  if (n === 2) return a === 0xc2 && b < 0xa0;
  const c = buf[i + 2] as number;
  if (n === 3) {
    // U+FDD0..U+FDEF are EF B7 90..AF, U+FFFE and U+FFFF are EF BF BE..BF.
    return a === 0xef && ((b === 0xb7 && c >= 0x90 && c <= 0xaf) || (b === 0xbf && c >= 0xbe));
  }
  return (b & 0x0f) === 0x0f && c === 0xbf && (buf[i + 3] as number) >= 0xbe;
}

function classify(buf: Uint8Array, start: number, end: number): number {
  let kind = ASCII;
  let i = start;
  while (i < end) {
    const c = buf[i] as number;
    if (c < 0x80) {
      // U+0000 must be refused [MQTT-1.5.4-2]; the other control characters may be, and are.
      if (c < 0x20 || c === 0x7f) return INVALID;
      i++;
      continue;
    }
    const next = sequenceEnd(buf, i, end);
    if (next === 0 || unwanted(buf, i, next - i)) return INVALID;
    kind = WIDE;
    i = next;
  }
  return kind;
}

/** May these bytes stand as a UTF-8 Encoded String of MQTT? Refuses ill-formed UTF-8, surrogates, control and non-characters. */
export function validUtf8(buf: Uint8Array, start: number, end: number): boolean {
  return classify(buf, start, end) !== INVALID;
}

/** Well-formed UTF-8 in Unicode's sense, any character allowed: the rule for payloads with Payload Format Indicator 1. */
export function wellFormedUtf8(buf: Uint8Array, start: number, end: number): boolean {
  let i = start;
  while (i < end) {
    if ((buf[i] as number) < 0x80) {
      i++;
      continue;
    }
    i = sequenceEnd(buf, i, end);
    if (i === 0) return false;
  }
  return true;
}

/** Longest UTF-8 Encoded String, in bytes: its length has two of them. */
const STRING_MAX = 65_535;
/** What `validUtf8` refuses, of a string of ours. */
const UNWANTED = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

/** Is it short enough? */
export function fitsString(s: string): boolean {
  // A UTF-16 unit takes at most three bytes, so short strings need no count.
  return s.length <= STRING_MAX / 3 || (s.length <= STRING_MAX && utf8Length(s) <= STRING_MAX);
}

/** Has it characters that may not stand in a string of MQTT (see `validUtf8`)? */
export function hasUnwanted(s: string): boolean {
  return UNWANTED.test(s);
}

/** What is wrong with it as a UTF-8 Encoded String, in words; null = nothing. A receiver that is sent such a one ends its connection. */
export function whyNoString(s: string): string | null {
  if (!fitsString(s)) return "is longer than 65,535 bytes";
  return hasUnwanted(s) ? "has control characters, or others that MQTT does not allow" : null;
}

/** May it stand in a packet as a UTF-8 Encoded String? */
export function isMqttString(text: unknown): text is string {
  return typeof text === "string" && whyNoString(text) === null;
}

/** Check and decode in one pass; null = refused (see `validUtf8`). A BOM is kept as U+FEFF [MQTT-1.5.4-3]. */
export function readUtf8(buf: Uint8Array, start: number, end: number): string | null {
  const kind = classify(buf, start, end);
  if (kind === INVALID) return null;
  return kind === ASCII ? latin1Slice.call(buf, start, end) : utf8Slice.call(buf, start, end);
}

/** Up to so many characters a loop beats the natives, as long as all are ASCII. */
const SHORT = 48;

/** Bytes that `writeUtf8` will need. */
export function utf8Length(s: string): number {
  const n = s.length;
  if (n > SHORT) return Buffer.byteLength(s);
  for (let i = 0; i < n; i++) if (s.charCodeAt(i) >= 0x80) return Buffer.byteLength(s);
  return n;
}

/** Writes the string at `at`; the caller has made room. Returns bytes written. */
export function writeUtf8(out: Uint8Array, at: number, s: string): number {
  const n = s.length;
  if (n > SHORT) return utf8Write.call(out, s, at, out.length - at);
  for (let i = 0; i < n; i++) {
    const c = s.charCodeAt(i);
    if (c >= 0x80) return utf8Write.call(out, s, at, out.length - at);
    out[at + i] = c;
  }
  return n;
}
