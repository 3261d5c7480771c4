/** What the core asks of the world. Each port has a memory twin in tests/support. */

import type { MonoMs, WallMs } from "../lib/time.ts";
import type { ProtocolVersion, PublishProperties, QoS, WillPacket } from "../mqtt/types.ts";
import type { Message } from "./message.ts";

export interface Clock {
  /** For what is stored or shown. May jump both ways. */
  now(): WallMs;
  /** For every duration. */
  mono(): MonoMs;
}

export interface Log {
  error(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  /** Shown by default. */
  notice(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
}

export interface Random {
  /** [0, 1). */
  next(): number;
  /** `n` random bytes as lower-case hex. */
  hex(n: number): string;
}

/** The socket as the channel sees it. Implemented by the listeners, and by a recorder in tests. */
export interface Transport {
  readonly ip: string;
  readonly port: number;
  /**
   * Hand bytes to the kernel, now. Returns how many were taken (the rest is the caller's to keep until `Channel.onDrain`), -1 when closed.
   * The bytes must have been copied or sent when it returns: the caller reuses the buffer. One that throws counts as closed.
   */
  write(buf: Uint8Array, offset: number, length: number): number;
  /** Close slowly: everything written is sent, then half-close, drain about a second, close. */
  end(): void;
  /** Everything written is sent, and the peer waits for no more and sends no more: close without waiting for it, where that loses nothing. */
  finish(): void;
  /** Close at once. */
  destroy(): void;
  /** Stop and go on reading from the peer. */
  pause(): void;
  resume(): void;
  /** The channel is busy, and reads on only to see the peer leave; `resume` tells that it listens again. For transports whose reading has a price. */
  watch?(): void;
  /** The kernel is to find out whether the peer is still there: it has promised no sign of life. */
  probe(): void;
}

/** What a listener tells the core about a new connection. */
export interface ListenerInfo {
  /** "mqtt:tcp", "mqtt:ssl", "mqtt:ws", "mqtt:wss". */
  readonly protocol: string;
  readonly name: string;
  readonly isWebSocket: boolean;
  /** Name of the zone its clients belong to. */
  readonly zone: string;
  /** What of a client's certificate replaces its user name; "" = nothing. */
  readonly peerCertAsUsername: "cn" | "dn" | "crt" | "";
  /** Reason -> count of connections that ended other than by DISCONNECT. Counted by the core (`Channel`). */
  readonly shutdowns: Map<string, number>;
}

export interface StoredSubscription {
  filter: string;
  qos: QoS;
  nl: boolean;
  rap: boolean;
  rh: 0 | 1 | 2;
  subId: number;
}

export interface StoredMessage {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean;
  from: string;
  username: string | null;
  /** Unix ms. */
  timestamp: number;
  /** Unix ms; 0 = never. */
  expiresAt: number;
  properties: PublishProperties | null;
  /** Set by `SessionStore.load`: what `Message.storeId` of the message made from this must be. */
  storeId?: number;
}

/** queued = not sent; sent = waits for PUBACK/PUBREC; released = PUBREC came, waits for PUBCOMP. */
export type DeliveryState = "queued" | "sent" | "released";

export interface StoredDelivery {
  seq: number;
  qos: QoS;
  state: DeliveryState;
  /** 0 while queued. */
  packetId: number;
  subIds: number[] | null;
  /** One object however many sessions it is queued for: the deliveries that name it are its `Message.storeRefs`. */
  message: StoredMessage;
  retain: boolean;
}

export interface SessionMeta {
  clientId: string;
  username: string | null;
  version: ProtocolVersion;
  zone: string;
  mountpoint: string;
  cleanStart: boolean;
  isSuper: boolean;
  ip: string;
  /** Unix ms. */
  createdAt: number;
  /** Seconds; 0xFFFFFFFF = never. */
  expiry: number;
  /** Unix ms; 0 while connected. */
  disconnectedAt: number;
  will: WillPacket | null;
}

export interface StoredSession {
  key: number;
  meta: SessionMeta;
  subscriptions: StoredSubscription[];
  /** In order of seq. */
  deliveries: StoredDelivery[];
  /** In order of since. */
  awaitingRel: { packetId: number; since: number }[];
}

/**
 * Journal of the persistent sessions (those that outlive their connection). Memory is the truth while running; the journal is
 * read once at start. Calls only append to the write batch; `Store.commit` makes the batch durable in one transaction.
 */
export interface SessionStore {
  load(): StoredSession[];
  /** Create (key 0) or replace the meta data; returns the key for the other calls. A removed session's key is not used again. */
  open(key: number, meta: SessionMeta): number;
  /** Everything of the session goes. Call `done` for each delivery it still holds, before or after: messages are shared. */
  remove(key: number): void;
  subscribe(key: number, s: StoredSubscription): void;
  unsubscribe(key: number, filter: string): void;
  /**
   * Record a delivery; the message itself is written once however many sessions queue it. packetId 0 = queued. `seq` > 0, once per
   * delivery: `sent` moves it on. A `seq` of 0 in the calls below means "not journalled" and is ignored.
   */
  enqueue(key: number, seq: number, message: Message, qos: QoS, packetId: number, subIds: number[] | null, retain: boolean): void;
  /** queued -> sent. */
  sent(key: number, seq: number, packetId: number): void;
  /** sent -> released (PUBREC received). */
  released(key: number, seq: number): void;
  /** Acknowledged, expired or dropped. `message` as given to enqueue. `seq` 0 = it was never in the journal: nothing happens. */
  done(key: number, seq: number, message: Message): void;
  awaitRel(key: number, packetId: number, since: number): void;
  relDone(key: number, packetId: number): void;
}

/** One for each topic; `id`, from 1, is its owner's, who knows the topics: looking for them in the file would cost a page of it for each message. */
export interface RetainedRow {
  id: number;
  message: StoredMessage;
}
export interface RetainedStore {
  /** Sees everything put before, like every `load` here. By id. */
  load(): Iterable<RetainedRow>;
  put(id: number, m: StoredMessage): void;
  delete(id: number): void;
  clear(): void;
}

export interface BannedRow {
  who: string;
  as: "client_id" | "username" | "ip_address";
  reason: string | null;
  desc: string | null;
  by: string | null;
  /** Unix seconds; null = for ever. */
  until: number | null;
}
export interface BannedStore {
  load(): BannedRow[];
  put(row: BannedRow): void;
  delete(as: BannedRow["as"], who: string): void;
}

export interface AppRow {
  appId: string;
  secret: string;
  name: string | null;
  desc: string | null;
  status: boolean;
  /** Unix seconds; null = never. */
  expired: number | null;
}
export interface UserRow {
  username: string;
  /** argon2id in PHC form. */
  passwordHash: string;
  tags: string | null;
}
export interface AccountRow {
  name: string;
  /** "plain", "md5", "sha", "sha256", "argon2id": the kind in force when the row was written. */
  kind: string;
  salt: string;
  hash: string;
}
/** A small table in memory with write-through: look-ups never touch the disk. Rows are keyed by `key(row)`. */
export interface TableStore<Row> {
  get(key: string): Row | undefined;
  put(row: Row): void;
  delete(key: string): boolean;
  all(): Row[];
  readonly size: number;
}

export interface KvStore {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
  delete(key: string): void;
  entries(): [string, string][];
}

export interface DelayedRow {
  id: number;
  /** Unix ms. */
  dueAt: number;
  message: StoredMessage;
}
export interface DelayedStore {
  load(): DelayedRow[];
  put(row: DelayedRow): void;
  delete(id: number): void;
}

/** One-minute points of the main counters and gauges. */
export interface MonitorPoint {
  /** Unix ms, start of the minute. */
  at: number;
  values: Record<string, number>;
}
export interface MonitorStore {
  add(point: MonitorPoint): void;
  /** Oldest first. */
  range(from: number, to: number): MonitorPoint[];
  prune(before: number): void;
}

export interface AlarmRow {
  id: string;
  desc: string;
  /** Unix ms. */
  raisedAt: number;
  clearedAt: number;
}
export interface AlarmStore {
  add(row: AlarmRow): void;
  /** Newest first. */
  history(limit: number): AlarmRow[];
  clear(): void;
}

/** Everything that survives the process, behind one write batch. */
export interface Store {
  readonly sessions: SessionStore;
  readonly retained: RetainedStore;
  readonly banned: BannedStore;
  readonly apps: TableStore<AppRow>;
  readonly users: TableStore<UserRow>;
  accounts(plugin: string): TableStore<AccountRow>;
  kv(namespace: string): KvStore;
  readonly delayed: DelayedStore;
  readonly monitor: MonitorStore;
  readonly alarms: AlarmStore;
  /** True while the batch holds writes. A plain field: read on the hot path. */
  pending: boolean;
  /** Memory that the batch holds, bytes, about: what came and went within it counts nothing. */
  readonly bytes: number;
  /** Of these, what the next commit will write, about. */
  readonly due: number;
  /** Make the batch durable, all of it or nothing; returns when it is with the kernel. Throws when the disk fails. */
  commit(): void;
  /** Of what was committed, something is not on the disk yet, and is to be before anybody is told of it (`always`). A plain field: read with every flush. */
  unsynced: boolean;
  /**
   * Bring what was committed to the disk, off the event loop; one at a time. `done` is called once, in a later turn. false = the disk has failed:
   * all of it is in the batch again, for the next commit.
   */
  sync(done: (onDisk: boolean) => void): void;
  /** Wait until it is there. Throws when the disk fails. */
  syncNow(): void;
  close(): void;
}
