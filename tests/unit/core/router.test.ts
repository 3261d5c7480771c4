import { describe, expect, test } from "bun:test";
import { Held } from "../../../server/core/held.ts";
import { Router } from "../../../server/core/router.ts";
import { Session } from "../../../server/core/session.ts";
import { Subscription } from "../../../server/core/subscription.ts";
import { wall } from "../../support/time.ts";
import { testZone } from "../../support/zone.ts";

const zone = testZone();
const session = (id: string): Session => new Session(id, zone, 5, wall(0), new Held());
function sub(
  router: Router,
  s: Session,
  filter: string,
  qos: 0 | 1 | 2 = 0,
  more: { nl?: boolean; subId?: number; group?: string } = {},
): Subscription {
  const x = new Subscription(s, filter, more.group ?? null, { qos, nl: more.nl ?? false, rap: false, rh: 0, subId: more.subId ?? 0 });
  router.add(x);
  return x;
}
const ids = (router: Router, topic: string): string[] =>
  router
    .route(topic)
    .subs.map((s) => s.session.clientId)
    .sort();

describe("Router", () => {
  test("matches exact filters, + and #, and the parent of a/#", () => {
    const r = new Router();
    sub(r, session("exact"), "a/b");
    sub(r, session("plus"), "a/+");
    sub(r, session("hash"), "a/#");
    sub(r, session("all"), "#");
    sub(r, session("other"), "a/c");
    expect(ids(r, "a/b")).toEqual(["all", "exact", "hash", "plus"]);
    expect(ids(r, "a")).toEqual(["all", "hash"]);
    expect(ids(r, "a/b/c")).toEqual(["all", "hash"]);
    expect(ids(r, "b")).toEqual(["all"]);
  });

  test("hides $ topics from leading wildcards, not from $SYS/#", () => {
    const r = new Router();
    sub(r, session("all"), "#");
    sub(r, session("plus"), "+/x");
    sub(r, session("sys"), "$SYS/#");
    sub(r, session("inner"), "$SYS/+");
    expect(ids(r, "$SYS/x")).toEqual(["inner", "sys"]);
  });

  test("empty levels are levels", () => {
    const r = new Router();
    sub(r, session("a"), "/+");
    sub(r, session("b"), "+/+");
    sub(r, session("c"), "+");
    expect(ids(r, "/x")).toEqual(["a", "b"]);
    expect(ids(r, "x/")).toEqual(["b"]);
  });

  test("a cached route sees new and removed filters and subscribers", () => {
    const r = new Router();
    expect(ids(r, "t/1")).toEqual([]);
    const a = sub(r, session("a"), "t/1");
    expect(ids(r, "t/1")).toEqual(["a"]);
    const b = sub(r, session("b"), "t/+");
    expect(ids(r, "t/1")).toEqual(["a", "b"]);
    const c = sub(r, session("c"), "t/1");
    expect(ids(r, "t/1")).toEqual(["a", "b", "c"]);
    r.remove(a);
    expect(ids(r, "t/1")).toEqual(["b", "c"]);
    r.remove(b);
    expect(ids(r, "t/1")).toEqual(["c"]);
    r.remove(c);
    expect(ids(r, "t/1")).toEqual([]);
    expect(r.size).toBe(0);
    expect(r.subscriptionCount).toBe(0);
  });

  test("a route whose filter is gone tells its keeper", () => {
    const r = new Router();
    const a = sub(r, session("a"), "t");
    const kept = r.route("t");
    r.remove(a);
    expect(kept.generation).not.toBe(r.generation);
  });

  test("one session, overlapping filters: one copy, highest QoS, all subscription identifiers", () => {
    const r = new Router();
    const s = session("s");
    sub(r, s, "a/b", 0, { subId: 5 });
    sub(r, s, "a/+", 2, { subId: 6 });
    sub(r, s, "a/#", 1);
    const subs = r.route("a/b").subs;
    expect(subs).toHaveLength(1);
    expect(subs[0]?.qos).toBe(2);
    expect(subs[0]?.subIds?.slice().sort()).toEqual([5, 6]);
  });

  test("changed options of an overlapping subscription count at once", () => {
    const r = new Router();
    const s = session("s");
    const x = sub(r, s, "a/b", 0);
    sub(r, s, "a/+", 0);
    expect(r.route("a/b").subs[0]?.qos).toBe(0);
    x.set({ qos: 1, nl: false, rap: false, rh: 0, subId: 0 });
    r.updated(x);
    expect(r.route("a/b").subs[0]?.qos).toBe(1);
  });

  test("groups are apart from plain subscribers and vanish with their last member", () => {
    const r = new Router();
    const a = sub(r, session("a"), "t", 0, { group: "g" });
    const b = sub(r, session("b"), "t", 0, { group: "g" });
    sub(r, session("c"), "t", 0, { group: "h" });
    const route = r.route("t");
    expect(route.subs).toHaveLength(0);
    expect(route.shares?.map((g) => g.members.length)).toEqual([2, 1]);
    expect(r.sharedCount).toBe(3);
    r.remove(a);
    r.remove(b);
    expect(r.route("t").shares?.map((g) => g.name)).toEqual(["h"]);
  });

  test("matching cost does not depend on unrelated subscriptions", () => {
    const r = new Router();
    const s = session("s");
    for (let i = 0; i < 20_000; i++) sub(r, s, `unrelated/${i}/+/x`);
    sub(r, session("me"), "mine/+");
    expect(ids(r, "mine/1")).toEqual(["me"]);
    expect(r.size).toBe(20_001);
  });

  test("the longest topics do not fill the memory", () => {
    const r = new Router();
    const heap = (): number => {
      Bun.gc(true);
      return process.memoryUsage().heapUsed + process.memoryUsage().external;
    };
    const before = heap();
    for (let i = 0; i < 3000; i++) r.route(`${i}/${"x".repeat(60_000)}`);
    expect(heap() - before).toBeLessThan(100 * 1024 * 1024);
    expect(r.route("short").empty).toBe(true);
  });
});
