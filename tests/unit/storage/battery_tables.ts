/** Battery: retained and delayed messages, bans, tables, monitor, alarms. */
import { describe, expect, test } from "bun:test";
import type { BannedRow } from "../../../server/core/ports.ts";
import { ALL_PROPERTIES, bytes, NOW, row, type StoreHarness } from "./fixtures.ts";

export function tableBattery(name: string, h: StoreHarness): void {
  describe(`${name}: retained, delayed, banned`, () => {
    test("retained: put, replace, delete, clear; load sees what is pending", () => {
      let store = h.open();
      const topics = (): string[] => [...store.retained.load()].map((r) => r.message.topic).toSorted();
      store.retained.put(1, row("a", bytes(1), ALL_PROPERTIES));
      store.retained.put(2, row("b"));
      store.retained.delete(2);
      store.retained.put(3, row("c", bytes()));
      expect(topics()).toEqual(["a", "c"]);
      store.retained.put(1, row("a", bytes(2), ALL_PROPERTIES));
      store = h.restart(store);
      expect([...store.retained.load()]).toEqual([
        { id: 1, message: row("a", bytes(2), ALL_PROPERTIES) },
        { id: 3, message: row("c", bytes()) },
      ]);
      store.retained.put(4, row("before"));
      store.retained.clear();
      store.retained.put(5, row("after"));
      store = h.restart(store);
      expect(topics()).toEqual(["after"]);
      store.close();
    });

    test("retained: more than one chunk", () => {
      let store = h.open();
      for (let i = 1; i <= 1203; i++) store.retained.put(i, row(`t/${i}`));
      store = h.restart(store);
      expect(new Set([...store.retained.load()].map((r) => r.message.topic)).size).toBe(1203);
      store.close();
    });

    test("delayed messages by due time", () => {
      let store = h.open();
      store.delayed.put({ id: 1, dueAt: NOW + 9, message: row("later", bytes(1), ALL_PROPERTIES) });
      store.delayed.put({ id: 2, dueAt: NOW + 1, message: row("sooner") });
      store.delayed.put({ id: 3, dueAt: NOW, message: row("gone") });
      store.commit();
      store.delayed.delete(3);
      store = h.restart(store);
      expect(store.delayed.load()).toEqual([
        { id: 2, dueAt: NOW + 1, message: row("sooner") },
        { id: 1, dueAt: NOW + 9, message: row("later", bytes(1), ALL_PROPERTIES) },
      ]);
      store.close();
    });

    test("bans by kind and name", () => {
      let store = h.open();
      const ban = (as: BannedRow["as"], who: string, until: number | null): BannedRow => ({
        as,
        who,
        reason: null,
        desc: "d",
        by: "admin",
        until,
      });
      store.banned.put(ban("client_id", "a/b/c", 5));
      store.banned.put(ban("client_id", "a/b/c", null));
      store.banned.put(ban("username", "a/b/c", 2_000_000_000));
      store.banned.put(ban("ip_address", "1.2.3.4", 7));
      store.banned.delete("ip_address", "1.2.3.4");
      store = h.restart(store);
      const sorted = store.banned.load().toSorted((x, y) => (x.as < y.as ? -1 : 1));
      expect(sorted).toEqual([ban("client_id", "a/b/c", null), ban("username", "a/b/c", 2_000_000_000)]);
      store.banned.delete("client_id", "a/b/c");
      expect(store.banned.load()).toHaveLength(1);
      store.close();
    });
  });

  describe(`${name}: tables`, () => {
    test("apps and users", () => {
      let store = h.open();
      const app = { appId: "i", secret: "s", name: null, desc: "d", status: true, expired: 2_000_000_000 };
      store.apps.put(app);
      store.apps.put({ ...app, appId: "j", status: false, expired: null });
      store.users.put({ username: "admin", passwordHash: "h", tags: null });
      store.users.put({ username: "admin", passwordHash: "h2", tags: "t" });
      store.users.put({ username: "gone", passwordHash: "h", tags: null });
      expect(store.users.delete("gone")).toBe(true);
      expect(store.users.delete("gone")).toBe(false);
      store = h.restart(store);
      expect(store.apps.get("i")).toEqual(app);
      expect(store.apps.all().map((a) => a.appId)).toEqual(["i", "j"]);
      expect(store.apps.get("j")).toMatchObject({ status: false, expired: null });
      expect(store.users.all()).toEqual([{ username: "admin", passwordHash: "h2", tags: "t" }]);
      expect(store.users.size).toBe(1);
      expect(store.users.get("gone")).toBeUndefined();
      store.close();
    });

    test("a row is taken as it was when it was put", () => {
      const store = h.open();
      const user = { username: "u", passwordHash: "1", tags: null };
      store.users.put(user);
      user.passwordHash = "2";
      expect(store.users.get("u")?.passwordHash).toBe("1");
      store.close();
    });

    test("accounts of each plugin for itself", () => {
      let store = h.open();
      const account = (name: string, hash: string) => ({ name, kind: "sha256", salt: "ab", hash });
      store.accounts("one").put(account("u", "1"));
      store.accounts("two").put(account("u", "2"));
      store.accounts("two").put(account("v", "3"));
      store.accounts("two").delete("v");
      expect(store.accounts("one").get("u")?.hash).toBe("1");
      store = h.restart(store);
      expect(store.accounts("one").all()).toEqual([account("u", "1")]);
      expect(store.accounts("two").all()).toEqual([account("u", "2")]);
      expect(store.accounts("three").size).toBe(0);
      store.close();
    });

    test("key-value namespaces", () => {
      let store = h.open();
      store.kv("a").set("k", "1");
      store.kv("a").set("k", "2");
      store.kv("b").set("k", "");
      store.kv("b").set("gone", "x");
      store.kv("b").delete("gone");
      store.kv("b").delete("never");
      expect(store.kv("a").get("k")).toBe("2");
      store = h.restart(store);
      expect(store.kv("a").entries()).toEqual([["k", "2"]]);
      expect(store.kv("b").entries()).toEqual([["k", ""]]);
      expect(store.kv("c").get("k")).toBeUndefined();
      store.close();
    });
  });

  describe(`${name}: monitor and alarms`, () => {
    const MINUTE = 60_000;

    test("points by time, pending ones too; a week is kept", () => {
      let store = h.open();
      const at = (i: number) => NOW - (NOW % MINUTE) + i * MINUTE;
      for (let i = 0; i < 10; i++) store.monitor.add({ at: at(i), values: { "messages/received": i, "load.1m": i / 3 } });
      store.commit();
      store.monitor.add({ at: at(10), values: { x: 1 } });
      store.monitor.add({ at: at(10), values: { x: 2 } });
      store.monitor.prune(at(3));
      expect(store.monitor.range(0, at(100)).map((p) => p.at)).toEqual([3, 4, 5, 6, 7, 8, 9, 10].map(at));
      expect(store.monitor.range(at(9), at(10))).toEqual([
        { at: at(9), values: { "messages/received": 9, "load.1m": 3 } },
        { at: at(10), values: { x: 2 } },
      ]);
      store = h.restart(store);
      store.monitor.add({ at: at(7 * 1440 + 5), values: {} });
      store = h.restart(store);
      expect(store.monitor.range(0, at(1e6)).map((p) => p.at)).toEqual([5, 6, 7, 8, 9, 10, 7 * 1440 + 5].map(at));
      store.close();
    });

    test("alarms of earlier starts stay when one is added", () => {
      let store = h.open();
      const row = (n: number) => ({ id: `a${n}`, desc: "", raisedAt: n, clearedAt: n + 1 });
      for (let n = 0; n < 3; n++) {
        store.alarms.add(row(n));
        store.commit();
        store = h.restart(store);
      }
      expect(store.alarms.history(10)).toEqual([row(2), row(1), row(0)]);
      store.close();
    });

    test("alarms, newest first, at most a thousand", () => {
      let store = h.open();
      for (let i = 0; i < 1500; i++) {
        store.alarms.add({ id: `a${i % 3}`, desc: `d${i}`, raisedAt: NOW + i, clearedAt: NOW + i + 1 });
        if (i === 700) store.commit();
      }
      const check = (): void => {
        expect(store.alarms.history(2)).toEqual([
          { id: "a2", desc: "d1499", raisedAt: NOW + 1499, clearedAt: NOW + 1500 },
          { id: "a1", desc: "d1498", raisedAt: NOW + 1498, clearedAt: NOW + 1499 },
        ]);
        expect(store.alarms.history(0)).toEqual([]);
        const all = store.alarms.history(9999);
        expect(all).toHaveLength(1000);
        expect(all[999]?.desc).toBe("d500");
      };
      check();
      store = h.restart(store);
      check();
      store.alarms.clear();
      store.alarms.add({ id: "x", desc: "new", raisedAt: 1, clearedAt: 2 });
      store = h.restart(store);
      expect(store.alarms.history(10)).toEqual([{ id: "x", desc: "new", raisedAt: 1, clearedAt: 2 }]);
      store.close();
    });
  });
}
