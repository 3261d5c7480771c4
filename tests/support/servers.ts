/**
 * Real servers that plugins ask, each on a port of its own, in a directory of its own, as nobody's service: started, killed, frozen,
 * started again by the tests, and gone at their end.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./ports.ts";
import { until } from "./until.ts";

const IS_ROOT = process.getuid?.() === 0;

/** Some servers refuse to run as root: then they run as the account that their package has made. */
function as(account: string, command: string[]): string[] {
  return IS_ROOT ? ["setpriv", `--reuid=${account}`, `--regid=${account}`, "--clear-groups", ...command] : command;
}

export function runNow(command: string[], input = ""): string {
  const r = Bun.spawnSync(command, { stdin: Buffer.from(input), stdout: "pipe", stderr: "pipe", cwd: tmpdir() });
  if (r.exitCode !== 0) throw new Error(`${command.join(" ")}: ${r.stderr.toString()}${r.stdout.toString()}`);
  return r.stdout.toString();
}

/** A process and its children, as the kernel knows them. */
function family(pid: number): number[] {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ")[1]);
      parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
    } catch {
      // Gone meanwhile.
    }
  }
  const all = [pid];
  for (const p of all) all.push(...(parents.get(p) ?? []));
  return all;
}

/** No thread of it runs. A process that has ended has none. */
function standsStill(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.every((thread) => /^[TtZX]/.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8").split(") ").at(-1) ?? ""));
  } catch {
    return !existsSync(`/proc/${pid}`);
  }
}

export abstract class Server {
  readonly dir = mkdtempSync(join(tmpdir(), "baomq-server-"));
  readonly port: number = freePorts(1)[0] as number;
  protected readonly stopSignal: NodeJS.Signals = "SIGTERM";
  #child: Bun.Subprocess | null = null;

  constructor() {
    // Others than root have to get in.
    chmodSync(this.dir, 0o755);
  }

  protected abstract command(): string[];
  /** Throws while it is not there. */
  protected abstract greet(): void | Promise<void>;

  async start(): Promise<void> {
    const child = Bun.spawn(this.command(), {
      stdio: ["ignore", Bun.file(join(this.dir, "out.log")), Bun.file(join(this.dir, "err.log"))],
      cwd: this.dir,
    });
    this.#child = child;
    await until(async () => {
      if (child.exitCode !== null)
        throw new Error(`ended with ${child.exitCode}: ${readFileSync(join(this.dir, "err.log"), "utf8").slice(-2000)}`);
      try {
        await this.greet();
        return true;
      } catch {
        return false;
      }
    }, `${this.command()[0]} answers on port ${this.port}`);
  }

