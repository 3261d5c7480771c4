import { describe, expect, test } from "bun:test";
import {
  indexOfTraceparent,
  isSampled,
  newSpanId,
  readTraceparent,
  traceparentOf,
  tracestateOf,
} from "../../../../server/plugins/statsd/trace_context.ts";

const T = "0af7651916cd43dd8448eb211c80319c";
const S = "b7ad6b7169203331";

describe("traceparent (W3C Trace Context, 3.2)", () => {
  for (const [text, expected] of [
    [`00-${T}-${S}-01`, `00-${T}-${S}-01`],
    [`00-${T}-${S}-00`, `00-${T}-${S}-00`],
    // Level 2: the id is random.
    [`00-${T}-${S}-03`, `00-${T}-${S}-03`],
    // Flags nobody knows are not passed on.
    [`00-${T}-${S}-ff`, `00-${T}-${S}-03`],
    [`00-${T}-${S}-09`, `00-${T}-${S}-01`],
    // A later version, with more behind it or not.
    [`cc-${T}-${S}-01`, `00-${T}-${S}-01`],
    [`cc-${T}-${S}-01-what-the-future-brings`, `00-${T}-${S}-01`],
    [`cc-${T}-${S}-01.what`, null],
    [`00-${T}-${S}-01-more`, null],
    [`00-${T}-${S}-01-`, null],
    [`ff-${T}-${S}-01`, null],
    [`00-${"0".repeat(32)}-${S}-01`, null],
    [`00-${T}-${"0".repeat(16)}-01`, null],
    [`00-${T.toUpperCase()}-${S}-01`, null],
    [`00-${T.slice(1)}-${S}-01`, null],
    [`00-${T}-${S}-1`, null],
    [`00-${T}-${S}`, null],
    [` 00-${T}-${S}-01`, null],
    [`00-${T}-${S}-01\n`, null],
    [`0-${T}-${S}-01`, null],
    [`00_${T}_${S}_01`, null],
    ["", null],
    ["x".repeat(70_000), null],
  ] as const)
    test(text.slice(0, 80), () => {
      const read = readTraceparent(text);
      expect(read === null ? null : traceparentOf(read)).toBe(expected);
    });

  test("sampled is its last bit", () => {
    expect(["00", "01", "02", "03"].map((f) => isSampled(readTraceparent(`00-${T}-${S}-${f}`) as never))).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });
});

test("where it stands among user properties; twice is as if it were not there", () => {
  expect(indexOfTraceparent([])).toBe(-1);
  expect(
    indexOfTraceparent([
      ["a", "b"],
      ["traceparent", "x"],
      ["Traceparent", "y"],
    ]),
  ).toBe(1);
  expect(
    indexOfTraceparent([
      ["traceparent", "x"],
      ["traceparent", "x"],
    ]),
  ).toBe(-1);
});

test("tracestate: several are one list; members that do not fit are left out from the right", () => {
  expect(
    tracestateOf([
      ["tracestate", "a=1,b=2"],
      ["x", "y"],
      ["tracestate", " c=3 "],
    ]),
  ).toBe("a=1,b=2,c=3");
  expect(tracestateOf([])).toBe("");
  const long = Array.from({ length: 100 }, (_, i) => `key${i}=value`).join(",");
  const kept = tracestateOf([["tracestate", long]]);
  expect(kept.length).toBeGreaterThan(490);
  expect(kept.length).toBeLessThanOrEqual(512);
  expect(long).toStartWith(`${kept},`);
  expect(tracestateOf([["tracestate", "x".repeat(600)]])).toBe("");
  const [fits, another] = [`${"x".repeat(510)}=1`, "y=1"];
  expect(tracestateOf([["tracestate", `${fits},${another}`]])).toBe(fits);
});

test("span ids are no two the same, beyond what is drawn at a time", () => {
  const ids = Array.from({ length: 5000 }, newSpanId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id) => !/^[0-9a-f]{16}$/.test(id))).toEqual([]);
});
