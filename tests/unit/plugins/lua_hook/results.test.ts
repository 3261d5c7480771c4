import { describe, expect, test } from "bun:test";
import { Message } from "../../../../server/core/message.ts";
import type { QoS } from "../../../../server/mqtt/types.ts";
import { filterOf, isWrong, messageOf, textOf, wordOf } from "../../../../server/plugins/lua_hook/results.ts";
import type { Value } from "../../../../server/plugins/lua_hook/values.ts";

const bytes = (s: string): Uint8Array => new Uint8Array(Buffer.from(s));
const message = (): Message => new Message("a/b", Buffer.from("hello"), 1, false, "c", null, 0, 0, null);

describe("what on_message_publish returned", () => {
  const good: [name: string, values: Value[], topic: string, payload: string, qos: number, retain: boolean][] = [
    ["texts", ["x", "y", 0, true], "x", "y", 0, true],
    ["bytes", [bytes("x"), bytes("y"), 2, false], "x", "y", 2, false],
    ["a qos that is rounded", ["x", "y", 1.4, false], "x", "y", 1, false],
    ["retain as 1", ["x", "y", 0, 1], "x", "y", 0, true],
    ["retain as 0", ["x", "y", 0, 0], "x", "y", 0, false],
    ["retain as a word", ["x", "y", 0, bytes("true")], "x", "y", 0, true],
    ["retain as another word", ["x", "y", 0, "false"], "x", "y", 0, false],
    ["retain as a number that is rounded", ["x", "y", 0, 0.4], "x", "y", 0, false],
    ["an empty payload", ["x", "", 0, false], "x", "", 0, false],
  ];
  for (const [name, values, topic, payload, qos, retain] of good) {
    test(name, () => {
      const m = messageOf(values, message()) as Message;
      expect([m.topic, Buffer.from(m.payload).toString(), m.qos, m.retain, m.from]).toEqual([topic, payload, qos as QoS, retain, "c"]);
    });
  }

  test("false drops it; what is the same is the same message", () => {
    const m = message();
    expect(messageOf([false], m)).toBeNull();
    expect(messageOf([bytes("a/b"), bytes("hello"), 1, false], m)).toBe(m);
  });

  const bad: [name: string, values: Value[], expected: string][] = [
    ["nothing", [], "topic, payload"],
    ["nil", [null], "topic, payload"],
    ["true", [true], "topic, payload"],
    ["three values", ["x", "y", 0], "topic, payload"],
    ["five values", ["x", "y", 0, false, 1], "topic, payload"],
    ["a topic that is a number", [1, "y", 0, false], "topic, payload"],
    ["a topic that is not UTF-8", [new Uint8Array([0xff, 0xfe]), "y", 0, false], "topic, payload"],
    ["an empty topic", ["", "y", 0, false], "a topic without wildcards"],
    ["a topic with a wildcard", ["a/#", "y", 0, false], "a topic without wildcards"],
    ["a topic with a zero byte", ["a\0", "y", 0, false], "a topic without wildcards"],
    ["a topic with a control character", ["a\u0001", "y", 0, false], "a topic without wildcards and control characters"],
    ["a topic that is too long", ["a".repeat(65536), "y", 0, false], "a topic without wildcards"],
    ["a payload that is a number", ["x", 1, 0, false], "a payload"],
    ["a qos of 3", ["x", "y", 3, false], "a qos"],
    ["a negative qos", ["x", "y", -1, false], "a qos"],
    ["a qos that is a word", ["x", "y", "1", false], "a qos"],
    ["a qos that is no number", ["x", "y", Number.NaN, false], "a qos"],
    ["retain as another word", ["x", "y", 0, "yes"], "retain"],
    ["retain as nil", ["x", "y", 0, null], "retain"],
  ];
  for (const [name, values, expected] of bad) {
    test(`${name}: refused in words`, () => {
      const result = messageOf(values, message());
      expect(isWrong(result) && result.wrong).toContain(`expected ${expected}`);
    });
  }
});

test("words, filters and texts", () => {
  expect(wordOf([bytes("allow")], ["allow", "deny"])).toBe("allow");
  expect(isWrong(wordOf(["Allow"], ["allow", "deny"]))).toBe(true);
  expect(isWrong(wordOf(["allow", "deny"], ["allow", "deny"]))).toBe(true);
  expect(wordOf([true], ["allow", "deny"])).toEqual({ wrong: 'bad result: expected "allow" or "deny"' });
  expect(filterOf([false])).toBe(false);
  expect(filterOf([bytes("a/+")])).toBe("a/+");
  expect(filterOf([])).toEqual({ wrong: "bad result: expected a topic, or false" });
  expect([textOf(1), textOf(null), textOf(undefined), textOf(new Uint8Array([0xc3]))]).toEqual([null, null, null, null]);
});
