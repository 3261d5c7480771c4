/** What rules leave open to a stranger. */
import { expect, test } from "bun:test";
import { leftOpen } from "../../../server/admin/open_rules.ts";
import { DEFAULT_ACL, parseAclRules } from "../../../server/core/access/acl_file.ts";

type Found = Record<"allow" | "deny", string>;

/** With either `acl_nomatch`: "open_rules: publish; no_rule: subscribe". */
function found(text: string): Found {
  const rules = parseAclRules(text);
  const words = (nomatch: "allow" | "deny"): string =>
    Object.entries(leftOpen(rules, nomatch))
      .filter(([, actions]) => actions.length > 0)
      .map(([what, actions]) => `${what}: ${actions.join(" ")}`)
      .join("; ");
  return { allow: words("allow"), deny: words("deny") };
}

const BOTH = "publish subscribe";

test("the rules that EMQ X 3.1 ships end with one that allows everything", () => {
  expect(found(DEFAULT_ACL)).toEqual({ allow: `open_rules: ${BOTH}`, deny: `open_rules: ${BOTH}` });
});

test("without a rule for everything acl_nomatch decides", () => {
  for (const text of [
    "",
    '{allow, all, subscribe, ["news/#"]}.',
    '{deny, all, pubsub, ["$SYS/#", {eq, "#"}]}.',
    '{deny, {user, "joe"}, pubsub, ["#"]}.',
    '{allow, {ipaddr, "127.0.0.1"}, pubsub, ["#"]}.',
    '{allow, {client, "a"}, pubsub, ["#"]}. {allow, {\'and\', [all, {user, "u"}]}, pubsub, ["#"]}.',
  ])
    expect([text, found(text)]).toEqual([text, { allow: `no_rule: ${BOTH}`, deny: "" }]);
});

test("everything denied: nothing is open, whatever comes behind", () => {
  for (const text of [
    "{deny, all}.",
    '{deny, all, pubsub, ["a", "#"]}. {allow, all}.',
    '{deny, {user, all}, pubsub, ["#"]}. {allow, all}.',
  ])
    expect([text, found(text)]).toEqual([text, { allow: "", deny: "" }]);
});

test("each action for itself", () => {
  expect(found('{deny, all, subscribe, ["#"]}. {allow, all}.')).toEqual({ allow: "open_rules: publish", deny: "open_rules: publish" });
  expect(found('{allow, all, publish, ["#"]}.')).toEqual({ allow: "open_rules: publish; no_rule: subscribe", deny: "open_rules: publish" });
});

test("all addresses are everybody's", () => {
  const four = '{allow, {ipaddr, "0.0.0.0/0"}, pubsub, ["#"]}.';
  expect(found(four).deny).toBe(`open_rules: ${BOTH}`);
  expect(found('{allow, {ipaddr, "10.0.0.0/8"}, pubsub, ["#"]}. {deny, all}.')).toEqual({ allow: "", deny: "" });
  // Those of the other kind are left.
  expect(found('{deny, {ipaddr, "0.0.0.0/0"}, pubsub, ["#"]}.').allow).toBe(`no_rule: ${BOTH}`);
  expect(found('{deny, {ipaddr, "0.0.0.0/0"}, pubsub, ["#"]}. {deny, {ipaddr, "::/0"}, pubsub, ["#"]}.').allow).toBe("");
});
