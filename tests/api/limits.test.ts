/** What a request may cost: bodies by depth and size, half-sent ones, streams, and the share of one network or caller. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ADMIN, APP, basic, TestNode } from "./support/node.ts";
import { RawRequest, requestText } from "./support/raw.ts";
import { scenarios } from "./support/table.ts";

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());
const it = () => node;

const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

describe("deep bodies are refused before anything goes down with them", () => {
  const bad = { status: 400, text: "Bad Request" };
  for (const levels of [65, 20_000, 150_000]) {
    const deep = nested(levels);
    scenarios(it, [
      { name: `${levels} levels`, method: "DELETE", path: "/retained", raw: `{"_filter":${deep}}`, ...bad },
      { name: `${levels} levels`, method: "PUT", path: "/settings", raw: `{"mqtt.max_packet_size":${deep}}`, ...bad },
      { name: `${levels} levels`, method: "POST", path: "/mqtt/publish", raw: `{"topic":"t","payload":${deep}}`, ...bad },
      { name: `${levels} levels`, method: "POST", path: "/banned", raw: `{"who":"x","as":"client_id","y":${deep}}`, ...bad },
      { name: `${levels} levels`, method: "POST", path: "/mqtt/publish_batch", raw: deep, ...bad },
      { name: `${levels} levels, not closed`, method: "POST", path: "/banned", raw: `{"a":`.repeat(levels), ...bad },
    ]);
  }

  const fine = nested(62);
  scenarios(it, [
    { name: "a wrong field is told", method: "DELETE", path: "/retained", raw: `{"_filter":${fine}}`, code: 108 },
    { name: "a wrong field is told", method: "PUT", path: "/settings", raw: `{"mqtt.max_packet_size":${fine}}`, code: 108 },
    { name: "JSON as payload", method: "POST", path: "/mqtt/publish", raw: `{"topic":"t","payload":${fine}}`, ok: true },
    { name: "echoed", method: "POST", path: "/banned", raw: `{"who":"x","as":"client_id","y":${fine}}`, code: 0 },
  ]);

  /** Milliseconds of this process, whatever else the machine does. */
  const cpu = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };

  test("they cost next to nothing: MQTT does not stand still", async () => {
    const raw = `{"_filter":${nested(100_000)}}`;
    const before = cpu();
    const answers = await Promise.all(Array.from({ length: 20 }, () => node.ask("DELETE", "/retained", { raw })));
    expect(answers.every((a) => a.status === 400)).toBe(true);
    // One of them took seconds.
    expect(cpu() - before).toBeLessThan(1000);
  });

  test("a wide body that fits no schema costs no more than one that does", async () => {
    const raw = `{"mqtt.max_packet_size":[${"{},".repeat(190_000)}{}]}`;
    const before = cpu();
    expect((await node.ask("PUT", "/settings", { raw })).json?.code).toBe(108);
    expect(cpu() - before).toBeLessThan(2000);
  });
});

