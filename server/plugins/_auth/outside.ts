/**
 * Plugins that ask somebody outside who a client is and what it may do: where they hang on the access chain, and what happens while
 * nobody can be asked (`auth.<x>.on_error`).
 */
import { sayWhy } from "../../core/access/trace.ts";
import type { HookPoints } from "../../core/hooks.ts";
import type { AclStep, Action, AuthStep, ClientInfo } from "../../core/types.ts";
import { oneOf } from "../../lib/config_entry.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { BackendError, type BackendFailure } from "../_backend/errors.ts";
import type { PluginContext, VerdictCounts } from "../plugin.ts";
import { isOnlyExplained, isTheLastWord } from "./asking.ts";

export interface OutsideAuth {
  /**
   * null = not known there: the next plugin, or `allow_anonymous`, decides. `password`: empty when there is none. `lastWord`: whom it does not know is
   * refused. @throws BackendError
   */
  authenticate(client: ClientInfo, password: Uint8Array, wanted: () => boolean, lastWord?: boolean): AuthStep | Promise<AuthStep>;
  /** null = no rule speaks of it. Absent = it has none at all. @throws BackendError */
  check?(client: ClientInfo, action: Action, topic: string): AclStep | Promise<AclStep>;
  /** It looks for a secret in the user name, a token. */
  secretName?: boolean;
  /** The key whose value says what is asked about topics; absent = it is always the same. */
  rulesKey?: string;
  /** User names that begin with `$` have rules, too. Absent = none, as with EMQ X 3.1's tables: there the name is an account's, and no stranger's choice. */
  dollarHasRules?: true;
}

/** Why nobody is asked about this client's topics; null = somebody is. */
export function whyUnchecked({ check, rulesKey, dollarHasRules }: OutsideAuth, client: ClientInfo): string | null {
  if (check === undefined) return `${rulesKey === undefined ? "there are no rules" : `no ${rulesKey} is set`}: nothing is asked`;
  return !dollarHasRules && client.username?.startsWith("$") === true
    ? "user names that begin with $ have no rules here: nothing is asked"
    : null;
}

export type OnError = "deny" | "ignore";

/** The configuration key. `then`: what `ignore` does, where it is not what it does with most. */
export const onErrorEntry = (
  then = "asks the next one as EMQ X 3.1 did: with allow_anonymous on, everybody is let in then; with it off, whom no other knows is refused as with deny",
) =>
  oneOf(["deny", "ignore"], "deny", `While the server cannot be asked: deny refuses (CONNACK 3 or 0x88), ignore ${then}.`, {
    required: false,
  });

/** What was asked when it failed. */
export type Question = "authenticate" | "check";

/**
 * With `on_error = ignore`: does the next one decide? Not of what is our own doing: whoever came as the plugin was unloaded, or when too many
 * waited, is refused.
 */
export type PassesOn = (question: Question, failure: BackendFailure) => boolean;
export const passesOn: PassesOn = (_, failure) => failure !== "gone" && failure !== "busy";

/** What was said, counted. */
export interface Counts {
  readonly authentication: VerdictCounts;
  readonly acl: VerdictCounts;
}

/** Who gives half is let in by another plugin or not at all. */
const HALF: AuthStep = { allow: null, code: RC.BAD_USERNAME_OR_PASSWORD, why: "bad_username_or_password" };

export interface Asking {
  onError(): OnError;
  passesOn: PassesOn;
  counts: Counts;
  /** Whoever comes without a user name or a password is asked about, too. */
  takesHalf: boolean;
  /** A log-in begins with the settings as they are; what it returns is called when it is decided. */
  begins(): () => void;
}

export const HALF_WORDS = "not both a user name and a password: nobody is asked";

/** EMQ X 3.1: about half of it nobody is asked. */
export function isHalf(client: ClientInfo, password: Uint8Array | null): boolean {
  return client.username === null || client.username === "" || password === null || password.length === 0;
}

const NONE = new Uint8Array(0);

