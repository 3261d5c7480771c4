/** The brokers that are compared: BaoMQ from its executable, and whichever others are installed. */
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Certificate, Place } from "./launch.ts";
import type { Via } from "./scenarios.ts";

export interface Contestant {
  readonly name: string;
  readonly version: string;
  readonly via: readonly Via[];
  /** Does it keep sessions and retained messages on disk, as it is started here, and can it be given many of them in a reasonable time? */
  readonly keeps: boolean;
  /** Has the rule engine of EMQ X 3.1, and its API on `data/ctl.sock` of its directory. */
  readonly rules?: true;
  command(at: Place): string[];
}

const EXECUTABLE = join(import.meta.dir, "../../dist/baomq");

function outputOf(command: string[]): string {
  const r = Bun.spawnSync(command, { stdout: "pipe", stderr: "pipe" });
  return r.stdout.toString() + r.stderr.toString();
}

const versionIn = (text: string): string => /\d+\.\d+(?:\.\d+)?/.exec(text)?.[0] ?? "?";

/** Where a broker's program is: what the variable of its name says (MOSQUITTO=/opt/…), or on the PATH or one of `usual`. */
export function programOf(name: string, env: Record<string, string | undefined>, usual: readonly string[] = []): string | null {
  const variable = name.toUpperCase();
  const told = env[variable];
  if (!told) return Bun.which(name) ?? usual.find((p) => existsSync(p)) ?? null;
  if (!existsSync(told)) throw new Error(`${variable}: there is no ${told}`);
  // Brokers are started in directories of their own.
  return resolve(told);
}

function baomq(name: string, executable: string): Contestant {
  if (!existsSync(executable)) throw new Error(`${executable} is missing: bun run build`);
  return {
    name,
    version: versionIn(outputOf([executable, "--version"])),
    via: ["tcp", "ws", "tls"],
    keeps: true,
    rules: true,
    command({ dir, ports, certificate }) {
      const set: Record<string, string> = {
        "listener.tcp.external": `127.0.0.1:${ports.tcp}`,
        "listener.ws.external": `127.0.0.1:${ports.ws}`,
        "listener.ssl.external": `127.0.0.1:${certificate === null ? 0 : ports.tls}`,
        "listener.tcp.internal": "127.0.0.1:0",
        "listener.wss.external": "127.0.0.1:0",
        "management.listener.http": "127.0.0.1:0",
        "dashboard.listener.http": "127.0.0.1:0",
        "log.to": "console",
      };
      // The defaults are there for protection, and no peer has any.
      for (const kind of ["tcp", "ws", "ssl"]) set[`listener.${kind}.external.max_conn_rate`] = "1000000";
      // Its own would be an elliptic one, which is other work than the peers'.
      if (certificate !== null) {
        set["listener.ssl.external.keyfile"] = certificate.keyfile;
        set["listener.ssl.external.certfile"] = certificate.certfile;
      }
      return [executable, "start", "--data-dir", join(dir, "data"), ...Object.entries(set).flatMap(([k, v]) => ["--set", `${k}=${v}`])];
    },
  };
}

function mosquitto(noDelay: boolean): Contestant | null {
  const program = programOf("mosquitto", process.env, ["/usr/sbin/mosquitto"]);
  if (program === null) return null;
  return {
    name: noDelay ? "Mosquitto nodelay" : "Mosquitto default",
    version: versionIn(outputOf([program, "-h"])),
    via: ["tcp", "ws", "tls"],
    // By default it acknowledges in steps of 40 ms: a million messages take it seven minutes, and its start is the same.
    keeps: noDelay,
    command(at) {
      const file = join(at.dir, "mosquitto.conf");
      writeFileSync(file, `${mosquittoLines(at, noDelay).join("\n")}\n`);
      return [program, "-c", file];
    },
  };
}

