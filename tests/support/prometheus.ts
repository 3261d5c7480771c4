/** Debian's Prometheus and its push gateway. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROMETHEUS, PUSHGATEWAY } from "./peers.ts";
import { Server } from "./servers.ts";

export interface GatewayGuard {
  cert: string;
  key: string;
  user: string;
  password: string;
}

export class PushGateway extends Server {
  #guard: GatewayGuard | null = null;
  readonly #file = join(this.dir, "web.yml");

  /** From the next start on with TLS, and a password. */
  async guard(guard: GatewayGuard): Promise<void> {
    const hash = await Bun.password.hash(guard.password, { algorithm: "bcrypt", cost: 4 });
    writeFileSync(
      this.#file,
      `tls_server_config:\n  cert_file: ${guard.cert}\n  key_file: ${guard.key}\nbasic_auth_users:\n  ${guard.user}: '${hash}'\n`,
    );
    this.#guard = guard;
  }

  get url(): string {
    return `${this.#guard === null ? "http" : "https"}://127.0.0.1:${this.port}`;
  }

  protected command(): string[] {
    const guarded = this.#guard === null ? [] : [`--web.config.file=${this.#file}`];
    return [
      PUSHGATEWAY.find() ?? "prometheus-pushgateway",
      `--web.listen-address=127.0.0.1:${this.port}`,
      // Debian's keeps figures below /var/lib, where it would find those of another run.
      "--persistence.file=",
      ...guarded,
    ];
  }

  async ask(path: string): Promise<Response> {
    const g = this.#guard;
    return fetch(`${this.url}${path}`, {
      ...(g !== null && { headers: { authorization: `Basic ${btoa(`${g.user}:${g.password}`)}` }, tls: { rejectUnauthorized: false } }),
    });
  }

  protected async greet(): Promise<void> {
    if ((await this.ask("/-/ready")).status !== 200) throw new Error("not ready");
  }

  /** All samples: `name{labels}` -> value. */
  async samples(): Promise<Map<string, number>> {
    const text = await (await this.ask("/metrics")).text();
    const rows = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(rows.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
  }
}

/** Scrapes every 200 ms. */
export class Prometheus extends Server {
  /** `jobs`: YAML, a list of scrape configurations. */
  constructor(private readonly jobs: string) {
    super();
  }

  protected command(): string[] {
    const file = join(this.dir, "prometheus.yml");
    writeFileSync(file, `global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\nscrape_configs:\n${this.jobs}`);
    return [
      PROMETHEUS.find() ?? "prometheus",
      `--config.file=${file}`,
      `--storage.tsdb.path=${this.dir}/data`,
      `--web.listen-address=127.0.0.1:${this.port}`,
    ];
  }

  protected async greet(): Promise<void> {
    if ((await fetch(`http://127.0.0.1:${this.port}/-/ready`)).status !== 200) throw new Error("not ready");
  }

  /** An instant query: labels and value of each that fits. */
  async query(promql: string): Promise<{ metric: Record<string, string>; value: number }[]> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/v1/query?query=${encodeURIComponent(promql)}`);
    const { status, data, error } = (await answer.json()) as {
      status: string;
      error?: string;
      data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (status !== "success" || data === undefined) throw new Error(`${promql}: ${error}`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }
}
