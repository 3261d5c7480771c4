/** What the admin layer needs of the plugin manager, and its refusals in the words of the API. */
import type { PluginError, PluginManager } from "../plugins/manager.ts";
import { CODE } from "./codes.ts";
import { AdminError, SecretAstray } from "./deps.ts";

export type PluginsView = Pick<
  PluginManager,
  | "list"
  | "has"
  | "isRunning"
  | "load"
  | "unload"
  | "reload"
  | "service"
  | "report"
  | "test"
  | "liveItems"
  | "liveChange"
  | "configRows"
  | "replacement"
  | "astray"
  | "updateSettings"
>;

/** By name: importing the class would pull the manager into whoever uses this layer. */
function isPluginError(err: unknown): err is PluginError {
  return err instanceof Error && err.name === "PluginError";
}

/** Loading and unloading: 102 with the manager's word (EMQ X 3.1's document). */
export function commandError(err: unknown): unknown {
  return isPluginError(err) ? new AdminError(CODE.UNKNOWN, err.message) : err;
}
/** One setting: a value of the wrong form is 108. */
export function settingError(err: unknown): unknown {
  return isPluginError(err) && err.kind === "bad_value" ? new AdminError(CODE.BAD_PARAMETER, err.message) : commandError(err);
}
/** The whole set: 102 as EMQ X 3.1, with which key it was in place of its `unknown_error`; but what 3.1 never refused has a code of its own. */
export function configError(err: unknown): unknown {
  if (err instanceof SecretAstray) return err;
  return isPluginError(err) || err instanceof AdminError ? new AdminError(CODE.UNKNOWN, err.message) : err;
}
