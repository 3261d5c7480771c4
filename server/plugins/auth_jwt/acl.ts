/** Rules that a token brings (EMQX 4): `{"pub": ["a/%u"], "sub": "b/#", "all": []}`, each a filter or a list of them. */
import { allowRule, RULES_MAX, type Rule, type RuleSet } from "../_auth/rules.ts";

const ACCESS: Readonly<Record<string, number>> = { pub: 2, sub: 1, all: 3 };

/** null = it brings none. What is no filter allows nothing: who has rules may do nothing else. */
export function rulesOfClaim(claim: unknown): RuleSet | null {
  if (claim === undefined || claim === null) return null;
  const rules: Rule[] = [];
  for (const [name, access] of Object.entries(ACCESS)) {
    const value = typeof claim === "object" && Object.hasOwn(claim, name) ? (claim as Record<string, unknown>)[name] : [];
    for (const filter of Array.isArray(value) ? (value as unknown[]).slice(0, RULES_MAX) : [value]) {
      const rule = allowRule(filter, access);
      if (rule !== null) rules.push(rule);
    }
  }
  return { rules, otherwise: "deny" };
}
