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
  ready: Promise<void>;
  dispose(): void;
}

export function createI18n(wish: Signal<Lang>, load: (lang: Lang) => Promise<Messages> = loadMessages): I18n {
  const messages = signal<{ lang: Lang; texts: Messages }>({ lang: "en", texts: en });
  let done: () => void = () => {};
  const ready = new Promise<void>((r) => {
    done = r;
  });
  const dispose = effect(() => {
    const lang = wish.value;
    if (lang === "en") {
      messages.value = { lang, texts: en };
      done();
    } else
      void load(lang).then((texts) => {
        if (wish.peek() === lang) messages.value = { lang, texts };
        done();
      }, done);
  });
  return {
    lang: computed(() => messages.value.lang),
    t: (key, params) => fill(messages.value.texts[key], params, messages.value.lang),
    ready,
    dispose,
  };
}

const loadMessages = async (lang: Lang): Promise<Messages> => (lang === "zh" ? (await import("../i18n/zh.ts")).zh : en);

export function fill(text: string, params: Params | undefined, lang: Lang): string {
  if (!params) return text;
  const forms = text.split("|");
  const form = forms.length === 2 && params.n !== 1 ? forms[1] : forms[0];
  return (form ?? text).replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    return value === undefined ? whole : typeof value === "number" ? value.toLocaleString(lang) : value;
  });
}
