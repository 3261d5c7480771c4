/** Everything that lives as long as the tab, put together once. Components get it from the context. */
import { effect } from "@preact/signals";
import { type Api, createApi } from "../api/client.ts";
import { type ApiError, asApiError, type Transport } from "../api/transport.ts";
import { createI18n, type I18n, type TextKey } from "./i18n.ts";
import { type Connectivity, createConnectivity } from "./live.ts";
import { createNotices, type Notices } from "./notices.ts";
import { createPrefs, type Prefs, type Store } from "./prefs.ts";
import { createRouter, type Router, type RouterWindow } from "./router.ts";
import { createSession, type Session } from "./session.ts";

export interface App {
  api: Api;
  router: Router;
  prefs: Prefs;
  i18n: I18n;
  session: Session;
  link: Connectivity;
  notices: Notices;
  /** No server behind it. */
  demo: boolean;
  /** Do something and tell how it went; true when it worked. */
  act(work: () => Promise<unknown>, done?: string, undo?: () => Promise<unknown>): Promise<boolean>;
  /** What failed, in the person's language. */
  explainError(e: ApiError): string;
  dispose(): void;
}

export interface AppOptions {
  transport: (authorization: () => string | null) => Transport;
  window: RouterWindow;
  tab: Store;
  device: Store;
  browserLang: string;
  demo: boolean;
}

const CODES: Readonly<Record<number, TextKey>> = {
  103: "error.103",
  104: "error.104",
  105: "error.105",
  106: "error.106",
  112: "error.112",
  113: "error.113",
  114: "error.114",
  115: "error.115",
};

export function createApp(o: AppOptions): App {
  const router = createRouter(o.window);
  const prefs = createPrefs(o.device, o.browserLang);
  const i18n = createI18n(prefs.lang);
  const link = createConnectivity();
  const notices = createNotices();
  const session = createSession({ api: () => api, tab: o.tab, device: o.device });
  const api = createApi(o.transport(session.authorization));
  link.onUnauthorized(() => session.logout(true));

  const explainError = (e: ApiError): string => {
    const { t } = i18n;
    if (e.kind === "network") return t("error.network");
    if (e.kind === "unauthorized") return t("error.unauthorized");
    if (e.kind === "forbidden") return e.message || t("error.forbidden");
    if (e.kind === "http") return t("error.http", { status: String(e.code), message: e.message });
    const known = CODES[e.code];
    // EMQ X 3.1's words before what is really wrong say nothing.
    const text = known ? t(known) : e.message.replace(/^(?:unknown_error|Bad Arguments): /, "");
    return text === "" ? t("error.code", { code: String(e.code) }) : text;
  };

  const app: App = {
    api,
    router,
    prefs,
    i18n,
    session,
    link,
    notices,
    demo: o.demo,
    explainError,
    async act(work, done, undo) {
      try {
        await work();
      } catch (e) {
        const error = asApiError(e);
        link.report(error);
        notices.bad(explainError(error));
        return false;
      }
      if (done) notices.ok(done, undo && { label: i18n.t("action.undo"), run: () => void app.act(undo, i18n.t("done.undone")) });
      return true;
    },
    dispose() {
      for (const part of [router, prefs, i18n]) part.dispose();
    },
  };
  return app;
}

/** Theme on the root element, following the system unless chosen. */
export function applyTheme(app: App, root: HTMLElement, system: MediaQueryList): () => void {
  const set = (): void => {
    const choice = app.prefs.theme.value;
    root.dataset.theme = choice === "dark" || (choice === "system" && system.matches) ? "dark" : "light";
    root.dispatchEvent(new Event("themechange"));
  };
  const stop = effect(set);
  system.addEventListener("change", set);
  return () => {
    stop();
    system.removeEventListener("change", set);
  };
}
