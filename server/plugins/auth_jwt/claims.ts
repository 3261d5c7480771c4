/** What a token's claims have to be: its times (RFC 7519 section 4.1), and what `auth.jwt.verify_claims.<name>` say. */
import type { AnsweredField } from "../../core/access/trace.ts";
import type { ClientInfo } from "../../core/types.ts";
import { ruleField } from "../_auth/shown.ts";
import { fillTemplate } from "../_backend/template.ts";
import type { JwtRules } from "./check.ts";
import type { Token } from "./token.ts";

/** One that is looked at. */
interface Looked {
  name: string;
  /** undefined = the token has none. */
  found: unknown;
  /** In words. */
  expected: string;
  /** EMQ X 3.1's, of what is wrong with it; null = it is good. */
  word: string | null;
}

/** The first one that is not as it has to be. `now`: Unix seconds. */
export function wrongClaim(rules: JwtRules, client: ClientInfo, claims: Token["claims"], now: number): (Looked & { word: string }) | null {
  for (const claim of lookedAt(rules, client, claims, now)) if (claim.word !== null) return { ...claim, word: claim.word };
  return null;
}

/** One row for each claim that is looked at: claim, found, expected. */
export function claimRows(rules: JwtRules, client: ClientInfo, claims: Token["claims"], now: number): AnsweredField[][] {
  return [...lookedAt(rules, client, claims, now)].map((claim) => [
    { name: "claim", value: claim.name },
    { ...foundField(claim, client), name: "found" },
    { ...ruleField(claim.name, claim.expected, client), name: "expected" },
  ]);
}

/** "exp is 1700000000 (2023-11-14T22:13:20.000Z), expected later than …". */
export function claimWords(claim: Looked, client: ClientInfo): string {
  const { value } = foundField(claim, client);
  return `${claim.name} is ${value ?? "not there"}, expected ${ruleField(claim.name, claim.expected, client).value}`;
}

function foundField({ name, found }: Looked, client: ClientInfo): AnsweredField {
  const text = found === undefined ? null : typeof found === "number" && isTime(name) ? `${found} (${timeWords(found)})` : textOf(found);
  return ruleField(name, text, client);
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function* lookedAt({ claims: wanted, leeway }: JwtRules, client: ClientInfo, claims: Token["claims"], now: number): Generator<Looked> {
  const { exp, nbf, iat } = claims;
  const times = { exp, nbf, iat };
  // One that is no number holds for nobody, before any other is looked at.
  for (const [name, found] of Object.entries(times))
    if (found !== undefined && (typeof found !== "number" || !Number.isFinite(found)))
      yield { name, found, expected: "a number", word: `invalid_${name}` };
  const later = `later than ${timeWords(now - leeway)}`;
  const before = `${timeWords(now + leeway)} or before`;
  if (typeof exp === "number") yield { name: "exp", found: exp, expected: later, word: now >= exp + leeway ? "expired" : null };
  if (typeof nbf === "number") yield { name: "nbf", found: nbf, expected: before, word: now < nbf - leeway ? "not_yet_valid" : null };
  if (typeof iat === "number")
    yield { name: "iat", found: iat, expected: before, word: now < iat - leeway ? "issued_in_the_future" : null };
  for (const [name, parts] of wanted ?? []) {
    const found = Object.hasOwn(claims, name) ? claims[name] : undefined;
    const expected = fillTemplate(parts, { client });
    yield { name, found, expected, word: found === expected ? null : `unexpected_${name}` };
  }
}

const isTime = (name: string): boolean => name === "exp" || name === "nbf" || name === "iat";

/** A number may be none that a calendar has. */
function timeWords(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "no time" : date.toISOString();
}
