/** Payload bytes as JSON, text or hex. */

export type PayloadView = "auto" | "json" | "text" | "hex" | "base64";

export const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

export function toBase64(bytes: Uint8Array): string {
  let s = "";
  for (const b of bytes) s += String.fromCharCode(b);
  return btoa(s);
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The text, or null when the bytes are no UTF-8 or hold control characters other than white space. */
export function asText(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for them is the point
    return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** Pretty JSON, or null when it is not an object or array. */
export function asJson(bytes: Uint8Array): string | null {
  const text = asText(bytes)?.trim();
  if (!text || !/^[[{]/.test(text)) return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

/** The classic dump: offset, 16 bytes, printable characters. */
export function asHex(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((b) => b.toString(16).padStart(2, "0")).join(" ");
    const ascii = row.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${ascii}`);
  }
  return lines.join("\n");
}

export function show(bytes: Uint8Array, view: PayloadView): string {
  if (view === "hex") return asHex(bytes);
  if (view === "base64") return toBase64(bytes);
  if (view === "json") return asJson(bytes) ?? asText(bytes) ?? asHex(bytes);
  if (view === "text") return new TextDecoder().decode(bytes);
  return asJson(bytes) ?? asText(bytes) ?? asHex(bytes);
}

/** "48 65 6c" or "48656c" → bytes; null when it is not hex. */
export function parseHex(text: string): Uint8Array | null {
  const digits = text.replace(/[\s:,]|0x/gi, "");
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