describe("who is not known yet", () => {
  const LOGIN = "POST /api/v3/auth";
  const half = (n = 1000) => requestText(LOGIN, { "Content-Type": "application/json", "Content-Length": String(n) }, "{");
  const login = () => node.ask("POST", "/auth", { as: "user", authorization: null, body: { username: ADMIN.login, password: "nope" } });

  test("a log-in takes 16 KiB", async () => {
    const of = (n: number) => JSON.stringify({ username: "a".repeat(n), password: "p" });
    const ask = (raw: string) => node.ask("POST", "/auth", { as: "user", authorization: null, raw });
    expect((await ask(of(16_000))).json?.code).toBe(103);
    expect((await ask(of(16_384))).status).toBe(400);
    const chunked = new RawRequest(node.port("user"), requestText(LOGIN, { "Transfer-Encoding": "chunked" }));
    for (let i = 0; i < 17; i++) chunked.send(`400\r\n${" ".repeat(1024)}\r\n`);
    expect(await chunked.status()).toBe(400);
    chunked.destroy();
    // Announced only: the answer does not wait for it.
    const announced = new RawRequest(node.port("user"), half(16_385));
    expect(await announced.status()).toBe(400);
    announced.destroy();
  });

  test("600 half-sent log-ins of one address close the port to nobody, not even to others there", async () => {
    const open = Array.from({ length: 600 }, () => new RawRequest(node.port("user"), half()));
    // All but the last few have to make room at once.
    await new Promise<void>((resolve) => {
      let gone = 0;
      for (const r of open) void r.until((x) => x.closed).then(() => (++gone === 592 ? resolve() : undefined));
    });
    expect(open.filter((r) => r.text.startsWith("HTTP/1.1 408 "))).toHaveLength(592);
    expect((await node.ask("GET", "!!/", { as: "user", authorization: null })).status).toBe(200);
    expect((await login()).json).toMatchObject({ code: 103, message: "Password Error" });
    expect((await node.ask("GET", "/brokers", { as: "user" })).status).toBe(200);
    const listed = node.node.http.list().find((l) => l.protocol === "http:dashboard");
    expect(listed?.current_conns).toBeLessThanOrEqual(8);
    for (const r of open) r.destroy();
  });

  test("an address takes no places of another", async () => {
    const other = new RawRequest(node.port("user"), half(31), { from: "127.0.0.2" });
    const flood = Array.from({ length: 100 }, () => new RawRequest(node.port("user"), half()));
    await Promise.all(flood.slice(0, 80).map((r) => r.until((x) => x.closed)));
    expect(other.closed).toBe(false);
    other.send(`"username":"a","password":"b"}`);
    expect(await other.status()).toBe(200);
    for (const r of [other, ...flood]) r.destroy();
  });

  test("a log-in that does not come is not waited for", async () => {
    const slow = new RawRequest(node.port("user"), half());
    await slow.until((r) => r.closed);
    expect(slow.text).toStartWith("HTTP/1.1 408 ");
  });

  test("on every other route the headers decide, on both ports", async () => {
    for (const as of ["app", "user"] as const) {
      for (const authorization of [undefined, "Bearer x"]) {
        const headers = { "Content-Length": "8000000", ...(authorization && { Authorization: authorization }) };
        const r = new RawRequest(node.port(as), requestText("POST /api/v3/apps", headers, "{"));
        expect(await r.status()).toBe(401);
        r.destroy();
      }
    }
  });
});

test("clients that go in the middle of their body are nobody's fault: nothing is logged", async () => {
  const own = await TestNode.start({ "log.to": "file", "log.level": "warning" });
  try {
    const known = { Authorization: basic(APP.id, APP.secret), "Content-Length": "1000" };
    const open = [
      new RawRequest(own.port("app"), requestText("POST /api/v3/mqtt/publish", known, "{")),
      new RawRequest(own.port("user"), requestText("POST /api/v3/auth", { "Content-Length": "1000" }, "{")),
      new RawRequest(own.port("app"), requestText("GET /api/v3/mqtt/subscribe?topic=a", known)),
    ];
    const pending = () => own.node.http.list().reduce((n, l) => n + l.current_conns, 0);
    while (pending() < 3) await Bun.sleep(2);
    for (const r of open) r.destroy();
    while (pending() > 0) await Bun.sleep(2);
    expect((await own.ask("GET", "/brokers")).status).toBe(200);
    const log = await Bun.file(join(own.dir, "log", "emqx.log")).text();
    expect(log.split("\n").filter((l) => l.includes("request failed"))).toEqual([]);
  } finally {
    await own.stop();
  }
});

