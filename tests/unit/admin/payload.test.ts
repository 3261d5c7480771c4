import { describe, expect, test } from "bun:test";
import { encodePayload, fromBase64, readProperties, showProperties, toBase64, wantedEncoding } from "../../../server/admin/payload.ts";

const bytes = (...b: number[]): Uint8Array => Uint8Array.from(b);

describe("payloads", () => {
  test("text when it is UTF-8, else base64; a byte order mark stays", () => {
    expect(encodePayload(new TextEncoder().encode("hé"), "auto")).toEqual({ payload: "hé", encoding: "plain" });
    expect(encodePayload(bytes(0xff, 0), "auto")).toEqual({ payload: "/wA=", encoding: "base64" });
    expect(encodePayload(bytes(0xff), "plain")).toEqual({ payload: "\ufffd", encoding: "plain" });
    expect(encodePayload(bytes(65), "base64")).toEqual({ payload: "QQ==", encoding: "base64" });
    expect(encodePayload(bytes(0xef, 0xbb, 0xbf, 65), "auto").payload).toBe("\ufeffA");
  });

  test("base64 there and back, large too", () => {
    const big = Uint8Array.from({ length: 100_000 }, (_, i) => i % 256);
    expect(fromBase64(toBase64(big), "x")).toEqual(big);
    expect(() => fromBase64("a-b", "payload")).toThrow("value of 'payload' must be base64");
  });

  test("wanted encoding", () => {
    expect([undefined, "", "auto", "plain", "base64"].map(wantedEncoding)).toEqual(["auto", "auto", "auto", "plain", "base64"]);
    expect(() => wantedEncoding("hex")).toThrow("encoding");
  });
});

describe("properties", () => {
  test("there and back", () => {
    const shown = {
      payload_format: 1 as const,
      message_expiry: 60,
      content_type: "a/b",
      response_topic: "r/t",
      correlation_data: "AQI=",
      user_properties: [["a", "1"]] as [string, string][],
    };
    expect(showProperties(readProperties(shown))).toEqual(shown);
  });

  test("what would break whoever receives it is none", () => {
    const long = "x".repeat(65_536);
    const bad: [string, unknown][] = [
      ["properties", null],
      ["properties", []],
      ["properties", 5],
      ["properties.payload_format", { payload_format: 2 }],
      ["properties.message_expiry", { message_expiry: -1 }],
      ["properties.message_expiry", { message_expiry: 1.5 }],
      ["properties.content_type", { content_type: 5 }],
      ["properties.content_type", { content_type: null }],
      ["properties.content_type", { content_type: long }],
      ["properties.content_type", { content_type: "ü".repeat(32_768) }],
      ["properties.content_type", { content_type: "a\u0001" }],
      ["properties.content_type", { content_type: "\ud800" }],
      ["properties.response_topic", { response_topic: "a/+" }],
      ["properties.response_topic", { response_topic: "" }],
      ["properties.correlation_data", { correlation_data: toBase64(new Uint8Array(65_536)) }],
      ["properties.user_properties", { user_properties: [["a"]] }],
      ["properties.user_properties", { user_properties: [["a", 1]] }],
      ["properties.user_properties", { user_properties: { a: "b" } }],
      ["properties.user_properties", { user_properties: [["a", long]] }],
    ];
    for (const [name, p] of bad) expect(() => readProperties(p as never)).toThrow(`value of '${name}' must be `);
    const most = { content_type: "x".repeat(65_535), correlation_data: toBase64(new Uint8Array(65_535)) };
    expect(showProperties(readProperties(most))).toEqual(most);
  });

  test("none", () => {
    expect(readProperties(undefined)).toBeNull();
    expect(readProperties({})).toBeNull();
    expect(showProperties(null)).toBeUndefined();
    expect(showProperties({ topicAlias: 3, subscriptionIds: [1] })).toBeUndefined();
  });
});
