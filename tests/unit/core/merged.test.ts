import { describe, expect, test } from "bun:test";
import { Held } from "../../../server/core/held.ts";
import { FilterEntry, MergedLists } from "../../../server/core/merged.ts";
import { Session } from "../../../server/core/session.ts";
import { Subscription } from "../../../server/core/subscription.ts";
import { wall } from "../../support/time.ts";
import { testZone } from "../../support/zone.ts";

const zone = testZone();
let ids = 0;
function entry(filter: string, sessions: readonly Session[], options: { qos?: 0 | 1 | 2; nl?: boolean; rap?: boolean } = {}): FilterEntry {
  const e = new FilterEntry(filter, ++ids);
  for (const s of sessions) e.subs.push(new Subscription(s, filter, null, { qos: 0, nl: false, rap: false, rh: 0, subId: 0, ...options }));
  return e;
}
const session = (id: string): Session => new Session(id, zone, 5, wall(0), new Held());

describe("merged lists", () => {
  test("each session once, in order of the filters; a session with one subscription keeps it", () => {
    const [a, b] = [session("a"), session("b")];
    const entries = [entry("x/#", [a, b]), entry("x/+", [b], { qos: 2, rap: true })];
    const m = new MergedLists().of(entries, true);
    m.refresh();
    expect(m.subs.map((s) => [s.session, s.qos, s.rap, s.nl])).toEqual([
      [a, 0, false, false],
      [b, 2, true, false],
    ]);
    expect(m.subs[0]).toBe(entries[0]?.subs[0] as Subscription);
  });

  test("No Local on all, on some, on none of the overlapping filters", () => {
    const s = session("s");
    const merged = (...nl: boolean[]): Subscription => {
      const m = new MergedLists().of(
        nl.map((x, i) => entry(`f${i}`, [s], { nl: x, qos: i as 0 | 1 })),
        true,
      );
      m.refresh();
      return m.subs[0] as Subscription;
    };
    expect(merged(true, true).nl).toBe(true);
    expect(merged(false, false).ownCopy).toBeNull();
    expect(merged(false, true)).toMatchObject({ nl: false, qos: 1, ownCopy: { qos: 0, nl: false } });
  });

  test("is made anew after a change of its own filters only, as a new array", () => {
    const entries = [entry("x/#", [session("a")]), entry("x/+", [session("b")])];
    const m = new MergedLists().of(entries, true);
    expect(m.refresh()).toBe(4);
    const { subs } = m;
    expect(m.refresh()).toBe(2);
    expect(m.subs).toBe(subs);
    (entries[0] as FilterEntry).version++;
    m.refresh();
    expect(m.subs).not.toBe(subs);
  });

  test("the same few filters: the same list; very many: one for each asker", () => {
    const lists = new MergedLists();
    const few = [entry("a/+", []), entry("#", [])];
    expect(lists.of([...few], true)).toBe(lists.of(few, true));
    const many = Array.from({ length: 65 }, (_, i) => entry(`${i}`, []));
    expect(lists.of([...many], true)).not.toBe(lists.of(many, true));
  });

  test("no more is kept than four million references", () => {
    const lists = new MergedLists();
    const big = entry(
      "#",
      Array.from({ length: 100_000 }, (_, i) => session(`${i}`)),
    );
    let made = 0;
    for (; !lists.full && made < 100; made++) lists.of([big, entry(`t/${made}`, [])], true);
    expect(made).toBe(40);
    lists.clear();
    expect(lists.full).toBe(false);
  });

  test("what its only asker gives back counts no more", () => {
    const lists = new MergedLists();
    const many = [
      entry(
        "#",
        Array.from({ length: 500_000 }, (_, i) => session(`${i}`)),
      ),
      ...Array.from({ length: 64 }, (_, i) => entry(`${i}`, [])),
    ];
    for (let i = 0; i < 20; i++) lists.release(lists.of(many, true));
    // One that is not kept never counted.
    for (let i = 0; i < 20; i++) lists.of(many, false);
    expect(lists.full).toBe(false);
    let kept = 0;
    for (; !lists.full && kept < 100; kept++) lists.of(many, true);
    expect(kept).toBe(8);
  });
});
