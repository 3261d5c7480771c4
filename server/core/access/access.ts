/**
 * May this client come in, and may it do that? Two folds over hooks, as in EMQ X 3.1: the first handler with an answer decides,
 * and when none has one, the zone's setting does (`allow_anonymous`, `acl_nomatch`). A handler that fails denies.
 *
 * Both are synchronous as long as the handlers are: only a handler that returns a promise makes the connection wait.
 */
import { later, type MonoMs, NO_MONO } from "../../lib/time.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import type { HookHandler, Hooks } from "../hooks.ts";
import type { AclStep, AclVerdict, Action, AuthResult, AuthStep, ClientInfo, Credentials } from "../types.ts";
import type { Metrics } from "../watch/metrics.ts";
import { AclCache } from "./acl_cache.ts";

/** A connection as far as its ACL cache goes. */
export interface AclHolder {
  readonly client: ClientInfo | null;
  aclCache: AclCache | null;
}

type AuthHandler = HookHandler<"client.authenticate">;
type AclHandler = HookHandler<"client.check_acl">;

/** Where nothing is asked (super user, ACL off), a verdict stands for so long before the settings are looked at again, ms. */
const UNASKED_MS = 1000;
const ALLOWED: AuthResult = { allow: true, isSuper: false };
const NO_ANONYMOUS: AuthResult = { allow: false, code: RC.NOT_AUTHORIZED, why: "no user name and password, and allow_anonymous is off" };
const UNKNOWN: AuthResult = { allow: false, code: RC.NOT_AUTHORIZED, why: "nobody knows this client, and allow_anonymous is off" };
const FAILED: AuthResult = { allow: false, code: RC.SERVER_UNAVAILABLE, why: "authentication failed on the server's side" };
const NO_ANSWER: AuthResult = { allow: false, code: RC.NOT_AUTHORIZED, why: "an authentication handler gave no valid answer" };

export class Access {
  /** Goes up when verdicts may have become different. Whoever keeps a verdict keeps the epoch with it. */
  epoch = 0;
  /** When the verdict that `checkCached` gave last stops to hold, ms. */
  private lastValidUntil = NO_MONO;

  constructor(
    private readonly hooks: Hooks,
    private readonly metrics: Metrics,
  ) {}

  /** Rules, plugins or zone settings have changed: every kept ACL verdict is void. */
  invalidate(): void {
    this.epoch++;
  }

  // ---- authentication

  /** Without user name and password the zone's `allow_anonymous` alone decides; no hook is asked. */
  authenticate(client: ClientInfo, credentials: Credentials): AuthResult | Promise<AuthResult> {
    if (client.username === null && credentials.password === null) return this.anonymous(client, NO_ANONYMOUS);
    const handlers = this.hooks.at["client.authenticate"];
    for (let i = 0; i < handlers.length; i++) {
      const h = handlers[i] as AuthHandler;
      let step: AuthStep | Promise<AuthStep>;
      try {
        step = h.fn(client, credentials);
      } catch (err) {
        return this.authFailed(h, err);
      }
      if (step instanceof Promise) return this.authenticateLater(handlers.slice(i), step, client, credentials);
      const result = this.authDecided(step);
      if (result !== null) return result;
    }
    return this.anonymous(client, UNKNOWN);
  }

  /** The rest of the fold once a handler has returned a promise. `handlers[0]` is the one that is waited for. */
  private async authenticateLater(
    handlers: readonly AuthHandler[],
    first: Promise<AuthStep>,
    client: ClientInfo,
    credentials: Credentials,
  ): Promise<AuthResult> {
    for (const [i, h] of handlers.entries()) {
      try {
        const result = this.authDecided(await (i === 0 ? first : h.fn(client, credentials)));
        if (result !== null) return result;
      } catch (err) {
        return this.authFailed(h, err);
      }
    }
    return this.anonymous(client, UNKNOWN);
  }

  /** null = not decided yet. A plugin in plain JavaScript may answer anything: what is no clear yes is a no. */
  private authDecided(step: AuthStep | undefined): AuthResult | null {
    if (step === null || step === undefined) return null;
    if (step.allow === true) {
      this.metrics.authSuccess++;
      const isSuper = step.isSuper === true;
      return step.mountpoint === undefined ? { allow: true, isSuper } : { allow: true, isSuper, mountpoint: step.mountpoint };
    }
    this.metrics.authFailure++;
    return step.allow === false ? step : NO_ANSWER;
  }

