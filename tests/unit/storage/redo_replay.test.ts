/** What the redo log brings back is what the database would have had: every kind of operation, and what goes wrong. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Message } from "../../../server/core/message.ts";
import type { Store } from "../../../server/core/ports.ts";
import { namesIn } from "../../../server/storage/redo_file.ts";
import type { SqliteStore } from "../../../server/storage/sqlite.ts";
import { until } from "../../support/until.ts";
import { ALL_PROPERTIES, bytes, message, meta, NOW, plain, row, subscription } from "./fixtures.ts";
import { copyFiles, counts, crash, inside, LogRecorder, newDir, openIn } from "./sqlite_harness.ts";

const WILL = { topic: "will/é", payload: bytes(7, 0), qos: 1 as const, retain: true, delay: 30, properties: ALL_PROPERTIES };

/** Everything a journal may say, in two steps. */
function first(s: Store): { key: number; gone: number; held: Message[] } {
  const key = s.sessions.open(0, meta("a", { username: "bob", will: WILL, cleanStart: true, isSuper: true, mountpoint: "m/" }));
  const gone = s.sessions.open(0, meta("gone"));
  s.sessions.subscribe(key, subscription("t/+", { qos: 2, nl: true, rap: true, rh: 2, subId: 268_435_455 }));
  s.sessions.subscribe(key, subscription("over/→"));
  s.sessions.subscribe(gone, subscription("x"));
  const held = [1, 2, 3, 4].map((n) => message(`t/${n}`, bytes(n), n === 1 ? ALL_PROPERTIES : null, 2));
  for (const [i, m] of held.entries()) s.sessions.enqueue(key, i + 1, m, 2, i === 3 ? 9 : 0, i === 1 ? [5, 6] : null, i === 2);
  s.sessions.enqueue(gone, 1, held[0] as Message, 1, 0, null, false);
  s.sessions.awaitRel(key, 17, NOW);
  s.sessions.awaitRel(key, 18, NOW + 1);
  for (let n = 1; n <= 3; n++) s.retained.put(n, row(`r/${n}`, bytes(n), n === 1 ? ALL_PROPERTIES : null));
  for (let n = 1; n <= 3; n++) s.delayed.put({ id: n, dueAt: NOW + n, message: row(`d/${n}`, bytes(n)) });
  return { key, gone, held };
}

function second(s: Store, { key, gone, held }: ReturnType<typeof first>): void {
  s.sessions.open(key, meta("a", { disconnectedAt: NOW + 5, expiry: 60 }));
  s.sessions.unsubscribe(key, "over/→");
  s.sessions.subscribe(key, subscription("t/+", { qos: 1 }));
  s.sessions.sent(key, 1, 1);
  s.sessions.sent(key, 2, 2);
  s.sessions.released(key, 2);
  s.sessions.released(key, 4);
  s.sessions.done(key, 3, held[2] as Message);
  s.sessions.done(gone, 1, held[0] as Message);
  s.sessions.remove(gone);
  // What is said of a session after its end counts for nothing.
  s.sessions.subscribe(gone, subscription("late"));
  s.sessions.relDone(key, 17);
  // A number that was given back within the batch is given to another message.
  const short = message("short");
  s.sessions.enqueue(key, 5, short, 1, 0, null, false);
  s.sessions.done(key, 5, short);
  s.sessions.enqueue(key, 6, message("last"), 1, 0, null, false);
  s.retained.put(1, row("r/1", bytes(9)));
  s.retained.delete(2);
  s.delayed.delete(1);
}

const view = (s: Store): unknown => [
  s.sessions.load().map(plain),
  [...s.retained.load()],
  s.delayed.load(),
  counts(s),
  s.sessions.open(0, meta("next")),
];

function open(): SqliteStore {
  return openIn(newDir());
}

test("operations of the log alone, of the database alone, and of both lead to the same", () => {
  const seen: unknown[] = [];
  for (const [one, two] of [
    ["settle", "settle"],
    ["commit", "commit"],
    ["settle", "commit"],
  ] as const) {
    const store = open();
    const journal = first(store);
    store[one]();
    second(store, journal);
    store[two]();
    const after = crash(store);
    seen.push(view(after));
    after.close();
  }
  expect((seen[0] as unknown[]).slice(0, 3)).toMatchObject([
    [{ deliveries: [{ seq: 1 }, { seq: 2 }, { seq: 4 }, { seq: 6 }] }],
    [{ id: 1 }, { id: 3 }],
    [{ id: 2 }, { id: 3 }],
  ]);
  expect(seen[1]).toEqual(seen[0]);
  expect(seen[2]).toEqual(seen[0]);
});

