/** The journal of sessions of the memory twin, and the "disk" its parts write to. See memory_store.ts. */
import type { Message } from "../../server/core/message.ts";
import type {
  AlarmRow,
  DeliveryState,
  SessionMeta,
  SessionStore,
  StoredMessage,
  StoredSession,
  StoredSubscription,
} from "../../server/core/ports.ts";
import type { QoS } from "../../server/mqtt/types.ts";

interface DeliveryRow {
  seq: number;
  qos: QoS;
  state: DeliveryState;
  packetId: number;
  subIds: number[] | null;
  message: number;
  retain: boolean;
}
export interface SessionRow {
  meta: SessionMeta;
  subscriptions: Map<string, StoredSubscription>;
  deliveries: Map<number, DeliveryRow>;
  awaitingRel: Map<number, number>;
}
export type Table = "sessions" | "messages" | "retained" | "banned" | "delayed" | "monitor" | `table:${string}` | `kv:${string}`;

/** What is "on disk": plain tables. Rows are never changed in place once `crash` or `load` may have handed them on. */
export class Disk {
  readonly tables = new Map<Table, Map<string | number, unknown>>();
  alarms: AlarmRow[] = [];

  table<K extends string | number, Row>(name: Table): Map<K, Row> {
    const t = this.tables.get(name) ?? new Map();
    this.tables.set(name, t);
    return t as Map<K, Row>;
  }

  get sessions(): Map<number, SessionRow> {
    return this.table("sessions");
  }

  get messages(): Map<number, StoredMessage> {
    return this.table("messages");
  }
}

/** Shared by the parts of one store. */
export interface Owner {
  readonly disk: Disk;
  /** Append to the batch. */
  add(op: (disk: Disk) => void): void;
  commit(): void;
  /** Note a breach of the port's contract. */
  misuse(what: string): void;
}

export const copyMessage = (m: StoredMessage): StoredMessage => ({
  topic: m.topic,
  payload: m.payload.slice(),
  qos: m.qos,
  retain: m.retain,
  from: m.from,
  username: m.username,
  timestamp: m.timestamp,
  expiresAt: m.expiresAt,
  properties: structuredClone(m.properties),
});

function nextAfter(ids: Iterable<number>): number {
  let max = 0;
  for (const id of ids) max = Math.max(max, id);
  return max + 1;
}

export class MemorySessions implements SessionStore {
  private nextKey: number;
  private nextMessage: number;
  /** Live sessions and deliveries, for the contract checks only. */
  private readonly live = new Map<number, Set<number>>();
  private readonly rels = new Set<string>();

  constructor(private readonly owner: Owner) {
    this.nextKey = nextAfter(owner.disk.sessions.keys());
    this.nextMessage = nextAfter(owner.disk.messages.keys());
    for (const [key, s] of owner.disk.sessions) {
      this.live.set(key, new Set(s.deliveries.keys()));
      for (const id of s.awaitingRel.keys()) this.rels.add(`${key}/${id}`);
    }
  }

  load(): StoredSession[] {
    this.owner.commit();
    const { sessions, messages } = this.owner.disk;
    const objects = new Map<number, StoredMessage>();
    const messageOf = (id: number): StoredMessage => {
      const m = objects.get(id) ?? { ...copyMessage(messages.get(id) as StoredMessage), storeId: id };
      objects.set(id, m);
      return m;
    };
    const out = [...sessions].map(([key, s]) => ({
      key,
      meta: structuredClone(s.meta),
      subscriptions: [...s.subscriptions.values()].map((x) => ({ ...x })),
      deliveries: [...s.deliveries.values()].sort((a, b) => a.seq - b.seq).map((d) => ({ ...d, message: messageOf(d.message) })),
      awaitingRel: [...s.awaitingRel].map(([packetId, since]) => ({ packetId, since })).sort((a, b) => a.since - b.since),
    }));
    for (const id of messages.keys()) if (!objects.has(id)) messages.delete(id);
    return out.sort((a, b) => a.key - b.key);
  }

