/** Is a token good for this client? In the order of EMQ X 3.1, with its words for the reasons. */
import type { AuthStep, ClientInfo } from "../../core/types.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { fillTemplate, type Part } from "../_backend/template.ts";
import { readToken, type Token, type Verifiers, type Verify } from "./token.ts";

/** Keys that may have signed. */
export interface Candidates {
  /** Of the token's algorithm, and of its key's name or of none. */
  readonly keys: readonly Verify[];
  /** Of the name that the token gives there is none (yet). */
  readonly unknown: boolean;
}

/** Public keys. */
export interface KeyRing {
  find(alg: string, kid: string | null): Candidates;
}

/** One key, whatever it is called. */
export const oneKey = (verifiers: Verifiers): KeyRing => ({
  find(alg) {
    const verify = verifiers.get(alg);
    return { keys: verify === undefined ? [] : [verify], unknown: false };
  },
});

export interface JwtRules {
  /** By family; a missing one says so to whoever comes with it. */
  secret: KeyRing | null;
  key: KeyRing | null;
  /** What claims must be, exactly; null = they are not looked at. */
  claims: ReadonlyMap<string, readonly Part[]> | null;
  /** Clocks may be so far apart, s. */
  leeway: number;
}

export interface Checked {
  step: AuthStep;
  /** Unix seconds at which the token ends; null = never, or it is not good. */
  exp: number | null;
  /** Of a good token. */
  claims: Token["claims"] | null;
  /** Whoever knows more keys may try again. */
  unknownKey: boolean;
}

const no = (why: string, unknownKey = false): Checked => ({
  step: { allow: false, code: RC.NOT_AUTHORIZED, why },
  exp: null,
  claims: null,
  unknownKey,
});
const PASS: Checked = { step: null, exp: null, claims: null, unknownKey: false };
/**
 * EMQ X 3.1: where there is no token the result is `token_undefined` and the chain goes on. As with a missing password of its other plugins, the
 * next one may let the client in; allow_anonymous, which is but the result that the chain begins with, does not.
 */
const NO_TOKEN: Checked = { ...PASS, step: { allow: null, code: RC.NOT_AUTHORIZED, why: "token_undefined" } };

const FAMILIES: readonly [prefix: RegExp, absent: string][] = [
  [/^HS(?:256|384|512)$/, "hmac_secret_undefined"],
  [/^[RP]S(?:256|384|512)$/, "rsa_pubkey_undefined"],
  [/^ES(?:256|384|512)$/, "ecdsa_pubkey_undefined"],
  [/^EdDSA$/, "pubkey_undefined"],
];

/** `text`: what stands where the token is to be; "" = nothing. `now`: Unix ms. */
export function checkToken(rules: JwtRules, client: ClientInfo, text: string, now: number): Checked {
  if (text === "") return NO_TOKEN;
  const token = readToken(text);
  // Perhaps a password: the next one knows.
  if (token === null) return PASS;
  const family = FAMILIES.find(([name]) => name.test(token.alg));
  if (family === undefined) return no("token_unsupported");
  const ring = token.alg.startsWith("HS") ? rules.secret : rules.key;
  if (ring === null) return no(family[1]);
  if (token.critical) return no("invalid_signature");
  const { keys, unknown } = ring.find(token.alg, token.kid);
  if (keys.length === 0) return unknown ? no("unknown_key", true) : no("token_unsupported");
  if (!keys.some((verify) => holds(verify, token))) return no("invalid_signature", unknown);
  const when = timeFault(token.claims, now / 1000, rules.leeway);
  if (when !== null) return no(when);
  for (const [name, wanted] of rules.claims ?? []) {
    const value = Object.hasOwn(token.claims, name) ? token.claims[name] : undefined;
    if (value !== fillTemplate(wanted, { client })) return no(`unexpected_${name}`);
  }
  const { exp } = token.claims;
  return { step: { allow: true }, exp: typeof exp === "number" ? exp + rules.leeway : null, claims: token.claims, unknownKey: false };
}

/** A signature of the wrong form is an error to some of the runtime's functions. */
function holds(good: Verify, { signed, signature }: Token): boolean {
  try {
    return good(signed, signature);
  } catch {
    return false;
  }
}

/** `exp`, `nbf` and `iat` where they are (RFC 7519 section 4.1); one that is no number holds for nobody. */
function timeFault(claims: Token["claims"], now: number, leeway: number): string | null {
  const { exp, nbf, iat } = claims;
  for (const [name, value] of Object.entries({ exp, nbf, iat }))
    if (value !== undefined && (typeof value !== "number" || !Number.isFinite(value))) return `invalid_${name}`;
  if (typeof exp === "number" && now >= exp + leeway) return "expired";
  if (typeof nbf === "number" && now < nbf - leeway) return "not_yet_valid";
  return typeof iat === "number" && now < iat - leeway ? "issued_in_the_future" : null;
}
