/** W3C Trace Context (levels 1 and 2), carried as user properties of MQTT 5: `traceparent` and `tracestate`. */
import { getRandomValues } from "node:crypto";
import type { UserProperty } from "../../mqtt/types.ts";

export interface TraceContext {
  /** 32 hexadecimal digits, not all 0. */
  readonly traceId: string;
  /** 16, likewise: the span that is the parent of what follows. */
  readonly spanId: string;
  readonly flags: number;
}

export const TRACEPARENT = "traceparent";
const TRACESTATE = "tracestate";
/** Flags that are known: sampled, and that the trace's id is random. Others are not passed on (3.3.1). */
const KNOWN_FLAGS = 3;
const SAMPLED = 1;
const STATE_MAX = 512;

const VALID = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** null = it is none: what is wrong is as if it were not there. Later versions may have more behind it. */
export function readTraceparent(text: string): TraceContext | null {
  const [, version, traceId = "", spanId = "", flags = "", more] = VALID.exec(text) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & KNOWN_FLAGS };
}

export const isSampled = ({ flags }: TraceContext): boolean => (flags & SAMPLED) !== 0;

export function traceparentOf({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, "0")}`;
}

/** Where it stands; -1 = nowhere, or more than once, and nobody knows which counts. */
export function indexOfTraceparent(properties: readonly UserProperty[]): number {
  let found = -1;
  for (let i = 0; i < properties.length; i++) {
    if ((properties[i] as UserProperty)[0] !== TRACEPARENT) continue;
    if (found >= 0) return -1;
    found = i;
  }
  return found;
}

/** As a span has it; members that do not fit are left out from the right (3.3.1.5). */
export function tracestateOf(properties: readonly UserProperty[]): string {
  const state = properties.flatMap(([name, value]) => (name === TRACESTATE ? [value.trim()] : [])).join(",");
  // A comma behind the last character that fits ends a member that does.
  return state.length <= STATE_MAX ? state : state.slice(0, Math.max(0, state.lastIndexOf(",", STATE_MAX)));
}

const POOL = new Uint8Array(4096);
let used = POOL.length;

/** 16 hexadecimal digits, not all 0. */
export function newSpanId(): string {
  if (used + 8 > POOL.length) {
    getRandomValues(POOL);
    used = 0;
  }
  const id = Buffer.from(POOL.buffer, used, 8).toString("hex");
  used += 8;
  return /^0+$/.test(id) ? newSpanId() : id;
}
