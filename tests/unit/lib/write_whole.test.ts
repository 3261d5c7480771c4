import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeWhole } from "../../../server/lib/write_whole.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-write-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("a new file, and one that is replaced with its rights and its link", () => {
  const file = join(dir, "a.conf");
  writeWhole(file, "one ä");
  expect([readFileSync(file, "utf8"), statSync(file).mode & 0o777]).toEqual(["one ä", 0o644]);
  chmodSync(file, 0o600);
  const link = join(dir, "link.conf");
  symlinkSync(file, link);
  writeWhole(link, "two");
  expect([readFileSync(file, "utf8"), statSync(file).mode & 0o777, lstatSync(link).isSymbolicLink()]).toEqual(["two", 0o600, true]);
});

test("what cannot be written leaves everything as it was, and no draft", () => {
  const sub = join(dir, "sub");
  mkdirSync(join(sub, "taken"), { recursive: true });
  writeFileSync(join(sub, "taken", "x"), "");
  expect(() => writeWhole(join(sub, "taken"), "text")).toThrow();
  expect(() => writeWhole(join(dir, "nowhere", "a.conf"), "text")).toThrow();
  expect(readdirSync(sub)).toEqual(["taken"]);
  expect(existsSync(join(dir, "nowhere"))).toBe(false);
});
