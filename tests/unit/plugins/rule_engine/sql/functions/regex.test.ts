/** Patterns: as the runtime's own understand them, and in linear time whatever they are. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ArgumentError } from "../../../../../../server/plugins/rule_engine/sql/errors.ts";
import { extract, likePattern, match, pattern, replaceAll } from "../../../../../../server/plugins/rule_engine/sql/functions/regex.ts";

describe("match", () => {
  test.each([
    ["", "", true],
    ["", "abc", true],
    ["b", "abc", true],
    ["^b", "abc", false],
    ["^a.c$", "abc", true],
    ["c$", "abc", true],
    ["c$", "abc\n", true],
    ["c\\z", "abc\n", false],
    ["c\\Z", "abc\n", true],
    ["\\Aa", "ba", false],
    ["a|b|", "c", true],
    ["^(a|bc)+$", "abca", true],
    ["^(a|bc)+$", "abcb", false],
    ["^a{2}$", "aa", true],
    ["^a{2}$", "aaa", false],
    ["^a{2,}$", "aaaa", true],
    ["^a{1,3}$", "aaaa", false],
    ["^a{,3}$", "a{,3}", true],
    ["a{x", "a{x", true],
    ["^x{0}$", "", true],
    ["[a-c]+", "b", true],
    ["^[^a-c]+$", "xyz", true],
    ["^[^a-c]+$", "xbz", false],
    ["[]a]", "]", true],
    ["[^]a]", "]", false],
    ["[a-]", "-", true],
    ["[\\]\\-\\\\]", "\\", true],
    ["[\\d_]", "_", true],
    ["[[:alpha:]]", "1", false],
    ["[[:^alpha:][:upper:]]", "A", true],
    ["[[:punct:]]", "!", true],
    ["\\d\\D\\w\\W\\s\\S", "1a_- x", true],
    ["\\d", "٣", false],
    ["\\bfoo\\b", "a foo b", true],
    ["\\bfoo\\b", "afoob", false],
    ["\\Boo\\B", "afoob", true],
    ["\\x41\\x{1F680}\\u0042", "A🚀B", true],
    ["^.$", "🚀", true],
    ["^[🚀-🚂]$", "🚁", true],
    ["\\p{L}+", "ß", true],
    ["^\\P{L}$", "ß", false],
    ["\\p{^L}", "1", true],
    ["^\\p{Lu}$", "a", false],
    ["a.b", "a\nb", false],
    ["(?s)a.b", "a\nb", true],
    ["^b$", "a\nb\nc", false],
    ["(?m)^b$", "a\nb\nc", true],
    ["(?i)straSSe", "STRASSE", true],
    ["(?i)[a-z]+É", "Xé", true],
    ["a(?i)b", "aB", true],
    ["a(?i)b", "AB", false],
    ["a(?i:b)c", "aBC", false],
    ["(?<year>\\d{4})", "in 2024", true],
    ["(?P<year>\\d{4})", "in 2024", true],
    ["(?:ab)*c", "ababc", true],
    ["(a*)*", "b", true],
    ["(a*)+$", "aaab", true],
    ["^(|a)*b$", "aab", true],
    ["\\.", "a", false],
    ["\\/", "/", true],
    ["\\-\\#\\ ", "-# ", true],
  ] as const)("%s in %j: %p", (p, text, matches) => {
    expect(match(pattern(p), text)).toBe(matches);
  });
});

test.each([
  ["(", "whose ( are closed"],
  [")", "whose ) have a ( before"],
  ["a)", "whose ) have a ( before"],
  ["[a", "whose [ are closed"],
  ["[", "whose [ are closed"],
  ["\\", "that goes on"],
  ["*", "something to repeat before *"],
  ["a|+", "something to repeat before +"],
  ["a**", "one quantifier"],
  ["a+{2}", "one quantifier"],
  ["a++", "no possessive quantifiers"],
  ["^*", "something to repeat"],
  ["(a)\\1", "no back references"],
  ["(?=a)", "no look-around"],
  ["(?<!a)b", "no look-around"],
  ["(?>a)", "no look-around and no atomic groups"],
  ["a{2,1}", "{n,m}"],
  ["a{2000}", "{n,m}"],
  ["[z-a]", "a range such as a-z"],
  ["[\\d-z]", null],
  ["[a-\\d]", "a range such as a-z"],
  ["\\q", "not \\q"],
  ["\\xZZ", "hexadecimal digits behind \\x"],
  ["\\x{110000}", "hexadecimal digits"],
  ["\\p{Nonsense}", "a property that is known"],
  ["\\p", "a property such as"],
  ["x".repeat(1025), "at most 1024 characters"],
  ["(".repeat(80) + ")".repeat(80), "groups nested 64 deep"],
  ["(((a{100}){100}){100})", "more than 2000 steps"],
  [5, "a pattern, got number 5"],
] as const)("refused: %p", (p, says) => {
  if (says === null) {
    expect(match(pattern(p), "-")).toBe(true);
    return;
  }
  expect(() => pattern(p)).toThrow(says);
});

test.each([
  ["(\\d+)", "Number: 12345", ["12345"]],
  ["(\\w+).*\\s(\\w+)", "Hello, world!", ["Hello", "world"]],
  ["(\\d+)", "No numbers here!", []],
  ["\\d+", "12", []],
  ["(\\d{4})-(\\d{2})-(\\d{2})", "Date: 2021-05-20", ["2021", "05", "20"]],
  ["(a)|(b)", "b", ["", "b"]],
  ["(a+?)(a*)", "aaa", ["a", "aa"]],
  ["(a+)(a*)", "aaa", ["aaa", ""]],
  ["(a|ab)(c|bcd)(d*)", "abcd", ["a", "bcd", ""]],
  ["x(y(z))?", "x", ["", ""]],
  ["(a)+", "aaa", ["a"]],
  ["((a)|b)+", "ab", ["b", "a"]],
] as const)("groups of %s in %j", (p, text, groups) => {
  expect(extract(pattern(p), text)).toEqual([...groups]);
});

test.each([
  ["\\d+", "hello 123", "world", "hello world"],
  [";\\s*", "a;b; c", ",", "a,b,c"],
  ["b", "abcb", "[&]", "a[b]c[b]"],
  ["(a)(b)", "abab", "\\2\\1", "baba"],
  ["(a)", "a", "\\g{1}\\g1\\0", "aaa"],
  ["a", "a", "\\&\\\\", "&\\"],
  ["a", "a", "$&", "$a"],
  ["(a)", "a", "\\9", ""],
  ["", "ab", "-", "-a-b-"],
  ["x*", "axb", "-", "-a--b-"],
  ["", "🚀", "-", "-🚀-"],
  ["^", "ab", "> ", "> ab"],
  ["$", "ab", "!", "ab!"],
  ["\\b", "ab cd", "|", "|ab| |cd|"],
  ["none", "abc", "x", "abc"],
] as const)("%s in %j by %j", (p, text, by, result) => {
  expect(replaceAll(pattern(p), text, by)).toBe(result);
});

test("LIKE: only % and _ mean anything", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      const quoted = a.replace(/[%_\\]/g, "\\$&");
      expect(match(likePattern(quoted), a)).toBe(true);
      expect(match(likePattern(`%${quoted}%`), b + a + b)).toBe(true);
      expect(match(likePattern(quoted), b)).toBe(a === b);
    }),
  );
});

/** Small patterns of everything that both understand in the same way, without empty loops (ECMAScript's are its own). */
const piece = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\w", "\\d", "[b-d]", "\\b", "^", "$"),
    fc.tuple(tie("node"), tie("node")).map(([x, y]) => x + y),
    fc.tuple(tie("node"), tie("node")).map(([x, y]) => `(?:${x}|${y})`),
    tie("node").map((x) => `(${x})`),
    fc
      .tuple(fc.constantFrom("a", "[ab]", "(?:ab)", "(c)", "."), fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "*?", "+?", "??", "{2,}"))
      .map(([x, q]) => x + q),
  ),
})).node;

