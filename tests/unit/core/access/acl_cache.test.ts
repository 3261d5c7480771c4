import { describe, expect, test } from "bun:test";
import { AclCache } from "../../../../server/core/access/acl_cache.ts";
import { mono as at } from "../../../support/time.ts";

const TTL = 60_000;

describe("ACL cache", () => {
  test("keeps verdicts by action and topic", () => {
    const c = new AclCache();
    c.put("publish", "a", "allow", at(0), 32, 0);
    c.put("subscribe", "a", "deny", at(0), 32, 0);
    expect(c.get("publish", "a", at(1), TTL, 0)).toBe("allow");
    expect(c.get("subscribe", "a", at(1), TTL, 0)).toBe("deny");
    expect(c.get("publish", "b", at(1), TTL, 0)).toBeUndefined();
    expect(c.size).toBe(2);
  });

  test("forgets after the time to live", () => {
    const c = new AclCache();
    c.put("publish", "a", "allow", at(0), 32, 0);
    expect(c.get("publish", "a", at(TTL - 1), TTL, 0)).toBe("allow");
    expect(c.list(at(TTL), TTL)).toEqual([]);
    expect(c.get("publish", "a", at(TTL), TTL, 0)).toBeUndefined();
    expect(c.size).toBe(0);
  });

  test("when full, the oldest goes, whatever its action", () => {
    const c = new AclCache();
    c.put("subscribe", "s1", "allow", at(1), 3, 0);
    c.put("publish", "p1", "allow", at(2), 3, 0);
    c.put("publish", "p2", "allow", at(3), 3, 0);
    c.put("publish", "p3", "allow", at(4), 3, 0);
    expect(c.list(at(5), TTL).map((r) => r.topic)).toEqual(["p1", "p2", "p3"]);
    c.put("publish", "p1", "deny", at(5), 3, 0);
    c.put("publish", "p4", "allow", at(6), 3, 0);
    expect(c.list(at(7), TTL).map((r) => [r.topic, r.verdict])).toEqual([
      ["p3", "allow"],
      ["p1", "deny"],
      ["p4", "allow"],
    ]);
  });

  test("shrinks when the size was lowered, keeps nothing at size 0", () => {
    const c = new AclCache();
    for (let i = 0; i < 10; i++) c.put("publish", `t${i}`, "allow", at(i), 10, 0);
    c.put("publish", "x", "allow", at(11), 2, 0);
    expect(c.size).toBe(2);
    const none = new AclCache();
    none.put("publish", "x", "allow", at(0), 0, 0);
    expect(none.size).toBe(0);
  });

  test("drops a topic for both actions, or all", () => {
    const c = new AclCache();
    c.put("publish", "a", "allow", at(0), 9, 0);
    c.put("subscribe", "a", "allow", at(0), 9, 0);
    c.put("publish", "b", "allow", at(0), 9, 0);
    expect(c.drop("a")).toBe(2);
    expect(c.drop("a")).toBe(0);
    expect(c.list(at(0), TTL).map((r) => r.topic)).toEqual(["b"]);
    c.clear();
    expect(c.size).toBe(0);
  });

  test("new rules empty it, and a verdict of the old rules that comes late is not kept", () => {
    const c = new AclCache();
    c.put("publish", "a", "allow", at(0), 9, 0);
    expect(c.get("publish", "a", at(1), TTL, 1)).toBeUndefined();
    expect(c.size).toBe(0);
    c.put("publish", "a", "allow", at(1), 9, 0);
    expect(c.size).toBe(0);
    c.put("publish", "a", "deny", at(1), 9, 1);
    expect(c.get("publish", "a", at(1), TTL, 1)).toBe("deny");
  });

  test("shows the age of its rows", () => {
    const c = new AclCache();
    c.put("publish", "a", "allow", at(100), 9, 0);
    expect(c.list(at(350), TTL)).toEqual([{ action: "publish", topic: "a", verdict: "allow", age: 250 }]);
  });
});
