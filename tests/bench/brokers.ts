/** The brokers that are compared: BaoMQ from its executable, and whichever others are installed. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, waitForPort } from "../support/ports.ts";
import { pinned } from "./generator.ts";

export interface Ports {
  tcp: number;
  ws: number;
}

export interface Contestant {
  readonly name: string;
  readonly version: string;
  readonly webSocket: boolean;
  /** Command line; `dir` is an empty directory of its own. */
  command(dir: string, ports: Ports): string[];
}

export interface Running {
  readonly pid: number;
  readonly ports: Ports;
  stop(): Promise<void>;
}

const EXECUTABLE = join(import.meta.dir, "../../dist/baomq");

function outputOf(command: string[]): string {
  const r = Bun.spawnSync(command, { stdout: "pipe", stderr: "pipe" });
  return r.stdout.toString() + r.stderr.toString();
}

const versionIn = (text: string): string => /\d+\.\d+(?:\.\d+)?/.exec(text)?.[0] ?? "?";

function baomq(name: string, executable: string): Contestant {
  if (!existsSync(executable)) throw new Error(`${executable} is missing: bun run build`);
  return {
    name,
    version: versionIn(outputOf([executable, "--version"])),
    webSocket: true,
    command(dir, ports) {
      const set = {
        "listener.tcp.external": `127.0.0.1:${ports.tcp}`,
        "listener.ws.external": `127.0.0.1:${ports.ws}`,
        "listener.tcp.internal": "127.0.0.1:0",
        "listener.ssl.external": "127.0.0.1:0",
        "listener.wss.external": "127.0.0.1:0",
        "management.listener.http": "127.0.0.1:0",
        "dashboard.listener.http": "127.0.0.1:0",
        // The default of 1000 a second is there for protection, and no peer has one.
        "listener.tcp.external.max_conn_rate": "1000000",
        "log.to": "console",
      };
      return [executable, "start", "--data-dir", join(dir, "data"), ...Object.entries(set).flatMap(([k, v]) => ["--set", `${k}=${v}`])];
    },
  };
}

function mosquitto(noDelay: boolean): Contestant | null {
  const program = Bun.which("mosquitto") ?? ["/usr/sbin/mosquitto"].find((p) => existsSync(p));
  if (!program) return null;
  return {
    name: noDelay ? "Mosquitto, no delay" : "Mosquitto, default",
    version: versionIn(outputOf([program, "-h"])),
    webSocket: true,
    command(dir, ports) {
      const lines = [
        `listener ${ports.tcp} 127.0.0.1`,
        `listener ${ports.ws} 127.0.0.1`,
        "protocol websockets",
        "allow_anonymous true",
        "persistence false",
        "max_queued_messages 100000",
        "log_dest none",
        ...(noDelay ? ["set_tcp_nodelay true"] : []),
      ];
      const file = join(dir, "mosquitto.conf");
      writeFileSync(file, `${lines.join("\n")}\n`);
      return [program, "-c", file];
    },
  };
}

function flashmq(): Contestant | null {
  const program = Bun.which("flashmq");
  if (program === null) return null;
  return {
    name: "FlashMQ",
    version: versionIn(outputOf([program, "--version"])),
    webSocket: true,
    command(dir, ports) {
      const listen = (protocol: string, port: number) => `listen {\n  protocol ${protocol}\n  port ${port}\n}\n`;
      const file = join(dir, "flashmq.conf");
      const common = `allow_anonymous true\nthread_count 1\nstorage_dir ${dir}\nlog_file ${join(dir, "flashmq.log")}\n`;
      writeFileSync(file, common + listen("mqtt", ports.tcp) + listen("websockets", ports.ws));
      return [program, "--config-file", file];
    },
  };
}

function nanomq(): Contestant | null {
  const program = Bun.which("nanomq");
  if (program === null) return null;
  return {
    name: "NanoMQ",
    version: versionIn(outputOf([program, "--version"])),
    webSocket: false,
    command: (_, ports) => [program, "start", "--url", `nmq-tcp://127.0.0.1:${ports.tcp}`],
  };
}

/** EMQX as it is installed, with its own data; only its TCP port is moved. */
function emqx(): Contestant | null {
  const program = Bun.which("emqx");
  if (program === null) return null;
  return {
    name: "EMQX",
    version: versionIn(outputOf([program, "--version"])),
    webSocket: false,
    command: (_, ports) => ["env", `EMQX_LISTENERS__TCP__DEFAULT__BIND=127.0.0.1:${ports.tcp}`, program, "foreground"],
  };
}

/** BaoMQ first, then another build of it (`base`: its executable), if there is one. Throws when one is missing. */
export function contestants(base?: string): Contestant[] {
  const own = [baomq("BaoMQ", EXECUTABLE), ...(base === undefined ? [] : [baomq("base", base)])];
  return [...own, ...[mosquitto(true), mosquitto(false), flashmq(), nanomq(), emqx()].filter((c) => c !== null)];
}

/** Starts a broker on core 0 and returns when it accepts connections. */
export async function launch(c: Contestant): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), "baomq-bench-"));
  const [tcp = 0, ws = 0] = freePorts(2);
  const ports = { tcp, ws };
  const child = Bun.spawn(pinned(0, c.command(dir, ports)), { cwd: dir, stdio: ["ignore", "ignore", "ignore"] });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await child.exited;
    clearTimeout(late);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await waitForPort(tcp, 20_000);
    if (c.webSocket) await waitForPort(ws, 20_000);
  } catch (err) {
    await stop();
    throw new Error(`${c.name} did not start: ${err instanceof Error ? err.message : err}`);
  }
  return { pid: child.pid, ports, stop };
}
