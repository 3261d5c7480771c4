/** The resident memory as the kernel says it, by one open file. */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRssReading } from "../../../server/machine/rss.ts";

const MIB = 1024 * 1024;

/** A process's folder: pages of so many bytes, and what its memory file says. */
function folder(page: number, statm: string): string {
  const dir = mkdtempSync(join(tmpdir(), "rss-"));
  const auxv = Buffer.alloc(48);
  // Another entry first, as in a real one.
  auxv.writeBigUInt64LE(33n, 0);
  auxv.writeBigUInt64LE(6n, 16);
  auxv.writeBigUInt64LE(BigInt(page), 24);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "auxv"), auxv);
  writeFileSync(join(dir, "statm"), statm);
  return dir;
}

test("this process's is what the runtime says, and grows with what it takes", () => {
  const rss = createRssReading();
  const off = (): number => Math.abs(rss() - process.memoryUsage.rss());
  // What earlier tests have left goes back to the kernel when it likes: what is taken is far more.
  Bun.gc(true);
  expect(off()).toBeLessThan(8 * MIB);
  const before = rss();
  const taken = Buffer.alloc(512 * MIB, 1);
  expect(rss() - before).toBeGreaterThan(256 * MIB);
  expect(off()).toBeLessThan(8 * MIB);
  expect(taken.length).toBe(512 * MIB);
});

test("pages have the size that the kernel says", () => {
  const dirs = [folder(4096, "5000 1234 56 7 0 8 0\n"), folder(65536, "5000 10 5 1 0 1 0\n")];
  expect(dirs.map((dir) => createRssReading(dir)())).toEqual([1234 * 4096, 10 * 65536]);
  for (const dir of dirs) rmSync(dir, { recursive: true });
});

test("what cannot be read is asked of the runtime", () => {
  const dir = folder(4096, "no numbers\n");
  for (const proc of [dir, "/nonexistent"]) expect(Math.abs(createRssReading(proc)() - process.memoryUsage.rss())).toBeLessThan(64 * MIB);
  rmSync(dir, { recursive: true });
});
