import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { Held } from "../../../server/core/held.ts";
import { Inflight, sendingOrder } from "../../../server/core/inflight.ts";
import { Message } from "../../../server/core/message.ts";
import { plainTerms, termsOf } from "../../../server/core/terms.ts";
import { mono } from "../../support/time.ts";

const m = new Message("t", new Uint8Array(1), 1, false, "", null, 0, 0, null);
const push = (w: Inflight): number => w.push(m, plainTerms(1, false), 0, mono(0));

describe("Inflight", () => {
  test("packet identifiers count up from 1 and never are 0 [MQTT-2.2.1-3]", () => {
    const w = new Inflight();
    expect([push(w), push(w), push(w)]).toEqual([1, 2, 3]);
    for (let i = 4; i <= 70_000; i++) {
      const id = push(w);
      expect(id).toBeGreaterThan(0);
      expect(id).toBeLessThan(65536);
      w.remove(w.find(id));
    }
    expect(w.count).toBe(3);
  });

  test("grows beyond its first size and keeps every entry", () => {
    const w = new Inflight();
    const ids = Array.from({ length: 1000 }, () => push(w));
    expect(w.count).toBe(1000);
    for (const id of ids) expect(w.packetId(w.find(id))).toBe(id);
  });

  test("grows with everything each entry has", () => {
    const w = new Inflight();
    const terms = termsOf(2, true, [3], null);
    for (let i = 1; i <= 40; i++) w.push(m, terms, 100 + i, mono(1000 + i));
    w.release(w.find(2), mono(5000));
    for (let i = 41; i <= 100; i++) w.push(m, plainTerms(1, false), 100 + i, mono(1000 + i));
    for (let i = 1; i <= 100; i++) {
      const n = w.find(i);
      expect([w.seq(n), w.sentAt(n), w.released(n), w.qos(n)]).toEqual([100 + i, i === 2 ? 5000 : 1000 + i, i === 2, i <= 40 ? 2 : 1]);
      expect(w.message(n)).toBe(m);
    }
    expect(w.oldest).toBe(mono(1001));
    w.remove(w.find(1));
    expect(w.oldest).toBe(mono(5000));
  });

  test("an entry has its own terms and number, whatever was in its place before", () => {
    const w = new Inflight();
    const all = [termsOf(2, true, [3], null), plainTerms(1, false), plainTerms(2, true), termsOf(1, false, [4], null), plainTerms(1, true)];
    for (let i = 0; i < 2000; i++) {
      // Journalled or not, one in flight or many: the ring comes round, grows, and becomes blocks.
      const [terms, seq] = [all[i % 5] as (typeof all)[0], i % 7 === 0 ? 0 : i];
      const id = w.push(m, terms, seq, mono(i));
      const n = w.find(id);
      expect([w.terms(n), w.seq(n), w.qos(n), w.sentAt(n)]).toEqual([terms, seq, terms.qos, mono(i)]);
      if (i < 100 || i % 3 > 0) w.remove(n);
    }
    for (const n of w.positions()) {
      const i = n;
      expect([w.terms(n), w.seq(n)]).toEqual([all[i % 5] as (typeof all)[0], i % 7 === 0 ? 0 : i]);
    }
    expect(w.count).toBe(633);
  });

  test("after a reconnect: unsent from the head on, in order, holes left out; what is sent counts until it is done", () => {
    const w = new Inflight();
    for (let i = 0; i < 5; i++) push(w);
    expect([w.unsent, w.sent]).toEqual([-1, 5]);
    w.remove(w.find(2));
    w.release(w.find(3), mono(0));
    w.restart();
    expect([w.sent, w.count]).toEqual([0, 4]);
    const order: number[] = [];
    for (let n = w.unsent; n >= 0; n = w.unsent) {
      order.push(w.packetId(n));
      w.resent(n, mono(7));
    }
    expect(order).toEqual([1, 3, 4, 5]);
    // The released one is not among them.
    expect(w.sent).toBe(3);
    w.remove(w.find(3));
    expect(w.sent).toBe(3);
    for (const id of [1, 4, 5]) w.remove(w.find(id));
    expect([w.sent, w.count]).toEqual([0, 0]);
  });

  test("an entry acknowledged before it was sent again is passed over", () => {
    const w = new Inflight();
    for (let i = 0; i < 3; i++) push(w);
    w.restart();
    w.remove(w.find(1));
    w.remove(w.find(2));
    expect(w.packetId(w.unsent)).toBe(3);
    w.remove(w.find(3));
    expect([w.unsent, w.sent]).toEqual([-1, 0]);
    expect(push(w)).toBe(4);
    expect(w.unsent).toBe(-1);
  });

  test("finds nothing that was acknowledged, never sent, or 0", () => {
    const w = new Inflight();
    push(w);
    push(w);
    w.remove(w.find(1));
    expect(w.find(1)).toBe(-1);
    expect(w.find(3)).toBe(-1);
    expect(w.find(0)).toBe(-1);
    expect(w.find(2)).toBeGreaterThanOrEqual(0);
  });

  test("acknowledged out of order: order and identifiers of the rest stay", () => {
    const w = new Inflight();
    for (let i = 0; i < 5; i++) push(w);
    w.remove(w.find(3));
    w.remove(w.find(1));
    expect([...w.positions()].map((n) => w.packetId(n))).toEqual([2, 4, 5]);
    expect(push(w)).toBe(6);
  });

  test("restored entries keep their identifiers, gaps and states; new ones follow", () => {
    const w = new Inflight();
    w.restore(65534, m, termsOf(2, true, [9], null), 7, true);
    w.restore(2, m, plainTerms(1, false), 8, false);
    const first = w.find(65534);
    expect(w.released(first)).toBe(true);
    expect(w.qos(first)).toBe(2);
    expect(w.terms(first)).toEqual({ qos: 2, retain: true, subIds: [9], share: null });
    expect(w.seq(w.find(2))).toBe(8);
    expect(w.find(65535)).toBe(-1);
    expect(w.count).toBe(2);
    expect(push(w)).toBe(3);
  });

  test("exhausted when one entry blocks all identifiers", () => {
    const w = new Inflight();
    push(w);
    for (let i = 0; i < 65534; i++) w.remove(w.find(push(w)));
    expect(w.exhausted).toBe(true);
    w.remove(w.find(1));
    expect(w.exhausted).toBe(false);
  });
});

