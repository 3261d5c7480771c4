/** Commands as EMQ X 3.1's users write them: `HMGET mqtt_user:%u password`. Words first, values then: a word stays one argument, whatever is put into it. */
import { CLIENT_VARIABLES, fillTemplate, type Part, parseTemplate, type Values } from "../_backend/template.ts";

/**
 * What may be asked with: commands that read. A slip in a setting, or in a test of one, must not cost anybody what he has. `*_RO`: scripts that
 * Redis itself lets read alone.
 */
const READING = new Set(
  [
    ["GET", "GETRANGE", "MGET", "STRLEN", "EXISTS"],
    ["HGET", "HMGET", "HGETALL", "HKEYS", "HVALS", "HEXISTS", "HLEN"],
    ["SMEMBERS", "SISMEMBER", "SMISMEMBER", "SINTER", "SUNION", "SDIFF", "SCARD"],
    ["LRANGE", "LINDEX", "LLEN"],
    ["ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZSCORE", "ZRANK", "ZCARD"],
    ["GETBIT", "JSON.GET", "JSON.MGET"],
    ["EVAL_RO", "EVALSHA_RO", "FCALL_RO"],
  ].flat(),
);
/** Scripts that may do anything: kept for whoever has one, and never run by a test. */
const SCRIPTS = new Set(["EVAL", "EVALSHA", "FCALL"]);

export const READING_COMMAND = "a command that reads, such as HMGET, HGET, HGETALL, GET, SMEMBERS or LRANGE";

const nameOf = (text: string): string => (text.trim().split(/\s+/)[0] ?? "").toUpperCase();

/** As it is; null = it may change what is there. */
export function readingCommand(text: string): string | null {
  const name = nameOf(text);
  return name === "" || READING.has(name) || SCRIPTS.has(name) ? text : null;
}

export const isScript = (text: string): boolean => SCRIPTS.has(nameOf(text));
/** One that may be tried. */
export const isReadingScript = (text: string): boolean => /^(?:EVAL|EVALSHA|FCALL)_RO$/.test(nameOf(text));

export interface Command {
  /** As written. */
  readonly text: string;
  readonly words: readonly (readonly Part[])[];
}

/** null = nobody is asked. */
export function parseCommand(text: string): Command | null {
  const words = text.split(/\s+/).filter((word) => word !== "");
  return words.length === 0 ? null : { text: words.join(" "), words: words.map((word) => parseTemplate(word, CLIENT_VARIABLES)) };
}

/** The command's name and its arguments. */
export function fillCommand({ words }: Command, values: Values): string[] {
  return words.map((parts) => fillTemplate(parts, values));
}
