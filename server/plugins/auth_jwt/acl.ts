/** Rules that a token brings (EMQX 4): `{"pub": ["a/%u"], "sub": "b/#", "all": []}`, each a filter or a list of them. */
import { filterRule } from "../../core/access/topic_rule.ts";
import { RULES_MAX, type Rule, type RuleSet } from "../_auth/rules.ts";

const ACCESS: Readonly<Record<string, { access: number; word: string }>> = {
  pub: { access: 2, word: "publish" },
  sub: { access: 1, word: "subscribe" },
  all: { access: 3, word: "pubsub" },
};

/** null = it brings none. What is no filter allows nothing: who has rules may do nothing else. */
export function rulesOfClaim(claim: unknown): RuleSet | null {
  if (claim === undefined || claim === null) return null;
  const rules: Rule[] = [];
  for (const [name, { access, word }] of Object.entries(ACCESS)) {
    const value = typeof claim === "object" && Object.hasOwn(claim, name) ? (claim as Record<string, unknown>)[name] : [];
    for (const filter of Array.isArray(value) ? (value as unknown[]).slice(0, RULES_MAX) : [value]) {
      const covers = typeof filter === "string" ? filterRule(filter, "allow") : null;
      if (covers !== null) rules.push({ verdict: "allow", access, isFor: null, covers, text: `allow ${word} ${filter as string}` });
    }
  }
  return { rules, otherwise: "deny" };
}
