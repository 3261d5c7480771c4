/** The topic tree, level by level, and the list of routes. */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { Route, TopicTree } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";
import { createTable, type TableModel } from "./table.ts";

export interface TreeModel {
  root: Live<TopicTree>;
  /** Opened branches: topic → its level, undefined while loading. */
  open: ReadonlySignal<ReadonlyMap<string, TopicTree | undefined>>;
  toggle(topic: string): void;
  dispose(): void;
}

const LIMIT = 500;

export function createTree(app: App): TreeModel {
  const { api, link } = app;
  const open = signal<ReadonlyMap<string, TopicTree | undefined>>(new Map());
  const put = (topic: string, tree: TopicTree | undefined): void => {
    open.value = new Map(open.peek()).set(topic, tree);
  };
  // The open branches are read again together with the root.
  const root = createLive(
    async () => {
      const [top, ...branches] = await Promise.all([
        api.topicTree("", LIMIT),
        ...[...open.peek().keys()].map((topic) => api.topicTree(topic, LIMIT)),
      ]);
      for (const b of branches) if (open.peek().has(b.prefix)) put(b.prefix, b);
      return top;
    },
    { link, every: 5000 },
  );
  return {
    root,
    open,
    toggle(topic) {
      if (open.peek().has(topic)) {
        open.value = new Map([...open.peek()].filter(([t]) => t !== topic && !t.startsWith(`${topic}/`)));
        return;
      }
      put(topic, undefined);
      void app.act(async () => put(topic, { ...(await api.topicTree(topic, LIMIT)), prefix: topic }));
    },
    dispose: () => root.dispose(),
  };
}

export interface RoutesModel {
  table: TableModel<Route>;
  dispose(): void;
}

export function createRoutes(app: App): RoutesModel {
  const table = createTable<Route>(app, { fetch: (q) => app.api.routes(q), filters: { topic: (v) => ({ _like_topic: v }) } });
  return { table, dispose: () => table.dispose() };
}
