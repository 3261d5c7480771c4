import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hasWildcard, parseSharedFilter, topicLevels, topicMatches, validTopicFilter, validTopicName } from "../../../server/mqtt/topic.ts";

describe("validTopicName", () => {
  const good = ["a", "/", "//", "a/b", "$SYS/x", "a b", "温度", "🚀", "\ufeff", "x".repeat(65_535), "é".repeat(32_767)];
  const bad: [string, string][] = [
    ["[MQTT-4.7.3-1] empty", ""],
    ["[MQTT-3.3.2-2] #", "a/#"],
    ["[MQTT-3.3.2-2] +", "+"],
    ["[MQTT-3.3.2-2] + inside a level", "a+b"],
    ["[MQTT-4.7.3-2] U+0000", "a\0b"],
    ["[MQTT-4.7.3-3] 65,536 bytes", "x".repeat(65_536)],
    ["[MQTT-4.7.3-3] 65,536 bytes in two-byte characters", "é".repeat(32_768)],
    ["[MQTT-4.7.3-3] 65,538 bytes in three-byte characters", "温".repeat(21_846)],
    ["lone surrogate", "a\ud800"],
    ["[MQTT-1.5.4] a control character", "a\u0001b"],
    ["a line feed at the end", "a\n"],
    ["U+007F", "a\u007f"],
    ["U+009F", "a\u009f"],
    ["a non-character", "a\ufffe"],
    ["a non-character of two units", "a\u{1ffff}"],
  ];
  for (const name of good) test(`accepts ${name.slice(0, 10)} (${name.length})`, () => expect(validTopicName(name)).toBe(true));
  for (const [why, name] of bad) test(`refuses: ${why}`, () => expect(validTopicName(name)).toBe(false));
});

describe("validTopicFilter", () => {
  const good = ["#", "+", "a", "/", "a/#", "a/+", "+/+", "+/a/#", "/+", "+/", "/#", "a//b", "$SYS/#", "$share/g/a", "x".repeat(65_535)];
  const bad: [string, string][] = [
    ["[MQTT-4.7.3-1] empty", ""],
    ["[MQTT-4.7.1-1] # before the end", "a/#/b"],
    ["[MQTT-4.7.1-1] # behind something", "a#"],
    ["[MQTT-4.7.1-1] # before something", "#a"],
    ["[MQTT-4.7.1-1] two #", "##"],
    ["[MQTT-4.7.1-1] # twice", "#/#"],
    ["[MQTT-4.7.1-2] + behind something", "a+"],
    ["[MQTT-4.7.1-2] + before something", "a/+b"],
    ["[MQTT-4.7.1-2] two +", "a/++"],
    ["mixed", "+#"],
    ["[MQTT-4.7.3-2] U+0000", "a\0"],
    ["[MQTT-4.7.3-3] too long", "x".repeat(65_536)],
    ["lone surrogate", "\udc00/#"],
  ];
  for (const filter of good) test(`accepts ${filter.slice(0, 12)}`, () => expect(validTopicFilter(filter)).toBe(true));
  for (const [why, filter] of bad) test(`refuses: ${why}`, () => expect(validTopicFilter(filter)).toBe(false));
});

describe("parseSharedFilter", () => {
  const rows: [string, { group: string | null; filter: string } | null][] = [
    ["a/b", { group: null, filter: "a/b" }],
    ["$SYS/#", { group: null, filter: "$SYS/#" }],
    ["$share/g/a/b", { group: "g", filter: "a/b" }],
    ["$share/g/#", { group: "g", filter: "#" }],
    ["$share/g/+/x", { group: "g", filter: "+/x" }],
    ["$share/g//a", { group: "g", filter: "/a" }],
    ["$queue/a/+", { group: "$queue", filter: "a/+" }],
    ["$queue//", { group: "$queue", filter: "/" }],
    ["$share", { group: null, filter: "$share" }],
    ["$queue", { group: null, filter: "$queue" }],
    ["$shared/x", { group: null, filter: "$shared/x" }],
    // A share name of at least one character, without wildcards [MQTT-4.8.2-1], and a filter behind it [MQTT-4.8.2-2].
    ["$share/", null],
    ["$share//a", null],
    ["$share/g", null],
    ["$share/g/", null],
    ["$share/+/a", null],
    ["$share/#", null],
    ["$queue/", null],
    ["$share/g/$share/h/a", null],
    ["$queue/$share/g/a", null],
    ["$share/g/$queue/a", null],
    ["$share/g/a/#/b", null],
    ["$share/g/a+", null],
    ["", null],
    ["a/#/b", null],
  ];
  for (const [filter, want] of rows) test(filter || "empty", () => expect(parseSharedFilter(filter)).toEqual(want));
});

