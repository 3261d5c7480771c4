/** A batch that waits for a failing disk: what came and went within it takes no room, and the rest is there when the disk works again. */
import { expect, test } from "bun:test";
import type { Message } from "../../../server/core/message.ts";
import type { SqliteStore } from "../../../server/storage/sqlite.ts";
import { bytes, message, meta, NOW, only, row, subscription } from "./fixtures.ts";
import { counts, crash, fail, newDir, openIn } from "./sqlite_harness.ts";

const MANY = 50_000;
/** Entries without an effect are cleared away from so many on. */
const FEW = 2100;

/** Without what is written to the redo log. */
const held = (store: SqliteStore): number => store.bytes - store.redo.bytes;

function failing(): { store: SqliteStore; key: number } {
  const store = openIn(newDir());
  const key = store.sessions.open(0, meta("a"));
  store.settle();
  store.sessions.subscribe(key, subscription("t"));
  store.retained.put(1, row("large", new Uint8Array(200_000)));
  fail(store, true);
  expect(() => store.commit()).toThrow("the disk is full");
  return { store, key };
}

function works(store: SqliteStore): SqliteStore {
  fail(store, false);
  store.commit();
  expect(store.bytes).toBe(0);
  return crash(store);
}

test("what waits is measured with its content: payloads, topics, filters, rows", () => {
  const store = openIn(newDir());
  const grows = (work: () => void): number => {
    const before = held(store);
    work();
    return held(store) - before;
  };
  const key = store.sessions.open(0, meta("a"));
  const topic = "t".repeat(5000);
  const within = (bytes: number, least: number): void => {
    expect(bytes).toBeGreaterThanOrEqual(least);
    expect(bytes).toBeLessThan(least + 1000);
  };
  within(
    grows(() => store.sessions.enqueue(key, 1, message(topic, new Uint8Array(20_000)), 1, 0, null, false)),
    30_000,
  );
  within(
    grows(() => store.sessions.subscribe(key, subscription(topic))),
    10_000,
  );
  within(
    grows(() => store.retained.put(1, row(topic, new Uint8Array(20_000)))),
    30_000,
  );
  const values = { ["x".repeat(5000)]: 1 };
  within(
    grows(() => store.monitor.add({ at: 1_800_000_000_000, values })),
    10_000,
  );
  store.commit();
  expect(store.bytes).toBe(0);
  store.close();
});

test("a delivery without a number is not kept, so nothing about it is", () => {
  const store = openIn(newDir());
  const key = store.sessions.open(0, meta("a"));
  store.sessions.sent(key, 0, 1);
  store.sessions.released(key, 0);
  store.sessions.done(key, 0, message("t"));
  expect(store.sessions.batch.deliveries).toBe(0);
  store.close();
});

test("a point that is too old when a newer one comes is not written behind it", () => {
  const store = openIn(newDir());
  const week = 7 * 86_400_000;
  store.monitor.add({ at: 1000, values: { n: 1 } });
  const one = store.bytes;
  store.monitor.add({ at: 1001, values: { n: 2 } });
  store.monitor.add({ at: 1001 + week, values: { n: 3 } });
  expect(store.bytes).toBe(2 * one);
  store.commit();
  expect(store.monitor.range(0, Number.MAX_SAFE_INTEGER).map((p) => p.at)).toEqual([1001, 1001 + week]);
  store.close();
});

test("messages queued and acknowledged", () => {
  const { store, key } = failing();
  const before = held(store);
  for (let i = 1; i <= MANY; i++) {
    const m = message("t", new Uint8Array(100));
    store.sessions.enqueue(key, i, m, 1, 0, null, false);
    store.sessions.sent(key, i, 1 + (i % 100));
    store.sessions.done(key, i, m);
    expect(m.storeId).toBe(0);
  }
  expect(store.sessions.batch.deliveries).toBeLessThan(FEW);
  expect(store.sessions.batch.messages).toBe(1);
  expect(held(store) - before).toBeLessThan(FEW * 120);
  const after = works(store);
  expect(only(after).deliveries).toEqual([]);
  expect(counts(after)).toMatchObject({ deliveries: 0, messages: 0, subscriptions: 1 });
  after.close();
});

