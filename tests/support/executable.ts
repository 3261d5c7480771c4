/**
 * The compiled broker as a stranger would run it: the file alone in an empty directory, nothing in the environment, ports nobody
 * else uses. Every test file installs its own copy and removes it at its end.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./ports.ts";
import { PATIENCE_MS } from "./until.ts";

const BUILT = join(import.meta.dir, "../../dist", process.platform === "win32" ? "baomq.exe" : "baomq");
/** What the log says when every listener is up; stderr when the log does not show it. */
const READY = /BaoMQ (?:\S+ )?is running/;

export interface BrokerPorts {
  tcp: number;
  tls: number;
  ws: number;
  wss: number;
  api: number;
  dashboard: number;
}

export interface StartOptions {
  /** Below the installation's directory. */
  data?: string;
  set?: Record<string, string>;
  /** More words for the command line. */
  args?: string[];
  env?: Record<string, string>;
  ports?: BrokerPorts;
  cwd?: string;
  /** No file may grow beyond so many blocks (512 or 1024 bytes, by shell). */
  fileBlocks?: number;
  /** Directory of a control group of memory (version 1) that it is in from its first moment. */
  memoryGroup?: string;
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  ms: number;
}

export function newPorts(): BrokerPorts {
  const [tcp = 0, tls = 0, ws = 0, wss = 0, api = 0, dashboard = 0] = freePorts(6);
  return { tcp, tls, ws, wss, api, dashboard };
}

function settings(ports: BrokerPorts, more: Record<string, string>): string[] {
  const all: Record<string, string> = {
    "listener.tcp.external": `127.0.0.1:${ports.tcp}`,
    "listener.tcp.internal": "127.0.0.1:0",
    "listener.ssl.external": `127.0.0.1:${ports.tls}`,
    "listener.ws.external": `127.0.0.1:${ports.ws}`,
    "listener.wss.external": `127.0.0.1:${ports.wss}`,
    "management.listener.http": String(ports.api),
    "dashboard.listener.http": String(ports.dashboard),
    "log.to": "console",
    "log.level": "notice",
    ...more,
  };
  return Object.entries(all).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
}

/** A broker process that has said it is ready. */
export class RunningBroker {
  log = "";
  errors = "";
  /** ms from spawn to ready, and of processor time until then. */
  readyMs = Number.NaN;
  readyBusyMs = Number.NaN;

  constructor(
    readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">,
    readonly ports: BrokerPorts,
    readonly dataDir: string,
    private readonly again: () => Promise<RunningBroker>,
  ) {}

  get pid(): number {
    return this.child.pid;
  }

