/** Batches on their way to the database: slices, failures in the middle of one, what comes meanwhile. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import type { SqliteStore } from "../../../server/storage/sqlite.ts";
import { until } from "../../support/until.ts";
import { bytes, message, meta, only, row } from "./fixtures.ts";
import { copyFiles, crash, fail, inside, LogRecorder, newDir, openIn } from "./sqlite_harness.ts";

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
const open = (dir = newDir()): SqliteStore => openIn(dir, new LogRecorder(), { max: 20_000, sliceMs: 0 });
/** More rows than one slice has. */
const ROWS = 300;

function fill(store: SqliteStore, from = 1): void {
  for (let n = from; n < from + ROWS; n++) store.retained.put(n, row(`r/${n}`));
  store.commit();
}
const topics = (store: SqliteStore): string[] => [...store.retained.load()].map((r) => r.message.topic);

test("a batch is written over several turns, and counts until it is through", async () => {
  const store = open();
  fill(store);
  const held = store.bytes;
  expect(held).toBeGreaterThan(20_000);
  await turn();
  expect(store.bytes).toBe(held);
  expect(inside(store).value("SELECT count(*) FROM retained")).toBeGreaterThan(0);
  expect(inside(store).value("SELECT count(*) FROM retained")).toBeLessThan(ROWS);
  await until(() => store.bytes === 0, "it is through");
  expect(inside(store).value("SELECT count(*) FROM retained")).toBe(ROWS);
  store.close();
});

test("what is taken back while its row is on its way is deleted behind it", async () => {
  const store = open();
  const key = store.sessions.open(0, meta("a"));
  const m = message("t");
  store.sessions.enqueue(key, 1, m, 1, 0, null, false);
  store.delayed.put({ id: 7, dueAt: 1, message: row("d") });
  fill(store);
  await turn();
  store.sessions.done(key, 1, m);
  store.delayed.delete(7);
  store.retained.delete(5);
  store.retained.put(6, row("r/6", bytes(9)));
  store.retained.put(1000, row("late"));
  store.retained.delete(1000);
  store.commit();
  const after = crash(store);
  expect(topics(after)).toHaveLength(ROWS - 1);
  expect(only(after).deliveries).toEqual([]);
  expect(after.delayed.load()).toEqual([]);
  after.close();
});

test("killed in the middle of a batch: the log has all of it, and what came behind", async () => {
  const store = open();
  fill(store);
  await turn();
  store.retained.put(9999, row("behind"));
  store.commit();
  const after = crash(store);
  expect(topics(after)).toHaveLength(ROWS + 1);
  after.close();
});

test("settings are in the database with their commit, in the middle of a batch too", async () => {
  const store = open();
  fill(store);
  await turn();
  store.kv("k").set("a", "b");
  store.commit();
  const dir = copyFiles(store);
  store.close();
  const again = openIn(dir);
  expect(again.kv("k").get("a")).toBe("b");
  expect(topics(again)).toHaveLength(ROWS);
  again.close();
});

test("a disk that fails in the middle of a batch: the next commit says so, and nothing is lost once it works", async () => {
  const store = open();
  store.settle();
  fill(store);
  await turn();
  fail(store, true);
  store.direct = false;
  for (let n = 1; n <= 40; n++) store.retained.put(5000 + n, row(`large/${n}`, new Uint8Array(5000)));
  // The redo log still takes it.
  store.commit();
  await until(() => store.pending, "the batch has failed");
  expect(() => store.commit()).toThrow("the disk is full");
  expect(() => store.commit()).toThrow("the disk is full");
  store.retained.put(6000, row("meanwhile"));
  expect(() => store.settle()).toThrow("the disk is full");
  fail(store, false);
  store.commit();
  expect(store.bytes).toBe(0);
  const after = crash(store);
  expect(topics(after)).toHaveLength(ROWS + 41);
  after.close();
});

test("a batch that grows far beyond the one on its way brings that to its end", () => {
  const store = open();
  const inFile = (): unknown => inside(store).value("SELECT count(*) FROM retained");
  let fills = 0;
  for (; inFile() === 0 && fills < 20; fills++) fill(store, 1000 * fills);
  expect(inFile()).toBe(ROWS);
  expect(fills).toBeGreaterThan(2);
  store.close();
});

test("closed in the middle of a batch, and in a mode that is changed in the middle of one, everything is there", async () => {
  const dir = newDir();
  const store = open(dir);
  fill(store);
  await turn();
  store.setSync("always");
  expect(inside(store).value("SELECT count(*) FROM retained")).toBe(ROWS);
  fill(store, 1000);
  await turn();
  store.close();
  await turn();
  expect(existsSync(`${dir}/baomq.db-wal`)).toBe(false);
  const again = openIn(dir);
  expect(topics(again)).toHaveLength(2 * ROWS);
  again.close();
});
