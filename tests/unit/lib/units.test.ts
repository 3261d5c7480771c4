import { describe, expect, test } from "bun:test";
import {
  parseAddress,
  parseByteRate,
  parseBytes,
  parseDuration,
  parseFlag,
  parseInteger,
  parseList,
  parseNumber,
  parsePercent,
  parseRate,
  ValueError,
} from "../../../server/lib/units.ts";

const expected = (fn: () => unknown): string => {
  try {
    fn();
  } catch (err) {
    if (err instanceof ValueError) return err.expected;
    throw err;
  }
  return "nothing thrown";
};

describe("durations", () => {
  test.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["1m", 60_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["1w", 604_800_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1500],
    [" 20S ", 20_000],
    ["0", 0],
    ["0s", 0],
  ])("%s", (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(["", "10", "s", "10 s", "-1s", "10x", "1m2", "1e3s", "99999999999999w"])("%j is none", (text) => {
    expect(expected(() => parseDuration(text))).toContain("10s, 1m");
  });
});

describe("sizes", () => {
  test.each([
    ["512", 512],
    ["64KB", 65_536],
    ["64kb", 65_536],
    ["1MB", 1_048_576],
    ["1GB", 1_073_741_824],
    ["1.5MB", 1_572_864],
    ["2 KB", 2048],
    ["0", 0],
  ])("%s", (text, n) => expect(parseBytes(text)).toBe(n));

  test.each(["", "MB", "1TB", "-1", "1,5MB", "1MBs", "99999999999GB"])("%j is none", (text) => {
    expect(expected(() => parseBytes(text))).toBe("a size such as 512, 64KB, 1MB or 1GB");
  });
});

test("percentages", () => {
  expect(parsePercent("80%")).toBe(80);
  expect(parsePercent("0.5%")).toBe(0.5);
  for (const text of ["80", "101%", "%", "-1%"]) expect(expected(() => parsePercent(text))).toBe("a percentage such as 80%");
});

test("flags", () => {
  expect(["on", "true", "ON", " True "].map(parseFlag)).toEqual([true, true, true, true]);
  expect(["off", "false"].map(parseFlag)).toEqual([false, false]);
  for (const text of ["", "yes", "1"]) expect(expected(() => parseFlag(text))).toBe("on or off (true or false)");
});

test("whole numbers and their range", () => {
  expect(parseInteger("42")).toBe(42);
  expect(parseInteger("-1")).toBe(-1);
  expect(expected(() => parseInteger("70000", 0, 65_535))).toBe("a whole number from 0 to 65535");
  expect(expected(() => parseInteger("-1", 0))).toBe("a whole number, 0 or more");
  expect(expected(() => parseInteger("1.5"))).toBe("a whole number");
  expect(expected(() => parseInteger("0x10"))).toBe("a whole number");
});

test("numbers", () => {
  expect(parseNumber("0.75")).toBe(0.75);
  expect(expected(() => parseNumber("2", 0, 1))).toBe("a number from 0 to 1, such as 0.75");
  expect(expected(() => parseNumber("1e3"))).toContain("a number");
});

test("lists", () => {
  expect(parseList("a, b ,,c")).toEqual(["a", "b", "c"]);
  expect(parseList("")).toEqual([]);
});

test("rates", () => {
  expect(parseRate("10,1m")).toEqual({ count: 10, intervalMs: 60_000 });
  expect(parseRate("10, 1m")).toEqual({ count: 10, intervalMs: 60_000 });
  for (const text of ["10", "10,", "0,1m", "10,0s", "1m,10", "1,1m,1"]) {
    expect(expected(() => parseRate(text))).toBe("a count and an interval, such as 10,1m");
  }
  expect(parseByteRate("1KB,4KB")).toEqual({ rate: 1024, burst: 4096 });
  for (const text of ["1024", "0,1", "a,b"]) expect(expected(() => parseByteRate(text))).toContain("bytes per second");
});

test("addresses", () => {
  expect(parseAddress("1883")).toEqual({ host: "0.0.0.0", port: 1883, text: "1883" });
  expect(parseAddress("127.0.0.1:11883")).toEqual({ host: "127.0.0.1", port: 11_883, text: "127.0.0.1:11883" });
  expect(parseAddress("[::1]:1883")).toMatchObject({ host: "::1", port: 1883 });
  expect(parseAddress("localhost:0")).toMatchObject({ host: "localhost", port: 0 });
  for (const text of ["", "::1", "::1:1883", "host", "1.2.3.4:", "1.2.3.4:70000", "a b:1"]) {
    expect(expected(() => parseAddress(text))).toContain("0.0.0.0:1883");
  }
});

test("the message names what was expected and what came", () => {
  expect(() => parseDuration("10")).toThrow('expected a duration with its unit, such as 500ms, 10s, 1m, 2h, 1d or 1w, got "10"');
});