test("everything retained is cleared, and what came afterwards stays", () => {
  let store = open();
  store.retained.put(1, row("a"));
  store.settle();
  store.retained.put(2, row("b"));
  store.retained.clear();
  store.retained.put(3, row("c"));
  store.commit();
  store = crash(store);
  expect([...store.retained.load()].map((r) => r.message.topic)).toEqual(["c"]);
  store.close();
});

test("a start that was killed after it, and one more kill: nothing is applied twice or lost", () => {
  const store = open();
  const key = store.sessions.open(0, meta("a"));
  for (let n = 1; n <= 3; n++) {
    store.sessions.enqueue(key, n, message(`t/${n}`), 1, 0, null, false);
    store.commit();
  }
  const once = crash(store);
  const twice = crash(once);
  expect(twice.sessions.load()[0]?.deliveries.map((d) => d.seq)).toEqual([1, 2, 3]);
  twice.sessions.enqueue(key, 4, message("t/4"), 1, 0, null, false);
  twice.commit();
  const last = crash(twice);
  expect(last.sessions.load()[0]?.deliveries.map((d) => [d.seq, d.message.topic])).toEqual([1, 2, 3, 4].map((n) => [n, `t/${n}`]));
  last.close();
});

/** What kill -9 leaves after three commits; the log's first file. */
function killed(): { dir: string; name: string } {
  const store = open();
  for (let n = 1; n <= 3; n++) {
    store.retained.put(n, row(`r/${n}`));
    store.commit();
  }
  const dir = copyFiles(store);
  store.close();
  return { dir, name: namesIn(dir)[0] as string };
}

function start(dir: string): { told: string[]; damage: readonly string[]; topics: string[] } {
  const log = new LogRecorder();
  const store = openIn(dir, log);
  const topics = [...store.retained.load()].map((r) => r.message.topic);
  store.close();
  return { told: log.lines.filter((l) => !l.startsWith("debug")), damage: store.damage, topics };
}

test("what is brought to the database is told, with how much it was", () => {
  expect(start(killed().dir)).toEqual({
    told: ["info what was committed last was brought to the database"],
    damage: [],
    topics: ["r/1", "r/2", "r/3"],
  });
});

test("a write that was not finished is told, and is no damage", () => {
  const { dir, name } = killed();
  writeFileSync(name, readFileSync(name).subarray(0, -1));
  expect(start(dir)).toEqual({
    told: [
      "info what was committed last was brought to the database",
      "warn the redo log ends in a write that is not complete, as a crash leaves it; it is dropped",
    ],
    damage: [],
    topics: ["r/1", "r/2"],
  });
});

test("damage is told and counted; what lies before is there, and the next start is as any other", () => {
  const { dir, name } = killed();
  const file = readFileSync(name);
  file[50] = (file[50] as number) ^ 1;
  writeFileSync(name, file);
  const { told, damage, topics } = start(dir);
  expect(told).toEqual(["error stored data is damaged"]);
  expect(damage[0]).toContain(`the redo log (${namesIn(dir).join(", ")}) is damaged: 2 commits written last are lost`);
  expect(topics).toEqual([]);
  expect(start(dir)).toEqual({ told: [], damage: [], topics: [] });
});

test("a database that was put in the place of another does not get what the log says of that one", () => {
  const { dir } = killed();
  const backup = join(newDir());
  const store = openIn(backup);
  store.retained.put(1, row("backup"));
  store.backup(`${backup}.copy`);
  store.close();
  writeFileSync(join(dir, "baomq.db"), readFileSync(`${backup}.copy`));
  writeFileSync(join(dir, "baomq.db-wal"), "");
  expect(start(dir)).toEqual({ told: ["info the redo log is that of another database, it is dropped"], damage: [], topics: ["backup"] });
});

test("operations that nobody knows keep the store closed rather than half read", () => {
  const { dir, name } = killed();
  const file = readFileSync(name);
  const length = file.readUInt32LE(24);
  file[32] = 99;
  file.writeUInt32LE(Bun.hash.crc32(file.subarray(8, 32 + length)), 4);
  writeFileSync(name, file);
  expect(() => openIn(dir)).toThrow("operation 99 is unknown");
  expect(existsSync(name)).toBe(true);
});

test("a batch goes to the database when it is large, turn by turn; at once when settings are in it; and at the end", async () => {
  const store = open();
  const inFile = (): unknown => inside(store).value("SELECT count(*) FROM retained");
  store.retained.put(1, row("a"));
  store.commit();
  expect(inFile()).toBe(0);
  store.kv("k").set("a", "b");
  store.commit();
  expect(inFile()).toBe(1);
  const store40 = (from: number): void => {
    for (let n = from; n < from + 40; n++) {
      store.retained.put(n, row(`r/${n}`, new Uint8Array(60_000)));
      store.commit();
    }
  };
  store40(2);
  // Nothing of it in this turn.
  expect(inFile()).toBe(1);
  await until(() => store.bytes < 1_000_000, "the batch is written");
  expect(inFile()).toBe(36);
  store40(42);
  store.kv("k").set("a", "c");
  store.commit();
  expect(inFile()).toBe(81);
  store.retained.put(82, row("last"));
  store.commit();
  const dir = copyFiles(store);
  store.close();
  const again = openIn(dir);
  expect([...again.retained.load()]).toHaveLength(82);
  again.close();
});