/** Typed arrays of twenty windows, of which two are a block's. */
const COUNTS = `
const { heapStats } = await import("bun:jsc");
const core = process.argv.at(-1);
const { Inflight } = await import(core + "/inflight.ts");
const { Message } = await import(core + "/message.ts");
const { plainTerms } = await import(core + "/terms.ts");
const m = new Message("t", new Uint8Array(1), 1, false, "", null, 0, 0, null);
const arrays = () => {
  Bun.gc(true);
  return heapStats().objectTypeCounts.Float64Array ?? 0;
};
const before = arrays();
const all = Array.from({ length: 20 }, () => new Inflight());
for (const w of all) for (let i = 0; i < 30_000; i++) w.push(m, plainTerms(1, false), 0, 0);
const full = arrays() - before;
for (const w of all) for (let id = 1; id <= 20_000; id++) w.remove(w.find(id));
const third = arrays() - before;
for (const w of all) w.clear();
const cleared = arrays() - before;
console.log(JSON.stringify({ full, third, cleared, left: all.reduce((n, w) => n + w.count, 0) }));`;

describe("a window of many blocks", () => {
  interface Row {
    id: number;
    seq: number;
    at: number;
    released: boolean;
    sent: boolean;
  }
  const rowsOf = (w: Inflight): Row[] =>
    [...w.positions()].map((n) => ({ id: w.packetId(n), seq: w.seq(n), at: w.sentAt(n), released: w.released(n), sent: false }));

  test("is what a list is, whatever is sent, acknowledged in any order, released, or sent again", () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 240, max: 270 }), fc.integer({ min: 1, max: 9000 }));
    const step = fc.oneof(
      fc.record({ op: fc.constantFrom("push", "first", "last", "every third"), n: size }),
      fc.record({ op: fc.constantFrom("release", "restart", "clear"), n: fc.constant(3) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 65_535 }), (steps, first) => {
        const w = new Inflight();
        let list: Row[] = [];
        let last = first - 1;
        const gone = (rows: Row[]): void => {
          for (const r of rows) w.remove(w.find(r.id));
          list = list.filter((r) => !rows.includes(r));
        };
        w.restore(first, m, plainTerms(1, false), 7, false);
        list.push({ id: first, seq: 7, at: 0, released: false, sent: false });
        w.restart();
        w.resent(w.unsent, mono(0));
        expect(w.unsent).toBe(-1);
        last++;
        for (const [k, { op, n }] of steps.entries()) {
          if (op === "push") {
            for (let i = 0; i < n && !w.exhausted; i++) {
              const id = w.push(m, plainTerms(1, false), k * 10_000 + i, mono(k));
              expect(id).toBe((last % 65_535) + 1);
              last = id;
              list.push({ id, seq: k * 10_000 + i, at: k, released: false, sent: false });
            }
          } else if (op === "first") gone(list.slice(0, n));
          else if (op === "last") gone(list.slice(-n));
          else if (op === "every third") gone(list.filter((_, i) => i % 3 === 0).slice(0, n));
          else if (op === "clear") {
            w.clear();
            list = [];
          } else if (op === "release") {
            for (const r of list.filter((_, i) => i % n === 0)) {
              w.release(w.find(r.id), mono(k));
              r.released = true;
              r.at = k;
            }
          } else {
            w.restart();
            const order: number[] = [];
            for (let at = w.unsent; at >= 0; at = w.unsent) {
              order.push(w.packetId(at));
              w.resent(at, mono(k));
            }
            expect(order).toEqual(list.map((r) => r.id));
            for (const r of list) r.at = k;
            expect(w.sent).toBe(list.filter((r) => !r.released).length);
          }
          expect(w.count).toBe(list.length);
        }
        expect(rowsOf(w)).toEqual(list);
        expect(w.bytes).toBe(list.length * m.heldBytes);
        if (list[0] !== undefined) expect(w.oldest).toBe(mono(list[0].at));
      }),
      { numRuns: 150, seed: 11 },
    );
  });

  test("takes the memory of what is in it: of a window that was full nothing stays", () => {
    // In a process of its own: here, garbage of other tests comes and goes between two counts.
    const child = Bun.spawnSync([process.execPath, "-e", COUNTS, join(import.meta.dir, "../../../server/core")]);
    const { full, third, cleared, left } = JSON.parse(child.stdout.toString());
    expect(full).toBeGreaterThanOrEqual(20 * 117);
    expect(third).toBeLessThanOrEqual(20 * 41);
    expect(cleared).toBeLessThanOrEqual(20);
    expect(left).toBe(0);
  });

  test("… nor does what was acknowledged before its oldest entry, and what it takes is counted", () => {
    const held = new Held();
    const w = new Inflight(held);
    push(w);
    const one = held.bytes;
    for (let i = 0; i < 60_000; i++) w.remove(w.find(push(w)));
    // The head's block, and the tail's.
    expect(held.bytes - one).toBeLessThan(2 * 256 * 40);
    const ids = Array.from({ length: 3000 }, () => push(w));
    expect(held.bytes - one).toBeGreaterThan(3000 * (48 + 33));
    expect(held.bytes - one).toBeLessThan(3600 * (48 + 33));
    // One is left in every block.
    for (const id of ids) if (id % 256 !== 0) w.remove(w.find(id));
    expect([...w.positions()].map((n) => w.packetId(n))).toEqual([1, ...ids.filter((id) => id % 256 === 0)]);
    w.remove(w.find(1));
    expect([...w.positions()].map((n) => w.packetId(n))).toEqual(ids.filter((id) => id % 256 === 0));
    w.clear();
    expect(held.bytes).toBe(0);
  });
});

