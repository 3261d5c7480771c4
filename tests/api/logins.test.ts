/** Log-ins that fail: who has to wait, and who has not. */
import { describe, expect, test } from "bun:test";
import { ADMIN, APP, basic, TestNode } from "./support/node.ts";

async function on(settings: Record<string, string>, run: (node: TestNode) => Promise<void>): Promise<void> {
  const node = await TestNode.start(settings);
  try {
    await run(node);
  } finally {
    await node.stop();
  }
}

/** Answers to so many different wrong passwords at once. */
async function guesses(node: TestNode, n: number, as: "app" | "user", headers: Record<string, string> = {}) {
  const one = (i: number) => node.ask("GET", "/brokers", { as, authorization: basic("admin", `guess${i}`), headers });
  const answers = await Promise.all(Array.from({ length: n }, (_, i) => one(i)));
  return {
    looked: answers.filter((a) => a.text === "UNAUTHORIZED").length,
    waits: answers.filter((a) => a.headers.has("retry-after")).length,
  };
}

for (const as of ["app", "user"] as const) {
  describe(as === "app" ? "applications" : "users", () => {
    test("of 100 guesses at once 20 are looked at; who was in stays in", async () => {
      await on({}, async (node) => {
        expect((await node.ask("GET", "/brokers", { as })).status).toBe(200);
        expect(await guesses(node, 100, as)).toEqual({ looked: 20, waits: 80 });
        expect((await node.ask("GET", "/brokers", { as })).status).toBe(200);
      });
    });

    test("a proxy that is not trusted is one address, whatever it tells", async () => {
      await on({}, async (node) => {
        for (const i of [1, 2]) await guesses(node, 20, as, { "x-forwarded-for": `198.51.100.${i}` });
        const late = await node.ask("GET", "/brokers", {
          as,
          authorization: basic("x", "y"),
          headers: { "x-forwarded-for": "198.51.100.3" },
        });
        expect(late.headers.has("retry-after")).toBe(true);
      });
    });

    test("behind a trusted one, one client's wrong passwords are that client's affair", async () => {
      const settings = { "management.trusted_proxies": "127.0.0.1", "dashboard.trusted_proxies": "127.0.0.1" };
      await on({ ...settings, "dashboard.default_user.password": "secret" }, async (node) => {
        expect(await guesses(node, 25, as, { "x-forwarded-for": "203.0.113.1, 198.51.100.1" })).toEqual({ looked: 20, waits: 5 });
        // Another client, for the first time.
        const right = as === "app" ? basic(APP.id, APP.secret) : basic(ADMIN.login, "secret");
        const headers = { "x-forwarded-for": "198.51.100.2" };
        expect((await node.ask("GET", "/brokers", { as, authorization: right, headers })).status).toBe(200);
        // The same client under another name of its own is no other one.
        const liar = { "x-forwarded-for": "203.0.113.99, 198.51.100.1" };
        const waits = await node.ask("GET", "/brokers", { as, authorization: basic("x", "y"), headers: liar });
        expect(waits.headers.has("retry-after")).toBe(true);
      });
    });

    test("an IPv6 network is one client", async () => {
      await on({ "management.trusted_proxies": "127.0.0.1", "dashboard.trusted_proxies": "127.0.0.1" }, async (node) => {
        const fresh = (address: string) =>
          node.ask("GET", "/brokers", { as, authorization: basic("x", address), headers: { "x-forwarded-for": address } });
        for (let i = 0; i < 20; i++) expect((await fresh(`2001:db8:1:2::${i}`)).headers.has("retry-after")).toBe(false);
        expect((await fresh("2001:db8:1:2:ffff::1")).headers.has("retry-after")).toBe(true);
        expect((await fresh("2001:db8:1:3::1")).headers.has("retry-after")).toBe(false);
      });
    });
  });
}

test("passwords are looked at few at a time, and only so many wait: the rest may come again, and it counts for nobody", async () => {
  await on({ "dashboard.trusted_proxies": "127.0.0.1" }, async (node) => {
    const ask = (client: number, i: number) =>
      node.ask("POST", "/auth", {
        as: "user",
        authorization: null,
        body: { username: ADMIN.login, password: `guess${client}.${i}` },
        headers: { "x-forwarded-for": `198.51.100.${client}` },
      });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(i % 20, i)));
    const busy = answers.filter((a) => a.status === 503);
    expect(busy.length).toBeGreaterThan(100);
    expect(busy.every((a) => a.headers.get("retry-after") === "1" && a.text.startsWith("Busy"))).toBe(true);
    expect(answers.filter((a) => a.json?.code === 103).length).toBe(200 - busy.length);
    // Nobody has 20 guesses behind it.
    for (const client of [0, 10, 19]) expect((await ask(client, 999)).json?.code).toBe(103);
    const right = { as: "user", authorization: null, body: { username: ADMIN.login, password: ADMIN.password } } as const;
    expect((await node.ask("POST", "/auth", right)).json?.code).toBe(0);
  });
});
