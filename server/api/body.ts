/** Bodies: how much of one is read, JSON, and its fields joined with those of the query. */
import type { TObject, TSchema } from "@sinclair/typebox";
import { parseJson } from "./json.ts";

/** Bytes of a body; longer ones are not read. */
export const BODY_MAX = 8 * 1024 * 1024;
/** The same before anybody is known: a name and a password. */
export const LOGIN_BODY_MAX = 16 * 1024;
/** Arrays and objects in each other. What comes later (parser, schemas, printing) goes down as deep as the body does. */
const DEPTH_MAX = 64;
/** Values in a body: each costs the parser some hundred bytes, however short it is. */
const VALUES_MAX = 200_000;

/** The body is not JSON, not UTF-8, too long, too deep, or JSON that has no fields. */
export class BadBody extends Error {}
/** The body did not come in time, or its sender has gone. */
export class LateBody extends Error {}

/** @throws BadBody when it is longer than `max`, LateBody */
export async function readAll(request: Request, max: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  if (announced(request) > max) throw new BadBody();
  const bytes = await request.bytes().catch(() => null);
  if (bytes === null) throw new LateBody();
  if (bytes.length > max) throw new BadBody();
  return bytes;
}

/** Room for the first bytes of a body that does not say how long it is. */
const FIRST_ROOM = 16 * 1024;

/** What has come of a body, in one place that grows by doubling: a body that comes byte by byte costs no more than its bytes. */
class Gathered {
  #room = new Uint8Array();
  #length = 0;

  constructor(
    private readonly max: number,
    private readonly grow: (bytes: number) => void,
  ) {}

  /** @throws BadBody, and what `grow` throws */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.max) throw new BadBody();
    if (length > this.#room.length) this.#enlarge(length);
    this.#room.set(piece, this.#length);
    this.#length = length;
  }

  #enlarge(least: number): void {
    const size = Math.min(this.max, Math.max(least, this.#room.length * 2, FIRST_ROOM));
    this.grow(size - this.#room.length);
    const larger = new Uint8Array(size);
    larger.set(this.#room.subarray(0, this.#length));
    this.#room = larger;
  }

  bytes(): Uint8Array {
    return this.#room.subarray(0, this.#length);
  }
}

/**
 * Piece by piece, so that no more than `max` bytes are ever held; `grow` is told of bytes before they are held, and refuses them by throwing.
 * @throws BadBody, LateBody when `stop` is aborted before the end, and what `grow` throws
 */
export async function readCarefully(
  request: Request,
  max: number,
  stop: AbortSignal,
  grow: (bytes: number) => void = () => {},
): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  if (announced(request) > max) throw new BadBody();
  const reader = request.body.getReader();
  // Whoever waits for the rest is told that nobody wants it; what is being waited for ends with it.
  const giveUp = (): void => void reader.cancel().catch(() => {});
  stop.addEventListener("abort", giveUp, { once: true });
  const gathered = new Gathered(max, grow);
  try {
    for (;;) {
      const next = stop.aborted ? null : await reader.read().catch(() => null);
      if (next === null || stop.aborted) throw new LateBody();
      if (next.done) return gathered.bytes();
      gathered.add(next.value);
    }
  } catch (err) {
    giveUp();
    throw err;
  } finally {
    stop.removeEventListener("abort", giveUp);
  }
}

/** Bytes the sender promises; 0 = it does not say. */
export const announced = (request: Request): number => Number(request.headers.get("content-length") ?? 0);

/** undefined when there is none. @throws BadBody */
export function jsonOf(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  if (!isModest(bytes)) throw new BadBody();
  try {
    // Strict: a topic must not silently become another one.
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes), DEPTH_MAX);
  } catch {
    throw new BadBody();
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = [0x5b, 0x7b];
const CLOSE = [0x5d, 0x7d];

/** Neither too deep nor of too many values, by its bytes: whether it is JSON at all is not asked. One step a byte, strings are passed over. */
export function isModest(bytes: Uint8Array): boolean {
  let depth = 0;
  let values = 0;
  for (let i = 0; i < bytes.length; i++) {
    const b = bytes[i] as number;
    if (b === QUOTE) {
      i = endOfString(bytes, i + 1);
      if (i < 0) return true;
    } else if (b === COMMA) {
      if (++values >= VALUES_MAX) return false;
    } else if (b === OPEN[0] || b === OPEN[1]) {
      if (++depth > DEPTH_MAX) return false;
    } else if (b === CLOSE[0] || b === CLOSE[1]) depth--;
  }
  return true;
}

/** Place of the quote that ends a string; -1 = nothing does. */
function endOfString(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let escapes = 0;
    while (at - 1 - escapes >= from && bytes[at - 1 - escapes] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at;
  }
  return -1;
}

/** Text of the query as the type its field has in a body. */
function typed(text: string, schema: TSchema | undefined): unknown {
  if (schema?.type === "integer" || schema?.type === "number")
    return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  if (schema?.type === "boolean") return text === "true" ? true : text === "false" ? false : text;
  return text;
}

/** Query first, then body; the first of a name counts. Arrays have no fields. @throws BadBody */
export function mergeParams(query: Readonly<Record<string, string>>, json: unknown, schema: TObject | undefined): Record<string, unknown> {
  if (json !== undefined && (typeof json !== "object" || json === null)) throw new BadBody();
  const properties = schema?.properties as Record<string, TSchema> | undefined;
  const params: Record<string, unknown> = {};
  for (const name in query) define(params, name, typed(query[name] as string, properties?.[name]));
  if (json === undefined || Array.isArray(json)) return params;
  for (const [name, value] of Object.entries(json)) if (!Object.hasOwn(params, name)) define(params, name, value);
  return params;
}

/** `_page`, `_sort` and the like, which steer lists, and `_`, by which jQuery passes caches by; never a key of anything. */
export function isQueryWord(name: string): boolean {
  return /^_(?:[a-z]|$)/.test(name);
}

/** Plain assignment would take `__proto__` for something else. */
function define(params: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") Object.defineProperty(params, name, { value, enumerable: true, configurable: true, writable: true });
  else params[name] = value;
}
