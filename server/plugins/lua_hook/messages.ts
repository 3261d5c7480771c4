/** What the worker of a script is started with, and what it says besides its answers. */
import { CALLBACK_NAMES, type CallbackName } from "./callbacks.ts";
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

/** A call that failed. */
export interface Failure {
  readonly callback: CallbackName;
  readonly kind: Fault;
  /** In the script's file; null = it is not known. */
  readonly line: number | null;
  readonly message: string;
}

/** A script that is not loaded. */
export interface Refusal {
  readonly line: number | null;
  readonly message: string;
  /** The same file may well be loaded at another time: it was only too slow, or could not be read. */
  readonly mayPass: boolean;
}

export type FromWorker =
  /** One that nobody waited for: the others are answered. `isKept`: it keeps more memory than it may: only a new worker forgets it. */
  | (Failure & { readonly what: "failed"; readonly isKept: boolean })
  | { readonly what: "loaded"; readonly callbacks: readonly CallbackName[]; readonly unknown: readonly string[] }
  | (Refusal & { readonly what: "refused" })
  | { readonly what: "printed"; readonly text: string };

const areTexts = (x: unknown): boolean => Array.isArray(x) && x.every((one) => typeof one === "string");
const FAULTS: readonly unknown[] = ["error", "time", "memory"] satisfies Fault[];

/** Is it one of these, field by field? */
export function isFromWorker(said: unknown): said is FromWorker {
  if (typeof said !== "object" || said === null) return false;
  const m = said as Record<string, unknown>;
  if (m.what === "printed") return typeof m.text === "string";
  if (m.what === "loaded") return areTexts(m.callbacks) && areTexts(m.unknown);
  if (typeof m.message !== "string" || (m.line !== null && typeof m.line !== "number")) return false;
  if (m.what === "refused") return typeof m.mayPass === "boolean";
  return (
    m.what === "failed" && typeof m.isKept === "boolean" && FAULTS.includes(m.kind) && CALLBACK_NAMES.includes(m.callback as CallbackName)
  );
}
