import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { BadBody, isModest, jsonOf, LateBody, mergeParams, readAll, readCarefully } from "../../../server/api/body.ts";

const request = (body: BodyInit | null, headers: Record<string, string> = {}): Request =>
  new Request("http://x/", { method: "POST", body, headers });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

describe("JSON", () => {
  test("whatever the content type; nothing is nothing", () => {
    expect(jsonOf(bytes('{"a":1}'))).toEqual({ a: 1 });
    expect(jsonOf(bytes('\ufeff{"a":1}'))).toEqual({ a: 1 });
    expect(jsonOf(bytes(""))).toBeUndefined();
  });

  test("anything else is refused", () => {
    for (const body of [bytes("{"), bytes("a=b"), Uint8Array.from([0x22, 0xff, 0x22])]) expect(() => jsonOf(body)).toThrow(BadBody);
  });

  test("64 levels, and no more", () => {
    expect(jsonOf(bytes(nested(64)))).toBeArray();
    expect(() => jsonOf(bytes(nested(65)))).toThrow(BadBody);
    expect(() => jsonOf(bytes(`{"a":`.repeat(65)))).toThrow(BadBody);
    // Side by side is not in each other.
    expect(jsonOf(bytes(`[${Array(1000).fill("[]").join(",")}]`))).toHaveLength(1000);
  });

  test("brackets in strings are no levels, whatever is escaped there", () => {
    const texts = ["[".repeat(100), `\\${"{".repeat(100)}`, `"${"[".repeat(100)}"`, `\\"${"[".repeat(100)}\\`, "\\".repeat(99)];
    expect(jsonOf(bytes(JSON.stringify(texts)))).toEqual(texts);
    expect(() => jsonOf(bytes(`["\\\\",${nested(64)}]`))).toThrow(BadBody);
  });

  test("so many values", () => {
    expect(jsonOf(bytes(`[${"1,".repeat(199_998)}1]`))).toHaveLength(199_999);
    expect(() => jsonOf(bytes(`[${"1,".repeat(200_000)}1]`))).toThrow(BadBody);
  });

  test("by the bytes alone: before a parser sees them", () => {
    expect([64, 65].map((levels) => isModest(bytes(nested(levels))))).toEqual([true, false]);
    expect(isModest(bytes(`["${"[".repeat(100)}`))).toBe(true);
  });

  test("a body that is nothing but depth is told apart by its first bytes", () => {
    const deep = bytes("[".repeat(8_000_000));
    expect(isModest(deep)).toBe(false);
  });
});

describe("reading", () => {
  test("the whole of it, up to a limit", async () => {
    expect(await readAll(request(null), 10)).toHaveLength(0);
    expect(await readAll(request("0123456789"), 10)).toHaveLength(10);
    await expect(readAll(request("0123456789x"), 10)).rejects.toBeInstanceOf(BadBody);
    expect(await readCarefully(request(null), 10, new AbortController().signal)).toHaveLength(0);
    expect(await readCarefully(request("0123456789"), 10, new AbortController().signal)).toHaveLength(10);
    await expect(readCarefully(request("0123456789x"), 10, new AbortController().signal)).rejects.toBeInstanceOf(BadBody);
  });

  test("what is announced as too long is not begun with", async () => {
    const never = () => new ReadableStream({ pull: () => new Promise<void>(() => {}) });
    const headers = { "content-length": "11" };
    await expect(readAll(request(never(), headers), 10)).rejects.toBeInstanceOf(BadBody);
    await expect(readCarefully(request(never(), headers), 10, new AbortController().signal)).rejects.toBeInstanceOf(BadBody);
  });

  test("carefully: no more than the limit is taken, and the sender is told", async () => {
    let taken = 0;
    let cancelled = false;
    const endless = new ReadableStream({
      pull(c) {
        taken += 4;
        c.enqueue(bytes("abcd"));
      },
      cancel() {
        cancelled = true;
      },
    });
    await expect(readCarefully(request(endless), 10, new AbortController().signal)).rejects.toBeInstanceOf(BadBody);
    expect(taken).toBeLessThan(100);
    expect(cancelled).toBe(true);
  });

  test("room is asked for before bytes are held, however small they come, and what refuses it ends the reading", async () => {
    const drops = (n: number, cancelled = () => {}) => {
      let left = n;
      return request(
        new ReadableStream({
          pull(c) {
            if (left-- > 0) c.enqueue(bytes("a"));
            else c.close();
          },
          cancel: cancelled,
        }),
      );
    };
    const never = new AbortController().signal;
    const room: number[] = [];
    expect(await readCarefully(drops(40_000), 100_000, never, (n) => void room.push(n))).toEqual(bytes("a".repeat(40_000)));
    expect(room).toEqual([16_384, 16_384, 32_768]);
    room.length = 0;
    expect(await readCarefully(request("b".repeat(60_000)), 100_000, never, (n) => void room.push(n))).toHaveLength(60_000);
    expect(room.reduce((a, n) => a + n, 0)).toBeLessThan(120_001);
    let left = 40_000;
    let cancelled = 0;
    const full = (n: number): void => {
      left -= n;
      if (left < 0) throw new Error("no room");
    };
    const many = drops(100_000, () => void cancelled++);
    await expect(readCarefully(many, 100_000, never, full)).rejects.toThrow("no room");
    expect(cancelled).toBe(1);
  });

  test("carefully: not longer than one has", async () => {
    const half = new ReadableStream({ start: (c) => c.enqueue(bytes("{")) });
    const stop = new AbortController();
    const reading = readCarefully(request(half), 10, stop.signal);
    stop.abort();
    await expect(reading).rejects.toBeInstanceOf(LateBody);
    await expect(readCarefully(request(new ReadableStream()), 10, AbortSignal.abort())).rejects.toBeInstanceOf(LateBody);
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
