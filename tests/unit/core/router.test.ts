import { describe, expect, test } from "bun:test";
import { Held } from "../../../server/core/held.ts";
import { Router } from "../../../server/core/router.ts";
import { Session } from "../../../server/core/session.ts";
import { Subscription } from "../../../server/core/subscription.ts";
import { topicMatches } from "../../../server/mqtt/topic.ts";
import { TestKit } from "../../support/test_broker.ts";
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

/** Random numbers that are the same each time. */
function mulberry(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

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

  test("a group that comes, goes and comes again on a filter that a cached route matched already", () => {
    const r = new Router();
    sub(r, session("a"), "t");
    const shares = (): string[] => (r.route("t").shares ?? []).map((g) => g.name);
    expect([ids(r, "t"), shares()]).toEqual([["a"], []]);
    const g = sub(r, session("b"), "t", 0, { group: "g" });
    expect(shares()).toEqual(["g"]);
    sub(r, session("c"), "t", 0, { group: "h" });
    expect(shares()).toEqual(["g", "h"]);
    r.remove(g);
    expect(shares()).toEqual(["h"]);
    sub(r, session("d"), "t", 0, { group: "g" });
    expect(shares().sort()).toEqual(["g", "h"]);
    expect(ids(r, "t")).toEqual(["a"]);
  });

  test("what is taken away twice is away once, and nobody else with it", () => {
    const r = new Router();
    const [gone, stays] = [sub(r, session("gone"), "a/b"), sub(r, session("stays"), "a/b")];
    for (let i = 0; i < 2; i++) r.remove(gone);
    expect([r.subscriptionCount, ids(r, "a/b"), stays.index]).toEqual([1, ["stays"], 0]);
    for (let i = 0; i < 2; i++) r.remove(stays);
    expect([r.subscriptionCount, r.size]).toEqual([0, 0]);
  });

  test("while nobody walks a list, it is changed where it stands", () => {
    const r = new Router();
    sub(r, session("one"), "a/b");
    const { subs } = r.route("a/b");
    sub(r, session("two"), "a/b");
    expect(r.route("a/b").subs).toBe(subs);
    expect(subs).toHaveLength(2);
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

  test("one publisher and N overlapping filters of one client: work grows with N, and is done once", () => {
    const n = 2 ** 16;
    const r = new Router();
    const s = session("s");
    const level = (i: number, bit: number): string => ((i >> bit) & 1 ? "+" : "a");
    for (let i = 0; i < n; i++) sub(r, s, Array.from({ length: 16 }, (_, bit) => level(i, bit)).join("/"), 0, { subId: 1 + (i % 7) });
    const topic = Array(16).fill("a").join("/");
    const before = r.steps;
    expect(r.route(topic).subs).toHaveLength(1);
    expect(r.route(topic).subs[0]?.subIds).toHaveLength(n);
    expect(r.steps - before).toBeLessThan(6 * n);
    const first = r.steps;
    for (let i = 0; i < 100; i++) r.route(topic);
    expect(r.steps).toBe(first);
  });

  test("filters that are gone cost nothing any more", () => {
    const r = new Router();
    sub(r, session("me"), "+/+");
    const { cost } = r.route("a/0");
    const gone = Array.from({ length: 100 }, (_, i) => sub(r, session(`${i}`), i % 2 === 0 ? "a/#" : `+/${i}/#`));
    expect(r.route("a/2").cost).toBeGreaterThan(cost);
    for (const x of gone) r.remove(x);
    expect(r.route("a/3").cost).toBe(cost);
  });

  test("filters that do not match a topic cost its route next to nothing", () => {
    const r = new Router();
    const s = session("s");
    for (let i = 0; i < 2 ** 12; i++) sub(r, s, Array.from({ length: 12 }, (_, bit) => ((i >> bit) & 1 ? "+" : "a")).join("/"));
    const topic = Array(12).fill("a").join("/");
    const { subs } = r.route(topic);
    const before = r.steps;
    for (let i = 0; i < 500; i++) sub(r, session(`o${i}`), `other/${i}/+`);
    expect(r.route(topic).subs).toBe(subs);
    // The filters that came are compared, one by one, and the versions of those that match are added up; nothing is matched anew.
    expect(r.steps - before).toBeLessThan(2 ** 12 + 510);
    const again = r.steps;
    expect(r.route(topic).subs).toBe(subs);
    expect(r.steps).toBe(again);
  });

  test("a filter that came long ago is not forgotten, however many have come since", () => {
    const r = new Router();
    const s = session("s");
    for (let i = 0; i < 2 ** 11; i++) sub(r, s, Array.from({ length: 11 }, (_, bit) => ((i >> bit) & 1 ? "+" : "a")).join("/"));
    const topic = Array(11).fill("a").join("/");
    expect(ids(r, topic)).toEqual(["s"]);
    sub(r, session("new"), "a/#");
    for (let i = 0; i < 1100; i++) sub(r, session("o"), `other/${i}/+`);
    expect(ids(r, topic)).toEqual(["new", "s"]);
  });

  test("a route that is found quickly is found anew rather than compared with a thousand filters", () => {
    const r = new Router();
    sub(r, session("s"), "t");
    expect(ids(r, "t")).toEqual(["s"]);
    for (let i = 0; i < 1000; i++) sub(r, session("o"), `other/${i}/+`);
    const before = r.steps;
    expect(ids(r, "t")).toEqual(["s"]);
    expect(r.steps - before).toBeLessThan(10);
  });

  test("lists of many subscribers are not kept for any number of topics", () => {
    const r = new Router();
    for (let i = 0; i < 50_000; i++) sub(r, session(`s${i}`), "#");
    const kept = r.route("kept");
    for (let i = 0; i < 85; i++) {
      sub(r, session("e"), `t/${i}`);
      r.route(`t/${i}`);
    }
    expect(r.route("kept")).not.toBe(kept);
    expect(r.route("kept").subs).toHaveLength(50_000);
  });

  test("topics that the same filters match share one list, which is made anew once", () => {
    const r = new Router();
    const monitor = sub(r, session("monitor"), "#");
    for (let i = 0; i < 1000; i++) sub(r, session(`s${i}`), "data/+");
    const topics = Array.from({ length: 1000 }, (_, i) => `data/${i}`);
    const { subs } = r.route("data/0");
    expect(subs).toHaveLength(1001);
    for (const t of topics) expect(r.route(t).subs).toBe(subs);
    monitor.set({ qos: 2, nl: false, rap: false, rh: 0, subId: 0 });
    r.updated(monitor);
    const before = r.steps;
    for (const t of topics) expect(r.route(t).subs).toHaveLength(1001);
    expect(r.steps - before).toBeLessThan(1001 + 3 * topics.length);
  });

  test("changed options of one overlap leave the lists of all others alone", () => {
    const r = new Router();
    const a = sub(r, session("a"), "a/+");
    sub(r, session("a2"), "a/1");
    sub(r, session("b"), "b/+");
    sub(r, session("b2"), "b/1");
    const { subs } = r.route("b/1");
    const old = r.route("a/1").subs;
    r.updated(a);
    expect(r.route("b/1").subs).toBe(subs);
    expect(r.route("a/1").subs).not.toBe(old);
  });

  test("one filter in 200,000 groups", () => {
    const r = new Router();
    const s = session("s");
    for (let i = 0; i < 200_000; i++) sub(r, s, "t", 0, { group: `g${i}` });
    expect(r.route("t").shares).toHaveLength(200_000);
  });

  test("a list that is being walked does not change", () => {
    const r = new Router();
    const [a, b, c] = ["a", "b", "c"].map((id) => sub(r, session(id), "t")) as [Subscription, Subscription, Subscription];
    const { subs } = r.route("t");
    r.enter();
    r.remove(a);
    const d = sub(r, session("d"), "t");
    expect(subs).toEqual([a, b, c]);
    expect(a.index).toBe(-1);
    // A dispatch inside this one walks the list as it is now; what changes then spares both.
    const inner = r.route("t").subs;
    expect(new Set(inner)).toEqual(new Set([b, c, d]));
    r.enter();
    r.remove(c);
    expect(inner).toHaveLength(3);
    r.leave();
    r.leave();
    expect(subs).toEqual([a, b, c]);
    expect(ids(r, "t")).toEqual(["b", "d"]);
    const { subs: live } = r.route("t");
    r.remove(d);
    expect(live).toEqual([b]);
  });

  test("a dispatch that an exception ends costs copies of lists until the next tick, nothing else", () => {
    const r = new Router();
    const a = sub(r, session("a"), "t");
    r.enter();
    const before = r.route("t").subs;
    const b = sub(r, session("b"), "t");
    expect(before).toEqual([a]);
    expect(r.route("t").subs).toEqual([a, b]);
    r.settled();
    const { subs } = r.route("t");
    r.remove(b);
    expect(r.route("t").subs).toBe(subs);
    expect(subs).toEqual([a]);
  });

  test("a route that is used once is as any other, and not kept", () => {
    const r = new Router();
    const [a, b] = [sub(r, session("a"), "x/+"), sub(r, session("b"), "x/1")];
    expect(new Set(r.once("x/1").subs.map((s) => s.session))).toEqual(new Set([a.session, b.session]));
    expect(r.once("y").empty).toBe(true);
    expect(r.cached).toEqual({ topics: [], chars: 0 });
    const kept = r.route("x/1");
    expect(r.once("x/1")).toBe(kept);
    r.remove(b);
    expect(r.once("x/1").subs).toEqual([a]);
  });

  test("whatever comes and goes, every route is what the filters say", () => {
    const random = mulberry(7);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const r = new Router();
    const sessions = Array.from({ length: 5 }, (_, i) => session(`s${i}`));
    const levels = ["a", "b", "+", "c"];
    const live = new Map<string, Subscription>();
    const topics = ["a", "b", "a/b", "a/a", "b/c", "a/b/c", "c", "c/c", "$SYS/a"];
    for (let step = 0; step < 6000; step++) {
      const s = pick(sessions);
      const depth = 1 + Math.floor(random() * 3);
      const filter = [...Array.from({ length: depth }, () => pick(levels)), ...(random() < 0.2 ? ["#"] : [])].join("/");
      const key = `${s.clientId} ${filter}`;
      const known = live.get(key);
      if (known === undefined) live.set(key, sub(r, s, filter, pick([0, 1, 2] as const), { subId: Math.floor(random() * 3) }));
      else if (random() < 0.3) {
        known.set({ qos: pick([0, 1, 2] as const), nl: false, rap: false, rh: 0, subId: Math.floor(random() * 3) });
        r.updated(known);
      } else {
        r.remove(known);
        live.delete(key);
      }
      const topic = pick(topics);
      const seen = r.route(topic).subs.map((x) => `${x.session.clientId} ${x.qos} ${(x.subIds ?? []).toSorted()}`);
      const naive = sessions.flatMap((x) => {
        const all = [...live.values()].filter((y) => y.session === x && topicMatches(topic, y.filter));
        const subIds = all.flatMap((y) => y.subIds ?? []).toSorted();
        return all.length === 0 ? [] : [`${x.clientId} ${Math.max(...all.map((y) => y.qos))} ${subIds}`];
      });
      expect(seen.toSorted()).toEqual(naive.toSorted());
    }
    for (const s of live.values()) r.remove(s);
    expect([r.size, r.subscriptionCount]).toEqual([0, 0]);
  });

  test("routes that were dropped are not counted any more: the cache stays", () => {
    const r = new Router();
    const kept = r.route("kept");
    const long = "x".repeat(60_000);
    for (let i = 0; i < 400; i++) {
      r.route(long);
      r.remove(sub(r, session("s"), long));
    }
    expect(r.route("kept")).toBe(kept);
    // And those that are there are: none but a few of those in use goes for others, which are too long together.
    for (let i = 0; i < 400; i++) r.route(`${i}${long}`);
    expect(r.cached.chars).toBeLessThanOrEqual(16 * 1024 * 1024);
  });

  test("the longest topics do not fill the memory", () => {
    const r = new Router();
    let most = 0;
    for (let i = 0; i < 3000; i++) {
      r.route(`${i}/${"x".repeat(60_000)}`);
      most = Math.max(most, r.cached.chars);
    }
    expect(most).toBeGreaterThan(15 * 1024 * 1024);
    expect(most).toBeLessThan(17 * 1024 * 1024);
    expect(r.route("short").empty).toBe(true);
  });
});

test("a dispatch that an exception has ended is over at the next tick: lists are changed in place again", () => {
  const kit = new TestKit();
  const { router } = kit.broker;
  kit.connected("a").subscribe("t");
  router.enter();
  let n = 0;
  const copied = (): boolean => {
    const { generation } = router;
    kit.connected(`c${n++}`).subscribe("t");
    return router.generation !== generation;
  };
  expect([copied(), copied()]).toEqual([true, false]);
  router.enter();
  kit.pass(100);
  expect(copied()).toBe(false);
});
