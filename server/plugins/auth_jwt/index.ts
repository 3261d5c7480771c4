/** Authentication with JSON Web Tokens. EMQ X 3.1 (whose public keys never worked); more algorithms, leeway and the end of connections are ours. */
import { readFileSync } from "node:fs";
import type { ClientInfo } from "../../core/types.ts";
import { duration, flag, oneOf, optional, secret, text } from "../../lib/config_entry.ts";
import { wordsOf } from "../../lib/errors.ts";
import { Heap, type HeapEntry } from "../../lib/heap.ts";
import { CLIENT_VARIABLES, parseTemplate } from "../_backend/template.ts";
import { definePlugin, type PluginContext, type ValuesOf } from "../plugin.ts";
import { checkToken, type JwtRules } from "./check.ts";
import { keyVerifiers, secretVerifiers } from "./token.ts";

const config = {
  "auth.jwt.secret": secret("emqxsecret", "Key of HS256, HS384 and HS512. Empty = such tokens are refused."),
  "auth.jwt.from": oneOf(["password", "username"], "password", "Where the token stands."),
  "auth.jwt.verify_claims": flag("off", "Compare claims with what the auth.jwt.verify_claims.<name> lines say."),
  "auth.jwt.pubkey": optional(
    text(
      "etc/certs/jwt_public_key.pem",
      "Public key or certificate of RS, PS, ES and EdDSA; the kind of the key says which of them it is for.",
    ),
  ),
  "auth.jwt.verify_claims.$name": optional(text("%u", "What the claim must be, exactly; %u and %c are the client's.")),
  "auth.jwt.leeway": duration("0s", "So far may clocks be apart.", { required: false }),
  "auth.jwt.disconnect_after_expire": flag("off", "End a connection when its token runs out.", { required: false }),
};

/**
 * Clients whose connections end with their tokens: longer than the plugin's life, so that one that is loaded again still knows them.
 * Unix ms; a client that has gone is taken out at once, or, when nobody was there to hear of it, at its end.
 */
const ENDS = new WeakMap<ClientInfo, number>();
const WAITING = new WeakMap<ClientInfo, HeapEntry<ClientInfo>>();
const BY_END = new Heap<ClientInfo>();
const SWEEP_MS = 500;

function rulesOf(ctx: PluginContext<typeof config>): JwtRules {
  const c: ValuesOf<typeof config> = ctx.config;
  const file = c["auth.jwt.pubkey"];
  const claims = [...ctx.many("auth.jwt.verify_claims.$name")].map(
    ([name, value]) => [name, parseTemplate(value ?? "", CLIENT_VARIABLES)] as const,
  );
  return {
    secret: c["auth.jwt.secret"] === "" ? null : secretVerifiers(c["auth.jwt.secret"]),
    key: file === null ? null : keyIn(file),
    claims: c["auth.jwt.verify_claims"] ? new Map(claims) : null,
    leeway: c["auth.jwt.leeway"] / 1000,
  };
}

/** @throws Error naming key and file */
function keyIn(file: string) {
  try {
    return keyVerifiers(readFileSync(file, "utf8"));
  } catch (err) {
    throw new Error(`auth.jwt.pubkey = ${file}: ${wordsOf(err)}`);
  }
}

export const authJwt = definePlugin({
  name: "emqx_auth_jwt",
  description: "EMQ X Authentication with JWT",
  version: "v3.1.0",
  activeByDefault: false,
  guards: true,
  config,
  start(ctx) {
    const rules = rulesOf(ctx);
    const counts = { allowed: 0, denied: 0, ignored: 0, errors: 0 };
    if (ctx.config["auth.jwt.secret"] === "emqxsecret") ctx.log.warn("auth.jwt.secret is the one that everybody knows: set your own");

    ctx.hook("client.authenticate", (client, { password }) => {
      const inName = ctx.config["auth.jwt.from"] === "username";
      const token = inName ? (client.username ?? "") : password === null ? "" : Buffer.from(password).toString("utf8");
      const { step, exp } = checkToken(rules, client, token, ctx.clock.now());
      if (step === null) counts.ignored++;
      else if (step.allow) counts.allowed++;
      else counts.denied++;
      if (exp !== null && step?.allow === true && ctx.config["auth.jwt.disconnect_after_expire"]) ENDS.set(client, exp * 1000);
      return step;
    });

    ctx.hook("client.connected", (client) => {
      const end = ENDS.get(client);
      if (end !== undefined) WAITING.set(client, BY_END.add(end, 0, client));
    });
    ctx.hook("client.disconnected", (client) => {
      const entry = WAITING.get(client);
      if (entry !== undefined) BY_END.cancel(entry);
      WAITING.delete(client);
    });
    // By the wall clock, which is the token's.
    ctx.every(SWEEP_MS, () => {
      const now = ctx.clock.now();
      for (let e = BY_END.take(now); e !== undefined; e = BY_END.take(now)) ctx.broker.disconnect(e.value, "token_expired");
    });
    ctx.report(() => ({ servers: [], authentication: { ...counts }, acl: null }));
  },
});