test("the same matches and groups as the runtime's own", () => {
  fc.assert(
    fc.property(piece, fc.string({ unit: fc.constantFrom("a", "b", "c", "d", "1", " "), maxLength: 12 }), (source, text) => {
      const theirs = new RegExp(source).exec(text);
      expect([source, text, match(pattern(source), text)]).toEqual([source, text, theirs !== null]);
      expect([source, text, ...extract(pattern(source), text)]).toEqual([source, text, ...(theirs?.slice(1).map((g) => g ?? "") ?? [])]);
      expect(replaceAll(pattern(source), text, "<&>")).toBe(text.replace(new RegExp(source, "g"), (m) => `<${m}>`));
    }),
    { numRuns: 1500 },
  );
});

test("any text is a pattern, or refused with an error of its own", () => {
  const unit = fc.constantFrom(..."ab()[]{}|*+?\\^$.-,:<>=!0123dwsxpuPLi🚀[:alpha:]".split(""));
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), fc.string({ unit, maxLength: 40 }), (source, text) => {
      try {
        match(pattern(source), text);
        extract(pattern(source), text);
        replaceAll(pattern(source), text, source);
      } catch (err) {
        expect([source, err instanceof ArgumentError || (err as Error).name === "Refusal", String(err)]).toEqual([
          source,
          true,
          String(err),
        ]);
      }
    }),
    { numRuns: 2000 },
  );
});

