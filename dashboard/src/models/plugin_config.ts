/** The settings of one plugin: where each comes from, changed, taken back, and tried without being saved. */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Plugin, PluginConfigRow, PluginTest, PluginTestStep } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import { belongsTo, isInert, isPattern, keyOf, sent, wayBack, wrongKeys } from "../lib/config_keys.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

/** A key that stands for many, and those there are. */
export interface Family {
  pattern: PluginConfigRow;
  rows: readonly PluginConfigRow[];
}

export interface ConfigParts {
  plain: readonly PluginConfigRow[];
  families: readonly Family[];
  /** Without effect. */
  inert: readonly PluginConfigRow[];
}

export interface PluginConfigModel {
  rows: Live<PluginConfigRow[]>;
  parts: ReadonlySignal<ConfigParts>;
  plugin: Live<Plugin | null>;
  /** What the person changed: key → text; null = it is not to be there. */
  edits: Signal<Readonly<Record<string, string | null>>>;
  dirty: ReadonlySignal<boolean>;
  /** All that was changed is taken over by the running plugin. */
  inPlace: ReadonlySignal<boolean>;
  /** What the server said of values it did not take. */
  wrong: ReadonlySignal<Readonly<Record<string, string>>>;
  value(row: PluginConfigRow): string;
  edit(row: PluginConfigRow, value: string): void;
  /** One more of a family; false = no such name can be given, or it is there. */
  add(pattern: PluginConfigRow, name: string, text?: string): boolean;
  /** One that was added and is not saved yet. */
  isNew(row: PluginConfigRow): boolean;
  /** It is not to be there, at once. */
  remove(row: PluginConfigRow): Promise<void>;
  /** The same, when all is saved. */
  drop(row: PluginConfigRow): void;
  discard(): void;
  save(): Promise<void>;
  /** Back to what the file, or else the default, says. */
  reset(row: PluginConfigRow): Promise<void>;
  resetAll(): Promise<void>;
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

/** `refused`: told of an answer that takes none of the values; true = they are marked where they stand. */
function createPluginTest(
  app: App,
  node: string,
  name: string,
  settings: () => Record<string, string>,
  refused: (error: ApiError, keys: readonly string[]) => boolean,
): PluginTestModel {
  const steps = signal<PluginTestStep[] | null>(null);
  const error = signal<ApiError | null>(null);
  const busy = signal(false);
  return {
    steps,
    error,
    busy,
    async run(request) {
      const given = settings();
      busy.value = true;
      error.value = null;
      try {
        steps.value = await app.api.testPlugin(node, name, { ...request, settings: given });
      } catch (e) {
        steps.value = null;
        const found = asApiError(e);
        app.link.report(found);
        if (!refused(found, Object.keys(given))) error.value = found;
      }
      busy.value = false;
    },
  };
}

export function createPluginConfig(app: App, node: string, name: string): PluginConfigModel {
  const { api, i18n, link, notices } = app;
  const rows = createLive(() => api.pluginConfig(node, name), { link, every: 0 });
  const plugin = createLive(async () => (await api.plugins()).find((n) => n.node === node)?.plugins.find((p) => p.name === name) ?? null, {
    link,
    every: 8000,
  });
  const edits = signal<Readonly<Record<string, string | null>>>({});
  const added = signal<readonly PluginConfigRow[]>([]);
  const wrong = signal<Readonly<Record<string, string>>>({});
  const all = computed(() => [...(rows.data.value ?? []), ...added.value]);
  const parts = computed((): ConfigParts => {
    const patterns = all.value.filter(isPattern);
    const families = patterns.map((pattern) => ({ pattern, rows: all.value.filter((r) => belongsTo(pattern.key, r.key)) }));
    const rest = all.value.filter((r) => !isPattern(r) && !patterns.some((p) => belongsTo(p.key, r.key)));
    return { plain: rest.filter((r) => !isInert(r)), families, inert: rest.filter(isInert) };
  });
  const edited = computed(() => all.value.filter((r) => r.key in edits.value));
  const texts = (): Record<string, string> => Object.fromEntries(edited.peek().map((r) => [r.key, sent(r, edits.peek()[r.key] ?? "")]));
  /** What a file has goes when it is empty, what was set here when it is taken back. */
  const changes = (): Record<string, string | null> => {
    const gone = edited.peek().filter((r) => edits.peek()[r.key] === null && r.origin === "api");
    return { ...texts(), ...Object.fromEntries(gone.map((r) => [r.key, null])) };
  };

  /** `typed`: what stood in the fields. Whoever has typed on meanwhile keeps that. */
  function forget(keys: readonly string[], typed = edits.peek()): void {
    const without = <T>(of: Readonly<Record<string, T>>, isLeft: (key: string) => boolean): Record<string, T> =>
      Object.fromEntries(Object.entries(of).filter(([k]) => !keys.includes(k) || isLeft(k)));
    const now = edits.peek();
    edits.value = without(now, (key) => now[key] !== typed[key]);
    wrong.value = without(wrong.peek(), () => false);
    added.value = added.peek().filter((r) => !keys.includes(r.key));
  }

  /** What is wrong with which of these; false = with none of them. */
  function mark(error: ApiError, keys: readonly string[]): boolean {
    wrong.value = error.kind === "code" ? wrongKeys(error.message, keys) : {};
    return Object.keys(wrong.peek()).length > 0;
  }

  /** Only what is to be another one: the rest stays as the file has it. `of`: as they were, for the way back. */
  async function put(wanted: Record<string, string | null>, of: readonly PluginConfigRow[], done: string): Promise<void> {
    const before = Object.fromEntries(of.map((r) => [r.key, wayBack(r) ?? null]));
    const isLost = of.some((r) => wayBack(r) === undefined);
    const typed = edits.peek();
    try {
      await api.saveSettings(wanted);
      await rows.refresh();
      // Dropped, and a file has something below: that is to be silent, too.
      const below = (rows.data.peek() ?? []).filter((r) => wanted[r.key] === null && typed[r.key] === null && r.value !== "");
      if (below.length > 0) await api.saveSettings(Object.fromEntries(below.map((r) => [r.key, ""])));
    } catch (e) {
      const error = asApiError(e);
      link.report(error);
      if (!mark(error, Object.keys(wanted))) notices.bad(app.explainError(error));
      return;
    }
    await rows.refresh();
    forget(Object.keys(wanted), typed);
    if (of.length === 0 || isLost) return notices.ok(done);
    notices.ok(done, {
      label: i18n.t("action.undo"),
      run: () =>
        void app.act(async () => {
          await api.saveSettings(before);
          await rows.refresh();
        }, i18n.t("done.undone")),
    });
  }

  async function reset(row: PluginConfigRow): Promise<void> {
    await put({ [row.key]: null }, [row], i18n.t("plugins.resetDone", { n: 1 }));
  }

  return {
    rows,
    parts,
    plugin,
    edits,
    wrong,
    dirty: computed(() => Object.keys(edits.value).length > 0),
    inPlace: computed(() => edited.value.every((r) => r.live)),
    value(row) {
      const edit = edits.value[row.key];
      return edit === undefined ? row.value : (edit ?? "");
    },
    edit(row, value) {
      const { [row.key]: _, ...rest } = edits.peek();
      const { [row.key]: __, ...others } = wrong.peek();
      edits.value = value === row.value && !added.peek().includes(row) ? rest : { ...rest, [row.key]: value };
      wrong.value = others;
    },
    add(pattern, given, text = "") {
      const key = keyOf(pattern.key, given);
      if (key === null || all.peek().some((r) => r.key === key)) return false;
      added.value = [...added.peek(), { ...pattern, key, value: "", origin: "default" }];
      edits.value = { ...edits.peek(), [key]: text };
      return true;
    },
    isNew: (row) => added.value.includes(row),
    async remove(row) {
      if (added.peek().includes(row)) forget([row.key]);
      else await reset(row);
    },
    drop(row) {
      if (added.peek().includes(row)) return forget([row.key]);
      const { [row.key]: _, ...others } = wrong.peek();
      edits.value = { ...edits.peek(), [row.key]: null };
      wrong.value = others;
    },
    discard() {
      edits.value = {};
      wrong.value = {};
      added.value = [];
    },
    save: () => put(changes(), edited.peek(), i18n.t("plugins.saved")),
    reset,
    async resetAll() {
      const { t } = i18n;
      const kept = (rows.data.peek() ?? []).filter((r) => !isPattern(r));
      const yes = await notices.ask({
        title: t("plugins.resetAll", { name }),
        text: t("plugins.resetText"),
        yes: t("plugins.toFile"),
        danger: true,
      });
      // All of them: a key that was emptied here is not told from one that nobody set.
      if (yes)
        await put(
          Object.fromEntries(kept.map((r) => [r.key, null])),
          kept.filter((r) => r.origin === "api"),
          t("plugins.resetDone", { n: kept.filter((r) => r.origin === "api").length }),
        );
    },
    test: createPluginTest(app, node, name, texts, mark),
    dispose() {
      rows.dispose();
      plugin.dispose();
    },
  };
}
