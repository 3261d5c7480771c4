/** Lines, read back by a strict parser of the protocol as InfluxDB's reference has it. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compileLine } from "../../../../server/plugins/_connectors/line_protocol.ts";

interface Point {
  measurement: string;
  tags: Record<string, string>;
  fields: Record<string, unknown>;
  time: string;
}

/** @throws Error at the first character that may not stand there */
function parse(line: string): Point {
  let at = 0;
  const word = (ends: string, escaped: string): string => {
    let out = "";
    while (at < line.length && !ends.includes(line[at] as string)) {
      const [c, next] = [line[at] as string, line[at + 1] ?? ""];
      if (c === "\n") throw new Error(`a line ends at ${at}`);
      if (c === "\\" && escaped.includes(next) && next !== "") {
        out += next;
        at += 2;
      } else {
        out += c;
        at++;
      }
    }
    if (out === "") throw new Error(`nothing at ${at} of ${line}`);
    return out;
  };
  const one = (c: string): void => {
    if (line[at++] !== c) throw new Error(`expected ${c} at ${at - 1} of ${line}`);
  };
  const measurement = word(", ", ", ");
  const tags: Record<string, string> = {};
  while (line[at] === ",") {
    at++;
    const name = word("=, ", ",= ");
    one("=");
    tags[name] = word("=, ", ",= ");
  }
  one(" ");
  const fields: Record<string, unknown> = {};
  do {
    if (line[at] === ",") at++;
    const name = word("=, ", ",= ");
    one("=");
    if (line[at] === '"') {
      let text = "";
      for (at++; line[at] !== '"'; at++) {
        if (at >= line.length) throw new Error("a text has no end");
        if (line[at] === "\\" && '"\\'.includes(line[at + 1] ?? "")) at++;
        text += line[at];
      }
      at++;
      fields[name] = text;
    } else {
      const value = word(", ", "");
      if (/^-?\d+i$/.test(value)) fields[name] = BigInt(value.slice(0, -1));
      else if (/^\d+u$/.test(value)) fields[name] = BigInt(value.slice(0, -1));
      else if (value === "true" || value === "false") fields[name] = value === "true";
      else if (/^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/.test(value)) fields[name] = Number(value);
      else throw new Error(`no value: ${value}`);
    }
  } while (line[at] === ",");
  one(" ");
  const time = line.slice(at);
  if (!/^-?\d+$/.test(time)) throw new Error(`no time: ${time}`);
  return { measurement, tags, fields, time };
}

const T = { measurement: "m", tags: {}, fields: { v: "${v}" }, timestamp: "" };
const of = (p: Partial<Parameters<typeof compileLine>[0]>, row: Record<string, unknown>): Point =>
  parse(compileLine({ ...T, ...p }, "ms").line(row, 1_700_000_000_123));

describe("types of fields", () => {
  for (const [template, v, expected] of [
    ["${v}", 21.5, 21.5],
    ["${v}", 3, 3],
    ["${v}", -1e-7, -1e-7],
    ["${v}", 1e21, 1e21],
    ["${v}", true, true],
    ["${v}", "a text", "a text"],
    ["${v}", "21.5", "21.5"],
    ["${v}", { a: [1] }, '{"a":[1]}'],
    ["${v}", 2n ** 60n, 2 ** 60],
    ["${v}i", 2n ** 60n + 1n, 2n ** 60n + 1n],
    ["${v}u", 2n ** 64n - 1n, 2n ** 64n - 1n],
    ["${v}", new Uint8Array([65, 66]), "AB"],
    ["${v}i", 21.9, 21n],
    ["${v}i", "-7", -7n],
    ["${v}i", true, 1n],
    ["${v}u", 7, 7n],
    ['"${v}"', 21, "21"],
    ["room ${v}", 5, "room 5"],
    ["42i", 0, 42n],
    ["1.5", 0, 1.5],
    ["true", 0, true],
    [7, 0, 7],
  ] as const)
    test(`${template} of ${typeof v === "bigint" ? `${v}n` : JSON.stringify(v)}`, () =>
      expect(of({ fields: { v: template } }, { v }).fields).toEqual({ v: expected }));

  test("what is not there, and what is no number, is left out", () => {
    expect(of({ fields: { a: "${a}", b: "${b}", c: "${c}", d: 1 } }, { b: null, c: Number.NaN }).fields).toEqual({ d: 1 });
    expect(() => of({}, {})).toThrow("none of them is there");
  });

  test("no integer of 64 bits", () => {
    for (const v of ["x", 1e30, 2n ** 63n, {}]) expect(() => of({ fields: { v: "${v}i" } }, { v })).toThrow(/no integer/);
    expect(() => of({ fields: { v: "${v}u" } }, { v: -1 })).toThrow(/no unsigned integer/);
  });
});

test("times in each precision", () => {
  for (const [precision, time] of [
    ["s", "1700000000"],
    ["ms", "1700000000123"],
    ["us", "1700000000123000"],
    ["ns", "1700000000123000000"],
  ] as const)
    expect(parse(compileLine(T, precision).line({ v: 1 }, 1_700_000_000_123.7)).time).toBe(time);
  expect(of({ timestamp: "${ts}" }, { v: 1, ts: "-5" }).time).toBe("-5");
  expect(() => of({ timestamp: "${ts}" }, { v: 1, ts: "now" })).toThrow(/whole number/);
});

test("tags in order, empty ones left out", () => {
  const line = compileLine({ ...T, tags: { z: "1", a: "${a}", none: "${none}", empty: "${empty}" } }, "ms").line(
    { v: 1, a: "x y", empty: "" },
    0,
  );
  expect(line).toBe("m,a=x\\ y,z=1 v=1 0");
});

test("whatever is in names and values, it is one point that says the same", () => {
  const plain = (s: string): string => s.replaceAll(/[\r\n\0]/g, " ").replace(/\\+$/, "");
  const text = fc.string({ unit: fc.constantFrom("a", " ", ",", "=", '"', "\\", "\n", "\r", "é", "😀", "#") });
  fc.assert(
    fc.property(text, text, text, text, (m, tag, tagValue, field) => {
      const measurement = plain(m);
      fc.pre(measurement !== "" && !measurement.startsWith("#") && plain(tag) !== "" && plain(field) !== "");
      const compiled = compileLine({ measurement: "${m}", tags: { [tag]: "${t}" }, fields: { [field]: '"${f}"' }, timestamp: "" }, "ms");
      const point = parse(compiled.line({ m, t: tagValue, f: m }, 5));
      expect(point).toEqual({
        measurement,
        tags: plain(tagValue) === "" ? {} : { [plain(tag)]: plain(tagValue) },
        fields: { [plain(field)]: m.replaceAll("\0", "") },
        time: "5",
      });
    }),
    { numRuns: 2000 },
  );
});

test("a line that is longer than a row may become is refused before it is put together", () => {
  const each = (value: string) => Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, value]));
  const row = { v: "x".repeat(100_000) };
  const TOO_LONG = "what the row would become has more than 33554432 characters";
  expect(() => compileLine({ ...T, fields: each("${v}") }, "ms").line(row, 0)).toThrow(TOO_LONG);
  expect(() => compileLine({ ...T, tags: each("${v}") }, "ms").line(row, 0)).toThrow(TOO_LONG);
  expect(compileLine({ ...T, tags: each("${v}"), fields: each("${v}") }, "ms").line({ v: 1 }, 0).length).toBeLessThan(50_000);
});
