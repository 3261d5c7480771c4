/** What errors of Redis and of its library mean for the settings. */
import { wordsOf } from "../../lib/errors.ts";
import type { Advice } from "../_backend/advice.ts";

const NOT_TAKEN = "NOAUTH|WRONGPASS|ERR invalid password|ERR (?:Client sent )?AUTH";

export const REDIS_ADVICE: readonly Advice[] = [
  { words: new RegExp(`sentinels.*(?:${NOT_TAKEN})`), says: "the sentinels' password is not taken", see: ["sentinelAccount"] },
  { words: /sentinels.*unknown command/, says: "there is a server, but no sentinel", see: ["kind", "server"] },
  { words: /sentinels are unreachable/i, says: "no sentinel answers, or none knows the master", see: ["server", "sentinel"] },
  { words: /^the server that the sentinels name is a replica/, says: "it is no master", see: ["server", "sentinel"] },
  { words: new RegExp(NOT_TAKEN), says: "account and password are not taken", see: ["account"] },
  { words: /DB index is out of range|SELECT is not allowed/, says: "there is no such database", see: ["database"] },
  { words: /cluster support disabled/, says: "there is a server, but no cluster", see: ["kind", "server"] },
  { words: /^(?:MOVED|ASK) /, says: "there is a cluster", see: ["kind"] },
  { words: /^NOPERM/, says: "the account may not ask that", see: ["question", "account"] },
  { words: /^WRONGTYPE/, says: "the key holds something else than the command reads", see: ["question"] },
  { words: /wrong number of arguments|unknown (?:sub)?command|syntax error/, says: "the command cannot be read", see: ["question"] },
  { words: /max number of clients/, says: "it has no connection left", see: ["pool"] },
  { words: /^(?:LOADING|MASTERDOWN|CLUSTERDOWN)/, says: "it is not ready", see: ["server"] },
  { words: /RESP type/, says: "what is there is no Redis", see: ["server", "tls"] },
];

/** Of a cluster the library says that all have failed; why, the last one does. */
export function redisWords(err: unknown): string {
  const { lastNodeError } = (err ?? {}) as { lastNodeError?: unknown };
  return lastNodeError instanceof Error ? `${wordsOf(err)} ${lastNodeError.message}` : wordsOf(err);
}
