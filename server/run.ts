/** `baomq start` and `baomq config`: from the command line to a running node, and to one clear line when that fails. */
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Config, ConfigErrors, loadConfig } from "./config/config.ts";
import { sampleConfig } from "./config/sample.ts";
import { buildInfo } from "./lib/build_info.ts";
import { stackOf, wordsOf } from "./lib/errors.ts";
import type { Logger } from "./lib/log.ts";
import { openLog } from "./lib/open_log.ts";
import { type RunningNode, startNode } from "./node/index.ts";
import { logOptions } from "./node/log_options.ts";
import { pluginTables } from "./plugins/index.ts";

const DEFAULT_FILE = "etc/emqx.conf";
/** A stop that takes longer is cut short. */
const STOP_MS = 10_000;

/** Wrong words on the command line. */
class UsageError extends Error {}

export async function run(command: "start" | "config", argv: string[]): Promise<number> {
  try {
    if (command === "start") return await start(argv);
    const [what, ...rest] = argv;
    if (what === "sample") {
      process.stdout.write(sampleConfig(pluginTables));
      return 0;
    }
    if (what === "check") return check(rest);
    throw new UsageError(`config ${what ?? ""}: expected sample or check`);
  } catch (err) {
    process.stderr.write(`baomq: ${explain(err)}\n`);
    return 1;
  }
}

/** Every fault of the configuration has its own line; of anything else, the message is the line. */
function explain(err: unknown): string {
  if (err instanceof ConfigErrors) return err.errors.map((e) => e.message).join("\nbaomq: ");
  // One line, whatever a library put into its message.
  return wordsOf(err).replaceAll(/\s*\n\s*/g, "; ");
}

interface Options {
  config: Config;
  dataDir: string;
}

function options(argv: string[]): Options {
  let values: Record<string, string | string[] | undefined>;
  try {
    values = parseArgs({
      args: argv,
      options: {
        config: { type: "string", short: "c" },
        "data-dir": { type: "string", short: "d" },
        set: { type: "string", short: "s", multiple: true },
        "admin-password": { type: "string" },
        "admin-password-file": { type: "string" },
      },
    }).values as typeof values;
  } catch (err) {
    throw new UsageError(`${wordsOf(err)} (baomq --help shows what there is)`);
  }
  const flags = new Map<string, string>();
  for (const pair of (values.set as string[] | undefined) ?? []) {
    const at = pair.indexOf("=");
    if (at < 1) throw new UsageError(`--set ${pair}: expected KEY=VALUE`);
    flags.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
  const password = adminPassword(values);
  if (password !== null) flags.set("dashboard.default_user.password", password);
  const dataDir = values["data-dir"] as string | undefined;
  if (dataDir !== undefined) flags.set("node.data_dir", dataDir);
  const file = (values.config as string | undefined) ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : null);
  const config = loadConfig({ tables: pluginTables, file, env: process.env, flags });
  return { config, dataDir: String(config.get("node.data_dir")) };
}

function adminPassword(values: Record<string, unknown>): string | null {
  const text = values["admin-password"];
  const file = values["admin-password-file"];
  if (typeof text === "string") return text;
  if (typeof file !== "string") return null;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (err) {
    throw new UsageError(`--admin-password-file ${file} cannot be read: ${wordsOf(err)}`);
  }
}

function check(argv: string[]): number {
  const { config } = options(argv);
  for (const { key, reason } of config.ignored()) process.stdout.write(`ignored: ${key} (${reason})\n`);
  process.stdout.write("The configuration is good.\n");
  return 0;
}

async function start(argv: string[]): Promise<number> {
  const began = performance.now();
  const { config, dataDir } = options(argv);
  const log = openLog(logOptions(config));
  const ignored = config.ignored();
  if (ignored.length > 0) log.notice("settings without a meaning here are ignored", { keys: ignored.map((i) => i.key) });
  catchStrays(log);
  const stopping = signalled();
  let node: RunningNode;
  try {
    node = await startNode({ config, log, dataDir });
  } catch (err) {
    log.close();
    throw err;
  }
  tell(node, log, Math.round(performance.now() - began));
  log.notice("stopping", { signal: await stopping });
  const late = setTimeout(() => process.exit(1), STOP_MS);
  await node.stop();
  clearTimeout(late);
  log.notice("stopped");
  log.close();
  return 0;
}

/** Resolves with the first signal's name; the second one ends the process at once. */
function signalled(): Promise<string> {
  return new Promise((resolve) => {
    let first = true;
    for (const name of ["SIGTERM", "SIGINT"] as const) {
      process.on(name, () => {
        if (!first) process.exit(130);
        first = false;
        resolve(name);
      });
    }
    process.on("SIGPIPE", () => {});
  });
}

/** A bug somewhere must not stop the broker: it is logged, with its stack, and service goes on. */
function catchStrays(log: Logger): void {
  process.on("uncaughtException", (err) => log.critical("uncaught error", { error: stackOf(err) }));
  process.on("unhandledRejection", (err) => log.critical("unhandled rejection", { error: stackOf(err) }));
}

/** Who can connect where, and what to do next. */
function tell(node: RunningNode, log: Logger, ms: number): void {
  const { config, listeners, http } = node;
  const mqtt = listeners.list().map((l) => `${l.protocol}:${l.port}`);
  const web = http.list().map((l) => `${l.protocol}:${l.listen_on}`);
  log.notice("BaoMQ is running", {
    version: buildInfo.version,
    node: config.node().nodeName,
    ms,
    listeners: [...mqtt, ...web],
    data: node.dataDir,
  });
  const dashboard = http.list().find((l) => l.protocol.endsWith(":dashboard"));
  if (dashboard !== undefined) log.notice("dashboard", { open: `http://127.0.0.1:${dashboard.listen_on.replace(/^.*:/, "")}/` });
  if (config.zones().get("external")?.allowAnonymous === true) {
    log.warn("clients may connect without a password; allow_anonymous = false closes that");
  }
}
