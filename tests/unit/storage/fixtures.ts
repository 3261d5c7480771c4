/** Rows for the tests of the stores, and what the tests ask of an implementation. */
import { expect } from "bun:test";
import { Message } from "../../../server/core/message.ts";
import type { SessionMeta, Store, StoredMessage, StoredSession, StoredSubscription } from "../../../server/core/ports.ts";
import type { PublishProperties, QoS } from "../../../server/mqtt/types.ts";

export interface StoreHarness {
  /** A new, empty store. */
  open(): Store;
  /** Stop cleanly and start again. */
  restart(store: Store): Store;
  /** End without a commit, as kill -9 does, and start again. */
  crash(store: Store): Store;
  /** Rows of the journal in the "file": sessions, subscriptions, deliveries, messages, awaitingRel. */
  counts(store: Store): Counts;
  /** Let every commit fail, or work again. */
  fail(store: Store, on: boolean): void;
}
export interface Counts {
  sessions: number;
  subscriptions: number;
  deliveries: number;
  messages: number;
  awaitingRel: number;
}

export const bytes = (...b: number[]): Uint8Array => new Uint8Array(b);
export const NOW = 1_760_000_000_123;

export function meta(clientId: string, change: Partial<SessionMeta> = {}): SessionMeta {
  return {
    clientId,
    username: null,
    version: 5,
    zone: "external",
    mountpoint: "",
    cleanStart: false,
    isSuper: false,
    ip: "127.0.0.1",
    createdAt: NOW,
    expiry: 0xffffffff,
    disconnectedAt: 0,
    will: null,
    ...change,
  };
}

export function message(topic: string, payload = bytes(1, 2, 3), properties: PublishProperties | null = null, qos: QoS = 1): Message {
  return new Message(topic, payload, qos, false, "publisher", "bob", NOW, NOW + 60_000, properties);
}

export function row(topic: string, payload = bytes(1, 2, 3), properties: PublishProperties | null = null): StoredMessage {
  return { topic, payload, qos: 1, retain: true, from: "p", username: null, timestamp: NOW, expiresAt: 0, properties };
}

export function subscription(filter: string, change: Partial<StoredSubscription> = {}): StoredSubscription {
  return { filter, qos: 1, nl: false, rap: false, rh: 0, subId: 0, ...change };
}

export const ALL_PROPERTIES: PublishProperties = {
  payloadFormat: 1,
  messageExpiry: 60,
  topicAlias: 7,
  responseTopic: "réponse/→",
  correlationData: bytes(0, 255, 128, 10, 0),
  userProperties: [
    ["b", "1"],
    ["a", "2"],
    ["b", ""],
    ["", '"\\\u0001 ❤'],
  ],
  subscriptionIds: [3, 268_435_455],
  contentType: "text/plain",
};

/** The journal's rows as the core would see them, without the ids of storage. */
export function plain(s: StoredSession): unknown {
  return {
    ...s,
    deliveries: s.deliveries.map((d) => {
      const { storeId, ...m } = d.message;
      expect(storeId).toBeGreaterThan(0);
      return { ...d, message: m };
    }),
  };
}

/** What a core does at start: one Message per stored message, its deliveries counted. */
export function revive(sessions: StoredSession[]): Map<StoredMessage, Message> {
  const live = new Map<StoredMessage, Message>();
  for (const { message: m } of sessions.flatMap((s) => s.deliveries)) {
    const known =
      live.get(m) ?? new Message(m.topic, m.payload, m.qos, m.retain, m.from, m.username, m.timestamp, m.expiresAt, m.properties);
    known.storeId = m.storeId as number;
    known.storeRefs++;
    live.set(m, known);
  }
  return live;
}

export function only(store: Store): StoredSession {
  const all = store.sessions.load();
  expect(all).toHaveLength(1);
  return all[0] as StoredSession;
}
