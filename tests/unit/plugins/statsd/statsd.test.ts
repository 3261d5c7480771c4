import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { MetricFamily } from "../../../../server/lib/metric_family.ts";
import { countersOf, datagrams, type Line, type LineOptions, linesOf } from "../../../../server/plugins/statsd/statsd.ts";
import { readStatsd } from "../../../support/statsd.ts";

const OPTIONS: LineOptions = { prefix: "emqx.", tags: "off", constant: {} };
const counter = (name: string, value: number, labels = {}): MetricFamily => ({
  name,
  type: "counter",
  help: "",
  emqx: [],
  rows: [[labels, value]],
});
const gauge = (name: string, value: number, labels = {}): MetricFamily => ({ ...counter(name, value, labels), type: "gauge" });
const texts = (families: MetricFamily[], o: Partial<LineOptions> = {}, base = new Map<string, number>()): string[] =>
  linesOf(families, { ...OPTIONS, ...o }, base).map(({ text }) => text);

describe("lines", () => {
  const labels = { plugin: "emqx_auth_pgsql", server: "PostgreSQL at 10.0.0.1:5432" };
  for (const [what, families, o, lines] of [
    ["a counter that has moved", [counter("messages/received", 3)], {}, ["emqx.messages.received:3|c"]],
    ["one that has not", [counter("messages/received", 0)], {}, []],
    ["a gauge, also 0", [gauge("connections/count", 0)], {}, ["emqx.connections.count:0|g"]],
    ["a fraction", [gauge("cpu/percent", 0.25)], {}, ["emqx.cpu.percent:0.25|g"]],
    ["no number", [gauge("a", Number.NaN), counter("b", Number.POSITIVE_INFINITY)], {}, []],
    ["no prefix", [gauge("a", 1)], { prefix: "" }, ["a:1|g"]],
    ["an odd name", [counter("mine:odd|näme@x#y", 1)], {}, ["emqx.mine_odd_n_me_x_y:1|c"]],
    [
      "labels without tags: levels",
      [gauge("plugin/up", 1, labels)],
      {},
      ["emqx.plugin.up.emqx_auth_pgsql.PostgreSQL_at_10_0_0_1_5432:1|g"],
    ],
    [
      "Datadog's tags",
      [gauge("plugin/up", 1, labels)],
      { tags: "datadog", constant: { site: "b" } },
      ["emqx.plugin.up:1|g|#site:b,plugin:emqx_auth_pgsql,server:PostgreSQL_at_10.0.0.1:5432"],
    ],
    [
      "InfluxDB's tags",
      [counter("x", 2, labels)],
      { tags: "influx", constant: { site: "b" } },
      ["emqx.x,site=b,plugin=emqx_auth_pgsql,server=PostgreSQL_at_10.0.0.1_5432:2|c"],
    ],
    ["constant tags need tags", [gauge("a", 1)], { constant: { site: "b" } }, ["emqx.a:1|g"]],
    ["tags, but none", [gauge("a", 1)], { tags: "datadog" }, ["emqx.a:1|g"]],
  ] as const satisfies readonly (readonly [string, readonly MetricFamily[], Partial<LineOptions>, readonly string[]])[])
    test(what, () => expect(texts([...families], o)).toEqual([...lines]));

  test("counters are told from where they stood; one that begins anew from 0", () => {
    const base = countersOf([counter("a", 5), counter("b", 5), counter("c", 5), gauge("d", 5)]);
    expect(texts([counter("a", 7), counter("b", 5), counter("c", 2), counter("new", 4), gauge("d", 5)], {}, base)).toEqual([
      "emqx.a:2|c",
      "emqx.c:2|c",
      "emqx.new:4|c",
      "emqx.d:5|g",
    ]);
  });

  test("whatever names, labels and tags are: a server can read it", () => {
    const label = fc.dictionary(fc.constantFrom("plugin", "server", "état"), fc.string({ unit: "grapheme" }), { maxKeys: 3 });
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: "grapheme" }),
        label,
        fc.constantFrom("off", "datadog", "influx"),
        fc.double({ noNaN: true, min: 0 }),
        (name, labels, tags, value) => {
          for (const text of texts([gauge(name, value, labels)], { tags })) expect(readStatsd(text)).toMatchObject({ type: "g", value });
        },
      ),
      { numRuns: 500, seed: 11 },
    );
  });
});

test("datagrams: every line in one of them, in order, none too long, as few as there may be", () => {
  const line = (n: number): Line => ({ text: "x".repeat(n), count: null });
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1500 })), (sizes) => {
      const made = datagrams(sizes.map(line));
      expect(made.flat().map(({ text }) => text.length)).toEqual(sizes.filter((n) => n <= 1432));
      const bytes = made.map((lines) => lines.map(({ text }) => text).join("\n").length);
      for (const [i, n] of bytes.entries()) {
        expect(n).toBeLessThanOrEqual(1432);
        const next = made[i + 1]?.[0]?.text.length;
        if (next !== undefined) expect(n + 1 + next).toBeGreaterThan(1432);
      }
    }),
    { numRuns: 200, seed: 2 },
  );
  // Bytes, not characters.
  expect(datagrams([{ text: "ü".repeat(717), count: null }])).toEqual([]);
});
