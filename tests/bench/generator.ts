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
  rss_bytes_per_conn?: number;
  lat_us?: { p50: number; p99: number };
  lost?: number;
  misordered?: number;
  dup?: number;
  corrupt?: number;
  stalls?: number;
  disconnects?: number;
  noise_cpu_s?: number;
}

/** Path of the compiled generator. Throws when there is no C compiler. */
export function compileGenerator(): string {
  const compiler = process.env.CC ?? Bun.which("cc") ?? Bun.which("gcc") ?? Bun.which("clang");
  if (!compiler) throw new Error("the load generator needs a C compiler: install gcc or clang, or set CC");
  if (existsSync(BINARY) && statSync(BINARY).mtimeMs > statSync(SOURCE).mtimeMs) return BINARY;
  mkdirSync(join(BINARY, ".."), { recursive: true });
  const r = Bun.spawnSync([compiler, "-O2", "-o", BINARY, SOURCE], { stderr: "pipe" });
  if (!r.success) throw new Error(`${compiler} cannot compile load.c:\n${r.stderr.toString()}`);
  return BINARY;
}

/** `command` pinned to one core, where that is possible and there are several. */
export function pinned(core: number, command: string[]): string[] {
  if (Bun.which("taskset") === null || navigator.hardwareConcurrency < 2) return command;
  return ["taskset", "-c", String(core), ...command];
}

export async function runLoad(generator: string, args: string[]): Promise<LoadResult> {
  const child = Bun.spawn(pinned(1, [generator, ...args]), { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  const line = out.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as LoadResult;
  } catch {
    return { error: err.trim() || `no result: ${line.slice(0, 200)}` };
  }
}