/** Patterns that take the runtime's own regular expressions exponential or square time. */
describe("8 KiB take a moment, whatever the pattern is", () => {
  const a = "a".repeat(8192);
  const ab = "ab".repeat(4096);
  test.each(
    [
      ["(a+)+$", `${a}!`],
      ["(a|a)*$", `${a}!`],
      ["(a|aa)+$", `${a}!`],
      ["(.*a){20}$", `${a}!`],
      ["(a*)*b", a],
      ["a*a*a*a*a*b", a],
      ["\\d+x", "1".repeat(8192)],
      [".*.*=.*", a],
      ["(x+x+)+y", "x".repeat(8192)],
      ["^(([a-z])+.)+[A-Z]([a-z])+$", a],
      ["(?:a|b|ab)*c", ab],
      ["(a?){100}a{100}", a],
      ["\\s+$", `${" ".repeat(8191)}x`],
      [`${"(a?)".repeat(200)}b`, a],
      ["^(.+)+@(.+)+\\.com$", `${a}@${a.slice(0, 100)}`],
    ].map(([p, text]) => [(p as string).slice(0, 40), p as string, text as string] as const),
  )("%s", (_label, p, text) => {
    const one = pattern(p);
    const spent = (f: () => unknown): number => {
      const before = process.cpuUsage();
      try {
        f();
      } catch (err) {
        expect(String(err)).toContain("too many steps");
      }
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    // A third of that by itself; the best of some, for others use the machine as well. What tries everything does not end at all.
    const best = Math.min(...Array.from({ length: 3 }, () => spent(() => match(one, text))));
    expect(best).toBeLessThan(150);
    for (const work of [() => extract(one, text), () => replaceAll(one, text, "x")])
      expect(Math.min(...Array.from({ length: 2 }, () => spent(work)))).toBeLessThan(450);
  });
});

test("patterns are kept, and not too many of them", () => {
  const first = pattern("kept-0");
  expect(pattern("kept-0")).toBe(first);
  for (let i = 1; i <= 256; i++) pattern(`kept-${i}`);
  expect(pattern("kept-0")).not.toBe(first);
});

test("a text that is too long is refused", () => {
  expect(() => match(pattern("a"), "x".repeat(70_000))).toThrow("text of at most 65536 characters");
});

test("64 KiB are enough for what people write", () => {
  const text = `${"word ".repeat(13_000)}a b`.slice(-65_536);
  expect(extract(pattern("(\\w+)\\s(\\w+)$"), text)).toEqual(["a", "b"]);
  expect(match(pattern("^[a-z ]+$"), text)).toBe(true);
  expect(replaceAll(pattern("\\s+"), text, "")).toHaveLength(text.replaceAll(" ", "").length);
});
