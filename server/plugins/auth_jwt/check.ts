/** Is a token good for this client? In the order of EMQ X 3.1, with its words for the reasons. */
import type { AuthStep, ClientInfo } from "../../core/types.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { shownValue } from "../_auth/asking.ts";
import type { Part } from "../_backend/template.ts";
import { claimWords, wrongClaim } from "./claims.ts";
import { isTooLong, readToken, TOKEN_MAX, type Token, type Verifiers, type Verify } from "./token.ts";

export interface Candidate {
  readonly verify: Verify;
  /** For people: the setting that it stands under. */
  readonly name: string;
}

/** Keys that may have signed. */
export interface Candidates {
  /** Of the token's algorithm, and of its key's name or of none. */
  readonly keys: readonly Candidate[];
  /** Of the name that the token gives there is none (yet). */
  readonly unknown: boolean;
}

/** Public keys. */
export interface KeyRing {
  find(alg: string, kid: string | null): Candidates;
}

/** One key, whatever tokens call it. `name`: of its setting. */
export const oneKey = (verifiers: Verifiers, name: string): KeyRing => ({
  find(alg) {
    const verify = verifiers.get(alg);
    return { keys: verify === undefined ? [] : [{ verify, name }], unknown: false };
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
  /** In words, with the setting to look at. */
  why: string;
  /** Whose signature it has. null = nobody's, or it was not looked at. */
  key: string | null;
  /** Unix seconds at which the token ends; null = never, or it is not good. */
  exp: number | null;
  /** Of a good token. */
  claims: Token["claims"] | null;
  /** Whoever knows more keys may try again. */
  unknownKey: boolean;
  /** There was no key at all that might have signed. */
  untried: boolean;
}

/** `word`: EMQ X 3.1's. */
const no = (word: string, why: string, key: string | null = null, unknownKey = false): Checked => ({
  step: { allow: false, code: RC.NOT_AUTHORIZED, why: word },
  why: `${word}: ${why}`,
  key,
  exp: null,
  claims: null,
  unknownKey,
  untried: false,
});
const PASS: Checked = {
  step: null,
  why: "what stands where the token should (auth.jwt.from) is none: it may be a password, which others know",
  key: null,
  exp: null,
  claims: null,
  unknownKey: false,
  untried: false,
};
/**
 * EMQ X 3.1: where there is no token the result is `token_undefined` and the chain goes on. As with a missing password of its other plugins, the
 * next one may let the client in; allow_anonymous, which is but the result that the chain begins with, does not.
 */
const NO_TOKEN: Checked = {
  ...PASS,
  step: { allow: null, code: RC.NOT_AUTHORIZED, why: "token_undefined" },
  why: "token_undefined: nothing stands where the token should (auth.jwt.from)",
};

const NO_SECRET = "auth.jwt.secret is empty, or the one that everybody knows beside other keys";
const NO_KEY = "neither auth.jwt.pubkey nor auth.jwt.jwks is set";
const FAMILIES: readonly [prefix: RegExp, absent: string, why: string][] = [
  [/^HS(?:256|384|512)$/, "hmac_secret_undefined", NO_SECRET],
  [/^[RP]S(?:256|384|512)$/, "rsa_pubkey_undefined", NO_KEY],
  [/^ES(?:256|384|512)$/, "ecdsa_pubkey_undefined", NO_KEY],
  [/^EdDSA$/, "pubkey_undefined", NO_KEY],
];

/** `text`: what stands where the token is to be; "" = nothing. `now`: Unix ms. */
export function checkToken(rules: JwtRules, client: ClientInfo, text: string, now: number): Checked {
  if (text === "") return NO_TOKEN;
  if (isTooLong(text)) return no("token_too_long", `${text.length} characters, and more than ${TOKEN_MAX} are not read`);
  const token = readToken(text);
  // Perhaps a password: the next one knows.
  if (token === null) return PASS;
  const family = FAMILIES.find(([name]) => name.test(token.alg));
  const alg = shownValue(token.alg);
  if (family === undefined) return no("token_unsupported", `nobody is let in with algorithm ${alg}`);
  const ring = token.alg.startsWith("HS") ? rules.secret : rules.key;
  if (ring === null) return no(family[1], `the algorithm is ${alg}, and ${family[2]}`);
  if (token.critical) return no("invalid_signature", "its header has crit: what has to be understood is not");
  const { keys, unknown } = ring.find(token.alg, token.kid);
  if (keys.length === 0)
    return unknown
      ? { ...no("unknown_key", `auth.jwt.jwks has no key called ${shownValue(token.kid ?? "")}`, null, true), untried: true }
      : no("token_unsupported", `no key that is set is for algorithm ${alg}`);
  const key = keys.find(({ verify }) => holds(verify, token))?.name;
  if (key === undefined) return no("invalid_signature", `it was not signed with ${keys.map(({ name }) => name).join(", ")}`, null, unknown);
  const { claims } = token;
  const wrong = wrongClaim(rules, client, claims, now / 1000);
  if (wrong !== null) return no(wrong.word, `claim ${claimWords(wrong, client)}`, key);
  const exp = typeof claims.exp === "number" ? claims.exp + rules.leeway : null;
  return { step: { allow: true }, why: `a good token, signed with ${key}`, key, exp, claims, unknownKey: false, untried: false };
}

/**
 * While there could be no look at whether its key is there by now. Where no signature was looked at the check was not made, which is no wrong
 * password; where some were, and none was right, it is one, or guesses would be free for whoever makes up names.
 */
export function notLooked(checked: Checked): Checked {
  const why = `${checked.why}; the keys there were fetched just now, and are again in some seconds`;
  if (!checked.untried) return { ...checked, why };
  const word = checked.step?.why ?? checked.why;
  return { ...checked, step: { allow: false, code: RC.SERVER_UNAVAILABLE, why: word, failed: true }, why };
}

/** A signature of the wrong form is an error to some of the runtime's functions. */
function holds(good: Verify, { signed, signature }: Token): boolean {
  try {
    return good(signed, signature);
  } catch {
    return false;
  }
}
