/** The command palette: pages at once, clients and topics from the server while typing. */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { ROUTES } from "../routes.tsx";
import type { App } from "./app.ts";
import { link } from "./router.ts";

export interface Hit {
  kind: "page" | "client" | "topic" | "action";
  text: string;
  href?: string;
  run?: () => void;
}

export interface Palette {
  open: Signal<boolean>;
  query: Signal<string>;
  hits: ReadonlySignal<readonly Hit[]>;
  at: Signal<number>;
  choose(hit: Hit): void;
  dispose(): void;
}

const DELAY_MS = 180;
const FOUND = 6;

export function createPalette(app: App): Palette {
  const open = signal(false);
  const query = signal("");
  const at = signal(0);
  const found = signal<readonly Hit[]>([]);
  let timer: ReturnType<typeof setTimeout>;
  let turn = 0;

  const search = async (text: string): Promise<void> => {
    const mine = ++turn;
    const quiet = { rows: [], count: 0 };
    const [clients, topics] = await Promise.all([
      app.api.connections({ _like_client_id: text, _limit: FOUND }).catch(() => quiet),
      app.api.routes({ _like_topic: text, _limit: FOUND }).catch(() => quiet),
    ]);
    if (mine !== turn) return;
    found.value = [
      ...clients.rows.map((c): Hit => ({ kind: "client", text: c.client_id, href: link("clients", c.client_id) })),
      ...topics.rows.map((r): Hit => ({ kind: "topic", text: r.topic, href: link("topics", { look: r.topic }) })),
    ];
  };
  const stop = query.subscribe((text) => {
    clearTimeout(timer);
    at.value = 0;
    const wanted = text.trim();
    if (wanted === "") {
      turn++;
      found.value = [];
    } else timer = setTimeout(() => void search(wanted), DELAY_MS);
  });

  const fixed = computed<readonly Hit[]>(() => {
    const { t } = app.i18n;
    const pages = ROUTES.map((r): Hit => ({ kind: "page", text: t(r.title), href: link(r.path) }));
    const dark = app.prefs.theme.value === "dark";
    const actions: Hit[] = [
      {
        kind: "action",
        text: t(dark ? "palette.light" : "palette.dark"),
        run: () => {
          app.prefs.theme.value = dark ? "light" : "dark";
        },
      },
      {
        kind: "action",
        text: app.i18n.lang.value === "en" ? "切换到简体中文" : "Switch to English",
        run: () => {
          app.prefs.lang.value = app.i18n.lang.peek() === "en" ? "zh" : "en";
        },
      },
      { kind: "action", text: t("login.out"), run: () => app.session.logout() },
    ];
    return [...pages, ...actions];
  });

  return {
    open,
    query,
    at,
    hits: computed(() => {
      const words = query.value.trim().toLowerCase();
      return [...fixed.value.filter((h) => h.text.toLowerCase().includes(words)), ...found.value];
    }),
    choose(hit) {
      open.value = false;
      query.value = "";
      if (hit.href) app.router.go(hit.href);
      hit.run?.();
    },
    dispose() {
      stop();
      clearTimeout(timer);
    },
  };
}
