/**
 * Scripts on hooks: Lua with the callbacks of EMQ X 3.1 (data/scripts/*.lua), and the same ones for JavaScript and TypeScript. Each script has a worker of
 * its own with a budget for each call; the budget, the list of errors, the times and the loading of changed files are ours.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../core/ports.ts";
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import { bytesFrom, duration, integer, oneOf } from "../../lib/config_entry.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import { definePlugin, type ScriptRowView, type ScriptsService } from "../plugin.ts";
import { type OnFailure, ScriptHooks } from "./hooks.ts";
import type { Script, ScriptHost } from "./script.ts";
import { Scripts } from "./scripts.ts";

const OURS = { required: false };
const WATCH_MS = 100;
const LOOK_MS = 1000;
/** Failures of one script that are logged: one in this time, ms. All of the last ones are in its list. */
const LOG_EVERY_MS = 1000;
/** And what one of them was not told, ms. */
const NOT_TOLD_EVERY_MS = 60_000;

/** Settings that a script has from when it was loaded. */
const LOADED_WITH: readonly string[] = ["lua_hook.budget", "lua_hook.memory"];

/** Is it time to say this of the script again? */
function sparing(clock: Clock): (script: Script, what: string, every: number) => boolean {
  const said = new WeakMap<Script, Map<string, MonoMs>>();
  return (script, what, every) => {
    const last = said.get(script) ?? new Map<string, MonoMs>();
    said.set(script, last);
    const now = clock.mono();
    const before = last.get(what);
    if (before !== undefined && between(before, now) < every) return false;
    last.set(what, now);
    return true;
  };
}

/** null = there is none. */
function alarmOf({ name, state, error, owed }: Script, onFailure: OnFailure): AlarmDetails | null {
  if (state !== "stopped" && owed.length === 0) return null;
  const until =
    owed.length === 0
      ? ""
      : onFailure === "deny"
        ? " Until it runs, whoever it is to be asked about is refused (lua_hook.on_failure = deny)."
        : " Until it runs, it is not asked about anybody (lua_hook.on_failure = ignore).";
  return state === "stopped"
    ? { severity: "error", title: `the script ${name} is stopped`, summary: `${error}. Change its file, or reload it.${until}` }
    : { severity: "error", title: `the script ${name} does not run`, summary: `${error ?? "it is being loaded"}.${until}` };
}

export const luaHook = definePlugin({
  name: "emqx_lua_hook",
  description: "EMQ X Lua Hooks",
  version: "v3.1.0",
  activeByDefault: false,
  inPlace: true,
  guards: true,
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
      "When a script gives no answer to on_client_authenticate or on_client_check_acl (it fails, is over its budget, stopped or not loaded): deny refuses (CONNACK 3 or 0x88), so that nobody gets by it who can make it fail, as with auth.<x>.on_error; ignore asks the next one as EMQ X 3.1 did: with allow_anonymous on, everybody is let in then. To return nothing is no failure, and ignores as it did there.",
      OURS,
    ),
  },
  async start(ctx): Promise<ScriptsService> {
    const { clock } = ctx;
    const dir = join(ctx.dataDir, "scripts");
    mkdirSync(dir, { recursive: true });
    const hooks = new ScriptHooks(ctx, () => ctx.config["lua_hook.on_failure"]);
    const isDue = sparing(clock);
    const warn = (script: Script): void => ctx.alarm(`script_${script.name}`, alarmOf(script, ctx.config["lua_hook.on_failure"]));

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
        warn(script);
        hooks.refresh(scripts.all);
      },
      failed(script, { callback, line, message }) {
        if (isDue(script, "failed", LOG_EVERY_MS)) ctx.log.error("script failed", { script: script.name, callback, line, error: message });
      },
      stopped(script) {
        ctx.log.error("script stopped", { script: script.name, error: script.error, overruns: ctx.config["lua_hook.max_overruns"] });
      },
      printed: (script, text) => ctx.log.notice("script", { script: script.name, text }),
      notTold(script, tooLarge) {
        const why = tooLarge ? "a message is larger than what may wait" : "it is slower than what it is told of";
        if (isDue(script, why, NOT_TOLD_EVERY_MS))
          ctx.log.warn("a script is passed over", { script: script.name, why, skipped: script.skipped });
      },
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
    if (unread !== null && ctx.config["lua_hook.on_failure"] === "deny") throw new Error(unread);
    let { packet } = by;
    ctx.changed((keys) => {
      // Each goes on with the limits it was loaded with, until it is there with the new ones.
      if (keys.some((key) => LOADED_WITH.includes(key))) scripts.loadAgain();
      for (const script of scripts.all) warn(script);
      hooks.refresh(scripts.all);
    });
    ctx.every(WATCH_MS, () => scripts.watch(WATCH_MS));
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
