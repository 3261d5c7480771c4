// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { expect, test } from "bun:test";
import fc from "fast-check";
import { compileJsonTemplate } from "../../../../server/plugins/_connectors/json_template.ts";

test("values are values, texts within texts are escaped", () => {
  const fill = compileJsonTemplate('{"a": ${a}, "b": "room ${b}", "c": ${c}, "d": {"e\\"": [${a}]}, "whole": ${.}}');
  expect(JSON.parse(fill({ a: 1.5, b: 'x", "admin": true', c: { n: [1] } }))).toEqual({
    a: 1.5,
    b: 'room x", "admin": true',
    c: { n: [1] },
    d: { 'e"': [1.5] },
    whole: { a: 1.5, b: 'x", "admin": true', c: { n: [1] } },
  });
  expect(JSON.parse(fill({}))).toEqual({ a: null, b: "room ", c: null, d: { 'e"': [null] }, whole: {} });
});

test("whatever the value is, it is JSON, and has the fields of the template alone", () => {
  const fill = compileJsonTemplate('{"a": ${v}, "b": "<${v}>"}');
  fc.assert(
    fc.property(fc.anything(), (v) => {
      expect(Object.keys(JSON.parse(fill({ v: typeof v === "symbol" || typeof v === "function" ? null : v })))).toEqual(["a", "b"]);
    }),
  );
});

test("what is no object is refused", () => {
  for (const [text, why] of [
    ["[1]", /a JSON object/],
    ['{"a": ${a', /no JSON/],
    ["${a}", /a JSON object/],
    ['{"a": }', /no JSON/],
  ] as const)
    expect(() => compileJsonTemplate(text)).toThrow(why);
});

test("what is longer than a row may become is refused before it is put together", () => {
  const fill = compileJsonTemplate(`{"a": [${Array(3000).fill('"${v}", ${v}').join(", ")}]}`);
  expect(() => fill({ v: "x".repeat(100_000) })).toThrow("what the row would become has more than 33554432 characters");
  expect(fill({ v: "x" }).length).toBeLessThan(50_000);
});
