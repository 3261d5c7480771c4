/** Retained messages: browse, show, delete (with undo); and messages waiting for their time. */
import { type Signal, signal } from "@preact/signals";
import type { Delayed, Retained, RetainedMessage } from "../api/client.ts";
import type { App } from "./app.ts";
import { createTable, type TableModel } from "./table.ts";

export interface RetainedModel {
  table: TableModel<Retained>;
  shown: Signal<RetainedMessage | null>;
  show(topic: string): Promise<void>;
  remove(topic: string): Promise<void>;
  removeAll(filter: string): Promise<void>;
  publish(topic: string, payload: string, qos: 0 | 1 | 2): Promise<boolean>;
  dispose(): void;
}

export function createRetained(app: App): RetainedModel {
  const { api, i18n, notices } = app;
  const shown = signal<RetainedMessage | null>(null);
  const table = createTable<Retained>(app, {
    fetch: (q) => api.retained(q),
    filters: { topic: (v) => ({ _like_topic: v }), filter: (v) => ({ _filter: v }) },
    sort: "topic",
  });
  const refresh = (): void => void table.live.refresh();
  return {
    table,
    shown,
    async show(topic) {
      await app.act(async () => {
        shown.value = await api.retainedMessage(topic);
      });
    },
    async remove(topic) {
      // The message is read first: that is what undo publishes again.
      let before: RetainedMessage | null = null;
      await app.act(
        async () => {
          before = await api.retainedMessage(topic);
          await api.deleteRetained(topic);
        },
        i18n.t("retained.deleted", { n: 1 }),
        async () => {
          if (before) {
            const { payload, encoding, qos, properties } = before;
            await api.publish({ topic, payload, encoding, qos, retain: true, ...(properties ? { properties } : {}) });
          }
          refresh();
        },
      );
      if (shown.peek()?.topic === topic) shown.value = null;
      refresh();
    },
    async removeAll(filter) {
      const { t } = i18n;
      const count = table.count.peek();
      if (
        !(await notices.ask({
          title: t("retained.deleteMany", { n: count }),
          text: t("retained.deleteText", { filter }),
          yes: t("action.delete"),
          danger: true,
          typed: filter,
        }))
      )
        return;
      let deleted = 0;
      const ok = await app.act(async () => {
        deleted = (await api.deleteRetainedAll(filter)).deleted;
      });
      if (ok) notices.ok(t("retained.deleted", { n: deleted }));
      refresh();
    },
    async publish(topic, payload, qos) {
      const done = await app.act(() => api.publish({ topic, payload, qos, retain: true }), i18n.t("retained.published", { topic }));
      refresh();
      return done;
    },
    dispose: () => table.dispose(),
  };
}

export interface DelayedModel {
  table: TableModel<Delayed>;
  remove(d: Delayed): Promise<void>;
  send(d: Delayed): Promise<void>;
  dispose(): void;
}

export function createDelayed(app: App): DelayedModel {
  const { api, i18n, notices } = app;
  const table = createTable<Delayed>(app, {
    fetch: (q) => api.delayed(q),
    filters: { topic: (v) => ({ _like_topic: v }) },
    sort: "due_at_ms",
    every: 3000,
  });
  return {
    table,
    async remove(d) {
      const { t } = i18n;
      if (
        !(await notices.ask({
          title: t("delayed.deleteOne", { topic: d.topic }),
          text: t("delayed.deleteText"),
          yes: t("action.delete"),
          danger: true,
        }))
      )
        return;
      await app.act(() => api.deleteDelayed(d.id), t("delayed.deleted"));
      void table.live.refresh();
    },
    async send(d) {
      await app.act(() => api.sendDelayed(d.id), i18n.t("delayed.sent", { topic: d.topic }));
      void table.live.refresh();
    },
    dispose: () => table.dispose(),
  };
}
