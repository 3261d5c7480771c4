/** What the worker of a script is started with, and what it says besides its answers. */
import type { CallbackName } from "./callbacks.ts";
import type { Fault, Limits } from "./worker/engine.ts";

export type Language = "lua" | "javascript" | "typescript";

export interface WorkerStart {
  readonly shared: SharedArrayBuffer;
  readonly path: string;
  /** The file's name. */
  readonly name: string;
  readonly language: Language;
  readonly limits: Limits;
}

export interface Failed {
  readonly what: "failed";
  readonly callback: CallbackName;
  readonly kind: Fault;
  readonly line: number | null;
  readonly message: string;
  /** Calls in a row that took more than they may, this one included. */
  readonly inARow: number;
  /** It keeps more memory than it may: only a new worker forgets it. */
  readonly isKept: boolean;
}

export type FromWorker =
  | Failed
  | { readonly what: "loaded"; readonly callbacks: readonly CallbackName[]; readonly unknown: readonly string[] }
  | { readonly what: "refused"; readonly line: number | null; readonly message: string }
  | { readonly what: "printed"; readonly text: string };

const areTexts = (x: unknown): boolean => Array.isArray(x) && x.every((one) => typeof one === "string");

/** Is it one of these, field by field? */
export function isFromWorker(said: unknown): said is FromWorker {
  if (typeof said !== "object" || said === null) return false;
  const m = said as Record<string, unknown>;
  if (m.what === "printed") return typeof m.text === "string";
  if (m.what === "loaded") return areTexts(m.callbacks) && areTexts(m.unknown);
  if (typeof m.message !== "string" || (m.line !== null && typeof m.line !== "number")) return false;
  return m.what === "refused" || (m.what === "failed" && typeof m.inARow === "number");
}
