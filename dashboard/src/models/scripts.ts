/** Scripts of emqx_lua_hook: which there are, what they do, what went wrong with one of them. */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { Script, ScriptCommand, ScriptErrorRow } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface ScriptsModel {
  scripts: Live<Script[]>;
  /** Of the one that is looked at; [] = of none. */
  errors: Live<ScriptErrorRow[]>;
  /** Whose errors are shown; null = nobody's. */
  shown: ReadonlySignal<string | null>;
  /** The same once more closes it. */
  show(name: string): void;
  command(script: Script, command: ScriptCommand): Promise<void>;
  dispose(): void;
}

const DONE = {
  load: "scripts.loaded",
  unload: "scripts.unloaded",
  reload: "scripts.reloaded",
  enable: "scripts.enabled",
  disable: "scripts.wasDisabled",
} as const;

export function createScripts(app: App): ScriptsModel {
  const { api, i18n, link, notices } = app;
  const shown = signal<string | null>(null);
  const scripts = createLive(() => api.scripts(), { link, every: 3000 });
  const errors = createLive(async () => (shown.value === null ? [] : await api.scriptErrors(shown.value)), { link, every: 3000 });
  return {
    scripts,
    errors,
    shown,
    show(name) {
      shown.value = shown.value === name ? null : name;
      errors.set([]);
      void errors.refresh();
    },
    async command({ name }, command) {
      const { t } = i18n;
      if (command === "disable") {
        const yes = await notices.ask({
          title: t("scripts.disableOne", { name }),
          text: t("scripts.disableText"),
          yes: t("scripts.disable"),
          danger: true,
        });
        if (!yes) return;
      }
      await app.act(() => api.scriptCommand(name, command), t(DONE[command], { name }));
      void scripts.refresh();
      void errors.refresh();
    },
    dispose() {
      scripts.dispose();
      errors.dispose();
    },
  };
}
