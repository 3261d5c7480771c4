import { describe, expect, test } from "bun:test";
import { anyContains, type Cidr, cidrContains, formatIp, isLoopback, networkOf, parseCidr, parseIp } from "../../../server/lib/cidr.ts";

const canonical = (text: string): string | null => {
  const ip = parseIp(text);
  return ip ? formatIp(ip) : null;
};
const inside = (range: string, ip: string): boolean => {
  const r = parseCidr(range);
  const a = parseIp(ip);
  if (!r || !a) throw new Error(`bad fixture ${range} ${ip}`);
  return cidrContains(r, a);
};

describe("addresses", () => {
  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::1", "::1"],
    ["::", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::0:1", "2001:db8::1"],
    ["2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"],
    ["1:0:2:0:3:0:4:0", "1:0:2:0:3:0:4:0"],
    ["fe80::1%eth0", "fe80::1"],
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["::FFFF:0a01:0203", "10.1.2.3"],
    ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
    ["1::", "1::"],
  ])("%s is %s", (text, expected) => expect(canonical(text)).toBe(expected));

  test.each([
    "",
    "10",
    "10.0.0",
    "10.0.0.256",
    "10.0.0.01",
    "10.0.0.1.1",
    "a.b.c.d",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "1:2:3:4:5:6:7::8",
    ":::",
    "g::1",
    "1.2.3.4::",
    "all",
    " 10.0.0.1",
  ])("%p is no address", (text) => expect(parseIp(text)).toBeNull());
});

describe("ranges", () => {
  test.each([
    ["10.1.2.3/8", "10.0.0.0/8"],
    ["10.1.2.3/32", "10.1.2.3"],
    ["10.1.2.3", "10.1.2.3"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["10.1.2.255/25", "10.1.2.128/25"],
    ["2001:db8::1/32", "2001:db8::/32"],
    ["::ffff:10.0.0.0/104", "10.0.0.0/8"],
  ])("%s is %s", (text, expected) => expect(parseCidr(text)?.text).toBe(expected));

  test.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/a", "::/129", "x/8", "::ffff:10.0.0.0/95", "10.0.0.0/8/8"])(
    "%p is none",
    (text) => expect(parseCidr(text)).toBeNull(),
  );

  test("contains by whole bits, within a family", () => {
    expect(inside("10.0.0.0/8", "10.255.0.1")).toBe(true);
    expect(inside("10.0.0.0/8", "11.0.0.1")).toBe(false);
    expect(inside("192.168.4.0/22", "192.168.7.255")).toBe(true);
    expect(inside("192.168.4.0/22", "192.168.8.0")).toBe(false);
    expect(inside("0.0.0.0/0", "8.8.8.8")).toBe(true);
    expect(inside("0.0.0.0/0", "::1")).toBe(false);
    expect(inside("fe80::/10", "febf::1")).toBe(true);
    expect(inside("fe80::/10", "fec0::1")).toBe(false);
    expect(inside("127.0.0.1", "127.0.0.1")).toBe(true);
    expect(inside("127.0.0.1", "127.0.0.2")).toBe(false);
    expect(inside("10.0.0.0/8", "::ffff:10.1.1.1")).toBe(true);
  });
});

test("what limits count by: an IPv4 address, the /64 of an IPv6 one", () => {
  expect(networkOf("10.0.0.1")).toBe("10.0.0.1");
  expect(networkOf("::ffff:10.0.0.1")).toBe("10.0.0.1");
  expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(networkOf("2001:db8:1:2::9")).toBe(networkOf("2001:0DB8:1:2:ffff::"));
  expect(networkOf("2001:db8:1:3::9")).not.toBe(networkOf("2001:db8:1:2::9"));
  expect(networkOf("nonsense")).toBe("nonsense");
});

test("this machine", () => {
  for (const a of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) expect([a, isLoopback(a)]).toEqual([a, true]);
  for (const a of ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "::", "::2", "", "1.127.0.1", "x"])
    expect([a, isLoopback(a)]).toEqual([a, false]);
});

test("several ranges", () => {
  const ranges = [parseCidr("10.0.0.0/8"), parseCidr("2001:db8::/32")] as Cidr[];
  expect(["10.1.2.3", "2001:db8::1", "11.0.0.1", "::1", "x"].map((a) => anyContains(ranges, a))).toEqual([true, true, false, false, false]);
  expect(anyContains([], "10.1.2.3")).toBe(false);
});
