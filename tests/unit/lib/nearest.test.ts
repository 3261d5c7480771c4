import { expect, test } from "bun:test";
import { editDistance, nearest } from "../../../server/lib/nearest.ts";

test.each([
  ["", "", 0],
  ["abc", "abc", 0],
  ["", "abc", 3],
  ["kitten", "sitting", 3],
  ["flaw", "lawn", 2],
  ["form", "from", 1],
  ["abcd", "badc", 2],
  ["ca", "abc", 3],
])("%j to %j", (a, b, d) => {
  expect(editDistance(a, b)).toBe(d);
  expect(editDistance(b, a)).toBe(d);
});

test("the nearest word, if it is near", () => {
  const keys = ["mqtt.max_packet_size", "mqtt.max_topic_levels", "log.level"];
  expect(nearest("mqtt.max_paket_size", keys)).toBe("mqtt.max_packet_size");
  expect(nearest("log.lvel", keys)).toBe("log.level");
  expect(nearest("entirely.different", keys)).toBeNull();
  expect(nearest("x", [])).toBeNull();
});
