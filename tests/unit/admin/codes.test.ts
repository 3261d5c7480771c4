import { describe, expect, test } from "bun:test";
import { Glob } from "bun";
import { CODE, CODES, type Code } from "../../../server/admin/codes.ts";
import { AdminError } from "../../../server/admin/deps.ts";
import { badTopic, badValue, missing, notFound, notOneOf, notRunning, offline, optionalText } from "../../../server/admin/refusals.ts";

const SOURCES = new Map<string, string>();
for (const folder of ["admin", "api", "cli", "node"]) {
  const root = new URL(`../../../server/${folder}/`, import.meta.url).pathname;
  for (const file of new Glob("**/*.ts").scanSync(root)) SOURCES.set(`${folder}/${file}`, await Bun.file(root + file).text());
}
const names = Object.keys(CODE) as (keyof typeof CODE)[];

describe("the table of codes", () => {
  test("0, 101 to 115, and the rule engine's 400 and 404, as EMQ X 3.1 has them, each once and explained", () => {
    const all: Code[] = [0, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 400, 404];
    expect(Object.values(CODE)).toEqual(all);
    expect(CODES.map((c) => c.code)).toEqual(all);
    for (const c of CODES) expect(c.words).toMatch(/^[A-Z]/);
  });

  test("what is said to be sent is sent, and nothing else", () => {
    const sources = [...SOURCES].filter(([file]) => file !== "admin/codes.ts").map(([, text]) => text);
    for (const name of names.filter((n) => n !== "SUCCESS")) {
      const used = sources.some((text) => text.includes(`CODE.${name}`));
      expect([name, used]).toEqual([name, CODES.find((c) => c.code === CODE[name])?.sent !== ""]);
    }
  });

  test("nobody writes a code as a number", () => {
    const numbers = [...SOURCES].filter(([, text]) => /(?:AdminError|failure)\(1\d\d\b|code(?: ===|:) 1[01]\d\b/.test(text));
    expect(numbers.map(([file]) => file)).toEqual([]);
  });
});

describe("refusals in common", () => {
  const shown = (e: AdminError): [number, string] => [e.code, e.message];

  test.each([
    [missing("who", "as"), 107, "missing mandatory params: ['who', 'as']"],
    [missing("key"), 107, "missing mandatory params: ['key']"],
    [badValue("x", "a number"), 108, "value of 'x' must be a number"],
    [notOneOf("qos", [0, 1, 2]), 108, "value of 'qos' must be one of: [0, 1, 2]"],
    [notOneOf("as", ["a", "b"]), 108, "value of 'as' must be one of: ['a', 'b']"],
    [notFound(), 102, "not_found"],
    [notRunning("emqx_recon"), 102, "emqx_recon is not running"],
    [offline("session_not_found"), 112, "session_not_found"],
    [badTopic(), 115, "bad_topic"],
  ])("%s", (err, code, message) => {
    expect(shown(err)).toEqual([code, message]);
    expect(err).toBeInstanceOf(AdminError);
  });

  test("optional text", () => {
    for (const none of [undefined, null, "undefined"]) expect(optionalText(none, "desc")).toBeNull();
    expect(optionalText("", "desc")).toBe("");
    expect(optionalText("x", "desc")).toBe("x");
    for (const bad of [5, true, [], {}]) expect(() => optionalText(bad, "desc")).toThrow("value of 'desc' must be a string");
  });
});
