/**
 * Why may, or may not, a client come in and do that? Walks the same steps as CONNECT and the access chain and tells each step's
 * verdict. Nothing is counted, cached or banned by it; the plugins' back ends are really asked.
 */

import { wordsOf } from "../../lib/errors.ts";
import { loggedName } from "../../lib/mask.ts";
import { hasWildcard, parseSharedFilter, topicLevels, validTopicLength, validTopicName } from "../../mqtt/topic.ts";
import { mountpointOf } from "../handle/mountpoint.ts";
import type { Hooks } from "../hooks.ts";
import type { Clock } from "../ports.ts";
import type { Action, ClientInfo, Credentials } from "../types.ts";
import { askedAbout, mayGuess } from "./access.ts";
import type { Banned } from "./banned.ts";
import type { Flapping } from "./flapping.ts";
import type { Guesses } from "./guesses.ts";
import { type AskedOutside, watchClient } from "./trace.ts";

export interface ExplainDeps {
  readonly hooks: Hooks;
  readonly banned: Banned;
  readonly flapping: Flapping;
  readonly guesses: Guesses;
  readonly clock: Clock;
}

export interface ExplainStep {
  /** "limits", "banned", "flapping", "auth_failure_limit", "allow_anonymous", "mountpoint", "superuser", "enable_acl", "acl_nomatch", or the handler's id. */
  step: string;
  /** ignore = not decided here, the next step is asked. */
  verdict: "allow" | "deny" | "ignore" | "error";
  /** True for the step that decided. */
  final: boolean;
  why: string;
  /** How long the step took, ms. */
  ms: number;
  /** What the step asked others; absent = nothing. */
  asked?: AskedOutside[];
}

export interface ExplainResult {
  authentication: { allow: boolean; isSuper: boolean; steps: ExplainStep[] };
  /** null when nothing was asked, or the client does not get in. */
  acl: { allow: boolean; steps: ExplainStep[] } | null;
}

export interface ExplainRequest {
  action: Action;
  topic: string;
}

export async function explain(
  deps: ExplainDeps,
  client: ClientInfo,
  credentials: Credentials,
  request: ExplainRequest | null = null,
): Promise<ExplainResult> {
  // A copy: handlers may write to the client they are shown.
  const subject = { ...client, isSuper: false };
  const who = new Trail(deps.clock, subject);
  const { isSuper, mountpoint } = await authentication(deps, who, subject, credentials);
  if (who.decision === "allow") mounted(who, subject, mountpoint);
  const allow = who.decision === "allow";
  const result: ExplainResult = { authentication: { allow, isSuper: allow && isSuper, steps: who.steps }, acl: null };
  if (!allow || request === null) return result;
  // The same object: handlers may know of it what its credentials brought.
  subject.isSuper = isSuper;
  const acl = new Trail(deps.clock, subject);
  await access(deps, acl, subject, request);
  result.acl = { allow: acl.decision === "allow", steps: acl.steps };
  return result;
}

/** The steps taken so far. The first one that decides is final. */
class Trail {
  readonly steps: ExplainStep[] = [];
  decision: "allow" | "deny" | null = null;
  private since: number;
  private readonly told: ReturnType<typeof watchClient>;

  /** `client`: what handlers ask about this object, and say of it, is part of the step. */
  constructor(
    private readonly clock: Clock,
    client: ClientInfo,
  ) {
    this.since = clock.mono();
    this.told = watchClient(client);
  }

  /** `then`: what follows from it. Returns true when that decided. */
  add(step: string, verdict: ExplainStep["verdict"], why: string, then = ""): boolean {
    const now = this.clock.mono();
    const final = verdict !== "ignore";
    const { asked, why: said } = this.told();
    // Whoever failed has not come to the end of what it was about to say.
    const reason = `${verdict === "error" ? why : (said ?? why)}${then}`;
    this.steps.push({ step, verdict, final, why: reason, ms: now - this.since, ...(asked.length > 0 && { asked }) });
    this.since = now;
    if (final) this.decision = verdict === "allow" ? "allow" : "deny";
    return final;
  }

  /** Refused all the same, whatever has decided before. */
  overrule(step: string, why: string): void {
    for (const before of this.steps) before.final = false;
    this.add(step, "deny", why);
  }
}

