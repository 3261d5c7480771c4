/**
 * ioredis for one server, for the master that sentinels name, or for a cluster. The runtime's own client is quicker, but speaks to Redis 6 and
 * newer alone, and does not tell what the server has against a password.
 *
 * The library's own reconnecting is off, and where it can be its queueing: connections are made when they are needed (`Links`).
 */
import type { ConnectionOptions } from "node:tls";
import type { Cluster, Redis } from "ioredis";
import type { Clock } from "../../core/ports.ts";
import type { ServerAddress } from "../_backend/address.ts";
import { notWanted } from "../_backend/errors.ts";
import { Links } from "../_backend/links.ts";
import type { Judgement } from "../_backend/options.ts";
import { Order, partOf } from "../_backend/order.ts";
import { ShardAway, Shards } from "./shards.ts";
import { tlsTrouble } from "./tls_trouble.ts";

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
  tls: Bun.TLSOptions | null;
}

/** What is told of a server that sentinels name, and that says it is a replica. */
const NO_MASTER = "the server that the sentinels name is a replica";

type Library = typeof import("ioredis");
type Client = Redis | Cluster;
const never = (): null => null;

/** A command's name and its arguments. */
export type RedisCommand = readonly (string | Buffer)[];

export interface RedisDriver {
  run(command: RedisCommand): Promise<unknown>;
  /** In order, by one connection each server. Of each what came of it. `wanted`: asked when there is a connection; false = none is sent. */
  runAll(commands: readonly RedisCommand[], wanted: () => boolean): Promise<PromiseSettledResult<unknown>[]>;
  probe(): Promise<unknown>;
  /** Of a cluster: all of them. */
  lost(): boolean;
  close(): void;
}

/** Opens drivers, one after another, that know of the ones before which sentinel answers. */
export function redisDrivers(o: RedisServers, clock: Pick<Clock, "mono">): () => Promise<RedisDriver> {
  const sentinels = new Order(o.addresses);
  return async () => {
    // Three megabytes of program that most brokers never need.
    const library = await import("ioredis");
    if (o.type === "cluster") return new ClusterDriver(library, o, new Shards(() => clock.mono(), isRefusal));
    const open: Open<Redis> =
      o.type === "sentinel"
        ? (ended) => bySentinels(library, o, sentinels, ended)
        : (ended) => connected(new library.Redis(singleOptions(o)), o, ended);
    return new ServerDriver(linksOf(o.pool, open));
  };
}

/** Commands that may leave in one write. */
const IN_A_ROW = 16;

/** `ended`: nobody wants it any more. */
type Open<C> = (ended: AbortSignal) => Promise<C>;

function linksOf<C extends Client>(n: number, open: Open<C>): Links<C> {
  return new Links<C>(
    n,
    { open: (_, ended) => open(ended), alive: (client) => client.status === "ready", close: (client) => client.disconnect() },
    IN_A_ROW,
  );
}

class ServerDriver implements RedisDriver {
  constructor(private readonly links: Links<Redis>) {}

  async run([name = "", ...args]: RedisCommand): Promise<unknown> {
    return (await this.links.ready()).call(String(name), args);
  }

  async runAll(commands: readonly RedisCommand[], wanted: () => boolean): Promise<PromiseSettledResult<unknown>[]> {
    const client = await this.links.ready();
    if (!wanted()) throw notWanted();
    return Promise.allSettled(commands.map(([name = "", ...args]) => client.call(String(name), args)));
  }

  probe(): Promise<unknown> {
    return this.run(["PING"]);
  }

  lost(): boolean {
    return this.links.lost();
  }

  close(): void {
    this.links.close();
  }
}

class ClusterDriver implements RedisDriver {
  readonly #links: Links<Cluster>;

  constructor(
    private readonly library: Library,
    o: RedisServers,
    private readonly shards: Shards,
  ) {
    const nodes = o.addresses.map(({ host, port }) => ({ host, port }));
    this.#links = linksOf(1, (ended) => connected(new library.Cluster(nodes, clusterOptions(o)), { ...o, database: 0 }, ended));
  }

  async run(command: RedisCommand): Promise<unknown> {
    return this.#run(await this.#links.ready(), command);
  }

