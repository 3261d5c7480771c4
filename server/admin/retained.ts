/** Retained messages; there are none while the retainer does not run. */
import type { Message } from "../core/message.ts";
import { validTopicFilter } from "../mqtt/topic.ts";
import type { RetainerService } from "../plugins/services.ts";
import type { AdminDeps } from "./deps.ts";
import type { Retained, RetainedMessage } from "./extra_rows.ts";
import { FILTERS } from "./filters.ts";
import { encodePayload, showProperties, type WantedEncoding } from "./payload.ts";
import { fromIterable, type Listed, list, listQuery, type Query, rowOf, type Table } from "./query.ts";
import { badTopic, notFound, notRunning } from "./refusals.ts";
import { restBetween, Slices } from "./slices.ts";

const table: Table<Message, Retained> = {
  fields: {
    topic: (m) => m.topic,
    qos: (m) => m.qos,
    payload_size: (m) => m.payloadEnd - m.payloadStart,
    from: (m) => m.from,
    ts_ms: (m) => m.timestamp,
    expires_at_ms: (m) => m.expiresAt,
  },
  ...FILTERS.retained,
};

export function createRetained({ broker, plugins }: AdminDeps, limits: { maxRows: number }) {
  const running = (): RetainerService | undefined => plugins.service("emqx_retainer");

  function service(): RetainerService {
    const retainer = running();
    if (!retainer) throw notRunning("emqx_retainer");
    return retainer;
  }

  const filterOf = (text: string): string => {
    if (!validTopicFilter(text)) throw badTopic();
    return text;
  };

  return {
    /** In order of storing, unless it is to be sorted. @throws AdminError 108, 115 */
    list(query: Query): Promise<Listed<Retained>> {
      const q = listQuery(query, table, limits.maxRows);
      const retainer = running();
      const filter = query._filter === undefined ? undefined : filterOf(query._filter);
      // The retainer selects by it; here it makes that they are counted.
      if (filter !== undefined) q.filters.push({ matches: () => true });
      const source = fromIterable<Message>(() => retainer?.messages(filter) ?? []);
      return list(table, source, retainer?.count ?? 0, q, () => broker.clock.mono());
    },

    /** @throws AdminError 102 */
    lookup(topic: string, encoding: WantedEncoding): RetainedMessage {
      const m = service().get(topic);
      if (!m) throw notFound();
      const properties = showProperties(m.properties);
      return { ...rowOf(table, m), ...encodePayload(m.payload, encoding), ...(properties && { properties }) };
    },

    /** @throws AdminError 102 */
    remove(topic: string): void {
      const done = service().delete(topic);
      broker.flush();
      if (!done) throw notFound();
    },

    /** Everything a topic filter selects, in slices; what is retained meanwhile may stay. Returns how many. @throws AdminError 102, 115 */
    async removeMatching(filter: string): Promise<number> {
      const slices = new Slices(() => broker.clock.mono());
      const rest = (): Promise<void> => restBetween(broker, slices);
      const deleted = await service().deleteMatching(filterOf(filter), { due: () => slices.due(), rest });
      broker.flush();
      return deleted;
    },
  };
}
