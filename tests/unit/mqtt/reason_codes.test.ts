import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import { connackCodeV3, RC, reasonName, refusalName, subackCodeV3 } from "../../../server/mqtt/reason_codes.ts";

test("every code has a word of its own", () => {
  const codes = new Set<number>(Object.values(RC));
  const names = [...codes].map(reasonName);
  expect(names).not.toContain("unknown_error");
  expect(new Set(names).size).toBe(codes.size);
  expect(names.filter((n) => !/^[a-z0-9_]+$/.test(n))).toEqual([]);
  expect(reasonName(0x7f)).toBe("unknown_error");
});

test("the codes are those of MQTT 5.0, section 2.4", () => {
  const values = [...new Set<number>(Object.values(RC))].sort((a, b) => a - b);
  const errors = Array.from({ length: 0xa2 - 0x80 + 1 }, (_, i) => 0x80 + i);
  expect(values).toEqual([0x00, 0x01, 0x02, 0x04, 0x10, 0x11, 0x18, 0x19, ...errors]);
  expect([RC.SUCCESS, RC.NORMAL_DISCONNECTION, RC.GRANTED_QOS_0]).toEqual([0, 0, 0]);
  // An independent list tells which is which.
  const theirs = createRequire(import.meta.url)("mqtt-packet/constants.js") as { MQTT5_DISCONNECT_CODES: Record<string, string> };
  const named = Object.entries(theirs.MQTT5_DISCONNECT_CODES).filter(([code]) => Number(code) >= 0x80);
  expect(named.length).toBeGreaterThan(25);
  const ours: Readonly<Record<string, number>> = RC;
  expect(named.filter(([code, name]) => ours[name.toUpperCase().replaceAll(" ", "_")] !== Number(code))).toEqual([]);
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

test("a refused CONNECT is counted under the word of the code its client was sent, spelt as EMQ X 3.1 spelt it", () => {
  const words = (version: number) =>
    [RC.UNSUPPORTED_PROTOCOL_VERSION, RC.CLIENT_IDENTIFIER_NOT_VALID, RC.BAD_USERNAME_OR_PASSWORD, RC.NOT_AUTHORIZED, RC.BANNED].map((c) =>
      refusalName(version, c),
    );
  const old = [
    "unacceptable_protocol_version",
    "client_identifier_not_valid",
    "malformed_username_or_password",
    "unauthorized_client",
    "unauthorized_client",
  ];
  expect(words(3)).toEqual(old);
  expect(words(4)).toEqual(old);
  expect(words(5)).toEqual([
    "unsupported_protocol_version",
    "client_identifier_not_valid",
    "bad_username_or_password",
    "not_authorized",
    "banned",
  ]);
  expect(refusalName(4, RC.QUOTA_EXCEEDED)).toBe("server_unavaliable");
});

test("3.1.1 [MQTT-3.9.3-2] SUBACK codes are 0, 1, 2 and 0x80", () => {
  expect([0, 1, 2, 0x80, 0x87, 0xa2].map(subackCodeV3)).toEqual([0, 1, 2, 0x80, 0x80, 0x80]);
});
