import { expect, test } from "bun:test";
import { Order, partOf } from "../../../../server/plugins/_backend/order.ts";

test("as written, then whoever answered last first, the others in their order", () => {
  const order = new Order(["a", "b", "c"]);
  expect(order.all).toEqual(["a", "b", "c"]);
  order.answered("c");
  expect(order.all).toEqual(["c", "a", "b"]);
  order.answered("c");
  order.answered("a");
  expect(order.all).toEqual(["a", "c", "b"]);
});

test("all of them silent leave time for a question; where there is one it has all of it", () => {
  expect([partOf(1000, 1), partOf(1000, 2), partOf(3000, 3), partOf(100, 9)]).toEqual([1000, 333, 750, 10]);
  for (const n of [2, 3, 10]) expect(n * partOf(1000, n)).toBeLessThan(1000);
});
