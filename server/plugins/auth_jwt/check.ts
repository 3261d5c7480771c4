/** Is a token good for this client? In the order of EMQ X 3.1, with its words for the reasons. */
import type { AuthStep, ClientInfo } from "../../core/types.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { fillTemplate, type Part } from "../_backend/template.ts";
import { readToken, type Token, type Verifiers } from "./token.ts";

export interface JwtRules {
  /** By family; a missing one says so to whoever comes with it. */
  secret: Verifiers | null;
  key: Verifiers | null;
  /** What claims must be, exactly; null = they are not looked at. */
  claims: ReadonlyMap<string, readonly Part[]> | null;
  /** Clocks may be so far apart, s. */
  leeway: number;
}

export interface Checked {
  step: AuthStep;
  /** Unix seconds at which the token ends; null = never, or it is not good. */
  exp: number | null;
}

const no = (why: string): Checked => ({ step: { allow: false, code: RC.NOT_AUTHORIZED, why }, exp: null });
const PASS: Checked = { step: null, exp: null };

const FAMILIES: readonly [prefix: RegExp, absent: string][] = [
  [/^HS(?:256|384|512)$/, "hmac_secret_undefined"],
  [/^[RP]S(?:256|384|512)$/, "rsa_pubkey_undefined"],
  [/^ES(?:256|384|512)$/, "ecdsa_pubkey_undefined"],
  [/^EdDSA$/, "pubkey_undefined"],
];

/** `text`: what stands where the token is to be; "" = nothing. `now`: Unix ms. */
export function checkToken(rules: JwtRules, client: ClientInfo, text: string, now: number): Checked {
  const token = text === "" ? null : readToken(text);
  // Perhaps a password: the next one knows.
  if (token === null) return PASS;
  const family = FAMILIES.find(([name]) => name.test(token.alg));
  if (family === undefined) return no("token_unsupported");
  const verifiers = token.alg.startsWith("HS") ? rules.secret : rules.key;
  if (verifiers === null) return no(family[1]);
  const good = verifiers.get(token.alg);
  if (good === undefined) return no("token_unsupported");
  if (token.critical || !holds(good, token)) return no("invalid_signature");
  const when = timeFault(token.claims, now / 1000, rules.leeway);
  if (when !== null) return no(when);
  for (const [name, wanted] of rules.claims ?? []) {
    const value = Object.hasOwn(token.claims, name) ? token.claims[name] : undefined;
    if (value !== fillTemplate(wanted, { client })) return no(`unexpected_${name}`);
  }
  const { exp } = token.claims;
  return { step: { allow: true }, exp: typeof exp === "number" ? exp + rules.leeway : null };
}

/** A signature of the wrong form is an error to some of the runtime's functions. */
function holds(good: (signed: Buffer, signature: Buffer) => boolean, { signed, signature }: Token): boolean {
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
