/** The page of emqx_statsd in a browser: where figures go to and how that is, settings that are tried without a client. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { OtlpCollector } from "../support/otlp.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { StatsdServer } from "../support/statsd.ts";
import { faults, go, PASSWORD, Surfer, tooWide } from "./dashboard_browser.ts";

const PLACE = "plugins/emqx%40127.0.0.1/emqx_statsd";

needing(CHROMIUM, test)("states, figures, the test of settings, on a phone and a screen", async () => {
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

let baomq: Installation;
let broker: RunningBroker;
let surfer: Surfer;
let page: Page;
const collector = new OtlpCollector();
const statsd = new StatsdServer();
/** A port where nobody listens any more. */
const nobody = { port: 0 };

beforeAll(async () => {
  if (CHROMIUM.find() === null && !process.env.CI) return;
  collector.start();
  await statsd.start();
  const gone = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
  nobody.port = gone.port ?? 0;
  await gone.stop(true);
  baomq = new Installation();
  broker = await baomq.start({
    set: {
      "statsd.push.gateway.server": `http://joe:s3cret@127.0.0.1:${nobody.port}`,
      "statsd.udp.server": `127.0.0.1:${statsd.port}`,
      "statsd.otlp.endpoint": collector.url,
      "statsd.otlp.header.authorization": "Bearer s3cret",
      "statsd.interval": "500",
    },
  });
  const api = (path: string, body: unknown, password: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${broker.ports.dashboard}/api/v3/${path}`, {
      method: "PUT",
      headers: { authorization: `Basic ${btoa(`admin:${password}`)}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  await api("change_pwd/admin", { old_pwd: "public", new_pwd: PASSWORD }, "public");
  await api("plugins/emqx_statsd/load", {}, PASSWORD);
  surfer = await Surfer.open(broker.ports.dashboard);
  page = await surfer.inside();
});
afterAll(async () => {
  if (surfer === undefined) return;
  await surfer.close();
  expect(await broker.stop()).toBe(0);
  await baomq.remove();
  await collector.stop();
  statsd.stop();
  expect([surfer.problems, collector.faults, statsd.faults]).toEqual([[], [], []]);
});
