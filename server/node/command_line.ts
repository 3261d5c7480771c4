/** The words that `baomq start` and `baomq config` have in common: from the command line to a configuration. */
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Config, loadConfig } from "../config/config.ts";
import { wordsOf } from "../lib/errors.ts";
import { whyUnreadable } from "../lib/file_errors.ts";
import { pluginTables } from "../plugins/index.ts";

const DEFAULT_FILE = "etc/emqx.conf";

/** Wrong words on the command line. */
export class UsageError extends Error {}

export interface Options {
  config: Config;
  dataDir: string;
  /** What is no option. */
  words: string[];
}

/** @throws UsageError, ConfigErrors */
export function optionsOf(argv: string[], takesWords = false): Options {
  const { values, words } = parse(argv, takesWords);
  const flags = new Map<string, string>();
  for (const pair of values.set ?? []) {
    const at = pair.indexOf("=");
    if (at < 1) throw new UsageError(`--set ${pair}: expected KEY=VALUE`);
    flags.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
  const password = adminPassword(values["admin-password"], values["admin-password-file"]);
  if (password !== null) flags.set("dashboard.default_user.password", password);
  const dataDir = values["data-dir"];
  if (dataDir !== undefined) flags.set("node.data_dir", dataDir);
  const file = values.config ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : null);
  const config = loadConfig({ tables: pluginTables, file, env: process.env, flags });
  return { config, dataDir: String(config.get("node.data_dir")), words };
}

function parse(argv: string[], takesWords: boolean) {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: takesWords,
      options: {
        config: { type: "string", short: "c" },
        "data-dir": { type: "string", short: "d" },
        set: { type: "string", short: "s", multiple: true },
        "admin-password": { type: "string" },
        "admin-password-file": { type: "string" },
      },
    });
    return { values, words: positionals };
  } catch (err) {
    throw new UsageError(`${wordsOf(err)} (baomq --help shows what there is)`);
  }
}

function adminPassword(text: string | undefined, file: string | undefined): string | null {
  if (text === "") throw new UsageError("--admin-password is empty: the dashboard's user has to have one");
  if (text !== undefined) return text;
  if (file === undefined) return null;
  let read: string;
  try {
    read = readFileSync(file, "utf8").trim();
  } catch (err) {
    throw new UsageError(`--admin-password-file ${file} cannot be read: ${whyUnreadable(err)}`);
  }
  if (read === "") throw new UsageError(`--admin-password-file ${file} is empty: the dashboard's user has to have a password`);
  return read;
}
