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
}

export type FromWorker =
  | Failed
  | { readonly what: "loaded"; readonly callbacks: readonly CallbackName[]; readonly unknown: readonly string[] }
  | { readonly what: "refused"; readonly line: number | null; readonly message: string }
  | { readonly what: "printed"; readonly text: string };