  async runAll(commands: readonly RedisCommand[], wanted: () => boolean): Promise<PromiseSettledResult<unknown>[]> {
    const cluster = await this.#links.ready();
    if (!wanted()) throw notWanted();
    return Promise.allSettled(commands.map((command) => this.#run(cluster, command)));
  }

  #run(cluster: Cluster, [first = "", ...args]: RedisCommand): Promise<unknown> {
    const name = String(first);
    return this.shards.ask(cluster, new this.library.Command(name, args), () => cluster.call(name, args));
  }

  /** One of them is enough. */
  async probe(): Promise<unknown> {
    const cluster = await this.#links.ready();
    const asked = cluster.nodes("master").map((node) => node.call("PING"));
    return Promise.any(asked).catch((err: AggregateError) => {
      throw err.errors[0] ?? new Error("no server is known");
    });
  }

  lost(): boolean {
    return this.#links.lost();
  }

  close(): void {
    this.#links.close();
  }
}

async function bySentinels(library: Library, o: RedisServers, order: Order<ServerAddress>, ended: AbortSignal): Promise<Redis> {
  const asked = order.all;
  const client = new library.Redis(sentinelOptions(o, asked));
  let silent = 0;
  client.on("sentinelError", () => silent++);
  await connected(client, o, ended, hasToBeMaster);
  const answered = asked[silent];
  if (answered !== undefined) order.answered(answered);
  return client;
}

/**
 * A sentinel that was away may name the master of before, which has become a replica since: one that has not got everything yet answers that nobody
 * is known (Redis' guidelines for clients of sentinels, step 3). Where the account may not ask that, the sentinel is believed.
 */
async function hasToBeMaster(client: Redis): Promise<void> {
  try {
    const [role] = (await client.role()) as unknown[];
    if (role !== "master") throw new Error(NO_MASTER);
  } catch (err) {
    if ((err as Error).name !== "ReplyError") throw err;
  }
}

/** `then`: what is asked of the server before anybody else may ask. @throws Error, and nothing is left of the client */
async function connected<C extends Client>(
  client: C,
  { type, addresses, database, timeoutMs, tls }: RedisServers,
  ended: AbortSignal,
  then?: (client: C) => Promise<void>,
): Promise<C> {
  // The library says "Connection is closed." to whoever waits, and why only here.
  const said: { why: unknown } = { why: null };
  client.on("error", (err) => {
    said.why = err;
  });
  const introduced = async (): Promise<void> => {
    await client.connect();
    // By hand: to the library a number that the server does not have is no failure.
    if (database !== 0) await client.select(database);
    await then?.(client);
  };
  try {
    await within(timeoutMs, ended, introduced());
    return client;
  } catch (err) {
    client.disconnect();
    const why = said.why ?? err;
    if (type !== "single")
      for (const address of addresses) {
        const trouble = await tlsTrouble(why, address, tls, partOf(timeoutMs, addresses.length));
        if (trouble !== null) throw trouble;
      }
    throw why;
  }
}

/** All that comes before the first question: the library's own limit is for the way there alone, and for the answer to a password it waits for ever. */
async function within(ms: number, ended: AbortSignal, work: Promise<void>): Promise<void> {
  const given = Promise.withResolvers<never>();
  const timer = setTimeout(() => given.reject(new Error(`no connection within ${ms} ms`)), ms);
  const end = (): void => given.reject(ended.reason);
  ended.addEventListener("abort", end);
  try {
    await Promise.race([work, given.promise]);
  } finally {
    clearTimeout(timer);
    ended.removeEventListener("abort", end);
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
    ...(tls !== null && { tls: tls as ConnectionOptions }),
  };
}

function singleOptions(o: RedisServers) {
  const { host, port } = o.addresses[0] as ServerAddress;
  return { ...common(o), host, port, retryStrategy: never, enableReadyCheck: false, enableAutoPipelining: true };
}

function sentinelOptions(o: RedisServers, sentinels: readonly ServerAddress[]) {
  const part = partOf(o.timeoutMs, sentinels.length);
  return {
    ...common(o),
    retryStrategy: never,
    enableReadyCheck: false,
    enableAutoPipelining: true,
    sentinels: sentinels.map(({ host, port }) => ({ host, port })),
    name: o.master,
    sentinelRetryStrategy: never,
    // To connect, with a sentinel as with the master, and for a sentinel's answer.
    connectTimeout: part,
    sentinelCommandTimeout: part,
    // Of others than those that are written down nobody would make use: each connection begins with these.
    updateSentinels: false,
    ...(o.sentinelPassword !== "" && { sentinelPassword: o.sentinelPassword }),
    ...(o.tls !== null && { enableTLSForSentinelMode: true, sentinelTLS: o.tls as ConnectionOptions }),
  };
}

/** How often a command is sent elsewhere while a cluster moves its slots, and the pause between, ms, which is shorter where there is less time. */
const REDIRECTIONS = 10;
const REDIRECTION_MS = 100;
const REDIRECTION_PART = 40;
/** Of the time limit: a server that is silent for so long is taken for away, so that this is known before calls to it are given up. */
const SILENT_PART = 2;

function clusterOptions(o: RedisServers) {
  const pause = Math.min(REDIRECTION_MS, Math.ceil(o.timeoutMs / REDIRECTION_PART));
  const silent = Math.floor(o.timeoutMs / SILENT_PART);
  return {
    lazyConnect: true,
    // Where a connection is still being made a command waits for it: the library would ask another server, any of them, the silent one, too.
    enableOfflineQueue: true,
    // Asked of one server, who may be the silent one; what is wrong with the cluster each answer tells.
    enableReadyCheck: false,
    clusterRetryStrategy: never,
    maxRedirections: REDIRECTIONS,
    retryDelayOnFailover: pause,
    retryDelayOnClusterDown: pause,
    slotsRefreshTimeout: partOf(o.timeoutMs, o.addresses.length),
    // The command ends, and so does the connection: behind it the library finds out who has the slots now.
    redisOptions: { ...common(o), connectTimeout: silent, commandTimeout: silent, socketTimeout: silent },
  };
}

const isRefusal = (err: unknown): boolean => judgeRedis(err) === "refused";

/** What the server says of itself or of the account, not of a question: nobody is answered until that is mended. */
const AWAY =
  /^(?:NOAUTH|WRONGPASS|LOADING|MASTERDOWN|CLUSTERDOWN|ERR (?:invalid password|AUTH|Client sent AUTH|DB index|max number of clients))/;

export function judgeRedis(err: unknown): Judgement {
  const { name, message, code } = (err ?? {}) as { name?: unknown; message?: unknown; code?: unknown };
  if (err instanceof ShardAway) return "part";
  const text = String(message);
  if (name === "ReplyError") return AWAY.test(text) ? "down" : "refused";
  if (code === "ECONNRESET" || code === "EPIPE" || /^Connection is closed|isn't writeable/.test(text)) return "lost";
  return "down";
}
