/** Plugins: run, stop, reload; and the settings of one. */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { NodePlugins, Plugin, PluginConfigRow, PluginTest, PluginTestStep } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface PluginsModel {
  list: Live<NodePlugins[]>;
  /** Names under way. */
  busy: ReadonlySignal<ReadonlySet<string>>;
  toggle(node: string, p: Plugin): Promise<void>;
  reload(node: string, p: Plugin): Promise<void>;
  dispose(): void;
}

export function createPlugins(app: App): PluginsModel {
  const { api, i18n, link, notices } = app;
  const list = createLive(() => api.plugins(), { link, every: 8000 });
  const busy = signal<ReadonlySet<string>>(new Set());
  const act = async (node: string, name: string, action: "load" | "unload" | "reload", done: string): Promise<void> => {
    busy.value = new Set(busy.peek()).add(name);
    await app.act(() => api.pluginAction(node, name, action), done);
    busy.value = new Set([...busy.peek()].filter((n) => n !== name));
    await list.refresh();
  };
  return {
    list,
    busy,
    async toggle(node, p) {
      const { t } = i18n;
      if (!p.active) return act(node, p.name, "load", t("plugins.loaded", { name: p.name }));
      const yes = await notices.ask({
        title: t("plugins.unloadOne", { name: p.name }),
        text: t("plugins.unloadText"),
        yes: t("plugins.unload"),
        danger: true,
      });
      if (yes) await act(node, p.name, "unload", t("plugins.unloaded", { name: p.name }));
    },
    reload: (node, p) => act(node, p.name, "reload", i18n.t("plugins.reloaded", { name: p.name })),
    dispose: () => list.dispose(),
  };
}

export interface PluginConfigModel {
  rows: Live<PluginConfigRow[]>;
  plugin: Live<Plugin | null>;
  /** What the person changed: key → text; "" = back to the default. */
  edits: Signal<Readonly<Record<string, string>>>;
  dirty: ReadonlySignal<boolean>;
  problem: ReadonlySignal<string>;
  value(row: PluginConfigRow): string;
  edit(row: PluginConfigRow, value: string): void;
  save(): Promise<void>;
  /** The settings as they stand on the page, tried without being saved. */
  test: PluginTestModel;
  dispose(): void;
}

export interface PluginTestModel {
  steps: ReadonlySignal<PluginTestStep[] | null>;
  error: ReadonlySignal<ApiError | null>;
  busy: ReadonlySignal<boolean>;
  run(request: Omit<PluginTest, "settings">): Promise<void>;
}

function createPluginTest(app: App, node: string, name: string, edits: Signal<Readonly<Record<string, string>>>): PluginTestModel {
  const steps = signal<PluginTestStep[] | null>(null);
  const error = signal<ApiError | null>(null);
  const busy = signal(false);
  return {
    steps,
    error,
    busy,
    async run(request) {
      busy.value = true;
      error.value = null;
      try {
        steps.value = await app.api.testPlugin(node, name, { ...request, settings: { ...edits.peek() } });
      } catch (e) {
        steps.value = null;
        error.value = asApiError(e);
        app.link.report(error.peek());
      }
      busy.value = false;
    },
  };
}

/** The whole set that is sent: the API replaces, so every set key goes along. */
export function fullSet(rows: readonly PluginConfigRow[], edits: Readonly<Record<string, string>>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const r of rows) {
    const text = edits[r.key] ?? r.value;
    if (text !== "") out[r.key] = text;
  }
  return out;
}

export function createPluginConfig(app: App, node: string, name: string): PluginConfigModel {
  const { api, i18n, link } = app;
  const rows = createLive(() => api.pluginConfig(node, name), { link, every: 0 });
  const plugin = createLive(async () => (await api.plugins()).find((n) => n.node === node)?.plugins.find((p) => p.name === name) ?? null, {
    link,
    every: 8000,
  });
  const edits = signal<Readonly<Record<string, string>>>({});
  const problem = signal("");
  return {
    rows,
    plugin,
    edits,
    problem,
    dirty: computed(() => Object.keys(edits.value).length > 0),
    value: (row) => edits.value[row.key] ?? row.value,
    edit(row, value) {
      const { [row.key]: _, ...rest } = edits.peek();
      edits.value = value === row.value ? rest : { ...rest, [row.key]: value };
    },
    async save() {
      const before = rows.data.peek() ?? [];
      const old = fullSet(before, {});
      const done = await app.act(
        () => api.savePluginConfig(node, name, fullSet(before, edits.peek())),
        i18n.t("plugins.saved"),
        async () => {
          await api.savePluginConfig(node, name, old);
          void rows.refresh();
        },
      );
      if (!done) return;
      edits.value = {};
      void rows.refresh();
    },
    test: createPluginTest(app, node, name, edits),
    dispose() {
      rows.dispose();
      plugin.dispose();
    },
  };
}
