/** What every implementation of the Store port must do. */
import { describe, expect, test } from "bun:test";
import { deliveryBattery } from "./battery_deliveries.ts";
import { sessionBattery } from "./battery_sessions.ts";
import { tableBattery } from "./battery_tables.ts";
import { message, meta, only, row, type StoreHarness, subscription } from "./fixtures.ts";

export function storeBattery(name: string, h: StoreHarness): void {
  describe(`${name}: batch`, () => {
    test("pending tells whether there is something to write", () => {
      const store = h.open();
      expect(store.pending).toBe(false);
      store.kv("x").set("a", "1");
      expect(store.pending).toBe(true);
      store.commit();
      expect(store.pending).toBe(false);
      store.commit();
      store.close();
    });

    test("a crash loses what was not committed, and nothing else", () => {
      let store = h.open();
      const a = store.sessions.open(0, meta("a"));
      store.sessions.subscribe(a, subscription("t/1"));
      store.retained.put(1, row("kept"));
      store.kv("p").set("k", "kept");
      store.commit();
      store.sessions.subscribe(a, subscription("t/2"));
      store.sessions.open(0, meta("b"));
      store.sessions.enqueue(a, 1, message("t/1"), 1, 0, null, false);
      store.retained.put(2, row("lost"));
      store.retained.delete(1);
      store.kv("p").set("k", "lost");
      store.users.put({ username: "lost", passwordHash: "x", tags: null });
      store.alarms.add({ id: "lost", desc: "", raisedAt: 1, clearedAt: 2 });
      store = h.crash(store);
      expect(only(store).subscriptions.map((s) => s.filter)).toEqual(["t/1"]);
      expect(only(store).deliveries).toEqual([]);
      expect([...store.retained.load()].map((r) => r.message.topic)).toEqual(["kept"]);
      expect(store.kv("p").get("k")).toBe("kept");
      expect(store.users.size).toBe(0);
      expect(store.alarms.history(10)).toEqual([]);
      store.close();
    });

    test("a failed commit keeps the whole batch for the next one", () => {
      let store = h.open();
      const key = store.sessions.open(0, meta("a"));
      const kept = message("kept");
      store.sessions.enqueue(key, 1, kept, 1, 0, null, false);
      store.commit();
      h.fail(store, true);
      store.sessions.enqueue(key, 2, message("second", new Uint8Array(100_000)), 1, 0, null, false);
      store.sessions.done(key, 1, kept);
      store.retained.put(1, row("r"));
      store.kv("p").set("k", "v");
      expect(() => store.commit()).toThrow();
      expect(store.pending).toBe(true);
      expect(() => store.commit()).toThrow();
      store.sessions.enqueue(key, 3, message("third"), 1, 0, null, false);
      h.fail(store, false);
      store.commit();
      expect(store.pending).toBe(false);
      store = h.crash(store);
      expect(only(store).deliveries.map((d) => [d.seq, d.message.topic])).toEqual([
        [2, "second"],
        [3, "third"],
      ]);
      expect([...store.retained.load()]).toHaveLength(1);
      expect(store.kv("p").get("k")).toBe("v");
      store.close();
    });

    test("close writes what is pending", () => {
      let store = h.open();
      store.kv("p").set("k", "v");
      store = h.restart(store);
      expect(store.kv("p").get("k")).toBe("v");
      store.close();
    });
  });

  sessionBattery(name, h);
  deliveryBattery(name, h);
  tableBattery(name, h);
}
