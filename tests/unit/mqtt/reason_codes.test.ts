import { expect, test } from "bun:test";
import { connackCodeV3, RC, reasonName, subackCodeV3 } from "../../../server/mqtt/reason_codes.ts";

test("every code has a word of its own", () => {
  const codes = new Set<number>(Object.values(RC));
  const names = [...codes].map(reasonName);
  expect(names).not.toContain("unknown_error");
  expect(new Set(names).size).toBe(codes.size);
  expect(names.filter((n) => !/^[a-z0-9_]+$/.test(n))).toEqual([]);
  expect(reasonName(0x7f)).toBe("unknown_error");
});

test("the words of EMQ X for the codes that people grep for", () => {
  expect([0x8d, 0x8e, 0x8a, 0x98].map(reasonName)).toEqual(["keepalive_timeout", "session_taken_over", "banned", "administrative_action"]);
});

test("CONNACK codes for 3.x: refusals stay refusals, within 1..5", () => {
  for (const code of Object.values(RC)) {
    const old = connackCodeV3(code);
    if (code === RC.SUCCESS) expect(old).toBe(0);
    else expect(old >= 1 && old <= 5).toBe(true);
  }
});

test("3.1.1 [MQTT-3.9.3-2] SUBACK codes are 0, 1, 2 and 0x80", () => {
  expect([0, 1, 2, 0x80, 0x87, 0xa2].map(subackCodeV3)).toEqual([0, 1, 2, 0x80, 0x80, 0x80]);
});
