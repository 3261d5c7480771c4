/** The dashboard inside the executable, used as a person would: headless Chromium against a running broker and real MQTT clients. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { jsClient, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { agree, go, PASSWORD, Surfer, toast } from "./dashboard_browser.ts";

needing(CHROMIUM, describe)("dashboard", () => {
  let baomq: Installation;
  let broker: RunningBroker;
  let surfer: Surfer;
  let page: Page;
  const tcp = (): string => `mqtt://127.0.0.1:${broker.ports.tcp}`;

  beforeAll(async () => {
    baomq = new Installation();
    broker = await baomq.start();
    surfer = await Surfer.open(broker.ports.dashboard);
    page = await surfer.visit();
  });
  afterAll(async () => {
    await surfer.close();
    const code = await broker.stop();
    await baomq.remove();
    expect(code).toBe(0);
    expect(surfer.problems).toEqual([]);
  });

  test("a wrong password is told, the default one must be replaced", async () => {
    await surfer.login(page, "admin", "wrong");
    await page.locator(".bad", { hasText: "wrong" }).waitFor();
    await surfer.login(page, "admin", "public");
    await page.locator("h1", { hasText: "Choose your own password" }).waitFor();
    const fields = page.locator("input[autocomplete=new-password]");
    await fields.nth(0).fill("short");
    await page.locator(".bad", { hasText: "At least 8" }).waitFor();
    expect(await page.locator("button[type=submit]").isDisabled()).toBe(true);
    for (const i of [0, 1]) await fields.nth(i).fill(PASSWORD);
    await page.click("button[type=submit]");
    await page.waitForSelector(".shell");
    await page.locator("h1", { hasText: "Overview" }).waitFor();
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage }));
    expect(stored).not.toContain(btoa(`admin:${PASSWORD}`));
    expect(page.url()).not.toContain("admin");
  });

  test("a session taken away leads to the door, and back to the page", async () => {
    await go(page, "listeners");
    await page.locator("td", { hasText: "mqtt:tcp" }).first().waitFor();
    const good = await page.evaluate(() => sessionStorage.getItem("baomq.session"));
    await page.evaluate(() => sessionStorage.setItem("baomq.session", JSON.stringify({ name: "admin", basic: "Basic eDp5" })));
    await page.reload();
    await page.locator(".login-card .banner").waitFor();
    await surfer.login(page, "admin", PASSWORD);
    await page.locator("h1", { hasText: "Listeners" }).waitFor();
    expect(await page.evaluate(() => sessionStorage.getItem("baomq.session"))).toBe(good);
  });

  test("a client appears by itself, its page shows it, kick ends it", async () => {
    await go(page, "clients");
    await page.locator("h3", { hasText: "Nobody is connected yet" }).waitFor();
    const id = "<img src=x onerror=alert(1)>";
    const { client } = await jsClient(tcp(), { clientId: id, username: "bob", reconnectPeriod: 0 });
    await client.subscribeAsync("sensors/+/state", { qos: 1 });
    const link = page.locator("a.key", { hasText: id });
    await link.waitFor();
    expect(await page.locator("td img").count()).toBe(0);
    await link.click();
    await page.locator("dd", { hasText: "bob" }).first().waitFor();
    await page.locator("a.key", { hasText: "sensors/+/state" }).waitFor();
    const closed = new Promise((r) => client.once("close", () => r(true)));
    await page.locator(".page-head .btn.danger").click();
    await agree(page);
    expect(await closed).toBe(true);
    await toast(page, "kicked");
    client.end(true);
  });

  test("search, subscribe on behalf, kick many", async () => {
    const clients = await Promise.all(["fleet-1", "fleet-2", "other"].map((clientId) => jsClient(tcp(), { clientId, reconnectPeriod: 0 })));
    await go(page, "clients");
    await page.locator(".search input").fill("fleet");
    await page.locator(".pager", { hasText: "1–2 of 2" }).waitFor();
    expect(page.url()).toContain("id=fleet");
    await go(page, "clients/fleet-1");
    await page.locator("button", { hasText: "Subscribe" }).first().click();
    await page.locator("dialog input").fill("fleet/orders");
    await agree(page);
    await page.locator("a.key", { hasText: "fleet/orders" }).waitFor();
    const { client: other } = clients[2] as (typeof clients)[0];
    await other.publishAsync("fleet/orders", "go", { qos: 1 });
    await until(
      () => clients[0]?.received.some((m) => m.topic === "fleet/orders") === true,
      "the message on the topic subscribed by the dashboard",
    );
    await go(page, "clients?id=fleet");
    await page.locator(".pager", { hasText: "1–2 of 2" }).waitFor();
    const closed = clients.slice(0, 2).map(({ client }) => new Promise<void>((r) => client.once("close", () => r())));
    await page.locator("thead input[type=checkbox]").check();
    await page.locator(".selection-bar .btn.danger").click();
    await agree(page);
    await Promise.all(closed);
    await toast(page, "2 clients kicked");
    for (const { client } of clients) client.end(true);
    expect(clients.length).toBe(3);
  });

  test("an application is created and opens port 8080's API", async () => {
    await go(page, "apps");
    await page.locator("button", { hasText: "New application" }).first().click();
    const inputs = page.locator("dialog input");
    const id = await inputs.nth(0).inputValue();
    await inputs.nth(1).fill("exporter");
    await agree(page);
    await page.locator("dialog h2", { hasText: "Application created" }).waitFor();
    const secret = (await page.locator("dialog code").nth(1).textContent())?.trim();
    const call = (): Promise<Response> =>
      fetch(`http://127.0.0.1:${broker.ports.api}/api/v3/brokers`, { headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` } });
    expect((await call()).status).toBe(200);
    await page.locator("dialog .dialog-foot button").click();
    await page.locator("input[role=switch]").click();
    await toast(page, "Saved");
    expect((await call()).status).toBe(401);
  });

  test("a user is created and can log in", async () => {
    await go(page, "users");
    await page.locator("button", { hasText: "New user" }).click();
    const inputs = page.locator("dialog input");
    await inputs.nth(0).fill("lin");
    await inputs.nth(1).fill("another good one");
    await inputs.nth(2).fill("operations");
    await agree(page);
    await page.locator(".key", { hasText: "lin" }).waitFor();
    const second = await surfer.visit();
    await surfer.login(second, "lin", "another good one");
    await second.locator(".btn.user", { hasText: "lin" }).waitFor();
    await second.locator("h1", { hasText: "Overview" }).waitFor();
    await second.context().close();
  });

  test("a ban keeps a client out until it is lifted", async () => {
    await go(page, "banned");
    await page.locator("button", { hasText: "Add a ban" }).first().click();
    await page.locator("dialog input").nth(0).fill("intruder");
    await agree(page);
    await page.locator(".key", { hasText: "intruder" }).waitFor();
    const refused = await jsClient(tcp(), { clientId: "intruder", reconnectPeriod: 0 }).then(
      ({ client }) => {
        client.end(true);
        return "let in";
      },
      () => "refused",
    );
    expect(refused).toBe("refused");
    await page.locator("button", { hasText: "Lift" }).click();
    await toast(page, "may connect again");
    const { client } = await jsClient(tcp(), { clientId: "intruder", reconnectPeriod: 0 });
    expect(client.connected).toBe(true);
    client.end(true);
  });

  test("a plugin is loaded, its settings changed", async () => {
    await go(page, "plugins?q=auth_username");
    await page.locator("input[role=switch]").click();
    await toast(page, "is running");
    await page.locator("a.key", { hasText: "emqx_auth_username" }).click();
    await page.locator("button", { hasText: "New account" }).click();
    await page.locator("dialog input").nth(0).fill("sensor");
    await page.locator("dialog input").nth(1).fill("secret");
    await agree(page);
    await page.locator("td .key", { hasText: "sensor" }).waitFor();
    const wrong = jsClient(tcp(), { username: "sensor", password: "no", reconnectPeriod: 0 }).then(
      () => "let in",
      () => "refused",
    );
    expect(await wrong).toBe("refused");
    const { client } = await jsClient(tcp(), { username: "sensor", password: "secret", reconnectPeriod: 0 });
    client.end(true);
    await go(page, `plugins/${encodeURIComponent("emqx@127.0.0.1")}/emqx_retainer`);
    const row = page.locator(".setting", { hasText: "retainer.max_retained_messages" });
    await row.locator("input").fill("many");
    await page.locator(".save-bar button[type=submit]").click();
    // Said where it is wrong.
    await row.locator("[aria-invalid=true]").waitFor();
    expect(await row.textContent()).toContain("expected a whole number");
    await row.locator("input").fill("5000");
    await page.locator(".save-bar button[type=submit]").click();
    await toast(page, "Settings saved");
    await page.reload();
    expect(await row.locator("input").inputValue()).toBe("5000");
  });

  test("a setting is changed, shows its origin, and undo brings it back", async () => {
    await go(page, "settings?q=mqtt.max_packet_size");
    const row = page.locator(".conf", { hasText: "mqtt.max_packet_size" }).first();
    const before = await row.locator("code").textContent();
    await row.locator("button").last().click();
    await page.locator("dialog .input").fill("nonsense");
    await agree(page);
    await page.locator("dialog .bad").waitFor();
    await page.locator("dialog .input").fill("2MB");
    await agree(page);
    await page.locator(".tag", { hasText: "changed here" }).waitFor();
    expect(await row.locator("code").textContent()).toBe("2MB");
    await page.locator(".toast button", { hasText: "Undo" }).click();
    await toast(page, "Undone");
    await page.locator(".tag.accent", { hasText: "changed here" }).waitFor({ state: "detached" });
    expect(await row.locator("code").textContent()).toBe(before);
  });

  test("the WebSocket client publishes and receives, and stays connected on other pages", async () => {
    await go(page, "websocket");
    const url = page.locator(".tool input.mono").first();
    await page.waitForFunction(
      (port) => (document.querySelector(".tool input.mono") as HTMLInputElement).value.includes(`:${port}/`),
      broker.ports.ws,
    );
    expect(await url.inputValue()).toContain(`:${broker.ports.ws}/mqtt`);
    await page.locator("section[aria-label=Connection] button[type=submit]").click();
    await page.locator("section[aria-label=Subscribe] button[type=submit]").click();
    await page.locator(".sub", { hasText: "testtopic/#" }).waitFor();
    const publish = page.locator("section[aria-label=Publish]");
    await publish.locator("input").first().fill("testtopic/hello");
    await publish.locator("select").nth(1).selectOption("2");
    await publish.locator("button[type=submit]").click();
    await page.locator(".message.out", { hasText: "testtopic/hello" }).waitFor();
    await page.locator(".message:not(.out)", { hasText: "Hello, World!" }).waitFor();
    await go(page, "about");
    await page.locator("h1", { hasText: "About" }).waitFor();
    const { client } = await jsClient(tcp(), { reconnectPeriod: 0 });
    await client.publishAsync("testtopic/later", "while you were away", { qos: 1 });
    await go(page, "websocket");
    await page.locator(".message", { hasText: "while you were away" }).waitFor();
    expect(await page.locator(".message").count()).toBe(3);
    client.end(true);
  });

  test("retained messages: browse, show, delete, undo", async () => {
    const { client, received } = await jsClient(tcp(), { reconnectPeriod: 0 });
    await client.publishAsync("kept/json", '{"on":true}', { qos: 1, retain: true });
    await client.publishAsync("kept/binary", Buffer.from([0, 255, 1]), { qos: 1, retain: true });
    await go(page, "retained?topic=kept");
    await page.locator("button.key", { hasText: "kept/json" }).click();
    await page.locator("dialog pre", { hasText: '"on": true' }).waitFor();
    await page.keyboard.press("Escape");
    await page.locator("button.key", { hasText: "kept/binary" }).click();
    await page.locator("dialog pre", { hasText: "00 ff 01" }).waitFor();
    await page.keyboard.press("Escape");
    await page.locator('button[aria-label="Delete the retained message of kept/binary"]').click();
    await page.locator("button.key", { hasText: "kept/binary" }).waitFor({ state: "detached" });
    await page.locator(".toast button", { hasText: "Undo" }).click();
    await page.locator("button.key", { hasText: "kept/binary" }).waitFor();
    await client.subscribeAsync("kept/#", { qos: 1 });
    await until(() => received.length === 2, "both retained messages");
    expect(received.map((m) => m.topic).sort()).toEqual(["kept/binary", "kept/json"]);
    client.end(true);
  });

  test("looking inside a topic shows messages as they pass", async () => {
    await go(page, `topics?look=${encodeURIComponent("live/#")}`);
    await page.locator(".look .status.ok").waitFor();
    const { client } = await jsClient(tcp(), { reconnectPeriod: 0 });
    await client.publishAsync("live/now", "<b>bold?</b>", { qos: 1 });
    await page.locator(".look .message", { hasText: "<b>bold?</b>" }).waitFor();
    expect(await page.locator(".look pre b").count()).toBe(0);
    client.end(true);
  });

  test("explain tells why", async () => {
    await go(page, "explain?id=somebody");
    await page.locator("main select").first().selectOption("subscribe");
    await page.locator("main input").last().fill("a/b");
    await page.locator("button[type=submit]").click();
    await page.locator(".steps .final").first().waitFor();
    expect(await page.locator(".steps").count()).toBe(2);
  });

  test("every route is listed and can be tried", async () => {
    await go(page, `api?op=${encodeURIComponent("get /nodes")}`);
    await page.locator("main button[type=submit]").click();
    await page.locator("pre.code", { hasText: '"node_status": "Running"' }).waitFor();
    expect(await page.locator(".api-route").count()).toBeGreaterThan(60);
  });

  test("the palette finds pages and clients, by keyboard alone", async () => {
    const { client } = await jsClient(tcp(), { clientId: "needle-42", reconnectPeriod: 0 });
    await page.keyboard.press("Control+k");
    await page.keyboard.type("needle");
    await page.locator("li[role=option]", { hasText: "needle-42" }).waitFor();
    await page.keyboard.press("Enter");
    await page.locator("h1", { hasText: "needle-42" }).waitFor();
    expect(page.url()).toContain("#/clients/needle-42");
    client.end(true);
  });

  test("a broker that goes away and comes back", async () => {
    await go(page, "");
    await page.locator(".totals .value").first().waitFor();
    await broker.stop();
    await page.locator("output", { hasText: "Reconnecting" }).waitFor();
    broker = await broker.restart();
    await page.locator(".topbar .status.ok").waitFor();
    await page.locator("h1", { hasText: "Overview" }).waitFor();
  });

  test("on a phone: what is not in force and why, what holds the memory", async () => {
    const key = "zone.external.max_inflight";
    expect((await baomq.run(["ctl", "--data-dir", broker.dataDir, "settings", "set", key, "9"])).code).toBe(0);
    await broker.stop();
    broker = await baomq.start({ ports: broker.ports, set: { [key]: "7" } });
    const phone = await surfer.inside({ width: 375 });
    await go(phone, `settings?q=${key}`);
    const row = phone.locator(".conf", { hasText: key }).first();
    await row.locator(".conf-unused", { hasText: `not in force: 9 ${key} is set by --set ${key}, which stands above it` }).waitFor();
    const value = await row.locator("code").boundingBox();
    const edit = await row.locator("button").last().boundingBox();
    expect(value?.height).toBeLessThan(30);
    expect((edit?.x ?? 375) + (edit?.width ?? 0)).toBeLessThan(350);
    await go(phone, "");
    await phone.locator(".node-held", { hasText: /queued messages .+, retained messages .+, sessions .+, unsent bytes / }).waitFor();
    await phone.context().close();
  });
});
