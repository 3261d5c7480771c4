/** What the service is told of each hook: EMQ X 3.1's fields in its order, letter for letter. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Message } from "../../../../server/core/message.ts";
import { Bodies, type Body, topicOf } from "../../../../server/plugins/web_hook/bodies.ts";
import { encodePayload } from "../../../../server/plugins/web_hook/payload.ts";
import { aClient } from "../../../support/access.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const message = (payload: Uint8Array, username: string | null = "joe"): Message =>
  new Message("t/1", payload, 1, true, "pub", username, 1_557_144_000_999, 0, null);
const client = aClient({ clientId: "c1", username: "joe", ip: "10.0.0.7", keepalive: 60, version: 4 });
const nobody = aClient({ clientId: "c1", username: null });
const opts = { qos: 1, nl: false, rap: true, rh: 2, subId: 5 } as const;
const b = new Bodies({ encodePayload: "off", none: "undefined" });

const TABLE: readonly [hook: string, body: () => Body, json: string][] = [
  [
    "client.connected",
    () => b.clientConnected(client, 1_557_144_000_999),
    '{"action":"client_connected","client_id":"c1","username":"joe","keepalive":60,"ipaddress":"10.0.0.7","proto_ver":4,"connected_at":1557144000,"conn_ack":0}',
  ],
  [
    "client.disconnected",
    () => b.clientDisconnected(client, "keepalive_timeout"),
    '{"action":"client_disconnected","client_id":"c1","username":"joe","reason":"keepalive_timeout"}',
  ],
  [
    "client.disconnected of nobody",
    () => b.clientDisconnected(nobody, "normal"),
    '{"action":"client_disconnected","client_id":"c1","username":"undefined","reason":"normal"}',
  ],
  [
    "client.subscribe",
    () => b.clientSubscribe(client, "a/+", opts),
    '{"action":"client_subscribe","client_id":"c1","username":"joe","topic":"a/+","opts":{"nl":0,"qos":1,"rap":1,"rh":2}}',
  ],
  [
    "client.subscribe, shared",
    () => b.clientSubscribe(client, "$share/g/a/#", opts),
    '{"action":"client_subscribe","client_id":"c1","username":"joe","topic":"a/#","opts":{"nl":0,"qos":1,"rap":1,"rh":2,"share":"g"}}',
  ],
  [
    "client.unsubscribe",
    () => b.clientUnsubscribe(client, "a/+"),
    '{"action":"client_unsubscribe","client_id":"c1","username":"joe","topic":"a/+","opts":{}}',
  ],
  ["session.created", () => b.sessionCreated("c1", null), '{"action":"session_created","client_id":"c1","username":"undefined"}'],
  [
    "session.subscribed",
    () => b.sessionSubscribed("c1", "a", opts, true),
    '{"action":"session_subscribed","client_id":"c1","topic":"a","opts":{"first":true,"nl":0,"qos":1,"rap":1,"rh":2}}',
  ],
  ["session.unsubscribed", () => b.sessionUnsubscribed("c1", "$queue/a"), '{"action":"session_unsubscribed","client_id":"c1","topic":"a"}'],
  ["session.terminated", () => b.sessionTerminated("c1", "kicked"), '{"action":"session_terminated","client_id":"c1","reason":"kicked"}'],
  [
    "message.publish",
    () => b.messagePublish(message(bytes('{"a":"ä\\n"}'))),
    '{"action":"message_publish","from_client_id":"pub","from_username":"joe","topic":"t/1","qos":1,"retain":true,"payload":"{\\"a\\":\\"ä\\\\n\\"}","ts":1557144000}',
  ],
  [
    "message.publish of nobody, binary",
    () => b.messagePublish(message(new Uint8Array([255, 0, 1]), null)),
    '{"action":"message_publish","from_client_id":"pub","from_username":"undefined","topic":"t/1","qos":1,"retain":true,"payload":"/wAB","ts":1557144000,"encoding":"base64"}',
  ],
  [
    "message.deliver",
    () => b.messageDeliver("c1", null, message(bytes("x"))),
    '{"action":"message_deliver","client_id":"c1","username":"undefined","from_client_id":"pub","from_username":"joe","topic":"t/1","qos":1,"retain":true,"payload":"x","ts":1557144000}',
  ],
  [
    "message.acked",
    () => b.messageAcked("c1", message(bytes(""))),
    '{"action":"message_acked","client_id":"c1","from_client_id":"pub","from_username":"joe","topic":"t/1","qos":1,"retain":true,"payload":"","ts":1557144000}',
  ],
];

describe("bodies", () => {
  for (const [hook, body, json] of TABLE) test(hook, () => expect(JSON.stringify(body())).toBe(json));

  test("null in the place of who has no name", () => {
    const nulls = new Bodies({ encodePayload: "off", none: null });
    expect(nulls.sessionCreated("c", null)).toEqual({ action: "session_created", client_id: "c", username: null });
    expect(nulls.messagePublish(message(bytes("x"), null))).toMatchObject({ from_username: null });
  });

  test("a topic is told without the group that shares it", () => {
    expect(["a/b", "$share/g/a/b", "$queue/a", "$share//x", "$SYS/a"].map(topicOf)).toEqual(["a/b", "a/b", "a", "$share//x", "$SYS/a"]);
  });
});

describe("payloads", () => {
  const cases: readonly [bytes: number[], base62: string][] = [
    [[], ""],
    [[0], "AA"],
    [[1, 2, 3], "AQID"],
    // 63 is two letters; what is left are bits as a number.
    [[255, 255, 255], "9C9C9C9C"],
    [[255], "9CD"],
    [[255, 255], "9C9CP"],
  ];
  for (const [given, base62] of cases)
    test(`base62 of ${given.join(" ") || "nothing"}`, () => {
      const { text, encoding } = encodePayload(new Uint8Array(given), "base62");
      expect(encoding).toBe("base62");
      expect(text).toBe(base62);
    });

  test("base62 can be taken back: six bits at a time", () => {
    const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz012345678";
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (payload) => {
        const { text } = encodePayload(payload, "base62");
        const codes = [...text.matchAll(/9[ABC]|[^9]/g)].map(([c]) =>
          c.length === 2 ? 61 + "ABC".indexOf(c[1] as string) : ALPHABET.indexOf(c),
        );
        const rest = (payload.length * 8) % 6;
        const bits = codes.map((c, i) => c.toString(2).padStart(i === codes.length - 1 && rest > 0 ? rest : 6, "0")).join("");
        expect(bits).toBe([...payload].map((x) => x.toString(2).padStart(8, "0")).join(""));
      }),
    );
  });

  test("text stays text, whatever else is base64 and says so; both can be taken back", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string().map(bytes)), (payload) => {
        const { text, encoding } = encodePayload(payload, "off");
        const back = encoding === "base64" ? Buffer.from(text, "base64") : Buffer.from(text);
        expect(Buffer.from(back).equals(Buffer.from(payload))).toBe(true);
      }),
    );
    expect(encodePayload(bytes("\ufeffx"), "off")).toEqual({ text: "\ufeffx", encoding: null });
    expect(encodePayload(bytes("x"), "base64")).toEqual({ text: "eA==", encoding: "base64" });
  });
});
