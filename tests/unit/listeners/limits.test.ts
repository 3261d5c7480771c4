import { describe, expect, test } from "bun:test";
import { Deadlines } from "../../../server/listeners/deadlines.ts";
import { Bucket, ConnectionBudget, compileAccess, plainIp, reserveOf } from "../../../server/listeners/limits.ts";
import { openFileLimit } from "../../../server/machine/open_files.ts";
import { mono, wall } from "../../support/time.ts";

describe("token bucket", () => {
  test("take: the burst at once, then the rate", () => {
    const b = new Bucket(10, 3, 0);
    expect([1, 2, 3, 4].map(() => b.take(1, 0))).toEqual([true, true, true, false]);
    expect(b.take(1, 99)).toBe(false);
    expect(b.take(1, 100)).toBe(true);
    expect(b.take(4, 1_000_000)).toBe(false);
    expect(b.take(3, 1_000_000)).toBe(true);
  });

  test("spend: into debt, and how long it takes to pay", () => {
    const b = new Bucket(1000, 500, 0);
    expect(b.spend(500, 0)).toBe(0);
    expect(b.spend(250, 0)).toBe(250);
    expect(b.spend(0, 100)).toBe(150);
    expect(b.spend(0, 250)).toBe(0);
    expect(b.spend(600, 10_000)).toBe(100);
  });
});

describe("open files", () => {
  test("the limit of this process is known, and a part of it is kept back", () => {
    const limit = openFileLimit();
    expect(limit).toBeGreaterThan(100);
    expect(ConnectionBudget.forThisProcess().max).toBe(limit - reserveOf(limit));
  });
  test("reserve", () => {
    expect([100, 1024, 20_000, 1_000_000, Number.POSITIVE_INFINITY].map(reserveOf)).toEqual([32, 128, 1024, 1024, 0]);
  });
});

describe("access rules", () => {
  const check = (...rules: string[]) => {
    const list = rules.map((r) => ({ allow: r.startsWith("allow"), cidr: r.split(" ")[1] as string }));
    return compileAccess(list);
  };
  test("nothing to deny: no check at all", () => {
    expect(check()).toBeNull();
    expect(check("allow all")).toBeNull();
    expect(check("allow 10.0.0.0/8", "allow all", "deny all")).toBeNull();
  });
  test("first match decides, none = allow", () => {
    const c = check("allow 10.1.0.0/16", "deny 10.0.0.0/8", "deny fe80::/10");
    expect(["10.1.2.3", "10.2.0.1", "11.0.0.1", "fe80::1%eth0", "::1"].map((ip) => c?.(ip))).toEqual([true, false, true, false, true]);
    expect(check("allow 10.0.0.1", "deny all")?.("10.0.0.2")).toBe(false);
  });
  test("a rule that is none", () => {
    expect(() => check("deny 10.0.0")).toThrow('"10.0.0" is neither an IP address');
  });
  test("mapped addresses", () => {
    expect(["::ffff:10.0.0.1", "10.0.0.1", "::1", "::ffff:1"].map(plainIp)).toEqual(["10.0.0.1", "10.0.0.1", "::1", "::ffff:1"]);
  });
});

test("deadlines: told once, replaced, taken back", () => {
  let now = 0;
  const due: string[] = [];
  const d = new Deadlines<string>({ now: () => wall(now), mono: () => mono(now) }, (item) => due.push(item));
  d.set("a", 100);
  d.set("b", 100);
  d.set("c", 100);
  d.set("b", 300);
  d.clear("c");
  now = 99;
  d.tick();
  expect(due).toEqual([]);
  now = 100;
  d.tick();
  expect(due).toEqual(["a"]);
  now = 300;
  d.tick();
  d.tick();
  expect(due).toEqual(["a", "b"]);
  expect(d.size).toBe(0);
  d.set("d", 1);
  d.stop();
  now = 1000;
  d.tick();
  expect(due).toEqual(["a", "b"]);
});

test("deadlines: one that fails keeps no other from being told", () => {
  let now = 0;
  const due: string[] = [];
  const d = new Deadlines<string>({ now: () => wall(now), mono: () => mono(now) }, (item) => {
    if (item === "bad") throw new Error("broken");
    due.push(item);
  });
  for (const item of ["a", "bad", "b"]) d.set(item, 100);
  now = 100;
  expect(() => d.tick()).toThrow("broken");
  expect(due).toEqual(["a", "b"]);
  expect(d.size).toBe(0);
  d.stop();
});
