/** A headless Chromium on the dashboard of a running broker, and what a person does in it, in few words. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { CHROMIUM } from "../support/peers.ts";
import { PATIENCE_MS } from "../support/until.ts";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const AXE = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
/** Moderate for axe, but two of a kind by one name cannot be told apart by who hears them. */
const GRAVE: ReadonlySet<string> = new Set(["landmark-unique"]);

export const PASSWORD = "a much better one";

export interface Look {
  theme?: "light" | "dark";
  lang?: "en" | "zh";
  width?: number;
}

export class Surfer {
  /** Errors of the page's console and uncaught exceptions; a clean run leaves none. */
  readonly problems: string[] = [];

  private constructor(
    private readonly browser: Browser,
    private readonly base: string,
  ) {}

  static async open(port: number): Promise<Surfer> {
    const executablePath = CHROMIUM.find();
    if (executablePath === null) throw new Error("Chromium is missing");
    return new Surfer(await chromium.launch({ executablePath, args: FLAGS }), `http://127.0.0.1:${port}/`);
  }

  close(): Promise<void> {
    return this.browser.close();
  }

  /** A new person: nothing remembered, at the door. */
  async visit({ theme = "light", lang = "en", width = 1440 }: Look = {}): Promise<Page> {
    const context: BrowserContext = await this.browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: theme,
      locale: lang === "zh" ? "zh-CN" : "en-GB",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    page.on("pageerror", (e) => this.problems.push(`${e.message}`));
    page.on("console", (m) => {
      // A refused request is also told in the console; whether it was expected is for the test to say.
      if (m.type() === "error" && !m.text().includes("Failed to load resource")) this.problems.push(m.text());
    });
    await page.goto(this.base);
    await page.waitForSelector(".login-card");
    return page;
  }

  async login(page: Page, name: string, password: string): Promise<void> {
    await page.fill("input[autocomplete=username]", name);
    await page.fill("input[autocomplete=current-password]", password);
    await page.click("button[type=submit]");
  }

  /** At the door, through it, inside. */
  async inside(look: Look = {}): Promise<Page> {
    const page = await this.visit(look);
    await this.login(page, "admin", PASSWORD);
    await page.waitForSelector(".shell");
    return page;
  }
}

interface AxeResult {
  violations: { id: string; impact: string; nodes: { html: string }[] }[];
}

/** What axe has against the page as it stands, once it does: colours on their way are nobody's. What turns for ever may. */
export async function faults(page: Page): Promise<string[]> {
  await page.waitForFunction(() =>
    document
      .getAnimations()
      .every((a) => a.playState !== "running" || a.effect?.getComputedTiming().iterations === Number.POSITIVE_INFINITY),
  );
  // Evaluated by the debugger, so the page's Content-Security-Policy stays as it is.
  await page.evaluate(AXE);
  const result = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: (o: object) => Promise<AxeResult> } };
    return axe.run({ resultTypes: ["violations"] });
  });
  return result.violations
    .filter((v) => v.impact === "serious" || v.impact === "critical" || GRAVE.has(v.id))
    .map((v) => `${v.id}: ${v.nodes[0]?.html.slice(0, 160)}`);
}

/** Px by which the page is wider than the screen. */
export const tooWide = (page: Page): Promise<number> => page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));

/** As it stands now, on a phone in the dark and on a screen in daylight: nothing wrong for axe, nothing wider than the screen. */
export async function looksWell(page: Page): Promise<void> {
  for (const [width, theme] of [
    [375, "dark"],
    [1440, "light"],
  ] as const) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: theme });
    await page.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, theme);
    expect({ width, faults: await faults(page), wide: await tooWide(page) }).toEqual({ width, faults: [], wide: 0 });
  }
}

export async function go(page: Page, path: string): Promise<void> {
  await page.evaluate((p) => {
    location.hash = `#/${p}`;
  }, path);
  await page.waitForSelector(".page-head h1");
}

/** Press the button of the question that stands open. */
export const agree = (page: Page): Promise<void> => page.click("dialog[open] button[type=submit]");

export const toast = (page: Page, text: string | RegExp): Promise<void> => page.locator(".toast", { hasText: text }).first().waitFor();