  /** To all of them, whose numbers are returned. */
  #signal(signal: NodeJS.Signals): number[] {
    const all = this.#child === null ? [] : family(this.#child.pid);
    for (const pid of all) {
      try {
        process.kill(pid, signal);
      } catch {
        // Gone meanwhile.
      }
    }
    return all;
  }

  /** `kill -9`, children and all. */
  async kill(): Promise<void> {
    await this.freeze();
    const all = this.#signal("SIGKILL");
    await this.#child?.exited;
    await until(() => all.every(standsStill), "all of its processes have ended");
    this.#child = null;
  }

  /** In order, without waiting for who is connected. */
  async stop(): Promise<void> {
    this.#child?.kill(this.stopSignal);
    await this.#child?.exited;
    this.#child = null;
  }

  /**
   * It stands still, its connections stay open. A thread that the signal has not reached yet would answer somebody, and so would a process that was
   * started meanwhile: they are looked for until there are no more.
   */
  async freeze(): Promise<void> {
    for (let seen = 0, all: number[] = []; seen === 0 || all.length > seen; ) {
      seen = all.length;
      all = this.#signal("SIGSTOP");
      await until(() => all.every(standsStill), "every thread is stopped");
      if (all.length === 0) return;
    }
  }
  thaw(): void {
    this.#signal("SIGCONT");
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A server that is asked in SQL. */
export abstract class SqlDatabase extends Server {
  readonly user: string = "root";
  readonly password = "sec'ret";
  abstract run(sql: string, database?: string): string;
}

function postgresBin(name: string): string {
  const found = [...new Bun.Glob(`*/bin/${name}`).scanSync("/usr/lib/postgresql")].sort().at(-1);
  return found === undefined ? (Bun.which(name) ?? name) : `/usr/lib/postgresql/${found}`;
}

export class Postgres extends SqlDatabase {
  readonly #data = join(this.dir, "data");
  /** SIGTERM waits for all to leave. */
  protected override readonly stopSignal = "SIGINT";

  constructor() {
    super();
    const secret = join(this.dir, "secret");
    writeFileSync(secret, this.password);
    chmodSync(this.dir, 0o777);
    runNow(
      as("postgres", [
        postgresBin("initdb"),
        "-D",
        this.#data,
        "-A",
        "scram-sha-256",
        `--pwfile=${secret}`,
        "-U",
        this.user,
        "-E",
        "UTF8",
        "--no-sync",
      ]),
    );
  }

  protected command(): string[] {
    const options = ["-p", String(this.port), "-h", "127.0.0.1", "-k", this.dir, "-c", "fsync=off", "-c", "max_connections=100"];
    return as("postgres", [postgresBin("postgres"), "-D", this.#data, ...options, ...this.tlsOptions]);
  }
  tlsOptions: string[] = [];

  protected greet(): void {
    this.run("select 1");
  }

  run(sql: string, database = "postgres"): string {
    const where = ["-h", "127.0.0.1", "-p", String(this.port), "-U", this.user, "-d", database];
    return runNow(
      ["env", `PGPASSWORD=${this.password}`, postgresBin("psql"), ...where, "-v", "ON_ERROR_STOP=1", "-q", "-t", "-A", "-f", "-"],
      sql,
    );
  }
}

export class MariaDb extends SqlDatabase {
  override readonly user = "mqtt";
  readonly #data = join(this.dir, "data");
  readonly #socket = join(this.dir, "sock");
  /** A server deletes at its start whatever looks like a temporary table there: in a common one also those of another that is being made. */
  readonly #tmp = join(this.dir, "tmp");

  constructor() {
    super();
    chmodSync(this.dir, 0o777);
    mkdirSync(this.#tmp);
    chmodSync(this.#tmp, 0o777);
    const account = IS_ROOT ? ["--user=mysql"] : [];
    runNow([
      "env",
      `TMPDIR=${this.#tmp}`,
      "mariadb-install-db",
      "--no-defaults",
      ...account,
      `--datadir=${this.#data}`,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
    ]);
  }

  protected command(): string[] {
    const account = IS_ROOT ? ["--user=mysql"] : [];
    const where = [
      `--datadir=${this.#data}`,
      `--port=${this.port}`,
      "--bind-address=127.0.0.1",
      `--socket=${this.#socket}`,
      `--pid-file=${this.dir}/pid`,
      `--tmpdir=${this.#tmp}`,
    ];
    return ["mariadbd", "--no-defaults", ...account, ...where, "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", ...this.tlsOptions];
  }
  tlsOptions: string[] = [];
  #named = false;

  protected greet(): void {
    if (this.#named) this.run("select 1");
    else {
      // The account of the fresh data directory has no password and comes by the socket only.
      runNow(
        ["mariadb", "--no-defaults", `--socket=${this.#socket}`, "-u", "root"],
        `create or replace user '${this.user}'@'%' identified by '${this.password.replaceAll("'", "''")}';grant all on *.* to '${this.user}'@'%' with grant option;`,
      );
      this.#named = true;
    }
  }

  run(sql: string, database = ""): string {
    const where = ["-h", "127.0.0.1", "-P", String(this.port), "-u", this.user, `-p${this.password}`];
    return runNow(["mariadb", "--no-defaults", ...where, "-N", "-B", ...(database === "" ? [] : [database])], sql);
  }
}
