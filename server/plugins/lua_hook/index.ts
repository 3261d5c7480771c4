/**
 * Scripts on hooks: Lua with the callbacks of EMQ X 3.1 (data/scripts/*.lua), and the same ones for JavaScript and TypeScript. Each script has a worker of
 * its own with a budget for each call; the budget, the list of errors, the times and the loading of changed files are ours.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bytesFrom, duration, integer, oneOf } from "../../lib/config_entry.ts";
import { definePlugin, type ScriptRowView, type ScriptsService } from "../plugin.ts";
import { ScriptHooks } from "./hooks.ts";
import type { Script, ScriptHost } from "./script.ts";
import { Scripts } from "./scripts.ts";
import { type OnFailure, Telling } from "./telling.ts";

const OURS = { required: false };
const WATCH_MS = 100;
const LOOK_MS = 1000;
/** Settings that a script has from when it was loaded. */
const LOADED_WITH: readonly string[] = ["lua_hook.budget", "lua_hook.memory"];

export const luaHook = definePlugin({
  name: "emqx_lua_hook",
  description: "EMQ X Lua Hooks",
  version: "v3.1.0",
  activeByDefault: false,
  inPlace: true,
  guards: true,
  onErrorOf: "all",
  config: {
    "lua_hook.budget": duration("20ms", "How long a call of a script may take; then it is ended, and counts as failed.", {
      least: "1ms",
      most: "1s",
      ...OURS,
    }),
    "lua_hook.memory": bytesFrom(
      "1MB",
      "16MB",
      "Memory that a call of a Lua script may take, and that a script of JavaScript may keep between calls.",
      OURS,
    ),
    "lua_hook.max_overruns": integer(
      5,
      "So many calls over the budget stop a script. Ten calls that keep it make up for one, at most one in a hundred budgets (2 s of 20 ms): a script that keeps overrunning is stopped, one that does now and then is not.",
      { min: 1, max: 1000, ...OURS },
    ),
    "lua_hook.on_failure": oneOf(
      ["deny", "ignore"],
      "deny",
      "When a script gives no answer to on_client_authenticate or on_client_check_acl (it fails, is over its budget, stopped or not loaded; while its worker is started again, who comes waits): deny refuses (CONNACK 3 or 0x88), so that nobody gets by it who can make it fail, as with auth.<x>.on_error; ignore asks the next one as EMQ X 3.1 did: with allow_anonymous on, everybody is let in then. To return nothing is no failure, and ignores as it did there.",
      OURS,
    ),
  },
  async start(ctx): Promise<ScriptsService> {
    const { clock } = ctx;
    const dir = join(ctx.dataDir, "scripts");
    mkdirSync(dir, { recursive: true });
    const onFailure = (): OnFailure => ctx.config["lua_hook.on_failure"];
    const hooks = new ScriptHooks(ctx, onFailure);
    const telling = new Telling(ctx, onFailure);
    const refresh = (): void => {
      hooks.refresh(scripts.all);
      telling.open(hooks.asked("on_client_authenticate", hooks.authentication) !== null);
    };

    const by: ScriptHost & { warn(message: string, fields: Record<string, unknown>): void } = {
      get limits() {
        return { budget: ctx.config["lua_hook.budget"], memory: ctx.config["lua_hook.memory"] };
      },
      get overruns() {
        return ctx.config["lua_hook.max_overruns"];
      },
      get packet() {
        return ctx.broker.largestPacket;
      },
      now: () => clock.now(),
      mono: () => clock.mono(),
      after: (ms, fn) => ctx.after(ms, fn),
      changed(script) {
        telling.alarm(script);
        refresh();
      },
      failed: (script, error) => telling.failed(script, error),
      stopped: (script) => ctx.log.error("script stopped", { script: script.name, error: script.error, overruns: by.overruns }),
      printed: (script, text) => ctx.log.notice("script", { script: script.name, text }),
      notTold: (script, tooLarge) => telling.notTold(script, tooLarge),
      warn: (message, fields) => ctx.log.warn(message, fields),
    };
    const scripts = new Scripts(dir, by);
    ctx.closing(() => scripts.close());
    ctx.report(() => ({
      servers: [],
      authentication: hooks.asked("on_client_authenticate", hooks.authentication),
      acl: hooks.asked("on_client_check_acl", hooks.acl),
    }));
    // Before the first client comes: a script may be what keeps it out.
    const unread = await scripts.open();
    if (unread !== null && onFailure() === "deny") throw new Error(unread);
    ctx.changed((keys) => {
      // Each goes on with the limits it was loaded with, until it is there with the new ones.
      if (keys.some((key) => LOADED_WITH.includes(key))) scripts.loadAgain();
      for (const script of scripts.all) telling.alarm(script);
      refresh();
    });
    ctx.every(WATCH_MS, () => scripts.watch(WATCH_MS));
    let { packet } = by;
    ctx.every(LOOK_MS, () => {
      // What they are told waits in memory that they share since they were loaded.
      if (by.packet > packet) {
        packet = by.packet;
        scripts.loadAgain();
      }
      scripts.look();
    });

    const row = (s: Script): ScriptRowView => ({
      name: s.name,
      language: s.language,
      state: s.state,
      error: s.error,
      retryAt: s.retryAt,
      loadedAt: s.loadedAt,
      callbacks: s.figures(),
      overruns: s.overruns,
      skipped: s.skipped,
      restarts: s.restarts,
      ...s.quantiles(),
    });
    return {
      list: () => scripts.all.map(row),
      errors: (name) => scripts.find(name)?.errors.toReversed(),
      command: (command, name) => scripts.command(command, name),
    };
  },
});
