/** The page of a plugin that keeps strangers out, in a browser: a client is tried, values are refused, come from a file and go back to it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { jsClient } from "../support/clients.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { agree, faults, go, looksWell, toast } from "./dashboard_browser.ts";
import { DashboardKit } from "./dashboard_kit.ts";

const HTTP = "plugins/emqx%40127.0.0.1/emqx_auth_http";

needing(CHROMIUM, describe)("the page of a plugin", () => {
  const kit = new DashboardKit();
  const { api } = kit.rest;
  let page: Page;
  /** Lets joe in with "public", and to topics below his name. */
  let service: Bun.Server<undefined>;

  /** What the API says of a setting. */
  const stored = (key: string) => kit.setting("emqx_auth_http", key);
  const row = (key: string): Locator => page.locator(".setting").filter({ has: page.getByText(key, { exact: true }) });
  const field = (key: string): Locator => page.getByLabel(key, { exact: true });
  const hasFocus = (of: Locator): Promise<void> => of.and(page.locator(":focus")).waitFor();
  const save = (): Promise<void> => page.locator(".save-bar button[type=submit]").click();

  beforeAll(async () => {
    service = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const { pathname, searchParams } = new URL(request.url);
        const fields = request.method === "GET" ? searchParams : new URLSearchParams(await request.text());
        const isJoe = fields.get("username") === "joe";
        const yes = pathname === "/auth" ? isJoe && fields.get("password") === "public" : isJoe && fields.get("topic")?.startsWith("joe/");
        return new Response("", { status: yes ? 200 : 403 });
      },
    });
    const at = `http://127.0.0.1:${service.port}`;
    const lines = `auth.http.auth_req = ${at}/auth\nauth.http.acl_req = ${at}/acl\nauth.http.timeout = 2s\n`;
    await kit.start({
      files: { "etc/plugins/emqx_auth_http.conf": lines },
      plugins: ["emqx_auth_http", "emqx_auth_username", "emqx_auth_clientid"],
    });
    page = await kit.surfer.inside();
  });
  afterAll(async () => {
    await kit.stop();
    await service.stop(true);
  });

  test("what clients that came, and were not let in, have cost its server, and what it said of them", async () => {
    const server = page.getByRole("region", { name: `HTTP service at http://127.0.0.1:${service.port}`, exact: true });
    const said = page.getByRole("region", { name: "What it said of clients", exact: true });
    const figure = async (name: string): Promise<string | null> =>
      server
        .locator(".figures > div")
        .filter({ has: page.getByText(name, { exact: true }) })
        .locator("dd")
        .textContent();
    /** Allowed, denied, passed on, unanswered. */
    const verdicts = (of: "Authentication" | "Rights"): Promise<string[]> => said.locator(`h3:has-text("${of}") + dl dd`).allTextContents();
    const url = `mqtt://127.0.0.1:${kit.broker.ports.tcp}`;
    const { client } = await jsClient(url, { username: "joe", password: "public" });
    await expect(jsClient(url, { username: "joe", password: "wrong" })).rejects.toThrow("Not authorized");
    await go(page, HTTP);
    expect([await figure("Answered"), await figure("In use / pool"), await figure("Waiting"), await figure("Failed")]).toEqual([
      "2",
      "0 / 50",
      "0",
      "0",
    ]);
    expect(await figure("p95")).toMatch(/^\d+(\.\d)? ms$/);
    expect([await verdicts("Authentication"), await verdicts("Rights")]).toEqual([
      ["1", "1", "0", "0"],
      ["0", "0", "0", "0"],
    ]);
    await client.subscribeAsync("joe/1");
    await client.subscribeAsync("ann/1").catch(() => {});
    await until(async () => (await figure("Answered")) === "4", "topics are answered");
    expect(await verdicts("Rights")).toEqual(["1", "1", "0", "0"]);
    await client.endAsync();
  });

  describe("a client that is tried", () => {
    const tried = (): Locator => page.getByRole("region", { name: "Try the settings" });
    const step = (name: string): Locator =>
      tried()
        .locator(".steps li")
        .filter({ has: page.getByText(name, { exact: true }) });
    async function ask(password: string, topic: string): Promise<void> {
      await tried().getByLabel("User name").fill("joe");
      await tried().getByLabel("Password", { exact: true }).fill(password);
      await tried().getByLabel("What it wants").selectOption("subscribe");
      await tried().getByLabel("Topic").fill(topic);
      await tried().getByRole("button", { name: "Test" }).click();
    }

    test("what was asked and answered, step by step", async () => {
      await go(page, HTTP);
      await ask("public", "joe/1");
      await step("acl").getByText("allowed", { exact: true }).waitFor();
      await step("authenticate").getByText('username = "joe"').waitFor();
      await ask("wrong", "joe/1");
      await step("authenticate").getByText("denied", { exact: true }).waitFor();
      await looksWell(page);
    });

    test("with what stands on the page, saved or not; a value that is none is marked where it stands", async () => {
      await field("auth.http.auth_req").fill("http://127.0.0.1:1/auth");
      await ask("public", "joe/1");
      await step("connect").getByText("failed", { exact: true }).waitFor();
      await field("auth.http.timeout").fill("soon");
      await ask("public", "joe/1");
      await row("auth.http.timeout").getByRole("alert").waitFor();
      expect((await stored("auth.http.auth_req"))?.origin).toBe("file");
      await page.getByRole("button", { name: "Discard changes" }).click();
      await ask("public", "joe/1");
      await step("acl").getByText("allowed", { exact: true }).waitFor();
    });
  });

  test("values that are refused: each is told right under its field and tied to it, the first one has the focus", async () => {
    await go(page, HTTP);
    await field("auth.http.pool").fill("0");
    await field("auth.http.timeout").fill("soon");
    await save();
    for (const [key, why] of [
      ["auth.http.timeout", "expected a duration"],
      ["auth.http.pool", "expected a whole number from 1 to 150"],
    ] as const) {
      const message = row(key).getByRole("alert");
      await message.waitFor();
      // Both in one look: the page moves while other messages come.
      const [below, beside] = await message.evaluate(
        (el, above) => {
          const [box, of] = [el.getBoundingClientRect(), (above as Element).getBoundingClientRect()];
          return [box.top - of.bottom, box.left - of.left] as const;
        },
        await field(key).elementHandle(),
      );
      expect([below >= 0 && below < 10, beside]).toEqual([true, 0]);
      const ids = ((await field(key).getAttribute("aria-describedby")) ?? "").split(" ");
      expect([await field(key).getAttribute("aria-invalid"), ids[0]]).toEqual(["true", await message.getAttribute("id")]);
      expect(await page.locator(`[id="${ids[0]}"]`).textContent()).toContain(why);
      expect(await page.locator(`[id="${ids[1]}"]`).count()).toBe(1);
    }
    await hasFocus(field("auth.http.timeout"));
    await looksWell(page);
    await field("auth.http.timeout").fill("3s");
    expect([await row("auth.http.timeout").getByRole("alert").count(), await field("auth.http.pool").getAttribute("aria-invalid")]).toEqual(
      [0, "true"],
    );
    await page.getByRole("button", { name: "Discard changes" }).click();
  });

  test("where a value comes from, and back to the file", async () => {
    const timeout = row("auth.http.timeout");
    await timeout.getByText("file", { exact: true }).waitFor();
    expect(await field("auth.http.timeout").inputValue()).toBe("2s");
    await field("auth.http.timeout").fill("4s");
    await save();
    await timeout.getByText("changed here", { exact: true }).waitFor();
    expect(await stored("auth.http.timeout")).toMatchObject({ value: "4s", origin: "api" });
    await timeout.getByRole("button", { name: "Set auth.http.timeout back to file or default" }).click();
    await timeout.getByText("file", { exact: true }).waitFor();
    expect(await field("auth.http.timeout").inputValue()).toBe("2s");
    expect(await stored("auth.http.timeout")).toMatchObject({ value: "2s", origin: "file" });
  });

  test("keys that stand for many: one more, a name that cannot be one, and away again", async () => {
    const key = "auth.http.header.x-from";
    const family = page.getByRole("region", { name: "auth.http.header.$name" });
    const name = family.getByLabel("auth.http.header.", { exact: true });
    await name.fill("a.b");
    await family.getByRole("button", { name: "Add" }).click();
    const message = family.getByRole("alert");
    await message.waitFor();
    expect([await name.getAttribute("aria-invalid"), await name.getAttribute("aria-describedby")]).toEqual([
      "true",
      await message.getAttribute("id"),
    ]);
    await looksWell(page);
    await name.fill("x-from");
    await name.press("Enter");
    await hasFocus(field(key));
    await field(key).fill("the tests");
    await save();
    await toast(page, "Settings saved");
    expect(await stored(key)).toEqual(expect.objectContaining({ value: "******", origin: "api" }));
    await family.getByRole("button", { name: `Remove ${key}` }).click();
    await field(key).waitFor({ state: "detached" });
    expect(await stored(key)).toBeUndefined();
  });

  for (const [plugin, label, path] of [
    ["emqx_auth_username", "User name", "auth_username"],
    ["emqx_auth_clientid", "Client id", "auth_clientid"],
  ] as const)
    test(`accounts of ${plugin}: made, another password, deleted`, async () => {
      await go(page, `plugins/emqx%40127.0.0.1/${plugin}`);
      const accounts = page.getByRole("region", { name: "Accounts" });
      await accounts.getByText("No accounts yet.").waitFor();
      await accounts.getByRole("button", { name: "New account" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel(label).fill("sensor 1");
      await dialog.getByLabel("Password", { exact: true }).fill("first");
      expect(await faults(page)).toEqual([]);
      await agree(page);
      await accounts.getByRole("cell", { name: "sensor 1", exact: true }).waitFor();
      expect(await api<string[]>("GET", path)).toEqual(["sensor 1"]);
      await accounts.getByRole("button", { name: "Set a new password for sensor 1" }).click();
      await dialog.getByLabel("Password", { exact: true }).fill("second");
      await agree(page);
      await toast(page, "Password changed");
      await looksWell(page);
      const may = async (password: string): Promise<boolean> => {
        const asked = { client_id: "sensor 1", username: "sensor 1", password };
        const { authentication } = await api<{ authentication: { steps: { step: string; verdict: string }[] } }>("POST", "explain", asked);
        return authentication.steps.some((s) => s.step === plugin && s.verdict === "allow");
      };
      await api("PUT", "plugins/emqx_auth_http/unload");
      expect([await may("first"), await may("second")]).toEqual([false, true]);
      await api("PUT", "plugins/emqx_auth_http/load");
      await accounts.getByRole("button", { name: "Delete the account sensor 1?" }).click();
      await agree(page);
      await accounts.getByText("No accounts yet.").waitFor();
      expect(await api<string[]>("GET", path)).toEqual([]);
    });

  test("what the web hook's service would not take: page by page, chosen, sent again, deleted when agreed", async () => {
    const told: string[] = [];
    let takes = false;
    const hook = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const { payload } = (await request.json()) as { payload: string };
        if (takes) told.push(payload);
        return new Response("no such device", { status: takes ? 200 : 400 });
      },
    });
    const settings = {
      "web.hook.api.url": `http://127.0.0.1:${hook.port}/`,
      "web.hook.rule.message.publish.1": '{"action": "on_message_publish"}',
    };
    await api("PUT", "nodes/emqx@127.0.0.1/plugin_configs/emqx_web_hook", settings);
    await api("PUT", "plugins/emqx_web_hook/load");
    const publish = (payload: string): Promise<unknown> => api("POST", "mqtt/publish", { topic: "a", payload, client_id: "s1" });
    for (let n = 1; n <= 11; n++) await publish(String(n));
    await go(page, "plugins/emqx%40127.0.0.1/emqx_web_hook");
    const letters = page.getByRole("region", { name: "Dead letters" });
    await letters.getByText("1–10 of 11").waitFor();
    await letters.getByRole("button", { name: "Next page" }).click();
    await letters.getByText('"payload":"1"').waitFor();
    await letters.getByLabel("Choose letter 1").check();
    await letters.getByText("1 of 11", { exact: true }).waitFor();
    await looksWell(page);
    takes = true;
    await letters.getByRole("button", { name: "Send again" }).click();
    await letters.getByText("All 10").waitFor();
    await until(() => told.length > 0, "the chosen one");
    expect(told).toEqual(["1"]);
    await letters.getByText("All 10").click();
    await letters.getByRole("button", { name: "Send again" }).click();
    await letters.getByText("No dead letters").waitFor();
    await until(() => told.length === 11, "all of them");
    takes = false;
    await publish("last");
    await letters.getByText("All 1").click();
    await letters.getByRole("button", { name: "Delete" }).click();
    await agree(page);
    await toast(page, "1 dead letter deleted");
    await letters.getByText("No dead letters").waitFor();
    await hook.stop(true);
  });
});
