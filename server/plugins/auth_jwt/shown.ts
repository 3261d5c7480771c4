/** What is told of a token to whoever asks why: algorithm, name of its key, whose signature it has, the claims that are looked at. */
import type { ClientInfo } from "../../core/types.ts";
import { shownValue, type Told } from "../_auth/asking.ts";
import type { Checked, JwtRules } from "./check.ts";
import { claimRows } from "./claims.ts";
import type { Token } from "./token.ts";

/** Beside the signature, which is never shown. */
export const headerTold = ({ alg, kid }: Token): string[] => [
  `alg = ${shownValue(alg)}`,
  kid === null ? "no kid" : `kid = ${shownValue(kid)}`,
];

/** Claims that nobody has signed are not worth showing. `now`: Unix ms. */
export function tokenTold(rules: JwtRules, client: ClientInfo, token: Token, { key }: Checked, now: number): Told {
  if (key === null) return { answer: "it is not known to be anybody's" };
  const rows = claimRows(rules, client, token.claims, now / 1000);
  return { answer: `signed with ${key}`, ...(rows.length > 0 && { rows }) };
}
