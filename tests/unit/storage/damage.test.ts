/** Damage that SQLite does not tell of: the end of the journal, bytes within values. */
import { expect, test } from "bun:test";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { namesIn } from "../../../server/storage/redo_file.ts";
import type { StoreError } from "../../../server/storage/sqlite.ts";
import { checkWal } from "../../../server/storage/wal_check.ts";
import { message, meta, row } from "./fixtures.ts";
import { copyFiles, LogRecorder, newDir, openIn } from "./sqlite_harness.ts";

const db = (dir: string): string => join(dir, "baomq.db");
const wal = (dir: string): string => join(dir, "baomq.db-wal");
const FRAME = 4096 + 24;

/** What kill -9 leaves of the database after `n` commits of one retained message each; `before` are in the file already. */
function killed(n: number, before = 0): string {
  const store = openIn(newDir());
  for (let i = 0; i < before; i++) store.retained.put(i + 1, row(`before/${i}`, new Uint8Array(3000)));
  store.commit();
  for (let i = 0; i < n; i++) {
    store.retained.put(10_000 + i, row(`r/${i}`, new Uint8Array(3000)));
    store.settle();
  }
  const dir = copyFiles(store);
  store.close();
  for (const name of namesIn(dir)) rmSync(name);
  return dir;
}

function flip(file: string, at: number, bit = 1): void {
  const fd = openSync(file, "r+");
  const b = new Uint8Array(1);
  readSync(fd, b, 0, 1, at);
  b[0] = (b[0] as number) ^ bit;
  writeSync(fd, b, 0, 1, at);
  closeSync(fd);
}

/** Where each frame of the journal begins, and whether it ends a commit. */
function frames(file: string): { at: number; commit: boolean }[] {
  const b = readFileSync(file);
  return Array.from({ length: (b.length - 32) / FRAME }, (_, n) => {
    const at = 32 + n * FRAME;
    return { at, commit: b.readUInt32BE(at + 4) !== 0 };
  });
}

/** Start; what is told, and which of the retained messages are there. */
function start(dir: string): { told: string[]; damage: readonly string[]; topics: number } {
  const log = new LogRecorder();
  const store = openIn(dir, log);
  const topics = [...store.retained.load()].length;
  const { damage } = store;
  // The next start finds a journal again.
  store.kv("k").set(String(topics), "");
  store.commit();
  const copy = copyFiles(store);
  store.close();
  expect(checkWal(wal(copy)).state).toBe("whole");
  return { told: log.lines.filter((l) => !l.startsWith("debug")), damage, topics };
}

test("a whole journal is not talked about", () => {
  expect(start(killed(30))).toEqual({ told: [], damage: [], topics: 30 });
});

test("one bit anywhere in the middle of the journal: what is lost is told and counted, the rest is there", () => {
  const clean = killed(30);
  const all = frames(wal(clean));
  for (const n of [3, 20, all.length - 8]) {
    for (const inFrame of [2, 5, 9, 17, 24, FRAME - 1]) {
      const dir = newDir();
      mkdirSync(dir);
      copyFileSync(db(clean), db(dir));
      copyFileSync(wal(clean), wal(dir));
      flip(wal(dir), (all[n] as { at: number }).at + inFrame, 0x40);
      const before = all.slice(0, n).filter((f) => f.commit).length;
      const { told, damage, topics } = start(dir);
      expect(told).toEqual(["error stored data is damaged"]);
      expect(damage).toHaveLength(1);
      expect(damage[0]).toContain(`the journal ${wal(dir)} is damaged at byte ${(all[n] as { at: number }).at}: up to `);
      const lost = Number(/up to (\d+) commits/.exec(damage[0] as string)?.[1]);
      const after = all.slice(n).filter((f) => f.commit).length;
      // The bit may be in the mark that ends a commit.
      expect(Math.abs(lost - after)).toBeLessThanOrEqual(1);
      expect(topics).toBeLessThanOrEqual(before);
      expect(topics).toBeGreaterThanOrEqual(before - 2);
      expect(readFileSync(`${wal(dir)}.damaged`).length).toBe(statSync(wal(clean)).size);
    }
  }
});

test("a damaged head of the journal loses all of it", () => {
  for (const at of [1, 9, 17, 21, 27]) {
    const dir = killed(10);
    const commits = frames(wal(dir)).filter((f) => f.commit).length;
    flip(wal(dir), at, 0x10);
    const { told, damage, topics } = start(dir);
    expect(told).toEqual(["error stored data is damaged"]);
    expect(damage[0]).toContain(`is damaged at byte 32: up to ${commits} commits`);
    expect(topics).toBe(0);
  }
});

test("frames of a former round behind the present ones are no damage", () => {
  // More than the 2000 pages after which the journal is begun again.
  const dir = killed(5, 2500);
  const store = openIn(dir);
  for (let i = 0; i < 2500; i++) store.retained.put(i + 1, row(`again/${i}`, new Uint8Array(3000)));
  store.settle();
  for (let i = 0; i < 3; i++) {
    store.kv("k").set("a", String(i));
    store.commit();
  }
  const copy = copyFiles(store);
  store.close();
  expect(statSync(wal(copy)).size).toBeGreaterThan(2000 * FRAME);
  expect(start(copy)).toEqual({ told: [], damage: [], topics: 2505 });
});

