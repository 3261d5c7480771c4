/** The files of the redo log: what is read of them after a kill at any byte, after damage, and in which order they are used. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { namesIn, RedoFiles, readRedo } from "../../../server/storage/redo_file.ts";
import { HEAD } from "../../../server/storage/redo_ops.ts";
import { LogRecorder } from "./sqlite_harness.ts";

const ID = "00112233445566ff";
const MIB = 1024 * 1024;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "baomq-redo-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const record = (text: string): Buffer => Buffer.concat([Buffer.alloc(HEAD), Buffer.from(text)]);
const files = (id = ID): RedoFiles => new RedoFiles(dir, id, new LogRecorder());
const texts = (applied = 0, id = ID): string[] => readRedo(dir, { id, applied }).records.map((r) => r.toString());

function written(...list: string[]): void {
  const f = files();
  for (const text of list) f.append(record(text), false);
  f.close(false);
}

test("records come back in order, those that the database has do not", () => {
  written("one", "two", "three");
  expect(texts()).toEqual(["one", "two", "three"]);
  expect(texts(2)).toEqual(["three"]);
  expect(readRedo(dir, { id: ID, applied: 3 })).toEqual({ records: [], lost: 0, unfinished: false, foreign: false });
});

test("files that are not there, or are empty, have nothing", () => {
  expect(readRedo(dir, { id: ID, applied: 0 }).records).toEqual([]);
  written();
  expect(readRedo(dir, { id: ID, applied: 0 })).toEqual({ records: [], lost: 0, unfinished: false, foreign: false });
});

test("nobody else may read them; they go when the database has everything, else they stay", () => {
  const f = files();
  f.append(record("secret"), true);
  for (const name of namesIn(dir)) expect(statSync(name).mode & 0o777).toBe(0o600);
  f.close(true);
  for (const name of namesIn(dir)) expect(() => statSync(name)).toThrow("ENOENT");
});

test("a file that ends anywhere has the records that are whole before; the rest of one is told as unfinished", () => {
  written("one", "two", "three");
  const [name] = namesIn(dir) as [string];
  const whole = readFileSync(name);
  const ends = [HEAD + 3, 2 * HEAD + 6, 3 * HEAD + 11];
  for (let size = 0; size < whole.length; size++) {
    writeFileSync(name, whole.subarray(0, size));
    const found = readRedo(dir, { id: ID, applied: 0 });
    const n = ends.filter((end) => end <= size).length;
    expect(found.records.map((r) => r.toString())).toEqual(["one", "two", "three"].slice(0, n));
    expect(found.lost).toBe(0);
    expect(found.unfinished).toBe(size - (ends[n - 1] ?? 0) >= HEAD);
  }
});

test("a bit that has changed anywhere costs its record and those behind it, which are counted; nothing wrong is read", () => {
  written("one", "two", "three");
  const [name] = namesIn(dir) as [string];
  const whole = readFileSync(name);
  const of = (at: number): number => (at < HEAD + 3 ? 0 : at < 2 * HEAD + 6 ? 1 : 2);
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
    writeFileSync(name, damaged);
    const found = readRedo(dir, { id: ID, applied: 0 });
    expect(found.records.map((r) => r.toString())).toEqual(["one", "two", "three"].slice(0, of(at)));
    expect(found.lost).toBe(2 - of(at));
  }
});

test("records of another log are not taken", () => {
  written("one");
  const found = readRedo(dir, { id: "0000000000000000", applied: 0 });
  expect(found).toEqual({ records: [], lost: 0, unfinished: false, foreign: true });
});

test("a message that looks like a record is none", () => {
  const f = files();
  f.append(record("inner"), false);
  f.close(false);
  const inner = readFileSync(namesIn(dir)[0] as string);
  const outer = files();
  outer.append(Buffer.concat([Buffer.alloc(HEAD), inner]), false);
  outer.append(record("two"), false);
  outer.close(false);
  expect(readRedo(dir, { id: ID, applied: 0 }).records).toHaveLength(2);
  expect(texts(1)).toEqual(["two"]);
});

test("the files take turns: a file is used again once the database has its records on the disk, not before", () => {
  const [a, b] = namesIn(dir) as [string, string];
  const f = files();
  const size = (name: string): number => statSync(name).size;
  f.append(record("one"), false);
  const onDisk = f.turn();
  f.append(record("two"), false);
  expect([size(a), size(b)]).toEqual([HEAD + 3, HEAD + 3]);
  // The first file is still needed after a power loss: the log goes on where it is.
  f.turn();
  f.append(record("three"), false);
  expect([size(a), size(b)]).toEqual([HEAD + 3, 2 * HEAD + 8]);
  expect(texts()).toEqual(["one", "two", "three"]);
  onDisk();
  f.turn();
  f.append(record("f"), false);
  expect(size(a)).toBe(HEAD + 3);
  expect(texts(3)).toEqual(["f"]);
  // What lies behind are the ends of former turns.
  expect(readRedo(dir, { id: ID, applied: 3 })).toMatchObject({ lost: 0, unfinished: false });
  f.close(false);
});

test("an empty log does not change files", () => {
  const f = files();
  f.turn();
  f.append(record("one"), false);
  expect(statSync(namesIn(dir)[0] as string).size).toBe(HEAD + 3);
  f.close(false);
});

test("long: 8 MiB that the database does not have; crowded: 64 MiB in one file", () => {
  const f = files();
  const mib = Buffer.alloc(MIB);
  for (let n = 0; n < 7; n++) f.append(mib, false);
  f.turn();
  for (let n = 0; n < 7; n++) f.append(mib, false);
  expect(f.long).toBe(false);
  f.append(mib, false);
  expect(f.long).toBe(true);
  f.turn();
  expect(f.long).toBe(false);
  for (let n = 8; n < 63; n++) f.append(mib, false);
  expect(f.crowded).toBe(false);
  f.append(mib, false);
  expect(f.crowded).toBe(true);
  f.close(true);
});
