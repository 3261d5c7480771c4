/** Connected clients. */

import type { Channel } from "../core/channel.ts";
import type { Session } from "../core/session.ts";
import type { ClientInfo } from "../core/types.ts";
import { loggedName, loggedTopic } from "../lib/mask.ts";
import { NO_MONO } from "../lib/time.ts";
import { formatLocalTime } from "../lib/time_format.ts";
import type { AdminDeps } from "./deps.ts";
import type { AclCacheEntry } from "./extra_rows.ts";
import { FILTERS } from "./filters.ts";
import { fromIterable, type Listed, list, listQuery, type Query, rowOf, type Table } from "./query.ts";
import { offline } from "./refusals.ts";
import type { Connection } from "./rows.ts";
import { restBetween, Slices } from "./slices.ts";
import { orUndefined } from "./text.ts";

/** A connected client: the three objects its row is read from. */
interface Item {
  client: ClientInfo;
  channel: Channel;
  session: Session;
}

const peercert = ({ client }: Item): string => {
  if (client.cert !== null) return client.cert.dn;
  return client.listener === "mqtt:tcp" ? "nossl" : "undefined";
};

function tableOf(node: string): Table<Item, Connection> {
  return {
    fields: {
      client_id: (c) => c.client.clientId,
      username: (c) => orUndefined(loggedName(c.client.username)),
      node: () => node,
      ipaddress: (c) => c.client.ip,
      port: (c) => c.client.port,
      proto_name: (c) => c.client.protocolName,
      proto_ver: (c) => c.client.version,
      clean_start: (c) => c.client.cleanStart,
      keepalive: (c) => c.client.keepalive,
      connected_at: (c) => formatLocalTime(c.channel.connectedAt),
      is_bridge: (c) => c.client.isBridge,
      zone: (c) => c.client.zone.name,
      peercert,
      is_super: (c) => c.client.isSuper,
      // With a `%u` in it that is a token's name it is shown as the name is.
      mountpoint: ({ client }) => loggedTopic(client.mountpoint, client.username) || "undefined",
      will_topic: (c) => orUndefined(c.channel.will?.topic),
      conn_mod: (c) => (c.channel.listener.isWebSocket ? "emqx_ws_connection" : "emqx_connection"),
      recv_oct: (c) => c.channel.recvOct,
      recv_cnt: (c) => c.channel.recvCnt,
      recv_pkt: (c) => c.channel.recvPkt,
      recv_msg: (c) => c.channel.recvMsg,
      send_oct: (c) => c.channel.out.bytes,
      send_cnt: (c) => c.channel.out.writes,
      send_pkt: (c) => c.channel.sendMsg + c.channel.sendOther,
      send_msg: (c) => c.channel.sendMsg,
      send_pend: (c) => c.channel.sendPend,
      mailbox_len: () => 0,
      heap_size: () => 0,
      reductions: () => 0,
      connected_at_ms: (c) => c.channel.connectedAt,
      listener: (c) => c.client.listener,
      subscriptions_count: (c) => c.session.subscriptionCount,
      inflight_len: (c) => c.session.inflightLen,
      mqueue_len: (c) => c.session.mqueueLen,
    },
    aliases: { ip_address: "ipaddress" },
    ...FILTERS.connections,
  };
}

function itemOf(session: Session | undefined): Item | null {
  const channel = session?.channel;
  if (!session || !channel?.client || !channel.ready) return null;
  return { client: channel.client, channel, session };
}

export interface Kicked {
  kicked: string[];
  not_found: string[];
}

export function createConnections({ broker }: AdminDeps, limits: { maxRows: number }) {
  const table = tableOf(broker.node.nodeName);
  const mono = (): number => broker.clock.mono();

  function* connected(): Generator<Item> {
    for (const session of broker.sessions.values()) {
      const item = itemOf(session);
      if (item) yield item;
    }
  }

  function channelOf(clientId: string): Channel {
    const item = itemOf(broker.sessions.get(clientId));
    if (!item) throw offline("not_found");
    return item.channel;
  }

  return {
    list(query: Query): Promise<Listed<Connection>> {
      const q = listQuery(query, table, limits.maxRows);
      const one = query.client_id;
      // The client id is the table's key: no walk for it.
      const source =
        one === undefined ? fromIterable(connected) : fromIterable(() => [itemOf(broker.sessions.get(one))].filter((c) => c !== null));
      return list(table, source, broker.connections, q, mono);
    },

    lookup(clientId: string): Connection[] {
      const item = itemOf(broker.sessions.get(clientId));
      return item ? [rowOf(table, item)] : [];
    },

    /** Every connection of a user name. There is no index by user name (it would cost memory in every node): a walk in slices. */
    async byUsername(username: string): Promise<Connection[]> {
      const source = fromIterable(function* () {
        // By the name itself: one that is a token is shown cut.
        for (const item of connected()) yield orUndefined(item.client.username) === username ? item : null;
      });
      const found = await list(table, source, 0, listQuery({}, table, Number.MAX_SAFE_INTEGER), mono);
      return found.rows;
    },

    /** @throws AdminError 112 when not connected. */
    kick(clientId: string): void {
      const done = broker.kick(clientId);
      broker.flush();
      if (!done) throw offline("not_found");
    },

    async kickAll(clientIds: readonly string[]): Promise<Kicked> {
      const slices = new Slices(() => broker.clock.mono());
      const result: Kicked = { kicked: [], not_found: [] };
      for (const id of clientIds) {
        (broker.kick(id) ? result.kicked : result.not_found).push(id);
        if (slices.over()) await restBetween(broker, slices);
      }
      broker.flush();
      return result;
    },

    /** Forget what is cached of a topic, or everything. @throws AdminError 112 when not connected. */
    cleanAclCache(clientId: string, topic?: string): void {
      const channel = channelOf(clientId);
      if (topic === undefined) channel.aclCache?.clear();
      else channel.aclCache?.drop(topic);
      // The channel remembers the verdict of its last topic outside the cache, and plugins the rules behind the verdicts.
      channel.allowedUntil = NO_MONO;
      const client = channel.client as ClientInfo;
      client.aclGeneration = (client.aclGeneration ?? 0) + 1;
    },

    /** @throws AdminError 112 when not connected. */
    aclCache(clientId: string): AclCacheEntry[] {
      const channel = channelOf(clientId);
      const ttl = channel.client?.zone.aclCacheTtlMs ?? 0;
      const rows = channel.aclCache?.list(broker.clock.mono(), ttl) ?? [];
      return rows.map((r) => ({ topic: r.topic, action: r.action, verdict: r.verdict, age_ms: r.age }));
    },
  };
}
