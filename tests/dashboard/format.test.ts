import { describe, expect, test } from "bun:test";
import { bytes, compact, duration, integer, isSet, percent, relativeTime, shortTime } from "../../dashboard/src/lib/format.ts";
import { asHex, asJson, asText, fromBase64, parseHex, show, toBase64, utf8 } from "../../dashboard/src/lib/payload.ts";
import { filterError, matches, topicError } from "../../dashboard/src/lib/topic.ts";

describe("format", () => {
  test("numbers", () => {
    expect(integer(1234567)).toBe("1,234,567");
    expect([0, 0.44, 12.3, 940, 1234, 3_400_000].map((n) => compact(n))).toEqual(["0", "0.4", "12", "940", "1.2K", "3.4M"]);
    expect([0, 1023, 1536, 1_048_576, 150 * 1024 ** 3].map((n) => bytes(n))).toEqual(["0 B", "1,023 B", "1.5 KB", "1 MB", "150 GB"]);
    expect(percent(7.25)).toBe("7.3 %");
  });

  test("durations have two parts at most", () => {
    expect(duration(0)).toBe("0s");
    expect(duration(59)).toBe("59s");
    expect(duration(3723)).toBe("1h 2m");
    expect(duration(86_400 * 3 + 7200)).toBe("3d 2h");
    expect(duration(86_405)).toBe("1d");
    expect(duration(7200, "zh")).toBe("2小时");
  });

  test("times: near ones short, far ones with their date", () => {
    const now = new Date(2026, 10, 24, 12, 0, 0).getTime();
    expect(shortTime(now - 60_000, now, "en")).toBe("11:59:00");
    expect(shortTime(new Date(2026, 2, 5, 8, 4).getTime(), now, "en")).toContain("Mar 5");
    expect(shortTime(new Date(2024, 2, 5).getTime(), now, "en")).toContain("2024");
    expect(relativeTime(now - 180_000, now, "en")).toBe("3 minutes ago");
    expect(relativeTime(now + 7_200_000, now, "zh")).toBe("2小时后");
  });

  test("unset values of the API", () => {
    expect([undefined, null, "", "undefined", 0, false, "x"].map(isSet)).toEqual([false, false, false, false, true, true, true]);
  });
});

describe("payload", () => {
  const binary = Uint8Array.of(0, 255, 16, 65);
  test("JSON, text and hex are told apart", () => {
    expect(asJson(utf8('{"a":1}'))).toBe('{\n  "a": 1\n}');
    expect(asJson(utf8("12"))).toBeNull();
    expect(asText(binary)).toBeNull();
    expect(asText(utf8("grüße"))).toBe("grüße");
    expect(asHex(binary)).toContain("00 ff 10 41");
    expect(asHex(binary)).toContain("···A");
    expect(show(binary, "auto")).toContain("00 ff");
    expect(show(utf8("x"), "base64")).toBe("eA==");
    expect(show(utf8("{broken"), "json")).toBe("{broken");
  });
  test("hex and base64 back to bytes", () => {
    expect(parseHex("00 ff:10,0x41")).toEqual(binary);
    expect(parseHex("abc")).toBeNull();
    expect(parseHex("zz")).toBeNull();
    expect(fromBase64(toBase64(binary))).toEqual(binary);
  });
});

describe("topics", () => {
  test("filters", () => {
    expect(["a/+/#", "#", "+", "/", "$share/g/a"].map(filterError)).toEqual([null, null, null, null, null]);
    expect(["", "a#", "#/a", "a+/b", "a\u0000"].map(filterError)).toEqual([
      "topic.empty",
      "topic.hash",
      "topic.hash",
      "topic.plus",
      "topic.nul",
    ]);
    expect([topicError("a/b"), topicError("a/+"), topicError("")]).toEqual([null, "topic.wildcard", "topic.empty"]);
  });
  test("matching [MQTT-4.7]", () => {
    const yes = [
      ["a/#", "a"],
      ["a/#", "a/b/c"],
      ["+/b", "a/b"],
      ["#", "a"],
      ["/+", "/a"],
      ["$SYS/#", "$SYS/x"],
    ] as const;
    const no = [
      ["a/+", "a"],
      ["a/+", "a/b/c"],
      ["#", "$SYS/x"],
      ["+/x", "$SYS/x"],
      ["a", "A"],
    ] as const;
    expect(yes.map(([f, t]) => matches(f, t))).toEqual(yes.map(() => true));
    expect(no.map(([f, t]) => matches(f, t))).toEqual(no.map(() => false));
  });
});
