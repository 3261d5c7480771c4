/** What a page of somebody else can make a browser send, with the credentials the browser keeps; and names bound to 127.0.0.1 by others. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ADMIN, APP, basic, TestNode } from "./support/node.ts";

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

const JSON_TYPE = { "content-type": "application/json" };
const own = (as: "app" | "user"): string => `http://127.0.0.1:${node.port(as)}`;

for (const [as, path, body] of [
  ["app", "/apps", { app_id: "evil", secret: "s" }],
  ["user", "/users", { username: "evil", password: "s" }],
  ["user", "/auth", { username: ADMIN.login, password: ADMIN.password }],
] as const) {
  describe(`${as}: POST ${path}`, () => {
    const post = (headers: Record<string, string>) => node.ask("POST", path, { as, body, headers });

    test("by a form of a foreign page: makes nothing", async () => {
      const form = { "content-type": "text/plain", origin: "http://evil.example", "sec-fetch-site": "cross-site" };
      for (const headers of [form, { ...form, "sec-fetch-site": "" }, { "content-type": "text/plain", "sec-fetch-site": "cross-site" }]) {
        const answer = await post(headers);
        expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([403, null]);
        expect(answer.text).toContain("another origin");
      }
      const names = [...node.node.admin.apps.list().map((a) => a.app_id), ...node.node.admin.users.list().map((u) => u.username)];
      expect(names).not.toContain("evil");
    });

    test("by our own page with another type: makes nothing", async () => {
      expect((await post({ "content-type": "text/plain", origin: own(as) })).status).toBe(415);
    });

    test("by our own page, and by scripts as ever", async () => {
      const remove = () => node.ask("DELETE", `${path}/evil`, { as });
      const ways = [
        { ...JSON_TYPE, origin: own(as), "sec-fetch-site": "same-origin" },
        { "content-type": "application/x-www-form-urlencoded" },
        { "content-type": "text/plain" },
      ];
      for (const headers of ways) {
        expect((await post(headers)).json?.code).toBe(0);
        await remove();
      }
    });
  });
}

test("reading is refused too: streams and lists are no picture for a foreign page", async () => {
  for (const as of ["app", "user"] as const) {
    for (const path of ["/brokers", "/mqtt/subscribe?topic=a"]) {
      expect((await node.ask("GET", path, { as, headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" } })).status).toBe(
        403,
      );
      expect((await node.ask("GET", path, { as, headers: { origin: "null" } })).status).toBe(403);
    }
  }
});

test("the dashboard itself may be linked to, and health checks may come from anywhere", async () => {
  const headers = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  expect((await node.ask("GET", "!!/", { as: "user", authorization: null, headers })).status).toBe(200);
  expect((await node.ask("GET", "!!/status", { authorization: null, headers })).status).toBe(200);
});

test("the command line's socket knows no pages", async () => {
  expect((await node.ask("GET", "/brokers", { as: "ctl", headers: { origin: "http://x" } })).status).toBe(200);
});

describe("Basic credentials are asked for", () => {
  const challenge = async (headers: Record<string, string>) =>
    (await node.ask("GET", "/brokers", { authorization: null, headers })).headers.get("www-authenticate");
  test("of programs, and when an address was typed in", async () => {
    expect(await challenge({})).toContain("Basic");
    expect(await challenge({ "sec-fetch-site": "none", "sec-fetch-mode": "navigate" })).toContain("Basic");
  });
  test("not of a script of a page", async () => {
    expect(await challenge({ "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" })).toBeNull();
    expect(await challenge({ origin: own("app") })).toBeNull();
  });
});

describe("the default password counts on this machine, by a name that nobody else decides about", () => {
  const whoami = (host: string) => node.ask("GET", "/whoami", { as: "user", headers: { host } });

  test("names of this machine", async () => {
    for (const host of ["127.0.0.1:18083", "localhost:18083", "[::1]:18083"]) expect((await whoami(host)).status).toBe(200);
  });

  test("a name that was bound to 127.0.0.1: not even to change it", async () => {
    const headers = { host: "evil.example:18083", origin: "http://evil.example:18083", ...JSON_TYPE };
    expect((await whoami("evil.example:18083")).status).toBe(403);
    const body = { old_pwd: ADMIN.password, new_pwd: "theirs" };
    const answer = await node.ask("PUT", "/change_pwd/admin", { as: "user", body, headers });
    expect([answer.status, answer.text.includes("127.0.0.1:18083")]).toEqual([403, true]);
    const login = { username: ADMIN.login, password: ADMIN.password };
    expect((await node.ask("POST", "/auth", { as: "user", authorization: null, body: login, headers })).status).toBe(403);
    expect((await node.ask("GET", "/brokers", { as: "user" })).status).toBe(200);
  });

  test("the refusal names the port they came to", async () => {
    const words = async (host: string): Promise<string> => (await whoami(host)).text;
    expect(await words("broker.lan:28083")).toContain("(127.0.0.1:28083)");
    expect(await words("broker.lan")).toContain("(127.0.0.1)");
  });

  test("the first log-in as the dashboard does it, then any name", async () => {
    const other = await TestNode.start();
    try {
      const at = `127.0.0.1:${other.port("user")}`;
      const page = { host: at, origin: `http://${at}`, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", ...JSON_TYPE };
      const { login: username, password } = ADMIN;
      const first = { as: "user", authorization: null, body: { username, password }, headers: page } as const;
      expect((await other.ask("POST", "/auth", first)).text).toBe('{"code":0}');
      expect((await other.ask("GET", "/whoami", { as: "user", headers: page })).json?.data).toMatchObject({ must_change_password: true });
      const change = { as: "user", body: { old_pwd: password, new_pwd: "new" }, headers: page } as const;
      expect((await other.ask("PUT", "/change_pwd/admin", change)).text).toBe('{"code":0}');
      const named = { as: "user", authorization: basic(username, "new"), headers: { host: "broker.example:18083" } } as const;
      expect((await other.ask("GET", "/whoami", named)).status).toBe(200);
    } finally {
      await other.stop();
    }
  });

  test("applications have no such password: they may ask by any name", async () => {
    expect(
      (await node.ask("GET", "/brokers", { authorization: basic(APP.id, APP.secret), headers: { host: "broker.example" } })).status,
    ).toBe(200);
  });
});

describe("behind a reverse proxy", () => {
  const page = { origin: "https://broker.example", ...JSON_TYPE };
  const publish = async (n: TestNode, headers: Record<string, string>): Promise<number> =>
    (await n.ask("POST", "/mqtt/publish", { body: { topic: "t", payload: "x" }, headers })).status;

  test("that passes Host on", async () => {
    expect(await publish(node, { ...page, host: "broker.example" })).toBe(200);
    expect(await publish(node, { ...page, host: "broker.example:443" })).toBe(200);
  });

  test("that does not: by what the browser says, or what a trusted proxy tells", async () => {
    expect(await publish(node, { ...page, "sec-fetch-site": "same-origin" })).toBe(200);
    expect(await publish(node, { ...page, "x-forwarded-host": "broker.example" })).toBe(403);
    const trusting = await TestNode.start({ "management.trusted_proxies": "127.0.0.0/8" });
    try {
      expect(await publish(trusting, { ...page, "x-forwarded-host": "broker.example" })).toBe(200);
      expect(await publish(trusting, { ...page, "x-forwarded-host": "other.example" })).toBe(403);
    } finally {
      await trusting.stop();
    }
  });
});
