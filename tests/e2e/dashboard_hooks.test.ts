/** The web hook's rules on its page, in a browser: what the service is told of is chosen, checked as one types, saved, and is what it is told of. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { CHROMIUM, needing } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { go, looksWell, toast } from "./dashboard_browser.ts";
import { DashboardKit } from "./dashboard_kit.ts";

const PAGE = "plugins/emqx%40127.0.0.1/emqx_web_hook";
const CONNECTED = "web.hook.rule.client.connected.1";
const PUBLISH = "web.hook.rule.message.publish.1";

needing(CHROMIUM, describe)("the rules of the web hook", () => {
  const kit = new DashboardKit();
  const { api } = kit.rest;
  let page: Page;
  const told: { action: string; topic?: string }[] = [];
  const service = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      told.push((await request.json()) as (typeof told)[number]);
      return new Response("");
    },
  });

  /** What the API says of a rule. */
  const stored = (key: string) => kit.setting("emqx_web_hook", key);
  const card = (): Locator => page.getByRole("region", { name: "What the service is told" });
  const hook = (name: string): Locator => card().getByRole("group", { name });
  const heading = (text: string): Promise<void> => card().locator("header").getByText(text, { exact: true }).waitFor();
  const save = async (): Promise<void> => {
    await page.locator(".save-bar button[type=submit]").click();
    await toast(page, "Settings saved");
    // The next one is another one.
    await page.locator(".toast", { hasText: "Settings saved" }).getByRole("button", { name: "Close" }).click();
  };

  beforeAll(async () => {
    const lines = `web.hook.api.url = http://127.0.0.1:${service.port}/\n${CONNECTED} = {"action": "on_client_connected"}\n`;
    await kit.start({
      files: { "etc/plugins/emqx_web_hook.conf": lines },
      set: { "web.hook.rule.session.created.1": '{"action": "on_session_created"}' },
      plugins: ["emqx_web_hook"],
    });
    page = await kit.surfer.inside();
    await go(page, PAGE);
  });
  afterAll(async () => {
    await kit.stop();
    await service.stop(true);
  });

  test("eleven hooks, of which two have rules; one that is set at the start of the node stays", async () => {
    await heading("2 of 11");
    expect(await card().getByRole("group").count()).toBe(11);
    const [file, flag] = [hook("A client has connected"), hook("A session has begun")];
    await file.getByText("file", { exact: true }).waitFor();
    expect([await file.getByRole("switch").isChecked(), await flag.getByRole("switch").isChecked()]).toEqual([true, true]);
    expect(await flag.getByRole("switch").isDisabled()).toBe(true);
    await hook("A client has gone").getByText("not told", { exact: true }).waitFor();
    await looksWell(page);
  });

  test("topics: checked as one types, not saved while one is none, then told of those and of no others", async () => {
    const publish = hook("A message is published");
    await publish.getByRole("button", { name: "Add topics to message.publish" }).press("Enter");
    const field = publish.getByLabel(`Topic filter of ${PUBLISH}`);
    await field.and(page.locator(":focus")).waitFor();
    await page.keyboard.type("alarms/#x");
    const wrong = publish.getByRole("alert");
    await wrong.getByText("# may only stand alone at the end").waitFor();
    expect([await field.getAttribute("aria-invalid"), await field.getAttribute("aria-describedby")]).toEqual([
      "true",
      await wrong.getAttribute("id"),
    ]);
    await looksWell(page);
    // The API says no, too, and the field is where one is.
    await page.locator(".save-bar button[type=submit]").click();
    await field.and(page.locator(":focus")).waitFor();
    expect(await stored(PUBLISH)).toBeUndefined();
    await page.keyboard.press("End");
    await page.keyboard.press("Backspace");
    await wrong.waitFor({ state: "detached" });
    await heading("3 of 11");
    await save();
    expect(await stored(PUBLISH)).toMatchObject({ value: '{"action":"on_message_publish","topic":"alarms/#"}', origin: "api" });
    for (const topic of ["other/a", "alarms/a"]) await api("POST", "mqtt/publish", { topic, payload: "1", client_id: "s1" });
    await until(() => told.length > 0, "the service is told");
    expect(told.map(({ action, topic }) => [action, topic])).toEqual([["message_publish", "alarms/a"]]);
  });

  test("away with them: the file's rule too, until the page is taken back to the file", async () => {
    const connected = hook("A client has connected").getByRole("switch");
    await connected.click();
    await hook("A message is published")
      .getByRole("button", { name: `Remove ${PUBLISH}` })
      .click();
    await heading("1 of 11");
    expect(await stored(PUBLISH)).toMatchObject({ origin: "api" });
    await save();
    expect([await stored(CONNECTED), await stored(PUBLISH)]).toEqual([expect.objectContaining({ value: "", origin: "api" }), undefined]);
    await heading("1 of 11");
    await connected.click();
    await heading("2 of 11");
    await page.getByRole("button", { name: "Discard changes" }).click();
    await heading("1 of 11");
    await page.getByRole("button", { name: "Back to the file" }).click();
    await page.locator("dialog[open] button[type=submit]").click();
    await heading("2 of 11");
    expect(await stored(CONNECTED)).toMatchObject({ origin: "file" });
  });
});
