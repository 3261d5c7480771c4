/** What would keep the node from starting with a configuration: rules over several keys, files, ports. */
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { brokenRules, listeningKeys, secureListeners, tlsKeys } from "../config/rules.ts";
import type { SettingProblem } from "../config/types.ts";
import { whyUnreadable } from "../lib/file_errors.ts";
import { ListenerError } from "../listeners/errors.ts";
import { whyNotListen } from "../listeners/probe.ts";
import { checkTls } from "../listeners/tls.ts";
import { aclText } from "./acl_text.ts";
import { logOptions } from "./log_options.ts";
import { pluginsDir } from "./plugins_dir.ts";

type Keys = (key: string) => boolean;
const everyKey: Keys = () => true;

/** All that is wrong, without opening a port. */
export function problemsOf(config: Config): SettingProblem[] {
  return [...brokenRules(config), ...brokenFiles(config, everyKey)];
}

/** As `problemsOf`, and the ports for which the API's layer decides: those of the others are found out by opening them. */
export function problemsAtStart(config: Config): SettingProblem[] {
  return [...problemsOf(config), ...closedPorts(config, (key) => config.override(key) !== undefined && config.fixedBy(key) === null)];
}

/** Ports of one plugin that cannot be opened. */
export function closedPortsOf(config: Config, plugin: string): SettingProblem[] {
  return closedPorts(config, (key) => config.keys.find(key)?.app === plugin);
}

/** With the place where the value stands that is to be changed. */
export function located(config: Config, { keys, message }: SettingProblem): string {
  const key = keys.find((k) => config.keys.find(k) !== undefined && config.origin(k) !== "default");
  return key === undefined ? message : `${message} (${key} is set ${config.where(key)})`;
}

/** What a change would break. `isOurs`: the port is open, by ourselves. */
export function problemsOfChange(before: Config, after: Config, changed: Keys, isOurs: (port: number) => boolean): SettingProblem[] {
  const known = new Set(brokenRules(before).map((p) => p.message));
  const rules = brokenRules(after).filter((p) => !known.has(p.message));
  const ports = closedPorts(after, changed, isOurs);
  return [...rules, ...brokenFiles(after, changed), ...ports];
}

function closedPorts(config: Config, concerned: Keys, isOurs: (port: number) => boolean = () => false): SettingProblem[] {
  return listeningKeys(config).flatMap(({ key, address }) => {
    if (!concerned(key) || isOurs(address.port)) return [];
    const why = whyNotListen(key, address);
    return why === null ? [] : [{ keys: [key], message: why }];
  });
}

function brokenFiles(config: Config, concerned: Keys): SettingProblem[] {
  const rest = [...brokenCertificates(config, concerned), ...brokenLog(config, concerned)];
  return [...brokenRulesFile(config, concerned), ...brokenPluginsDir(config, concerned), ...rest];
}

function brokenRulesFile(config: Config, concerned: Keys): SettingProblem[] {
  if (!concerned("acl_file")) return [];
  try {
    aclText(config);
    return [];
  } catch (err) {
    return [{ keys: ["acl_file"], message: (err as Error).message }];
  }
}

function brokenPluginsDir(config: Config, concerned: Keys): SettingProblem[] {
  const key = "plugins.expand_plugins_dir";
  const dir = pluginsDir(config, String(config.get("node.data_dir")));
  if (!concerned(key) || dir === "" || !existsSync(dir)) return [];
  try {
    readdirSync(dir);
    return [];
  } catch (err) {
    return [
      {
        keys: [key],
        message: `${key} = ${config.raw(key)}: expected a directory of plugins, but it cannot be read: ${whyUnreadable(err)}`,
      },
    ];
  }
}

function brokenCertificates(config: Config, concerned: Keys): SettingProblem[] {
  return secureListeners(config).flatMap(({ prefix, tls }) => {
    const keys = tlsKeys(config, prefix);
    if (![prefix, ...keys].some(concerned)) return [];
    try {
      checkTls(prefix, tls);
      return [];
    } catch (err) {
      if (!(err instanceof ListenerError)) throw err;
      return [{ keys: [...new Set([err.listener, ...keys, prefix])], message: err.message }];
    }
  });
}

function brokenLog(config: Config, concerned: Keys): SettingProblem[] {
  const o = logOptions(config);
  const keys = logKeys(config);
  if (!keys.some(concerned)) return [];
  const files = [...(o.to === "file" || o.to === "both" ? [o.file] : []), ...(o.to === "off" ? [] : o.levelFiles.map((f) => f.file))];
  return files.flatMap((name) => {
    const file = join(o.dir, name);
    const why = whyNotWritable(file);
    return why === null
      ? []
      : [{ keys, message: `log.dir = ${o.dir}: expected a directory for log files, but ${file} cannot be written: ${why}` }];
  });
}

/** The keys that decide which files are opened. */
export function logKeys(config: Config): string[] {
  return ["log.dir", "log.file", "log.to", ...logOptions(config).levelFiles.map((f) => `log.${f.level}.file`)];
}

/** Of a file that need not be there, in a directory that need not be there either. */
function whyNotWritable(file: string): string | null {
  const wanted = resolve(file);
  let path = wanted;
  try {
    // The root is always there.
    while (kindOf(path) === "nothing") path = dirname(path);
    if (kindOf(path) !== (path === wanted ? "file" : "directory")) return path === wanted ? "it is no file" : `${path} is no directory`;
    accessSync(path, constants.W_OK);
    return null;
  } catch (err) {
    return whyUnreadable(err);
  }
}

/** @throws what the file system says of a path where nothing can be either */
function kindOf(path: string): "file" | "directory" | "nothing" {
  try {
    return statSync(path).isDirectory() ? "directory" : "file";
  } catch (err) {
    if (!["ENOENT", "ENOTDIR"].includes((err as { code?: string }).code ?? "")) throw err;
    return "nothing";
  }
}