describe("topicMatches", () => {
  const rows: [topic: string, filter: string, matches: boolean][] = [
    ["a", "a", true],
    ["a", "b", false],
    ["a/b", "a/b", true],
    ["a/b", "a", false],
    ["a", "a/b", false],
    ["a/b", "a/bc", false],
    ["a/bc", "a/b", false],
    ["A", "a", false],
    ["a/b/c", "#", true],
    ["a", "#", true],
    ["/", "#", true],
    ["a/b/c", "a/#", true],
    ["a", "a/#", true],
    ["ab", "a/#", false],
    ["a/", "a/#", true],
    ["b", "a/#", false],
    ["a/b", "a/b/#", true],
    ["sport/tennis/player1", "sport/tennis/player1/#", true],
    ["a", "+", true],
    ["a/b", "+", false],
    ["/a", "+", false],
    ["/a", "/+", true],
    ["/a", "+/+", true],
    ["/", "+/+", true],
    ["a/", "a/+", true],
    ["a", "a/+", false],
    ["a/b/c", "a/+", false],
    ["a/b/c", "a/+/c", true],
    ["a/b/d", "a/+/c", false],
    ["a//c", "a/+/c", true],
    ["a/b/c/d", "+/b/#", true],
    ["a", "+/#", true],
    ["a/b/c/d", "+/+/+", false],
    ["a", "a/+/#", false],
    ["a/b", "a/+/#", true],
    ["温/b", "+/b", true],
    // [MQTT-4.7.2-1]
    ["$SYS/x", "#", false],
    ["$SYS/x", "+/x", false],
    ["$SYS/x", "$SYS/#", true],
    ["$SYS/x", "$SYS/+", true],
    ["$SYS", "$SYS/#", true],
    ["a/$x", "a/#", true],
    ["a/$x", "a/+", true],
    ["a/$x", "+/$x", true],
  ];
  for (const [topic, filter, want] of rows) {
    test(`${topic} ${want ? "is" : "is not"} selected by ${filter}`, () => expect(topicMatches(topic, filter)).toBe(want));
  }

  const level = fc.constantFrom("", "a", "b", "ab", "$x");
  const name = fc.array(level, { minLength: 1, maxLength: 5 }).map((l) => l.join("/"));
  const filterOf = fc
    .array(fc.constantFrom("", "a", "b", "ab", "$x", "+"), { minLength: 1, maxLength: 5 })
    .chain((levels) => fc.boolean().map((tail) => [...levels, ...(tail ? ["#"] : [])].join("/")));

  /** The rules of section 4.7 level by level, slow and plain. */
  function byLevels(topic: string, filter: string): boolean {
    const f = filter.split("/");
    const t = topic.split("/");
    if (topic.startsWith("$") && (f[0] === "+" || f[0] === "#")) return false;
    for (let i = 0; i < f.length; i++) {
      if (f[i] === "#") return true;
      if (i >= t.length || (f[i] !== "+" && f[i] !== t[i])) return false;
    }
    return f.length === t.length;
  }

  test("agrees with the rules applied level by level", () => {
    fc.assert(
      fc.property(name, filterOf, (topic, filter) => {
        fc.pre(topic !== "" && filter !== "");
        expect(topicMatches(topic, filter)).toBe(byLevels(topic, filter));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("topic shapes", () => {
  test("hasWildcard", () => {
    expect(["a/+", "#", "+/a", "a/#"].map(hasWildcard)).toEqual([true, true, true, true]);
    expect(["a/b", "", "$SYS"].map(hasWildcard)).toEqual([false, false, false]);
  });
  test("topicLevels", () => {
    expect(["a", "a/b", "/", "a//b", "/a/b/"].map(topicLevels)).toEqual([1, 2, 2, 3, 4]);
  });
});
