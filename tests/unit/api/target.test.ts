/** Paths and queries, read raw. */
import { describe, expect, test } from "bun:test";
import { decodeSegment, parseQuery, splitUrl, target, wellFormed } from "../../../server/api/target.ts";

test("a URL in its parts", () => {
  expect(splitUrl("http://h:1/a//b?x=1&y#z")).toEqual({ path: "/a//b", search: "x=1&y" });
  expect(splitUrl("http://h")).toEqual({ path: "/", search: "" });
  expect(splitUrl("http://h/a#?x")).toEqual({ path: "/a", search: "" });
});

describe("targets", () => {
  const segments = (path: string) => {
    const t = target(path);
    return t.kind === "api" ? t.segments : t.kind;
  };

  test("segments, decoded once", () => {
    expect(segments("/api/v3/brokers")).toEqual(["brokers"]);
    expect(segments("//api///v3//brokers//")).toEqual(["brokers"]);
    expect(segments("/api/v3/connections/a%2Fb%20%2525+")).toEqual(["connections", "a/b %25+"]);
    expect(segments("/api/v3/nodes/emqx@127.0.0.1/plugins/")).toEqual(["nodes", "emqx@127.0.0.1", "plugins"]);
  });

  test("the rest of the path where a topic is meant", () => {
    expect(segments("/api/v3/routes")).toEqual(["routes"]);
    expect(segments("/api/v3/routes/")).toEqual(["routes"]);
    expect(segments("/api/v3/routes//test")).toEqual(["routes", "/test"]);
    expect(segments("/api/v3/routes/%2Ftest")).toEqual(["routes", "/test"]);
    expect(segments("/api/v3/routes/a/b")).toEqual(["routes", "a/b"]);
    expect(segments("/api/v3/routes/a%2Fb%2F%23")).toEqual(["routes", "a/b/#"]);
    expect(segments("/api//v3/routes/a//b/")).toEqual(["routes", "a//b/"]);
    expect(segments("/api/v3/retained/a/b")).toEqual(["retained", "a/b"]);
    expect(segments("/api/v3/connections/c/acl/a/b")).toEqual(["connections", "c", "acl", "a/b"]);
    expect(segments("/api/v3/connections/c/acl")).toEqual(["connections", "c", "acl"]);
    expect(segments("/api/v3/connections/c/x/a/b")).toEqual(["connections", "c", "x", "a", "b"]);
  });

  test("a path is rewritten only when it has to be", () => {
    const path = (p: string) => {
      const t = target(p);
      return t.kind === "api" ? t.path : t.kind;
    };
    expect(path("/api/v3/brokers/emqx@127.0.0.1")).toBe("/api/v3/brokers/emqx@127.0.0.1");
    expect(path("/api/v3/brokers/emqx@127.0.0.1/")).toBe("/api/v3/brokers/emqx%40127.0.0.1");
    expect(path("/api/v3/routes//a/b")).toBe("/api/v3/routes/%2Fa%2Fb");
  });

  test("root, elsewhere, broken", () => {
    expect(["/api/v3", "/api/v3/", "/api/v3//", "/api", "/", "/api/v4/x", "/api/v3/%zz", "/%2"].map((p) => target(p).kind)).toEqual([
      "root",
      "root",
      "api",
      "other",
      "other",
      "other",
      "malformed",
      "malformed",
    ]);
  });

  test("bytes that are no UTF-8", () => {
    expect(decodeSegment("a%ffb")).toBe("a\ufffdb");
    expect(decodeSegment("%C3%BC%ff")).toBe("ü\ufffd");
  });
});

test("queries: form-decoded, the first of a name counts, a name alone is true", () => {
  expect({ ...parseQuery("a=1&b=x+y%2Bz&a=2&c&=&d=") }).toEqual({ a: "1", b: "x y+z", c: "true", "": "", d: "" });
  expect({ ...parseQuery("__proto__=x&a=%ff") }).toEqual(JSON.parse('{"__proto__":"x","a":"\ufffd"}'));
  expect({ ...parseQuery("") }).toEqual({});
});

test("queries with a broken escape are told apart", () => {
  expect(["", "a=1", "a=%20", "a=%ff", "a=%", "a=%2", "%zz=1"].map(wellFormed)).toEqual([true, true, true, true, false, false, false]);
});
