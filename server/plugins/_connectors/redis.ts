/** Redis: alone, by sentinels, as a cluster. */
import { MASK } from "../../lib/mask.ts";
import { shownAddresses } from "../_backend/address.ts";
import type { SettingKeys } from "../_backend/advice.ts";
import type { Judgement } from "../_backend/options.ts";
import { boundedText, compileRowTemplate, type RowTemplate } from "../_backend/row_template.ts";
import { REDIS_ADVICE, redisWords } from "../_redis/advice.ts";
import { commandWords, secretWords, withoutCommandSecrets } from "../_redis/command.ts";
import { judgeRedis, type RedisDriver, type RedisServers, redisDrivers } from "../_redis/driver.ts";
import { actionKind, asWritten, type Missing, NOTHING, resourceKind, type Writing } from "./connector.ts";
import { ownBytes } from "./item.ts";
import * as P from "./params.ts";

const KEYS: SettingKeys = {
  server: "server",
  timeout: "timeout",
  pool: "pool_size",
  account: "username, password",
  database: "database",
  sentinel: "sentinel",
  sentinelAccount: "sentinel_password",
  tls: "ssl",
  trust: "cacertfile",
  verify: "verify",
  certificate: "certfile, keyfile",
};

/** What the server says of itself, not of what it was given: it has no room, is a replica, or what wrote to it may not any more. */
const LATER = /^(?:OOM|READONLY|MISCONF|NOREPLICAS|BUSY|TRYAGAIN|NOPERM)/;

/** The account may not write that key, or to that channel: others it may. */
const OF_THE_KEY = /^NOPERM .*\b(?:keys?|channels?)\b/;

function judgeRedisWrite(err: unknown): Judgement {
  return LATER.test(String((err as Error | null)?.message)) ? "part" : judgeRedis(err);
}

interface Kind {
  readonly name: string;
  readonly title: string;
  readonly type: RedisServers["type"];
}

const KINDS: readonly Kind[] = [
  { name: "redis_single", title: "Redis", type: "single" },
  { name: "redis_sentinel", title: "Redis by sentinels", type: "sentinel" },
  { name: "redis_cluster", title: "Redis cluster", type: "cluster" },
];

const COMMON = {
  username: P.text("", "User Name", "Account at the server; empty = the default one."),
  password: P.secret("Password", "Its password."),
  ...P.poolParam(8),
  ...P.TIMEOUT,
  ...P.TLS,
};
const DATABASE = { database: P.number(0, [0, 1_000_000], "Database", "Number of the database.") };
const PARAMS = {
  single: { server: P.text("127.0.0.1:6379", "Server", "Its host and port."), ...DATABASE, ...COMMON },
  sentinel: {
    servers: P.text("127.0.0.1:26379", "Servers", "Hosts and ports of the sentinels, with commas between them."),
    sentinel: P.needed("Sentinel", "The name by which they know the master."),
    sentinel_password: P.secret("Sentinel Password", "Password of the sentinels themselves."),
    ...DATABASE,
    ...COMMON,
  },
  cluster: { servers: P.text("127.0.0.1:6379", "Servers", "Hosts and ports of some of them, with commas between."), ...COMMON },
};

/** What not all of them have is "", or 0. */
type AnyParams = typeof PARAMS.single & typeof PARAMS.sentinel;

const resourceOf = ({ name, title, type }: Kind) =>
  resourceKind<AnyParams, RedisDriver>({
    name,
    title,
    description: title,
    params: PARAMS[type] as AnyParams,
    keys: type === "single" ? KEYS : { ...KEYS, server: "servers" },
    advice: REDIS_ADVICE,
    judge: judgeRedisWrite,
    plain: redisWords,
    open(c, host) {
      const addresses =
        type === "single" ? [P.serverIn("server", c.server, 6379)] : P.serversIn("servers", c.servers, type === "sentinel" ? 26_379 : 6379);
      const timeoutMs = 1000 * c.timeout;
      const drivers = redisDrivers(
        {
          type,
          addresses,
          master: c.sentinel ?? "",
          username: c.username,
          password: c.password,
          sentinelPassword: c.sentinel_password ?? "",
          database: c.database ?? 0,
          pool: c.pool_size,
          timeoutMs,
          tls: P.tlsIn(c),
        },
        host.clock,
      );
      return {
        what: `${title} at ${shownAddresses(addresses)}`,
        open: drivers,
        close: (driver: RedisDriver) => driver.close(),
        lost: (driver: RedisDriver) => driver.lost(),
        probe: (driver: RedisDriver) => driver.probe(),
        pool: c.pool_size,
        timeoutMs,
        retries: c.pool_size + 1,
        probeProves: type !== "cluster",
      };
    },
  });

/** Words of the command, filled. */
type Item = readonly (string | Uint8Array)[];

/** They change the connection, which all actions of the resource share. */
const OF_CONNECTIONS = /^(?:AUTH|HELLO|SELECT|RESET|QUIT|P?SUBSCRIBE|SSUBSCRIBE|MONITOR|MULTI|EXEC|DISCARD|WATCH)$/i;

/** Words first, values then: a word stays one argument, whatever is put into it. */
function commandOf(text: string): RowTemplate[] {
  const words = commandWords(text);
  const [name] = words;
  if (name === undefined || name.includes("${"))
    throw new Error("cmd: expected a command such as HSET sensor:1 temp 21, its name written out");
  if (OF_CONNECTIONS.test(name))
    throw new Error(`cmd: ${name.toUpperCase()} changes a connection that others share; account and database are the resource's`);
  return words.map(compileRowTemplate);
}

function redisWriting(cmd: string): Writing<RedisDriver, Item> {
  const words = commandOf(cmd);
  return {
    make(row) {
      let length = 0;
      return words.map((word) => {
        const value = word.value(row);
        const filled = value instanceof Uint8Array ? ownBytes(value) : word.text(row);
        length += filled.length;
        boundedText(length);
        return filled;
      });
    },
    shown: shownCommand,
    write: (driver, items, { wanted }) => asWritten("cmd", run(driver, items, wanted)),
    // Of a command that the account may not run at all that can be mended.
    blames: (err) => words.some((word) => !word.constant) && OF_THE_KEY.test(String((err as Error | null)?.message)),
  };
}

function shownCommand(item: Item): string {
  const words = item.map((word) => (typeof word === "string" ? word : `\\x${Buffer.from(word).toString("hex")}`));
  const secrets = secretWords(words);
  return words.map((word, at) => (secrets.has(at) ? MASK : word)).join(" ");
}

async function run(driver: RedisDriver, items: readonly Item[], wanted: () => boolean): Promise<Missing> {
  const commands = items.map((item) => item.map((word) => (typeof word === "string" ? word : Buffer.from(word))));
  const all = await driver.runAll(commands, wanted);
  const missing = all.flatMap((one, i) => (one.status === "rejected" ? [[i, one.reason] as const] : []));
  return missing.length === 0 ? NOTHING : new Map(missing);
}

const TYPES = KINDS.map(({ name }) => name) as [string, ...string[]];

const ACTION = actionKind(TYPES, {
  name: "data_to_redis",
  title: "Data to Redis",
  description: "Run a command of Redis",
  params: {
    cmd: {
      ...P.needed("Command", "A command; variables in its words are filled in, and a word stays one argument."),
      format: "template",
      shown: withoutCommandSecrets,
    } as const,
  },
  open: ({ cmd }) => redisWriting(cmd),
});

export const REDIS = { resources: KINDS.map(resourceOf), actions: [ACTION] };
