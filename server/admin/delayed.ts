/** Messages that wait for their time (`$delayed/…`). */
import type { DelayedRowView, DelayedService } from "../plugins/services.ts";
import type { AdminDeps } from "./deps.ts";
import type { Delayed } from "./extra_rows.ts";
import { FILTERS } from "./filters.ts";
import { fromIterable, type Listed, list, listQuery, type Query, type Table } from "./query.ts";
import { notFound, notRunning } from "./refusals.ts";

const table: Table<DelayedRowView, Delayed> = {
  fields: {
    id: (d) => d.id,
    topic: (d) => d.message.topic,
    qos: (d) => d.message.qos,
    retain: (d) => d.message.retain,
    from: (d) => d.message.from,
    payload_size: (d) => d.message.payloadEnd - d.message.payloadStart,
    due_at_ms: (d) => d.dueAt,
  },
  ...FILTERS.delayed,
};

export function createDelayed({ broker, plugins }: AdminDeps, limits: { maxRows: number }) {
  const running = (): DelayedService | undefined => plugins.service("emqx_delayed_publish");

  function act(id: string, command: (service: DelayedService, id: number) => boolean): void {
    const service = running();
    if (!service) throw notRunning("emqx_delayed_publish");
    const done = /^\d+$/.test(id) && command(service, Number(id));
    broker.flush();
    if (!done) throw notFound();
  }

  return {
    /** Next due first, unless it is to be sorted by something else. */
    list(query: Query): Promise<Listed<Delayed>> {
      const service = running();
      const source = fromIterable(() => service?.list() ?? []);
      const q = listQuery(query, table, limits.maxRows);
      q.sort ??= { get: (d) => d.dueAt, descending: false };
      return list(table, source, service?.count ?? 0, q, () => broker.clock.mono());
    },
    /** @throws AdminError 102 */
    remove: (id: string): void => act(id, (service, n) => service.cancel(n)),
    /** @throws AdminError 102 */
    send: (id: string): void => act(id, (service, n) => service.sendNow(n)),
  };
}