test("a ring that has grown is counted, and as small as at first when its client rests, or is back, with nothing in it", () => {
  const held = new Held();
  const w = new Inflight(held);
  const ids = Array.from({ length: 100 }, () => push(w));
  for (const id of ids) w.remove(w.find(id));
  const places = held.bytes;
  expect(places).toBeGreaterThan(100 * 30);
  const last = push(w);
  w.rest();
  expect(w.find(last)).toBeGreaterThanOrEqual(0);
  w.remove(w.find(last));
  w.rest();
  expect(held.bytes).toBe(0);
  expect(push(w)).toBe(102);
  for (let i = 0; i < 99; i++) push(w);
  w.clear();
  expect(held.bytes).toBe(0);
  for (let i = 0; i < 100; i++) push(w);
  for (const n of w.positions()) w.remove(n);
  expect(held.bytes).toBe(places);
  w.restart();
  expect(held.bytes).toBe(0);
  // From ring to blocks and back.
  for (let i = 0; i < 300; i++) push(w);
  expect(held.bytes).toBeGreaterThan(2 * 256 * 33);
  for (const n of w.positions()) w.remove(n);
  expect(held.bytes).toBe(0);
});

describe("the order in which the entries of a stored window were sent", () => {
  const order = (ids: number[], priorities: boolean): number[] =>
    sendingOrder(
      ids.map((packetId) => ({ packetId })),
      priorities,
    ).map((r) => r.packetId);

  test("without priorities that in which they came, however wide the gaps, and past the last identifier", () => {
    for (const ids of [[], [7], [1, 2, 3], [65534, 65535, 1, 2], [1, 40_000, 65_000], [65_000, 60_000]])
      expect(order(ids, false)).toEqual(ids);
  });

  test("with priorities that of the identifiers, behind the widest gap", () => {
    expect(order([], true)).toEqual([]);
    expect(order([9], true)).toEqual([9]);
    expect(order([2, 1], true)).toEqual([1, 2]);
    expect(order([3, 1, 2], true)).toEqual([1, 2, 3]);
    expect(order([1, 65534, 2, 65535], true)).toEqual([65534, 65535, 1, 2]);
  });

  test("… also when they have been switched off since", () => {
    expect(order([2, 1, 3], false)).toEqual([1, 2, 3]);
  });
});
