/** Sessions, those of absent clients included. */
import type { Session as CoreSession } from "../core/session.ts";
import { loggedName } from "../lib/mask.ts";
import { formatLocalTime } from "../lib/time_format.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import { FILTERS } from "./filters.ts";
import { fromIterable, type Listed, list, listQuery, type Query, rowOf, type Table } from "./query.ts";
import { notFound } from "./refusals.ts";
import type { Session } from "./rows.ts";
import { orUndefined } from "./text.ts";

function tableOf(node: string): Table<CoreSession, Session> {
  return {
    fields: {
      client_id: (s) => s.clientId,
      node: () => node,
      username: (s) => orUndefined(loggedName(s.username)),
      clean_start: (s) => s.cleanStart,
      binding: () => "local",
      created_at: (s) => formatLocalTime(s.createdAt),
      expiry_interval: (s) => s.expiry,
      subscriptions_count: (s) => s.subscriptionCount,
      max_subscriptions: (s) => s.zone.maxSubscriptions,
      inflight_len: (s) => s.inflightLen,
      max_inflight: (s) => s.maxInflight,
      mqueue_len: (s) => s.mqueueLen,
      max_mqueue: (s) => s.maxMqueue,
      mqueue_dropped: (s) => s.mqueueDropped,
      awaiting_rel_len: (s) => s.awaitingRelLen,
      max_awaiting_rel: (s) => s.maxAwaitingRel,
      deliver_msg: (s) => s.deliverCount,
      enqueue_msg: (s) => s.enqueueCount,
      mailbox_len: () => 0,
      heap_size: () => 0,
      reductions: () => 0,
      connected: (s) => s.channel !== null,
      created_at_ms: (s) => s.createdAt,
      disconnected_at_ms: (s) => s.disconnectedAt,
    },
    ...FILTERS.sessions,
  };
}

export function createSessions({ broker }: AdminDeps, limits: { maxRows: number }) {
  const table = tableOf(broker.node.nodeName);
  const known = (clientId: string): CoreSession[] => {
    const session = broker.sessions.get(clientId);
    return session ? [session] : [];
  };

  return {
    list(query: Query): Promise<Listed<Session>> {
      const one = query.client_id;
      const source = fromIterable(() => (one === undefined ? broker.sessions.values() : known(one)));
      return list(table, source, broker.sessions.size, listQuery(query, table, limits.maxRows), () => broker.clock.mono());
    },

    lookup(clientId: string): Session[] {
      return known(clientId).map((s) => rowOf(table, s));
    },

    /** Throw away the session of an absent client. @throws AdminError 102 */
    remove(clientId: string): void {
      const session = broker.sessions.get(clientId);
      if (!session) throw notFound();
      if (session.channel !== null) throw new AdminError(CODE.UNKNOWN, "running_session");
      broker.dropSession(clientId);
      broker.flush();
    },
  };
}
