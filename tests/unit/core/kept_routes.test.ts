/** Which routes are kept, for how long, and what finds them. */
import { describe, expect, test } from "bun:test";
import { Held } from "../../../server/core/held.ts";
import { KeptRoutes } from "../../../server/core/kept_routes.ts";
import type { Route } from "../../../server/core/route.ts";
import { Router } from "../../../server/core/router.ts";
import { Session } from "../../../server/core/session.ts";
import { Subscription } from "../../../server/core/subscription.ts";
import { topicMatches } from "../../../server/mqtt/topic.ts";
import { nameHash } from "../../../server/mqtt/topic_hash.ts";
import { wall } from "../../support/time.ts";
import { testZone } from "../../support/zone.ts";

const PLACES = 100_000;
const zone = testZone();
const session = (id: string): Session => new Session(id, zone, 5, wall(0), new Held());
function sub(router: Router, filter: string, id = "s", group: string | null = null): Subscription {
  const s = new Subscription(session(id), filter, group, { qos: 0, nl: false, rap: false, rh: 0, subId: 0 });
  router.add(s);
  return s;
}
const subsOf = (route: Route): string[] => route.subs.map((s) => s.filter).sort();

/** The topic as in a packet; `again`: as the publisher's last one. */
function named(router: Router, topic: string, again = false): Route {
  const buf = Buffer.from(`??${topic}/payload`);
  const end = buf.length - 8;
  const route = router.named(buf, 2, end, again ? nameHash(buf, 2, end) : 0);
  if (route === null) throw new Error("not plain");
  return route;
}

describe("seen once, seen twice", () => {
  test("nothing is kept of a topic that comes once, something of one that comes twice in a row", () => {
    const r = new Router();
    const s = sub(r, "a/+");
    const once = named(r, "a/1");
    expect([once.subs, once.kept, once.topic]).toEqual([[s], false, "a/1"]);
    expect(r.cached).toEqual({ topics: [], chars: 0 });
    const twice = named(r, "a/1", true);
    expect([twice.subs, twice.kept]).toEqual([[s], true]);
    expect(r.cached).toEqual({ topics: ["a/1"], chars: 3 });
    for (const found of [named(r, "a/1"), r.route("a/1"), r.passing("a/1"), r.once("a/1")]) expect(found).toBe(twice);
  });

  test("a topic that takes many steps is kept at once, unless nothing is to be kept of it", () => {
    const r = new Router();
    for (let i = 0; i < 32; i++) sub(r, [4, 3, 2, 1, 0].map((bit) => ((i >> bit) & 1 ? "+" : "a")).join("/"));
    expect(r.once("a/a/a/a/a").kept).toBe(false);
    const route = named(r, "a/a/a/a/a");
    expect([route.kept, route.subs.length]).toEqual([true, 32]);
    expect(named(r, "a/a/a/a/a")).toBe(route);
  });

  test("the topic's string and bytes are there for whoever asks", () => {
    const r = new Router();
    const route = named(r, "a/b");
    expect([route.topic, Buffer.from(route.bytes).toString(), route.sys]).toEqual(["a/b", "a/b", false]);
    expect([r.once("$SYS/x").sys, r.once("$SYS").sys, r.once("$SYSx/y").sys]).toEqual([true, false, false]);
  });

  test("names that are not plain ASCII are asked for as text, and found all the same", () => {
    const r = new Router();
    const [a, b] = [sub(r, "ä/+/\u{1F600}"), sub(r, "ä/ü/\u{1F600}")];
    sub(r, "a/+/x");
    const topic = "ä/ü/\u{1F600}";
    expect(subsOf(r.once(topic))).toEqual([a.filter, b.filter].sort());
    expect(r.route(topic)).toBe(r.route(topic));
    expect(r.cached).toEqual({ topics: [topic], chars: topic.length });
    const buf = Buffer.from(topic);
    expect(r.named(buf, 0, buf.length, 0)).toBeNull();
    r.remove(a);
    expect(r.route(topic).subs).toEqual([b]);
    r.remove(b);
    expect([r.route(topic).empty, r.size]).toEqual([true, 1]);
  });

  test.each(["a+", "a#b", "a\u0000b", "a\u001fb", "a\u007fb", "é", "abc\u0080"])("%j is not plain", (topic) => {
    const buf = Buffer.from(topic);
    expect(new Router().named(buf, 0, buf.length, 0)).toBeNull();
  });

  test("a route of the packet in hand is the next one's too, unless it is kept, or asked for as text", () => {
    const r = new Router();
    sub(r, "a/+");
    const first = named(r, "a/1");
    const text = r.passing("a/2");
    const next = named(r, "b/3");
    expect(next).toBe(first);
    expect([next.topic, next.empty, text.topic, text.empty]).toEqual(["b/3", true, "a/2", false]);
    const kept = named(r, "a/1", true);
    r.remove(sub(r, "a/1"));
    expect([kept.kept, kept.generation]).toEqual([true, 0]);
    expect(named(r, "a/4")).not.toBe(kept);
    expect([kept.topic, kept.subs.length]).toEqual(["a/1", 1]);
  });
});

