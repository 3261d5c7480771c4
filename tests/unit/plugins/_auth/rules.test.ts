/** Rules from rows and topics. */
import { describe, expect, test } from "bun:test";
import type { Action } from "../../../../server/core/types.ts";
import { isOnlyAlike, type Rule, ruleFor, ruleOfRow } from "../../../../server/plugins/_auth/rules.ts";
import { aClient } from "../../../support/access.ts";

const joe = aClient({ clientId: "c1", username: "joe", ip: "10.0.0.7" });
const good = (...row: unknown[]): Rule => {
  const rule = ruleOfRow(row);
  if (typeof rule === "string") throw new Error(rule);
  return rule;
};
const verdict = (rules: Rule[], action: Action, topic: string): string => ruleFor(rules, joe, action, topic)?.verdict ?? "none";

describe("a row", () => {
  test("allow, access and topic in whatever type a driver gives", () => {
    for (const [allow, expected] of [
      [1, "allow"],
      ["1", "allow"],
      [true, "allow"],
      [1n, "allow"],
      ["t", "allow"],
      [Buffer.from("1"), "allow"],
      [0, "deny"],
      [false, "deny"],
      ["F", "deny"],
    ] as const)
      expect(verdict([good(allow, null, "$all", null, "3", "a/#")], "publish", "a/b")).toBe(expected);
    expect(verdict([good(1, null, "$all", null, 1, "a")], "publish", "a")).toBe("none");
    expect(verdict([good(1, null, "$all", null, 1, "a")], "subscribe", "a")).toBe("allow");
    expect(verdict([good(1, null, "$all", null, 2, "a")], "subscribe", "a")).toBe("none");
  });

  test("of address, user name and client id all that are set must fit", () => {
    const rows: [ip: string | null, user: string | null, id: string | null, fits: boolean][] = [
      ["10.0.0.7", null, null, true],
      ["10.0.0.0/8", "", "", true],
      ["10.0.0.8", null, null, false],
      [null, "joe", null, true],
      [null, "Joe", null, false],
      [null, "joe ", null, false],
      [null, null, "c1", true],
      ["10.0.0.0/8", "joe", "c1", true],
      ["10.0.0.0/8", "joe", "c2", false],
      ["192.168.0.0/16", "joe", "c1", false],
      [null, "$all", null, true],
      // As in EMQ X 3.1 everybody, whatever stands beside it.
      [null, "$all", "c2", true],
      ["192.168.0.0/16", "$all", null, true],
    ];
    for (const [ip, user, id, fits] of rows) expect(verdict([good(1, ip, user, id, 3, "t")], "publish", "t")).toBe(fits ? "allow" : "none");
  });

  test("topics: filters, own names, literals", () => {
    const may = (topic: string, asked: string): string => verdict([good(1, null, "joe", null, 3, topic)], "subscribe", asked);
    expect(may("t/%u/#", "t/joe/x")).toBe("allow");
    expect(may("t/%c", "t/c1")).toBe("allow");
    expect(may("t/%u", "t/jim")).toBe("none");
    expect(may("eq #", "#")).toBe("allow");
    expect(may("eq #", "a")).toBe("none");
    expect(may("a/+", "a/#")).toBe("none");
  });

  test("of the wrong shape it is left out, and says why", () => {
    const why = (...row: unknown[]): unknown => ruleOfRow(row);
    expect(why(2, null, "joe", null, 3, "a")).toContain("allow is");
    expect(why(null, null, "joe", null, 3, "a")).toBe("allow is NULL, expected 0 or 1");
    expect(why("constructor", null, "joe", null, 3, "a")).toContain("allow is");
    expect(why(1, null, "joe", null, 4, "a")).toContain("access is");
    expect(why(1, null, "joe", null, 3, null)).toContain("topic is NULL");
    expect(why(1, null, "joe", null, 3, "a/#/b")).toContain("topic is");
    expect(why(1, null, "joe", null, 3, "eq ")).toContain("topic is");
    expect(why(1, "10.0.0.300", "joe", null, 3, "a")).toContain("ipaddr is");
    expect(why(1, null, null, null, 3, "a")).toBe("neither ipaddr nor username nor clientid is set");
    expect(why(1, "", "", "", 3, "a")).toBe("neither ipaddr nor username nor clientid is set");
    expect(why()).toContain("allow is NULL");
  });
});

test("the first rule that matches decides", () => {
  const rules = [good(1, null, "joe", null, 2, "a"), good(0, null, "$all", null, 3, "#")];
  expect([verdict(rules, "publish", "a"), verdict(rules, "subscribe", "a"), verdict(rules, "publish", "b")]).toEqual([
    "allow",
    "deny",
    "deny",
  ]);
});

test("who is denied something is denied it in every spelling that a database takes for his; nobody is allowed something by another's", () => {
  const row = (allow: number): Rule => ruleOfRow([allow, null, "joé", null, 3, "a/#"]) as Rule;
  const spelt = ["joé", "JOE", "joe ", " Joe", "ｊｏｅ", "jim", ""].map((username) => aClient({ username }));
  const decides = (rule: Rule): boolean[] => spelt.map((client) => ruleFor([rule], client, "publish", "a/b") !== null);
  expect(decides(row(0))).toEqual([true, true, true, true, true, false, false]);
  expect(decides(row(1))).toEqual([true, false, false, false, false, false, false]);
  expect([isOnlyAlike("joe", "JOE"), isOnlyAlike("joe", "joe"), isOnlyAlike(null, "joe"), isOnlyAlike("joe", "jim")]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
