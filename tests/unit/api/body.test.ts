import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { BadBody, mergeParams, readJson } from "../../../server/api/body.ts";

const request = (body: BodyInit | null): Request => new Request("http://x/", { method: "POST", body });

describe("JSON", () => {
  test("whatever the content type; nothing is nothing", async () => {
    expect(await readJson(request('{"a":1}'))).toEqual({ a: 1 });
    expect(await readJson(request('\ufeff{"a":1}'))).toEqual({ a: 1 });
    expect(await readJson(request(""))).toBeUndefined();
    expect(await readJson(request(null))).toBeUndefined();
  });

  test("anything else is refused", async () => {
    for (const body of ["{", "a=b", Uint8Array.from([0x22, 0xff, 0x22]), "x".repeat(8 * 1024 * 1024 + 1)]) {
      await expect(readJson(request(body))).rejects.toBeInstanceOf(BadBody);
    }
  });
});

describe("parameters", () => {
  const schema = Type.Object({ qos: Type.Integer(), on: Type.Boolean(), name: Type.String() });

  test("query first, in the type of the field", () => {
    const query = { qos: "1", on: "true", name: "5", other: "7" };
    expect(mergeParams(query, { qos: 2, more: null }, schema)).toEqual({ qos: 1, on: true, name: "5", other: "7", more: null });
    expect(Object.keys(mergeParams({ b: "1" }, { a: 1, b: 2 }, undefined))).toEqual(["b", "a"]);
    expect(mergeParams({ qos: "x", on: "1" }, undefined, schema)).toEqual({ qos: "x", on: "1" });
  });

  test("arrays have no fields; other JSON is refused", () => {
    expect(mergeParams({}, [1], schema)).toEqual({});
    for (const json of ["x", 5, true, null]) expect(() => mergeParams({}, json, schema)).toThrow(BadBody);
  });

  test("no name reaches the prototype", () => {
    const params = mergeParams({}, JSON.parse('{"__proto__":{"topic":"x"}}'), schema);
    expect(params.topic).toBeUndefined();
    expect(Object.keys(params)).toEqual(["__proto__"]);
  });
});
