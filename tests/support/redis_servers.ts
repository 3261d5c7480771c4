/** Redis: alone, three as a cluster, or two with three sentinels that watch them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "./ports.ts";
import { runNow, Server } from "./servers.ts";
import { until } from "./until.ts";

/** Files: a certificate, its key, and who has to have signed those of others. */
export interface RedisTls {
  cert: string;
  key: string;
  ca: string;
}

/** Settings of a server that speaks nothing but TLS, with its like as well, to whoever shows a certificate. */
function tlsSettings({ cert, key, ca }: RedisTls, port: number): [name: string, value: string][] {
  return [
    ["port", "0"],
    ["tls-port", String(port)],
    ["tls-cert-file", cert],
    ["tls-key-file", key],
    ["tls-ca-cert-file", ca],
    ["tls-auth-clients", "yes"],
    ["tls-replication", "yes"],
  ];
}

/** Of redis-cli. */
const tlsWords = (tls: RedisTls | null): string[] =>
  tls === null ? [] : ["--tls", "--cacert", tls.ca, "--cert", tls.cert, "--key", tls.key];

export class RedisServer extends Server {
  /** With what a shell, a URL and Redis' own quoting would stumble over. */
  readonly password = "se:c/r@t%'";

  constructor(
    /** More words of its command line. */
    readonly more: readonly string[] = [],
    readonly withPassword = true,
    private readonly tls: RedisTls | null = null,
  ) {
    super();
  }

  protected command(): string[] {
    const password = this.withPassword ? ["--requirepass", this.password, "--masterauth", this.password] : [];
    const port = this.tls === null ? [["port", String(this.port)]] : tlsSettings(this.tls, this.port);
    const where = port.flatMap(([name, value]) => [`--${name}`, String(value)]);
    return ["redis-server", ...where, "--bind", "127.0.0.1", "--save", "", "--dir", this.dir, ...password, ...this.more];
  }

  protected greet(): void {
    if (this.run("PING") !== "PONG") throw new Error("no answer");
    this.seeded?.();
  }
  /** What is in it after every start: it keeps nothing. */
  seeded: (() => void) | null = null;

  /** The answer as redis-cli prints it. */
  run(...command: string[]): string {
    const who = this.withPassword ? ["-a", this.password, "--no-auth-warning"] : [];
    return runNow(["redis-cli", ...tlsWords(this.tls), "-h", "127.0.0.1", "-p", String(this.port), ...who, ...command]).trim();
  }
}

export class RedisCluster {
  readonly nodes: readonly RedisServer[];

  constructor(private readonly tls: RedisTls | null = null) {
    this.nodes = Array.from({ length: 3 }, () => {
      const [bus] = freePorts(1);
      const words = ["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", "1000"];
      return new RedisServer([...words, ...(tls === null ? [] : ["--tls-cluster", "yes"])], false, tls);
    });
  }

  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()));
    runNow(["redis-cli", ...tlsWords(this.tls), "--cluster", "create", ...this.nodes.map((n) => `127.0.0.1:${n.port}`), "--cluster-yes"]);
    await until(() => this.nodes.every((n) => n.run("CLUSTER", "INFO").includes("cluster_state:ok")), "the cluster is one");
  }

  /** Wherever its key belongs. */
  run(...command: string[]): string {
    return runNow(["redis-cli", ...tlsWords(this.tls), "-c", "-h", "127.0.0.1", "-p", String(this.nodes[0]?.port), ...command]).trim();
  }

  async remove(): Promise<void> {
    for (const node of this.nodes) await node.remove();
  }
}

class Sentinel extends Server {
  constructor(
    private readonly master: RedisServer,
    private readonly tls: RedisTls | null,
  ) {
    super();
  }

  protected command(): string[] {
    const file = join(this.dir, "sentinel.conf");
    // It writes what it learns into its file: a new one for each start.
    writeFileSync(
      file,
      [
        ...(this.tls === null ? [`port ${this.port}`] : tlsSettings(this.tls, this.port).map((setting) => setting.join(" "))),
        "bind 127.0.0.1",
        `dir ${this.dir}`,
        `sentinel monitor the-master 127.0.0.1 ${this.master.port} 2`,
        `sentinel auth-pass the-master "${this.master.password}"`,
        "sentinel down-after-milliseconds the-master 1000",
        "sentinel failover-timeout the-master 5000",
        "",
      ].join("\n"),
    );
    return ["redis-sentinel", file];
  }

  protected greet(): void {
    if (!this.run("REPLICAS", "the-master").includes("slave")) throw new Error("knows no replica yet");
  }

  run(...command: string[]): string {
    return runNow(["redis-cli", ...tlsWords(this.tls), "-h", "127.0.0.1", "-p", String(this.port), "SENTINEL", ...command]).trim();
  }
}

export class RedisSentinels {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly Sentinel[];

  constructor(tls: RedisTls | null = null) {
    this.master = new RedisServer([], true, tls);
    this.replica = new RedisServer(["--replicaof", "127.0.0.1", String(this.master.port)], true, tls);
    this.sentinels = Array.from({ length: 3 }, () => new Sentinel(this.master, tls));
  }

  async start(): Promise<void> {
    await this.master.start();
    await this.replica.start();
    await until(() => this.replica.run("INFO", "replication").includes("master_link_status:up"), "the replica follows");
    await Promise.all(this.sentinels.map((s) => s.start()));
  }

  /**
   * The master is the one that is meant to be, all sentinels say so, and the replica has everything. On a machine that stands still for a second
   * they may have changed places by themselves, and who follows anew has nothing at first.
   */
  async settled(): Promise<void> {
    const { master, replica, sentinels } = this;
    await until(() => {
      // "master", bytes written, replicas; "slave", host, port, link, bytes read.
      const [[role, written], following] = [master.run("ROLE").split("\n"), replica.run("ROLE").split("\n")];
      if (role !== "master" || following[0] !== "slave") throw new Error("they have changed places");
      const named = sentinels.every((s) => s.run("GET-MASTER-ADDR-BY-NAME", "the-master").endsWith(`\n${master.port}`));
      return named && following[3] === "connected" && following[4] === written;
    }, "the replica has everything");
  }

  /** The replica is master. When it comes to be one it closes its clients' connections, also that of whoever asks. */
  get replicaLeads(): boolean {
    try {
      return this.replica.run("ROLE").startsWith("master");
    } catch {
      return false;
    }
  }

  async remove(): Promise<void> {
    for (const server of [...this.sentinels, this.replica, this.master]) await server.remove();
  }
}
