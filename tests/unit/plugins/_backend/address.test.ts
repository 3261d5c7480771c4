import { expect, test } from "bun:test";
import { withoutPassword } from "../../../../server/lib/mask.ts";
import { httpUrl } from "../../../../server/plugins/_backend/address.ts";

test("a URL begins with http:// or https:// and a host, as it is written", () => {
  for (const text of ["http://h", "HTTPS://h:8443/a?b", "http://[::1]:8080/", "http://joe:s3cret@h/"]) expect(httpUrl(text)).not.toBeNull();
  for (const text of ["", "h", "ftp://h/", "http://", "http:///h", "http://joe:x/y@h/"]) expect(httpUrl(text)).toBeNull();
});

test("nor is one taken in which a password would be shown that the runtime finds", () => {
  for (const text of [
    " http://joe:s3cret@h/",
    "http:joe:s3cret@h/",
    "http:/joe:s3cret@h",
    "http:\\\\joe:s3cret@h/",
    "ht\ttp://joe:s3cret@h/",
  ]) {
    expect([text, new URL(text).password, withoutPassword(text).includes("s3cret")]).toEqual([text, "s3cret", true]);
    expect(httpUrl(text)).toBeNull();
  }
});
