import { describe, expect, test } from "bun:test";
import { clientAddress, peerOf } from "../../../server/api/peer.ts";
import { type Cidr, parseCidr } from "../../../server/lib/cidr.ts";

const PROXIES = ["127.0.0.1", "10.0.0.0/8", "2001:db8:ffff::/48"].map((t) => parseCidr(t) as Cidr);
const LOCAL = { host: "127.0.0.1:18083" };
const peer = (address: string, headers: Record<string, string>, trusted: readonly Cidr[] = []) =>
  peerOf(() => address, new Headers(headers), trusted);

describe("the client's address", () => {
  const rows: [string, string, Record<string, string>, string][] = [
    ["nobody is believed who is not trusted", "192.0.2.1", { "x-forwarded-for": "198.51.100.1" }, "192.0.2.1"],
    ["a trusted proxy is", "127.0.0.1", { "x-forwarded-for": "198.51.100.1" }, "198.51.100.1"],
    ["what the client itself wrote is not", "127.0.0.1", { "x-forwarded-for": "203.0.113.9, 198.51.100.1" }, "198.51.100.1"],
    ["through several proxies", "127.0.0.1", { "x-forwarded-for": "203.0.113.9, 198.51.100.1, 10.1.1.1" }, "198.51.100.1"],
    ["only proxies", "127.0.0.1", { "x-forwarded-for": "10.2.2.2, 10.1.1.1" }, "10.2.2.2"],
    ["an IPv6 proxy", "2001:db8:ffff::1", { "x-forwarded-for": "2001:DB8:1::1" }, "2001:db8:1::1"],
    ["mapped addresses are IPv4", "::ffff:10.0.0.1", { "x-forwarded-for": "::ffff:198.51.100.1" }, "198.51.100.1"],
    ["with a port", "127.0.0.1", { "x-forwarded-for": "198.51.100.1:4711" }, "198.51.100.1"],
    ["no address: the proxy's own", "127.0.0.1", { "x-forwarded-for": "unknown" }, "127.0.0.1"],
    ["empty", "127.0.0.1", { "x-forwarded-for": "" }, "127.0.0.1"],
    ["Forwarded", "127.0.0.1", { forwarded: 'for=203.0.113.9, proto=https;For="[2001:db8:1::1]:4711"' }, "2001:db8:1::1"],
    ["Forwarded without for", "127.0.0.1", { forwarded: "proto=https" }, "127.0.0.1"],
    ["the older header first", "127.0.0.1", { "x-forwarded-for": "198.51.100.1", forwarded: "for=203.0.113.9" }, "198.51.100.1"],
    ["no header", "10.0.0.1", {}, "10.0.0.1"],
  ];
  for (const [name, direct, headers, expected] of rows) {
    test(name, () => expect(peer(direct, headers, PROXIES).address()).toBe(expected));
  }

  test("without proxies nothing is read", () => {
    expect(clientAddress("127.0.0.1", new Headers({ "x-forwarded-for": "198.51.100.1" }), [])).toBe("127.0.0.1");
  });
});

describe("this machine", () => {
  test("by the socket's address", () => {
    for (const a of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) expect([a, peer(a, LOCAL).isLocal()]).toEqual([a, true]);
    for (const a of ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "", "1.127.0.1"]) expect([a, peer(a, LOCAL).isLocal()]).toEqual([a, false]);
  });

  const hints = ["x-forwarded-for", "X-Forwarded-Proto", "x-forwarded-server", "forwarded", "Via", "x-real-ip", "cf-connecting-ip"];
  for (const header of hints) {
    test(`not when ${header} says that a proxy speaks for somebody, whether it is one that is believed or not`, () => {
      for (const trusted of [[], PROXIES]) expect(peer("127.0.0.1", { ...LOCAL, [header]: "127.0.0.1" }, trusted).isLocal()).toBe(false);
    });
  }

  test("what a browser or a program says of itself is no such hint", () => {
    const own = { "user-agent": "x-forwarded-for", "sec-fetch-site": "same-origin", referer: "http://127.0.0.1:18083/", cookie: "via=1" };
    expect(peer("127.0.0.1", { ...LOCAL, ...own }).isLocal()).toBe(true);
  });

  test("not when it was asked for by a name that others decide about", () => {
    for (const host of ["localhost:18083", "[::1]:18083", "dashboard.localhost"]) expect(peer("::1", { host }).isLocal()).toBe(true);
    for (const host of ["evil.example:18083", "127.0.0.1.evil.example", "broker", ""]) expect(peer("::1", { host }).isLocal()).toBe(false);
    expect(peer("::1", {}).isLocal()).toBe(false);
  });
});

test("the name the client asked for: that of a trusted proxy, else Host", () => {
  const headers = { host: "127.0.0.1:18083", "x-forwarded-host": "broker.example, inner" };
  expect(peer("127.0.0.1", headers, PROXIES).host()).toBe("broker.example");
  expect(peer("192.0.2.1", headers, PROXIES).host()).toBe("127.0.0.1:18083");
  expect(peer("127.0.0.1", LOCAL, PROXIES).host()).toBe("127.0.0.1:18083");
});
