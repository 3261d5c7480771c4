/** Scripts on the page of their plugin, in a browser: seen, disabled and enabled, their errors with line. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { RawClient } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { agree, faults, go, PASSWORD, Surfer, toast, tooWide } from "./dashboard_browser.ts";

const PAGE = "plugins/emqx%40127.0.0.1/emqx_lua_hook";
const GOOD = `function register_hook() return "on_message_publish", "on_client_connected" end
function on_message_publish(c, u, topic, payload, qos, retain)
  if topic == "fail" then error("the sensor is unknown") end
  return topic, payload, qos, retain
end
function on_client_connected() end`;

needing(CHROMIUM, describe)("scripts on the page of their plugin", () => {
  let baomq: Installation;
  let broker: RunningBroker;
  let surfer: Surfer;
  let page: Page;
  const file = (name: string): string => join(baomq.dataDir(), "scripts", name);

  async function api(method: string, path: string, body?: unknown, password = PASSWORD): Promise<void> {
    await fetch(`http://127.0.0.1:${broker.ports.dashboard}/api/v3/${path}`, {
      method,
      headers: { authorization: `Basic ${btoa(`admin:${password}`)}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }
  const row = (name: string): Locator => page.getByRole("row").filter({ hasText: name });

  beforeAll(async () => {
    baomq = new Installation();
    mkdirSync(join(baomq.dataDir(), "scripts"), { recursive: true });
    writeFileSync(file("good.lua"), GOOD);
    writeFileSync(file("broken.ts"), "export function on_message_publish( {");
    writeFileSync(file("slow.lua"), "while true do end");
    writeFileSync(file("old.js.x"), "export function on_client_connected() {}");
    broker = await baomq.start({ set: { "lua_hook.budget": "1s" } });
    await api("PUT", "change_pwd/admin", { old_pwd: "public", new_pwd: PASSWORD }, "public");
    await api("PUT", "plugins/emqx_lua_hook/load");
    surfer = await Surfer.open(broker.ports.dashboard);
    page = await surfer.inside();
  });
  afterAll(async () => {
    await surfer.close();
    expect(await broker.stop()).toBe(0);
    await baomq.remove();
    expect(surfer.problems).toEqual([]);
  });

  test("what runs, what does not and why, and what was called how often", async () => {
    const client = await RawClient.connected(broker.ports.tcp, "c1");
    client.publish("fail", "x", 1);
    await client.next("puback");
    client.drop();
    await go(page, PAGE);
    await row("good.lua").getByText("Running").waitFor();
    await row("good.lua").getByText("on_message_publish").waitFor();
    await row("broken.ts").getByText("Not loaded").waitFor();
    await row("broken.ts")
      .getByText(/line 1: /)
      .waitFor();
    await row("old.js").getByText("Disabled").waitFor();
    await row("slow.lua")
      .getByText(/^It is tried again: /)
      .waitFor();

    await page.getByRole("button", { name: "Errors of good.lua" }).click();
    const errors = page.getByRole("region", { name: "Errors of good.lua" });
    await errors.getByText("the sensor is unknown").waitFor();
    expect(await errors.getByRole("row").nth(1).textContent()).toMatch(/on_message_publish\s*3\s*the sensor is unknown/);
    for (const [width, theme] of [
      [375, "dark"],
      [1440, "light"],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: theme });
      await page.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, theme);
      expect({ width, faults: await faults(page), wide: await tooWide(page) }).toEqual({ width, faults: [], wide: 0 });
    }
  });

  test("disabled, enabled, loaded again", async () => {
    await page.getByRole("button", { name: "Disable good.lua?" }).click();
    await agree(page);
    await toast(page, "good.lua is disabled");
    await row("good.lua").getByText("Disabled").waitFor();
    await until(() => existsSync(file("good.lua.x")));
    await page.getByRole("button", { name: "Enable good.lua" }).click();
    await toast(page, "good.lua is enabled");
    await row("good.lua").getByText("Running").waitFor();
    writeFileSync(file("broken.ts"), "export function on_message_publish() {}");
    await page.getByRole("button", { name: "Reload broken.ts" }).click();
    await row("broken.ts").getByText("Running").waitFor();
  });
});
