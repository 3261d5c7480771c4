/** Scripts on the page of their plugin, in a browser: seen, disabled and enabled, their errors with line. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import type { Locator, Page } from "playwright-core";
import { RawClient } from "../support/clients.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { agree, go, looksWell, toast } from "./dashboard_browser.ts";
import { DashboardKit } from "./dashboard_kit.ts";

const PAGE = "plugins/emqx%40127.0.0.1/emqx_lua_hook";
const GOOD = `function register_hook() return "on_message_publish", "on_client_connected" end
function on_message_publish(c, u, topic, payload, qos, retain)
  if topic == "fail" then error("the sensor is unknown") end
  return topic, payload, qos, retain
end
function on_client_connected() end`;

needing(CHROMIUM, describe)("scripts on the page of their plugin", () => {
  const kit = new DashboardKit();
  let page: Page;
  const file = (name: string): string => kit.path(`data/scripts/${name}`);
  const row = (name: string): Locator => page.getByRole("row").filter({ hasText: name });

  beforeAll(async () => {
    await kit.start({
      files: {
        "data/scripts/good.lua": GOOD,
        "data/scripts/broken.ts": "export function on_message_publish( {",
        "data/scripts/slow.lua": "while true do end",
        "data/scripts/old.js.x": "export function on_client_connected() {}",
      },
      set: { "lua_hook.budget": "1s" },
      plugins: ["emqx_lua_hook"],
    });
    page = await kit.surfer.inside();
  });
  afterAll(() => kit.stop());

  test("what runs, what does not and why, and what was called how often", async () => {
    const client = await RawClient.connected(kit.broker.ports.tcp, "c1");
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
    await looksWell(page);
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