test("what is still queued stays, with its columns, between all that went", () => {
  const store = openIn(newDir());
  const keys = [store.sessions.open(0, meta("a")), store.sessions.open(0, meta("b"))] as const;
  const old: Message[] = [];
  for (let i = 1; i <= 20; i++) {
    const m = message(`old/${i}`, bytes(i), null, 2);
    old.push(m);
    store.sessions.enqueue(keys[0], i, m, 2, 0, null, false);
  }
  store.commit();
  fail(store, true);
  // Of the rows of the file some are done, some move on.
  for (const [i, m] of old.entries()) {
    if (i % 2 === 0) store.sessions.done(keys[0], i + 1, m);
    else store.sessions.sent(keys[0], i + 1, 100 + i);
  }
  const want: [number, string, string, number, number[] | null][] = old.flatMap((m, i) =>
    i % 2 === 0 ? [] : [[i + 1, m.topic, "sent", 100 + i, null]],
  );
  for (let i = 100; i < 100 + MANY; i++) {
    const stays = i % 5000 === 0;
    const m = message(stays ? `stays/${i}` : "goes");
    const ids = stays ? [i, 7] : null;
    store.sessions.enqueue(keys[0], i, m, 1, i % 3 === 0 ? 0 : i, ids, false);
    store.sessions.enqueue(keys[1], i, m, 1, 0, null, false);
    store.sessions.done(keys[1], i, m);
    if (stays) want.push([i, m.topic, i % 3 === 0 ? "queued" : "sent", i % 3 === 0 ? 0 : i, ids]);
    else store.sessions.done(keys[0], i, m);
  }
  const { batch } = store.sessions;
  expect(batch.deliveries).toBeLessThan(FEW + want.length);
  expect(batch.messages).toBeLessThan(want.length + 2);
  const after = works(store);
  const found = after.sessions.load().map((s) => s.deliveries.map((d) => [d.seq, d.message.topic, d.state, d.packetId, d.subIds]));
  expect(found).toEqual([want, []] as never);
  expect(counts(after)).toMatchObject({ deliveries: want.length, messages: want.length });
  after.close();
});

test("identifiers that waited for PUBREL", () => {
  const { store, key } = failing();
  store.sessions.awaitRel(key, 5, NOW);
  for (let i = 0; i < MANY; i++) {
    store.sessions.awaitRel(key, 10 + i, NOW + i);
    store.sessions.relDone(key, 10 + i);
  }
  store.sessions.awaitRel(key, 11, NOW + 1);
  expect(store.sessions.batch.awaitingRel).toBeLessThan(FEW);
  const after = works(store);
  expect(only(after).awaitingRel).toEqual([
    { packetId: 5, since: NOW },
    { packetId: 11, since: NOW + 1 },
  ]);
  after.close();
});

test("subscriptions made and removed, of a session of the file and of a new one", () => {
  const { store, key } = failing();
  const fresh = store.sessions.open(0, meta("b"));
  for (let i = 0; i < MANY; i++) {
    for (const k of [key, fresh]) {
      store.sessions.subscribe(k, subscription(`t/${k === key ? i % 10 : i}`));
      store.sessions.unsubscribe(k, `t/${k === key ? i % 10 : i}`);
    }
  }
  store.sessions.subscribe(fresh, subscription("stays"));
  // The one of before is on its way to the file.
  expect(store.sessions.batch.subscriptions).toBe(11);
  const after = works(store);
  expect(after.sessions.load().map((s) => s.subscriptions.map((x) => x.filter))).toEqual([["t"], ["stays"]]);
  after.close();
});

test("retained and delayed messages put and deleted; those of the file are deleted there", () => {
  const store = openIn(newDir());
  store.retained.put(1, row("file/1"));
  store.retained.put(2, row("file/2"));
  store.delayed.put({ id: 1, dueAt: NOW, message: row("d") });
  store.settle();
  fail(store, true);
  store.retained.put(1, row("file/1", bytes(9)));
  store.retained.delete(1);
  const before = held(store);
  for (let i = 0; i < 5000; i++) {
    store.retained.put(10 + i, row(`r/${i}`));
    store.retained.delete(10 + i);
    store.delayed.put({ id: 10 + i, dueAt: NOW, message: row("d") });
    store.delayed.delete(10 + i);
    store.kv("k").set(`${i}`, "x");
    store.kv("k").delete(`${i}`);
    store.banned.put({ who: `${i}`, as: "client_id", reason: null, desc: null, by: null, until: null });
    store.banned.delete("client_id", `${i}`);
  }
  expect(held(store)).toBe(before);
  store.delayed.delete(1);
  const after = works(store);
  expect([...after.retained.load()].map((r) => r.message.topic)).toEqual(["file/2"]);
  expect(after.delayed.load()).toEqual([]);
  after.close();
});

