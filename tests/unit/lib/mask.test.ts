import { expect, test } from "bun:test";
import { withoutPassword } from "../../../server/lib/mask.ts";

test("the password of a URL is not shown; what is no such URL is left as it is", () => {
  expect(withoutPassword("http://user:pa:ss@host:8080/a?b=c")).toBe("http://user:******@host:8080/a?b=c");
  expect(withoutPassword("mongodb://:x@h/")).toBe("mongodb://:******@h/");
  for (const text of ["http://host:80/a@b", "http://user@host/", "select '%u'", "", "user:pass@host", "http://host/?q=a:b@c"])
    expect(withoutPassword(text)).toBe(text);
});
