import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HEAD, openTraceFile } from "../../../server/node/trace_file.ts";

let home: string;
let log: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "baomq-trace-"));
  log = join(home, "log");
});
afterEach(() => rmSync(home, { recursive: true }));

/** Writes one line through it. */
function write(file: string, line = "x"): void {
  const sink = openTraceFile(file, log);
  sink.line(line);
  sink.close();
}
const read = (...path: string[]): string => readFileSync(join(log, ...path), "utf8");

describe("names", () => {
  test.each([
    ["c.log", "c.log"],
    ["log/c.log", "c.log"],
    ["log//c.log", "c.log"],
    ["./c.log", "c.log"],
    ["log", "log"],
    ["a/b/c.log", "a/b/c.log"],
    ["a/../c.log", "c.log"],
    ["log/log/c.log", "log/c.log"],
  ])("%s", (given, path) => {
    write(given, "one line");
    expect(read(path)).toBe(`${HEAD}one line\n`);
  });

  test("an absolute path in the log directory", () => {
    write(join(log, "deep", "c.log"));
    expect(read("deep", "c.log")).toBe(`${HEAD}x\n`);
  });

  test.each(["../c.log", "log/../../c.log", "a/../../c.log", "..", ".", "log/", "/etc/passwd", "/", "log/../..", "..\u0000"])(
    "%j is refused",
    (given) => {
      expect(() => openTraceFile(given, log)).toThrow();
    },
  );

  test("a path beside the log directory whose name begins like it", () => {
    expect(() => openTraceFile(`${log}2/c.log`, log)).toThrow(/not in the log directory/);
    expect(existsSync(`${log}2`)).toBe(false);
  });
});

describe("files of others", () => {
  test("are not written to: the log, an empty file, a shorter one", () => {
    mkdirSync(log);
    for (const [name, text] of Object.entries({ "emqx.log": "2026 [notice] BaoMQ is running\n", empty: "", short: "# BaoMQ" })) {
      writeFileSync(join(log, name), text);
      expect(() => openTraceFile(name, log)).toThrow(/exists, and is not the file of a trace/);
      expect(read(name)).toBe(text);
    }
    mkdirSync(join(log, "dir"));
    expect(() => openTraceFile("dir", log)).toThrow(/exists/);
  });

  test("a link leads nowhere: neither the file, nor a directory on the way", () => {
    mkdirSync(log);
    const outside = join(home, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "precious"), HEAD);
    symlinkSync(join(outside, "precious"), join(log, "link"));
    symlinkSync(join(outside, "nothing yet"), join(log, "dangling"));
    symlinkSync(outside, join(log, "way"));
    for (const name of ["link", "dangling", "way/new.log", "way/new/new.log"]) expect(() => openTraceFile(name, log)).toThrow();
    expect(readFileSync(join(outside, "precious"), "utf8")).toBe(HEAD);
    expect(existsSync(join(outside, "new.log"))).toBe(false);
    expect(existsSync(join(outside, "new"))).toBe(false);
    expect(existsSync(join(outside, "nothing yet"))).toBe(false);
  });

  test("the log directory itself may be a link", () => {
    mkdirSync(join(home, "real"));
    symlinkSync(join(home, "real"), log);
    write("c.log");
    expect(readFileSync(join(home, "real", "c.log"), "utf8")).toBe(`${HEAD}x\n`);
  });

  test("one's own file goes on", () => {
    write("c.log", "one");
    write("c.log", "two");
    expect(read("c.log")).toBe(`${HEAD}one\ntwo\n`);
  });
});
