import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { later, type MonoMs } from "../../../../server/lib/time.ts";
import { checkName, FileDriver, type FileTarget } from "../../../../server/plugins/_connectors/file_driver.ts";
import { until } from "../../../support/until.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "baomq-files-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

let now = 0 as MonoMs;
const clock = { mono: () => now };
const always = (): boolean => true;

class Lines extends FileDriver {
  override append(lines: readonly string[], wanted = always): Promise<void> {
    return super.append(lines, wanted);
  }
}

const driver = (o: Partial<FileTarget> = {}): Lines =>
  new Lines({ directory, name: "log.jsonl", maxBytes: 1000, keep: 2, gzip: false, sync: false, ...o }, clock);
const text = (name = "log.jsonl"): string => readFileSync(join(directory, name), "utf8");

test("lines one behind the other, also of several who write at once, and after it was closed", async () => {
  const d = driver({ name: "a/b/log.jsonl", sync: true });
  await Promise.all([d.append(["1", "2"]), d.append(["3"]), d.append(["4"])]);
  await d.close();
  await d.append(["5"]);
  expect(text("a/b/log.jsonl")).toBe("1\n2\n3\n4\n5\n");
  await d.close();
});

test("put aside when it is large enough; the oldest goes", async () => {
  const d = driver({ maxBytes: 10 });
  for (const n of [1, 2, 3, 4, 5]) await d.append([`line ${n}`]);
  await d.close();
  expect(readdirSync(directory).sort()).toEqual(["log.jsonl", "log.jsonl.1", "log.jsonl.2"]);
  expect([text(), text("log.jsonl.1"), text("log.jsonl.2")]).toEqual(["line 5\n", "line 4\n", "line 3\n"]);
  // One that is large already when it is opened.
  const again = driver({ maxBytes: 5, keep: 0 });
  await again.append(["x"]);
  await again.close();
  expect(text()).toBe("x\n");
});

test("those put aside are packed by option", async () => {
  const d = driver({ maxBytes: 10, gzip: true });
  for (const n of [1, 2, 3, 4]) {
    await d.append([`line ${n}`]);
    // What was put aside is packed then.
    await d.close();
  }
  expect(readdirSync(directory).sort()).toEqual(["log.jsonl", "log.jsonl.1.gz", "log.jsonl.2.gz"]);
  expect(gunzipSync(readFileSync(join(directory, "log.jsonl.2.gz"))).toString()).toBe("line 2\n");
});

test("nobody waits for a file to be packed; until it is, no other one is put aside", async () => {
  const large = randomBytes(24 * 1024 * 1024)
    .toString("latin1")
    .replaceAll("\n", " ");
  const d = driver({ maxBytes: 1000, gzip: true });
  await d.append([large]);
  await d.append(["1".repeat(900)]);
  expect(existsSync(join(directory, "log.jsonl.1"))).toBe(true);
  await d.append(["2".repeat(900)]);
  expect(
    readdirSync(directory)
      .filter((name) => !name.endsWith(".part"))
      .sort(),
  ).toEqual(["log.jsonl", "log.jsonl.1"]);
  await until(() => existsSync(join(directory, "log.jsonl.1.gz")) && !existsSync(join(directory, "log.jsonl.1")), "it is packed");
  await d.close();
  expect(text().length).toBe(2 * 901);
  await d.append(["3"]);
  await d.close();
  expect(text()).toBe("3\n");
  expect(gunzipSync(readFileSync(join(directory, "log.jsonl.2.gz"))).toString() === `${large}\n`).toBe(true);
});

test("what nobody waits for any more is not there: not begun, or taken back", async () => {
  const d = driver();
  const told = (done: Promise<void>): Promise<string> =>
    done.then(
      () => "done",
      (err: Error) => err.message,
    );
  let asked = 0;
  const all = [d.append(["1"]), d.append(["2"], () => false), d.append(["3"], () => asked++ === 0), d.append(["4"])];
  expect(await Promise.all(all.map(told))).toEqual(["done", "nobody waits for it any more", "nobody waits for it any more", "done"]);
  expect([text(), asked]).toEqual(["1\n4\n", 2]);
  await d.close();
});

test("a line that was cut short is taken away; one that is whole is not", async () => {
  for (const [before, after] of [
    ["whole\nhal", "whole\nx\n"],
    ["whole\n", "whole\nx\n"],
    ["hal", "x\n"],
    [`${"y".repeat(70_000)}\n${"z".repeat(70_000)}`, `${"y".repeat(70_000)}\nx\n`],
  ] as const) {
    writeFileSync(join(directory, "log.jsonl"), before);
    const d = driver({ maxBytes: 1e9 });
    await d.append(["x"]);
    await d.close();
    expect(text() === after).toBe(true);
  }
});

test("somebody moved it away: the next probe finds out", async () => {
  const d = driver();
  await d.append(["1"]);
  rmSync(join(directory, "log.jsonl"));
  await d.probe();
  await d.append(["2"]);
  await d.close();
  expect(text()).toBe("2\n");
});

test("removed, or moved away, while lines are written: that is found within a second", async () => {
  const d = driver();
  await d.append(["1"]);
  rmSync(join(directory, "log.jsonl"));
  now = later(now, 1000);
  await d.append(["2"]);
  expect(text()).toBe("2\n");
  renameSync(join(directory, "log.jsonl"), join(directory, "moved"));
  now = later(now, 500);
  await d.append(["3"]);
  now = later(now, 500);
  await d.append(["4"]);
  await d.close();
  expect([text("moved"), text()]).toEqual(["2\n3\n", "4\n"]);
});

test("no way out: links are not followed, names stay below", async () => {
  const outside = mkdtempSync(join(tmpdir(), "baomq-outside-"));
  try {
    appendFileSync(join(outside, "victim"), "");
    symlinkSync(join(outside, "victim"), join(directory, "link.jsonl"));
    symlinkSync(outside, join(directory, "linked"));
    mkdirSync(join(directory, "folder"));
    for (const name of ["link.jsonl", "linked/new", "folder", "folder/../linked/new"]) {
      const d = driver({ name });
      expect(
        await d.append(["x"]).then(
          () => "written",
          () => "refused",
        ),
      ).toBe("refused");
      await d.close();
    }
    expect([text("link.jsonl"), existsSync(join(outside, "new"))]).toEqual(["", false]);
  } finally {
    rmSync(outside, { recursive: true });
  }
  for (const name of [
    "",
    ".",
    "..",
    "../x",
    "a/../x",
    "/etc/passwd",
    "a//b",
    ".hidden",
    "a\0b",
    "a b",
    "x".repeat(101),
    "a/b/c/d/e/f/g/h/i",
  ])
    expect(() => checkName(name)).toThrow("path: ");
  expect(checkName("rooms/kitchen-1/log.2.jsonl")).toBe("rooms/kitchen-1/log.2.jsonl");
});
