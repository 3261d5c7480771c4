/** What holds for every route: paths, credentials, bodies, plain-text errors. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ADMIN, APP, basic, NODE, nextMessage, TestNode } from "./support/node.ts";
import { RawRequest, requestText } from "./support/raw.ts";
import { scenarios } from "./support/table.ts";

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());
const it = () => node;

describe("credentials", () => {
  const at = { method: "GET", path: "/brokers" };
  const refused = { ...at, status: 401, text: "UNAUTHORIZED" };
  scenarios(it, [
    { name: "none", ...refused, authorization: null },
    { name: "none, unknown route", ...refused, path: "/nope", authorization: null },
    { name: "wrong secret", ...refused, authorization: basic(APP.id, "nope") },
    { name: "unknown application", ...refused, authorization: basic("nobody", "x") },
    { name: "Bearer", ...refused, authorization: "Bearer abcdef" },
    { name: "Digest", ...refused, authorization: 'Digest username="x"' },
    { name: "broken base64", ...refused, authorization: "Basic !!!" },
    { name: "no colon", ...refused, authorization: `Basic ${Buffer.from("myappid").toString("base64")}` },
    { name: "in the query", ...refused, path: `/brokers?appid=${APP.id}&secret=${APP.secret}`, authorization: null },
    { name: "an application at the dashboard's port", ...refused, as: "user", authorization: basic(APP.id, APP.secret) },
    { name: "a user at the management port", ...refused, authorization: basic(ADMIN.login, ADMIN.password) },
    { name: "any spelling of Basic", ...at, authorization: basic(APP.id, APP.secret).replace("Basic", "bAsIc"), code: 0 },
    { name: "right", ...at, code: 0 },
    { name: "right, dashboard", ...at, as: "user", code: 0 },
  ]);

  test("401 asks for Basic and has no content type", async () => {
    const { headers } = await node.ask("GET", "/brokers", { authorization: null });
    expect(headers.get("www-authenticate")).toBe('Basic Realm="minirest-server"');
    expect(headers.get("content-type")).toBeNull();
    expect(headers.get("content-length")).toBe("12");
  });
});

describe("paths", () => {
  const unknown = { status: 404, text: "Not found." };
  scenarios(it, [
    { name: "slash at the end", method: "GET", path: "/brokers/", code: 0 },
    { name: "doubled slashes", method: "GET", path: "!!/api//v3///brokers//", code: 0 },
    { name: "unknown", method: "GET", path: "/nope", ...unknown },
    { name: "case counts", method: "GET", path: "/Brokers", ...unknown },
    { name: "node by its name", method: "GET", path: `/brokers/${NODE}`, code: 0 },
    { name: "node, encoded", method: "GET", path: `/brokers/${encodeURIComponent(NODE)}/`, code: 0 },
    { name: "unknown node", method: "GET", path: "/nodes/nosuch@127.0.0.1", ...unknown },
    { name: "unknown node, list", method: "GET", path: "/nodes/nosuch@127.0.0.1/connections", ...unknown },
    { name: "one segment too many", method: "GET", path: "/connections/a/b", ...unknown },
    { name: "broken escape", method: "GET", path: "/connections/%zz", status: 400, text: "" },
    {
      name: "broken escape at the end, no credentials",
      method: "GET",
      path: "/connections/%2",
      authorization: null,
      status: 400,
      text: "",
    },
    { name: "bytes that are no UTF-8", method: "GET", path: "/connections/%ff%fe", data: [] },
    { name: "root", method: "GET", path: "/", code: 0 },
    { name: "root without slash", method: "GET", path: "", code: 0 },
    { name: "root without slash, dashboard", method: "GET", path: "", as: "user", code: 0 },
    { name: "root with two slashes", method: "GET", path: "//", ...unknown },
    { name: "root, other method", method: "POST", path: "/", status: 400, text: "Bad Request" },
    { name: "outside the API", method: "GET", path: "!!/api", status: 404, text: "" },
    { name: "other version", method: "GET", path: "!!/api/v4/nodes", status: 404, text: "" },
    { name: "OPTIONS", method: "OPTIONS", path: "/brokers", ...unknown },
    { name: "PATCH", method: "PATCH", path: "/brokers", ...unknown },
    { name: "POST on a GET route", method: "POST", path: "/brokers", body: {}, ...unknown },
    { name: "HEAD", method: "HEAD", path: "/brokers", status: 404 },
    { name: "broken escape in the query", method: "GET", path: "/connections/?_page=%", status: 400, text: "Bad Request" },
    { name: "broken escape in the query of a POST", method: "POST", path: "/mqtt/publish?topic=%zz", body: {}, status: 400 },
    { name: "broken escape in the query, no credentials", method: "GET", path: "/brokers?x=%", authorization: null, status: 401 },
    { name: "a rare method", method: "PROPFIND", path: "/brokers", ...unknown },
    { name: "stray parameters", method: "GET", path: "/brokers?_=1234&x=y", code: 0 },
    { name: "very long", method: "GET", path: `/connections/${"a".repeat(6000)}`, data: [] },
  ]);

  test("a method that nobody knows: the runtime closes the connection without a word, and serves on", async () => {
    const r = new RawRequest(node.port("app"), requestText("FOO /api/v3/brokers", { Authorization: basic(APP.id, APP.secret) }, ""));
    await r.until((x) => x.closed);
    expect(r.text).toBe("");
    expect((await node.ask("GET", "/brokers")).json?.code).toBe(0);
  });

  test("outside the API: no content type", async () => {
    expect((await node.ask("GET", "!!/api")).headers.get("content-type")).toBeNull();
  });

  test("a short Host header changes nothing", async () => {
    expect((await node.ask("GET", "/brokers", { headers: { host: "x" } })).json?.code).toBe(0);
  });
});

describe("status", () => {
  scenarios(it, [
    { name: "open to all", method: "GET", path: "!!/status", authorization: null, text: `Node ${NODE} is started\nemqx is running` },
    { name: "slash at the end", method: "GET", path: "!!/status/", status: 400, text: "Not found." },
    { name: "other method", method: "POST", path: "!!/status", status: 400, text: "Not found." },
    { name: "HEAD", method: "HEAD", path: "!!/status", status: 400 },
    { name: "not at the dashboard's port", method: "GET", path: "!!/status", as: "user", status: 404 },
  ]);
});

describe("bodies", () => {
  const at = { method: "POST", path: "/mqtt/publish" };
  const bad = { ...at, status: 400, text: "Bad Request" };
  const good = JSON.stringify({ topic: "http/layer", payload: "x" });
  scenarios(it, [
    { name: "no JSON", ...bad, raw: "{" },
    { name: "a form", ...bad, raw: "topic=x&payload=y", headers: { "content-type": "application/x-www-form-urlencoded" } },
    { name: "a string", ...bad, raw: '"x"' },
    { name: "a number", ...bad, raw: "5" },
    { name: "null", ...bad, raw: "null" },
    { name: "no UTF-8", ...bad, raw: Uint8Array.from(Buffer.from('{"topic":"x\xff"}', "latin1")) },
    { name: "huge", ...bad, raw: `{"topic":"x","payload":"${"a".repeat(8 * 1024 * 1024)}"}` },
    { name: "without credentials the body does not matter", ...at, raw: "{", authorization: null, status: 401 },
    { name: "unknown route before the body", method: "POST", path: "/nope", raw: "{", status: 404 },
    { name: "JSON whatever the content type", ...at, raw: good, headers: { "content-type": "text/xml" }, ok: true },
    { name: "byte order mark", ...at, raw: `\ufeff${good}`, ok: true },
    { name: "array: no parameters", ...at, raw: "[]", code: 115, message: "bad_topic" },
    { name: "empty: no parameters", ...at, raw: "", code: 115 },
    { name: "all in the query", ...at, path: "/mqtt/publish?topic=http/q&payload=a+b%20c&qos=1", ok: true },
    { name: "unknown fields", ...at, body: { topic: "http/u", nonsense: { a: [1] }, properties: { zzz: 1 } }, ok: true },
    { name: "__proto__ is a name like others", ...at, raw: '{"__proto__":{"topic":"x"}}', code: 115 },
    { name: "nested deeper than any field", ...bad, raw: `{"topic":"x","payload":${"[".repeat(200)}${"]".repeat(200)}}` },
    { name: "nested without end", ...bad, raw: "[".repeat(100_000) },
    { name: "stray body of a PUT", method: "PUT", path: `/nodes/${NODE}/plugins/emqx_recon/load`, raw: "{", status: 400 },
    { name: "body of a GET is not read", method: "GET", path: "/brokers", code: 0 },
  ]);
});

describe("names that come twice", () => {
  test("the first counts, at every depth", async () => {
    const client = await node.mqtt("twice");
    await client.subscribeAsync("twice/#");
    const came = nextMessage(client);
    await node.ask("POST", "/mqtt/publish", { raw: '{"topic":"twice/1","topic":"twice/2","payload":{"a":1,"a":2},"payload":"y"}' });
    expect(await came).toMatchObject({ topic: "twice/1", payload: Buffer.from('{"a":1}') });
    const next = nextMessage(client);
    await node.ask("POST", "/mqtt/publish_batch", { raw: '[{"topic":"twice/3","topic":"twice/4","payload":"z"}]' });
    expect(await next).toMatchObject({ topic: "twice/3" });
  });
});

describe("failed logins", () => {
  test("many from one address are slowed down; who was in stays in", async () => {
    const own = await TestNode.start();
    try {
      expect((await own.ask("GET", "/brokers")).status).toBe(200);
      const tries = Array.from({ length: 25 }, (_, i) => own.ask("GET", "/brokers", { authorization: basic("guess", String(i)) }));
      const answers = await Promise.all(tries);
      expect(answers.every((a) => a.status === 401)).toBe(true);
      const slowed = await own.ask("GET", "/brokers", { authorization: basic("guess", "again") });
      expect(Number(slowed.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(slowed.text).toMatch(/^UNAUTHORIZED/);
      expect((await own.ask("GET", "/brokers")).status).toBe(200);
    } finally {
      await own.stop();
    }
  });
});

describe("listeners of the API", () => {
  test("https with the generated certificate", async () => {
    const own = await TestNode.start({ "management.listener.https": "127.0.0.1:0", "dashboard.listener.https": "127.0.0.1:0" });
    try {
      for (const [protocol, name, secret] of [
        ["https:management", APP.id, APP.secret],
        ["https:dashboard", ADMIN.login, ADMIN.password],
      ] as const) {
        const port = own.node.http.list().find((l) => l.protocol === protocol)?.listen_on;
        const init = { headers: { authorization: basic(name, secret) }, tls: { rejectUnauthorized: false } };
        const answer = await fetch(`https://127.0.0.1:${port}/api/v3/brokers`, init as RequestInit);
        expect(answer.status).toBe(200);
      }
    } finally {
      await own.stop();
    }
  });

  test("a port in use is named", async () => {
    const port = node.port("app");
    await expect(TestNode.start({ "dashboard.listener.http": `127.0.0.1:${port}` })).rejects.toThrow(
      `dashboard.listener.http: port ${port} is already in use`,
    );
  });

  test("access rules", async () => {
    const own = await TestNode.start({
      "dashboard.listener.http.access.1": "allow 10.0.0.0/8",
      "dashboard.listener.http.access.2": "deny all",
    });
    try {
      expect(await own.ask("GET", "/brokers", { as: "user" })).toMatchObject({ status: 403, text: "Forbidden" });
      expect((await own.ask("GET", "/brokers")).status).toBe(200);
    } finally {
      await own.stop();
    }
  });

  test("access rules: whom none of them means may connect", async () => {
    const own = await TestNode.start({ "dashboard.listener.http.access.1": "deny 10.0.0.0/8" });
    try {
      expect((await own.ask("GET", "/brokers", { as: "user" })).status).toBe(200);
    } finally {
      await own.stop();
    }
  });

  test("access rules: the first that matches decides, none that matches allows", async () => {
    const statusWith = async (...rules: string[]): Promise<number> => {
      const own = await TestNode.start(Object.fromEntries(rules.map((rule, i) => [`dashboard.listener.http.access.${i + 1}`, rule])));
      try {
        return (await own.ask("GET", "/brokers", { as: "user" })).status;
      } finally {
        await own.stop();
      }
    };
    expect(await statusWith("allow 127.0.0.0/8", "deny all")).toBe(200);
    expect(await statusWith("deny 127.0.0.1", "allow all")).toBe(403);
    expect(await statusWith("deny 10.0.0.0/8")).toBe(200);
  });

  test("max_clients: more requests at a time are told to come again", async () => {
    const own = await TestNode.start({ "management.listener.http.max_clients": "1" });
    try {
      expect((await own.ask("GET", "/brokers")).status).toBe(200);
      const open = await fetch(own.url("/api/v3/mqtt/subscribe?topic=a"), { headers: { authorization: basic(APP.id, APP.secret) } });
      const busy = await own.ask("GET", "/brokers");
      expect(busy.status).toBe(503);
      expect(busy.headers.get("retry-after")).toBe("1");
      await open.body?.cancel();
    } finally {
      await own.stop();
    }
  });
});
