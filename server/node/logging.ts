/** Log levels and traces, as the admin layer sees them. */
import { join } from "node:path";
import type { LogControl, TraceControl } from "../admin/index.ts";
import type { Config } from "../config/config.ts";
import type { Broker } from "../core/broker.ts";
import type { Log } from "../core/ports.ts";
import { Tracer } from "../core/watch/tracer.ts";
import { systemClock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { RotatingFile } from "../lib/log_file.ts";
import { isLogLevel, LOG_LEVELS } from "../lib/log_levels.ts";

/** One trace may fill so much of the disk. */
const TRACE_BYTES = 64 * 1024 * 1024;

export function createLogControl(log: Logger): LogControl {
  return {
    levels: LOG_LEVELS,
    level: () => log.level,
    setLevel(level) {
      if (isLogLevel(level)) log.level = level;
    },
    handlers: () => log.handlers().map((h) => ({ id: h.id, level: h.level, destination: h.to })),
    setHandlerLevel(id, level) {
      return isLogLevel(level) && log.setHandlerLevel(id, level);
    },
  };
}

export function createTraces(broker: Broker, config: Config, log: Log): TraceControl {
  const tracer: Tracer = new Tracer(systemClock, log, (active) => {
    broker.tracer = active ? tracer : null;
    broker.refreshRaw();
  });
  return {
    tracer,
    open(file) {
      const out = new RotatingFile(join(String(config.get("log.dir")), file), TRACE_BYTES, 1);
      return { line: (text) => out.write(`${text}\n`, false), close: () => out.close() };
    },
  };
}
