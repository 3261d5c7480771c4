/**
 * From nothing to "temperature above 30 goes to PostgreSQL" by clicks and typing alone, with a real server: how much a person has to do for it, the
 * test of a server, rows that it refuses, and all of it taken out and brought in again.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Locator, Page } from "playwright-core";
import { jsClient } from "../support/clients.ts";
import { CHROMIUM, needing, POSTGRESQL } from "../support/peers.ts";
import { Postgres } from "../support/servers.ts";
import { until } from "../support/until.ts";
import { agree, faults, toast, tooWide } from "./dashboard_browser.ts";
import { DashboardKit } from "./dashboard_kit.ts";

/** Deciding, pointing and pressing; a key. [Card, Moran, Newell: The keystroke-level model, 1980] */
const CLICK_MS = 1350 + 1100 + 200;
const KEY_MS = 280;

/** Somebody who does what a test says, and how long that takes one who need not read: the machine's own time counts nowhere. */
class Hands {
  ms = 0;

  async click(what: Locator): Promise<void> {
    this.ms += CLICK_MS;
    await what.click();
  }

  async type(into: Locator, text: string): Promise<void> {
    this.ms += CLICK_MS + KEY_MS * text.length;
    await into.fill(text);
  }
}

needing(CHROMIUM, needing(POSTGRESQL, describe))("the tour to PostgreSQL", () => {
  const kit = new DashboardKit();
  let db: Postgres;
  let page: Page;
  let device: Awaited<ReturnType<typeof jsClient>>["client"];

  const menu = (name: string): Locator => page.locator(".nav").getByRole("link", { name, exact: true });
  const dialog = (): Locator => page.getByRole("dialog");
  const button = (name: string, within: Page | Locator = page): Locator => within.getByRole("button", { name, exact: true });
  const measured = (temperature: number): Promise<unknown> => device.publishAsync("sensors/a", JSON.stringify({ temperature }), { qos: 1 });
  const rows = (): string => db.run("select clientid, topic, temperature from readings order by temperature").trim();

  beforeAll(async () => {
    db = new Postgres();
    await Promise.all([kit.start(), db.start()]);
    ({ client: device } = await jsClient(`mqtt://127.0.0.1:${kit.broker.ports.tcp}`, { clientId: "s7" }));
    page = await kit.surfer.inside();
  });
  afterAll(async () => {
    device.end(true);
    await kit.stop();
    await db.remove();
  });

  test("temperature above 30 becomes a row, with a minute and a half of handiwork", async () => {
    const hands = new Hands();
    await hands.click(menu("Rules"));
    await hands.click(page.getByRole("link", { name: /Above a threshold/ }));
    await page.getByRole("region", { name: "Try it" }).getByText("passes, 1 row").waitFor();
    const does = page.getByRole("region", { name: "What it does" });
    expect(await does.getByLabel("Kind of action 1").inputValue()).toBe("data_to_pgsql");
    await hands.click(button("New resource", does));
    await hands.type(dialog().getByLabel("Server", { exact: true }), `127.0.0.1:${db.port}`);
    await hands.type(dialog().getByLabel("Database *"), "postgres");
    await hands.type(dialog().getByLabel("User", { exact: true }), db.user);
    await hands.type(dialog().getByLabel("Password", { exact: true }), db.password);
    await hands.click(button("Test", dialog()));
    await dialog().locator(".steps").getByText("good", { exact: true }).first().waitFor();
    expect([await faults(page), await tooWide(page)]).toEqual([[], 0]);
    await hands.click(button("Create", dialog()));
    await toast(page, "Resource pgsql saved");
    // What has to be there before is told, to be pasted where the person talks to the server.
    await hands.click(does.getByText("The table it needs"));
    db.run((await does.locator(".rule-code pre").textContent()) ?? "");
    // What is told of the resource does not lie on the button, also at the end of the page.
    const [told, bar] = await page.evaluate(() => {
      scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
      return [".toasts", ".save-bar"].map((of) => document.querySelector(of)?.getBoundingClientRect().toJSON() as DOMRect);
    });
    expect(told && bar && told.bottom <= bar.top).toBe(true);
    await hands.click(button("Create the rule"));
    await toast(page, "Rule temperature above 30 is created and runs");
    await measured(29);
    await measured(31.5);
    await until(() => rows() !== "", "the row");
    expect(rows()).toBe("s7|sensors/a|31.5");
    expect(hands.ms).toBeLessThan(90_000);
    await page.locator(".rule-flow").getByText("1 delivered, 0 lost", { exact: true }).waitFor();
  });

  test("a wrong password is told by the test, and nothing is saved by that", async () => {
    await menu("Resources").click();
    await page.getByRole("row", { name: /pgsql/ }).getByText("answers", { exact: true }).waitFor();
    await button("Change pgsql").click();
    await dialog().getByLabel("Password", { exact: true }).fill("wrong");
    await button("Test", dialog()).click();
    const steps = dialog().locator(".steps");
    await steps.getByText("failed", { exact: true }).first().waitFor();
    await steps
      .getByText(/account and password are not taken/)
      .first()
      .waitFor();
    expect([await faults(page), await tooWide(page)]).toEqual([[], 0]);
    await button("Cancel", dialog()).click();
    await measured(32);
    await until(() => rows().includes("32"), "the row of the password that is saved");
  });

  test("a row that the server refuses is a dead letter: seen with the reason, sent again when it is mended", async () => {
    db.run("alter table readings add constraint cold check (temperature < 90)");
    await measured(95);
    await menu("Rules").click();
    await page.getByRole("link", { name: "1 dead letter" }).click();
    const letters = page.getByRole("region", { name: "Data to PostgreSQL" });
    await letters.getByText(/violates check constraint "cold"/).waitFor();
    await letters.getByText(/"sensors\/a",95/).waitFor();
    expect([await faults(page), await tooWide(page)]).toEqual([[], 0]);
    db.run("alter table readings drop constraint cold");
    await letters.getByText("All 1", { exact: true }).click();
    await button("Send again", letters).click();
    await toast(page, "1 is sent again");
    await letters.getByText("No dead letters").waitFor();
    await until(() => rows().includes("95"), "the row that was refused");
  });

  test("exported without the password, deleted, imported with it: the rule goes on", async () => {
    await menu("Rules").click();
    const download = page.waitForEvent("download");
    await button("Export").click();
    const text = readFileSync(await (await download).path(), "utf8");
    expect([text.includes("temperature above 30"), text.includes(db.password)]).toEqual([true, false]);
    await button("Delete the rule temperature above 30?").click();
    await agree(page);
    await page.getByRole("heading", { name: "Begin with one of these" }).waitFor();
    await menu("Resources").click();
    await button("Delete the resource pgsql?").click();
    await agree(page);
    await page.getByRole("heading", { name: "No resources yet" }).waitFor();
    await menu("Rules").click();
    await button("Import").click();
    await dialog()
      .getByLabel("File of an export")
      .setInputFiles({ name: "rules.json", mimeType: "application/json", buffer: Buffer.from(text) });
    const missing = dialog().getByText(/^Exports have no secrets/);
    await missing.waitFor();
    expect([await button("Take it over", dialog()).isDisabled(), await faults(page), await tooWide(page)]).toEqual([true, [], 0]);
    await dialog()
      .getByLabel(/pgsql:pgsql: password$/)
      .fill(db.password);
    await button("Check again", dialog()).click();
    await missing.waitFor({ state: "detached" });
    await button("Take it over", dialog()).click();
    await toast(page, "1 entry taken over");
    await page.getByRole("link", { name: "temperature above 30" }).waitFor();
    await measured(40);
    await until(() => rows().includes("40"), "a row after the import");
  });
});
