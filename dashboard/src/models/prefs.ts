/** What a person likes: kept in local storage, never anything secret. */
import { effect, type Signal, signal } from "@preact/signals";

export type ThemeChoice = "system" | "light" | "dark";
export type Lang = "en" | "zh";

export interface Prefs {
  theme: Signal<ThemeChoice>;
  lang: Signal<Lang>;
  /** Table id → visible column ids; absent = the table's own choice. */
  columns: Signal<Readonly<Record<string, readonly string[]>>>;
  /** Rows a page. */
  limit: Signal<number>;
  dispose(): void;
}

export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

interface Saved {
  theme?: ThemeChoice;
  lang?: Lang;
  columns?: Record<string, readonly string[]>;
  limit?: number;
}

const PREFS_KEY = "baomq.prefs";

export function createPrefs(store: Store, browserLang: string): Prefs {
  const saved = load(store);
  const theme = signal<ThemeChoice>(saved.theme ?? "system");
  const lang = signal<Lang>(saved.lang ?? (browserLang.toLowerCase().startsWith("zh") ? "zh" : "en"));
  const columns = signal<Readonly<Record<string, readonly string[]>>>(saved.columns ?? {});
  const limit = signal(saved.limit ?? 50);
  const dispose = effect(() => {
    const now: Saved = { theme: theme.value, lang: lang.value, columns: columns.value, limit: limit.value };
    save(store, now);
  });
  return { theme, lang, columns, limit, dispose };
}

function load(store: Store): Saved {
  try {
    const value: unknown = JSON.parse(store.getItem(PREFS_KEY) ?? "{}");
    return typeof value === "object" && value !== null ? (value as Saved) : {};
  } catch {
    return {};
  }
}

function save(store: Store, value: Saved): void {
  try {
    store.setItem(PREFS_KEY, JSON.stringify(value));
  } catch {
    // Storage full or forbidden: preferences last as long as the tab.
  }
}
