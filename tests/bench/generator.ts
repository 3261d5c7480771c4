/** The load generator (load.c): compiled when it is missing or older than its source, run pinned to a core of its own. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

const SOURCE = join(import.meta.dir, "load.c");
const BINARY = join(import.meta.dir, "../../dist/bench/load");

/** What one run of the generator reports; which fields are there depends on the mode. */
export interface LoadResult {
  error?: string;
  msgs_per_broker_cpu_s?: number;
  delivered_per_s?: number;
  connects_per_broker_cpu_s?: number;
  connects_per_s?: number;
  /** From the first byte to CONNACK. */
  connack_us?: { p50: number };
  rss_bytes_per_conn?: number;
  lat_us?: { p50: number; p99: number };
  session_us?: number;
  store_us?: number;
  storm_us?: number;
  /** Not the generator's: the time to the first CONNACK. */
  start_ms?: number;
  /** Nor these: processor time and memory of a subscription; until all of them were forgotten, and how long another client waited meanwhile. */
  subscribe_us?: number;
  subscription_bytes?: number;
  gone_ms?: number;
  gone_wait_ms?: number;
  /** How long another client waited at most while the generator worked. */
  wait_ms?: number;
  lost?: number;
  misordered?: number;
  dup?: number;
  corrupt?: number;
  stalls?: number;
  disconnects?: number;
  unconnected?: number;
  churn_behind?: number;
  noise_cpu_s?: number;
}

export interface Generator {
  path: string;
  /** Was it built with OpenSSL? */
  tls: boolean;
}

const TLS_FLAGS = ["-DWITH_TLS", "-lssl", "-lcrypto"];

/** It says so itself: a binary may be older than the headers. */
const knowsTls = (): boolean => Bun.spawnSync([BINARY, "--help"]).stdout.toString().includes("--tls");

/** The compiled generator, with TLS where OpenSSL's headers are. Throws when there is no C compiler. */
export function compileGenerator(): Generator {
  const compiler = process.env.CC ?? Bun.which("cc") ?? Bun.which("gcc") ?? Bun.which("clang");
  if (!compiler) throw new Error("the load generator needs a C compiler: install gcc or clang, or set CC");
  const fresh = existsSync(BINARY) && statSync(BINARY).mtimeMs > statSync(SOURCE).mtimeMs;
  if (fresh && knowsTls()) return { path: BINARY, tls: true };
  mkdirSync(join(BINARY, ".."), { recursive: true });
  const compile = (flags: string[]) => Bun.spawnSync([compiler, "-O2", "-o", BINARY, SOURCE, ...flags], { stderr: "pipe" });
  if (compile(TLS_FLAGS).success) return { path: BINARY, tls: true };
  const r = compile([]);
  if (!r.success) throw new Error(`${compiler} cannot compile load.c:\n${r.stderr.toString()}`);
  return { path: BINARY, tls: false };
}

/** `command` pinned to one core, where that is possible and there are several. */
export function pinned(core: number, command: string[]): string[] {
  if (Bun.which("taskset") === null || navigator.hardwareConcurrency < 2) return command;
  return ["taskset", "-c", String(core), ...command];
}

export async function runLoad(generator: Generator, args: string[]): Promise<LoadResult> {
  const child = Bun.spawn(pinned(1, [generator.path, ...args]), { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  const line = out.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as LoadResult;
  } catch {
    return { error: err.trim() || `no result: ${line.slice(0, 200)}` };
  }
}