  /** Resident memory, KiB. */
  rss(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1] ?? Number.NaN);
  }

  /** Seconds of processor time used so far, all threads. */
  cpu(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Ms of processor time its event loop has used so far: unlike the clock's time, no more on a busy machine. */
  busyMs(): number {
    return Number(readFileSync(`/proc/${this.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  }

  /** Lines of its log that tell of an error. */
  get complaints(): string[] {
    return this.log.split("\n").filter((line) => /\[(error|critical)\]/.test(line));
  }

  /** Ask it to stop; its exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.child.kill(signal);
    const late = setTimeout(() => this.child.kill("SIGKILL"), PATIENCE_MS);
    const code = await this.child.exited;
    clearTimeout(late);
    return code;
  }

  /** `kill -9`. */
  async crash(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }

  /** A new process on the same data and ports; this one must have ended. */
  restart(): Promise<RunningBroker> {
    return this.again();
  }
}

export class Installation {
  readonly dir = mkdtempSync(join(tmpdir(), "baomq-e2e-"));
  readonly path: string;
  readonly #children = new Set<Bun.Subprocess>();

  constructor() {
    if (!existsSync(BUILT)) throw new Error("dist/baomq is missing: bun run build");
    mkdirSync(join(this.dir, "bin"));
    this.path = join(this.dir, "bin", "baomq");
    try {
      linkSync(BUILT, this.path);
    } catch {
      copyFileSync(BUILT, this.path);
    }
  }

  #env(more: Record<string, string> = {}): Record<string, string> {
    return { HOME: this.dir, TMPDIR: this.dir, ...more };
  }

  /** Runs it to its end; for commands, and for starts that must fail. */
  async run(args: string[], options: { cwd?: string; env?: Record<string, string> } = {}): Promise<Outcome> {
    const t0 = performance.now();
    const child = Bun.spawn([this.path, ...args], {
      cwd: options.cwd ?? this.dir,
      env: this.#env(options.env),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.add(child);
    const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    clearTimeout(late);
    this.#children.delete(child);
    return { code, stdout, stderr, ms: performance.now() - t0 };
  }

  /** The words `start` would use: for starts that must fail. */
  startArgs(options: StartOptions & { ports: BrokerPorts }): string[] {
    return ["start", "--data-dir", this.dataDir(options.data), ...settings(options.ports, options.set ?? {}), ...(options.args ?? [])];
  }

  dataDir(name = "data"): string {
    return join(this.dir, name);
  }

  start(options: StartOptions = {}): Promise<RunningBroker> {
    const ports = options.ports ?? newPorts();
    const again = (): Promise<RunningBroker> => this.start({ ...options, ports });
    const args = this.startArgs({ ...options, ports });
    return this.#spawn(ports, this.dataDir(options.data), args, options.cwd ?? this.dir, options.env ?? {}, again, options);
  }

  async #spawn(
    ports: BrokerPorts,
    dataDir: string,
    args: string[],
    cwd: string,
    env: Record<string, string>,
    again: () => Promise<RunningBroker>,
    { fileBlocks, memoryGroup }: Pick<StartOptions, "fileBlocks" | "memoryGroup"> = {},
  ): Promise<RunningBroker> {
    const t0 = performance.now();
    const command = [this.path, ...args];
    // Without the signal a write beyond the limit fails, as on a full disk. The limit can be lifted from outside.
    const before = [
      ...(fileBlocks === undefined ? [] : [`trap '' XFSZ; ulimit -S -f ${fileBlocks}`]),
      ...(memoryGroup === undefined ? [] : [`echo $$ > '${memoryGroup}/cgroup.procs'`]),
    ];
    const limited = ["sh", "-e", "-c", [...before, `exec "$0" "$@"`].join("; "), ...command];
    const child = Bun.spawn(before.length === 0 ? command : limited, { cwd, env: this.#env(env), stdio: ["ignore", "pipe", "pipe"] });
    this.#children.add(child);
    void child.exited.then(() => this.#children.delete(child));
    const broker = new RunningBroker(child, ports, dataDir, again);
    await this.#ready(broker);
    broker.readyMs = performance.now() - t0;
    broker.readyBusyMs = broker.busyMs();
    return broker;
  }

  /** Reads the log for as long as the process lives; resolves when it says it is ready. */
  #ready(broker: RunningBroker): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`the broker ${why}\n${broker.errors}${broker.log}`));
      const late = setTimeout(() => fail(`is not ready after ${PATIENCE_MS} ms`), PATIENCE_MS);
      const ready = (output: string): void => {
        if (!READY.test(output)) return;
        clearTimeout(late);
        resolve();
      };
      void collect(broker.child.stdout, (text) => {
        broker.log += text;
        ready(broker.log);
      });
      const stderr = collect(broker.child.stderr, (text) => {
        broker.errors += text;
        ready(broker.errors);
      });
      void broker.child.exited.then(async (code) => {
        await stderr;
        clearTimeout(late);
        fail(`ended with code ${code}`);
      });
    });
  }

  /** In a directory that holds a configuration of its own. */
  startIn(cwd: string, ports: BrokerPorts, args: string[]): Promise<RunningBroker> {
    return this.#spawn(ports, join(cwd, "data"), args, cwd, {}, () => this.startIn(cwd, ports, args));
  }

  /** With these words only, and no ports but those of the configuration. */
  async startPlain(data: string, args: string[], env: Record<string, string> = {}): Promise<RunningBroker> {
    const dataDir = this.dataDir(data);
    return this.#spawn(newPorts(), dataDir, ["start", "--data-dir", dataDir, ...args], this.dir, env, () =>
      this.startPlain(data, args, env),
    );
  }

  /** Ends what still runs, and removes everything. */
  async remove(): Promise<void> {
    const rest = [...this.#children];
    for (const child of rest) child.kill("SIGKILL");
    await Promise.all(rest.map((child) => child.exited));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function collect(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) add(decoder.decode(chunk, { stream: true }));
}
