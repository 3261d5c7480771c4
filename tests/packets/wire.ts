/**
 * A notation for packets, so that the tables show what each byte is. Everything but the fixed header is written out:
 *
 *     04 02 003c     bytes in hex, spaces as you like
 *     "MQTT"         UTF-8 string with its two-byte length
 *     'abc'          the same bytes without a length
 *     { 11 0000000a } a block with its length before it (Variable Byte Integer): properties
 *     // …           comment to the end of the line
 *
 * Text between quotes has no escapes; what cannot be written so is written in hex.
 */

const TOKEN = /\/\/[^\n]*|"([^"]*)"|'([^']*)'|([{}])|([0-9a-fA-F]{2})|(\s+)|(.)/gsu;

export function varInt(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    out.push(rest >= 0x80 ? (rest & 0x7f) | 0x80 : rest);
    rest >>>= 7;
  } while (rest > 0);
  return out;
}

function lengthPrefixed(text: string): number[] {
  const utf8 = [...Buffer.from(text)];
  return [utf8.length >> 8, utf8.length & 0xff, ...utf8];
}

/** Bytes of a piece of notation, without any header. */
export function bytes(notation: string): Uint8Array {
  const open: number[][] = [[]];
  const top = (): number[] => open[open.length - 1] as number[];
  for (const [, string, raw, brace, hex, , unknown] of notation.matchAll(TOKEN)) {
    if (string !== undefined) top().push(...lengthPrefixed(string));
    else if (raw !== undefined) top().push(...Buffer.from(raw));
    else if (hex !== undefined) top().push(Number.parseInt(hex, 16));
    else if (brace === "{") open.push([]);
    else if (brace === "}") {
      const block = open.pop() as number[];
      top().push(...varInt(block.length), ...block);
    } else if (unknown !== undefined) throw new Error(`not in the notation: ${unknown} in ${notation}`);
  }
  if (open.length !== 1) throw new Error(`unbalanced braces in ${notation}`);
  return Uint8Array.from(top());
}

/** A whole packet: first byte of the fixed header, remaining length, and the rest in the notation. */
export function packet(firstByte: number, notation: string): Uint8Array {
  const body = bytes(notation);
  return Uint8Array.from([firstByte, ...varInt(body.length), ...body]);
}

/** `n` times the same hex byte or piece of notation. */
export function times(n: number, notation: string): string {
  return `${notation} `.repeat(n);
}
