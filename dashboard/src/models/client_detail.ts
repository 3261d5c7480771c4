/** One client: its connection, session, subscriptions, and its traffic as it happens. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { AclCacheEntry, Connection, Session, Subscription } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface ClientDetail {
  live: Live<{ connection: Connection | null; session: Session | null; subscriptions: Subscription[] }>;
  /** Remembered ACL decisions; empty while it is offline. */
  acl: Live<AclCacheEntry[]>;
  /** Per second, since the page was opened. */
  traffic: ReadonlySignal<{ times: readonly number[]; received: readonly number[]; sent: readonly number[] }>;
  /** Neither connection nor session. */
  gone: ReadonlySignal<boolean>;
  kick(): Promise<void>;
  drop(): Promise<void>;
  subscribe(topic: string, qos: 0 | 1 | 2): Promise<boolean>;
  unsubscribe(s: Subscription): Promise<void>;
  cleanAcl(): Promise<void>;
  dispose(): void;
}

interface Point {
  at: number;
  received: number;
  sent: number;
}

const EVERY_MS = 2000;
const KEEP = 150;

/** The name a subscription was made with: `$share/group/topic`. */
export const fullTopic = (s: Pick<Subscription, "share" | "topic">): string =>
  s.share === "undefined" || s.share === "" ? s.topic : s.share === "$queue" ? `$queue/${s.topic}` : `$share/${s.share}/${s.topic}`;

export function createClientDetail(app: App, id: string): ClientDetail {
  const { api, i18n, notices } = app;
  const points = signal<readonly Point[]>([]);
  const live = createLive(
    async () => {
      const [connection, session, subscriptions] = await Promise.all([api.connection(id), api.session(id), api.clientSubscriptions(id)]);
      return { connection, session, subscriptions };
    },
    { link: app.link, every: EVERY_MS },
  );
  const acl = createLive<AclCacheEntry[]>(() => api.aclCache(id).catch(() => []), { link: app.link, every: 5000 });
  const stop = live.data.subscribe((d) => {
    const c = d?.connection;
    if (c) points.value = [...points.peek(), { at: Date.now(), received: c.recv_msg, sent: c.send_msg }].slice(-KEEP);
  });
  const ask = (title: string, text: string, yes: string): Promise<boolean> => notices.ask({ title, text, yes, danger: true });
  const refresh = (): void => void live.refresh();

  return {
    live,
    acl,
    traffic: computed(() => rates(points.value)),
    gone: computed(() => live.data.value !== undefined && !live.data.value.connection && !live.data.value.session),
    async kick() {
      const { t } = i18n;
      if (!(await ask(t("clients.kickOne", { id }), t("clients.kickText"), t("clients.kick")))) return;
      await app.act(() => api.kick(id), t("clients.kicked", { n: 1 }));
      refresh();
    },
    async drop() {
      const { t } = i18n;
      if (!(await ask(t("sessions.dropOne", { id }), t("sessions.dropText"), t("action.delete")))) return;
      await app.act(() => api.dropSession(id), t("sessions.dropped", { id }));
      refresh();
    },
    async subscribe(topic, qos) {
      const done = await app.act(() => api.subscribe({ client_id: id, topic, qos }), i18n.t("client.subscribed", { topic }));
      refresh();
      return done;
    },
    async unsubscribe(s) {
      const topic = fullTopic(s);
      await app.act(
        () => api.unsubscribe({ client_id: id, topic }),
        i18n.t("client.unsubscribed", { topic }),
        async () => {
          await api.subscribe({ client_id: id, topic, qos: s.qos });
          refresh();
        },
      );
      refresh();
    },
    async cleanAcl() {
      await app.act(() => api.cleanAclCache(id), i18n.t("client.aclCleaned"));
      void acl.refresh();
    },
    dispose() {
      stop();
      live.dispose();
      acl.dispose();
    },
  };
}

/** Counters at moments → rates between them. A counter that falls (reconnected) counts as zero. */
export function rates(points: readonly Point[]): { times: number[]; received: number[]; sent: number[] } {
  const out = { times: [] as number[], received: [] as number[], sent: [] as number[] };
  for (let i = 1; i < points.length; i++) {
    const a = points[i - 1];
    const b = points[i];
    if (!a || !b || b.at <= a.at) continue;
    const seconds = (b.at - a.at) / 1000;
    out.times.push(b.at);
    out.received.push(Math.max(0, b.received - a.received) / seconds);
    out.sent.push(Math.max(0, b.sent - a.sent) / seconds);
  }
  return out;
}
