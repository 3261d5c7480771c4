/** Every page of the dashboard in both themes, both languages and at phone width: drawn, no wider than the screen, no serious axe fault. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { jsClient } from "../support/clients.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { faults, go, type Look, PASSWORD, tooWide } from "./dashboard_browser.ts";
import { DashboardKit } from "./dashboard_kit.ts";

const PAGES = [
  "",
  "clients",
  "clients/page-client",
  "sessions",
  "subscriptions",
  "topics?look=a%2F%23",
  "topics?view=list",
  "retained",
  "retained?tab=delayed",
  "alarms",
  "rules",
  "rules/new",
  "rules/new?start=threshold",
  "rules/new?start=offline",
  "rules/page%3A1",
  "rules/page%3A1?tab=figures",
  "rules/page%3A1?tab=errors",
  "rules/page%3A1?tab=inspected",
  "rules/page%3A1?tab=letters",
  "rules/page%3A2",
  "rules/page%3A2?tab=letters",
  "resources",
  "access",
  "banned",
  "apps",
  "users",
  "explain",
  "plugins",
  "plugins/emqx%40127.0.0.1/emqx_retainer",
  "plugins/emqx%40127.0.0.1/emqx_auth_http",
  "plugins/emqx%40127.0.0.1/emqx_web_hook",
  "listeners",
  "settings",
  "metrics",
  "websocket",
  "api?op=post%20%2Fmqtt%2Fpublish",
  "about",
];

const LOOKS: Required<Look>[] = [
  { theme: "light", lang: "en", width: 1440 },
  { theme: "dark", lang: "zh", width: 1440 },
  { theme: "light", lang: "zh", width: 375 },
  { theme: "dark", lang: "en", width: 375 },
];

needing(CHROMIUM, describe)("dashboard pages", () => {
  const kit = new DashboardKit();
  const { api } = kit.rest;
  let client: Awaited<ReturnType<typeof jsClient>>["client"];
  /** Takes nothing: whatever it is told is a dead letter. */
  const service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("no such device", { status: 400 }) });
  const told = `http://127.0.0.1:${service.port}/told`;

  beforeAll(async () => {
    await kit.start();
    // Nobody answers it: what the page says of a server that is down.
    const down = {
      "auth.http.auth_req": "http://127.0.0.1:1/a",
      "auth.http.super_req": "",
      "auth.http.acl_req": "",
    };
    for (const [path, json] of [
      ["nodes/emqx@127.0.0.1/plugin_configs/emqx_auth_http", down],
      ["plugins/emqx_auth_http/load", {}],
      ["nodes/emqx@127.0.0.1/plugin_configs/emqx_web_hook", { "web.hook.api.url": told }],
      ["plugins/emqx_web_hook/load", {}],
    ] as const)
      await api("PUT", path, json);
    // What a rule's page says of one that works and one event that it could not look at.
    const rule = {
      id: "page:1",
      name: "page rule",
      rawsql: 'SELECT payload.t AS t FROM "page/#", "$events/client_connected" WHERE payload.t > 30',
      actions: [{ name: "built_in:inspect_action", params: {} }],
    };
    // And of one whose rows are not taken.
    const refused = {
      id: "page:2",
      name: "refused",
      rawsql: 'SELECT payload FROM "page/#"',
      actions: [{ id: "to_web_1", name: "web_hook:publish_action", params: { $resource: "web_hook:page" } }],
    };
    const resources = [
      { name: "page", type: "web_hook", config: { url: told, headers: { "X-Auth": "s3cret" } } },
      { name: "page", type: "file", config: { path: "page.jsonl" } },
    ];
    expect(await api("POST", "rules_import", { version: 1, resources, rules: [rule, refused] })).toMatchObject({ applied: true });
    ({ client } = await jsClient(`mqtt://127.0.0.1:${kit.broker.ports.tcp}`, { clientId: "page-client" }));
    await client.subscribeAsync("a/b", { qos: 1 });
    await client.publishAsync("a/kept", "1", { retain: true, qos: 1 });
    await client.publishAsync("page/a", '{"t": 31}', { qos: 1 });
    await client.publishAsync("page/a", "no json", { qos: 1 });
  });
  afterAll(async () => {
    client.end(true);
    await kit.stop();
    await service.stop(true);
  });

  for (const look of LOOKS)
    test(`${look.theme}, ${look.lang}, ${look.width} px`, async () => {
      const { surfer } = kit;
      const page = await surfer.visit(look);
      expect(await faults(page)).toEqual([]);
      await surfer.login(page, "admin", PASSWORD);
      await page.waitForSelector(".shell");
      expect(await page.evaluate(() => [document.documentElement.dataset.theme, document.documentElement.lang])).toEqual([
        look.theme,
        look.lang === "zh" ? "zh-CN" : "en",
      ]);
      const found: string[] = [];
      for (const path of PAGES) {
        await go(page, path);
        await page.waitForFunction(() => !document.querySelector("#content [aria-busy=true], .skeleton"));
        const wide = await tooWide(page);
        if (wide > 0) found.push(`#/${path} is ${wide} px too wide`);
        for (const f of await faults(page)) found.push(`#/${path} ${f}`);
      }
      expect(found).toEqual([]);
      await page.context().close();
    });

  test("no page said anything on the console", () => {
    expect(kit.surfer.problems).toEqual([]);
  });

  test("strict headers, hashed assets cached for ever, first load small", async () => {
    const { surfer } = kit;
    const base = `http://127.0.0.1:${kit.broker.ports.dashboard}`;
    const index = await fetch(base);
    const csp = index.headers.get("content-security-policy") ?? "";
    expect(csp).not.toContain("unsafe");
    expect(csp).toContain("frame-ancestors 'none'");
    expect(index.headers.get("x-content-type-options")).toBe("nosniff");
    const html = await index.text();
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html).not.toMatch(/https?:\/\//);
    const page = await surfer.visit();
    let bytes = 0;
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    session.on("Network.loadingFinished", (e) => {
      bytes += e.encodedDataLength;
    });
    await page.reload();
    await surfer.login(page, "admin", PASSWORD);
    await page.locator(".chart canvas").first().waitFor();
    expect(bytes).toBeGreaterThan(20_000);
    expect(bytes).toBeLessThan(150_000);
    await page.context().close();
  });
});
