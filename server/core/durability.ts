/**
 * What the journal has, and what may therefore be said. Nothing that promises leaves before the commit of what it promises:
 *
 * | state    | commit                | promises                                                                                          |
 * | -------- | --------------------- | ------------------------------------------------------------------------------------------------- |
 * | works    | at the turn's end     | leave after it; with `storage.sync = always` after the sync that follows it (output.ts)           |
 * | refusing | retried by the clock  | none: what would have to be kept is refused, handshakes that began before wait for the next commit |
 * | serving  | retried by the clock  | leave at once, from memory (`storage.on_error = accept`), until `storage.pending_limit` is reached |
 *
 * How it is refused: MQTT 5 hears Quota exceeded. 3.x has no word for it, and a connection that is closed comes back with the same message at
 * once; so it gets no acknowledgement, and when data can be stored again the connection is closed: the client sends again [MQTT-4.4.0-1].
 */
import { wordsOf } from "../lib/errors.ts";
import { between, later, type MonoMs, NO_MONO, reached } from "../lib/time.ts";
import { PUBACK, PUBREC } from "../mqtt/frame.ts";
import { RC } from "../mqtt/reason_codes.ts";
import type { QoS } from "../mqtt/types.ts";
import type { Broker } from "./broker.ts";
import type { Channel } from "./channel.ts";
import type { Route } from "./route.ts";
import type { Subscription } from "./subscription.ts";

/** A retry writes the whole batch: it may take one part in so many of the time. */
const RETRY_SHARE = 20;
/** Smaller batches tell of what a commit costs by itself, bytes. */
const TELLING = 64 * 1024;
/** The last commit's part in what is expected of the next. */
const PACE_PART = 1 / 8;

export class Durability {
  /** The last commit failed; what was appended since the one before waits in memory. */
  failed = false;
  /** What would have to be kept is refused. Looked at for each QoS 1 and 2 message. */
  refusing = false;
  /** As much waits for the disk as may: nothing more is appended for new messages, whoever publishes them. */
  full = false;
  #retryAt: MonoMs = NO_MONO;
  /** What the last large commits took for a byte, ms; nothing before the first. */
  #pace = 0;
  #refused = 0;
  /** Acknowledgements that wait: type and packet identifier in one number -> reason code. */
  readonly #owed = new Map<Channel, Map<number, number>>();
  /** Whoever was not answered. */
  readonly #unanswered = new Set<Channel>();

  constructor(private readonly broker: Broker) {}

  /** It fails, and promises are made from memory meanwhile. */
  get serving(): boolean {
    return this.failed && this.broker.node.storageOnError === "accept";
  }

  /** How long the commit of what was appended will take, ms, as far as can be told: it is a part of the turn that it ends. */
  get cost(): number {
    const { store } = this.broker;
    return this.failed || !store.pending ? 0 : store.due * this.#pace;
  }

  /** Write what was appended. False = the disk failed just now: promises that wait to be sent must not be. */
  commit(): boolean {
    const { clock, store } = this.broker;
    if (this.failed || !store.pending) return true;
    const { due } = store;
    const began = clock.mono();
    try {
      store.commit();
      if (due >= TELLING) this.#pace += (between(began, clock.mono()) / due - this.#pace) * PACE_PART;
      return true;
    } catch (err) {
      this.#fails(err);
      return this.serving;
    }
  }

  /** Wait until what was committed is on the disk, if anybody who is told of it has to (`storage.sync = always`). */
  syncNow(): void {
    const { store } = this.broker;
    if (this.failed || !store.unsynced) return;
    try {
      store.syncNow();
    } catch (err) {
      this.#fails(err);
    }
  }

  /** Called by the clock. */
  retry(): void {
    if (!this.failed) return;
    const { clock, store } = this.broker;
    const began = clock.mono();
    if (reached(this.#retryAt, began)) {
      try {
        store.commit();
      } catch {
        const ended = clock.mono();
        this.#retryAt = later(ended, between(began, ended) * RETRY_SHARE);
        this.measure();
        return;
      }
      this.#works();
      return;
    }
    this.measure();
  }

  /** Called after each turn, too, while the disk fails. */
  measure(): void {
    if (!this.failed) return;
    const { node, store } = this.broker;
    const refused = this.refusing;
    this.full = store.bytes > node.storagePendingLimit;
    this.refusing = this.full || node.storageOnError === "refuse";
    if (refused && !this.refusing) this.#goOn();
  }

  /** What was not sent because it could not be kept. */
  #goOn(): void {
    const { broker } = this;
    for (const { channel: ch, mqueueLen } of [...broker.sessions.values()])
      if (ch !== null && mqueueLen > 0) broker.guard(ch, () => ch.onRoom());
  }

