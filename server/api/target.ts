/**
 * The path of a request, read raw: split on `/`, empty segments dropped, percent escapes left as they are. What a framework does with paths
 * (joining `//`, decoding `%2F`) would change which topic or client is meant.
 */

export type Target =
  /** A percent escape is broken. */
  | { kind: "malformed" }
  /** `/api/v3` itself. */
  | { kind: "root" }
  /** Below `/api/v3`: a path without empty segments, and its segments decoded. */
  | { kind: "api"; path: string; segments: string[] }
  | { kind: "other"; path: string };

const BROKEN_ESCAPE = /%(?![0-9a-fA-F]{2})/;
const PREFIX = "/api/v3";
const PERCENT = 0x25;

/** Path and query of a URL as it came, without the fragment some clients send. */
export function splitUrl(url: string): { path: string; search: string } {
  const host = url.indexOf("://");
  const start = url.indexOf("/", host < 0 ? 0 : host + 3);
  if (start < 0) return { path: "/", search: "" };
  const hash = url.indexOf("#", start);
  const whole = hash < 0 ? url.slice(start) : url.slice(start, hash);
  const q = whole.indexOf("?");
  return q < 0 ? { path: whole, search: "" } : { path: whole.slice(0, q), search: whole.slice(q + 1) };
}

/** Percent-decoding that never fails: bytes that are not UTF-8 become U+FFFD. `+` stays. */
export function decodeSegment(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return decodeBytes(text);
  }
}

function decodeBytes(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const out: number[] = [];
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte === PERCENT) {
      out.push(Number.parseInt(String.fromCharCode(bytes[i + 1] ?? 0, bytes[i + 2] ?? 0), 16));
      i += 2;
    } else out.push(byte);
  }
  return new TextDecoder().decode(Uint8Array.from(out));
}

export function target(path: string): Target {
  if (BROKEN_ESCAPE.test(path)) return { kind: "malformed" };
  if (path === PREFIX || path === `${PREFIX}/`) return { kind: "root" };
  const raw = path.split("/");
  const places: number[] = [];
  for (let i = 0; i < raw.length; i++) if (raw[i] !== "") places.push(i);
  if (raw[places[0] ?? 0] !== "api" || raw[places[1] ?? 0] !== "v3") return { kind: "other", path };
  const own = places.slice(2);
  const segments = own.map((i) => decodeSegment(raw[i] as string));
  const at = restAt(segments);
  if (at > 0) segments.splice(at, segments.length, decodeSegment(raw.slice((own[at - 1] ?? 0) + 1).join("/")));
  // As it came when nothing had to be put right: the canonical form may spell `@` and `:` differently.
  const straight = at === 0 && places.length === raw.length - 1;
  return { kind: "api", path: straight ? path : `${PREFIX}/${segments.map(encodeURIComponent).join("/")}`, segments };
}

/** Place of the segment that takes the rest of the path, whatever slashes it has (`/routes//test` is the topic `/test`); 0 = none. */
function restAt(segments: readonly string[]): number {
  if ((segments[0] === "routes" || segments[0] === "retained") && segments.length > 1) return 1;
  return segments[0] === "connections" && segments[2] === "acl" && segments.length > 3 ? 3 : 0;
}

/** No percent escape is broken. */
export const wellFormed = (search: string): boolean => !search.includes("%") || !BROKEN_ESCAPE.test(search);

/** Form-decoded pairs of a well-formed query, in order; the first of a name counts. A key without `=` has the value "true" (EMQ X 3.1). */
export function parseQuery(search: string): Record<string, string> {
  const query: Record<string, string> = Object.create(null) as Record<string, string>;
  if (search === "") return query;
  for (const pair of search.split("&")) {
    if (pair === "") continue;
    const eq = pair.indexOf("=");
    const name = decodeForm(eq < 0 ? pair : pair.slice(0, eq));
    if (!(name in query)) query[name] = eq < 0 ? "true" : decodeForm(pair.slice(eq + 1));
  }
  return query;
}

function decodeForm(text: string): string {
  return decodeSegment(text.includes("+") ? text.replaceAll("+", " ") : text);
}