test("a transaction that was not finished is no damage", () => {
  const dir = killed(10);
  const all = frames(wal(dir));
  const last = all.findLastIndex((f, n) => f.commit && n < all.length - 1);
  // Without its last frame, and with a piece of it.
  for (const size of [(all.at(-1) as { at: number }).at, (all.at(-1) as { at: number }).at + 1000]) {
    expect(all.length - 1 - last).toBeGreaterThan(1);
    const copy = newDir();
    openIn(copy).close();
    rmSync(`${db(copy)}.seal`);
    copyFileSync(db(dir), db(copy));
    writeFileSync(wal(copy), readFileSync(wal(dir)).subarray(0, size));
    expect(start(copy)).toEqual({ told: [], damage: [], topics: 9 });
  }
});

test("a last frame whose head was written and whose page was not: told as what a crash leaves", () => {
  const dir = killed(10);
  const { at } = frames(wal(dir)).at(-1) as { at: number };
  const fd = openSync(wal(dir), "r+");
  writeSync(fd, new Uint8Array(4096), 0, 4096, at + 24);
  closeSync(fd);
  expect(start(dir)).toEqual({
    told: ["warn the journal ends in a write that is not complete, as a crash leaves it; it is dropped"],
    damage: [],
    topics: 9,
  });
});

test("the last commit damaged before its end is no unfinished write: all that follows was written", () => {
  const dir = killed(10);
  const all = frames(wal(dir));
  const last = all.findLastIndex((f, n) => f.commit && n < all.length - 1);
  flip(wal(dir), (all[last + 1] as { at: number }).at + 100);
  const { told, damage, topics } = start(dir);
  expect(told).toEqual(["error stored data is damaged"]);
  expect(damage[0]).toContain("up to 1 commits");
  expect(topics).toBe(9);
});

test("no journal, an empty one, one that is too short", () => {
  const dir = newDir();
  openIn(dir).close();
  for (const content of [null, "", "short"]) {
    if (content !== null) writeFileSync(wal(dir), content);
    expect(checkWal(wal(dir)).state).toBe("whole");
  }
});

/** A closed store with a queued message whose payload can be found in the file. */
function closed(): { dir: string; at: number } {
  const dir = newDir();
  const store = openIn(dir);
  const key = store.sessions.open(0, meta("a"));
  for (let i = 1; i < 50; i++)
    store.sessions.enqueue(key, i, message(`t/${i}`, Buffer.from(`payload ${i} `.repeat(20))), 1, 0, null, false);
  store.close();
  return { dir, at: readFileSync(db(dir)).indexOf("payload 33 ") };
}

test("a byte that has changed within a value of a closed file", () => {
  const { dir, at } = closed();
  flip(db(dir), at + 8);
  const log = new LogRecorder();
  const store = openIn(dir, log);
  expect(store.damage).toHaveLength(1);
  expect(store.damage[0]).toStartWith(`${db(dir)} has changed since it was closed: its structure is in order, but`);
  expect(log.lines.filter((l) => !l.startsWith("debug"))).toEqual(["error stored data is damaged"]);
  expect(store.sessions.load()[0]?.deliveries).toHaveLength(49);
  store.close();
  const again = openIn(dir);
  expect(again.damage).toEqual([]);
  again.close();
});

test("a byte of the structure is refused, with what to do", () => {
  const { dir } = closed();
  const pages = statSync(db(dir)).size / 4096;
  let refused = 0;
  for (let page = 1; page < pages; page++) {
    const copy = newDir();
    openIn(copy).close();
    writeFileSync(db(copy), readFileSync(db(dir)));
    // The kind of the page and its number of cells.
    flip(db(copy), page * 4096, 0x08);
    try {
      openIn(copy).close();
    } catch (err) {
      expect((err as StoreError).code).toBe("damaged");
      expect((err as StoreError).message).toContain("move it, ");
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(pages - 5);
});

test("a file that took the place of the closed one, and one whose seal is unreadable, are taken as they are", () => {
  const { dir } = closed();
  const other = closed();
  flip(db(other.dir), other.at + 8);
  renameSync(db(other.dir), db(dir));
  const replaced = openIn(dir);
  expect(replaced.damage).toEqual([]);
  replaced.close();
  writeFileSync(`${db(dir)}.seal`, "{");
  const unsealed = openIn(dir);
  expect(unsealed.damage).toEqual([]);
  unsealed.close();
});

test("the seal is there while the file is closed, and after a clean end only", () => {
  const dir = newDir();
  const store = openIn(dir);
  expect(existsSync(`${db(dir)}.seal`)).toBe(false);
  const crashed = copyFiles(store);
  store.close();
  expect(existsSync(`${db(dir)}.seal`)).toBe(true);
  expect(statSync(`${db(dir)}.seal`).mode & 0o777).toBe(0o600);
  expect(existsSync(`${db(crashed)}.seal`)).toBe(false);
});
