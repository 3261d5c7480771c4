import { describe, expect, test } from "bun:test";
import type { Channel } from "../../../server/core/channel.ts";
import { Held } from "../../../server/core/held.ts";
import { Session } from "../../../server/core/session.ts";
import { ShareGroup, welcome } from "../../../server/core/shared.ts";
import { Subscription } from "../../../server/core/subscription.ts";
import { seededRandom } from "../../support/random.ts";
import { TestKit } from "../../support/test_broker.ts";
import { wall } from "../../support/time.ts";
import { testZone } from "../../support/zone.ts";

const zone = testZone();
const options = { qos: 0, nl: false, rap: false, rh: 0, subId: 0 } as const;

/** A group of so many, all away. */
function absent(n: number): { g: ShareGroup; members: Subscription[] } {
  const g = new ShareGroup("g", "t");
  const members = Array.from({ length: n }, (_, i) => {
    const s = new Subscription(new Session(String(i), zone, 5, wall(0), new Held()), "t", "g", options);
    g.add(s);
    return s;
  });
  return { g, members };
}
/** Its client comes, and is connected. */
function comes(s: Subscription): void {
  s.session.channel = { ready: true, out: { blocked: false } } as Channel;
  welcome(s.session);
}

/** A group of virtual members, who always can take a message; `false` = offline. */
function group(...online: boolean[]): { g: ShareGroup; members: Subscription[] } {
  const g = new ShareGroup("g", "t");
  const members = online.map((there, i) => {
    const session = new Session("abcdef"[i] as string, zone, 5, wall(0), new Held());
    if (there) session.receive = () => {};
    const s = new Subscription(session, "t", "g", options);
    g.add(s);
    return s;
  });
  return { g, members };
}
const random = (value = 0) => ({ next: () => value, hex: () => "" });
const turns = (g: ShareGroup, n: number): string =>
  Array.from({ length: n }, () => g.pick("round_robin", "p", random())?.session.clientId ?? "-").join("");

describe("round_robin", () => {
  test("begins with the first member and goes round", () => {
    expect(turns(group(true, true, true).g, 7)).toBe("abcabca");
  });

  test("members that are away are passed over, and nobody gets their turn as well", () => {
    expect(turns(group(true, false, true).g, 6)).toBe("acacac");
  });

  test("when all are away they queue in turn", () => {
    const { g, members } = group(false, false);
    expect(turns(g, 3)).toBe("aba");
    for (const m of members) m.session.terminated = true;
    expect(turns(g, 1)).toBe("-");
  });

  test("members come and go: everybody there has a turn in each round", () => {
    const { g, members } = group(true, true, true, true);
    expect(turns(g, 2)).toBe("ab");
    g.remove(members[0] as Subscription);
    expect([...turns(g, 3)].toSorted().join("")).toBe("bcd");
    expect([...turns(g, 3)].toSorted().join("")).toBe("bcd");
  });
});

describe("sticky", () => {
  const pick = (g: ShareGroup, value: number): string | undefined => g.pick("sticky", "p", random(value))?.session.clientId;

  test("stays with a member until that one leaves the group, or cannot take messages", () => {
    const { g, members } = group(true, true, true);
    expect([pick(g, 0.5), pick(g, 0), pick(g, 0.9)]).toEqual(["b", "b", "b"]);
    const b = members[1] as Subscription;
    // It leaves, but its session is still there: it must not be given anything any more.
    g.remove(b);
    expect(pick(g, 0)).toBe("a");
    const a = members[0] as Subscription;
    a.session.receive = null;
    expect(pick(g, 0.9)).toBe("c");
  });
});

describe("hash and random", () => {
  test("the same publisher, the same member; never one that is excepted", () => {
    const { g, members } = group(true, true, true);
    const first = g.pick("hash", "publisher", random());
    for (let i = 0; i < 5; i++) expect(g.pick("hash", "publisher", random(i / 5))).toBe(first);
    // FNV-1a has 0x811c9dc5, 0xe40c292c, 0xe70c2de5 and 0xbf9cf968 for these.
    const four = group(true, true, true, true).g;
    const chosen = ["", "a", "b", "foobar"].map((name) => four.pick("hash", name, random())?.session.clientId);
    expect(chosen).toEqual([0x811c9dc5, 0xe40c292c, 0xe70c2de5, 0xbf9cf968].map((h) => "abcd"[h % 4]));
    const except = (members[2] as Subscription).session;
    expect(g.pick("random", "p", random(0.99), except)?.session.clientId).toBe("a");
  });
});

