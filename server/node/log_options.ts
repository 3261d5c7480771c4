/** The `log.*` keys as the log wants them. */
import type { Config } from "../config/config.ts";
import { LOG_LEVELS, type LogLevel } from "../lib/log.ts";
import type { LogOptions } from "../lib/open_log.ts";

export function logOptions(config: Config): LogOptions {
  const text = (key: string): string => String(config.get(key) ?? "");
  const levelFiles = LOG_LEVELS.flatMap((level) => {
    const file = text(`log.${level}.file`);
    return file === "" ? [] : [{ level, file }];
  });
  const level = text("log.level");
  return {
    to: text("log.to") as LogOptions["to"],
    level: level === "all" ? "debug" : (level as LogLevel),
    format: text("log.format") as LogOptions["format"],
    dir: text("log.dir"),
    file: text("log.file"),
    charsLimit: Number(config.get("log.chars_limit")),
    rotation: { bytes: Number(config.get("log.rotation.size")), count: Number(config.get("log.rotation.count")) },
    levelFiles,
  };
}