  #fails(err: unknown): void {
    const { alarms, log, metrics, node } = this.broker;
    this.failed = true;
    this.#refused = 0;
    this.#retryAt = NO_MONO;
    metrics.storageFailures++;
    const then =
      node.storageOnError === "accept"
        ? "service goes on from memory: what is acknowledged now is lost if the process ends"
        : "clients that wait for acknowledgements are disconnected, and what would have to be stored is refused";
    log.error(`data cannot be stored; ${then}`, { error: wordsOf(err) });
    this.measure();
    alarms.set("storage_failed", wordsOf(err));
  }

  #works(): void {
    const { alarms, log } = this.broker;
    this.failed = this.refusing = this.full = false;
    alarms.clear("storage_failed");
    log.warn("data can be stored again", { refused: this.#refused });
    const owed = [...this.#owed];
    const unanswered = [...this.#unanswered];
    this.#owed.clear();
    this.#unanswered.clear();
    for (const [ch, acks] of owed) {
      this.broker.guard(ch, () => {
        for (const [key, code] of acks) ch.sendAck(key >> 16, key & 0xffff, code);
      });
    }
    for (const ch of unanswered) this.broker.guard(ch, () => ch.close(RC.SERVER_BUSY, "storage_failed"));
    this.#goOn();
  }

  // ---- for the handlers

  /**
   * Would a message have to be kept? `ch`: whose it is; clients' are asked for only while `refusing`, or for QoS 0 while `full`.
   * null = the API's, which hears of every refusal: so those of QoS 0 count too.
   */
  mustKeep(ch: Channel | null, route: Route, qos: QoS, retain: boolean): boolean {
    if (qos === 0 && ch !== null) return retain && this.full;
    const session = ch?.session ?? null;
    if (retain || (qos === 2 && session !== null && session.storeKey !== 0)) return true;
    if (this.broker.hooks.ownsTopic(route.topic)) return true;
    const kept = (s: Subscription): boolean => keeps(s, qos);
    if (route.subs.some(kept)) return true;
    return route.shares?.some((g) => g.members.some(kept)) ?? false;
  }

  /** Refuse a message that cannot be kept: nobody gets it. */
  refusePublish(ch: Channel, qos: QoS, packetId: number): void {
    this.#count();
    if (qos === 0) return;
    if (ch.version === 5) ch.sendAck(qos === 1 ? PUBACK : PUBREC, packetId, RC.QUOTA_EXCEEDED);
    else this.#unanswered.add(ch);
  }

  /** A change of a session that is kept cannot be: may it be made? False = refuse it. */
  mayChange(ch: Channel): boolean {
    if (!this.refusing || ch.session === null || ch.session.storeKey === 0) return true;
    this.#count();
    return false;
  }

  /** May this client begin a session, or end one, that outlives its connection? One that is there already goes on. */
  mayOpen(clientId: string, cleanStart: boolean, expiry: number): boolean {
    if (!this.refusing) return true;
    const known = this.broker.sessions.get(clientId);
    const stored = known !== undefined && known.storeKey !== 0;
    if (stored ? !cleanStart && expiry > 0 : expiry === 0) return true;
    this.#count();
    return false;
  }

  /** A 3.x client whose request gets no answer: it asks again when it has been disconnected. */
  leaveUnanswered(ch: Channel): void {
    this.#unanswered.add(ch);
  }

  /** PUBREC, PUBREL or PUBCOMP of a handshake that the journal keeps: the client waits for it while it cannot. */
  acknowledge(ch: Channel, type: number, packetId: number, code: number): void {
    if (!this.refusing || ch.session === null || ch.session.storeKey === 0) {
      ch.sendAck(type, packetId, code);
      return;
    }
    let acks = this.#owed.get(ch);
    if (acks === undefined) {
      acks = new Map();
      this.#owed.set(ch, acks);
    }
    const key = (type << 16) | packetId;
    // The first word counts: a repeated PUBREL finds nothing any more.
    if (!acks.has(key)) acks.set(key, code);
  }

  /** The connection has ended. */
  forget(ch: Channel): void {
    if (!this.failed) return;
    this.#owed.delete(ch);
    this.#unanswered.delete(ch);
  }

  #count(): void {
    this.#refused++;
    this.broker.metrics.storageRefused++;
  }
}

/** Sessions that are kept keep what they get with QoS 1 or 2. */
function keeps({ session, qos: granted }: Subscription, qos: QoS): boolean {
  if (session.storeKey === 0) return false;
  return session.zone.upgradeQos ? granted > 0 || qos > 0 : granted > 0 && qos > 0;
}
