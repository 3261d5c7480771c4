/** Battery: sessions and their subscriptions. */
import { describe, expect, test } from "bun:test";
import { ALL_PROPERTIES, bytes, message, meta, NOW, only, type StoreHarness, subscription } from "./fixtures.ts";

export function sessionBattery(name: string, h: StoreHarness): void {
  describe(`${name}: sessions`, () => {
    test("meta data with will come back as given", () => {
      let store = h.open();
      const will = {
        topic: "will/ü",
        payload: bytes(0, 1, 255),
        qos: 2 as const,
        retain: true,
        delay: 30,
        properties: ALL_PROPERTIES,
      };
      const full = meta("çlient", { username: "u", version: 4, mountpoint: "m/", cleanStart: true, isSuper: true, expiry: 77, will });
      const a = store.sessions.open(0, full);
      const b = store.sessions.open(0, meta("b", { will: { ...will, payload: bytes(), properties: null } }));
      expect(b).not.toBe(a);
      store = h.restart(store);
      const [first, second] = store.sessions.load();
      expect(first).toEqual({ key: a, meta: full, subscriptions: [], deliveries: [], awaitingRel: [] });
      expect(second?.meta.will).toEqual({ ...will, payload: bytes(), properties: null });
      store.close();
    });

    test("open with a key replaces the meta data alone and keeps the order", () => {
      let store = h.open();
      const a = store.sessions.open(0, meta("a"));
      store.sessions.open(0, meta("b"));
      store.sessions.subscribe(a, subscription("x"));
      store.commit();
      const later = meta("a", { disconnectedAt: NOW + 5, expiry: 3 });
      expect(store.sessions.open(a, later)).toBe(a);
      later.zone = "changed after the call";
      store = h.restart(store);
      const [first, second] = store.sessions.load();
      expect(first?.meta).toEqual(meta("a", { disconnectedAt: NOW + 5, expiry: 3 }));
      expect(first?.subscriptions).toEqual([subscription("x")]);
      expect(second?.meta.clientId).toBe("b");
      store.close();
    });

    test("subscriptions: all options, replaced, removed, in one batch or several", () => {
      let store = h.open();
      const key = store.sessions.open(0, meta("a"));
      const s = store.sessions;
      const rich = subscription("$share/g/a/+", { qos: 2, nl: true, rap: true, rh: 2, subId: 268_435_455 });
      s.subscribe(key, rich);
      s.subscribe(key, subscription("b/#"));
      // Without any option, an option byte of 0.
      s.subscribe(key, subscription("plain", { qos: 0 }));
      s.subscribe(key, subscription("gone/1"));
      s.unsubscribe(key, "gone/1");
      s.subscribe(key, subscription("gone/2"));
      store.commit();
      s.unsubscribe(key, "gone/2");
      s.unsubscribe(key, "never/there");
      s.subscribe(key, subscription("b/#", { qos: 0, rh: 1 }));
      s.unsubscribe(key, "b/#");
      s.subscribe(key, subscription("b/#", { qos: 0, rh: 1 }));
      store = h.restart(store);
      const found = only(store).subscriptions.toSorted((x, y) => (x.filter < y.filter ? -1 : 1));
      expect(found).toEqual([rich, subscription("b/#", { qos: 0, rh: 1 }), subscription("plain", { qos: 0 })]);
      store.close();
    });

    test("remove takes everything of the session; its key is not used again", () => {
      let store = h.open();
      const s = store.sessions;
      const a = s.open(0, meta("a"));
      const b = s.open(0, meta("b"));
      for (const key of [a, b]) {
        s.subscribe(key, subscription("t"));
        s.awaitRel(key, 1, NOW);
      }
      const shared = message("shared");
      s.enqueue(a, 1, shared, 1, 0, null, false);
      s.enqueue(b, 1, shared, 1, 0, null, false);
      store.commit();
      s.subscribe(a, subscription("late"));
      const late = message("late");
      s.enqueue(a, 2, late, 1, 0, null, false);
      s.done(a, 1, shared);
      s.done(a, 2, late);
      s.remove(a);
      const c = s.open(0, meta("c"));
      expect([a, b]).not.toContain(c);
      store.commit();
      expect(h.counts(store)).toEqual({ sessions: 2, subscriptions: 1, deliveries: 1, messages: 1, awaitingRel: 1 });
      store = h.crash(store);
      expect(store.sessions.load().map((x) => x.meta.clientId)).toEqual(["b", "c"]);
      store.close();
    });

    test("a session that comes and goes in one batch leaves nothing", () => {
      const store = h.open();
      const s = store.sessions;
      const key = s.open(0, meta("a"));
      const m = message("t");
      s.subscribe(key, subscription("t"));
      s.enqueue(key, 1, m, 1, 0, null, false);
      s.awaitRel(key, 1, NOW);
      s.remove(key);
      s.done(key, 1, m);
      store.commit();
      expect(m.storeId).toBe(0);
      expect(h.counts(store)).toEqual({ sessions: 0, subscriptions: 0, deliveries: 0, messages: 0, awaitingRel: 0 });
      store.close();
    });

    test("keys and message ids go on after a restart", () => {
      let store = h.open();
      const a = store.sessions.open(0, meta("a"));
      const m = message("t");
      store.sessions.enqueue(a, 1, m, 1, 0, null, false);
      store = h.restart(store);
      store.sessions.load();
      const b = store.sessions.open(0, meta("b"));
      const n = message("u");
      store.sessions.enqueue(b, 1, n, 1, 0, null, false);
      expect(b).toBeGreaterThan(a);
      expect(n.storeId).toBeGreaterThan(m.storeId);
      store = h.restart(store);
      expect(store.sessions.load().map((s) => s.deliveries[0]?.message.topic)).toEqual(["t", "u"]);
      store.close();
    });
  });
}
