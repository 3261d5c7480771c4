/** Callbacks that a module of JavaScript or TypeScript exports. */

import { heapSize } from "bun:jsc";
import { pathToFileURL } from "node:url";
import { stackOf, wordsOf } from "../../../lib/errors.ts";
import { CALLBACK_NAMES } from "../callbacks.ts";
import { sizeOf, type Value } from "../values.ts";
import { keepsMore, type Limits, type Loaded, type Print, ScriptError } from "./engine.ts";

/** What a call was given is there in pieces, as a whole, and as values. */
const GIVEN = 3;

type Fn = (...args: unknown[]) => unknown;

export async function loadJavaScript(path: string, limits: Limits, print: Print): Promise<Loaded> {
  for (const level of ["log", "info", "warn", "error", "debug"] as const)
    console[level] = (...parts: unknown[]) => print(parts.map(shown).join(" "));
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (err) {
    throw failure(err, path);
  }
  const functions = new Map(CALLBACK_NAMES.flatMap((n) => (typeof module[n] === "function" ? [[n as string, module[n] as Fn]] : [])));
  const unknown = Object.keys(module).filter((n) => n.startsWith("on_") && !functions.has(n));
  if (functions.size === 0) throw new ScriptError(`it exports no callback: expected one of ${CALLBACK_NAMES.join(", ")}`, "error", null);
  Bun.gc(true);
  const most = heapSize() + limits.memory;
  return {
    callbacks: [...functions.keys()],
    unknown,
    call(name, args) {
      const fn = functions.get(name) as Fn;
      let result: unknown;
      try {
        result = fn(...args.map((a) => (a instanceof Uint8Array ? Buffer.from(a.buffer, a.byteOffset, a.length) : a)));
      } catch (err) {
        throw failure(err, path);
      }
      if (keepsMore(most + GIVEN * sizeOf(args)))
        throw new ScriptError(`the script keeps more than ${Math.round(limits.memory / 1024)} KiB of memory`, "memory", null, true);
      return valuesOf(result);
    },
  };
}

/** `undefined` = nothing; an array = several values. What is no value of ours is NaN: no callback has such a result. */
function valuesOf(result: unknown): Value[] {
  if (result === undefined || result === null) return [];
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new ScriptError("it returned a promise: a callback must give its answer at once", "error", null);
  }
  return Array.isArray(result) ? result.map(scriptValue) : [scriptValue(result)];
}

function scriptValue(value: unknown): Value {
  if (value === undefined || value === null) return null;
  if (typeof value === "boolean" || typeof value === "number" || typeof value === "string" || value instanceof Uint8Array) return value;
  return Number.NaN;
}

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "object" && value !== null ? Bun.inspect(value, { depth: 2 }) : String(value);
}

/** With the place in the script, where it is known. */
function failure(err: unknown, path: string): ScriptError {
  if (err instanceof ScriptError) return err;
  const position = (err as { position?: { line?: number; file?: string } | null } | null)?.position;
  if (typeof position?.line === "number") {
    const { line, file = path } = position;
    return file === path
      ? new ScriptError(wordsOf(err), "error", line)
      : new ScriptError(`${file}:${line}: ${wordsOf(err)}`, "error", null);
  }
  // A module with several mistakes is refused with all of them.
  const several = (err as { errors?: unknown } | null)?.errors;
  if (Array.isArray(several) && several.length > 0 && several[0] !== err) return failure(several[0], path);
  const at = stackOf(err)
    .split("\n")
    .map((line) => (line.includes(path) ? /:(\d+):\d+\)?\s*$/.exec(line) : null))
    .find((m) => m !== null);
  return new ScriptError(wordsOf(err), "error", at ? Number(at[1]) : null);
}
