/** Every configuration key: its value, where the value comes from, and changing it (kept over restarts, with undo). */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Setting } from "../api/client.ts";
import { asApiError } from "../api/transport.ts";
import { wayBack } from "../lib/config_keys.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface SettingsModel {
  list: Live<Setting[]>;
  /** Filtered by the address (`q`, `show`), grouped by the first part of the key. */
  groups: ReadonlySignal<readonly (readonly [string, readonly Setting[]])[]>;
  /** Keys that act after a restart only and were changed in this visit. */
  waiting: ReadonlySignal<ReadonlySet<string>>;
  /** null = done, else what was wrong with the value. */
  save(s: Setting, value: string | null): Promise<string | null>;
  dispose(): void;
}

export type Show = "all" | "changed" | "live";

/** "mqtt.max_packet_size" → "mqtt"; "zone.external.x" → "zone.external"; a key of one part → "general". */
export function groupOf(key: string): string {
  const parts = key.split(".");
  if (parts.length === 1) return "general";
  const [first, second, third] = parts;
  if ((first === "zone" || first === "listener") && second && third)
    return first === "listener" && parts.length > 3 ? `listener.${second}.${third}` : `${first}.${second}`;
  return first ?? key;
}

function groupSettings(all: readonly Setting[], q: string, show: Show): (readonly [string, readonly Setting[]])[] {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, Setting[]>();
  for (const s of all) {
    const text = `${s.key} ${s.doc}`.toLowerCase();
    if (!words.every((w) => text.includes(w))) continue;
    if (show === "changed" && s.origin === "default") continue;
    if (show === "live" && !s.live) continue;
    const name = groupOf(s.key);
    const group = groups.get(name);
    if (group) group.push(s);
    else groups.set(name, [s]);
  }
  return [...groups];
}

export function createSettings(app: App): SettingsModel {
  const { api, i18n, link, notices, router } = app;
  const list = createLive(() => api.settings(), { link, every: 30_000 });
  const waiting = signal<ReadonlySet<string>>(new Set());
  const put = async (key: string, value: string | null): Promise<void> => {
    const done = await api.saveSettings({ [key]: value });
    if (done.restart.length > 0) waiting.value = new Set([...waiting.peek(), ...done.restart]);
    await list.refresh();
  };
  return {
    list,
    waiting,
    groups: computed(() => {
      const { q = "", show = "all" } = router.place.value.query;
      return groupSettings(list.data.value ?? [], q, show as Show);
    }),
    async save(s, value) {
      const before = wayBack(s);
      try {
        await put(s.key, value);
      } catch (e) {
        const error = asApiError(e);
        link.report(error);
        return error.kind === "code" ? error.message : app.explainError(error);
      }
      const undo = { label: i18n.t("action.undo"), run: () => void app.act(() => put(s.key, before ?? null), i18n.t("done.undone")) };
      notices.ok(
        i18n.t(waiting.peek().has(s.key) ? "settings.savedRestart" : "settings.saved", { key: s.key }),
        before === undefined ? undefined : undo,
      );
      return null;
    },
    dispose: () => list.dispose(),
  };
}