describe("how many members are looked at", () => {
  const strategies = ["random", "round_robin", "sticky", "hash"] as const;

  for (const strategy of strategies) {
    test(`${strategy}: all once, and none again while all are away`, () => {
      const { g, members } = absent(10_000);
      const first = g.pick(strategy, "p", random(0.5));
      expect(members).toContain(first as Subscription);
      expect(g.looked).toBeGreaterThanOrEqual(10_000);
      for (let i = 0; i < 100; i++) {
        expect(g.pick(strategy, "p", random(i / 100))).not.toBeNull();
        expect(g.looked).toBeLessThan(5);
      }
    });

    test(`${strategy}: few, where few are here; the one that is gets all`, () => {
      const { g, members } = absent(10_000);
      g.pick(strategy, "p", random());
      for (const at of [0, 31, 32, 4711, 9999]) {
        const one = members[at] as Subscription;
        comes(one);
        for (let i = 0; i < 10; i++) {
          expect(g.pick(strategy, "p", random(i / 10))).toBe(one);
          expect(g.looked).toBeLessThan(10_000 / 32 + 100);
        }
        one.session.channel = null;
      }
      expect(members).toContain(g.pick(strategy, "p", random()) as Subscription);
    });
  }

  test("as by looking at every one, whoever comes, leaves, joins and goes", () => {
    const rng = seededRandom(7);
    const below = (n: number): number => Math.floor(rng.next() * n);
    const { g, members } = absent(100);
    for (let step = 0; step < 5000; step++) {
      const s = members[below(members.length)] as Subscription;
      const act = below(10);
      if (act < 3) comes(s);
      else if (act < 6) s.session.channel = null;
      else if (act === 6 && members.length > 40) {
        g.remove(s);
        members.splice(members.indexOf(s), 1);
        if (below(2) === 0) comes(s);
      } else if (act === 7) {
        const more = new Subscription(new Session(`n${step}`, zone, 5, wall(0), new Held()), "t", "g", options);
        g.add(more);
        members.push(more);
      }
      if (below(20) === 0) for (const m of members) m.session.channel = null;
      const value = below(1000) / 1000;
      const all = g.members;
      const start = Math.floor(value * all.length);
      const round = [...all.slice(start), ...all.slice(0, start)];
      const wanted = round.find((m) => m.session.reachable) ?? round[0];
      expect(g.pick("random", "p", random(value))).toBe(wanted as Subscription);
    }
  });

  test("who was found away and has left the group is forgotten there", () => {
    const { g, members } = absent(100);
    g.pick("random", "p", random());
    const [a, b] = members as [Subscription, Subscription];
    expect(a.session.foundAway?.size).toBe(1);
    g.remove(a);
    expect(a.session.foundAway?.size).toBe(0);
    comes(a);
    comes(b);
    expect(b.session.foundAway).toBeNull();
    expect(g.pick("random", "p", random())).toBe(b);
  });

  test("one that is there and cannot take a message now is not away", () => {
    const { g, members } = absent(40);
    const one = members[5] as Subscription;
    const out = { blocked: true };
    one.session.channel = { ready: true, out } as Channel;
    expect(g.pick("random", "p", random())).not.toBe(one);
    out.blocked = false;
    expect(g.pick("random", "p", random())).toBe(one);
  });

  test("small groups remember nobody", () => {
    const { g, members } = absent(32);
    g.pick("random", "p", random());
    expect(members.every((s) => s.session.foundAway === null)).toBe(true);
  });

  test("clients that were all found away: the one that connects again gets what comes then", () => {
    const kit = new TestKit();
    const all = Array.from({ length: 40 }, (_, i) => kit.connected(`s${i}`, 4, { clean: false }).subscribe("$share/g/t", 1));
    for (const c of all) c.drop();
    const p = kit.connected("p").publish("t", "while all are away", 1);
    expect(kit.broker.router.group("t", "g")?.looked).toBeGreaterThan(40);
    const back = kit.connected("s20", 4, { clean: false });
    p.publish("t", "1", 1).publish("t", "2", 1);
    expect(back.messages().map((m) => m.payload)).toEqual(["1", "2"]);
  });
});
