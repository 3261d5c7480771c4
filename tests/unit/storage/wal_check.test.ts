/** Journals of every page size that SQLite has, though the broker's own have one. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkWal } from "../../../server/storage/wal_check.ts";
import { newDir } from "./sqlite_harness.ts";

/** A journal of some commits, as it lies beside an open database. */
function journalOf(page: number): string {
  const dir = newDir();
  mkdirSync(dir, { recursive: true });
  const db = new Database(join(dir, "db"), { create: true });
  db.run(`PRAGMA page_size = ${page}`);
  db.run("PRAGMA journal_mode = WAL");
  db.run("CREATE TABLE t (x)");
  for (let i = 0; i < 5; i++) db.run("INSERT INTO t VALUES ('some content')");
  const copy = join(dir, "copy");
  copyFileSync(join(dir, "db-wal"), copy);
  db.close();
  return copy;
}

for (const page of [512, 1024, 65_536]) {
  test(`pages of ${page} bytes`, () => {
    const file = journalOf(page);
    expect(checkWal(file)).toEqual({ state: "whole", at: 0, commits: 0, pages: 0 });
    const content = readFileSync(file);
    const frame = page + 24;
    const count = (content.length - 32) / frame;
    expect(Number.isInteger(count)).toBe(true);
    const at = 32 + (count - 3) * frame;
    content[at + 24] = (content[at + 24] as number) ^ 1;
    writeFileSync(file, content);
    expect(checkWal(file)).toEqual({ state: "damaged", at, commits: 3, pages: 3 });
  });
}

test("a page size that there is not is a damaged head, and the broker's own is taken", () => {
  const file = journalOf(4096);
  const content = readFileSync(file);
  const count = (content.length - 32) / (4096 + 24);
  for (const page of [0, 256, 5000, 131_072]) {
    content.writeUInt32BE(page, 8);
    writeFileSync(file, content);
    expect(checkWal(file)).toMatchObject({ state: "damaged", at: 32, pages: count });
  }
});

test("a last frame of which some bytes are missing was not written", () => {
  const file = journalOf(4096);
  const content = readFileSync(file);
  writeFileSync(file, content.subarray(0, content.length - 10));
  expect(checkWal(file).state).toBe("whole");
});