  private anonymous(client: ClientInfo, refusal: AuthResult): AuthResult {
    if (!client.zone.allowAnonymous) {
      this.metrics.authFailure++;
      return refusal;
    }
    this.metrics.authSuccess++;
    this.metrics.authAnonymous++;
    return ALLOWED;
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
    if (client.isSuper || !client.zone.enableAcl) return "allow";
    const handlers = this.hooks.at["client.check_acl"];
    for (let i = 0; i < handlers.length; i++) {
      const h = handlers[i] as AclHandler;
      let step: AclStep | Promise<AclStep>;
      try {
        step = h.fn(client, action, topic);
      } catch (err) {
        return this.aclFailed(h, err);
      }
      if (step instanceof Promise) return this.checkLater(handlers.slice(i), step, client, action, topic);
      if (step !== null && step !== undefined) return this.count(step.verdict);
    }
    return this.count(client.zone.aclNomatch);
  }

  /** As `checkAcl`, with the connection's cache. A verdict that came about by a failure is not kept. */
  checkCached(holder: AclHolder, action: Action, topic: string, now: MonoMs): AclVerdict | Promise<AclVerdict> {
    const client = holder.client as ClientInfo;
    const { zone } = client;
    if (client.isSuper || !zone.enableAcl || this.hooks.at["client.check_acl"].length === 0) {
      this.lastValidUntil = later(now, UNASKED_MS);
      return this.checkAcl(client, action, topic);
    }
    this.lastValidUntil = NO_MONO;
    if (!zone.enableAclCache || zone.aclCacheMaxSize <= 0) return this.checkAcl(client, action, topic);
    holder.aclCache ??= new AclCache();
    const known = holder.aclCache.get(action, topic, now, zone.aclCacheTtlMs, this.epoch);
    if (known !== undefined) {
      this.metrics.aclCacheHit++;
      this.lastValidUntil = later(holder.aclCache.hitAt, zone.aclCacheTtlMs);
      return known;
    }
    this.metrics.aclCacheMiss++;
    return this.checkAndKeep(holder.aclCache, client, action, topic, now);
  }

  /** Until when (ms) the verdict that `checkCached` has just given synchronously may be used again without asking, while `epoch` stands. */
  freshUntil(_client: ClientInfo, _now: MonoMs): MonoMs {
    return this.lastValidUntil;
  }

  private checkAndKeep(cache: AclCache, client: ClientInfo, action: Action, topic: string, now: MonoMs): AclVerdict | Promise<AclVerdict> {
    const { epoch } = this;
    const errors = this.metrics.aclError;
    const verdict = this.checkAcl(client, action, topic);
    const keep = (v: AclVerdict): AclVerdict => {
      if (this.metrics.aclError === errors) cache.put(action, topic, v, now, client.zone.aclCacheMaxSize, epoch);
      return v;
    };
    if (verdict instanceof Promise) return verdict.then(keep);
    if (this.metrics.aclError === errors) this.lastValidUntil = later(now, client.zone.aclCacheTtlMs);
    return keep(verdict);
  }

  private async checkLater(
    handlers: readonly AclHandler[],
    first: Promise<AclStep>,
    client: ClientInfo,
    action: Action,
    topic: string,
  ): Promise<AclVerdict> {
    for (const [i, h] of handlers.entries()) {
      try {
        const step = await (i === 0 ? first : h.fn(client, action, topic));
        if (step !== null && step !== undefined) return this.count(step.verdict);
      } catch (err) {
        return this.aclFailed(h, err);
      }
    }
    return this.count(client.zone.aclNomatch);
  }

  private count(verdict: AclVerdict): AclVerdict {
    if (verdict === "allow") {
      this.metrics.aclAllow++;
      return "allow";
    }
    this.metrics.aclDeny++;
    return "deny";
  }

  private aclFailed(h: AclHandler, err: unknown): AclVerdict {
    this.hooks.failed("client.check_acl", h, err);
    this.metrics.aclError++;
    return this.count("deny");
  }
}
