/**
 * The log: one event a line, a message and named fields. Text for people or JSON for machines, to any number of handlers, each
 * with its own level. Logging never throws, and values of fields whose name says "secret" are not written.
 */

/** From least to most severe, as in EMQ X 3.1 (syslog's words). */
export const LOG_LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface LogEvent {
  /** Unix ms. */
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

export type LogFormat = (event: LogEvent) => string;

export interface LogHandler {
  /** Shown by `log handlers list`, e.g. "console". */
  readonly id: string;
  /** Where it writes to, in words. */
  readonly to: string;
  level: LogLevel;
  readonly format: LogFormat;
  /** `line` ends with a line feed. `urgent`: it should be out before the process could die. */
  write(line: string, urgent: boolean): void;
  close(): void;
}

export interface LoggerOptions {
  level: LogLevel;
  handlers: LogHandler[];
  /** Unix ms. */
  now: () => number;
}

const rankOf = (level: LogLevel): number => LOG_LEVELS.indexOf(level);
const URGENT = rankOf("error");

export function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}

export class Logger {
  /** Lines that a handler could not write. */
  failures = 0;
  #level: LogLevel;
  /** Events below this reach no handler: the check that makes an unwanted line cheap. */
  #threshold = 0;

  constructor(private readonly options: LoggerOptions) {
    this.#level = options.level;
    this.#update();
  }

  debug(message: string, fields?: LogFields): void {
    this.log("debug", message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.log("info", message, fields);
  }
  notice(message: string, fields?: LogFields): void {
    this.log("notice", message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.log("warning", message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.log("error", message, fields);
  }
  critical(message: string, fields?: LogFields): void {
    this.log("critical", message, fields);
  }

  log(level: LogLevel, message: string, fields?: LogFields): void {
    const rank = rankOf(level);
    if (rank < this.#threshold) return;
    const event: LogEvent = { at: this.options.now(), level, message, fields };
    for (const h of this.options.handlers) {
      if (rank < rankOf(h.level)) continue;
      try {
        h.write(`${h.format(event)}\n`, rank >= URGENT);
      } catch {
        this.failures++;
      }
    }
  }

  /** Would an event of this level be written anywhere? For lines that are dear to make. */
  enabled(level: LogLevel): boolean {
    return rankOf(level) >= this.#threshold;
  }

  /** Events below it are dropped, whatever the handlers say. */
  get level(): LogLevel {
    return this.#level;
  }
  set level(level: LogLevel) {
    this.#level = level;
    this.#update();
  }

  handlers(): { id: string; level: LogLevel; to: string }[] {
    return this.options.handlers.map(({ id, level, to }) => ({ id, level, to }));
  }

  /** False: no such handler. */
  setHandlerLevel(id: string, level: LogLevel): boolean {
    const handler = this.options.handlers.find((h) => h.id === id);
    if (!handler) return false;
    handler.level = level;
    this.#update();
    return true;
  }

  /** Close the handlers there are, and go on with others. */
  replace(level: LogLevel, handlers: LogHandler[]): void {
    this.close();
    this.options.handlers = handlers;
    this.level = level;
  }

  close(): void {
    for (const h of this.options.handlers) {
      try {
        h.close();
      } catch {
        this.failures++;
      }
    }
  }

  #update(): void {
    const lowest = Math.min(LOG_LEVELS.length, ...this.options.handlers.map((h) => rankOf(h.level)));
    this.#threshold = Math.max(rankOf(this.#level), lowest);
  }
}
