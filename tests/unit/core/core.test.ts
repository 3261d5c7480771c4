import { expect, test } from "bun:test";
import { TestKit } from "../../support/test_broker.ts";

test("once a second: maxima are taken, and bans that have run out go", () => {
  const kit = new TestKit();
  kit.banned.add({
    who: "b",
    as: "client_id",
    reason: null,
    desc: null,
    by: null,
    until: Math.floor(kit.clock.now() / 1000) + 5,
  });
  const a = kit.connected("a");
  kit.connected("b2");
  expect(kit.store.banned.load()).toHaveLength(1);
  kit.core.sweep();
  a.drop();
  kit.pass(10_000);
  expect([kit.core.stats.count("connections"), kit.core.stats.get("connections/max")]).toEqual([1, 2]);
  kit.core.sweep();
  kit.store.commit();
  expect(kit.store.banned.load()).toEqual([]);
});
