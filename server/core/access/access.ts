/**
 * May this client come in, and may it do that? Two folds over hooks, as in EMQ X 3.1: the first handler with an answer decides,
 * and when none has one, the zone's setting does (`allow_anonymous`, `acl_nomatch`). A handler that fails denies.
 *
 * Both are synchronous as long as the handlers are: only a handler that returns a promise makes the connection wait.
 */
import { seldom, seldomOf } from "../../lib/seldom.ts";
import { later, type MonoMs, NO_MONO } from "../../lib/time.ts";
import { RC, refusalCode } from "../../mqtt/reason_codes.ts";
import type { AnyTopic, HookHandler, Hooks } from "../hooks.ts";
import type { Clock } from "../ports.ts";
import type { AclStep, AclVerdict, Action, AuthResult, AuthStep, ClientInfo, Credentials } from "../types.ts";
import type { Metrics } from "../watch/metrics.ts";
import { AclCache, failedTtl } from "./acl_cache.ts";

/** A connection as far as its ACL cache goes. */
export interface AclHolder {
  readonly client: ClientInfo | null;
  aclCache: AclCache | null;
}

type AuthHandler = HookHandler<"client.authenticate">;
type AclHandler = HookHandler<"client.check_acl">;

/** Where nothing is asked (super user, ACL off), a verdict stands for so long before the settings are looked at again, ms. */
const UNASKED_MS = 1000;
/** An ACL verdict, and until when it may be used again without asking while `epoch` stands; `NO_MONO` = not at all. */
export interface TimedVerdict {
  verdict: AclVerdict;
  until: MonoMs;
  /** It does not depend on the topic. */
  anyTopic: boolean;
}

/** What has come of the questions about one verdict. */
interface Course {
  /** One could not be asked. */
  failed: boolean;
}

type Undecided = AuthStep & { allow: null };

/** The last of those that have passed a log-in on with a word about it. */
interface Passed {
  readonly doubt: Undecided | null;
  /** Nobody could be asked. */
  readonly outage: Undecided | null;
}

const UNDOUBTED: Passed = { doubt: null, outage: null };

function noted(before: Passed, step: AuthStep | undefined): Passed {
  if (step == null || step.allow !== null) return before;
  return step.failed === true ? { ...before, outage: step } : { ...before, doubt: step };
}

const ALLOWED: AuthResult = { allow: true, isSuper: false };
const NO_ANONYMOUS: AuthResult = { allow: false, code: RC.NOT_AUTHORIZED, why: "no user name and password, and allow_anonymous is off" };
/** Strangers hear the same of a wrong password. */
const NOT_TOLD = "not authorized";
const UNKNOWN: AuthResult = {
  allow: false,
  code: RC.NOT_AUTHORIZED,
  why: "nobody knows this client, and allow_anonymous is off",
  told: NOT_TOLD,
};
const FAILED: AuthResult = { allow: false, code: RC.SERVER_UNAVAILABLE, why: "authentication failed on the server's side" };
const NO_ANSWER: AuthResult = { allow: false, code: RC.NOT_AUTHORIZED, why: "an authentication handler gave no valid answer" };

/** Neither user name nor password. */
function isAnonymous(client: ClientInfo, credentials: Credentials): boolean {
  return client.username === null && credentials.password === null;
}

/** Does it show what may be guessed? A password always is that, a user name where some handler takes it for a secret. */
export function mayGuess(handlers: readonly AuthHandler[], { username }: ClientInfo, { password }: Credentials): boolean {
  if (password !== null) return true;
  return username !== null && username !== "" && handlers.some((h) => h.filter?.secretName?.() === true);
}

/** The handlers that are asked about this client. */
export function askedAbout(handlers: readonly AuthHandler[], client: ClientInfo, credentials: Credentials): readonly AuthHandler[] {
  return handlers.length > 0 && isAnonymous(client, credentials) ? handlers.filter((h) => h.filter?.anonymous === true) : handlers;
}

/** What the handler at `i` sees. */
function shownTo(handlers: readonly AuthHandler[], i: number, credentials: Credentials): Credentials {
  return i === handlers.length - 1 ? { ...credentials, isLast: true } : credentials;
}

/**
 * Strangers do not hear which names there are, nor what a server behind the node is called or says: the log does, and `explain`. A plugin in plain
 * JavaScript may leave out anything.
 */
function toldLess(no: { code?: unknown; why?: unknown; failed?: unknown }): AuthResult {
  const code = refusalCode(no.code, no.failed === true ? RC.SERVER_UNAVAILABLE : RC.NOT_AUTHORIZED);
  const unavailable = code === RC.SERVER_UNAVAILABLE || code === RC.SERVER_BUSY;
  const why = typeof no.why === "string" ? no.why : "refused without a reason";
  return { allow: false, code, why, told: unavailable ? "authentication is not available now" : NOT_TOLD };
}

export class Access {
  /** Goes up when verdicts may have become different. Whoever keeps a verdict keeps the epoch with it. */
  epoch = 0;
  /** What `checkCached` answers with: one object, so that nothing is allocated for a verdict. */
  private readonly timed: TimedVerdict = { verdict: "deny", until: NO_MONO, anyTopic: false };

