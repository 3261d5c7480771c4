/** The table of scenarios, what becomes of its rows, and which of them are chosen. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Contestant } from "../../bench/brokers.ts";
import { argumentsOf, suits } from "../../bench/measure.ts";
import { GROUPS, SCENARIOS, type Scenario } from "../../bench/scenarios.ts";
import { chosen } from "../../bench/select.ts";

const usual = { quick: false, seconds: "3", warmup: "1.5" };
const quick = { quick: true, seconds: "1", warmup: "0.7" };
const named = (id: string): Scenario => SCENARIOS.find((s) => s.id === id) as Scenario;

describe("the table", () => {
  test("names and titles are different ones, and every group has some", () => {
    expect(new Set(SCENARIOS.map((s) => s.id)).size).toBe(SCENARIOS.length);
    expect(new Set(SCENARIOS.map((s) => s.title)).size).toBe(SCENARIOS.length);
    expect(GROUPS.filter((g) => !SCENARIOS.some((s) => s.group === g))).toEqual([]);
  });

  test("the generator knows every mode and option, and explains it", async () => {
    const source = await Bun.file(join(import.meta.dir, "../../bench/load.c")).text();
    const modes = /mode_names\[\] = \{([^}]*)\}/.exec(source)?.[1] ?? "";
    const help = /\*help =([\s\S]*?);\n\nint main/.exec(source)?.[1] ?? "";
    for (const s of SCENARIOS.filter((s) => s.restart === undefined && s.subscriptions === undefined)) {
      for (const [mode = "", ...rest] of [argumentsOf(s, usual), ...(s.warm ? [s.warm] : [])]) {
        expect(modes).toContain(`"${mode}"`);
        expect(help).toContain(`"  ${mode} `);
        for (const option of rest.filter((a) => a.startsWith("-"))) {
          expect(source).toContain(`FLAG("${option}")`);
          expect(help).toContain(option);
        }
      }
    }
  });

  test("there are as many figures as the title has", () => {
    for (const s of SCENARIOS) expect(`${s.id} ${s.figures({}).length}`).toBe(`${s.id} ${1 + (s.title.match(/ \/ [a-z]/g) ?? []).length}`);
  });
});

describe("arguments", () => {
  test("what is timed takes the usual times, or its own warm-up, but not when it has to be quick", () => {
    expect(argumentsOf(named("pairs1"), usual)).toEqual(["pairs", "--qos", "1", "--seconds", "3", "--warmup", "1.5"]);
    expect(argumentsOf(named("latency"), usual).slice(-1)).toEqual(["12"]);
    expect(argumentsOf(named("latency"), quick).slice(-1)).toEqual(["0.7"]);
  });

  test("what has a size is reduced when it has to be quick", () => {
    const s: Scenario = { ...named("sessions"), args: ["sessions"], size: ["--count", 205] };
    expect(argumentsOf(s, usual)).toEqual(["sessions", "--count", "205"]);
    expect(argumentsOf(s, quick)).toEqual(["sessions", "--count", "21"]);
  });
});

describe("suits", () => {
  const others = SCENARIOS.filter((s) => s.rules === undefined);
  const broker = (via: Contestant["via"], keeps: boolean): Contestant => ({ name: "", version: "", via, keeps, command: () => [] });

  test("a broker is asked for what it listens on", () => {
    expect(others.filter((s) => !suits(s, broker(["tcp"], true))).every((s) => s.via === "ws" || s.via === "tls")).toBe(true);
    expect(others.filter((s) => !suits(s, broker(["tcp", "ws", "tls"], true)))).toEqual([]);
  });

  test("only who has rules is asked for them", () => {
    const ruled = SCENARIOS.filter((s) => s.rules !== undefined);
    expect(ruled.length).toBeGreaterThan(3);
    expect(ruled.filter((s) => suits(s, broker(["tcp"], true)))).toEqual([]);
    expect(ruled.filter((s) => !suits(s, { ...broker(["tcp"], true), rules: true }))).toEqual([]);
  });

  test("one that forgets is not started again", () => {
    expect(others.filter((s) => !suits(s, broker(["tcp", "ws", "tls"], false))).map((s) => s.id)).toEqual(["start"]);
  });
});

describe("chosen", () => {
  const all = ["pairs0", "pairs1", "fanin", "Mosquitto nodelay"];
  const pick = (names?: string) => chosen(all, names, (n) => n, "scenario");

  test("all, when none is named", () => expect(pick()).toEqual(all));
  test("by how names begin, whatever their case", () => expect(pick("PAIRS,mosq")).toEqual(["pairs0", "pairs1", "Mosquitto nodelay"]));
  test("each once, in their own order", () => expect(pick("fanin,pairs0,pairs")).toEqual(["pairs0", "pairs1", "fanin"]));
  test("a name that is none says which there are", () =>
    expect(() => pick("fanout")).toThrow("no scenario fanout; there are: pairs0, pairs1"));
});
