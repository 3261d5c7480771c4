import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileSync } from "../../../server/storage/file_sync.ts";
import { until } from "../../support/until.ts";
import { LogRecorder } from "./sqlite_harness.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "baomq-sync-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Is the file open in this process? Where the system tells. */
const isOpen = (file: string): boolean =>
  readdirSync("/proc/self/fd").some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false;
    }
  });
const linux = process.platform === "linux" ? test : test.skip;
/** A file that cannot be brought to any disk: the kernel answers EINVAL. */
const NO_DISK = "/dev/null";

linux("later: the journal goes to the disk within a second; a failure is told once, until it has worked again", async () => {
  const log = new LogRecorder();
  const w = new FileSync(NO_DISK, log);
  w.later();
  expect(log.lines).toEqual([]);
  await until(() => log.lines.length > 0, "the failure is told");
  expect(log.lines).toEqual(["error stored data could not be brought to the disk"]);
  w.later();
  // Another one that began later has failed too.
  const second = new LogRecorder();
  const other = new FileSync(NO_DISK, second);
  other.later();
  await until(() => second.lines.length > 0, "the other one fails");
  expect(log.lines).toHaveLength(1);
  w.close();
  other.close();
});

linux("later: a file that has a disk is synchronised in silence, again and again", async () => {
  const file = join(dir, "wal");
  writeFileSync(file, "x");
  const log = new LogRecorder();
  const w = new FileSync(file, log);
  const failing = new LogRecorder();
  w.later();
  w.later();
  const witness = new FileSync(NO_DISK, failing);
  witness.later();
  await until(() => failing.lines.length > 0, "a second has passed");
  expect(log.lines).toEqual([]);
  w.close();
  await until(() => !isOpen(file), "the file is given back");
  witness.close();
});

linux("now waits for the disk, and says so when it cannot", () => {
  const w = new FileSync(NO_DISK, new LogRecorder());
  expect(() => w.now()).toThrow("EINVAL");
  w.close();
});

linux("close gives the file back at once, or after what is under way; nothing is begun behind it", async () => {
  const file = join(dir, "wal");
  writeFileSync(file, "x");
  const log = new LogRecorder();
  const w = new FileSync(file, log);
  expect(isOpen(file)).toBe(true);
  w.later();
  w.close();
  expect(isOpen(file)).toBe(false);
  w.later();
  const failing = new LogRecorder();
  const witness = new FileSync(NO_DISK, failing);
  witness.later();
  await until(() => failing.lines.length > 0, "a second has passed");
  // A synchronisation of a closed file would have failed.
  expect(log.lines).toEqual([]);
  witness.close();
});

linux("whoever waits is told once the file is on the disk, and never when the disk has failed, which says yes the next time", async () => {
  const file = join(dir, "wal");
  writeFileSync(file, "x");
  const told: string[] = [];
  const good = new FileSync(file, new LogRecorder());
  good.later(() => told.push("good"));
  const log = new LogRecorder();
  const bad = new FileSync(NO_DISK, log);
  bad.later(() => told.push("bad"));
  await until(() => log.lines.length > 0 && told.length > 0, "both have tried");
  expect(told).toEqual(["good"]);
  good.later(() => told.push("again"));
  good.now();
  expect(told).toEqual(["good", "again"]);
  good.close();
  bad.close();
});
