/** Read the whole journal at start: each table once, in key order, merged. Leftovers that nothing refers to are swept. */
import type { Log, SessionMeta, StoredDelivery, StoredMessage, StoredSession, StoredSubscription } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";
import type { ProtocolVersion, QoS } from "../mqtt/types.ts";
import { MESSAGE_COLUMNS, type MessageColumns, readMessage, readSubscription, readWill } from "./codec.ts";
import type { Connection } from "./connection.ts";
import { stateOf } from "./delivery_rows.ts";
import { SESSION_TABLES } from "./statements.ts";

interface SessionColumns {
  key: number;
  client_id: string;
  username: string | null;
  version: number;
  zone: string;
  mountpoint: string;
  clean_start: number;
  is_super: number;
  ip: string;
  created_at: number;
  expiry: number;
  disconnected_at: number;
  will: string | null;
  will_payload: Uint8Array | null;
}
interface DeliveryColumns {
  session: number;
  seq: number;
  message: number;
  flags: number;
  packet_id: number;
  sub_ids: string | null;
}
type SubscriptionColumns = { session: number; filter: string; options: number; sub_id: number };
type RelColumns = { session: number; packet_id: number; since: number };

/** What was found that no session will miss. */
interface Leftovers {
  /** Rows of sessions that are not there. */
  rows: number;
  /** Deliveries whose message is not there. */
  deliveries: number;
  /** Messages that no delivery needs. */
  messages: number;
  /** Older sessions of a client id that has a newer one. */
  sessions: number;
}

/** `damage` gets what should not be: told in the log, too. */
export function loadSessions(c: Connection, log: Log, damage: string[]): StoredSession[] {
  const left: Leftovers = { rows: 0, deliveries: 0, messages: 0, sessions: 0 };
  const sessions = readSessions(c, left);
  readSubscriptions(c, sessions, left);
  readDeliveries(c, sessions, left);
  readRels(c, sessions, left);
  if (left.deliveries > 0) damage.push(`${left.deliveries} queued messages in ${c.file} have no body any more: they were dropped`);
  if (left.rows + left.deliveries + left.messages + left.sessions > 0) sweep(c, log, left, [...sessions.keys()]);
  return [...sessions.values()];
}

function readSessions(c: Connection, left: Leftovers): Map<number, StoredSession> {
  const sessions = new Map<number, StoredSession>();
  const byClient = new Map<string, number>();
  for (const r of c.each<SessionColumns>("SELECT * FROM sessions ORDER BY key")) {
    const older = byClient.get(r.client_id);
    if (older !== undefined) {
      sessions.delete(older);
      left.sessions++;
    }
    byClient.set(r.client_id, r.key);
    sessions.set(r.key, { key: r.key, meta: readMeta(r), subscriptions: [], deliveries: [], awaitingRel: [] });
  }
  return sessions;
}

function readMeta(r: SessionColumns): SessionMeta {
  return {
    clientId: r.client_id,
    username: r.username,
    version: r.version as ProtocolVersion,
    zone: r.zone,
    mountpoint: r.mountpoint,
    cleanStart: r.clean_start !== 0,
    isSuper: r.is_super !== 0,
    ip: r.ip,
    createdAt: r.created_at,
    expiry: r.expiry,
    disconnectedAt: r.disconnected_at,
    will: readWill(r.will, r.will_payload),
  };
}

function readSubscriptions(c: Connection, sessions: Map<number, StoredSession>, left: Leftovers): void {
  let list: StoredSubscription[] | undefined;
  let key = 0;
  for (const r of c.each<SubscriptionColumns>("SELECT session, filter, options, sub_id FROM subscriptions ORDER BY session, filter")) {
    if (r.session !== key) {
      key = r.session;
      list = sessions.get(key)?.subscriptions;
    }
    if (list) list.push(readSubscription(r.filter, r.options, r.sub_id));
    else left.rows++;
  }
}

function readDeliveries(c: Connection, sessions: Map<number, StoredSession>, left: Leftovers): void {
  const messages = new Map<number, StoredMessage>();
  for (const r of c.each<MessageColumns & { id: number }>(`SELECT id, ${MESSAGE_COLUMNS} FROM messages`)) {
    const m = readMessage(r);
    m.storeId = r.id;
    messages.set(r.id, m);
  }
  const used = new Set<number>();
  let list: StoredDelivery[] | undefined;
  let key = 0;
  for (const r of c.each<DeliveryColumns>(
    "SELECT session, seq, message, flags, packet_id, sub_ids FROM deliveries ORDER BY session, seq",
  )) {
    if (r.session !== key) {
      key = r.session;
      list = sessions.get(key)?.deliveries;
    }
    const message = messages.get(r.message);
    if (!list) left.rows++;
    else if (!message) left.deliveries++;
    else {
      used.add(r.message);
      list.push(readDelivery(r, message));
    }
  }
  left.messages = messages.size - used.size;
}

function readDelivery(r: DeliveryColumns, message: StoredMessage): StoredDelivery {
  return {
    seq: r.seq,
    qos: (r.flags & 3) as QoS,
    state: stateOf(r.flags),
    packetId: r.packet_id,
    subIds: r.sub_ids === null ? null : r.sub_ids.split(",").map(Number),
    message,
    retain: (r.flags & 4) !== 0,
  };
}

function readRels(c: Connection, sessions: Map<number, StoredSession>, left: Leftovers): void {
  for (const r of c.each<RelColumns>("SELECT session, packet_id, since FROM awaiting_rel ORDER BY session, since")) {
    const s = sessions.get(r.session);
    if (s) s.awaitingRel.push({ packetId: r.packet_id, since: r.since });
    else left.rows++;
  }
}

function sweep(c: Connection, log: Log, left: Leftovers, keys: number[]): void {
  // A message without deliveries is normal after a crash; the others are not.
  if (left.deliveries > 0) log.error("queued messages without a body were dropped", { count: left.deliveries, file: c.file });
  if (left.rows + left.sessions > 0) log.warn("leftovers of ended sessions were swept", { rows: left.rows, sessions: left.sessions });
  try {
    c.transaction(() => {
      if (left.sessions > 0) {
        const keep = new Set(keys);
        for (const { key } of c.rows<{ key: number }>("SELECT key FROM sessions")) {
          if (!keep.has(key)) c.rows("DELETE FROM sessions WHERE key = ?", key);
        }
      }
      for (const t of SESSION_TABLES) {
        c.exec(`DELETE FROM ${t} WHERE session NOT IN (SELECT key FROM sessions)`);
      }
      c.exec("DELETE FROM deliveries WHERE message NOT IN (SELECT id FROM messages)");
      c.exec("DELETE FROM messages WHERE id NOT IN (SELECT message FROM deliveries)");
    });
  } catch (err) {
    log.warn("leftovers in the database could not be swept", { file: c.file, error: wordsOf(err) });
  }
}
