import { describe, expect, test } from "bun:test";
import { MAX_DELAY_S, parseDelayed } from "../../../../server/plugins/delayed_publish/topic.ts";

const NOW = 1_700_000_000_000;
const NOW_S = NOW / 1000;

describe("$delayed/<n>/<topic>", () => {
  for (const [name, n, due] of [
    ["now", 0, NOW],
    ["in seconds", 15, NOW + 15_000],
    ["the longest delay", MAX_DELAY_S - 1, NOW + (MAX_DELAY_S - 1) * 1000],
    ["a time of day", NOW_S + 60, NOW + 60_000],
    ["a time of day that has passed", NOW_S - 60, NOW - 60_000],
    ["the farthest time of day", NOW_S + MAX_DELAY_S, NOW + MAX_DELAY_S * 1000],
    ["4294967 is a time in 1970", MAX_DELAY_S, MAX_DELAY_S * 1000],
  ] as const) {
    test(name, () => expect(parseDelayed(`$delayed/${n}/a/b`, NOW)).toEqual({ topic: "a/b", dueAt: due, byTime: n >= MAX_DELAY_S }));
  }

  test("the topic is taken as it is", () => {
    for (const topic of ["a", "/a", "a/", "$SYS/x", "5/x"]) expect(parseDelayed(`$delayed/1/${topic}`, NOW)).toMatchObject({ topic });
  });

  for (const bad of [
    "$delayed/",
    "$delayed/5",
    "$delayed/5/",
    "$delayed//a",
    "$delayed/x/a",
    "$delayed/-1/a",
    "$delayed/1.5/a",
    "$delayed/1e3/a",
    "$delayed/ 1/a",
    `$delayed/${NOW_S + MAX_DELAY_S + 1}/a`,
    "$delayed/99999999999/a",
    "$delayed/1/a/#",
    "$delayed/1/$delayed/1/a",
  ]) {
    test(`${bad} is refused`, () => expect(parseDelayed(bad, NOW)).toBeString());
  }
});
