/** The journal goes to the database without anybody waiting for the disk, and in an order that survives a loss of power. */
import { expect, spyOn, test } from "bun:test";
import { cpSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Checkpoint } from "../../../server/storage/checkpoint.ts";
import { Connection } from "../../../server/storage/connection.ts";
import { until } from "../../support/until.ts";
import { row } from "./fixtures.ts";
import { copyFiles, inside, LogRecorder, newDir, openIn } from "./sqlite_harness.ts";

const LONG = 4 * 1024 * 1024;

/** A database with a journal of its own, beside the checkpoint under test. */
function open(log = new LogRecorder()) {
  const dir = newDir();
  openIn(dir).close();
  const c = new Connection(join(dir, "baomq.db"));
  c.exec("PRAGMA locking_mode = EXCLUSIVE");
  c.value("PRAGMA journal_mode = WAL");
  c.exec("PRAGMA synchronous = NORMAL");
  c.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)");
  const checkpoint = new Checkpoint(c, log);
  let id = 0;
  const size = (suffix = ""): number => statSync(`${c.file}${suffix}`).size;
  return {
    c,
    checkpoint,
    log,
    size,
    insert: (): void => c.transaction(() => c.exec(`INSERT INTO t VALUES (${++id}, zeroblob(100000))`)),
    close(): void {
      c.close();
      checkpoint.close();
    },
  };
}

function long(): ReturnType<typeof open> {
  const o = open();
  while (o.size("-wal") < LONG) o.insert();
  return o;
}

test("a short journal is let alone", () => {
  const o = open();
  o.insert();
  o.checkpoint.consider();
  expect(o.checkpoint.busy).toBe(false);
  o.close();
});

test("a long one is copied once it is on the disk; the next transaction begins it again", async () => {
  const o = long();
  const before = o.size();
  o.checkpoint.consider();
  expect(o.checkpoint.busy).toBe(true);
  expect(o.size()).toBe(before);
  await until(() => !o.checkpoint.busy, "it is done");
  expect(o.size()).toBeGreaterThan(before + LONG / 2);
  o.insert();
  expect(o.size("-wal")).toBeLessThan(LONG / 4);
  expect(o.c.value("SELECT count(*) FROM t")).toBeGreaterThan(39);
  expect(o.c.value("PRAGMA synchronous")).toBe(1);
  expect(o.log.lines).toEqual([]);
  o.close();
});

test("a transaction that cannot wait ends it, before the copying and behind it, and the next one goes through", async () => {
  const o = long();
  o.checkpoint.consider();
  const size = o.size();
  o.checkpoint.makeWay();
  expect(o.checkpoint.busy).toBe(false);
  o.insert();
  await new Promise((done) => setTimeout(done, 50));
  // Given up: nothing is copied from under the transaction.
  expect(o.size()).toBe(size);
  o.checkpoint.consider();
  await until(() => o.size() > size, "the pages are copied");
  o.checkpoint.makeWay();
  expect(o.checkpoint.busy).toBe(false);
  o.insert();
  expect(o.size("-wal")).toBeLessThan(LONG / 4);
  o.close();
});

test("a copying that fails is told, the journal stays and is tried again", async () => {
  const o = long();
  const exec = o.c.exec.bind(o.c);
  const failing = spyOn(o.c, "exec").mockImplementation((sql) => {
    if (sql.includes("checkpoint")) throw new Error("disk I/O error");
    exec(sql);
  });
  o.checkpoint.consider();
  await until(() => !o.checkpoint.busy, "it has failed");
  expect(o.log.lines).toEqual(["warn the database's journal could not be brought to the database"]);
  expect(o.c.value("PRAGMA synchronous")).toBe(1);
  failing.mockRestore();
  o.insert();
  expect(o.size("-wal")).toBeGreaterThan(LONG);
  o.checkpoint.consider();
  await until(() => !o.checkpoint.busy, "it has worked");
  o.insert();
  expect(o.size("-wal")).toBeLessThan(LONG / 4);
  o.close();
});

test("closed in the middle of one: nothing comes behind", async () => {
  const o = long();
  o.checkpoint.consider();
  o.close();
  await new Promise((done) => setTimeout(done, 50));
  expect(o.log.lines).toEqual([]);
});

test("a store that writes much keeps its journal short, and another process does not get the database meanwhile", async () => {
  const store = openIn(newDir());
  const file = (inside(store) as unknown as Connection).file;
  for (let n = 1; n <= 3000; n++) {
    store.retained.put(n, row(`r/${n}`, new Uint8Array(10_000)));
    store.commit();
    if (n % 50 === 0) await new Promise((done) => setImmediate(done));
  }
  await until(() => store.bytes === 0 || !store.pending, "batches are written");
  store.settle();
  await until(() => statSync(`${file}-wal`).size < 8 * LONG, "the journal is short");
  expect(statSync(file).size).toBeGreaterThan(LONG);
  const other = Bun.spawnSync([
    process.execPath,
    "-e",
    `new (require("bun:sqlite").Database)(${JSON.stringify(file)}).query("SELECT count(*) FROM kv").all()`,
  ]);
  expect(other.stderr.toString()).toContain("database is locked");
  // Whatever a kill leaves of it is whole.
  const dir = copyFiles(store);
  store.close();
  const again = openIn(dir);
  expect([...again.retained.load()]).toHaveLength(3000);
  again.close();
  const closed = newDir();
  cpSync(join(file, ".."), closed, { recursive: true });
  rmSync(join(closed, "baomq.db.seal"));
  const last = openIn(closed);
  expect([...last.retained.load()]).toHaveLength(3000);
  last.close();
});

test("a disk that has failed to take the database: told, and no transaction begins any more", async () => {
  const o = long();
  const failed = (o.checkpoint as unknown as { failed(err: unknown): void }).failed.bind(o.checkpoint);
  failed(new Error("EIO"));
  expect(o.log.lines).toEqual(["error the disk has failed to take the database; it is as it was, start the broker again"]);
  expect(o.checkpoint.busy).toBe(false);
  expect(() => o.checkpoint.makeWay()).toThrow("start the broker again");
  o.checkpoint.consider();
  expect(o.checkpoint.busy).toBe(false);
  o.close();
});