test("after everything was cleared, a topic put and deleted is nothing", () => {
  const store = openIn(newDir());
  store.retained.put(1, row("a"));
  store.commit();
  store.retained.clear();
  store.retained.put(1, row("a"));
  store.retained.delete(1);
  store.commit();
  expect([...store.retained.load()]).toEqual([]);
  store.close();
});

test("the batch knows what it holds: payloads, sessions, retained messages", () => {
  const store = openIn(newDir());
  expect(held(store)).toBe(0);
  const key = store.sessions.open(0, meta("a"));
  const m = message("t", new Uint8Array(10_000));
  store.sessions.enqueue(key, 1, m, 1, 0, null, false);
  expect(held(store)).toBeGreaterThan(10_000);
  expect(held(store)).toBeLessThan(12_000);
  store.retained.put(1, row("r", new Uint8Array(20_000)));
  store.retained.put(1, row("r", new Uint8Array(10)));
  store.retained.put(2, row("s", new Uint8Array(20_000)));
  expect(held(store)).toBeGreaterThan(30_000);
  expect(held(store)).toBeLessThan(33_000);
  store.retained.clear();
  store.sessions.done(key, 1, m);
  expect(held(store)).toBeLessThan(1000);
  store.settle();
  expect(store.bytes).toBe(0);
  store.close();
});

test("what waits of a session counts by part: its subscriptions, its deliveries, its handshakes; written, it is nothing", () => {
  const store = openIn(newDir());
  const key = store.sessions.open(0, meta("a"));
  store.settle();
  expect(store.bytes).toBe(0);
  const m = message("t", bytes(1));
  const parts: (() => void)[] = [
    () => store.sessions.subscribe(key, subscription("f")),
    () => store.sessions.enqueue(key, 1, m, 1, 0, null, false),
    () => store.sessions.awaitRel(key, 9, NOW),
    () => store.sessions.open(key, meta("a")),
    () => store.alarms.add({ id: "x", desc: "", raisedAt: 1, clearedAt: 2 }),
    () => store.kv("k").set("a", "b"),
  ];
  for (const part of parts) {
    const before = held(store);
    part();
    // The least of them is an identifier.
    expect(held(store) - before).toBeGreaterThanOrEqual(60);
    expect(held(store) - before).toBeLessThan(500);
  }
  store.settle();
  expect(store.bytes).toBe(0);
  store.sessions.remove(key);
  expect(held(store)).toBeGreaterThanOrEqual(60);
  store.settle();
  expect(store.bytes).toBe(0);
  store.close();
});

test("of a message that lies in its input chunk only the payload counts", () => {
  const store = openIn(newDir());
  const key = store.sessions.open(0, meta("a"));
  const m = message("t", new Uint8Array(10_000));
  m.payloadStart = 4000;
  m.payloadEnd = 9000;
  const before = held(store);
  store.sessions.enqueue(key, 1, m, 1, 0, null, false);
  expect(held(store) - before).toBeGreaterThan(5000);
  expect(held(store) - before).toBeLessThan(6000);
  store.sessions.done(key, 1, m);
  expect(held(store) - before).toBeLessThan(1000);
  store.close();
});

test("a close that cannot write says so, and makes no promise that it is written later", () => {
  const { store } = failing();
  const { file } = (store as unknown as { c: { file: string } }).c;
  expect(() => store.close()).toThrow(expect.objectContaining({ code: "write", message: `${file} cannot be written: the disk is full` }));
  store.close();
});

test("deliveries of the one session that is removed are not written, those of others are", () => {
  const store = openIn(newDir());
  const keys = [store.sessions.open(0, meta("a")), store.sessions.open(0, meta("b"))] as const;
  store.commit();
  const m = message("t");
  for (const key of keys) store.sessions.enqueue(key, 1, m, 1, 0, null, false);
  store.sessions.remove(keys[0]);
  store.commit();
  expect(counts(store)).toMatchObject({ sessions: 1, deliveries: 1, messages: 1 });
  store.close();
});