test("what a commit will write: the operations, or the whole batch", () => {
  const store = open();
  expect(store.due).toBe(0);
  store.retained.put(1, row("a", new Uint8Array(10_000)));
  store.commit();
  store.retained.put(2, row("b", new Uint8Array(1000)));
  expect(store.due).toBeGreaterThan(1000);
  expect(store.due).toBeLessThan(2000);
  store.kv("k").set("a", "b");
  expect(store.due).toBeGreaterThan(11_000);
  store.close();
});

test("operations of more than 8 MiB in one turn go to the database at once", () => {
  const store = open();
  for (let n = 1; n <= 90; n++) store.retained.put(1, row("a", new Uint8Array(100_000)));
  expect(store.redo.full).toBe(true);
  store.commit();
  expect(store.redo.full).toBe(false);
  expect(inside(store).value("SELECT count(*) FROM retained")).toBe(1);
  store.close();
});

test("a database that takes nothing at the end: what is committed stays in the log, and the next start has it", () => {
  const dir = newDir();
  const log = new LogRecorder();
  const store = openIn(dir, log);
  const key = store.sessions.open(0, meta("a"));
  store.sessions.enqueue(key, 1, message("t", new Uint8Array(100_000)), 1, 0, null, false);
  store.commit();
  inside(store).exec(`PRAGMA max_page_count = ${inside(store).value("PRAGMA page_count")}`);
  store.close();
  expect(log.lines.filter((l) => l.startsWith("warn"))).toEqual(["warn the redo log stays until the next start"]);
  const again = openIn(dir);
  expect(again.sessions.load()[0]?.deliveries).toHaveLength(1);
  again.close();
  for (const name of namesIn(dir)) expect(existsSync(name)).toBe(false);
});

test("a loss of power that took a commit of the database alone: what came behind it is not applied to what it does not belong to", () => {
  const store = open();
  store.retained.put(1, row("one"));
  store.commit();
  const before = copyFiles(store);
  // Settings take the turn to the database, which is not on the disk yet; the log's next record is.
  store.kv("k").set("a", "b");
  store.retained.delete(1);
  store.retained.put(2, row("two"));
  store.commit();
  store.retained.put(3, row("three"));
  store.commit();
  const after = copyFiles(store);
  store.close();
  for (const [i, name] of namesIn(after).entries()) writeFileSync(namesIn(before)[i] as string, readFileSync(name));
  const behind = openIn(after);
  expect([...behind.retained.load()].map((r) => r.message.topic)).toEqual(["two", "three"]);
  behind.close();
  const { topics, damage } = start(before);
  expect(topics).toEqual(["one"]);
  expect(damage[0]).toContain("1 commits written last are lost");
});

test("a backup put in the place of a killed broker's database stays as it was backed up", () => {
  const dir = newDir();
  const store = openIn(dir);
  store.retained.put(1, row("wanted"));
  store.backup(join(dir, "copy"));
  store.retained.delete(1);
  store.retained.put(2, row("mistake"));
  store.commit();
  const killedIn = copyFiles(store);
  store.close();
  writeFileSync(join(killedIn, "baomq.db"), readFileSync(join(killedIn, "copy")));
  rmSync(join(killedIn, "baomq.db-wal"));
  expect(start(killedIn).topics).toEqual(["wanted"]);
});

test("a database that is gone while its redo log is there is told, not begun anew", () => {
  const { dir, name } = killed();
  rmSync(join(dir, "baomq.db"));
  rmSync(join(dir, "baomq.db-wal"));
  expect(() => openIn(dir)).toThrow(`it is missing, but ${name}, which belongs to it, is there`);
});

test.skipIf(process.platform !== "linux")("a log that cannot be written: the database takes the commits, and the end loses nothing", () => {
  const dir = newDir();
  openIn(dir).close();
  for (const name of namesIn(dir)) symlinkSync("/dev/full", name);
  const log = new LogRecorder();
  const store = openIn(dir, log);
  for (let n = 1; n <= 3; n++) {
    store.retained.put(n, row(`r/${n}`));
    store.commit();
    expect(inside(store).value("SELECT count(*) FROM retained")).toBe(n);
  }
  expect(log.lines.filter((l) => l.startsWith("warn"))).toEqual(["warn the redo log cannot be written"]);
  store.retained.put(4, row("r/4"));
  store.close();
  const again = openIn(dir);
  expect([...again.retained.load()]).toHaveLength(4);
  again.close();
});