  constructor(
    private readonly hooks: Hooks,
    private readonly metrics: Metrics,
    private readonly clock: Pick<Clock, "mono">,
  ) {}

  /** Rules, plugins or zone settings have changed: every kept ACL verdict is void. */
  invalidate(): void {
    this.epoch++;
  }

  // ---- authentication

  /** A client with neither user name nor password is shown to the handlers alone that ask for such; then `allow_anonymous` decides. */
  authenticate(client: ClientInfo, credentials: Credentials): AuthResult | Promise<AuthResult> {
    const handlers = askedAbout(this.hooks.at["client.authenticate"], client, credentials);
    let passed = UNDOUBTED;
    for (let i = 0; i < handlers.length; i++) {
      const h = handlers[i] as AuthHandler;
      let step: AuthStep | Promise<AuthStep>;
      try {
        step = h.fn(client, shownTo(handlers, i, credentials));
      } catch (err) {
        return this.authFailed(h, err);
      }
      if (step instanceof Promise) return this.authenticateLater(handlers.slice(i), step, client, credentials, passed);
      const result = this.authDecided(step);
      if (result !== null) return result;
      passed = noted(passed, step);
    }
    return this.nobodyKnows(client, credentials, passed);
  }

  /** Who shows nothing guesses nothing. */
  mayGuess(client: ClientInfo, credentials: Credentials): boolean {
    return mayGuess(this.hooks.at["client.authenticate"], client, credentials);
  }

  /** The rest of the fold once a handler has returned a promise. `handlers[0]` is the one that is waited for. */
  private async authenticateLater(
    handlers: readonly AuthHandler[],
    first: Promise<AuthStep>,
    client: ClientInfo,
    credentials: Credentials,
    before: Passed,
  ): Promise<AuthResult> {
    let passed = before;
    for (const [i, h] of handlers.entries()) {
      try {
        const step = await (i === 0 ? first : h.fn(client, shownTo(handlers, i, credentials)));
        const result = this.authDecided(step);
        if (result !== null) return result;
        passed = noted(passed, step);
      } catch (err) {
        return this.authFailed(h, err);
      }
    }
    return this.nobodyKnows(client, credentials, passed);
  }

  /** null = not decided yet. A plugin in plain JavaScript may answer anything: what is no clear yes is a no. */
  private authDecided(step: AuthStep | undefined): AuthResult | null {
    if (step === null || step === undefined || step.allow === null) return null;
    if (step.allow === true) {
      this.metrics.authSuccess++;
      const isSuper = step.isSuper === true;
      return step.mountpoint === undefined ? { allow: true, isSuper } : { allow: true, isSuper, mountpoint: step.mountpoint };
    }
    this.metrics.authFailure++;
    if (step.allow !== false) return NO_ANSWER;
    if (step.failed === true) this.metrics.authError++;
    return toldLess(step);
  }

  private nobodyKnows(client: ClientInfo, credentials: Credentials, { doubt, outage }: Passed): AuthResult {
    if (doubt === null && client.zone.allowAnonymous) {
      this.metrics.authSuccess++;
      this.metrics.authAnonymous++;
      return ALLOWED;
    }
    this.metrics.authFailure++;
    // Whoever could not be asked might have let it in.
    if (outage !== null) this.metrics.authError++;
    const why = outage ?? doubt;
    if (why !== null) return toldLess(why);
    return isAnonymous(client, credentials) ? NO_ANONYMOUS : UNKNOWN;
  }

  private authFailed(h: AuthHandler, err: unknown): AuthResult {
    this.hooks.failed("client.authenticate", h, err);
    this.metrics.authError++;
    this.metrics.authFailure++;
    return FAILED;
  }

  // ---- access control

  /** Ask the chain. `topic` is a topic name, or the filter of a subscription without its share group; without mountpoint. */
  checkAcl(client: ClientInfo, action: Action, topic: string): AclVerdict | Promise<AclVerdict> {
    return this.ask(client, action, topic, null);
  }

  /** `course`: of whoever wants to know; null = nobody, so that nothing is made for it. */
  private ask(client: ClientInfo, action: Action, topic: string, course: Course | null): AclVerdict | Promise<AclVerdict> {
    if (client.isSuper || !client.zone.enableAcl) return "allow";
    const handlers = this.hooks.at["client.check_acl"];
    for (let i = 0; i < handlers.length; i++) {
      const h = handlers[i] as AclHandler;
      let step: AclStep | Promise<AclStep>;
      try {
        step = h.fn(client, action, topic);
      } catch (err) {
        return this.aclFailed(h, err, course);
      }
      if (step instanceof Promise) return this.checkLater(handlers.slice(i), step, client, action, topic, course);
      const verdict = this.aclDecided(step, course);
      if (verdict !== null) return verdict;
    }
    return this.count(client.zone.aclNomatch);
  }

