/**
 * Files of traces. Their names come from the network, so they stay below the log directory, and a file that no trace has made is never
 * written to: not the log itself, and nothing that somebody else has put there.
 */
import { closeSync, existsSync, lstatSync, mkdirSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { TraceSink } from "../core/watch/tracer.ts";
import { RotatingFile } from "../lib/log_file.ts";

/** First line of every file: who has it may go on with it. */
export const HEAD = "# BaoMQ trace\n";
/** One trace may fill so much of the disk. */
const BYTES = 64 * 1024 * 1024;

function isBelow(dir: string, path: string): boolean {
  const way = relative(dir, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** `log/x.log` (as the examples of EMQ X 3.1 have it) and `x.log` are one file; absolute paths are taken as they are. */
function placeOf(file: string, logDir: string): string {
  return isAbsolute(file) ? resolve(file) : join(logDir, file.replace(/^log\/+(?=.)/, ""));
}

/** The directory, made if need be. Links on the way may not lead out of the log directory. */
function makeDir(dir: string, logDir: string): void {
  mkdirSync(logDir, { recursive: true });
  const root = realpathSync(logDir);
  let there = dir;
  while (!existsSync(there)) there = dirname(there);
  const real = realpathSync(there);
  if (real !== root && !isBelow(root, real)) throw new Error(`${dir} is not in the log directory`);
  mkdirSync(dir, { recursive: true });
}

function isTrace(path: string): boolean {
  if (!lstatSync(path).isFile()) return false;
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(HEAD.length);
    return readSync(fd, head, 0, head.length, 0) === head.length && head.toString("latin1") === HEAD;
  } finally {
    closeSync(fd);
  }
}

/** Open a trace's file, or go on with it. @throws Error, in words for whoever named the file */
export function openTraceFile(file: string, logDir: string): TraceSink {
  const dir = resolve(logDir);
  const path = placeOf(file, dir);
  if (!isBelow(dir, path)) throw new Error(`${file} is not in the log directory ${dir}`);
  makeDir(dirname(path), dir);
  if (lstatSync(path, { throwIfNoEntry: false }) && !isTrace(path)) throw new Error(`${path} exists, and is not the file of a trace`);
  const out = new RotatingFile(path, BYTES, 1, HEAD);
  return { line: (text) => out.write(`${text}\n`, false), close: () => out.close() };
}
