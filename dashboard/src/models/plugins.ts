/** Plugins: run, stop, reload. */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { NodePlugins, Plugin } from "../api/client.ts";
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

type PluginState = "stopped" | "running" | "connecting" | "degraded" | "down";

/** How it really is: one whose server is down runs and is of no use. */
export function stateOf({ active, status }: Pick<Plugin, "active" | "status">): PluginState {
  if (!active) return "stopped";
  const states = new Set(status?.servers.map((s) => s.state));
  return (["down", "degraded", "connecting"] as const).find((s) => states.has(s)) ?? "running";
}

/** It says of clients whether they may come in, or what they may do: its settings are tried with one. */
export function judgesClients({ name, status }: Pick<Plugin, "name" | "status">): boolean {
  return name.startsWith("emqx_auth_") || (status !== null && (status.authentication !== null || status.acl !== null));
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
