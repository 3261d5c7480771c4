/** Redis: alone, three as a cluster, or two with three sentinels that watch them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "./ports.ts";
import { runNow, Server } from "./servers.ts";
import { until } from "./until.ts";

export class RedisServer extends Server {
  /** With what a shell, a URL and Redis' own quoting would stumble over. */
  readonly password = "se:c/r@t%'";

  constructor(
    /** More words of its command line. */
    readonly more: readonly string[] = [],
    readonly withPassword = true,
  ) {
    super();
  }

  protected command(): string[] {
    const password = this.withPassword ? ["--requirepass", this.password, "--masterauth", this.password] : [];
    return ["redis-server", "--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--dir", this.dir, ...password, ...this.more];
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
    return runNow(["redis-cli", "-h", "127.0.0.1", "-p", String(this.port), ...who, ...command]).trim();
  }
}

export class RedisCluster {
  readonly nodes = Array.from({ length: 3 }, () => {
    const [bus] = freePorts(1);
    return new RedisServer(["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", "1000"], false);
  });

  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()));
    runNow(["redis-cli", "--cluster", "create", ...this.nodes.map((n) => `127.0.0.1:${n.port}`), "--cluster-yes"]);
    await until(() => this.nodes.every((n) => n.run("CLUSTER", "INFO").includes("cluster_state:ok")), "the cluster is one");
  }

  /** Wherever its key belongs. */
  run(...command: string[]): string {
    return runNow(["redis-cli", "-c", "-h", "127.0.0.1", "-p", String(this.nodes[0]?.port), ...command]).trim();
  }

  async remove(): Promise<void> {
    for (const node of this.nodes) await node.remove();
  }
}

class Sentinel extends Server {
  constructor(private readonly master: RedisServer) {
    super();
  }

  protected command(): string[] {
    const file = join(this.dir, "sentinel.conf");
    // It writes what it learns into its file: a new one for each start.
    writeFileSync(
      file,
      [
        `port ${this.port}`,
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
    return runNow(["redis-cli", "-h", "127.0.0.1", "-p", String(this.port), "SENTINEL", ...command]).trim();
  }
}

export class RedisSentinels {
  readonly master = new RedisServer();
  readonly replica: RedisServer = new RedisServer(["--replicaof", "127.0.0.1", String(this.master.port)]);
  readonly sentinels = Array.from({ length: 3 }, () => new Sentinel(this.master));

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
