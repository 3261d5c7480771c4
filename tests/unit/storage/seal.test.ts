/** The seal of a closed file, and up to which size there is one. Large files are sparse: they take no room. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { breakSeal, checkSeal, seal } from "../../../server/storage/seal.ts";
import { newDir } from "./sqlite_harness.ts";

const MAX = 256 * 1024 * 1024;

function fileOf(size: number): string {
  const dir = newDir();
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "f");
  writeFileSync(file, "content");
  truncateSync(file, size);
  return file;
}

test("a seal is good until it is broken, and tells a change of length or content", () => {
  const file = fileOf(7);
  expect(checkSeal(file)).toBe("none");
  seal(file);
  expect(JSON.parse(readFileSync(`${file}.seal`, "utf8"))).toMatchObject({ size: 7 });
  expect(checkSeal(file)).toBe("intact");
  expect(checkSeal(file)).toBe("intact");
  breakSeal(file);
  expect(checkSeal(file)).toBe("none");
  for (const other of ["Content", "content "]) {
    writeFileSync(file, "content");
    seal(file);
    writeFileSync(file, other);
    expect(checkSeal(file)).toBe("broken");
  }
});

test("a directory in its place, with its number even, is none", () => {
  const file = fileOf(7);
  seal(file);
  const told = JSON.parse(readFileSync(`${file}.seal`, "utf8"));
  rmSync(file);
  mkdirSync(file);
  writeFileSync(`${file}.seal`, JSON.stringify({ ...told, inode: statSync(file).ino }));
  expect(checkSeal(file)).toBe("none");
});

test("files of more than one reading are read to their end", () => {
  const file = fileOf(9 * 1024 * 1024);
  seal(file);
  expect(JSON.parse(readFileSync(`${file}.seal`, "utf8"))).toMatchObject({ size: 9 * 1024 * 1024 });
  truncateSync(file, 9 * 1024 * 1024 - 1);
  expect(checkSeal(file)).toBe("broken");
});

test("256 MiB are sealed and looked at, a byte more is not", () => {
  const file = fileOf(MAX);
  seal(file);
  expect(checkSeal(file)).toBe("intact");
  seal(file);
  truncateSync(file, MAX + 1);
  expect(checkSeal(file)).toBe("none");
  breakSeal(file);
  seal(file);
  expect(existsSync(`${file}.seal`)).toBe(false);
});
