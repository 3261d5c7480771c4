import { describe, expect, test } from "bun:test";
import * as entries from "../../../server/lib/config_entry.ts";
import { ValueError } from "../../../server/lib/units.ts";

const { bytes, flag, ignored, integer, list, oneOf, optional, pattern, percent, rate, secret, text } = entries;

describe("every kind", () => {
  test.each<[entries.Entry<unknown>, unknown]>([
    [text("a b", ""), "a b"],
    [secret("x", ""), "x"],
    [flag("on", ""), true],
    [integer(32, ""), 32],
    [entries.number(0.75, ""), 0.75],
    [bytes("1MB", ""), 1_048_576],
    [entries.duration("15s", ""), 15_000],
    [percent("80%", ""), 80],
    [rate("10,1m", ""), { count: 10, intervalMs: 60_000 }],
    [entries.byteRate("1KB,2KB", ""), { rate: 1024, burst: 2048 }],
    [entries.address("1883", ""), { host: "0.0.0.0", port: 1883, text: "1883" }],
    [list("a,b", ""), ["a", "b"]],
    [oneOf(["ram", "disc"], "disc", ""), "disc"],
    [ignored("quorum", "no reason"), "quorum"],
  ])("%#: its default parses", (e, value) => expect(e.parse(e.default)).toEqual(value));
});

test("an optional key is unset by default, its default an example", () => {
  const e = optional(bytes("2KB", "size"));
  expect(e).toMatchObject({ optional: true, required: false, default: "2KB", type: "bytes" });
  expect(e.parse("")).toBeNull();
  expect(e.parse("2KB")).toBe(2048);
  expect(() => e.parse("x")).toThrow(ValueError);
});

test("one of several words, whatever their case", () => {
  const e = oneOf(["highest", "lowest"], "highest", "");
  expect(e.parse("LOWEST")).toBe("lowest");
  expect(e.choices).toEqual(["highest", "lowest"]);
  expect(() => e.parse("middle")).toThrow("expected highest or lowest");
  expect(oneOf(["a", "b", "c"], "a", "").expects).toBe("a, b or c");
});

test("a size with a least: 0 is none, anything below is no size", () => {
  const e = entries.bytesFrom("64MB", "0", "");
  expect(e.parse("0")).toBe(0);
  expect(e.parse("64MB")).toBe(64 * 1024 * 1024);
  expect(() => e.parse("1")).toThrow("expected 0, or a size such as 512, 64KB, 1MB or 1GB, at least 64MB");
});

test("limits of a number stand in its words", () => {
  expect(integer(1, "", { min: 1, max: 4 }).expects).toBe("a whole number from 1 to 4");
  expect(() => integer(1, "", { min: 1, max: 4 }).parse("5")).toThrow(ValueError);
});

test("text with a form", () => {
  const url = pattern("http://a", /^https?:\/\//, "a URL", "");
  expect(url.parse("https://b")).toBe("https://b");
  expect(() => url.parse("ftp://c")).toThrow("expected a URL");
});

test("an ignored key tells why", () => {
  expect(ignored("on", "Erlang only").ignored).toBe("Erlang only");
  expect(text("", "").ignored).toBeNull();
});

test("options", () => {
  expect(text("", "", { live: false, required: false, hidden: true, desc: "D" })).toMatchObject({
    live: false,
    required: false,
    hidden: true,
    desc: "D",
  });
  expect(text("", "")).toMatchObject({ live: true, required: true, hidden: false, desc: "" });
});