/** What came of it, where the client is let in. */
interface Entered {
  isSuper: boolean;
  /** From a handler; null = the zone's. */
  mountpoint: { template: string; from: string } | null;
}

const ANYBODY: Entered = { isSuper: false, mountpoint: null };

async function authentication(deps: ExplainDeps, trail: Trail, client: ClientInfo, credentials: Credentials): Promise<Entered> {
  if (clientLimits(trail, client) || bans(deps, trail, client)) return ANYBODY;
  flapping(deps, trail, client);
  const refused = (step: string, verdict: "deny" | "error", why: string): Entered => {
    trail.add(step, verdict, why);
    return ANYBODY;
  };
  const all = deps.hooks.at["client.authenticate"].slice();
  if (mayGuess(all, client, credentials) && deps.guesses.refuses(client)) {
    return refused("auth_failure_limit", "deny", "too many failed authentications from its address lately");
  }
  const handlers = askedAbout(all, client, credentials);
  let otherwise: string | null = null;
  const away: string[] = [];
  for (const h of handlers) {
    try {
      const step = (await h.fn(client, credentials)) ?? null;
      if (step === null) trail.add(h.id, "ignore", "has no answer for this client");
      else if (step.allow === null && step.failed === true) {
        trail.add(h.id, "ignore", step.why ?? "could ask nobody");
        away.push(h.id);
      } else if (step.allow === null) {
        const why = step.why ?? "refused without a reason";
        trail.add(h.id, "ignore", why, "; the next one is asked, and whoever none lets in is refused");
        otherwise = `${h.id} knows no more than this: ${why}`;
      } else if (step.allow !== true) return refused(h.id, "deny", step.why ?? "refused");
      else {
        trail.add(h.id, "allow", step.why ?? "accepted");
        const mountpoint = step.mountpoint === undefined ? null : { template: step.mountpoint, from: h.id };
        return { isSuper: step.isSuper === true, mountpoint };
      }
    } catch (err) {
      return refused(h.id, "error", `failed, so the client is refused: ${wordsOf(err)}`);
    }
  }
  if (otherwise !== null) return refused("authentication", "deny", otherwise + hearsOf(away));
  anonymous(trail, client, away.length > 0 ? awayWords(away, client) : unknownBecause(handlers.length, all.length));
  return ANYBODY;
}

/** Where its topics live; what its names make of a mountpoint may be none. */
function mounted(trail: Trail, client: ClientInfo, given: Entered["mountpoint"]): void {
  const { template, from } = given ?? { template: client.zone.mountpoint, from: `zone ${client.zone.name}` };
  const found = mountpointOf(template, client);
  if (typeof found !== "string") trail.overrule("mountpoint", `of ${from}: ${found.why}`);
  else if (found !== "") {
    // A user name may be a token, with which whoever reads it gets in.
    const shown = loggedName(client.username) === client.username ? found : template;
    trail.add("mountpoint", "ignore", `of ${from}: its topics are those below ${shortened(shown)}`);
  }
  client.mountpoint = typeof found === "string" ? found : "";
}

const SHOWN_MAX = 200;
const shortened = (text: string): string => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);

/** Behind another reason: whoever could not be asked might have let it in, so that is what the client hears. */
function hearsOf(away: readonly string[]): string {
  return away.length === 0 ? "" : `; ${away.join(", ")} could ask nobody, so the client hears that the server is unavailable`;
}

function awayWords(away: readonly string[], { zone }: ClientInfo): string {
  const why = `${away.join(", ")} could ask nobody, and no other authentication plugin knows this client`;
  return zone.allowAnonymous ? why : `${why}, who hears that the server is unavailable`;
}

function unknownBecause(asked: number, active: number): string {
  if (active === 0) return "no authentication plugin is active";
  return asked === 0 ? "no user name and no password: authentication plugins are not asked" : "no authentication plugin knows this client";
}

function clientLimits(trail: Trail, client: ClientInfo): boolean {
  const { zone, clientId } = client;
  const bytes = new TextEncoder().encode(clientId).length;
  if (bytes > zone.maxClientidLen) {
    return trail.add("limits", "deny", `client id of ${bytes} bytes; zone ${zone.name} allows ${zone.maxClientidLen}`);
  }
  return trail.add("limits", "ignore", `client id within the limit of zone ${zone.name}`);
}

