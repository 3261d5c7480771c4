import { expect, test } from "bun:test";
import { isLocalHost, isSameHost, isSameOrigin, parseHost, parseOrigin } from "../../../server/lib/origin.ts";

test("hosts and origins", () => {
  expect(parseHost("Broker.Example:18083")).toEqual({ name: "broker.example", port: "18083" });
  expect(parseHost("[::1]:8080")).toEqual({ name: "[::1]", port: "8080" });
  expect(parseHost("[::1]")).toEqual({ name: "[::1]", port: "" });
  for (const bad of ["", null, undefined, "a b", "a/b", "a:b", "user@host", "[::1", "::1"]) expect(parseHost(bad)).toBeNull();
  expect(parseOrigin("https://a.example:8443")).toEqual({ scheme: "https", name: "a.example", port: "8443" });
  expect(parseOrigin("capacitor://localhost")).toEqual({ scheme: "capacitor", name: "localhost", port: "" });
  for (const bad of ["null", "", "a.example", "http://", "http://a/b", "file://"]) expect(parseOrigin(bad)).toBeNull();
});

test("same origin: name and port, the usual port being that of the scheme", () => {
  const same: [string, string][] = [
    ["http://127.0.0.1:18083", "127.0.0.1:18083"],
    ["http://[::1]:18083", "[::1]:18083"],
    ["https://Broker.example", "broker.EXAMPLE"],
    ["https://broker.example", "broker.example:443"],
    ["http://broker.example:80", "broker.example"],
  ];
  for (const [origin, host] of same) expect([origin, isSameOrigin(origin, host)]).toEqual([origin, true]);
  const foreign: [string, string | null][] = [
    ["http://evil.example", "127.0.0.1:18083"],
    ["http://127.0.0.1:18084", "127.0.0.1:18083"],
    ["http://localhost:18083", "127.0.0.1:18083"],
    ["https://broker.example", "broker.example:80"],
    ["http://127.0.0.1.evil.example:18083", "127.0.0.1:18083"],
    ["null", "127.0.0.1:18083"],
    ["http://a", null],
  ];
  for (const [origin, host] of foreign) expect([origin, isSameOrigin(origin, host)]).toEqual([origin, false]);
});

test("same host: the port does not matter, nor by which of its names this machine is called", () => {
  expect(isSameHost("http://broker.example:18083", "broker.example:8083")).toBe(true);
  expect(isSameHost("http://localhost:18083", "127.0.0.1:8083")).toBe(true);
  expect(isSameHost("http://127.0.0.1:18083", "[::1]:8083")).toBe(true);
  expect(isSameHost("http://evil.example", "127.0.0.1:8083")).toBe(false);
  expect(isSameHost("http://localhost.evil.example", "localhost:8083")).toBe(false);
  expect(isSameHost("null", "localhost:8083")).toBe(false);
});

test("names of this machine", () => {
  for (const h of ["localhost", "LOCALHOST:1", "a.localhost", "localhost.", "127.0.0.1:18083", "127.9.9.9", "[::1]:1"])
    expect([h, isLocalHost(parseHost(h))]).toEqual([h, true]);
  for (const h of ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "0.0.0.0", "127.1", null])
    expect([h, isLocalHost(parseHost(h))]).toEqual([h, false]);
});