describe("filters that come and go", () => {
  test("of a topic that is not kept", () => {
    const r = new Router();
    expect(named(r, "a/1").empty).toBe(true);
    const exact = sub(r, "a/1");
    expect(named(r, "a/1").subs).toEqual([exact]);
    const wild = sub(r, "a/+");
    expect(subsOf(named(r, "a/1"))).toEqual(["a/+", "a/1"]);
    r.remove(exact);
    expect(named(r, "a/1").subs).toEqual([wild]);
    r.remove(wild);
    expect(named(r, "a/1").empty).toBe(true);
    const g = sub(r, "a/1", "s", "g");
    expect(named(r, "a/1").shares?.map((x) => x.members)).toEqual([[g]]);
    r.remove(g);
    expect(named(r, "a/1").empty).toBe(true);
  });

  test("whoever holds a route is told that it is not what it was", () => {
    const r = new Router();
    const kept = r.route("k");
    const passing = r.passing("p");
    expect([r.isFresh(kept), r.isFresh(passing)]).toEqual([true, true]);
    sub(r, "p");
    expect([r.isFresh(kept), r.isFresh(passing)]).toEqual([true, false]);
    sub(r, "k");
    expect(r.isFresh(kept)).toBe(false);
    expect(r.again(kept)).not.toBe(kept);
    const again = r.route("k");
    expect(r.again(again)).toBe(again);
    sub(r, "+");
    expect([r.isFresh(again), r.again(again)]).toEqual([false, again]);
    expect(r.isFresh(again)).toBe(true);
  });

  test("the same group of a filter, away and back", () => {
    const r = new Router();
    const a = sub(r, "t/+", "a", "g");
    const before = named(r, "t/1").shares;
    expect(named(r, "t/2").shares).toBe(before);
    r.remove(a);
    const b = sub(r, "t/+", "b", "g");
    expect(before?.[0]?.members).toEqual([]);
    expect(named(r, "t/1").shares?.map((g) => g.members)).toEqual([[b]]);
  });

  test("1,000 filters that come and go cost a topic that is not kept nothing", () => {
    const r = new Router();
    sub(r, "a/+");
    named(r, "a/1");
    const one = r.steps;
    named(r, "a/1");
    const cost = r.steps - one;
    for (let i = 0; i < 1000; i++) r.remove(sub(r, `other/${i}/+`));
    const before = r.steps;
    named(r, "a/1");
    expect(r.steps - before).toBe(cost);
  });
});