function bans(deps: ExplainDeps, trail: Trail, client: ClientInfo): boolean {
  if (!client.zone.enableBan) return trail.add("banned", "ignore", `enable_ban is off in zone ${client.zone.name}`);
  const ban = deps.banned.check(client);
  if (ban === null) return trail.add("banned", "ignore", "not banned");
  const end = ban.until === null ? "for ever" : `for ${Math.max(0, Math.ceil(ban.until - deps.clock.now() / 1000))} more seconds`;
  const by = ban.by === null ? "" : `, by ${ban.by}`;
  return trail.add("banned", "deny", `${ban.as} ${ban.who} is banned ${end}${by}${ban.reason === null ? "" : `: ${ban.reason}`}`);
}

function flapping(deps: ExplainDeps, trail: Trail, client: ClientInfo): void {
  const { zone } = client;
  const { count, intervalMs } = zone.flappingThreshold;
  const why = zone.enableFlappingDetect
    ? `came or went ${deps.flapping.count(client.clientId)} times lately; more than ${count} within ${intervalMs / 1000} s bans`
    : `enable_flapping_detect is off in zone ${zone.name}`;
  trail.add("flapping", "ignore", why);
}

function anonymous(trail: Trail, client: ClientInfo, why: string): void {
  const { zone } = client;
  trail.add(
    "allow_anonymous",
    zone.allowAnonymous ? "allow" : "deny",
    `${why}; allow_anonymous is ${zone.allowAnonymous ? "on" : "off"} in zone ${zone.name}`,
  );
}

async function access(deps: ExplainDeps, trail: Trail, client: ClientInfo, request: ExplainRequest): Promise<void> {
  const { zone } = client;
  const topic = topicLimits(trail, client, request);
  if (topic === null) return;
  if (client.isSuper) {
    trail.add("superuser", "allow", "super users may do everything");
    return;
  }
  if (!zone.enableAcl) {
    trail.add("enable_acl", "allow", `enable_acl is off in zone ${zone.name}`);
    return;
  }
  for (const h of deps.hooks.at["client.check_acl"].slice()) {
    try {
      const step = (await h.fn(client, request.action, topic)) ?? null;
      if (step === null || step.verdict === null) trail.add(h.id, "ignore", step?.why ?? "has no rule for this");
      else {
        trail.add(h.id, step.verdict === "allow" ? "allow" : "deny", step.why ?? (step.verdict === "allow" ? "allowed" : "denied"));
        return;
      }
    } catch (err) {
      trail.add(h.id, "error", `failed, so it is denied: ${wordsOf(err)}`);
      return;
    }
  }
  trail.add("acl_nomatch", zone.aclNomatch, `nobody has a rule for this; acl_nomatch is ${zone.aclNomatch} in zone ${zone.name}`);
}

/** The topic as the chain is asked for it (without share group); null = refused already. */
function topicLimits(trail: Trail, client: ClientInfo, { action, topic }: ExplainRequest): string | null {
  const { zone } = client;
  const parsed = action === "subscribe" ? parseSharedFilter(topic) : null;
  const bare = parsed?.filter ?? topic;
  const no = (why: string): null => {
    trail.add("limits", "deny", why);
    return null;
  };
  if (action === "publish" && !validTopicName(topic)) return no("not a valid topic name");
  if (action === "subscribe" && parsed === null) return no("not a valid topic filter");
  if (!validTopicLength(client.mountpoint + bare)) return no("too long with the mountpoint before it");
  if (zone.maxTopicLevels > 0 && topicLevels(bare) > zone.maxTopicLevels)
    return no(`zone ${zone.name} allows ${zone.maxTopicLevels} topic levels`);
  if (parsed?.group != null && !zone.sharedSubscription) return no(`shared_subscription is off in zone ${zone.name}`);
  if (action === "subscribe" && !zone.wildcardSubscription && hasWildcard(bare))
    return no(`wildcard_subscription is off in zone ${zone.name}`);
  trail.add("limits", "ignore", `within the limits of zone ${zone.name}`);
  return bare;
}
