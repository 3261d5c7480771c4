import { expect, test } from "bun:test";
import { loggedName, withoutPassword } from "../../../server/lib/mask.ts";

test("the password of a URL is not shown; what is no such URL is left as it is", () => {
  expect(withoutPassword("http://user:pa:ss@host:8080/a?b=c")).toBe("http://user:******@host:8080/a?b=c");
  expect(withoutPassword("mongodb://:x@h/")).toBe("mongodb://:******@h/");
  for (const text of ["http://host:80/a@b", "http://user@host/", "select '%u'", "", "user:pass@host", "http://host/?q=a:b@c"])
    expect(withoutPassword(text)).toBe(text);
});

test("a user name that is a token is not logged, any other is", () => {
  const token = `${btoa('{"alg":"HS256"}')}.${btoa('{"a":1}')}.abc-_`.replaceAll("=", "");
  expect(loggedName(token)).toBe(`${token.slice(0, 8)}… (a token)`);
  expect([loggedName("joe"), loggedName("eyJoe"), loggedName("a.b.c"), loggedName(null), loggedName(undefined)]).toEqual([
    "joe",
    "eyJoe",
    "a.b.c",
    null,
    null,
  ]);
});
