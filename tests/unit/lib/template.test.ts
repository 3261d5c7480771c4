import { expect, test } from "bun:test";
import { Template } from "../../../server/lib/template.ts";

test("placeholders are filled in", () => {
  const t = new Template("clientid=%c,username=%u,password=%P", ["c", "u", "P"]);
  expect(t.render({ c: "dev", u: "ann", P: "s" })).toBe("clientid=dev,username=ann,password=s");
});

test("a value is never taken for a placeholder", () => {
  expect(new Template("%c/%u", ["c", "u"]).render({ c: "%u", u: "$&" })).toBe("%u/$&");
});

test("%cn is not %c and an n", () => {
  const t = new Template("%cn-%c-%dn", ["c", "cn", "dn"]);
  expect(t.render({ c: "client", cn: "name", dn: "CN=name" })).toBe("name-client-CN=name");
});

test("missing values are empty, unknown placeholders stay", () => {
  expect(new Template("[%u][%x][%A]%", ["u"]).render({ u: null })).toBe("[][%x][%A]%");
});

test("values can be encoded, the text around them is not", () => {
  expect(new Template("a b=%u", ["u"]).render({ u: "x y&z" }, encodeURIComponent)).toBe("a b=x%20y%26z");
});

test("what a template uses", () => {
  const t = new Template("dev/%c", ["c", "u"]);
  expect([t.isConstant, t.uses("c"), t.uses("u")]).toEqual([false, true, false]);
  expect([new Template("dev", ["c"]).isConstant, new Template("%c", []).isConstant]).toEqual([true, true]);
});
