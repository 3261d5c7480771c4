import { effect } from "@preact/signals";
import { render } from "preact";
import { createHttpTransport } from "./api/http.ts";
import type { Transport } from "./api/transport.ts";
import { Root } from "./app.tsx";
import { applyTheme, createApp } from "./models/app.ts";
import "./styles/index.css";

async function start(): Promise<void> {
  const demo = new URLSearchParams(location.search).has("demo");
  let transport: ((authorization: () => string | null) => Transport) | null = null;
  if (demo) {
    const { createFakeBroker } = await import("./api/fake.ts");
    const broker = createFakeBroker({ live: true, defaultPassword: location.search.includes("first") });
    transport = (authorization) => broker.transport(authorization);
  }
  const app = createApp({
    transport: transport ?? ((authorization) => createHttpTransport({ base: "/api/v3", authorization })),
    window,
    tab: sessionStorage,
    device: localStorage,
    browserLang: navigator.language,
    demo,
  });
  applyTheme(app, document.documentElement, matchMedia("(prefers-color-scheme: dark)"));
  effect(() => {
    document.documentElement.lang = app.i18n.lang.value === "zh" ? "zh-CN" : "en";
  });
  const hidden = (): void => {
    app.link.hidden.value = document.visibilityState === "hidden";
  };
  document.addEventListener("visibilitychange", hidden);
  hidden();

  const root = document.getElementById("app");
  if (!root) return;
  await app.i18n.ready;
  render(<Root app={app} />, root);
  await resume(app);
}

const RETRY_MS = 3000;

/** The broker may be restarting just now: keep asking, do not throw the session away. */
async function resume(app: ReturnType<typeof createApp>): Promise<void> {
  for (;;) {
    try {
      await app.session.resume();
      return;
    } catch {
      await new Promise((r) => setTimeout(r, RETRY_MS));
    }
  }
}

void start();
