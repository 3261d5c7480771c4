/** Servers that rules write to: NATS, InfluxDB, Mosquitto, and the twin of Kafka. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePorts } from "./ports.ts";
import { runNow, Server } from "./servers.ts";

/** Somebody listens. */
function listens(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}

/** Paths. Clients have to show a certificate of `ca`. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export class NatsServer extends Server {
  readonly user = "rules";
  readonly password = "sec:r/et";
  tls: ServerTls | null = null;

  /** `rules` may publish below `ok.` and what JetStream needs. */
  protected command(): string[] {
    const config = join(this.dir, "nats.conf");
    const [cert, key, ca] = [this.tls?.cert, this.tls?.key, this.tls?.ca].map((path) => JSON.stringify(path));
    const tls = this.tls === null ? "" : `tls { cert_file: ${cert}, key_file: ${key}, ca_file: ${ca}, verify: true }\n`;
    const allowed = JSON.stringify(["ok.>", "js.>", "$JS.API.>", "_INBOX.>"]);
    writeFileSync(
      config,
      `listen: 127.0.0.1:${this.port}\njetstream { store_dir: ${JSON.stringify(this.dir)} }\nauthorization { users = [\n` +
        `{ user: ${this.user}, password: ${JSON.stringify(this.password)}, permissions: { publish: ${allowed} } }\n{ user: reader, password: "r" }\n] }\n${tls}`,
    );
    return [Bun.which("nats-server") ?? "/usr/sbin/nats-server", "-c", config];
  }

  protected greet(): Promise<void> {
    return listens(this.port);
  }
}

export class InfluxServer extends Server {
  readonly user = "rules";
  readonly password = "sec'ret";
  #isNamed = false;

  protected command(): string[] {
    const config = join(this.dir, "influxdb.conf");
    const [rpc] = freePorts(1);
    const dirs = ["meta", "data", "wal"].map((name) => join(this.dir, name));
    writeFileSync(
      config,
      [
        "reporting-disabled = true",
        `bind-address = "127.0.0.1:${rpc}"`,
        `[meta]\n  dir = "${dirs[0]}"`,
        `[data]\n  dir = "${dirs[1]}"\n  wal-dir = "${dirs[2]}"`,
        `[http]\n  bind-address = "127.0.0.1:${this.port}"\n  auth-enabled = true\n  log-enabled = false`,
        "[monitor]\n  store-enabled = false",
        "",
      ].join("\n"),
    );
    return ["influxd", "-config", config];
  }

  protected async greet(): Promise<void> {
    if (!this.#isNamed) {
      await this.#post(`create user ${this.user} with password '${this.password.replaceAll("'", "\\'")}' with all privileges`, false);
      await this.#post("create database rules");
      this.#isNamed = true;
    } else await this.rows("show databases");
  }

  async #post(q: string, withAccount = true): Promise<unknown> {
    const headers = withAccount ? { authorization: `Basic ${Buffer.from(`${this.user}:${this.password}`).toString("base64")}` } : {};
    const answer = await fetch(`http://127.0.0.1:${this.port}/query?db=rules&epoch=ms`, {
      method: "POST",
      body: new URLSearchParams({ q }),
      headers,
    });
    const body = (await answer.json()) as { error?: string; results?: { error?: string }[] };
    const error = body.error ?? body.results?.[0]?.error;
    if (error !== undefined) throw new Error(error);
    return body;
  }

  /** Of the first series, each as its columns say. */
  async rows(q: string): Promise<Record<string, unknown>[]> {
    const { results } = (await this.#post(q)) as { results: { series?: { columns: string[]; values: unknown[][] }[] }[] };
    const [series] = results[0]?.series ?? [];
    return (series?.values ?? []).map((row) => Object.fromEntries(row.map((value, i) => [series?.columns[i] ?? "", value])));
  }
}

export class Mosquitto extends Server {
  readonly user = "rules";
  readonly password = "se:c ret";
  tls: ServerTls | null = null;

  protected command(): string[] {
    const [config, accounts, rules, data] = ["mosquitto.conf", "accounts", "rules", "data"].map((name) => join(this.dir, name)) as [
      string,
      string,
      string,
      string,
    ];
    // Once: it is started again with what it had.
    if (!existsSync(accounts)) runNow(["mosquitto_passwd", "-b", "-c", accounts, this.user, this.password]);
    writeFileSync(rules, "user rules\ntopic readwrite ok/#\n");
    mkdirSync(data, { recursive: true });
    for (const path of [this.dir, data]) chmodSync(path, 0o777);
    for (const path of [accounts, rules]) chmodSync(path, 0o644);
    writeFileSync(
      config,
      [
        `listener ${this.port} 127.0.0.1`,
        "allow_anonymous false",
        `password_file ${accounts}`,
        `acl_file ${rules}`,
        "persistence true",
        `persistence_location ${data}/`,
        "autosave_on_changes true",
        "autosave_interval 1",
        "max_queued_messages 0",
        ...(this.tls === null
          ? []
          : [`certfile ${this.tls.cert}`, `keyfile ${this.tls.key}`, `cafile ${this.tls.ca}`, "require_certificate true"]),
        "",
      ].join("\n"),
    );
    return [Bun.which("mosquitto") ?? "/usr/sbin/mosquitto", "-c", config];
  }

  protected greet(): Promise<void> {
    return listens(this.port);
  }
}

export class KafkaTwin extends Server {
  readonly user = "rules";
  readonly password = "sec ret";

  constructor(private readonly topics: readonly string[]) {
    super();
  }

  protected command(): string[] {
    return [
      process.execPath,
      join(import.meta.dir, "kafka_twin.ts"),
      String(this.port),
      this.dir,
      this.topics.join(),
      this.user,
      this.password,
    ];
  }

  protected greet(): Promise<void> {
    return listens(this.port);
  }

  /** What librdkafka reads of a topic, all partitions. */
  read(topic: string, format: string): string[] {
    const login = [
      "-X",
      "security.protocol=sasl_plaintext",
      "-X",
      "sasl.mechanism=PLAIN",
      "-X",
      `sasl.username=${this.user}`,
      "-X",
      `sasl.password=${this.password}`,
    ];
    return runNow(["kcat", "-b", `127.0.0.1:${this.port}`, ...login, "-C", "-t", topic, "-e", "-q", "-f", `${format}\n`])
      .split("\n")
      .filter((line) => line !== "");
  }
}
