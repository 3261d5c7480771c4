/** Whoever changes what is stored says how it is kept: every route that is no GET has `keeps`, or is known to store nothing. */
import { expect, test } from "bun:test";
import { ROUTES } from "../../server/api/v3/index.ts";

const STORES_NOTHING: Readonly<Record<string, string>> = {
  auth_user: "a login is remembered in memory",
  explain: "only asks",
  check_acl_file: "only reads",
  replace_acl_file: "a file of its own, written before the answer",
  find_password_hash: "only computes",
  test_plugin: "only asks, with settings that nobody saves",
  kickout_connection: "ends a connection: what is stored of its session is as when the client goes by itself",
  kickout_connections: "the same for several",
  clean_acl_cache: "empties a cache in memory",
  clean_acl_cache_all: "empties a cache in memory",
  start_listener: "until the next start",
  stop_listener: "until the next start",
  restart_listener: "until the next start",
  start_trace: "until the next start",
  stop_trace: "until the next start",
  set_log_level: "until the next start",
  reload_acl: "reads a file",
  reload: "reads files",
  load_script: "until the plugin starts again",
  unload_script: "until the plugin starts again",
  reload_script: "reads a file",
  enable_script: "a file is renamed before the answer",
  disable_script: "a file is renamed before the answer",
  reset_rule_metrics: "figures are in memory",
  resend_hook_dead_letters: "the queue's own files, written by it",
  delete_hook_dead_letters: "the same",
  resend_dead_letters: "a file of the action's own, written by it",
  delete_dead_letters: "the same",
  test_rule: "only computes",
  start_rule_capture: "kept in memory",
  test_resource: "only asks, with a configuration that nobody saves",
  start_resource: "opens again what is stored",
};

test("every route that changes something says how that is kept, or stores nothing", () => {
  const changing = ROUTES.filter((r) => r.method !== "GET");
  const silent = changing.filter((r) => r.keeps === undefined).map((r) => r.name);
  expect(silent.filter((name) => STORES_NOTHING[name] === undefined)).toEqual([]);
  expect(Object.keys(STORES_NOTHING).filter((name) => !silent.includes(name))).toEqual([]);
  expect(ROUTES.filter((r) => r.method === "GET" && r.keeps !== undefined)).toEqual([]);
});
