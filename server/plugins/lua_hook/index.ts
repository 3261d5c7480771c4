/**
 * Scripts on hooks: Lua with the callbacks of EMQ X 3.1 (data/scripts/*.lua), and the same ones for JavaScript and TypeScript. Each script has a worker of
 * its own with a budget for each call; the budget, the list of errors, the times and the loading of changed files are ours.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bytesFrom, duration, integer } from "../../lib/config_entry.ts";
import { definePlugin, type ScriptRowView, type ScriptsService } from "../plugin.ts";
import { ScriptHooks } from "./hooks.ts";
import type { Script, ScriptError, ScriptHost } from "./script.ts";
import { Scripts } from "./scripts.ts";

const OURS = { required: false };
const WATCH_MS = 100;
const LOOK_MS = 1000;
/** Failures of one script that are logged: one in this time, ms. All of the last ones are in its list. */
const LOG_EVERY_MS = 1000;

export const luaHook = definePlugin({
  name: "emqx_lua_hook",
  description: "EMQ X Lua Hooks",
  version: "v3.1.0",
  activeByDefault: false,
  inPlace: true,
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
    "lua_hook.max_overruns": integer(5, "Calls in a row that take more than they may, and then the script is stopped.", {
      min: 1,
      max: 1000,
      ...OURS,
    }),
  },
  async start(ctx): Promise<ScriptsService> {
    const { clock } = ctx;
    const dir = join(ctx.dataDir, "scripts");
    mkdirSync(dir, { recursive: true });
    const hooks = new ScriptHooks(ctx);
    const logged = new WeakMap<Script, number>();

    function log(script: Script, { callback, line, message }: ScriptError): void {
      const now = clock.mono();
      if (now - (logged.get(script) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return;
      logged.set(script, now);
      ctx.log.error("script failed", { script: script.name, callback, line, error: message });
    }

    const by: ScriptHost & { warn(message: string, fields: Record<string, unknown>): void } = {
      get limits() {
        return { budget: ctx.config["lua_hook.budget"], memory: ctx.config["lua_hook.memory"] };
      },
      get overruns() {
        return ctx.config["lua_hook.max_overruns"];
      },
      now: () => clock.now(),
      after: (ms, fn) => ctx.after(ms, fn),
      changed(script) {
        if (script.state !== "stopped") ctx.alarm(`script_${script.name}`, null);
        hooks.refresh(scripts.all);
      },
      failed: log,
      stopped(script, why) {
        ctx.log.error("script stopped", { script: script.name, error: why, overruns: ctx.config["lua_hook.max_overruns"] });
        ctx.alarm(`script_${script.name}`, {
          severity: "error",
          title: `the script ${script.name} is stopped`,
          summary: `${ctx.config["lua_hook.max_overruns"]} calls in a row took more than they may: ${why}. Change its file, or reload it.`,
        });
      },
      printed: (script, text) => ctx.log.notice("script", { script: script.name, text }),
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
    await scripts.open();
    // Each goes on with the limits it was loaded with, until it is there with the new ones.
    ctx.changed(() => scripts.loadAgain());
    ctx.every(WATCH_MS, () => scripts.watch(WATCH_MS));
    ctx.every(LOOK_MS, () => scripts.look());

    const row = (s: Script): ScriptRowView => ({
      name: s.name,
      language: s.language,
      state: s.state,
      error: s.error,
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