  /**
   * As `checkAcl`, with the connection's cache. A verdict that came about by a failure is kept for a moment only.
   * A verdict given at once is the same object at every call: read it before the next one.
   */
  checkCached(holder: AclHolder, action: Action, topic: string, now: MonoMs): Readonly<TimedVerdict> | Promise<AclVerdict> {
    const client = holder.client as ClientInfo;
    const { zone } = client;
    if (client.isSuper || !zone.enableAcl || this.hooks.at["client.check_acl"].length === 0) {
      return this.answer(this.checkAcl(client, action, topic), later(now, UNASKED_MS), true);
    }
    if (!zone.enableAclCache || zone.aclCacheMaxSize <= 0) return this.answer(this.checkAcl(client, action, topic), NO_MONO);
    holder.aclCache ??= new AclCache();
    const known = holder.aclCache.get(action, topic, now, zone.aclCacheTtlMs, this.epoch);
    if (known !== undefined) {
      this.metrics.aclCacheHit++;
      return this.answer(known, holder.aclCache.hitUntil);
    }
    this.metrics.aclCacheMiss++;
    // It has no room for a client of many topics, whose every message would be looked up in the rules.
    const any = action === "publish" && holder.aclCache.size >= zone.aclCacheMaxSize ? this.onAnyTopic(client, action) : null;
    if (any !== null) return this.answer(this.count(any), later(now, zone.aclCacheTtlMs), true);
    return this.checkAndKeep(holder.aclCache, client, action, topic, now);
  }

  /** Fill in the one answer object. A promise is passed on: what it brings later is valid for this once. */
  private answer(verdict: AclVerdict | Promise<AclVerdict>, until: MonoMs, anyTopic = false): Readonly<TimedVerdict> | Promise<AclVerdict> {
    if (verdict instanceof Promise) return verdict;
    this.timed.verdict = verdict;
    this.timed.until = until;
    this.timed.anyTopic = anyTopic;
    return this.timed;
  }

  /** What the chain says of the client whatever the topic; null = that cannot be told without one. */
  private onAnyTopic(client: ClientInfo, action: Action): AclVerdict | null {
    const handlers = this.hooks.at["client.check_acl"];
    for (let i = 0; i < handlers.length; i++) {
      const h = handlers[i] as AclHandler;
      let answer: AnyTopic;
      try {
        answer = h.filter?.anyTopic?.(client, action) ?? "depends";
      } catch (err) {
        this.hooks.failed("client.check_acl", h, err);
        return null;
      }
      if (answer === "depends") return null;
      if (answer !== "silent") return answer;
    }
    return client.zone.aclNomatch;
  }

  private checkAndKeep(
    cache: AclCache,
    client: ClientInfo,
    action: Action,
    topic: string,
    now: MonoMs,
  ): Readonly<TimedVerdict> | Promise<AclVerdict> {
    const { epoch } = this;
    const { aclCacheTtlMs, aclCacheMaxSize } = client.zone;
    // Its own: what others ask meanwhile may fail.
    const course: Course = { failed: false };
    const generation = client.aclGeneration;
    const verdict = this.ask(client, action, topic, course);
    // A question that ran out of time has taken longer than its verdict stands: that begins when it is there.
    const keep = (v: AclVerdict, failedAt: MonoMs): AclVerdict => {
      if (client.aclGeneration !== generation) return v;
      if (course.failed) cache.putFailed(action, topic, v, failedAt, aclCacheMaxSize, epoch);
      else cache.put(action, topic, v, now, aclCacheMaxSize, epoch);
      return v;
    };
    if (verdict instanceof Promise) return verdict.then((v) => keep(v, this.clock.mono()));
    return this.answer(keep(verdict, now), later(now, course.failed ? failedTtl(aclCacheTtlMs) : aclCacheTtlMs));
  }

  private async checkLater(
    handlers: readonly AclHandler[],
    first: Promise<AclStep>,
    client: ClientInfo,
    action: Action,
    topic: string,
    course: Course | null,
  ): Promise<AclVerdict> {
    for (const [i, h] of handlers.entries()) {
      try {
        const step = await (i === 0 ? first : h.fn(client, action, topic));
        const verdict = this.aclDecided(step, course);
        if (verdict !== null) return verdict;
      } catch (err) {
        return this.aclFailed(h, err, course);
      }
    }
    return this.count(client.zone.aclNomatch);
  }

  /** null = not decided yet. */
  private aclDecided(step: AclStep | undefined, course: Course | null): AclVerdict | null {
    if (step === null || step === undefined) return null;
    if (step.failed === true) this.countFailure(course);
    return step.verdict === null ? null : this.count(step.verdict);
  }

  private count(verdict: AclVerdict): AclVerdict {
    if (verdict === "allow") {
      this.metrics.aclAllow++;
      return "allow";
    }
    this.metrics.aclDeny++;
    return "deny";
  }

  private aclFailed(h: AclHandler, err: unknown, course: Course | null): AclVerdict {
    this.hooks.failed("client.check_acl", h, err);
    this.countFailure(course);
    return this.count("deny");
  }

  private countFailure(course: Course | null): void {
    this.metrics.aclError++;
    if (course !== null) course.failed = true;
  }
}

seldom(askedAbout, shownTo);
seldomOf(Access, "authenticate", "nobodyKnows");
