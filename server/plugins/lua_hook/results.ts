/** What a callback returned, read as what EMQ X 3.1 made of it. A text that is told is what is wrong: then everything stays as it was. */
import type { Message } from "../../core/message.ts";
import { validTopicName } from "../../mqtt/topic.ts";
import type { QoS } from "../../mqtt/types.ts";
import type { Value } from "./values.ts";

/** Kept and wrong as one thing. */
export type Wrong = { readonly wrong: string };

const wrong = (expected: string): Wrong => ({ wrong: `bad result: expected ${expected}` });
export const isWrong = (x: unknown): x is Wrong => typeof x === "object" && x !== null && "wrong" in x;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** null = it is no text. */
export function textOf(value: Value | undefined): string | null {
  if (typeof value === "string") return value;
  if (!(value instanceof Uint8Array)) return null;
  try {
    return decoder.decode(value);
  } catch {
    return null;
  }
}

/** One of some words. */
export function wordOf<const W extends string>(values: readonly Value[], words: readonly W[]): W | Wrong {
  const said = values.length === 1 ? textOf(values[0]) : null;
  return words.find((w) => w === said) ?? wrong(words.map((w) => `"${w}"`).join(" or "));
}

/** A filter instead of another one; false = it is taken out. */
export function filterOf(values: readonly Value[]): string | false | Wrong {
  if (values.length === 1 && values[0] === false) return false;
  const said = values.length === 1 ? textOf(values[0]) : null;
  return said ?? wrong("a topic, or false");
}

const RETAIN: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [0, false],
  [1, true],
  ["true", true],
  ["false", false],
  [true, true],
  [false, false],
]);

/** Numbers are rounded, any other one than 0 is true (EMQ X 3.1). */
function retainOf(value: Value | undefined): boolean | null {
  if (typeof value === "number" && Number.isFinite(value)) return Math.round(value) !== 0;
  return RETAIN.get(typeof value === "boolean" ? value : textOf(value)) ?? null;
}

/** The message as it goes on; null = it is dropped. */
export function messageOf(values: readonly Value[], m: Message): Message | null | Wrong {
  if (values.length === 1 && values[0] === false) return null;
  const [first, body, level, keep] = values;
  const topic = textOf(first);
  if (values.length !== 4 || topic === null) return wrong("topic, payload, qos and retain, or false");
  if (!validTopicName(topic)) return wrong("a topic without wildcards and control characters, of 1 to 65535 bytes");
  if (typeof body !== "string" && !(body instanceof Uint8Array)) return wrong("a payload that is a string");
  const qos = typeof level === "number" ? Math.round(level) : Number.NaN;
  if (qos !== 0 && qos !== 1 && qos !== 2) return wrong("a qos of 0, 1 or 2");
  const retain = retainOf(keep);
  if (retain === null) return wrong("retain as true, false, 1, 0 or a word of these");
  const payload = typeof body === "string" ? Buffer.from(body, "utf8") : body;
  const same = Buffer.compare(payload, m.payload) === 0;
  if (same && topic === m.topic && qos === m.qos && retain === m.retain) return m;
  return m.with({ topic, qos: qos as QoS, retain, ...(same ? {} : { payload }) });
}
