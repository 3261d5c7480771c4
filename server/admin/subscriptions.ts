/** Subscriptions: one row for each session and filter. */
import type { Subscription as CoreSubscription } from "../core/subscription.ts";
import type { AdminDeps } from "./deps.ts";
import { FILTERS } from "./filters.ts";
import { fromIterable, type Listed, list, listQuery, type Query, SKIP_STRIDE, type Source, type Table } from "./query.ts";
import type { Subscription } from "./rows.ts";

function tableOf(node: string): Table<CoreSubscription, Subscription> {
  return {
    fields: {
      client_id: (s) => s.session.clientId,
      node: () => node,
      topic: (s) => s.filter,
      qos: (s) => s.qos,
      share: (s) => s.group ?? "undefined",
      nl: (s) => s.nl,
      rap: (s) => s.rap,
      rh: (s) => s.rh,
      sub_id: (s) => s.subId,
    },
    ...FILTERS.subscriptions,
  };
}

export function createSubscriptions({ broker }: AdminDeps, limits: { maxRows: number }) {
  const table = tableOf(broker.node.nodeName);

  /** Whole sessions are skipped by their count, so that a late page does not walk every row before it. */
  function* all(skip: number): Generator<CoreSubscription | null> {
    let skipped = 0;
    for (const session of broker.sessions.values()) {
      if (skip >= session.subscriptionCount) {
        skip -= session.subscriptionCount;
        if (++skipped % SKIP_STRIDE === 0) yield null;
        continue;
      }
      for (const s of session.subscriptions()) {
        if (skip > 0) skip--;
        else yield s;
      }
    }
  }

  /** Without those of in-process subscribers (event streams, plugins): no client has them. */
  function count(): number {
    let n = broker.router.subscriptionCount;
    for (const s of broker.virtualSessions) n -= s.subscriptionCount;
    return n;
  }

  function* ofFilter(filter: string): Generator<CoreSubscription> {
    for (const s of broker.router.subscribersOf(filter)) if (s.session.receive === null) yield s;
  }

  const of = (clientId: string): Iterable<CoreSubscription> => broker.sessions.get(clientId)?.subscriptions() ?? [];

  return {
    list(query: Query): Promise<Listed<Subscription>> {
      const { client_id: clientId, topic } = query;
      let source: Source<CoreSubscription> = all;
      if (clientId !== undefined) source = fromIterable(() => of(clientId));
      else if (topic !== undefined) source = fromIterable(() => ofFilter(topic));
      const q = listQuery(query, table, limits.maxRows);
      return list(table, source, count(), q, () => broker.clock.mono());
    },

    /** All of one client; it may have very many. */
    async lookup(clientId: string): Promise<Subscription[]> {
      const all = { page: 1, limit: Number.MAX_SAFE_INTEGER, filters: [], sort: null };
      return (
        await list(
          table,
          fromIterable(() => of(clientId)),
          0,
          all,
          () => broker.clock.mono(),
        )
      ).rows;
    },
  };
}
