/** The `log.*` keys as the log wants them. */
import type { Config } from "../config/config.ts";
import type { LogLevel } from "../lib/log.ts";
import type { LogOptions } from "../lib/open_log.ts";

export function logOptions(config: Config): LogOptions {
  const text = (key: string): string => String(config.get(key) ?? "");
  const levelFiles = (["info", "error"] as const).flatMap((level) => {
    const file = text(`log.${level}.file`);
    return file === "" ? [] : [{ level: level as LogLevel, file }];
  });
  return {
    to: text("log.to") as LogOptions["to"],
    level: text("log.level") as LogLevel,
    format: text("log.format") as LogOptions["format"],
    dir: text("log.dir"),
    file: text("log.file"),
    charsLimit: Number(config.get("log.chars_limit")),
    rotation: { bytes: Number(config.get("log.rotation.size")), count: Number(config.get("log.rotation.count")) },
    levelFiles,
  };
}
