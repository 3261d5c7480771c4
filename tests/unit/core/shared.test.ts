import { describe, expect, test } from "bun:test";
import { Held } from "../../../server/core/held.ts";
import { Session } from "../../../server/core/session.ts";
import { ShareGroup } from "../../../server/core/shared.ts";
import { Subscription } from "../../../server/core/subscription.ts";
import { wall } from "../../support/time.ts";
import { testZone } from "../../support/zone.ts";

const zone = testZone();

/** A group of virtual members, who always can take a message; `false` = offline. */
function group(...online: boolean[]): { g: ShareGroup; members: Subscription[] } {
  const g = new ShareGroup("g", "t");
  const members = online.map((there, i) => {
    const session = new Session("abcdef"[i] as string, zone, 5, wall(0), new Held());
    if (there) session.receive = () => {};
    const s = new Subscription(session, "t", "g", { qos: 0, nl: false, rap: false, rh: 0, subId: 0 });
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
    const except = (members[2] as Subscription).session;
    expect(g.pick("random", "p", random(0.99), except)?.session.clientId).toBe("a");
  });
});
