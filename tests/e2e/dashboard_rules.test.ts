/** The tour of a person who has never made a rule: from the empty list to messages that arrive elsewhere, and what the page then says of it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { jsClient } from "../support/clients.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { agree, faults, go, toast, tooWide } from "./dashboard_browser.ts";
import { DashboardKit } from "./dashboard_kit.ts";

needing(CHROMIUM, describe)("the rules pages", () => {
  const kit = new DashboardKit();
  const { api } = kit.rest;
  let page: Page;
  let client: Awaited<ReturnType<typeof jsClient>>["client"];
  const arrived: { topic: string; payload: string }[] = [];

  const sql = () => page.getByRole("textbox", { name: "SQL" });
  const tryIt = () => page.getByRole("region", { name: "Try it" });

  beforeAll(async () => {
    await kit.start();
    ({ client } = await jsClient(`mqtt://127.0.0.1:${kit.broker.ports.tcp}`, { clientId: "s7" }));
    client.on("message", (topic, payload) => arrived.push({ topic, payload: payload.toString() }));
    await client.subscribeAsync("alerts/#");
    page = await kit.surfer.inside();
    await go(page, "rules");
  });
  afterAll(async () => {
    client.end(true);
    await kit.stop();
  });

  test("from nothing to alerts of temperatures above 30: a click on a beginning, a kind of action, a topic, a click", async () => {
    await page.getByRole("link", { name: /Above a threshold/ }).click();
    await tryIt().getByText("passes, 1 row").waitFor();
    await page.getByLabel("Kind of action 1").selectOption("built_in:republish_action");
    const topic = page.getByLabel("To Which Topic *");
    await topic.fill("");
    // The fields of the row are offered.
    await topic.pressSequentially("alerts/${cl");
    await page.getByRole("option", { name: /clientid/ }).waitFor();
    await topic.press("Enter");
    expect(await topic.inputValue()).toBe("alerts/$" + "{clientid}");
    await tryIt().getByText("alerts/s1").waitFor();
    expect(await faults(page)).toEqual([]);
    await page.getByRole("button", { name: "Create the rule" }).click();
    await toast(page, "Rule temperature above 30 is created and runs");
    await page.getByRole("heading", { level: 1, name: "temperature above 30" }).waitFor();
    await client.publishAsync("sensors/a", '{"temperature": 29}', { qos: 1 });
    await client.publishAsync("sensors/a", '{"temperature": 31.5}', { qos: 1 });
    await until(() => arrived.length > 0, "an alert");
    expect(arrived[0]?.topic).toBe("alerts/s7");
    expect(JSON.parse(arrived[0]?.payload ?? "")).toMatchObject({ clientid: "s7", topic: "sensors/a", temperature: 31.5 });
    await page.locator(".rule-flow").getByText("1 passed, 0 failed", { exact: true }).waitFor();
    await page.locator(".rule-flow").getByText("1 delivered, 0 lost", { exact: true }).waitFor();
  });

  test("the mistake is under the word, and mended with a click; functions and columns are offered", async () => {
    await sql().fill('SELECT clientidd FROM "sensors/#"');
    await page.getByText("there is no column clientidd in message.publish (did you mean clientid?)").waitFor();
    expect(await faults(page)).toEqual([]);
    await sql().fill('SELECT rond(payload.temperature) AS t\nFROM "sensors/#"');
    await page.getByText(/there is no function rond\(\)/).waitFor();
    expect(await page.locator(".code-wrong").first().textContent()).toBe("rond");
    const [word, field] = [await page.locator(".code-wrong").first().boundingBox(), await sql().boundingBox()];
    expect(word && field && word.y > field.y && word.y + word.height < field.y + field.height).toBe(true);
    expect(await page.getByRole("button", { name: "Save" }).isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Use round" }).click();
    await page.getByText("Good SQL").waitFor();
    await sql().press("Control+End");
    await sql().pressSequentially("\nWHERE subst");
    await page.getByRole("option", { name: /^substr/ }).waitFor();
    expect(await faults(page)).toEqual([]);
    await sql().press("Escape");
    await page.getByRole("button", { name: "Discard changes" }).click();
    expect(await sql().inputValue()).toContain("WHERE payload.temperature > 30");
  });

  test("the form writes the SQL and shows what is typed there", async () => {
    await page.getByLabel("Right side of condition 1").fill("25");
    expect(await sql().inputValue()).toContain("WHERE payload.temperature > 25");
    await page.getByLabel("What to look at, 1").selectOption("$events/client_disconnected");
    expect(await sql().inputValue()).toContain('FROM "$events/client_disconnected"');
    await sql().fill('SELECT clientid FROM "a/+", "b/#" WHERE qos = 1');
    await page.getByLabel("Topic 2").waitFor();
    expect(await page.getByLabel("Right side of condition 1").inputValue()).toBe("1");
    await page.getByRole("button", { name: "Discard changes" }).click();
  });

  test("a real message is taken as the example, and what it makes is seen at once", async () => {
    await tryIt().getByRole("button", { name: "Take real ones" }).click();
    await tryIt()
      .getByText(/Waiting for sensors/)
      .waitFor();
    await client.publishAsync("sensors/cellar", '{"temperature": 12}', { qos: 1 });
    await tryIt()
      .getByRole("button", { name: /sensors\/cellar/ })
      .click();
    await tryIt().getByText("does not pass").waitFor();
    await tryIt().getByLabel("Its payload").fill('{"temperature": 77}');
    await tryIt().getByText("passes, 1 row").waitFor();
    await tryIt().getByText("alerts/s7").waitFor();
  });

  test("other beginnings are in a menu, also where there is a rule; a column that the rule does not make is named; typed text is asked about", async () => {
    const name = page.getByLabel("Name of the rule");
    const menu = page.getByRole("button", { name: "Begin with…" });
    await go(page, "rules");
    await menu.click();
    expect([await faults(page), await tooWide(page)]).toEqual([[], 0]);
    await page.getByRole("link", { name: /Device went offline/ }).click();
    await page.getByLabel("To Which Topic *").fill("alerts/$" + "{topic}");
    await page.getByText("No column topic; the rule gives clientid, username, reason, timestamp.").waitFor();
    expect([await name.inputValue(), await faults(page)]).toEqual(["device went offline", []]);
    // With the keyboard: the second one.
    const choose = async (): Promise<void> => {
      await menu.press("Enter");
      await page.locator(".menu-list :focus", { hasText: "Above a threshold" }).waitFor();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
    };
    await choose();
    await page.getByRole("button", { name: "Cancel" }).click();
    expect(await name.inputValue()).toBe("device went offline");
    await choose();
    await agree(page);
    await page.getByRole("heading", { name: /Begin anew/ }).waitFor({ state: "detached" });
    expect(await name.inputValue()).toBe("every message");
    await go(page, "rules");
    await page.getByRole("link", { name: "temperature above 30" }).click();
    await page.getByRole("heading", { level: 1, name: "temperature above 30" }).waitFor();
  });

  test("errors with what caused them, as text; switched off in the list; deleted when agreed", async () => {
    await client.publishAsync("sensors/a", "<img src=x onerror=alert(1)>", { qos: 1 });
    await page.getByRole("link", { name: "Errors" }).click();
    await page.getByText("<img src=x onerror=alert(1)>").waitFor();
    expect(await tooWide(page)).toBe(0);
    await go(page, "rules");
    const off = page.getByRole("switch", { name: "Enable the rule temperature above 30" });
    await off.click();
    await toast(page, "Rule temperature above 30 is disabled");
    await page.getByRole("article").getByText("Disabled").waitFor();
    expect(await api("GET", "rules")).toMatchObject([{ enabled: false, state: "disabled" }]);
    await page.getByRole("button", { name: "Delete the rule temperature above 30?" }).click();
    await agree(page);
    await page.getByRole("heading", { name: "Begin with one of these" }).waitFor();
  });

  test("while the rule engine does not run the page says so, and starts it", async () => {
    await api("PUT", "plugins/emqx_rule_engine/unload");
    await page.reload();
    await page.getByText("The rule engine does not run").waitFor();
    await page.getByRole("button", { name: "Start it" }).click();
    await page.getByRole("heading", { name: "Begin with one of these" }).waitFor();
  });
});
