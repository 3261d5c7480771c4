/** Why a client would be let in or kept out: the real chain, step by step, without effects on anybody. */
import type { AclStep, AuthStep, ClientInfo } from "../core/types.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import type { ExplainRequest, ExplainResult, ExplainStep } from "./extra_rows.ts";

type Verdict = ExplainStep["verdict"];

/** Collects steps and their durations. */
class Trail {
  readonly steps: ExplainStep[] = [];
  constructor(private readonly mono: () => number) {}

  add(step: string, verdict: Verdict, why: string, ms = 0): Verdict {
    this.steps.push({ step, verdict, final: false, why, ms: Math.round(ms * 1000) / 1000 });
    return verdict;
  }

  /** Run one handler; what it throws is an error and, as in the real chain, a refusal. */
  async ask<T>(
    name: string,
    handler: () => T | Promise<T>,
    read: (answer: T) => { verdict: Verdict; why: string },
  ): Promise<{ answer: T | null; verdict: Verdict }> {
    const began = this.mono();
    try {
      const answer = await handler();
      const { verdict, why } = read(answer);
      return { answer, verdict: this.add(name, verdict, why, this.mono() - began) };
    } catch (err) {
      return { answer: null, verdict: this.add(name, "error", err instanceof Error ? err.message : String(err), this.mono() - began) };
    }
  }

  /** The last step has decided. */
  close(): ExplainStep[] {
    const last = this.steps.at(-1);
    if (last) last.final = true;
    return this.steps;
  }
}

const readAuth = (s: AuthStep): { verdict: Verdict; why: string } => {
  if (s === null || s === undefined) return { verdict: "ignore", why: "does not know this client" };
  return s.allow
    ? { verdict: "allow", why: s.why ?? (s.isSuper ? "accepted as a superuser" : "accepted") }
    : { verdict: "deny", why: s.why };
};

const readAcl = (s: AclStep): { verdict: Verdict; why: string } => {
  if (s === null || s === undefined) return { verdict: "ignore", why: "no rule for this" };
  return { verdict: s.verdict, why: s.why ?? "a rule says so" };
};

export function createExplain({ broker }: AdminDeps) {
  const mono = (): number => broker.clock.mono();

  function clientOf(request: ExplainRequest): ClientInfo {
    const zone = broker.zones.get(request.zone ?? "external");
    if (!zone) throw new AdminError(108, `there is no zone '${request.zone}'`);
    return {
      clientId: request.client_id,
      username: request.username ?? null,
      ip: request.ip_address ?? "127.0.0.1",
      port: 0,
      version: 5,
      protocolName: "MQTT",
      zone,
      listener: "mqtt:tcp",
      isSuper: false,
      mountpoint: "",
      cleanStart: true,
      keepalive: 60,
      isBridge: false,
      cert: null,
    };
  }

  async function authenticate(client: ClientInfo, password: Uint8Array | null): Promise<ExplainResult["authentication"]> {
    const trail = new Trail(mono);
    const done = (allow: boolean, isSuper = false) => ({ allow, is_super: isSuper, steps: trail.close() });
    const { zone } = client;
    if (zone.enableBan) {
      const ban = broker.banned.check(client);
      const until = ban?.until ? `until ${new Date(ban.until * 1000).toISOString()}` : "for ever";
      trail.add(
        "banned",
        ban ? "deny" : "ignore",
        ban ? `${ban.as} ${ban.who} is banned ${until}${ban.reason ? `: ${ban.reason}` : ""}` : "not banned",
      );
      if (ban) return done(false);
    }
    const anonymous = (why: string) => {
      trail.add(
        "allow_anonymous",
        zone.allowAnonymous ? "allow" : "deny",
        `${why}; allow_anonymous is ${zone.allowAnonymous ? "on" : "off"}`,
      );
      return done(zone.allowAnonymous);
    };
    if (client.username === null && password === null) return anonymous("no user name and no password: no plugin is asked");
    for (const handler of [...broker.hooks.at["client.authenticate"]]) {
      const { answer, verdict } = await trail.ask(handler.id, () => handler.fn(client, { password }), readAuth);
      if (verdict === "ignore") continue;
      if (verdict !== "allow") return done(false);
      return done(true, answer !== null && answer.allow === true && answer.isSuper === true);
    }
    return anonymous("nobody knows this client");
  }

  async function acl(client: ClientInfo, action: "publish" | "subscribe", topic: string): Promise<ExplainResult["acl"]> {
    const trail = new Trail(mono);
    const done = (verdict: Verdict) => ({ allow: verdict === "allow", steps: trail.close() });
    if (client.isSuper) return done(trail.add("superuser", "allow", "superusers are not asked"));
    if (!client.zone.enableAcl) return done(trail.add("enable_acl", "allow", `enable_acl is off in zone ${client.zone.name}`));
    for (const handler of [...broker.hooks.at["client.check_acl"]]) {
      const { verdict } = await trail.ask(handler.id, () => handler.fn(client, action, topic), readAcl);
      if (verdict !== "ignore") return done(verdict);
    }
    return done(trail.add("acl_nomatch", client.zone.aclNomatch, `no rule matched; acl_nomatch is ${client.zone.aclNomatch}`));
  }

  /** @throws AdminError 108 */
  return async (request: ExplainRequest): Promise<ExplainResult> => {
    const client = clientOf(request);
    const password = request.password === undefined ? null : new TextEncoder().encode(request.password);
    const authentication = await authenticate(client, password);
    if (!authentication.allow || request.action === undefined || request.topic === undefined) return { authentication, acl: null };
    client.isSuper = authentication.is_super;
    return { authentication, acl: await acl(client, request.action, request.topic) };
  };
}
