import { expect, test } from "bun:test";
import { Places, Slots } from "../../../server/api/slots.ts";

test("a share for each key, a limit for all; what is given back can be taken again, once", () => {
  const slots = new Slots(2, 3);
  const a = slots.take("a");
  expect(slots.take("a")).not.toBeNull();
  expect(slots.take("a")).toBeNull();
  const b = slots.take("b");
  expect(b).not.toBeNull();
  expect(slots.take("c")).toBeNull();
  a?.();
  a?.();
  expect(slots.take("c")).not.toBeNull();
  expect(slots.take("c")).toBeNull();
  b?.();
  expect(slots.take("a")).not.toBeNull();
  expect(slots.take("a")).toBeNull();
});

test("amounts", () => {
  const slots = new Slots(10, 15);
  const first = slots.take("a", 8);
  expect(slots.take("a", 3)).toBeNull();
  expect(slots.take("b", 8)).toBeNull();
  expect(slots.take("b", 7)).not.toBeNull();
  first?.();
  expect(slots.take("a", 8)).not.toBeNull();
});

test("places of a network: the newcomer gets that of whoever waits longest there", () => {
  const places = new Places(2, 10, 60_000);
  const [a1, a2, b1] = [places.enter("a"), places.enter("a"), places.enter("b")];
  const a3 = places.enter("a");
  expect([a1, a2, a3, b1].map((p) => p.signal.aborted)).toEqual([true, false, false, false]);
  a2.leave();
  const a4 = places.enter("a");
  expect([a3, a4].map((p) => p.signal.aborted)).toEqual([false, false]);
  for (const p of [a1, a2, a3, a4, b1]) p.leave();
  expect(places.taken).toBe(0);
});

test("all places: the longest of all goes, and there are never more", () => {
  const places = new Places(8, 3, 60_000);
  const all = ["a", "b", "c", "d", "e"].map((n) => places.enter(n));
  expect(all.map((p) => p.signal.aborted)).toEqual([true, true, false, false, false]);
  expect(places.taken).toBe(3);
  for (const p of all) p.leave();
});

test("who takes too long goes", async () => {
  const places = new Places(1, 1, 1);
  const { signal } = places.enter("a");
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  expect(places.taken).toBe(0);
});

test("who has left is not told later that its time is over", async () => {
  const places = new Places(2, 2, 1);
  const gone = places.enter("a");
  gone.leave();
  const { signal } = places.enter("a");
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  expect(gone.signal.aborted).toBe(false);
});
