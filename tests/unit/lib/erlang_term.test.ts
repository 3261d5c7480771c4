import { describe, expect, test } from "bun:test";
import { parseTerms, printTerm, TermError } from "../../../server/lib/erlang_term.ts";

const one = (text: string): string => {
  const terms = parseTerms(text);
  expect(terms).toHaveLength(1);
  return printTerm(terms[0] as (typeof terms)[0]);
};

function errorOf(text: string): TermError {
  try {
    parseTerms(text);
  } catch (err) {
    if (err instanceof TermError) return err;
    throw err;
  }
  throw new Error(`no error: ${text}`);
}

describe("terms", () => {
  test.each([
    ["all.", "all"],
    ["'and'.", "'and'"],
    ["'hello World'.", "'hello World'"],
    ["'plain'.", "plain"],
    ['"a b".', '"a b"'],
    ['"a" "b"\n  "c".', '"abc"'],
    ['<<"bin">>.', '<<"bin">>'],
    ['<<"bin"/utf8>>.', '<<"bin">>'],
    ["<<104, 105>>.", '<<"hi">>'],
    ['<<"h", 105>>.', '<<"hi">>'],
    ["<<>>.", '<<"">>'],
    ["-12.", "-12"],
    ["{}.", "{}"],
    ["[].", "[]"],
    ["{ a , [ b , \"c\" ] , {'or', [1]} } .", "{a, [b, \"c\"], {'or', [1]}}"],
    ["{a,%} not yet\n b}.", "{a, b}"],
    ["\uFEFFall.", "all"],
    ["a@b_1.", "a@b_1"],
  ])("%s", (text, printed) => expect(one(text)).toBe(printed));

  test("escapes in strings", () => {
    const value = (text: string): string => (parseTerms(text)[0] as { value: string }).value;
    expect(value(String.raw`"\n\t\s\"\\\'\q".`)).toBe("\n\t \"\\'q");
    expect(value(String.raw`"\x41\x{1F600}\101\^A".`)).toBe("A\u{1F600}A\u0001");
    expect(value('"ümlaut/日本".')).toBe("ümlaut/日本");
  });

  test("a file of several, with comments, lines and positions", () => {
    const terms = parseTerms("%% head\r\n\r\n{allow, all}.%end\n  {deny,\n   all}.\n%last");
    expect(terms.map((t) => [t.line, t.column, printTerm(t)])).toEqual([
      [3, 1, "{allow, all}"],
      [4, 3, "{deny, all}"],
    ]);
    expect(parseTerms("")).toEqual([]);
    expect(parseTerms("  % only a comment")).toEqual([]);
  });
});

describe("errors name line, column and what was expected", () => {
  test.each([
    ["{allow, all}", 1, 13, '"." after the term', "the end of the file"],
    ["{allow, all}\n{deny, all}.", 2, 1, '"." after the term', '"{"'],
    ["{allow all}.", 1, 8, '"," or "}" to go with the "{"', '"all"'],
    ["{allow, }.", 1, 9, 'a term after ","', '"}"'],
    ["{allow, Who}.", 1, 9, 'a term after ","', '"Who"'],
    ['ok.\n"open', 2, 1, 'a closing "', "the end of the file"],
    ["[a, b}.", 1, 6, '"," or "]" to go with the "["', '"}"'],
    ['<<"a"', 1, 6, '"," or ">>"', "the end of the file"],
    ["<<300>>.", 1, 6, "a string or a byte (0 to 255)", '">"'],
    ["#.", 1, 1, "a term", '"#"'],
    ["a.b.", 1, 2, '"." after the term', '"."'],
    [String.raw`"\xZZ".`, 1, 3, 'an escape such as \\n, \\" or \\x41', '"xZZ"'],
  ])("%p", (text, line, column, expected, found) => {
    const e = errorOf(text);
    expect([e.line, e.column, e.expected, e.found] as unknown[]).toEqual([line, column, expected, found]);
    expect(e.message).toContain(`line ${line}, column ${column}: expected ${expected}`);
  });

  test("deep nesting ends in an error, not in a full stack", () => {
    expect(errorOf("[".repeat(50_000)).expected).toContain("levels of nesting");
  });
});
