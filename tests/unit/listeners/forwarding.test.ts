/** Whose address counts behind a proxy: never one that the client itself could have written. */
import { describe, expect, test } from "bun:test";
import { Forwarding } from "../../../server/listeners/forwarding.ts";

const CLIENT = "203.0.113.9";
const PROXY = "10.0.0.1";

function told(of: { trusted?: string[]; port?: string; address?: string }, headers: Record<string, string>, ip = PROXY): [string, number] {
  const { trusted = [], port = "X-Forwarded-Port", address = "X-Forwarded-For" } = of;
  const forwarding = new Forwarding({ proxyAddressHeader: address, proxyPortHeader: port, trustedProxies: trusted });
  return forwarding.told((name) => headers[name], ip, 1);
}
const f = (list: string, port = "4711"): Record<string, string> => ({ "x-forwarded-for": list, "x-forwarded-port": port });

describe("without trusted_proxies: what the nearest proxy has appended, whoever connects", () => {
  const cases: readonly [string, string][] = [
    [CLIENT, CLIENT],
    [`1.2.3.4, ${CLIENT}`, CLIENT],
    [`1.2.3.4,${CLIENT}:99`, CLIENT],
    [`1.2.3.4, [2001:DB8::1]:99`, "2001:db8::1"],
    [`${CLIENT}, unknown`, PROXY],
    ["", PROXY],
  ];
  test.each(cases)("%s: %s", (list, expected) => {
    expect(told({}, f(list))).toEqual([expected, expected === PROXY ? 1 : 4711]);
  });
});

describe("with them: the last that is none of theirs, told by one of them", () => {
  const trusted = ["10.0.0.0/8", "192.0.2.7"];
  const cases: readonly [string, string, string][] = [
    [CLIENT, CLIENT, PROXY],
    [`1.2.3.4, ${CLIENT}, 192.0.2.7`, CLIENT, PROXY],
    [`${CLIENT}, 192.0.2.8, 10.9.9.9`, "192.0.2.8", PROXY],
    [`${CLIENT}, nonsense, 10.9.9.9`, "10.9.9.9", PROXY],
    [CLIENT, "198.51.100.1", "198.51.100.1"],
  ];
  test.each(cases)("%s: %s", (list, expected, from) => {
    expect(told({ trusted }, f(list), from)[0]).toBe(expected);
  });
  test("whose address is not believed, his port is not either", () => {
    expect(told({ trusted }, f(CLIENT), "198.51.100.1")).toEqual(["198.51.100.1", 1]);
    expect(told({ trusted }, f("198.51.100.1"), "198.51.100.1")).toEqual(["198.51.100.1", 1]);
  });
  test("a port alone is believed of them alone", () => {
    expect(told({ trusted, address: "" }, f(""), "198.51.100.1")).toEqual(["198.51.100.1", 1]);
    expect(told({ trusted, address: "" }, f(""))).toEqual([PROXY, 4711]);
  });
});

test("a port alone, ports that are none, and nothing configured", () => {
  expect(told({ address: "" }, f(CLIENT))).toEqual([PROXY, 4711]);
  expect(told({ address: "" }, f(CLIENT, "1, 4712"))).toEqual([PROXY, 4712]);
  for (const port of ["0", "65536", "x", "1.5", ""]) expect(told({}, f(CLIENT, port))).toEqual([CLIENT, 1]);
  expect(told({ address: "", port: "" }, f(CLIENT))).toEqual([PROXY, 1]);
});
