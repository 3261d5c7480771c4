/** `baomq start` and `baomq config`: from the command line to a running node, and to one clear line when that fails. */
import { type Config, ConfigErrors } from "./config/config.ts";
import { buildInfo } from "./lib/build_info.ts";
import { stackOf, wordsOf } from "./lib/errors.ts";
import type { Logger } from "./lib/log.ts";
import { LOG_LEVELS } from "./lib/log.ts";
import { openLog } from "./lib/open_log.ts";
import { ListenerError } from "./listeners/errors.ts";
import { located } from "./node/checks.ts";
import { optionsOf } from "./node/command_line.ts";
import { configCommand } from "./node/config_command.ts";
import { type RunningNode, startNode } from "./node/index.ts";
import { logOptions } from "./node/log_options.ts";

/** A stop that takes longer is cut short. */
const STOP_MS = 10_000;

export async function run(command: "start" | "config", argv: string[]): Promise<number> {
  try {
    return command === "start" ? await start(argv) : configCommand(argv);
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

async function start(argv: string[]): Promise<number> {
  const began = performance.now();
  const { config, dataDir } = optionsOf(argv);
  const log = openLog(logOptions(config));
  tellIgnored(config, log);
  catchStrays(log);
  const stopping = signalled();
  let node: RunningNode;
  try {
    node = await startNode({ config, log, dataDir });
  } catch (err) {
    log.close();
    throw err instanceof ListenerError ? new Error(located(config, { keys: [err.listener], message: err.message })) : err;
  }
  tell(node, log, Math.round(performance.now() - began));
  log.notice("stopping", { signal: await stopping });
  const late = setTimeout(() => process.exit(1), STOP_MS);
  const whole = await node.stop();
  clearTimeout(late);
  log.notice("stopped");
  log.close();
  return whole ? 0 : 1;
}

function tellIgnored(config: Config, log: Logger): void {
  const ignored = config.ignored();
  if (ignored.length > 0) {
    log.notice("settings without a meaning here are ignored", { keys: ignored.map((i) => i.key) });
    aloud(log, `${ignored.length} settings without a meaning here are ignored (baomq config check names them)`);
  }
  const { foreignFiles, faults } = config;
  if (foreignFiles.length > 0) {
    log.notice("files of plugins that are not part of this build are kept", { files: foreignFiles });
    aloud(log, `files of plugins that are not part of this build are kept: ${foreignFiles.join(", ")}`);
  }
  for (const [plugin, why] of faults) log.notice("a plugin's file is wrong: it cannot be loaded", { plugin, why });
}

/**
 * With EMQ X's own file (log.level = error) nobody would see a notice: what must be seen at the start is said on stderr then. Not on
 * stdout, which belongs to the log: it may be JSON for a machine.
 */
function aloud(log: Logger, line: string): void {
  const isSeen = log.handlers().some((h) => h.id === "console" && LOG_LEVELS.indexOf(h.level) <= LOG_LEVELS.indexOf("notice"));
  if (!isSeen) process.stderr.write(`baomq: ${line}\n`);
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
  aloud(log, `BaoMQ ${buildInfo.version} is running (${[...mqtt, ...web].join(", ")}; log.level = ${config.raw("log.level")})`);
  if (node.missingPlugins.length > 0) {
    // One of them may have kept strangers out.
    log.warn("plugins that ran before are not part of this build", { plugins: node.missingPlugins });
    aloud(log, `plugins that ran before are not part of this build: ${node.missingPlugins.join(", ")}`);
  }
  const dashboard = http.list().find((l) => l.protocol.endsWith(":dashboard"));
  if (dashboard !== undefined) log.notice("dashboard", { open: `http://127.0.0.1:${dashboard.listen_on.replace(/^.*:/, "")}/` });
  if (config.zones().get("external")?.allowAnonymous === true) {
    log.warn("clients may connect without a password; allow_anonymous = false closes that");
  }
}
