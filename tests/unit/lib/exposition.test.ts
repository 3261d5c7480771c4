import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allAsText, emqxAsText } from "../../../server/lib/exposition.ts";
import type { MetricFamily } from "../../../server/lib/metric_family.ts";

const family = (name: string, more: Partial<MetricFamily> = {}): MetricFamily => ({
  name,
  type: "counter",
  help: "words",
  emqx: [],
  rows: [[{}, 1]],
  ...more,
});

describe("everything", () => {
  test("EMQ X's names before the clean one, each described once", () => {
    expect(allAsText([family("a/b", { emqx: ["emqx_a_b", "emqx_c"] }), family("a/level", { type: "gauge", rows: [[{}, 2.5]] })])).toBe(
      [
        "# HELP emqx_a_b words",
        "# TYPE emqx_a_b counter",
        "emqx_a_b 1",
        "# HELP emqx_c words",
        "# TYPE emqx_c counter",
        "emqx_c 1",
        "# HELP baomq_a_b_total words",
        "# TYPE baomq_a_b_total counter",
        "baomq_a_b_total 1",
        "# HELP baomq_a_level words",
        "# TYPE baomq_a_level gauge",
        "baomq_a_level 2.5",
        "",
      ].join("\n"),
    );
  });

  test("a level that EMQ X calls a count is none for Prometheus", () => {
    expect(allAsText([family("a/count", { type: "gauge", emqx: ["emqx_a_count"] })])).toMatch(/^emqx_a_count 1$[\s\S]*^baomq_a 1$/m);
  });

  test("of two that become one the first counts; one without rows is not there; none at all is an empty page", () => {
    expect(allAsText([family("a/b"), family("a-b", { rows: [[{}, 7]] }), family("c", { rows: [] })])).not.toMatch(/7|baomq_c/);
    expect(allAsText([])).toBe("");
  });

  test("whatever stands in a label comes back out of it, and never ends the line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.constantFrom("", "\\", '"', "\n", '\\"\n'), (text, odd) => {
        const value = `${text}${odd}${text}`;
        const line =
          allAsText([family("a", { rows: [[{ x: value }, 1]] })])
            .slice(0, -1)
            .split("\n")[2] ?? "";
        const [, inside = ""] = /^baomq_a_total\{x="((?:[^"\\\n]|\\["\\n])*)"\} 1$/s.exec(line) ?? [];
        expect(inside.replaceAll(/\\(.)/gs, (_, c) => (c === "n" ? "\n" : c))).toBe(value);
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  test("words are one line", () => {
    expect(allAsText([family("a", { help: "one\ntwo \\ three" })])).toStartWith("# HELP baomq_a_total one\\ntwo \\\\ three\n# TYPE");
  });
});

test("what EMQ X had, of that what is wanted, without words", () => {
  const families = [family("a", { emqx: ["emqx_a", "emqx_z"] }), family("b", { emqx: ["emqx_b"] }), family("c")];
  expect(emqxAsText(families, new Set(["emqx_a", "emqx_b", "emqx_none"]))).toBe(
    "# HELP emqx_a \n# TYPE emqx_a counter\nemqx_a 1\n# HELP emqx_b \n# TYPE emqx_b counter\nemqx_b 1\n",
  );
});
