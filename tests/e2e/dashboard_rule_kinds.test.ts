/** What the rules pages show while messages come and when one could not be looked at, and the form of every kind of resource and action. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { jsClient } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { CHROMIUM, needing } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { faults, go, PASSWORD, Surfer, tooWide } from "./dashboard_browser.ts";

interface Param {
  type: string;
  title: string;
  required?: boolean;
}
interface Kind {
  name: string;
  title: { en: string } | string;
  params: Record<string, Param>;
}

/** What a form says of its fields, in order of their names: "Server *", and of what kind the control is where it is no text. */
const fieldsIn = (form: Locator): Promise<string[]> =>
  form.evaluate((box) =>
    [...box.querySelectorAll(".field > label, .field > .check, fieldset > legend")]
      .filter((l) => l.closest(".rule-resource") === null)
      .map((l) => `${l.textContent}${l.matches(".check") && l.querySelector("input[type=checkbox]") ? " (flag)" : ""}`)
      .sort(),
  );

/** As the kind describes them. */
const fieldsOf = ({ params }: Kind): string[] =>
  Object.entries(params)
    .filter(([name]) => name !== "$resource")
    .map(([, p]) => `${p.title}${p.required ? " *" : ""}${p.type === "boolean" ? " (flag)" : ""}`)
    .sort();

needing(CHROMIUM, describe)("rules that run, and kinds", () => {
  let baomq: Installation;
  let broker: RunningBroker;
  let surfer: Surfer;
  let page: Page;
  /** Of the rule that runs. */
  let id = "";
  let client: Awaited<ReturnType<typeof jsClient>>["client"];

  async function api<T>(method: string, path: string, body?: unknown, password = PASSWORD): Promise<T> {
    const answer = await fetch(`http://127.0.0.1:${broker.ports.dashboard}/api/v3/${path}`, {
      method,
      headers: { authorization: `Basic ${btoa(`admin:${password}`)}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const { code, data, message } = (await answer.json()) as { code: number; data: T; message?: string };
    if (code !== 0) throw new Error(`${method} ${path}: ${message}`);
    return data;
  }

  /** Publishes without a pause for as long as it is not there. */
  async function whileMessagesCome(shown: () => Promise<boolean>, what: string): Promise<void> {
    await until(async () => {
      await Promise.all(Array.from({ length: 20 }, () => client.publishAsync("kinds/a", '{"t": 31}', { qos: 1 })));
      return shown();
    }, what);
  }

  beforeAll(async () => {
    baomq = new Installation();
    broker = await baomq.start();
    await api("PUT", "change_pwd/admin", { old_pwd: "public", new_pwd: PASSWORD }, "public");
    await api("PUT", "plugins/emqx_web_hook/load");
    ({ id } = await api<{ id: string }>("POST", "rules", {
      name: "seen",
      rawsql: 'SELECT payload.t AS t FROM "kinds/#" WHERE payload.t > 30',
      actions: [{ name: "built_in:do_nothing", params: {} }],
    }));
    ({ client } = await jsClient(`mqtt://127.0.0.1:${broker.ports.tcp}`, { clientId: "kinds" }));
    surfer = await Surfer.open(broker.ports.dashboard);
    page = await surfer.inside();
  });
  afterAll(async () => {
    client.end(true);
    await surfer.close();
    await broker.stop();
    await baomq.remove();
  });

  test("the list shows how often a second, what failed, and why", async () => {
    await go(page, "rules");
    const rule = page.getByRole("article").filter({ has: page.getByRole("link", { name: "seen" }) });
    const figure = (name: string): Locator =>
      rule
        .locator("dl div")
        .filter({ has: page.locator("dt", { hasText: name }) })
        .locator("dd");
    await rule.getByText("Running").waitFor();
    expect([await figure("Per second").textContent(), await figure("Failed").textContent()]).toEqual(["0", "0"]);
    await client.publishAsync("kinds/a", "no json", { qos: 1 });
    await figure("Failed").getByText("1", { exact: true }).waitFor();
    const errors = await api<{ error: string }[]>("GET", `rules/${id}/errors`);
    expect(errors.map((e) => e.error)).toEqual([(await rule.getByRole("note").locator(".grow").textContent()) ?? ""]);
    await whileMessagesCome(async () => /^[1-9]/.test((await figure("Per second").textContent()) ?? ""), "a rate in the list");
    expect(await faults(page)).toEqual([]);
  });

  test("the picture of a rule has a rate at its lines while messages come", async () => {
    await go(page, `rules/${encodeURIComponent(id)}`);
    const rates = page.locator(".rule-flow .flow-rate");
    await rates.first().waitFor();
    const shown = async (): Promise<boolean> => {
      const texts = await rates.allTextContents();
      return texts.length === 2 && texts.every((text) => /^[1-9][\d.,]*K?\/s$/.test(text));
    };
    await whileMessagesCome(shown, "a rate at both lines");
    expect(await page.locator(".flow-line.moves").count()).toBe(2);
    expect(await page.locator(".rule-flow svg").getAttribute("aria-label")).toMatch(
      /^From kinds\/# through the rule seen [\d.,K]+\/s to .+ [\d.,K]+\/s$/,
    );
    // And none when they do not come any more.
    await until(async () => (await rates.allTextContents()).every((text) => text === "0/s"), "no rate");
    expect(await page.locator(".flow-line.moves").count()).toBe(0);
  });

  test("every kind of resource has a form with all its fields, the required ones marked", async () => {
    const kinds = (await api<Kind[]>("GET", "resource_types")).filter((k) => k.name !== "built_in");
    expect(kinds.length).toBeGreaterThan(10);
    await go(page, "resources");
    await page.getByRole("button", { name: "New resource" }).first().click();
    const dialog = page.locator("dialog[open]");
    const kind = dialog.getByLabel("Kind");
    for (const { name, ...rest } of kinds) {
      await kind.selectOption(name);
      const more = dialog.getByRole("button", { name: /^More options/ });
      if ((await more.count()) > 0) await more.click();
      expect([name, ...(await fieldsIn(dialog.locator(".form.two").nth(1)))]).toEqual([name, ...fieldsOf({ name, ...rest })]);
      const missing = Object.values(rest.params).filter((p) => p.required);
      const said = await dialog.getByText(/^(Still missing: |Tries)/).textContent();
      expect(missing.filter((p) => !said?.includes(p.title))).toEqual([]);
      expect([name, await faults(page), await tooWide(page)]).toEqual([name, [], 0]);
    }
    await dialog.getByRole("button", { name: "Close" }).click();
  });

  test("every kind of action has one, too", async () => {
    const kinds = await api<Kind[]>("GET", "actions");
    expect(kinds.length).toBeGreaterThan(10);
    await go(page, "rules/new");
    for (const { name } of kinds) await page.getByLabel("Add an action…").selectOption(name);
    const cards = page.locator(".rule-action");
    expect(await cards.count()).toBe(kinds.length);
    const found: Record<string, string[]> = {};
    for (const [i, { name }] of kinds.entries()) {
      const more = cards.nth(i).getByRole("button", { name: /^More options/ });
      if ((await more.count()) > 0) await more.click();
      found[name] = await fieldsIn(cards.nth(i));
    }
    // The resource is a field before all others.
    expect(found).toEqual(
      Object.fromEntries(kinds.map((k) => [k.name, [...("$resource" in k.params ? ["Where to"] : []), ...fieldsOf(k)].sort()])),
    );
    expect([await faults(page), await tooWide(page)]).toEqual([[], 0]);
    expect(surfer.problems).toEqual([]);
  });
});
