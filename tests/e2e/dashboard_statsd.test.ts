/** The page of emqx_statsd in a browser: where figures go to and how that is, settings that are tried without a client. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { OtlpCollector } from "../support/otlp.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { StatsdServer } from "../support/statsd.ts";
import { go, looksWell } from "./dashboard_browser.ts";
import { DashboardKit } from "./dashboard_kit.ts";

const PLACE = "plugins/emqx%40127.0.0.1/emqx_statsd";

needing(CHROMIUM, describe)("the page of emqx_statsd", () => {
  const kit = new DashboardKit();
  const collector = new OtlpCollector();
  const statsd = new StatsdServer();
  /** A port where nobody listens any more. */
  const nobody = { port: 0 };
  let page: Page;

  beforeAll(async () => {
    collector.start();
    await statsd.start();
    const gone = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
    nobody.port = gone.port ?? 0;
    await gone.stop(true);
    await kit.start({
      set: {
        "statsd.push.gateway.server": `http://joe:s3cret@127.0.0.1:${nobody.port}`,
        "statsd.udp.server": `127.0.0.1:${statsd.port}`,
        "statsd.otlp.endpoint": collector.url,
        "statsd.otlp.header.authorization": "Bearer s3cret",
        "statsd.interval": "500",
      },
      plugins: ["emqx_statsd"],
    });
    page = await kit.surfer.inside();
  });
  afterAll(async () => {
    await kit.stop();
    await collector.stop();
    statsd.stop();
    expect([collector.faults, statsd.faults]).toEqual([[], []]);
  });

  test("states, figures, the test of settings, on a phone and a screen", async () => {
    await page.setViewportSize({ width: 1440, height: 900 });
    await go(page, PLACE);
    const card = (name: string) => page.getByRole("region", { name });
    const gateway = card(`Push gateway at http://127.0.0.1:${nobody.port}`);
    await gateway.getByText("down", { exact: true }).waitFor();
    await gateway.getByRole("alert").getByText("nobody listens there").waitFor();
    await card(`StatsD at 127.0.0.1:${statsd.port}`).getByText("answers", { exact: true }).waitFor();
    await card(`OpenTelemetry collector at ${collector.url} (metrics)`).getByText("answers", { exact: true }).waitFor();
    const tried = card("Try the settings");
    expect(await tried.getByRole("textbox").count()).toBe(0);
    await tried.getByRole("button", { name: "Test" }).click();
    await tried.getByText(/does not refuse what is sent/).waitFor();
    await tried.getByText(/takes what is sent$/).waitFor();
    // The secret of a header, and keys that stand for many.
    await page.getByText("statsd.otlp.header.$name").first().waitFor();
    expect(await page.content()).not.toContain("s3cret");
    await looksWell(page);
  });
});
