import { expect, test } from "bun:test";
import { withoutSecrets } from "../../../../server/lib/mask.ts";
import { httpUrl, serverAddress, serverAddresses } from "../../../../server/plugins/_backend/address.ts";

test("a URL begins with http:// or https:// and a host, as it is written", () => {
  for (const text of ["http://h", "HTTPS://h:8443/a?b", "http://[::1]:8080/", "http://joe:s3cret@h/"]) expect(httpUrl(text)).not.toBeNull();
  for (const text of ["", "h", "ftp://h/", "http://", "http:///h", " http://h", "http://joe:x/y@h/"]) expect(httpUrl(text)).toBeNull();
});

test("nor is one taken in which a password would be shown that the runtime finds", () => {
  for (const text of [
    "\u0001http://joe:s3cret@h/",
    "http:joe:s3cret@h/",
    "http:/joe:s3cret@h",
    "http:\\\\joe:s3cret@h/",
    "ht\ttp://joe:s3cret@h/",
  ]) {
    expect([text, new URL(text).password, withoutSecrets(text).includes("s3cret")]).toEqual([text, "s3cret", true]);
    expect(httpUrl(text)).toBeNull();
  }
});

const one = serverAddress("127.0.0.1:3306", 3306);

test("a server: host and port, one of them, or an address in brackets", () => {
  expect(one.parse("db.example:3307")).toEqual({ host: "db.example", port: 3307 });
  expect(one.parse("db.example")).toEqual({ host: "db.example", port: 3306 });
  expect(one.parse("[::1]:3307")).toEqual({ host: "::1", port: 3307 });
  // EMQ X 3.1: Port | IP:Port.
  expect(one.parse("23306")).toEqual({ host: "127.0.0.1", port: 23306 });
  expect(serverAddresses("127.0.0.1:6379", 6379).parse("6379, 6380")).toEqual([
    { host: "127.0.0.1", port: 6379 },
    { host: "127.0.0.1", port: 6380 },
  ]);
});

test("what is no port is none", () => {
  for (const text of ["0", "65536", "123456789", "db.example:0"]) expect(() => one.parse(text)).toThrow("expected host and port such as");
});
