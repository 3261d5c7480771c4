/** The page of the access chain in a browser: what it warns of, rules that are edited, and a hash whose setting is looked for. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { jsClient } from "../support/clients.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { freePorts } from "../support/ports.ts";
import { until } from "../support/until.ts";
import { agree, faults, go, tooWide } from "./dashboard_browser.ts";
import { DashboardKit } from "./dashboard_kit.ts";

needing(CHROMIUM, describe)("the access page", () => {
  const kit = new DashboardKit();
  const { api } = kit.rest;
  let page: Page;

  beforeAll(async () => {
    await kit.start();
    page = await kit.surfer.inside();
    await go(page, "access");
  });
  afterAll(() => kit.stop());

  test("says what lets strangers in, and who is asked", async () => {
    await page.getByText("everybody is let in. allow_anonymous is on and nobody is asked").waitFor();
    await api("PUT", "plugins/emqx_auth_username/load");
    await page.getByText("whoever is not known to the plugins is let in").waitFor();
    await page.getByRole("link", { name: "emqx_auth_username" }).waitFor();
    await page.getByText("Not asked what a client may do").waitFor();
  });

  test("an account of the user name plugin is made and deleted there, and that is what its owner notices", async () => {
    const accounts = page.getByRole("region", { name: "Accounts of emqx_auth_username", exact: true });
    const verdict = async (): Promise<string | undefined> => {
      const { authentication } = (await api("POST", "explain", { client_id: "c", username: "sensor", password: "its own" })) as {
        authentication: { steps: { step: string; verdict: string }[] };
      };
      return authentication.steps.find(({ step }) => step === "emqx_auth_username")?.verdict;
    };
    await accounts.getByText("No accounts yet.").waitFor();
    expect(await verdict()).toBe("ignore");
    await accounts.getByRole("button", { name: "New account" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("User name").fill("sensor");
    await dialog.getByLabel("Password", { exact: true }).fill("its own");
    await agree(page);
    await accounts.getByRole("cell", { name: "sensor", exact: true }).waitFor();
    expect([await verdict(), await faults(page), await tooWide(page)]).toEqual(["allow", [], 0]);
    await accounts.getByRole("button", { name: "Delete the account sensor?" }).click();
    await agree(page);
    await accounts.getByText("No accounts yet.").waitFor();
    expect(await verdict()).toBe("ignore");
  });

  test("rules are checked as they are typed; wrong ones cannot be saved, good ones are in force at once", async () => {
    const rules = page.getByRole("textbox", { name: "Access rules" });
    const save = page.getByRole("button", { name: "Save" });
    const before = await rules.inputValue();
    await page.getByText("4 rules").waitFor();
    await rules.fill("{allow, all}.\n{deny, nobody}.\n");
    await page.getByRole("button", { name: /Line 2, column 8/ }).waitFor();
    // The line, its number and the word are marked, the word where it stands in the text.
    expect(await page.locator(".acl-lines .wrong").textContent()).toBe("2");
    const [mark, word] = [await page.locator(".acl-mark").boundingBox(), await page.locator(".acl-place u").boundingBox()];
    expect([mark?.height, word?.height, await page.locator(".acl-place u").textContent()]).toEqual([word?.height, mark?.height, "nobody"]);
    expect(await faults(page)).toEqual([]);
    await page.getByRole("button", { name: /Line 2, column 8/ }).click();
    expect(await rules.evaluate((e) => (e as unknown as { selectionStart: number }).selectionStart)).toBe(21);
    expect(await save.isDisabled()).toBe(true);
    await rules.fill('{deny, {user, "joe"}, subscribe, ["secret/#"]}.\n{allow, all}.\n');
    await page.getByText("2 rules").waitFor();
    await save.click();
    await page.getByText("Access rules saved, 2 in force").waitFor();
    expect(await api("POST", "explain", { client_id: "c", username: "joe", action: "subscribe", topic: "secret/x" })).toMatchObject({
      acl: { allow: false },
    });
    const file = kit.path("etc/acl.conf");
    expect([existsSync(file), readFileSync(file, "utf8").includes("secret/#")]).toEqual([true, true]);
    await page.getByRole("button", { name: "What it was before" }).click();
    expect(await rules.inputValue()).toBe(before);
  });

  test("a client is tried: the answer names its section, and no two have one name", async () => {
    const form = page.getByRole("region", { name: "Try a client" });
    await form.getByLabel("Client id").fill("dev-1");
    await form.getByLabel("What it wants").selectOption("publish");
    await form.getByLabel("Topic").fill("a/b");
    await form.getByRole("button", { name: "Explain" }).click();
    await page.getByRole("region", { name: "May it connect? allowed" }).waitFor();
    await page.getByRole("region", { name: "May it publish to a/b? allowed" }).waitFor();
    expect(await page.getByRole("region", { name: "May it connect?", exact: true }).count()).toBe(1);
    expect(await faults(page)).toEqual([]);
  });

  describe("a back end whose server is down", () => {
    const half = (name: string, plugin: string) =>
      page.getByRole("region", { name, exact: true }).getByRole("listitem").filter({ hasText: plugin });
    const port = freePorts(1)[0] as number;
    /** Does the broker really let a client in, and publish? */
    const mayIt = async (): Promise<boolean[]> => {
      const asked = { client_id: "c", username: "joe", password: "x", action: "publish", topic: "a" };
      const { authentication, acl } = await api<{ authentication: { allow: boolean }; acl: { allow: boolean } | null }>(
        "POST",
        "explain",
        asked,
      );
      return [authentication.allow, acl?.allow ?? false];
    };
    /** A device that tries, each time by another name: wrong passwords are counted by name. */
    let names = 0;
    const getsIn = async (): Promise<boolean> => {
      const who = { username: `joe${names++}`, password: "x" };
      const got = await jsClient(`mqtt://127.0.0.1:${kit.broker.ports.tcp}`, who).catch(() => null);
      got?.client.end(true);
      return got !== null;
    };
    /** Settings as they are now, seen by whoever comes to the page. */
    async function change(settings: Record<string, string | null>): Promise<void> {
      await api("PUT", "settings", settings);
      await page.reload();
    }

    test("its state and last error in words; where it opens the chain the page warns, and so it is", async () => {
      await api("PUT", "plugins/emqx_auth_redis/load");
      await change({ "auth.redis.server": `127.0.0.1:${port}`, "auth.redis.on_error": "ignore" });
      const step = half("May it connect?", "emqx_auth_redis");
      await step.getByText("down", { exact: true }).waitFor();
      await step.getByText(`Redis at 127.0.0.1:${port}`).waitFor();
      await step
        .getByRole("alert")
        .getByText(/nobody listens there.*see auth\.redis\.server/)
        .waitFor();
      await step.getByText("passes on while it is down", { exact: true }).waitFor();
      const open = page.getByRole("alert").getByText(/while a server is down, or a script fails, everybody is let in/);
      await open.waitFor();
      expect([await mayIt(), await faults(page), await tooWide(page)]).toEqual([[true, true], [], 0]);
      await change({ "auth.redis.on_error": "deny" });
      await step.getByText("refuses while it is down", { exact: true }).waitFor();
      expect([await open.count(), await mayIt()]).toEqual([0, [false, false]]);
      await api("PUT", "plugins/emqx_auth_redis/unload");
    });

    test("with the web service topics alone are left to others; when it is there again, the page says so", async () => {
      await api("PUT", "plugins/emqx_auth_http/load");
      const at = `http://127.0.0.1:${port}`;
      const urls = { "auth.http.auth_req": `${at}/auth`, "auth.http.super_req": "", "auth.http.acl_req": `${at}/acl` };
      await change({ ...urls, "auth.http.on_error": "ignore" });
      const step = half("May it connect?", "emqx_auth_http");
      await step.getByText("down", { exact: true }).first().waitFor();
      await step.getByText("refuses while it is down", { exact: true }).waitFor();
      await half("What may it do?", "emqx_auth_http").getByText("passes on while it is down", { exact: true }).waitFor();
      const topicsOnly = page.getByText(/while the service of emqx_auth_http is down, topics are decided without it/);
      await topicsOnly.waitFor();
      expect([await page.getByText(/everybody is let in: on_error/).count(), await mayIt()]).toEqual([0, [false, false]]);
      await go(page, "plugins/emqx%40127.0.0.1/emqx_auth_http");
      await page.getByRole("heading", { level: 1, name: "emqx_auth_http" }).waitFor();
      await topicsOnly.waitFor();
      expect(await getsIn()).toBe(false);
      const service = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response("") });
      // That somebody listens again is not that he answers: the first one who asks finds out.
      await until(getsIn, "the service is asked again");
      await go(page, "access");
      await step.getByText("answers", { exact: true }).first().waitFor();
      await step.getByText("down", { exact: true }).first().waitFor({ state: "detached" });
      expect(await mayIt()).toEqual([true, true]);
      await api("PUT", "plugins/emqx_auth_http/unload");
      await service.stop(true);
    });
  });

  test("which password_hash fits", async () => {
    const form = page.getByRole("region", { name: "Which password_hash?" });
    await form.getByLabel("What stands in the table").fill(createHash("sha256").update("peppublic").digest("hex"));
    await form.getByLabel("Salt").fill("pep");
    await form.getByLabel("Password", { exact: true }).fill("public");
    await form.getByRole("button", { name: "Find it" }).click();
    await form.getByText("password_hash = salt,sha256").waitFor();
    await form.getByLabel("Password", { exact: true }).fill("other");
    await form.getByRole("button", { name: "Find it" }).click();
    await form.getByText("None fits").waitFor();
  });
});