describe("one caller leaves room for others", () => {
  const streaming = (n: TestNode, authorization: string, as: "app" | "user" = "app") =>
    fetch(n.url("/api/v3/mqtt/subscribe?topic=a", as), { headers: { authorization } });

  test("event streams: a quarter for one, half for all; the API answers both and itself", async () => {
    const own = await TestNode.start({ "management.listener.http.max_clients": "16" });
    try {
      await own.ask("POST", "/apps", { body: { app_id: "other", secret: "s" } });
      const mine = await Promise.all(Array.from({ length: 40 }, () => streaming(own, basic(APP.id, APP.secret))));
      const open = mine.filter((r) => r.status === 200);
      expect(open).toHaveLength(4);
      const refused = mine.find((r) => r.status === 503);
      expect(refused?.headers.get("retry-after")).toBe("1");
      expect(await refused?.text()).toContain("event streams");
      expect((await own.ask("GET", "/brokers")).status).toBe(200);
      expect((await own.ask("GET", "/brokers", { authorization: basic("other", "s") })).status).toBe(200);
      expect((await own.ask("GET", "!!/status", { authorization: null })).status).toBe(200);
      const theirs = await streaming(own, basic("other", "s"));
      expect(theirs.status).toBe(200);
      // A stream that ends makes room.
      await open[0]?.body?.cancel();
      let again = await streaming(own, basic(APP.id, APP.secret));
      while (again.status !== 200) again = await streaming(own, basic(APP.id, APP.secret));
      for (const r of [...open.slice(1), theirs, again]) await r.body?.cancel();
    } finally {
      await own.stop();
    }
  });

  test("an event stream ends with what its reader came in by, and with its listener; those of others go on", async () => {
    const own = await TestNode.start();
    try {
      const of = (as: "app" | "user", name: string) => {
        const headers = { Authorization: basic(name, "secret") };
        return new RawRequest(own.port(as), requestText("GET /api/v3/mqtt/subscribe?topic=a", headers));
      };
      const isOver = (r: RawRequest): boolean => r.closed || r.text.endsWith("\r\n0\r\n\r\n");
      for (const app_id of ["gone", "off", "stays"]) await own.ask("POST", "/apps", { body: { app_id, secret: "secret" } });
      for (const username of ["ann", "bob", "eve"]) await own.ask("POST", "/users", { as: "user", body: { username, password: "secret" } });
      const ending = [of("app", "gone"), of("app", "off"), of("user", "ann"), of("user", "bob")];
      const staying = [of("app", "stays"), of("user", "eve")];
      for (const r of [...ending, ...staying]) await r.until((x) => x.text.includes("subscribed"));
      await own.ask("DELETE", "/apps/gone");
      await own.ask("PUT", "/apps/off", { body: { status: false } });
      await own.ask("PUT", "/change_pwd/ann", { as: "user", body: { old_pwd: "secret", new_pwd: "other" } });
      await own.ask("DELETE", "/users/bob", { as: "user" });
      for (const r of ending) await r.until(isOver);
      const told = await own.ask("POST", "/mqtt/publish", { body: { topic: "a", payload: "still here" } });
      expect(told.headers.get("x-receivers")).toBe("2");
      for (const r of staying) await r.until((x) => x.text.includes("still here"));
      expect(own.node.http.stopOne("http:dashboard", own.port("user"))).toBe(true);
      await staying[1]?.until(isOver);
      expect(staying.map(isOver)).toEqual([false, true]);
      for (const r of [...ending, ...staying]) r.destroy();
    } finally {
      await own.stop();
    }
  });

  test("half-sent bodies of an application: half of the requests, the rest is for others", async () => {
    const own = await TestNode.start({ "management.listener.http.max_clients": "8" });
    try {
      await own.ask("POST", "/apps", { body: { app_id: "other", secret: "s" } });
      const authorization = basic(APP.id, APP.secret);
      const text = requestText("POST /api/v3/mqtt/publish", { Authorization: authorization, "Content-Length": "100" }, "{");
      const open = Array.from({ length: 4 }, () => new RawRequest(own.port("app"), text));
      let mine = await own.ask("GET", "/brokers");
      while (mine.status !== 503) mine = await own.ask("GET", "/brokers");
      expect(mine.text).toContain("application or user");
      expect((await own.ask("GET", "/brokers", { authorization: basic("other", "s") })).status).toBe(200);
      for (const r of open) r.destroy();
      while ((await own.ask("GET", "/brokers")).status !== 200);
    } finally {
      await own.stop();
    }
  });

  test("bytes on their way in are counted by what is announced", async () => {
    const authorization = basic(APP.id, APP.secret);
    const text = requestText("POST /api/v3/mqtt/publish", { Authorization: authorization, "Content-Length": "8000000" }, "{");
    const open = Array.from({ length: 5 }, () => new RawRequest(node.port("app"), text));
    const refused = await Promise.race(open.map((r) => r.status().then(() => r)));
    expect(refused.text).toStartWith("HTTP/1.1 503 ");
    expect((await node.ask("POST", "/mqtt/publish", { body: { topic: "t", payload: "x" } })).json?.code).toBe(0);
    for (const r of open) r.destroy();
  });

  test("… and where nothing is announced, by what has come", async () => {
    const headers = { Authorization: basic(APP.id, APP.secret), "Transfer-Encoding": "chunked" };
    const half = Array.from(
      { length: 20 },
      () => new RawRequest(node.port("app"), requestText("POST /api/v3/mqtt/publish", headers, "1\r\n{\r\n")),
    );
    const pending = () => node.node.http.list().find((l) => l.protocol === "http:management")?.current_conns ?? 0;
    while (pending() < half.length) await Bun.sleep(2);
    for (const r of half) r.send('b\r\n"topic":"t"\r\n1\r\n}\r\n0\r\n\r\n');
    for (const r of half) {
      expect(await r.status()).toBe(200);
      r.destroy();
    }
  });
});