export function mosquittoLines({ dir, ports, certificate, keeps }: Place, noDelay: boolean): string[] {
  const tls = ({ keyfile, certfile }: Certificate) => [`listener ${ports.tls} 127.0.0.1`, `keyfile ${keyfile}`, `certfile ${certfile}`];
  const kept = ["persistence true", `persistence_location ${dir}/`, "autosave_interval 1800"];
  return [
    `listener ${ports.tcp} 127.0.0.1`,
    `listener ${ports.ws} 127.0.0.1`,
    "protocol websockets",
    ...(certificate === null ? [] : tls(certificate)),
    "allow_anonymous true",
    ...(keeps ? kept : ["persistence false"]),
    // As another user it could neither read its key nor write its file in a directory that root made.
    ...(process.getuid?.() === 0 ? ["user root"] : []),
    "max_queued_messages 100000",
    "log_dest none",
    ...(noDelay ? ["set_tcp_nodelay true"] : []),
  ];
}

function flashmq(): Contestant | null {
  const program = programOf("flashmq", process.env);
  if (program === null) return null;
  return {
    name: "FlashMQ",
    version: versionIn(outputOf([program, "--version"])),
    via: ["tcp", "ws", "tls"],
    keeps: true,
    command({ dir, ports, certificate }) {
      const listen = (protocol: string, port: number, more = "") => `listen {\n  protocol ${protocol}\n  port ${port}\n${more}}\n`;
      const tls = certificate && listen("mqtt", ports.tls, `  fullchain ${certificate.certfile}\n  privkey ${certificate.keyfile}\n`);
      const file = join(dir, "flashmq.conf");
      const common = `allow_anonymous true\nthread_count 1\nstorage_dir ${dir}\nlog_file ${join(dir, "flashmq.log")}\n`;
      writeFileSync(file, common + listen("mqtt", ports.tcp) + listen("websockets", ports.ws) + (tls ?? ""));
      return [program, "--config-file", file];
    },
  };
}

function nanomq(): Contestant | null {
  const program = programOf("nanomq", process.env);
  if (program === null) return null;
  return {
    name: "NanoMQ",
    version: versionIn(outputOf([program, "--version"])),
    via: ["tcp"],
    keeps: false,
    command: ({ ports }) => [program, "start", "--url", `nmq-tcp://127.0.0.1:${ports.tcp}`],
  };
}

/** EMQX as it is installed, with its own data; only its ports are moved. Its sessions are in memory. */
function emqx(): Contestant | null {
  const program = programOf("emqx", process.env);
  if (program === null) return null;
  return {
    name: "EMQX",
    version: versionIn(outputOf([program, "--version"])),
    via: ["tcp", "ws", "tls"],
    keeps: false,
    command({ ports, certificate }) {
      const set: Record<string, string> = {
        TCP__DEFAULT__BIND: `127.0.0.1:${ports.tcp}`,
        WS__DEFAULT__BIND: `127.0.0.1:${ports.ws}`,
        SSL__DEFAULT__BIND: `127.0.0.1:${ports.tls}`,
      };
      if (certificate !== null) {
        set.SSL__DEFAULT__SSL_OPTIONS__KEYFILE = certificate.keyfile;
        set.SSL__DEFAULT__SSL_OPTIONS__CERTFILE = certificate.certfile;
      }
      return ["env", ...Object.entries(set).map(([k, v]) => `EMQX_LISTENERS__${k}=${v}`), program, "foreground"];
    },
  };
}

/** What competes with BaoMQ. */
export const peers = (): Contestant[] => [mosquitto(true), mosquitto(false), flashmq(), nanomq(), emqx()].filter((c) => c !== null);

/** BaoMQ, and another build of it (`base`: its executable), if there is one. Throws when one is missing. */
export const ours = (base?: string): { own: Contestant; base: Contestant | null } => ({
  own: baomq("BaoMQ", EXECUTABLE),
  base: base === undefined ? null : baomq("base", resolve(base)),
});
