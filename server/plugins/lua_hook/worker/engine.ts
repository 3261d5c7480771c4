/** What runs scripts of one language, in the worker of one script. */
import { heapSize } from "bun:jsc";
import type { Value } from "../values.ts";

export interface Loaded {
  /** Names of the callbacks it has. */
  readonly callbacks: readonly string[];
  /** Names it registers that are none, for the log. */
  readonly unknown: readonly string[];
  /** @throws ScriptError */
  call(name: string, args: readonly Value[]): Value[];
}

export interface Limits {
  /** Ms. */
  readonly budget: number;
  /** Bytes. */
  readonly memory: number;
}

/** `kind`: "error" = the script's own; "time" and "memory" = it took more than it may. */
export type Fault = "error" | "time" | "memory";

export class ScriptError extends Error {
  constructor(
    message: string,
    readonly kind: Fault,
    /** In the script's file; null = it is not known. */
    readonly line: number | null,
    /** It keeps what it took: only a new worker forgets it. */
    readonly isKept = false,
  ) {
    super(message);
  }
}

/** As it was behind the last collection, and then behind one: what is not in use any more does not count. */
export function keepsMore(most: number): boolean {
  if (heapSize() <= most) return false;
  Bun.gc(true);
  return heapSize() > most;
}

/** What `print` and `console.log` are for: some lines of a moment, then no more. */
export type Print = (text: string) => void;
