/** Users and rules in Redis: what EMQ X 3.1's plugin asks, and how the answers are read. */
import type { ClientInfo } from "../../core/types.ts";
import { askNoted, shownValue, type Told } from "../_auth/asking.ts";
import { columnText, userOf } from "../_auth/columns.ts";
import { type Lookup, lookupAuth, type User } from "../_auth/lookup.ts";
import { type OddAnswers, oddAnswers } from "../_auth/odd_answers.ts";
import { allowRule, RULES_MAX, type Rule, type RuleSet } from "../_auth/rules.ts";
import type { Source, SourceHost } from "../_auth/source.ts";
import type { StoredKind } from "../_auth/stored.ts";
import { shownAddresses } from "../_backend/address.ts";
import { advised, asQuestion } from "../_backend/advice.ts";
import { Backend } from "../_backend/backend.ts";
import { type Rank, rankOf } from "../_backend/calls.ts";
import { BackendError } from "../_backend/errors.ts";
import { REDIS_ADVICE, redisWords } from "../_redis/advice.ts";
import { judgeRedis, type RedisDriver, type RedisServers, redisDrivers } from "../_redis/driver.ts";
import { REDIS_KEYS } from "./advice.ts";
import { type Command, fillCommand, isReadingScript, isScript, parseCommand } from "./command.ts";
import { pairsOf, rulesTold, superTold, userTold } from "./shown.ts";

export interface RedisAuthSettings {
  servers: RedisServers;
  /** As written; "" = that is not asked. */
  commands: Readonly<Record<"auth" | "super" | "acl", string>>;
  hash: StoredKind;
}

const NOT_TRIED = "a script may change what is there: it is not run by a test (EVAL_RO, EVALSHA_RO and FCALL_RO are)";
/** It says what it likes: a value of somebody else's, too. What is no answer of the server's is as ever. */
function notTold(err: unknown): never {
  throw judgeRedis(err) === "refused" ? new BackendError("refused", "the script's error is shown once the command is saved") : err;
}
/** Commands that are under way at a time on one connection. */
const PIPELINED = 32;

export function redisSource(host: SourceHost, o: RedisAuthSettings): Source {
  const [auth, isSuper, acl] = [parseCommand(o.commands.auth), parseCommand(o.commands.super), parseCommand(o.commands.acl)];
  const backend = backendOf(host, { ...o.servers, pool: host.pool(o.servers.pool) });
  const odd = oddAnswers(host);

  async function ask(
    key: string,
    command: Command,
    client: ClientInfo,
    told: (answer: unknown) => Told,
    wanted?: () => boolean,
    rank?: Rank,
  ): Promise<unknown> {
    if (host.onlyTries && isScript(command.text)) throw new BackendError("refused", NOT_TRIED);
    const hidesErrors = isReadingScript(command.text) && !host.isSaved(key);
    const args = fillCommand(command, { client });
    const shown = (client: ClientInfo): string[] => fillCommand(command, { client }).map(shownValue);
    return askNoted(
      host.clock,
      client,
      command.text,
      shown,
      (unnoticed) => backend.ask((d) => asQuestion(key, hidesErrors ? d.run(args).catch(notTold) : d.run(args)), wanted, unnoticed, rank),
      told,
    );
  }

  const keys = {
    user: "auth.redis.auth_cmd",
    isSuper: "auth.redis.super_cmd",
    rules: "auth.redis.acl_cmd",
    hash: "auth.redis.password_hash",
  };
  const lookup: Lookup = {
    user:
      auth === null
        ? null
        : async (client, wanted) => userIn(await ask(keys.user, auth, client, (answer) => userTold(auth, answer), wanted)),
    isSuper:
      isSuper === null
        ? null
        : async (client, wanted) =>
            isOne(await ask(keys.isSuper, isSuper, client, (answer) => superTold(isSuper, answer, host.isSaved(keys.isSuper)), wanted)),
    rules:
      acl === null
        ? null
        : async (client) => {
            const isSaved = host.isSaved(keys.rules);
            const answer = await ask(
              keys.rules,
              acl,
              client,
              (answer) => rulesTold(acl, answer, client, isSaved),
              undefined,
              rankOf(client),
            );
            return rulesOf(answer, odd(client), isSaved);
          },
    keys,
  };
  return {
    auth: lookupAuth(
      host,
      lookup,
      () => o.hash,
      (client, what) => odd(client)("auth.redis.auth_cmd", what),
    ),
    backends: [backend],
  };
}

function backendOf(host: SourceHost, servers: RedisServers): Backend<RedisDriver> {
  const options = {
    what: `${TITLES[servers.type]} at ${shownAddresses(servers.addresses)}`,
    open: redisDrivers(servers, host.clock),
    close: (driver: RedisDriver) => driver.close(),
    lost: (driver: RedisDriver) => driver.lost(),
    probe: (driver: RedisDriver) => driver.probe(),
    ...advised({ judge: judgeRedis, table: REDIS_ADVICE, keys: REDIS_KEYS, plain: redisWords }),
    pool: servers.pool,
    perConnection: PIPELINED,
    timeoutMs: servers.timeoutMs,
    alarm: "down",
    // Each connection may have been lost.
    retries: servers.pool + 1,
    // Of a cluster one server answers for itself alone.
    probeProves: servers.type !== "cluster",
  };
  return new Backend<RedisDriver>(host, options, host.figures(options.what));
}

const TITLES = { single: "Redis", sentinel: "Redis by sentinels", cluster: "Redis cluster" };

/** HMGET's list of password and salt, or GET's text. No key, or no such field: not known. */
function userIn(answer: unknown): User | null {
  const [password, salt] = Array.isArray(answer) ? (answer as unknown[]) : [answer];
  return password === null || password === undefined ? null : userOf(password, salt);
}

/** HGET's text, or HMGET's list of one. */
function isOne(answer: unknown): boolean {
  return columnText(Array.isArray(answer) && answer.length === 1 ? answer[0] : answer) === "1";
}

/** Topic filter -> 1 subscribe, 2 publish, 3 both. Who has any may do nothing else (EMQ X 3.1). */
function rulesOf(answer: unknown, odd: OddAnswers, isSaved: boolean): RuleSet {
  const pairs = pairsOf(answer);
  if (pairs.length > RULES_MAX) throw new BackendError("refused", `${pairs.length} rules for one client, at most ${RULES_MAX}`);
  const rules: Rule[] = [];
  for (const [filter, value] of pairs) {
    const rule = allowRule(filter, Number(columnText(value)));
    if (rule === null) odd("auth.redis.acl_cmd", "a rule is left out: expected a topic filter with 1, 2 or 3");
    else rules.push(isSaved ? rule : { ...rule, text: rule.verdict });
  }
  return { rules, otherwise: pairs.length === 0 ? "pass" : "deny" };
}
