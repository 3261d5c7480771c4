/** Publish, subscribe, unsubscribe through the API; messages over Server-Sent Events. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { MqttClient } from "mqtt";
import type { BatchResult, LiveMessage, Subscription } from "../../server/api/contract.ts";
import { until } from "../support/until.ts";
import { APP, basic, nextMessage, TestNode } from "./support/node.ts";
import { type Scenario, scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
let client: MqttClient;
const it = () => node;

beforeAll(async () => {
  node = await TestNode.start();
  client = await node.mqtt("sub", { protocolVersion: 5 });
  await client.subscribeAsync("in/#", { qos: 2 });
  const away = await node.mqtt("away", { clean: false });
  await away.endAsync();
});
afterAll(() => node.stop());

const routes = ["publish", "subscribe", "unsubscribe", "publish_batch", "subscribe_batch", "unsubscribe_batch"].map(
  (r) => ["POST", `/mqtt/${r}`] as const,
);

describe("refusals", () => {
  unauthorized(it, [...routes, ["GET", "/mqtt/subscribe"]]);
  wrongMethod(it, [
    ["GET", "/mqtt/publish"],
    ["PUT", "/mqtt/subscribe"],
    ["DELETE", "/mqtt/unsubscribe"],
  ]);
});

describe("publish: bad input", () => {
  const bad = (name: string, body: unknown, code: number): Scenario => ({ name, method: "POST", path: "/mqtt/publish", body, code });
  scenarios(it, [
    { ...bad("wildcard", { topic: "x/+" }, 115), message: "bad_topic" },
    bad("all of them wildcards", { topic: "x/#,y/+" }, 115),
    bad("misplaced wildcard", { topic: "x/#/y" }, 115),
    bad("wildcard inside a level", { topic: "x/y+" }, 115),
    bad("empty topic", { topic: "" }, 115),
    bad("no topic", { payload: "x" }, 115),
    bad("comma at the end", { topic: "x," }, 115),
    bad("topic too long", { topic: "x".repeat(4097) }, 115),
    bad("topic too long in bytes", { topic: "ü".repeat(2049) }, 115),
    bad("topic is a number", { topic: 5 }, 115),
    bad("topic is null", { topic: null }, 115),
    bad("topic is a list", { topic: ["x"] }, 115),
    bad("U+0000 in the topic", { topic: "x\0y" }, 115),
    bad("half a character in the topic", { topic: "x\ud800" }, 115),
    bad("a control character in the topic", { topic: "x\u0001y" }, 115),
    bad("a content type that no packet has room for", { topic: "x", properties: { content_type: "x".repeat(65_536) } }, 108),
    bad("an answer's topic with a wildcard", { topic: "x", properties: { response_topic: "a/#" } }, 108),
    bad("said to be UTF-8, and is none", { topic: "x", payload: "/w==", encoding: "base64", properties: { payload_format: 1 } }, 108),
    bad("a sender's name that is kept with each message", { topic: "x", client_id: "c".repeat(1025) }, 108),
    bad("qos 3", { topic: "x", qos: 3 }, 108),
    bad("qos -1", { topic: "x", qos: -1 }, 108),
    bad("qos 0.5", { topic: "x", qos: 0.5 }, 108),
    bad("qos is text", { topic: "x", qos: "1" }, 108),
    bad("qos is null", { topic: "x", qos: null }, 108),
    bad("payload is null", { topic: "x", payload: null }, 108),
    bad("unknown encoding", { topic: "x", payload: "x", encoding: "base62" }, 108),
    bad("payload is no base64", { topic: "x", payload: "a-b", encoding: "base64" }, 108),
    bad("properties of wrong types", { topic: "x", properties: { message_expiry: "1h" } }, 108),
    bad("correlation data is no base64", { topic: "x", properties: { correlation_data: "???" } }, 108),
  ]);
});

describe("publish", () => {
  const publish = (body: unknown, query = "") => node.ask("POST", `/mqtt/publish${query}`, { body });
  const published = async (body: unknown, query = "") => {
    const came = nextMessage(client);
    const answer = await publish(body, query);
    expect(answer.text).toBe('{"code":0}');
    return came;
  };

  test("in a batch each is looked at as if it came alone", async () => {
    const body = [{ topic: "x", properties: { content_type: 5 } }, { topic: "x", properties: null }, { topic: "x" }];
    const { json } = await node.ask("POST", "/mqtt/publish_batch", { body });
    expect((json as { data: { code: number }[] }).data.map(({ code }) => code)).toEqual([108, 108, 0]);
  });

  test("a subscriber receives it, and the answer tells how many did", async () => {
    const came = nextMessage(client);
    const answer = await publish({ topic: "in/1", payload: "hello", qos: 1, retain: false, client_id: "somebody" });
    expect(answer.text).toBe('{"code":0}');
    expect(answer.headers.get("x-receivers")).toBe("1");
    const { topic, payload, qos } = await came;
    expect({ topic, payload: payload.toString(), qos }).toEqual({ topic: "in/1", payload: "hello", qos: 1 });
  });

  test("nobody there: success, no receivers, a dropped message", async () => {
    const dropped = async () => (await node.get<Record<string, number>>("/nodes/emqx@127.0.0.1/metrics"))["messages/dropped"] ?? 0;
    const before = await dropped();
    const answer = await publish({ topic: "nobody/here", payload: "x" });
    expect(answer.json).toEqual({ code: 0 });
    expect(answer.headers.get("x-receivers")).toBe("0");
    expect(await dropped()).toBe(before + 1);
  });

  test("query beats body", async () => {
    expect((await published({ topic: "in/body", payload: "which" }, "?topic=in/query")).topic).toBe("in/query");
  });

  test("everything in the query, numbers as text", async () => {
    const { topic, qos, payload } = await published(undefined, "?topic=in/q&qos=2&payload=a%2Bb+c");
    expect({ topic, qos, payload: payload.toString() }).toEqual({ topic: "in/q", qos: 2, payload: "a+b c" });
  });

  test("a list of topics, wildcards left out", async () => {
    const topics: string[] = [];
    const two = new Promise<void>((resolve) => {
      const listen = (topic: string): void => {
        topics.push(topic);
        if (topics.length === 2) {
          client.off("message", listen);
          resolve();
        }
      };
      client.on("message", listen);
    });
    expect((await publish({ topics: "in/l1,in/+,in/l2" })).json).toEqual({ code: 0 });
    await two;
    expect(topics).toEqual(["in/l1", "in/l2"]);
  });

  test("topic comes before topics", async () => {
    expect((await published({ topic: "in/a", topics: "in/b,in/c" })).topic).toBe("in/a");
  });

  test("text in every script, U+0000, emptiness", async () => {
    for (const text of ["héllo ✓ 😀", "a\0b", ""])
      expect((await published({ topic: "in/ü", payload: text })).payload.toString()).toBe(text);
  });

  test("base64", async () => {
    expect([...(await published({ topic: "in/64", payload: "AP/+", encoding: "base64" })).payload]).toEqual([0, 255, 254]);
  });

  test("a number or object is sent as its JSON", async () => {
    expect((await published({ topic: "in/n", payload: 42 })).payload.toString()).toBe("42");
    expect((await published({ topic: "in/o", payload: { a: [1] } })).payload.toString()).toBe('{"a":[1]}');
  });

  test("MQTT 5 properties", async () => {
    const came = new Promise<Record<string, unknown>>((resolve) =>
      client.once("message", (_t, _p, packet) => resolve({ ...packet.properties })),
    );
    await publish({
      topic: "in/p",
      payload: "x",
      properties: {
        content_type: "text/plain",
        response_topic: "re/ply",
        correlation_data: "AQI=",
        user_properties: [
          ["a", "1"],
          ["a", "2"],
        ],
      },
    });
    const got = await came;
    expect(got).toMatchObject({ contentType: "text/plain", responseTopic: "re/ply" });
    expect([...(got.correlationData as Uint8Array)]).toEqual([1, 2]);
    expect((got.userProperties as Record<string, unknown>).a).toEqual(["1", "2"]);
  });

  test("retained only with true itself, cleared by an empty one", async () => {
    const retained = async (topic: string) => (await node.ask("GET", `/retained/${encodeURIComponent(topic)}`)).json;
    await publish({ topic: "keep/1", payload: "x", retain: 1 });
    await publish({ topic: "keep/2", payload: "x", retain: "true" });
    expect((await retained("keep/1"))?.code).toBe(102);
    expect((await retained("keep/2"))?.code).toBe(102);
    await publish({ topic: "keep/3", payload: "x", qos: 1, retain: true });
    expect((await retained("keep/3"))?.data).toMatchObject({ topic: "keep/3", payload: "x", encoding: "plain", qos: 1 });
    await publish({ topic: "keep/3", payload: "", retain: true });
    expect((await retained("keep/3"))?.code).toBe(102);
  });

  test("under $SYS, and with a huge payload", async () => {
    expect((await publish({ topic: "$SYS/mine", payload: "x" })).json).toEqual({ code: 0 });
    const big = "x".repeat(1_000_000);
    expect((await published({ topic: "in/big", payload: big })).payload.length).toBe(big.length);
  });

  test("No Local counts for client_id", async () => {
    await client.subscribeAsync("nl/x", { qos: 0, nl: true } as never);
    const own = await publish({ topic: "nl/x", payload: "own", client_id: "sub" });
    expect(own.headers.get("x-receivers")).toBe("0");
    const other = await publish({ topic: "nl/x", payload: "other", client_id: "else" });
    expect(other.headers.get("x-receivers")).toBe("1");
  });
});

describe("subscribe and unsubscribe: bad input", () => {
  const bad = (name: string, verb: string, body: unknown, code: number, message?: string): Scenario => ({
    name,
    method: "POST",
    path: `/mqtt/${verb}`,
    body,
    code,
    ...(message && { message }),
  });
  scenarios(it, [
    bad("unknown session", "subscribe", { topic: "x", qos: 1, client_id: "nobody" }, 112, "session_not_found"),
    bad("no client_id", "subscribe", { topic: "x" }, 112, "session_not_found"),
    bad("client_id is a number", "subscribe", { topic: "x", client_id: 5 }, 112, "session_not_found"),
    bad("the topic is looked at first", "subscribe", { topic: "s/#/x", client_id: "nobody" }, 115, "bad_topic"),
    bad("misplaced wildcard", "subscribe", { topic: "a+/b", client_id: "sub" }, 115),
    bad("empty topic", "subscribe", { topic: "", client_id: "sub" }, 115),
    bad("no topic", "subscribe", { client_id: "sub" }, 115),
    bad("topic is a number", "subscribe", { topic: 5, client_id: "sub" }, 115),
    bad("one bad in a list", "subscribe", { topic: "good,b#d", client_id: "sub" }, 115),
    bad("share without filter", "subscribe", { topic: "$share/g", client_id: "sub" }, 115),
    bad("qos 3", "subscribe", { topic: "x", qos: 3, client_id: "sub" }, 108),
    bad("qos is text", "subscribe", { topic: "x", qos: "1", client_id: "sub" }, 108),
    bad("unknown session", "unsubscribe", { topic: "x", client_id: "nobody" }, 112, "session_not_found"),
    bad("no topic", "unsubscribe", { client_id: "sub" }, 115, "bad_topic"),
    bad("empty topic", "unsubscribe", { topic: "", client_id: "sub" }, 115),
    bad("topic is a list", "unsubscribe", { topic: ["x"], client_id: "sub" }, 115),
    bad("huge topic", "unsubscribe", { topic: "x".repeat(70_000), client_id: "sub" }, 115),
  ]);
});

describe("subscribe and unsubscribe", () => {
  const ask = async (verb: string, body: unknown) => expect((await node.ask("POST", `/mqtt/${verb}`, { body })).text).toBe('{"code":0}');
  const topics = async (id: string) => (await node.get<Subscription[]>(`/subscriptions/${id}`)).map((s) => `${s.topic} ${s.qos}`).sort();

  test("a list, then another QoS, then gone; a retained message is delivered", async () => {
    const before = await topics("sub");
    await node.ask("POST", "/mqtt/publish", { body: { topic: "api/r", payload: "kept", retain: true } });
    const came = nextMessage(client);
    await ask("subscribe", { topic: "api/r,api/s", qos: 1, client_id: "sub" });
    expect(await came).toMatchObject({ topic: "api/r", retain: true });
    expect(await topics("sub")).toEqual([...before, "api/r 1", "api/s 1"].sort());
    await ask("subscribe", { topics: "api/s", qos: 2, client_id: "sub" });
    expect(await topics("sub")).toEqual([...before, "api/r 1", "api/s 2"].sort());
    await ask("unsubscribe", { topic: "api/r,api/s", client_id: "sub", payload: "x", qos: 1, retain: false });
    expect(await topics("sub")).toEqual([...before, "api/r 1", "api/s 2"].sort());
    await ask("unsubscribe", { topic: "api/r", client_id: "sub" });
    await ask("unsubscribe", { topic: "api/s", client_id: "sub" });
    expect(await topics("sub")).toEqual(before);
  });

  test("shared: removed by its whole and by its bare filter", async () => {
    const before = await topics("sub");
    await ask("subscribe", { topic: "$share/g/sh/1,$queue/sh/2,$share/h/sh/3", client_id: "sub" });
    expect(await topics("sub")).toEqual([...before, "sh/1 0", "sh/2 0", "sh/3 0"].sort());
    await ask("unsubscribe", { topic: "$share/g/sh/1", client_id: "sub" });
    await ask("unsubscribe", { topic: "sh/2", client_id: "sub" });
    await ask("unsubscribe", { topic: "sh/3", client_id: "sub" });
    expect(await topics("sub")).toEqual(before);
  });

  test("for who is away: the message waits", async () => {
    await ask("subscribe", { topic: "off/1", qos: 1, client_id: "away" });
    await node.ask("POST", "/mqtt/publish", { body: { topic: "off/1", payload: "waited", qos: 1 } });
    const { default: mqtt } = await import("mqtt");
    const back = mqtt.connect(`mqtt://127.0.0.1:${node.mqttPort()}`, { clientId: "away", clean: false, reconnectPeriod: 0 });
    expect((await nextMessage(back)).payload.toString()).toBe("waited");
    await back.endAsync();
  });

  test("not subscribed: success", async () => {
    await ask("unsubscribe", { topic: "never/was", client_id: "sub" });
  });

  test("batches answer for each", async () => {
    const post = (what: string, body: unknown) => node.data<BatchResult[]>("POST", `/mqtt/${what}`, { body });
    const came = nextMessage(client);
    expect(await post("publish_batch", [{ topic: "in/b", payload: "1" }, { topic: "x/#" }, 5, { topic: "y", qos: 9 }])).toEqual([
      { code: 0, topic: "in/b" },
      { code: 115, message: "bad_topic", topic: "x/#" },
      { code: 115, message: "bad_topic" },
      { code: 108, message: "value of 'qos' must be one of: [0, 1, 2]", topic: "y" },
    ]);
    expect((await came).topic).toBe("in/b");
    const two = [
      { client_id: "sub", topic: "bt/1" },
      { client_id: "nobody", topic: "bt/1" },
    ];
    const expected = [
      { code: 0, ...two[0] },
      { code: 112, message: "session_not_found", ...two[1] },
    ] as BatchResult[];
    expect(await post("subscribe_batch", two)).toEqual(expected);
    expect(await post("unsubscribe_batch", two)).toEqual(expected);
    expect(await post("publish_batch", {})).toEqual([]);
  });
});

describe("Server-Sent Events", () => {
  /** Events of a stream, one at a time. */
  async function* events(path: string): AsyncGenerator<{ event: string; data: unknown }> {
    const response = await fetch(node.url(`/api/v3/mqtt/subscribe${path}`), {
      headers: { authorization: basic(APP.id, APP.secret) },
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      rest += decoder.decode(chunk, { stream: true });
      for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
        const block = rest.slice(0, end);
        rest = rest.slice(end + 2);
        const fields = Object.fromEntries(block.split("\n").map((l) => l.split(/: (.*)/s, 2)));
        if (fields.event) yield { event: fields.event as string, data: JSON.parse(fields.data as string) };
      }
    }
  }

  scenarios(it, [
    { name: "no topic", method: "GET", path: "/mqtt/subscribe", code: 115 },
    { name: "bad topic", method: "GET", path: "/mqtt/subscribe?topic=a%23", code: 115 },
    { name: "bad qos", method: "GET", path: "/mqtt/subscribe?topic=a&qos=7", code: 108 },
    { name: "bad encoding", method: "GET", path: "/mqtt/subscribe?topic=a&encoding=x", code: 108 },
  ]);

  test("retained and new messages, text and bytes; the subscription ends with the reader", async () => {
    const post = (body: unknown) => node.ask("POST", "/mqtt/publish", { body });
    await post({ topic: "sse/kept", payload: "old", retain: true });
    const stream = events("?topic=sse/%23&qos=1");
    const next = async () => (await stream.next()).value as { event: string; data: LiveMessage };
    const first = [await next(), await next()].sort((a, b) => (a.event < b.event ? -1 : 1));
    expect(first[0]).toMatchObject({ event: "message", data: { topic: "sse/kept", payload: "old", retain: true } });
    expect(first[1]).toMatchObject({ event: "subscribed", data: { topics: ["sse/#"], qos: 1 } });
    await post({ topic: "sse/text", payload: "hé", qos: 1, client_id: "me" });
    expect(await next()).toMatchObject({
      event: "message",
      data: { topic: "sse/text", payload: "hé", encoding: "plain", qos: 1, from: "me" },
    });
    await post({ topic: "sse/bytes", payload: "/wA=", encoding: "base64" });
    expect(await next()).toMatchObject({ data: { topic: "sse/bytes", payload: "/wA=", encoding: "base64" } });
    expect((await node.ask("GET", "/subscriptions?topic=sse/%23")).json?.meta?.count).toBe(0);
    await stream.return(undefined);
    await until(() => !node.node.broker.router.hasFilter("sse/#"), "the end of the subscription");
    expect((await node.ask("GET", "/subscriptions?topic=sse/%23")).json?.meta?.count).toBe(0);
  });
});
