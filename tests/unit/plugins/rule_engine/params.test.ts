import { describe, expect, test } from "bun:test";
import { MASK, MASK_ALONE } from "../../../../server/lib/mask.ts";
import type { ParamsSpec } from "../../../../server/plugins/plugin.ts";
import { checkParams, maskedFields, secretNames, shownParams, unmasked } from "../../../../server/plugins/rule_engine/params.ts";

const about = { title: "", description: "what it is" };
const SPEC: ParamsSpec = {
  url: { type: "string", format: "url", required: true, ...about },
  topic: { type: "string", format: "topic", ...about },
  mode: { type: "string", enum: ["a", "b"], default: "a", ...about },
  size: { type: "number", range: [1, 10], default: 5, ...about },
  on: { type: "boolean", default: true, ...about },
  headers: { type: "object", ...about },
  tls: { type: "object", schema: { key: { type: "string", secret: true, ...about }, verify: { type: "boolean", ...about } }, ...about },
  list: { type: "array", items: { type: "number", ...about }, ...about },
  sql: { type: "string", format: "sql", ...about },
  password: { type: "string", secret: true, default: "", ...about },
};
const URL_ = "http://127.0.0.1:80/x";

describe("checked against the kind's own words", () => {
  test("defaults are filled in; what forms send as text is what it means; what 3.1 does not know stays", () => {
    expect(checkParams({ url: URL_, size: "7", on: "false", a: 1, mode: "" }, SPEC)).toEqual({
      url: URL_,
      mode: "a",
      size: 7,
      on: false,
      password: "",
      a: 1,
    });
    expect(checkParams(undefined, {})).toEqual({});
  });

  test.each<[given: unknown, words: string]>([
    [{}, "url is missing: what it is"],
    [{ url: "" }, "url is empty"],
    [{ url: 5 }, "url must be a text, not 5"],
    [{ url: "nowhere" }, 'url must be a URL, e.g. http://127.0.0.1:8080/path, not "nowhere"'],
    [{ url: URL_, topic: "a/#/b" }, "topic must be a topic"],
    [{ url: URL_, topic: "a/${b[}" }, "is no path"],
    [{ url: URL_, mode: "c" }, 'mode must be one of "a", "b", not "c"'],
    [{ url: URL_, size: 11 }, "size must be a number from 1 to 10, not 11"],
    [{ url: URL_, size: "many" }, 'size must be a number, not "many"'],
    [{ url: URL_, on: "maybe" }, "on must be true or false"],
    [{ url: URL_, headers: [] }, "headers must be an object"],
    [{ url: URL_, tls: { verify: 3 } }, "tls.verify must be true or false, not 3"],
    [{ url: URL_, list: [1, "x"] }, 'list[2] must be a number, not "x"'],
    [{ url: URL_, list: 1 }, "list must be an array"],
    [{ url: URL_, sql: "${a[}" }, "sql: "],
    [{ ulr: URL_ }, "unknown parameter"],
    [{ url: URL_, pasword: "x" }, "unknown parameter pasword, did you mean password?"],
    ["text", "params must be an object"],
    [null, "url is missing"],
    [{ url: URL_, big: "x".repeat(300_000) }, "at most 262144 characters"],
  ])("%j", (given, words) => {
    expect(() => checkParams(given, SPEC)).toThrow(words === "unknown parameter" ? /url is missing|unknown parameter/ : words);
  });

  test("names of an object's own are names like any other", () => {
    const given = JSON.parse(`{"url": "${URL_}", "__proto__": {"x": 1}, "headers": {"constructor": "y"}}`);
    const params = checkParams(given, SPEC);
    expect(Object.hasOwn(params, "__proto__")).toBe(true);
    expect((params as { x?: number }).x).toBeUndefined();
  });
});

describe("secrets", () => {
  const saved = {
    url: "http://joe:pw@127.0.0.1/x",
    password: "secret",
    tls: { key: "PEM", verify: true },
    headers: { Authorization: "Bearer 1", "X-Other": "z" },
    size: 5,
  };
  const shown = {
    url: `http://joe:${MASK}@127.0.0.1/x`,
    password: MASK,
    tls: { key: MASK, verify: true },
    headers: { Authorization: MASK, "X-Other": "z" },
    size: 5,
  };

  test("are masked wherever they are shown, also while their kind is away", () => {
    expect(shownParams(saved, SPEC)).toEqual(shown);
    expect(secretNames(SPEC)).toEqual(["tls", "password"]);
    const away = shownParams({ ...saved, tls: "PEM", odd: "x" }, null, ["tls", "odd"]);
    expect(JSON.stringify(away)).not.toMatch(/secret|PEM|"pw|Bearer/);
    expect(away.odd).toBe(MASK);
    expect(shownParams({ password: "" }, SPEC)).toEqual({ password: "" });
  });

  test("a header or the like is one by its name; placeholders are none; what no name tells cannot be known", () => {
    const headers = {
      "X-Auth": "a",
      "X-Api-Key": "b",
      Cookie: "c",
      "Session-Id": "d",
      "x-auth-user": "joe",
      author: "e",
      token: "$" + "{payload.token}",
      "X-Password": "",
      "X-Plain": "f",
    };
    const expected = { ...headers, "X-Auth": MASK, "X-Api-Key": MASK, Cookie: MASK, "Session-Id": MASK };
    expect(shownParams({ headers }, SPEC)).toEqual({ headers: expected });
    expect(unmasked({ headers: expected }, { headers }, SPEC)).toEqual({ headers });
    expect(() => unmasked({ headers: { ...expected, "X-New-Token": MASK } }, { headers }, SPEC)).toThrow(MASK_ALONE);
  });

  test("a text that has a secret in it is shown as its kind says, and comes back whole", () => {
    const shown = (text: string): string => text.replace(/(?<=joe )\S+/, MASK);
    const spec: ParamsSpec = { cmd: { type: "string", format: "template", shown, ...about } };
    const field = "$" + "{t}";
    const params = { cmd: `LOGIN joe pw1 ${field}` };
    const masked = { cmd: `LOGIN joe ${MASK} ${field}` };
    expect(shownParams(params, spec)).toEqual(masked);
    expect([maskedFields(masked, spec), secretNames(spec)]).toEqual([["cmd"], ["cmd"]]);
    expect(unmasked(masked, params, spec)).toEqual(params);
    expect(() => unmasked({ cmd: `${masked.cmd} x` }, params, spec)).toThrow(MASK_ALONE);
  });

  test("a mask that comes back is what is saved; what was typed is taken", () => {
    expect(unmasked(shown, saved, SPEC)).toEqual(saved);
    expect(unmasked({ ...shown, password: "new", size: 6 }, saved, SPEC)).toEqual({ ...saved, password: "new", size: 6 });
    expect(unmasked({ ...saved }, null, SPEC)).toEqual(saved);
  });

  test("nothing is saved, or it would go to another server: it has to be typed", () => {
    expect(() => unmasked({ url: URL_, password: MASK }, null, SPEC)).toThrow(
      "password: ****** stands for a secret that is saved, and none is",
    );
    expect(() => unmasked({ ...shown, url: "http://evil.example/" }, saved, SPEC)).toThrow("url has changed: type");
    expect(() => unmasked({ ...shown, headers: { Other: MASK } }, saved, SPEC)).toThrow(MASK);
    expect(maskedFields({ url: shown.url, size: 5, tls: shown.tls }, SPEC)).toEqual(["url", "tls"]);
  });
});
