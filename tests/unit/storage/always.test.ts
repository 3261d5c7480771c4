/** `storage.sync = always`: when what was committed is on the disk, and what happens when the disk does not take it. */
import { afterEach, expect, spyOn, test } from "bun:test";
import { cpSync } from "node:fs";
import { Connection } from "../../../server/storage/connection.ts";
import { FileSync } from "../../../server/storage/file_sync.ts";
import { openStore, type SqliteStore } from "../../../server/storage/sqlite.ts";
import { row } from "./fixtures.ts";
import { inside, LogRecorder, newDir, openIn } from "./sqlite_harness.ts";

const FAILURE = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
const spies: { mockRestore(): void }[] = [];
afterEach(() => {
  for (const s of spies.splice(0)) s.mockRestore();
});

function always(): { store: SqliteStore; dir: string; log: LogRecorder } {
  const [dir, log] = [newDir(), new LogRecorder()];
  return { store: openStore({ dir, sync: "always", log }), dir, log };
}
const synced = (store: SqliteStore): Promise<boolean> => new Promise((done) => store.sync(done));
function put(store: SqliteStore, id: number): void {
  store.retained.put(id, row(`r/${id}`));
  store.commit();
}
/** The redo log's file cannot be brought to the disk. */
function brokenDisk(): { soon: ReturnType<typeof spyOn>; now: ReturnType<typeof spyOn> } {
  const soon = spyOn(FileSync.prototype, "soon").mockImplementation((done) => void setImmediate(done, FAILURE));
  const now = spyOn(FileSync.prototype, "now").mockImplementation(() => {
    throw FAILURE;
  });
  spies.push(soon, now);
  return { soon, now };
}
/** What a start finds in a copy of the files as they are. */
function found(dir: string): number[] {
  const to = newDir();
  cpSync(dir, to, { recursive: true });
  const copy = openIn(to);
  const ids = [...copy.retained.load()].map((r) => r.id);
  copy.close();
  return ids;
}

/** Rows of the database itself. */
const rows = (store: SqliteStore): unknown => inside(store).value("SELECT count(*) FROM retained");

test("what the redo log has is on the disk when a sync says so; the commit does not wait for it", async () => {
  const { store, dir } = always();
  const [soon, now] = [spyOn(FileSync.prototype, "soon"), spyOn(FileSync.prototype, "now")];
  spies.push(soon, now);
  expect(store.unsynced).toBe(false);
  put(store, 1);
  expect([store.unsynced, soon.mock.calls.length, now.mock.calls.length, found(dir)]).toEqual([true, 0, 0, [1]]);
  const first = synced(store);
  put(store, 2);
  expect([await first, store.unsynced]).toEqual([true, true]);
  expect([await synced(store), store.unsynced, soon.mock.calls.length, now.mock.calls.length]).toEqual([true, false, 2, 0]);
  // Nothing new: it says so all the same, and asks the disk for nothing.
  expect([await synced(store), soon.mock.calls.length]).toEqual([true, 2]);
  store.close();
});

test("what the redo log has not is on the disk when the commit returns", () => {
  const { store } = always();
  const exec = spyOn(Connection.prototype, "exec");
  spies.push(exec);
  const modes = (): string[] => exec.mock.calls.map(([sql]) => sql).filter((sql) => sql.includes("synchronous"));
  put(store, 1);
  store.kv("a").set("b", "1");
  store.commit();
  expect([store.unsynced, modes()]).toEqual([false, ["PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"]]);
  store.setSync("normal");
  store.kv("a").set("b", "2");
  store.commit();
  expect(modes()).toHaveLength(2);
  store.close();
});

test("normal: nobody waits for anything", () => {
  const store = openIn(newDir());
  put(store, 1);
  expect(store.unsynced).toBe(false);
  store.setSync("always");
  put(store, 2);
  expect(store.unsynced).toBe(true);
  store.setSync("normal");
  expect(store.unsynced).toBe(false);
  store.close();
});

test("on going to normal, what nobody has waited for is on the disk within a second", () => {
  const { store } = always();
  const later = spyOn(FileSync.prototype, "later");
  spies.push(later);
  put(store, 1);
  expect(later.mock.calls.length).toBe(0);
  store.setSync("normal");
  expect([store.unsynced, later.mock.calls.length]).toEqual([false, 1]);
  store.close();
});

test("both files of the redo log are waited for, when it has gone on in the other one meanwhile", async () => {
  const store = openStore({ dir: newDir(), sync: "always", log: new LogRecorder(), batch: { max: 1000, sliceMs: 2 } });
  const soon = spyOn(FileSync.prototype, "soon");
  spies.push(soon);
  // The first record is more than a batch holds: the log turns to the other file.
  store.retained.put(1, row("r/1", new Uint8Array(2000)));
  store.commit();
  put(store, 2);
  const before = soon.mock.calls.length;
  expect(await synced(store)).toBe(true);
  expect(soon.mock.calls.length - before).toBe(2);
  store.close();
});

test("a disk that does not take the redo log: it is told, and the next commit takes all to the database", async () => {
  const { store, dir, log } = always();
  put(store, 1);
  const { soon } = brokenDisk();
  expect([await synced(store), store.pending, store.unsynced]).toEqual([false, true, true]);
  expect(log.lines.filter((line) => !line.startsWith("debug"))).toEqual(["warn the redo log cannot be brought to the disk"]);
  soon.mockRestore();
  store.commit();
  expect([store.pending, store.unsynced, rows(store)]).toEqual([false, false, 1]);
  put(store, 2);
  expect([await synced(store), found(dir)]).toEqual([true, [1, 2]]);
  store.close();
});

test("… and when a commit has done so meanwhile, nothing is lost", async () => {
  const { store } = always();
  put(store, 1);
  brokenDisk();
  const under = synced(store);
  store.kv("a").set("b", "1");
  store.commit();
  expect([await under, store.pending, store.unsynced]).toEqual([true, false, false]);
  store.close();
});

test("syncNow waits, also for what another sync has begun; a disk that refuses: the database has it when it returns", async () => {
  const { store } = always();
  put(store, 1);
  const under = synced(store);
  const now = spyOn(FileSync.prototype, "now");
  spies.push(now);
  store.syncNow();
  expect([store.unsynced, now.mock.calls.length]).toEqual([false, 2]);
  await under;
  now.mockRestore();
  put(store, 2);
  brokenDisk();
  store.syncNow();
  expect([store.unsynced, store.pending, rows(store)]).toEqual([false, false, 2]);
  store.close();
});

test("closed in the middle of a sync: everything is there, and nobody is told any more", async () => {
  const { store, dir } = always();
  put(store, 1);
  let told = 0;
  store.sync(() => told++);
  store.close();
  await Bun.sleep(50);
  expect([told, found(dir)]).toEqual([0, [1]]);
});
