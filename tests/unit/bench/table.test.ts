/** From measurements to the table: medians, ratios, and what went wrong. */
import { describe, expect, test } from "bun:test";
import type { LoadResult } from "../../bench/generator.ts";
import type { Scenario } from "../../bench/scenarios.ts";
import { complaint, type Measurement, table } from "../../bench/table.ts";

const rate: Scenario = {
  id: "rate",
  group: "traffic",
  title: "rate",
  args: [],
  timed: true,
  figures: (r) => [(r.msgs_per_broker_cpu_s ?? Number.NaN) / 1000],
  units: "k",
};
const time: Scenario = { ...rate, id: "time", title: "time", figures: (r) => [r.lat_us?.p50, r.lat_us?.p99], units: "µs" };

const measured = (scenario: string, broker: string, ...results: LoadResult[]): Measurement[] =>
  results.map((result, i) => ({ scenario, broker, round: i + 1, result }));
const rates = (broker: string, ...thousands: number[]) =>
  measured("rate", broker, ...thousands.map((n) => ({ msgs_per_broker_cpu_s: n * 1000 })));
const cells = (text: string) => text.split("\n").map((line) => line.replace(/^\| | \|$/g, "").split(" | "));

describe("table", () => {
  test("medians, and BaoMQ against the best of the others and against its other build", () => {
    const all = [...rates("BaoMQ", 300, 100, 200), ...rates("base", 100), ...rates("A", 50), ...rates("B", 80)];
    const text = table([rate], { names: ["BaoMQ", "base", "A", "B"], own: "BaoMQ", base: "base" }, all);
    expect(cells(text)).toEqual([
      ["scenario", "BaoMQ", "base", "A", "B", "BaoMQ / best other", "BaoMQ / base"],
      ["---", "--:", "--:", "--:", "--:", "--:", "--:"],
      ["rate", "200", "100", "50.0", "80.0", "2.50 ×", "2.00 ×"],
    ]);
  });

  test("where less is better, the best is the least, for each figure by itself", () => {
    const lat = (p50: number, p99: number): LoadResult => ({ lat_us: { p50, p99 } });
    const all = [
      ...measured("time", "BaoMQ", lat(50, 100)),
      ...measured("time", "A", lat(100, 400)),
      ...measured("time", "B", lat(200, 50)),
    ];
    expect(cells(table([time], { names: ["BaoMQ", "A", "B"], own: "BaoMQ" }, all))[2]?.at(-1)).toBe("0.50 / 2.00 ×");
  });

  test("no column of ratios without somebody to compare with, or without BaoMQ", () => {
    expect(cells(table([rate], { names: ["BaoMQ"], own: "BaoMQ" }, rates("BaoMQ", 1)))[0]).toEqual(["scenario", "BaoMQ"]);
    expect(cells(table([rate], { names: ["A"], own: "BaoMQ" }, rates("A", 1)))[0]).toEqual(["scenario", "A"]);
  });

  test("who was not measured has a dash, and is nobody's best", () => {
    const all = [...rates("BaoMQ", 200), ...rates("A", 50), ...measured("rate", "B", { error: "did not start" })];
    const lines = table([rate], { names: ["BaoMQ", "A", "B"], own: "BaoMQ" }, all).split("\n");
    expect(lines[2]).toBe("| rate | 200 | 50.0 | – [1] | 4.00 × |");
    expect(lines.at(-1)).toBe("[1] rate, B: did not start");
    expect(cells(table([rate], { names: ["A", "BaoMQ"], own: "BaoMQ" }, rates("BaoMQ", 1)))[2]).toEqual(["rate", "–", "1.0", "–"]);
  });

  test("a figure that noise has made negative has no ratio", () => {
    const all = [...rates("BaoMQ", -2), ...rates("A", 1)];
    expect(cells(table([rate], { names: ["BaoMQ", "A"], own: "BaoMQ" }, all))[2]?.at(-1)).toBe("–");
  });
});

describe("complaint", () => {
  test("nothing, where everything came", () => expect(complaint({ lost: 0, dup: 0, churn_behind: 0 })).toBe(""));
  test("what did not go as it should", () =>
    expect(complaint({ lost: 2, unconnected: 3, churn_behind: 40 })).toBe("2 lost, 3 not connected, 40 filters behind"));
  test("an error before everything else", () => expect(complaint({ error: "no result", lost: 2 })).toBe("no result"));
});
