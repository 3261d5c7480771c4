/** Addresses as proxies write them, and which of them counts. */
import { expect, test } from "bun:test";
import { parseCidr } from "../../../server/lib/cidr.ts";
import { addressesOf, bareAddress, clientBehind, nearestTold } from "../../../server/lib/forwarded.ts";

test("addresses without quotes, brackets and ports", () => {
  expect(addressesOf(' 192.0.2.1:80, "[2001:db8::1]:4711" ,[::1],2001:db8::2,unknown')).toEqual([
    "192.0.2.1",
    "2001:db8::1",
    "::1",
    "2001:db8::2",
    "unknown",
  ]);
  expect(bareAddress("")).toBe("");
});

test("from the right, past trusted ones, as far as there are addresses", () => {
  const trusted = [parseCidr("10.0.0.0/8")].filter((range) => range !== null);
  expect(clientBehind("10.0.0.1", ["6.6.6.6", "192.0.2.1", "10.0.0.2"], trusted)).toBe("192.0.2.1");
  expect(clientBehind("10.0.0.1", ["10.0.0.3", "10.0.0.2"], trusted)).toBe("10.0.0.3");
  expect(clientBehind("10.0.0.1", ["192.0.2.1", "x"], trusted)).toBe("10.0.0.1");
  expect(clientBehind("192.0.2.9", ["192.0.2.1"], trusted)).toBe("192.0.2.9");
});

test("the last one, if it is an address", () => {
  expect(nearestTold("192.0.2.9", ["6.6.6.6", "::ffff:192.0.2.1"])).toBe("192.0.2.1");
  expect(nearestTold("192.0.2.9", ["6.6.6.6", "x"])).toBe("192.0.2.9");
  expect(nearestTold("192.0.2.9", [])).toBe("192.0.2.9");
});
