import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
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

test("bytes as they are, with the rights of another file, and not through what lies in the draft's place", () => {
  const [file, other, like] = [join(dir, "b.conf"), join(dir, "other"), join(dir, "like")];
  writeFileSync(other, "other's");
  symlinkSync(other, `${file}.draft`);
  writeFileSync(like, "");
  chmodSync(like, 0o640);
  writeWhole(file, Buffer.of(0xff, 0, 0xfc), like);
  expect([[...readFileSync(file)], statSync(file).mode & 0o777, lstatSync(file).isSymbolicLink()]).toEqual([[0xff, 0, 0xfc], 0o640, false]);
  expect(readFileSync(other, "utf8")).toBe("other's");
});

test.skipIf(process.getuid?.() !== 0)("its owner keeps it, where we may give files away", () => {
  const file = join(dir, "owned.conf");
  writeFileSync(file, "one");
  chownSync(file, 12_345, 12_346);
  writeWhole(file, "two");
  expect([statSync(file).uid, statSync(file).gid, readFileSync(file, "utf8")]).toEqual([12_345, 12_346, "two"]);
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