describe("full", () => {
  const filled = (n: number): Router => {
    const r = new Router();
    for (let i = 0; i < n; i++) r.route(`fill/${i}`);
    return r;
  };

  test("never more than its places, and as good as all of them are used", () => {
    const r = filled(3 * PLACES);
    expect(r.cached.topics.length).toBeLessThanOrEqual(PLACES);
    expect(r.cached.topics.length).toBeGreaterThan(PLACES * 0.99);
    expect(r.cached.chars).toBe(r.cached.topics.reduce((n, t) => n + t.length, 0));
  });

  test("half full, everything is there", () => {
    const r = filled(PLACES / 2);
    expect(r.cached.topics.length).toBeGreaterThan(PLACES / 2 - 100);
  });

  test("what is in use stays, however many come by once", () => {
    const r = filled(PLACES);
    const inUse = r.cached.topics.filter((_, i) => i % 100 === 0);
    const routes = inUse.map((t) => r.route(t));
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 20_000; i++) r.route(`once/${round}/${i}`);
      for (const t of inUse) r.route(t);
    }
    expect(inUse.filter((t, i) => r.route(t) === routes[i]).length).toBeGreaterThan(inUse.length * 0.99);
  });

  test("what comes again and again comes in, one after the other", () => {
    const r = filled(2 * PLACES);
    const topics = Array.from({ length: 2000 }, (_, i) => `new/${i}`);
    const there = (): number => topics.filter((t) => r.once(t).kept).length;
    const before = there();
    for (const t of topics) r.route(t);
    expect(there()).toBeLessThan(before + topics.length / 8);
    for (let round = 0; round < 100; round++) for (const t of topics) r.route(t);
    expect(there()).toBeGreaterThan(topics.length * 0.95);
  });

  test("a route that had to go says so, and is found anew", () => {
    const r = filled(PLACES);
    const held = r.cached.topics.slice(0, 1000).map((t) => r.passing(t));
    for (let i = 0; i < 4_000_000 && held.every((route) => route.generation !== 0); i++) r.route(`more/${i}`);
    const gone = held.find((route) => route.generation === 0) as Route;
    const s = sub(r, gone.topic);
    expect(gone.subs).toEqual([]);
    expect(r.again(gone).subs).toEqual([s]);
  });

  test("characters too: short topics find room again when long ones are not asked for any more", () => {
    const r = new Router();
    for (let i = 0; i < 1000; i++) r.route(`${i}/${"x".repeat(60_000)}`);
    expect(r.cached.chars).toBeLessThanOrEqual(16 * 1024 * 1024);
    const longs = r.cached.topics.length;
    for (let round = 0; round < 40; round++) for (let i = 0; i < 100; i++) r.route(`${"y".repeat(60_000)}/${i}`);
    expect(r.cached.chars).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(r.cached.topics.filter((t) => t.startsWith("y")).length).toBeGreaterThan(80);
    expect(longs).toBeGreaterThan(270);
  });

  test("what is kept takes no more memory than its topics", () => {
    const before = heap();
    const r = filled(3 * PLACES);
    expect(heap() - before).toBeLessThan(40 * 1024 * 1024);
    expect(r.once("fill/0").empty).toBe(true);
  });

  test("a million topics that come once leave nothing", () => {
    const r = new Router();
    sub(r, "a/+");
    named(r, "a/x");
    const before = heap();
    for (let i = 0; i < 1_000_000; i++) named(r, `a/${i}`);
    expect(r.cached.topics).toEqual([]);
    expect(heap() - before).toBeLessThan(4 * 1024 * 1024);
  });
});

