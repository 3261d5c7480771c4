/**
 * ioredis for one server, for the master that sentinels name, or for a cluster. The runtime's own client is quicker, but speaks to Redis 6 and
 * newer alone, and does not tell what the server has against a password.
 *
 * The library's own reconnecting and queueing is off: connections are made when they are needed (`Links`).
 */
import type { ConnectionOptions } from "node:tls";
import type { Cluster, Redis } from "ioredis";
import type { ServerAddress } from "../_backend/address.ts";
import type { Judgement } from "../_backend/backend.ts";
import { Links } from "../_backend/links.ts";
import { type TlsPaths, tlsOptions } from "../_backend/tls.ts";

export interface RedisServers {
  type: "single" | "sentinel" | "cluster";
  addresses: readonly ServerAddress[];
  /** The name by which sentinels know the master. */
  master: string;
  /** "" = the default account. */
  username: string;
  password: string;
  /** Of the sentinels themselves. */
  sentinelPassword: string;
  database: number;
  /** Connections; of a cluster one to each of its servers. */
  pool: number;
  timeoutMs: number;
  /** null = no TLS. */
  tls: TlsPaths | null;
}

type Client = Redis | Cluster;
const never = (): null => null;

export class RedisDriver {
  private constructor(private readonly links: Links<Client>) {}

  static async open(o: RedisServers): Promise<RedisDriver> {
    // Three megabytes of program that most brokers never need.
    const library = await import("ioredis");
    const nodes = o.addresses.map(({ host, port }) => ({ host, port }));
    const isCluster = o.type === "cluster";
    const make = (): Client => {
      if (isCluster) return new library.Cluster(nodes, clusterOptions(o));
      return new library.Redis(o.type === "sentinel" ? sentinelOptions(o) : singleOptions(o));
    };
    return new RedisDriver(
      new Links<Client>(isCluster ? 1 : o.pool, {
        open: () => connected(make(), isCluster ? 0 : o.database),
        alive: (client) => client.status === "ready",
        close: (client) => client.disconnect(),
      }),
    );
  }

  /** The command's name and its arguments. */
  async run(command: readonly string[]): Promise<unknown> {
    const client = await this.links.ready();
    const [name = "", ...args] = command;
    return client.call(name, args);
  }

  close(): void {
    this.links.close();
  }
}

async function connected(client: Client, database: number): Promise<Client> {
  // The library says "Connection is closed." to whoever waits, and why only here.
  const said: { why: unknown } = { why: null };
  client.on("error", (err) => {
    said.why = err;
  });
  try {
    await client.connect();
    // By hand: to the library a number that the server does not have is no failure.
    if (database !== 0) await client.select(database);
    return client;
  } catch (err) {
    client.disconnect();
    throw said.why ?? err;
  }
}

function common({ username, password, timeoutMs, tls }: RedisServers) {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    // RESP3 needs Redis 6, and would give us nothing.
    protocol: 2 as const,
    ...(username !== "" && { username }),
    ...(password !== "" && { password }),
    // Without a name: each server is compared with its own.
    ...(tls !== null && { tls: tlsOptions(tls) as ConnectionOptions }),
  };
}

function singleOptions(o: RedisServers) {
  const { host, port } = o.addresses[0] as ServerAddress;
  return { ...common(o), host, port, retryStrategy: never, enableReadyCheck: false };
}

function sentinelOptions(o: RedisServers) {
  return {
    ...common(o),
    retryStrategy: never,
    enableReadyCheck: false,
    sentinels: o.addresses.map(({ host, port }) => ({ host, port })),
    name: o.master,
    sentinelRetryStrategy: never,
    ...(o.sentinelPassword !== "" && { sentinelPassword: o.sentinelPassword }),
    ...(o.tls !== null && { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(o.tls) as ConnectionOptions }),
  };
}

/** How often a command is sent elsewhere while a cluster moves its slots, and the pause between, ms. */
const REDIRECTIONS = 10;
const REDIRECTION_MS = 100;

function clusterOptions(o: RedisServers) {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: never,
    maxRedirections: REDIRECTIONS,
    retryDelayOnFailover: REDIRECTION_MS,
    retryDelayOnClusterDown: REDIRECTION_MS,
    slotsRefreshTimeout: o.timeoutMs,
    redisOptions: common(o),
  };
}

/** What the server says of itself or of the account, not of a question: nobody is answered until that is mended. */
const AWAY =
  /^(?:NOAUTH|WRONGPASS|LOADING|MASTERDOWN|CLUSTERDOWN|ERR (?:invalid password|AUTH|Client sent AUTH|DB index|max number of clients))/;

export function judgeRedis(err: unknown): Judgement {
  const { name, message, code } = (err ?? {}) as { name?: unknown; message?: unknown; code?: unknown };
  const text = String(message);
  if (name === "ReplyError") return AWAY.test(text) ? "down" : "refused";
  if (code === "ECONNRESET" || code === "EPIPE" || /^Connection is closed|isn't writeable/.test(text)) return "lost";
  return "down";
}
