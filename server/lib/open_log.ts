/** Opens the log with the handlers that the configuration asks for. */
import { join } from "node:path";
import { LOG_LEVELS, Logger, type LogHandler, type LogLevel } from "./log.ts";
import { RotatingFile } from "./log_file.ts";
import { jsonFormat, textFormat } from "./log_format.ts";

export interface LogOptions {
  to: "off" | "file" | "console" | "both";
  level: LogLevel;
  format: "text" | "json";
  dir: string;
  file: string;
  /** Longest line (text) or text (JSON) in characters; -1 = no limit. */
  charsLimit: number;
  rotation: { bytes: number; count: number };
  /** `log.<level>.file`: a further file for events of that level and above. */
  levelFiles: { level: LogLevel; file: string }[];
}

/** Memory that lines may take while whoever reads our output does not. */
const MAX_UNREAD_BYTES = 1024 ** 2;

/** Where the console handler writes to. */
export interface ConsoleStream {
  write(line: string): unknown;
  readonly writableLength: number;
}

/** `console` and `now` (Unix ms) are given by tests. @throws when a log file cannot be opened */
export function openLog(o: LogOptions, console: ConsoleStream = process.stdout, now: () => number = Date.now): Logger {
  const handlers = openHandlers(o, console);
  // The primary level is the lowest any handler wants; it can be raised above them all while running.
  return new Logger({ level: lowest(handlers, o.level), handlers, now });
}

/** Other options for a log that is in use. @throws when a log file cannot be opened; then it stays as it was */
export function reopenLog(log: Logger, o: LogOptions, console: ConsoleStream = process.stdout): void {
  const handlers = openHandlers(o, console);
  log.replace(lowest(handlers, o.level), handlers);
}

function openHandlers(o: LogOptions, console: ConsoleStream): LogHandler[] {
  const format = o.format === "json" ? jsonFormat(o.charsLimit) : textFormat(o.charsLimit);
  const handlers: LogHandler[] = [];
  const file = (id: string, name: string, level: LogLevel): LogHandler => {
    const out = new RotatingFile(join(o.dir, name), o.rotation.bytes, o.rotation.count);
    return { id, to: out.path, level, format, write: (line, urgent) => out.write(line, urgent), close: () => out.close() };
  };
  if (o.to === "console" || o.to === "both") {
    const write = (line: string): void => {
      if (console.writableLength < MAX_UNREAD_BYTES) console.write(line);
    };
    handlers.push({ id: "console", to: "stdout", level: o.level, format, write, close: () => {} });
  }
  if (o.to === "file" || o.to === "both") handlers.push(file("file", o.file, o.level));
  if (o.to !== "off") for (const f of o.levelFiles) handlers.push(file(`${f.level}_file`, f.file, f.level));
  return handlers;
}

function lowest(handlers: readonly LogHandler[], level: LogLevel): LogLevel {
  return LOG_LEVELS.find((l) => handlers.some((h) => h.level === l)) ?? level;
}
