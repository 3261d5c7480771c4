/** The memory twin passes the battery, and tells of breaches of the port's contract. */
import { expect, test } from "bun:test";
import { type MemoryStore, memoryStore } from "../../support/memory_store.ts";
import { storeBattery } from "./battery.ts";
import { message, meta } from "./fixtures.ts";

storeBattery("memory", {
  open: memoryStore,
  restart: (s) => {
    s.close();
    return (s as MemoryStore).crash();
  },
  crash: (s) => (s as MemoryStore).crash(),
  counts: (s) => (s as MemoryStore).counts(),
  fail: (s, on) => {
    (s as MemoryStore).failure = on ? new Error("disk full") : null;
  },
});

test("breaches of the contract are noted", () => {
  const store = memoryStore();
  const s = store.sessions;
  const key = s.open(0, meta("a"));
  const m = message("t");
  s.enqueue(key, 1, m, 1, 0, null, false);
  s.sent(key, 1, 1);
  s.done(key, 1, m);
  s.awaitRel(key, 1, 0);
  s.relDone(key, 1);
  expect(store.problems).toEqual([]);
  s.done(key, 1, m);
  s.enqueue(key, 2, m, 1, 0, null, false);
  s.enqueue(key, 2, m, 1, 1, null, false);
  s.relDone(key, 1);
  s.remove(99);
  expect(store.problems).toHaveLength(4);
});