/** Hang on the chain. `now`: with the settings as they are. */
export function askOutside(ctx: Hanging, now: () => OutsideAuth, { onError, passesOn, counts, takesHalf, begins }: Asking): void {
  const passes = (client: ClientInfo, question: Question, err: BackendError): boolean => {
    const does = onError() === "ignore" && passesOn(question, err.kind);
    sayWhy(client, () => (does ? `no answer, so the next one is asked (on_error = ignore): ${err.message}` : `no answer: ${err.message}`));
    return does;
  };
  const authenticate: HookPoints["client.authenticate"] = (client, { password, wanted, isLast = false }) => {
    if (!takesHalf && isHalf(client, password)) {
      sayWhy(client, () => HALF_WORDS);
      return HALF;
    }
    return guarded<AuthStep>(
      () => whole(begins, () => now().authenticate(client, password ?? NONE, wanted ?? always, isTheLastWord(client, { isLast }))),
      (err) => (passes(client, "authenticate", err) ? passedOn(err) : refused(err)),
      (step, err) => counted(client, counts.authentication, step?.allow ?? null, err || (step?.allow === false && step.failed === true)),
    );
  };
  ctx.hook("client.authenticate", authenticate, { secretName: () => now().secretName === true });
  const check = (client: ClientInfo, action: Action, topic: string): AclStep | Promise<AclStep> => {
    const auth = now();
    const unchecked = whyUnchecked(auth, client);
    if (unchecked !== null) {
      sayWhy(client, () => unchecked);
      return null;
    }
    return guarded<AclStep>(
      () => auth.check?.(client, action, topic) ?? null,
      (err) => ({ verdict: passes(client, "check", err) ? null : "deny", why: err.message, failed: true }),
      (step, err) => counted(client, counts.acl, step === null || step.verdict === null ? null : step.verdict === "allow", err),
    );
  };
  ctx.hook("client.check_acl", check, { anyTopic: () => (now().check === undefined ? "silent" : "depends") });
}

type Hanging = Pick<PluginContext, "hook">;

function counted(client: ClientInfo, c: VerdictCounts, allow: boolean | null, failed: boolean): void {
  if (isOnlyExplained(client)) return;
  if (failed) c.errors++;
  else if (allow === null) c.ignored++;
  else if (allow) c.allowed++;
  else c.denied++;
}

function refused(err: BackendError): AuthStep {
  return { allow: false, code: err.kind === "busy" ? RC.SERVER_BUSY : RC.SERVER_UNAVAILABLE, why: err.message, failed: true };
}

/**
 * The next one is asked, as with whom the server does not know; where it is away nobody has said that it does not. Whom others know, with a wrong
 * password, hears another code then: `ignore` tells that much while it lasts.
 */
function passedOn(err: BackendError): AuthStep {
  if (err.kind === "refused") return null;
  return { allow: null, failed: true, code: RC.SERVER_UNAVAILABLE, why: err.message };
}

/** From its first question to its last one. */
function whole<T>(begins: () => () => void, ask: () => T | Promise<T>): T | Promise<T> {
  const decided = begins();
  let answer: T | Promise<T>;
  try {
    answer = ask();
  } catch (err) {
    decided();
    throw err;
  }
  if (answer instanceof Promise) return answer.finally(decided);
  decided();
  return answer;
}

/** What went wrong outside becomes an answer; any other error is a fault of ours and goes on. `told` hears what came of it. */
function guarded<T>(
  ask: () => T | Promise<T>,
  instead: (err: BackendError) => T,
  told: (answer: T, failed: boolean) => void,
): T | Promise<T> {
  const mended = (err: unknown): T => {
    if (!(err instanceof BackendError)) throw err;
    const answer = instead(err);
    told(answer, true);
    return answer;
  };
  const good = (answer: T): T => {
    told(answer, false);
    return answer;
  };
  let answer: T | Promise<T>;
  try {
    answer = ask();
  } catch (err) {
    return mended(err);
  }
  return answer instanceof Promise ? answer.then(good, mended) : good(answer);
}

const always = (): boolean => true;