test("whatever comes and goes, every route is what the filters say, kept or not, as text or as bytes", () => {
  let seed = 11;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return ((seed >>> 8) * n) >>> 24;
  };
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const levels = ["a", "b", "", "abc", "abcd", "long/level", "ä", "$x"];
  const r = new Router();
  const live = new Map<string, Subscription>();
  const held: Route[] = [];
  for (let step = 0; step < 40_000; step++) {
    const filter = [
      ...Array.from({ length: 1 + random(4) }, () => (random(4) === 0 ? "+" : pick(levels))),
      ...(random(4) === 0 ? ["#"] : []),
    ].join("/");
    const known = live.get(filter);
    if (filter !== "" && known === undefined && live.size < 40) live.set(filter, sub(r, filter, filter));
    else if (known !== undefined) {
      r.remove(known);
      live.delete(filter);
    }
    const topic = Array.from({ length: 1 + random(4) }, () => pick(levels)).join("/");
    if (topic === "") continue;
    const naive = [...live.keys()].filter((f) => topicMatches(topic, f)).sort();
    const plain = !topic.includes("ä") && !topic.startsWith("$");
    const how = random(plain ? 6 : 3);
    const route = how === 0 ? r.route(topic) : how === 1 ? r.passing(topic) : how === 2 ? r.once(topic) : named(r, topic, random(3) === 0);
    expect([route.topic, ...subsOf(route)]).toEqual([topic, ...naive]);
    if (route.kept) held.push(route);
    const other = held[random(held.length)];
    if (other !== undefined && random(4) === 0) {
      const now = r.again(other);
      expect([now.topic, ...subsOf(now)]).toEqual([other.topic, ...[...live.keys()].filter((f) => topicMatches(other.topic, f)).sort()]);
    }
  }
  expect(r.cached.topics.length).toBeGreaterThan(100);
});

function heap(): number {
  Bun.gc(true);
  return process.memoryUsage().heapUsed;
}

describe("places", () => {
  /** A route as far as its place goes. */
  const route = (hash: number, length = 1, used = false): Route => ({ hash, topic: { length }, used, keep() {} }) as unknown as Route;
  /** Everything with this hash belongs to the first set, however many sets there are. */
  const HASH = 1;
  const WAYS = 16;
  const TURN = 16;

  test("when all of a set are in use, one of them goes all the same, now and then", () => {
    const dropped: Route[] = [];
    const kept = new KeptRoutes((r) => void dropped.push(r));
    for (let i = 0; i < WAYS; i++) {
      const r = route(HASH, 1, true);
      expect(kept.room(r)).toBe(true);
      kept.add(r);
    }
    const tries = Array.from({ length: TURN }, () => kept.room(route(HASH)));
    expect(tries).toEqual([...Array.from({ length: TURN - 1 }, () => false), true]);
    expect([dropped.length, kept.size, kept.chars]).toEqual([1, WAYS - 1, WAYS - 1]);
    kept.add(route(HASH));
    expect([...kept].length).toBe(WAYS);
  });

  test("of those that nobody has asked for the one behind the hand goes first", () => {
    const dropped: Route[] = [];
    const kept = new KeptRoutes((r) => void dropped.push(r));
    const all = Array.from({ length: WAYS }, (_, i) => route(HASH, 1, i !== 5));
    for (const r of all) {
      kept.room(r);
      kept.add(r);
    }
    for (let i = 0; i < TURN; i++) kept.room(route(HASH));
    expect(dropped).toEqual([all[5] as Route]);
  });

  test("who wants characters looks at every place", () => {
    const dropped: Route[] = [];
    const kept = new KeptRoutes((r) => void dropped.push(r));
    const [small, large] = [route(HASH, 1, true), route(HASH + 1, 16 * 1024 * 1024 - 1)];
    for (const r of [small, large]) {
      expect(kept.room(r)).toBe(true);
      kept.add(r);
    }
    const tries = Array.from({ length: TURN }, () => kept.room(route(HASH, 10)));
    expect(tries.at(-1)).toBe(true);
    expect(dropped).toEqual([large]);
  });

  test("no more goes than has to", () => {
    const dropped: Route[] = [];
    const kept = new KeptRoutes((r) => void dropped.push(r));
    const half = 8 * 1024 * 1024;
    for (const r of [route(HASH, half), route(HASH + 1, half)]) {
      expect(kept.room(r)).toBe(true);
      kept.add(r);
    }
    while (!kept.room(route(HASH, 10)));
    expect(dropped).toHaveLength(1);
  });

  test("emptied, it holds no characters", () => {
    const kept = new KeptRoutes(() => {});
    kept.add(route(HASH, 100));
    kept.clear();
    expect([kept.size, kept.chars, [...kept]]).toEqual([0, 0, []]);
  });
});
