import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AclCache } from "../../../../server/core/access/acl_cache.ts";
import type { AclVerdict, Action } from "../../../../server/core/types.ts";
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

  test("a verdict by a failure stands for a second, or for the time to live where that is shorter", () => {
    for (const [ttl, until] of [
      [TTL, 1000],
      [300, 300],
    ] as const) {
      const c = new AclCache();
      c.putFailed("publish", "a", "deny", at(0), 9, 0);
      expect(c.get("publish", "a", at(until - 1), ttl, 0)).toBe("deny");
      expect(Number(c.hitUntil)).toBe(until);
      expect(c.get("subscribe", "a", at(1), ttl, 0)).toBeUndefined();
      expect(c.get("publish", "b", at(1), ttl, 0)).toBeUndefined();
      const row = { action: "publish" as const, topic: "a", verdict: "deny" as const };
      expect([c.list(at(until - 1), ttl), c.list(at(until), ttl)]).toEqual([[{ ...row, age: until - 1 }], []]);
      expect(c.get("publish", "a", at(until), ttl, 0)).toBeUndefined();
    }
  });

  test("verdicts by a failure push out no others, and are no more of them than fit", () => {
    const c = new AclCache();
    for (const topic of ["a", "b"]) c.put("publish", topic, "allow", at(0), 2, 0);
    for (const topic of ["c", "d", "e"]) c.putFailed("publish", topic, "deny", at(1), 2, 0);
    const known = ["a", "b", "c", "d", "e"].map((topic) => c.get("publish", topic, at(2), TTL, 0));
    expect(known).toEqual(["allow", "allow", undefined, "deny", "deny"]);
    expect(c.size).toBe(2);
  });

  test("a verdict by a failure goes with its topic, with all, with the rules, and when anybody is asked again", () => {
    const ends: ((c: AclCache) => unknown)[] = [
      (c) => expect(c.drop("a")).toBe(1),
      (c) => c.clear(),
      (c) => c.get("publish", "b", at(2), TTL, 1),
      (c) => c.put("publish", "b", "allow", at(2), 9, 0),
    ];
    for (const [i, end] of ends.entries()) {
      const c = new AclCache();
      c.putFailed("publish", "a", "deny", at(1), 9, 0);
      end(c);
      expect([i, c.get("publish", "a", at(3), TTL, i === 2 ? 1 : 0)]).toEqual([i, undefined]);
    }
  });

  test("of older rules, or where nothing is kept, nor is a verdict by a failure", () => {
    const c = new AclCache();
    c.get("publish", "a", at(1), TTL, 1);
    c.putFailed("publish", "a", "deny", at(1), 9, 0);
    c.putFailed("publish", "b", "deny", at(1), 0, 1);
    expect(["a", "b"].map((topic) => c.get("publish", topic, at(1), TTL, 1))).toEqual([undefined, undefined]);
    c.putFailed("publish", "a", "deny", at(1), 9, 1);
    expect(c.get("publish", "a", at(1), TTL, 1)).toBe("deny");
  });

  test("is what a list is, whatever is kept, dropped or has become old", () => {
    const step = fc.record({
      what: fc.constantFrom("put", "put", "put", "get", "get", "drop"),
      action: fc.constantFrom<Action>("publish", "subscribe"),
      topic: fc.constantFrom("a", "b", "c", "d"),
      verdict: fc.constantFrom<AclVerdict>("allow", "deny"),
      later: fc.integer({ min: 1, max: 40 }),
      max: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const c = new AclCache();
        let list: { action: Action; topic: string; verdict: AclVerdict; at: number }[] = [];
        let now = 0;
        for (const { what, action, topic, verdict, later, max } of steps) {
          now += later;
          const is = (e: { action: Action; topic: string }): boolean => e.action === action && e.topic === topic;
          if (what === "put") {
            c.put(action, topic, verdict, at(now), max, 0);
            list = list.filter((e) => !is(e));
            list = [...(list.length < max ? list : list.slice(list.length - max + 1)), { action, topic, verdict, at: now }];
          } else if (what === "get") {
            const known = list.find(is);
            const fresh = known !== undefined && now - known.at < 100;
            expect(c.get(action, topic, at(now), 100, 0)).toBe(fresh ? known.verdict : undefined);
            if (fresh) expect(Number(c.hitUntil)).toBe(known.at + 100);
            else list = list.filter((e) => !is(e));
          } else {
            expect(c.drop(topic)).toBe(list.filter((e) => e.topic === topic).length);
            list = list.filter((e) => e.topic !== topic);
          }
          expect(c.size).toBe(list.length);
          const rows = (["publish", "subscribe"] as const).flatMap((a) => list.filter((e) => e.action === a && now - e.at < 100));
          expect(c.list(at(now), 100)).toEqual(rows.map(({ at: since, ...row }) => ({ ...row, age: now - since })));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
