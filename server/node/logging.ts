/** Log levels and traces, as the admin layer sees them. */
import type { LogControl, TraceControl } from "../admin/index.ts";
import type { Config } from "../config/config.ts";
import type { Broker } from "../core/broker.ts";
import type { Log } from "../core/ports.ts";
import { Tracer } from "../core/watch/tracer.ts";
import { systemClock } from "../lib/clock.ts";
import { isLogLevel, LOG_LEVELS, type Logger } from "../lib/log.ts";
import { openTraceFile } from "./trace_file.ts";

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
    open: (file) => openTraceFile(file, String(config.get("log.dir"))),
  };
}
