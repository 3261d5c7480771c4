/** The route table: distinct topic filters that somebody subscribes to. */
import type { AdminDeps } from "./deps.ts";
import { FILTERS } from "./filters.ts";
import { fromIterable, type Listed, list, listQuery, type Query, rowOf, type Table } from "./query.ts";
import type { Route } from "./rows.ts";

export function createRoutes({ broker }: AdminDeps, limits: { maxRows: number }) {
  const table: Table<string, Route> = {
    fields: { topic: (topic) => topic, node: () => broker.node.nodeName },
    ...FILTERS.routes,
  };

  return {
    list(query: Query): Promise<Listed<Route>> {
      const { topic } = query;
      const one = (t: string): string[] => (broker.router.hasFilter(t) ? [t] : []);
      const source = fromIterable(() => (topic === undefined ? broker.router.topics() : one(topic)));
      return list(table, source, broker.router.size, listQuery(query, table, limits.maxRows), () => broker.clock.mono());
    },

    /** By the exact text of a filter, not by what it would match. */
    lookup(topic: string): Route[] {
      return broker.router.hasFilter(topic) ? [rowOf(table, topic)] : [];
    },
  };
}
