/** What is told of scripts beside their list: in the log, sparingly, and as alarms. */
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import type { PluginContext } from "../plugin.ts";
import type { Script, ScriptError } from "./script.ts";

/** Failures of one script that are logged: one in this time, ms. All of the last ones are in its list. */
const FAILED_EVERY_MS = 1000;
/** And what one of them was not told, ms. */
const NOT_TOLD_EVERY_MS = 60_000;

/** What a callback about access counts as that gives no answer. */
export type OnFailure = "deny" | "ignore";

export class Telling {
  readonly #said = new WeakMap<Script, Map<string, MonoMs>>();
  #isOpen = false;

  constructor(
    private readonly ctx: Pick<PluginContext, "alarm" | "broker" | "clock" | "log">,
    private readonly onFailure: () => OnFailure,
  ) {}

  failed(script: Script, { callback, line, message }: ScriptError): void {
    if (this.#isDue(script, "failed", FAILED_EVERY_MS))
      this.ctx.log.error("script failed", { script: script.name, callback, line, error: message });
  }

  /** `tooLarge`: there never will be room for it. */
  notTold(script: Script, tooLarge: boolean): void {
    const why = tooLarge ? "a message is larger than what may wait" : "it is slower than what it is told of";
    if (this.#isDue(script, why, NOT_TOLD_EVERY_MS))
      this.ctx.log.warn("a script is passed over", { script: script.name, why, skipped: script.skipped });
  }

  /** Its state has changed, or what follows from it. */
  alarm(script: Script): void {
    this.ctx.alarm(`script_${script.name}`, alarmOf(script, this.onFailure()));
  }

  /** `asked`: some script has a word on who comes in. Told once, as other plugins do with `on_error = ignore`. */
  open(asked: boolean): void {
    const isOpen = asked && this.onFailure() === "ignore" && this.ctx.broker.allowsAnonymous;
    if (isOpen && !this.#isOpen)
      this.ctx.log.warn("on_failure = ignore: while a script fails, whoever allow_anonymous lets in comes in unasked");
    this.#isOpen = isOpen;
  }

  /** Is it time to say this of the script again? */
  #isDue(script: Script, what: string, every: number): boolean {
    const last = this.#said.get(script) ?? new Map<string, MonoMs>();
    this.#said.set(script, last);
    const now = this.ctx.clock.mono();
    const before = last.get(what);
    if (before !== undefined && between(before, now) < every) return false;
    last.set(what, now);
    return true;
  }
}

/** null = there is none. */
function alarmOf({ name, state, error, owed }: Script, onFailure: OnFailure): AlarmDetails | null {
  const isStopped = state === "stopped";
  if (!isStopped && owed.length === 0) return null;
  const what = isStopped ? `${error}. Change its file, or reload it.` : `${error ?? "it is being loaded"}.`;
  const meanwhile =
    onFailure === "deny"
      ? " Until it runs, whoever it is to be asked about is refused (lua_hook.on_failure = deny)."
      : " Until it runs, it is not asked about anybody (lua_hook.on_failure = ignore).";
  return {
    severity: "error",
    title: `the script ${name} ${isStopped ? "is stopped" : "does not run"}`,
    summary: owed.length === 0 ? what : what + meanwhile,
  };
}
