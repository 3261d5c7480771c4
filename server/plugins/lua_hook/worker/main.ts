/**
 * The worker of one script: it loads it, says what it has, and then answers calls until it is ended. It waits on shared memory, not in its event loop,
 * so that an answer takes microseconds; timers and promises of a script therefore never come.
 */
import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { lineOf } from "../../../lib/errors.ts";
import { whyUnreadable } from "../../../lib/file_errors.ts";
import { ASK, AT, areaOn, CAME, PIECE, TIMES } from "../area.ts";
import { CALLBACK_NAMES, CALLBACKS, type CallbackName, numberOf } from "../callbacks.ts";
import type { FromWorker, WorkerStart } from "../messages.ts";
import { readValues, sizeOf, type Value, ValueWriter } from "../values.ts";
import { type Loaded, ScriptError } from "./engine.ts";
import { Meter } from "./meter.ts";

/** Characters of what a script says. */
const TEXT_MOST = 500;
/** What is told of failures, and lines that are printed, in a second; the others are only counted. */
const TOLD_MOST = 20;

const start = workerData as WorkerStart;
const say = (message: FromWorker): void => parentPort?.postMessage(message);
const short = (s: string): string => (s.length > TEXT_MOST ? `${s.slice(0, TEXT_MOST)}…` : s);

let told = 0;
let toldSince = 0;
function mayTell(): boolean {
  const now = performance.now();
  if (now - toldSince >= 1000) {
    toldSince = now;
    told = 0;
  }
  return ++told <= TOLD_MOST;
}
const print = (text: string): void => {
  if (mayTell()) say({ what: "printed", text: short(text) });
};

/** The system has given the file. */
let isRead = false;

function read(): Uint8Array {
  try {
    const source = readFileSync(start.path);
    isRead = true;
    return source;
  } catch (err) {
    throw new ScriptError(`its file cannot be read: ${whyUnreadable(err)}`, "error", null);
  }
}

async function load(): Promise<Loaded> {
  // Whatever the language: what cannot be read is told in the same words.
  const source = read();
  if (start.language !== "lua") return (await import("./javascript.ts")).loadJavaScript(start.path, start.limits, print);
  const meter = new Meter();
  meter.install();
  return (await import("./lua.ts")).loadLua(start.name, source, start.limits, meter, print);
}

/** Beside what it was given, no more of a result is copied than the script may take: one text may stand in it many times. @throws ScriptError */
function bounded(values: Value[], args: readonly Value[]): Value[] {
  const { memory } = start.limits;
  if (sizeOf(values) > memory + sizeOf(args))
    throw new ScriptError(`bad result: expected at most ${Math.round(memory / 1024)} KiB`, "error", null);
  return values;
}

const asFault = (err: unknown): ScriptError => (err instanceof ScriptError ? err : new ScriptError(lineOf(err), "error", null));

const { numbers, times, request, reply, ring } = areaOn(start.shared);
const writer = new ValueWriter();

/** What the callback returned, or what went wrong. */
function call(loaded: Loaded, number: number, args: readonly Value[]): Value[] | ScriptError {
  numbers[AT.current] = number;
  Atomics.add(numbers, AT.turns, 1);
  const began = performance.now();
  let outcome: Value[] | ScriptError;
  try {
    outcome = bounded(loaded.call(CALLBACK_NAMES[number] as CallbackName, args), args);
  } catch (err) {
    outcome = asFault(err);
    Atomics.add(numbers, AT.failed + number, 1);
  }
  times[(numbers[AT.timed] as number) % TIMES] = performance.now() - began;
  numbers[AT.timed] = ((numbers[AT.timed] as number) + 1) & 0x7fffffff;
  Atomics.add(numbers, AT.calls + number, 1);
  Atomics.add(numbers, AT.turns, 1);
  return outcome;
}

/** The reply to it, as bytes. */
function replyTo(outcome: Value[] | ScriptError): Buffer {
  const isFault = outcome instanceof ScriptError;
  writer.begin(!isFault ? CAME.returned : outcome.isKept ? CAME.spent : outcome.kind === "error" ? CAME.failed : CAME[outcome.kind]);
  for (const value of isFault ? [outcome.line, short(outcome.message)] : outcome) writer.add(value);
  return writer.bytes;
}

/** One that nobody waits for. */
function hear(loaded: Loaded, entry: Buffer): void {
  const number = entry[0] as number;
  const outcome = call(loaded, number, readValues(entry));
  if (!(outcome instanceof ScriptError)) return;
  const { kind, line, isKept } = outcome;
  // What took more than it may is always told: it may end the script.
  if (kind === "error" && !mayTell()) return;
  say({ what: "failed", callback: CALLBACK_NAMES[number] as CallbackName, kind, line, message: short(outcome.message), isKept });
}

/** Pieces of a call that has not come wholly, and of a reply that has not left. */
let coming: Buffer[] = [];
let leaving: Buffer = Buffer.alloc(0);

function answer(loaded: Loaded): void {
  const asked = Atomics.load(numbers, AT.asked);
  Atomics.store(numbers, AT.begun, asked);
  const op = numbers[AT.op] as number;
  if (op !== ASK.more) {
    coming.push(Buffer.from(request.subarray(0, numbers[AT.requestLength])));
    if (op === ASK.call) {
      const whole = coming.length === 1 ? (coming[0] as Buffer) : Buffer.concat(coming);
      coming = [];
      leaving = replyTo(call(loaded, whole[0] as number, readValues(whole)));
    }
  }
  const piece = leaving.subarray(0, PIECE);
  reply.set(piece);
  leaving = leaving.subarray(piece.length);
  numbers[AT.replyLength] = piece.length;
  numbers[AT.replyMore] = leaving.length > 0 ? 1 : 0;
  Atomics.store(numbers, AT.done, asked);
  Atomics.notify(numbers, AT.done);
}

function serve(loaded: Loaded): never {
  for (;;) {
    const bell = Atomics.load(numbers, AT.bell);
    // Whoever waits goes before those who are only told.
    if (Atomics.load(numbers, AT.asked) !== Atomics.load(numbers, AT.done)) {
      answer(loaded);
      continue;
    }
    const entry = ring.take();
    if (entry !== null) {
      hear(loaded, entry);
      continue;
    }
    Atomics.store(numbers, AT.asleep, 1);
    Atomics.wait(numbers, AT.bell, bell);
    Atomics.store(numbers, AT.asleep, 0);
  }
}

try {
  const loaded = await load();
  const isKnown = (name: string): boolean => numberOf(name) >= 0;
  const unknown = [...loaded.unknown, ...loaded.callbacks.filter((name) => !isKnown(name))];
  say({
    what: "loaded",
    callbacks: CALLBACKS.map((c) => c.name).filter((name) => loaded.callbacks.includes(name)),
    unknown: unknown.slice(0, 20).map(short),
  });
  serve(loaded);
} catch (err) {
  const { kind, line, message } = asFault(err);
  say({ what: "refused", line, message: short(message), mayPass: kind === "time" || !isRead });
}