  open(key: number, meta: SessionMeta): number {
    const k = key !== 0 && this.live.has(key) ? key : this.nextKey++;
    if (key !== 0 && k !== key) this.owner.misuse(`open of the unknown session ${key}`);
    if (!this.live.has(k)) this.live.set(k, new Set());
    const copy = structuredClone(meta);
    this.owner.add((d) => {
      const had = d.sessions.get(k);
      if (had) had.meta = copy;
      else d.sessions.set(k, { meta: copy, subscriptions: new Map(), deliveries: new Map(), awaitingRel: new Map() });
    });
    return k;
  }

  remove(key: number): void {
    if (!this.live.delete(key)) this.owner.misuse(`remove of the unknown session ${key}`);
    for (const r of this.rels) if (r.startsWith(`${key}/`)) this.rels.delete(r);
    this.owner.add((d) => d.sessions.delete(key));
  }

  subscribe(key: number, s: StoredSubscription): void {
    const copy = { ...s };
    this.change(key, (row) => row.subscriptions.set(copy.filter, copy));
  }

  unsubscribe(key: number, filter: string): void {
    this.change(key, (row) => row.subscriptions.delete(filter));
  }

  enqueue(key: number, seq: number, message: Message, qos: QoS, packetId: number, subIds: number[] | null, retain: boolean): void {
    const seqs = this.live.get(key);
    if (seq <= 0) this.owner.misuse(`enqueue of ${key} without a seq`);
    if (seqs?.has(seq)) this.owner.misuse(`second enqueue of ${key}/${seq}`);
    seqs?.add(seq);
    if (message.storeId === 0) {
      const id = this.nextMessage++;
      const copy = copyMessage(message);
      message.storeId = id;
      this.owner.add((d) => d.messages.set(id, copy));
    }
    message.storeRefs++;
    const state: DeliveryState = packetId === 0 ? "queued" : "sent";
    const row: DeliveryRow = { seq, qos, state, packetId, subIds: subIds ? [...subIds] : null, message: message.storeId, retain };
    this.change(key, (s) => s.deliveries.set(seq, row));
  }

  sent(key: number, seq: number, packetId: number): void {
    if (seq <= 0) return;
    this.known(key, seq, "sent");
    this.change(key, (s) => {
      const row = s.deliveries.get(seq);
      if (row) s.deliveries.set(seq, { ...row, state: "sent", packetId });
    });
  }

  released(key: number, seq: number): void {
    if (seq <= 0) return;
    this.known(key, seq, "released");
    this.change(key, (s) => {
      const row = s.deliveries.get(seq);
      if (row) s.deliveries.set(seq, { ...row, state: "released" });
    });
  }

  done(key: number, seq: number, message: Message): void {
    if (seq <= 0) return;
    const seqs = this.live.get(key);
    if (seqs && !seqs.delete(seq)) {
      this.owner.misuse(`done of the unknown delivery ${key}/${seq}`);
      return;
    }
    this.change(key, (s) => s.deliveries.delete(seq));
    if (message.storeId === 0 || --message.storeRefs > 0) return;
    const id = message.storeId;
    message.storeId = 0;
    message.storeRefs = 0;
    this.owner.add((d) => d.messages.delete(id));
  }

  awaitRel(key: number, packetId: number, since: number): void {
    if (this.rels.has(`${key}/${packetId}`)) this.owner.misuse(`second awaitRel of ${key}/${packetId}`);
    this.rels.add(`${key}/${packetId}`);
    this.change(key, (s) => s.awaitingRel.set(packetId, since));
  }

  relDone(key: number, packetId: number): void {
    if (!this.rels.delete(`${key}/${packetId}`)) this.owner.misuse(`relDone of the unknown ${key}/${packetId}`);
    this.change(key, (s) => s.awaitingRel.delete(packetId));
  }

  private known(key: number, seq: number, what: string): void {
    if (!this.live.get(key)?.has(seq)) this.owner.misuse(`${what} of the unknown delivery ${key}/${seq}`);
  }

  private change(key: number, fn: (row: SessionRow) => void): void {
    if (!this.live.has(key)) return;
    this.owner.add((d) => {
      const row = d.sessions.get(key);
      if (row) fn(row);
    });
  }
}
