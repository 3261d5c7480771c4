/** Authentication with JSON Web Tokens. EMQ X 3.1 (whose public keys never worked); more algorithms, keys from a URL, rules, leeway and the end of connections are ours. */
import type { ClientInfo } from "../../core/types.ts";
import { duration, flag, oneOf, optional, secret, stays, text } from "../../lib/config_entry.ts";
import { onErrorEntry } from "../_auth/outside.ts";
import type { RuleSet } from "../_auth/rules.ts";
import { defineOutside, type OutsidePlugin } from "../_auth/source.ts";
import { serverUrl } from "../_backend/address.ts";
import { timeLimitEntry } from "../_backend/calls.ts";
import { CLIENT_VARIABLES, parseTemplate } from "../_backend/template.ts";
import { tlsEntries, tlsOf, unverifiedBy } from "../_backend/tls.ts";
import { endConnections } from "./expiry.ts";
import type { JwksOptions } from "./jwks.ts";
import { jwtSource, type TokenNotes } from "./source.ts";

const OURS = { required: false };

/** Nobody is on the way there. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** What EMQ X 3.1's file came with. */
const EVERYBODYS = "emqxsecret";

const config = {
  "auth.jwt.secret": stays(
    secret(
      EVERYBODYS,
      "Key of HS256, HS384 and HS512. Empty, left out of a file, or the one that everybody knows beside other keys = such tokens are refused.",
      { unset: "" },
    ),
  ),
  "auth.jwt.from": oneOf(["password", "username"], "password", "Where the token stands."),
  "auth.jwt.verify_claims": flag("off", "Compare claims with what the auth.jwt.verify_claims.<name> lines say."),
  "auth.jwt.pubkey": optional(
    text(
      "etc/certs/jwt_public_key.pem",
      "Public key or certificate of RS, PS, ES and EdDSA; the kind of the key says which of them it is for. Another one in the file counts within 10 s.",
    ),
  ),
  "auth.jwt.verify_claims.$name": optional(text("%u", "What the claim must be, exactly; %u and %c are the client's.")),
  "auth.jwt.jwks": optional(
    serverUrl(
      "https://id.example/jwks.json",
      "Where further public keys are (a JSON Web Key Set). While it cannot be asked those it has given let in on, for 10 times refresh_interval, and a day at least.",
    ),
  ),
  "auth.jwt.jwks.refresh_interval": duration("5m", "The keys are fetched so often, and when a token names one that is not known.", {
    ...OURS,
    least: "10s",
    most: "1d",
  }),
  "auth.jwt.jwks.timeout": timeLimitEntry("5s", "Keys that are not there within it count as not to be had."),
  ...tlsEntries("auth.jwt.jwks.ssl"),
  "auth.jwt.on_error": onErrorEntry(),
  "auth.jwt.acl_claim_name": text(
    "",
    'Claim that has the client\'s rules, e.g. acl: {"pub": [], "sub": [], "all": []}, lists of topic filters. Who brings it may do nothing else. Empty = none has.',
    OURS,
  ),
  "auth.jwt.leeway": duration("0s", "So far may clocks be apart.", OURS),
  "auth.jwt.disconnect_after_expire": flag("off", "End a connection when its token runs out.", OURS),
};

const NOTES: TokenNotes = {
  ends: new WeakMap<ClientInfo, number>(),
  rules: new WeakMap<ClientInfo, RuleSet>(),
  jwks: new WeakMap(),
  endless: new WeakSet(),
};

const outside: OutsidePlugin<typeof config> = {
  takesHalf: true,
  open(host, c, many) {
    const claims = [...many("auth.jwt.verify_claims.$name")].map(
      ([name, value]) => [name, parseTemplate(value ?? "", CLIENT_VARIABLES)] as const,
    );
    const url = c["auth.jwt.jwks"];
    const jwks: JwksOptions | null = url && {
      url,
      refreshMs: c["auth.jwt.jwks.refresh_interval"],
      timeoutMs: c["auth.jwt.jwks.timeout"],
      tls: tlsOf("auth.jwt.jwks.ssl", c),
    };
    const settings = {
      // Whoever has set a key does not mean to let in everybody who has read the manual.
      secret: c["auth.jwt.secret"] === EVERYBODYS && (c["auth.jwt.pubkey"] !== null || url !== null) ? "" : c["auth.jwt.secret"],
      isUserName: c["auth.jwt.from"] === "username",
      pubkey: c["auth.jwt.pubkey"],
      jwks,
      claims: c["auth.jwt.verify_claims"] ? new Map(claims) : null,
      leewayMs: c["auth.jwt.leeway"],
      aclClaim: c["auth.jwt.acl_claim_name"],
    };
    return jwtSource(host, settings, NOTES);
  },
  onError: (c) => c["auth.jwt.on_error"],
  unverified: (c) => unverifiedBy("auth.jwt.jwks.ssl", c["auth.jwt.jwks"]?.protocol === "https:", c),
};

export const authJwt = defineOutside({ name: "emqx_auth_jwt", description: "EMQ X Authentication with JWT", config }, outside, (ctx) => {
  if (ctx.config["auth.jwt.secret"] === EVERYBODYS)
    ctx.log.warn("auth.jwt.secret is the one that everybody knows: set your own, or make it empty; beside other keys it is not used");
  let told = "";
  const tellPlain = (): void => {
    const url = ctx.config["auth.jwt.jwks"];
    const plain = url !== null && url.protocol === "http:" && !LOOPBACK.test(url.hostname) ? url.origin + url.pathname : "";
    if (plain !== "" && plain !== told)
      ctx.log.warn("auth.jwt.jwks is not https: whoever is on the way can give keys of his own, and let in anybody", { url: plain });
    told = plain;
  };
  tellPlain();
  ctx.changed(tellPlain);
  endConnections(ctx, () => ctx.config["auth.jwt.disconnect_after_expire"], NOTES.ends);
});
