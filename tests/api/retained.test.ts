/** Messages the broker holds, and topics as a tree. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Delayed, Retained, RetainedMessage, TopicTree } from "../../server/api/contract.ts";
import { NODE, nextMessage, TestNode } from "./support/node.ts";
import { scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
const it = () => node;
const publish = (body: unknown) => node.ask("POST", "/mqtt/publish", { body });
const topics = (rows: unknown): string[] | undefined => (rows as Retained[] | undefined)?.map((r) => r.topic);

beforeAll(async () => {
  node = await TestNode.start();
  for (const [topic, payload] of [
    ["r/a", "one"],
    ["r/b/c", "two!"],
    ["/lead/", "x"],
    ["r/ü", "é"],
  ]) {
    await publish({ topic, payload, retain: true, qos: 1, client_id: "me" });
  }
  await publish({
    topic: "r/bytes",
    payload: "/wA=",
    encoding: "base64",
    retain: true,
    properties: { content_type: "x/y", message_expiry: 3600 },
  });
});
afterAll(() => node.stop());

describe("retained", () => {
  unauthorized(it, [
    ["GET", "/retained"],
    ["GET", "/retained/r%2Fa"],
    ["DELETE", "/retained/r%2Fa"],
    ["DELETE", "/retained?_filter=%23"],
  ]);
  wrongMethod(it, [
    ["POST", "/retained"],
    ["PUT", "/retained/x"],
  ]);
  scenarios(it, [
    { name: "bad filter", method: "GET", path: "/retained?_filter=a%23", code: 115 },
    { name: "bad sort", method: "GET", path: "/retained?_sort=nope", code: 108 },
    { name: "bad encoding", method: "GET", path: "/retained/r/a?encoding=x", code: 108 },
    { name: "unknown", method: "GET", path: "/retained/nope", code: 102, message: "not_found" },
    { name: "delete unknown", method: "DELETE", path: "/retained/nope", code: 102, message: "not_found" },
    { name: "delete without filter", method: "DELETE", path: "/retained", code: 107 },
    { name: "delete by a bad filter", method: "DELETE", path: "/retained?_filter=a%23", code: 115 },
    {
      name: "by filter",
      method: "GET",
      path: "/retained?_filter=r/%2B",
      check: (a) => expect(topics(a.json?.data)).toEqual(["r/a", "r/ü", "r/bytes"]),
    },
    {
      name: "part of a topic",
      method: "GET",
      path: "/retained?_like_topic=B",
      check: (a) => expect(topics(a.json?.data)?.filter((t) => !t.startsWith("$SYS/"))).toEqual(["r/b/c", "r/bytes"]),
    },
    {
      name: "by filter and part",
      method: "GET",
      path: "/retained?_filter=r/%23&_like_topic=b&_sort=topic",
      check: (a) => expect(topics(a.json?.data)).toEqual(["r/b/c", "r/bytes"]),
    },
    {
      name: "page",
      method: "GET",
      path: "/retained?_filter=r/%23&_page=2&_limit=3",
      check: (a) => {
        expect(topics(a.json?.data)).toEqual(["r/bytes"]);
        expect(a.json?.meta).toEqual({ page: 2, limit: 3, count: 4 });
      },
    },
    {
      name: "sorted by size",
      method: "GET",
      path: "/retained?_filter=r/%23&_sort=-payload_size&_limit=1",
      check: (a) => expect(topics(a.json?.data)).toEqual(["r/b/c"]),
    },
    {
      name: "a message, as text",
      method: "GET",
      path: "/retained/r/a",
      data: {
        topic: "r/a",
        qos: 1,
        payload_size: 3,
        from: "me",
        ts_ms: expect.any(Number),
        expires_at_ms: 0,
        payload: "one",
        encoding: "plain",
      },
    },
    { name: "encoded topic", method: "GET", path: "/retained/r%2F%C3%BC", data: expect.objectContaining({ payload: "é" }) },
    { name: "slashes at both ends", method: "GET", path: "/retained//lead/", data: expect.objectContaining({ topic: "/lead/" }) },
    {
      name: "base64 on demand",
      method: "GET",
      path: "/retained/r/a?encoding=base64",
      data: expect.objectContaining({ payload: "b25l", encoding: "base64" }),
    },
  ]);

  test("bytes that are no text, properties, expiry", async () => {
    const m = await node.get<RetainedMessage>("/retained/r/bytes");
    expect(m).toMatchObject({ payload: "/wA=", encoding: "base64", payload_size: 2, properties: { content_type: "x/y" } });
    expect(m.expires_at_ms).toBeGreaterThan(Date.now());
    expect((await node.get<RetainedMessage>("/retained/r/bytes?encoding=plain")).encoding).toBe("plain");
  });

  test("deleting acts: a new subscriber gets what is left", async () => {
    expect((await node.ask("DELETE", "/retained/r/a")).text).toBe('{"code":0}');
    expect(await node.data<unknown>("DELETE", "/retained", { body: { _filter: "r/b/#" } })).toEqual({ deleted: 1 });
    const client = await node.mqtt("late");
    const got: string[] = [];
    client.on("message", (topic) => got.push(topic));
    await client.subscribeAsync("r/#");
    await publish({ topic: "r/end", payload: "" });
    while (!got.includes("r/end")) await nextMessage(client).catch(() => {});
    expect(got.filter((t) => t !== "r/end").sort()).toEqual(["r/bytes", "r/ü"]);
    await client.endAsync();
  });
});

describe("delayed", () => {
  unauthorized(it, [
    ["GET", "/delayed"],
    ["DELETE", "/delayed/1"],
    ["POST", "/delayed/1/send"],
  ]);

  test("off: an empty list, commands refused; on: listed, cancelled, sent at once", async () => {
    expect(await node.get<unknown>("/delayed")).toEqual([]);
    expect((await node.ask("DELETE", "/delayed/1")).json?.code).toBe(102);
    await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_delayed_publish/load`);
    for (const t of ["one", "two"]) await publish({ topic: `$delayed/1000/later/${t}`, payload: t, qos: 1, client_id: "me" });
    const rows = await node.get<Delayed[]>("/delayed?_sort=topic");
    expect(rows.map((d) => d.topic)).toEqual(["later/one", "later/two"]);
    expect(rows[0]).toMatchObject({ qos: 1, retain: false, from: "me", payload_size: 3 });
    expect(rows[0]?.due_at_ms).toBeGreaterThan(Date.now() + 900_000);
    expect((await node.ask("DELETE", `/delayed/${rows[0]?.id}`)).text).toBe('{"code":0}');
    expect((await node.ask("DELETE", `/delayed/${rows[0]?.id}`)).json?.message).toBe("not_found");
    expect((await node.ask("DELETE", "/delayed/x")).json?.code).toBe(102);
    const client = await node.mqtt("waiting");
    await client.subscribeAsync("later/#");
    const came = nextMessage(client);
    expect((await node.ask("POST", `/delayed/${rows[1]?.id}/send`)).text).toBe('{"code":0}');
    expect((await came).topic).toBe("later/two");
    expect(await node.get<unknown>("/delayed")).toEqual([]);
    await client.endAsync();
  });
});

describe("topic tree", () => {
  unauthorized(it, [["GET", "/topics/tree"]]);
  scenarios(it, [
    { name: "limit 0", method: "GET", path: "/topics/tree?limit=0", code: 108 },
    { name: "limit is no number", method: "GET", path: "/topics/tree?limit=x", code: 108 },
  ]);

  test("one level at a time", async () => {
    const client = await node.mqtt("tree");
    await client.subscribeAsync(["t/a", "t/a/b", "t/+/c", "u"]);
    const top = await node.get<TopicTree>("/topics/tree");
    expect(top.nodes.find((n) => n.name === "t")).toEqual({
      name: "t",
      topic: "t",
      routes: 3,
      retained: 0,
      children: true,
      is_route: false,
    });
    expect(top.nodes.find((n) => n.name === "u")).toMatchObject({ routes: 1, children: false, is_route: true });
    expect(top.nodes.find((n) => n.name === "r")).toMatchObject({ routes: 0, retained: 2, children: true });
    const below = await node.get<TopicTree>("/topics/tree?prefix=t");
    expect(below.nodes.map((n) => [n.name, n.topic, n.routes, n.is_route])).toEqual([
      ["+", "t/+", 1, false],
      ["a", "t/a", 2, true],
    ]);
    expect(await node.get<TopicTree>("/topics/tree?prefix=t&limit=1")).toMatchObject({ truncated: true, nodes: [{ name: "+" }] });
    await client.endAsync();
  });
});
