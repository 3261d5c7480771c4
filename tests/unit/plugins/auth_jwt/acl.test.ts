import { expect, test } from "bun:test";
import { verdictOf } from "../../../../server/plugins/_auth/rules.ts";
import { rulesOfClaim } from "../../../../server/plugins/auth_jwt/acl.ts";
import { aClient } from "../../../support/access.ts";

const client = aClient({ clientId: "c1", username: "joe" });
const verdict = (claim: unknown, action: "publish" | "subscribe", topic: string): string | null => {
  const rules = rulesOfClaim(claim);
  return rules === null ? null : (verdictOf(rules, client, action, topic)?.verdict ?? "pass");
};

test("each list is for its action, and whoever has one may do nothing else", () => {
  const claim = { pub: ["up/%c", "x/#"], sub: "down/%u/#", all: ["both"] };
  expect([verdict(claim, "publish", "up/c1"), verdict(claim, "publish", "x/y/z"), verdict(claim, "publish", "both")]).toEqual([
    "allow",
    "allow",
    "allow",
  ]);
  expect([verdict(claim, "subscribe", "down/joe/#"), verdict(claim, "subscribe", "both")]).toEqual(["allow", "allow"]);
  expect([verdict(claim, "subscribe", "up/c1"), verdict(claim, "publish", "down/joe/x"), verdict(claim, "publish", "up/c2")]).toEqual([
    "deny",
    "deny",
    "deny",
  ]);
});

test("none, or what is none", () => {
  expect([verdict(undefined, "publish", "a"), verdict(null, "publish", "a")]).toEqual([null, null]);
  for (const claim of [
    {},
    [],
    "a",
    7,
    true,
    { pub: 7 },
    { pub: [7, {}, "a/#/b"] },
    { constructor: ["a"] },
    JSON.parse('{"__proto__":{"pub":["a"]}}'),
  ])
    expect([JSON.stringify(claim), verdict(claim, "publish", "a")]).toEqual([JSON.stringify(claim), "deny"]);
});