describe("send_timeout", () => {
  test("whoever does not read its answer is cut off; a quiet stream is not", async () => {
    const own = await TestNode.start({ "management.listener.http.send_timeout": "1s" });
    try {
      const authorization = basic(APP.id, APP.secret);
      const quiet = new RawRequest(
        own.port("app"),
        requestText("GET /api/v3/mqtt/subscribe?topic=quiet", { Authorization: authorization }),
      );
      await quiet.until((r) => r.text.includes("subscribed"));
      const client = await own.mqtt("big");
      const payload = Buffer.alloc(900_000, "x");
      for (let i = 0; i < 12; i++) await client.publishAsync(`big/${i}`, payload, { qos: 1, retain: true });
      const kept = new RawRequest(own.port("app"), requestText("GET /api/v3/mqtt/subscribe?topic=late", { Authorization: authorization }));
      const stuck = new RawRequest(
        own.port("app"),
        requestText("GET /api/v3/mqtt/subscribe?topic=big/%23", { Authorization: authorization }),
        {
          reads: false,
        },
      );
      const pending = () => own.node.http.list().find((l) => l.protocol === "http:management")?.current_conns;
      // The stream that is not read goes, the two quiet ones stay.
      while (pending() !== 3) await Bun.sleep(10);
      for (let i = 0; pending() !== 2; i++) {
        await client.publishAsync(`big/${i % 12}`, payload, { qos: 1 });
        await Bun.sleep(20);
      }
      expect([quiet.closed, kept.closed]).toEqual([false, false]);
      await client.publishAsync("quiet", "still here", { qos: 1 });
      await quiet.until((r) => r.text.includes("still here"));
      for (const r of [quiet, kept, stuck]) r.destroy();
    } finally {
      await own.stop();
    }
  });

  test("a list that is not read", async () => {
    const own = await TestNode.start({ "management.listener.http.send_timeout": "1s" });
    try {
      const client = await own.mqtt("rows");
      for (let i = 0; i < 12_000; i += 1000) {
        const topics = Array.from({ length: 1000 }, (_, k) => `${"long/".repeat(80)}${i + k}`);
        await client.subscribeAsync(topics);
      }
      expect(await own.get("/subscriptions/rows")).toHaveLength(12_000);
      const text = requestText("GET /api/v3/subscriptions/?_limit=12000", { Authorization: basic(APP.id, APP.secret) });
      const stuck = new RawRequest(own.port("app"), text, { reads: false });
      const pending = () => own.node.http.list().find((l) => l.protocol === "http:management")?.current_conns;
      while (pending() !== 1) await Bun.sleep(5);
      while (pending() !== 0) await Bun.sleep(20);
      stuck.destroy();
      expect((await own.ask("GET", "/brokers")).status).toBe(200);
    } finally {
      await own.stop();
    }
  });
});
