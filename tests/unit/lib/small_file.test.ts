import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { smallFile } from "../../../server/lib/small_file.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "baomq-small-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

test("text as it is, an empty one, one as long as may be", () => {
  const path = join(dir, "text");
  for (const text of ["-----BEGIN\nü", "", "x".repeat(1024 * 1024)]) {
    writeFileSync(path, text);
    expect(smallFile(path)).toBe(text);
  }
});

test("what is none is refused at once, in words", () => {
  const path = join(dir, "long");
  writeFileSync(path, Buffer.alloc(1024 * 1024 + 1));
  expect(() => smallFile(path)).toThrow("it has 1048577 bytes, at most 1048576 are read");
  expect(() => smallFile(dir)).toThrow("directory");
  expect(() => smallFile(join(dir, "nothing"))).toThrow("ENOENT");
});

test.skipIf(process.platform === "win32")("a device without an end, and a pipe that nobody writes to, hold nobody up", () => {
  expect(() => smallFile("/dev/zero")).toThrow("it is no file, but a pipe or a device");
  const pipe = join(dir, "pipe");
  expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
  expect(() => smallFile(pipe)).toThrow("it is no file, but a pipe or a device");
});
