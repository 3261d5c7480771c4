/** Texts in the chosen language. English is in the first load, others come on demand. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { en, type Messages, type TextKey } from "../i18n/en.ts";
import type { Lang } from "./prefs.ts";

export type { TextKey } from "../i18n/en.ts";
export type Params = Readonly<Record<string, string | number>>;

export interface I18n {
  /** The language whose texts are shown (follows the wish once they are loaded). */
  lang: ReadonlySignal<Lang>;
  /**
   * Text of a key with `{name}` filled in. A text "{n} client|{n} clients" is chosen by `n`; numbers are grouped.
   * Reads signals: a component that calls it is drawn anew when the language changes.
   */
  t(key: TextKey, params?: Params): string;
  /** What the API says in English of kinds of actions and resources and of events; as it came where nobody has translated it. */
  said(text: string): string;
  ready: Promise<void>;
  dispose(): void;
}

interface Language {
  texts: Messages;
  /** English of the API -> this language. */
  said: ReadonlyMap<string, string>;
}

const ENGLISH: Language = { texts: en, said: new Map() };

export function createI18n(wish: Signal<Lang>, load: (lang: Lang) => Promise<Language> = loadLanguage): I18n {
  const shown = signal<Language & { lang: Lang }>({ lang: "en", ...ENGLISH });
  let done: () => void = () => {};
  const ready = new Promise<void>((r) => {
    done = r;
  });
  const dispose = effect(() => {
    const lang = wish.value;
    if (lang === "en") {
      shown.value = { lang, ...ENGLISH };
      done();
    } else
      void load(lang).then((loaded) => {
        if (wish.peek() === lang) shown.value = { lang, ...loaded };
        done();
      }, done);
  });
  return {
    lang: computed(() => shown.value.lang),
    t: (key, params) => fill(shown.value.texts[key], params, shown.value.lang),
    said: (text) => shown.value.said.get(text) ?? text,
    ready,
    dispose,
  };
}

async function loadLanguage(lang: Lang): Promise<Language> {
  if (lang === "en") return ENGLISH;
  const { zh, said } = await import("../i18n/zh.ts");
  return { texts: zh, said };
}

export function fill(text: string, params: Params | undefined, lang: Lang): string {
  if (!params) return text;
  const forms = text.split("|");
  const form = forms.length === 2 && params.n !== 1 ? forms[1] : forms[0];
  return (form ?? text).replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    return value === undefined ? whole : typeof value === "number" ? value.toLocaleString(lang) : value;
  });
}
