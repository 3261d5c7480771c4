/** The journal of persistent sessions: calls append to the batch and to the redo log; what is taken is the batch's net effect. */
import type { SQLQueryBindings, Statement } from "bun:sqlite";
import type { Message } from "../core/message.ts";
import type { Log, SessionMeta, SessionStore, StoredSession, StoredSubscription } from "../core/ports.ts";
import type { QoS } from "../mqtt/types.ts";
import { packOptions, packWill } from "./codec.ts";
import type { Connection } from "./connection.ts";
import { DeliveryRows } from "./delivery_rows.ts";
import { MessageRows } from "./message_rows.ts";
import { type Owner, type Part, PIECE, type Share } from "./part.ts";
import { RelRows } from "./rel_rows.ts";
import { loadSessions } from "./session_load.ts";
import { DELETE_SESSION, DELETE_SUBSCRIPTION, PUT_SESSION, PUT_SUBSCRIPTION } from "./statements.ts";

/** In place of options: the subscription goes. */
const UNSUBSCRIBE = -1;
/** Memory of a changed subscription and of a changed session, about; what they point to is extra. */
const SUBSCRIPTION_BYTES = 150;
const SESSION_BYTES = 400;

interface SubscriptionChange {
  options: number;
  subId: number;
}

export class SqliteSessions implements SessionStore, Part {
  dirty = false;
  readonly #messages: MessageRows;
  readonly #deliveries: DeliveryRows;
  readonly #rels: RelRows;
  readonly #putSession: Statement<unknown, SQLQueryBindings[]>;
  readonly #removals: Statement<unknown, [number]>[];
  readonly #putSub: Statement<unknown, [number, string, number, number]>;
  readonly #deleteSub: Statement<unknown, [number, string]>;
  #nextKey: number;
  /** Sessions created in this batch have keys from here on: there is nothing in the file to remove. */
  #firstFresh: number;
  #opened = new Map<number, SessionMeta>();
  #removed = new Set<number>();
  /** Session -> filter -> what is to be in the file. */
  #subs = new Map<number, Map<string, SubscriptionChange>>();
  #subBytes = 0;

  constructor(
    private readonly c: Connection,
    private readonly owner: Owner,
    private readonly log: Log,
    private readonly damage: string[],
  ) {
    this.#messages = new MessageRows(c, owner.redo);
    this.#deliveries = new DeliveryRows(c, this.#messages, owner.redo);
    this.#rels = new RelRows(c, owner.redo);
    this.#putSession = c.prepare(PUT_SESSION);
    this.#removals = DELETE_SESSION.map((sql) => c.prepare<unknown, [number]>(sql));
    this.#putSub = c.prepare(PUT_SUBSCRIPTION);
    this.#deleteSub = c.prepare(DELETE_SUBSCRIPTION);
    this.#nextKey = Number(c.value("SELECT coalesce(max(key), 0) FROM sessions")) + 1;
    this.#firstFresh = this.#nextKey;
  }

  load(): StoredSession[] {
    this.owner.settle();
    try {
      return loadSessions(this.c, this.log, this.damage);
    } catch (err) {
      throw this.owner.readError(err);
    }
  }

  open(key: number, meta: SessionMeta): number {
    const k = key > 0 && !this.#removed.has(key) ? key : this.#nextKey++;
    this.#opened.set(k, { ...meta });
    this.owner.redo.open(k, meta);
    this.#touch();
    return k;
  }

  remove(key: number): void {
    this.owner.redo.remove(key);
    this.#opened.delete(key);
    for (const filter of this.#subs.get(key)?.keys() ?? []) this.#subBytes -= subscriptionBytes(filter);
    this.#subs.delete(key);
    this.#removed.add(key);
    this.#touch();
  }

  subscribe(key: number, s: StoredSubscription): void {
    const options = packOptions(s);
    this.owner.redo.subscribe(key, s.filter, options, s.subId);
    this.#subscription(key, s.filter, options, s.subId);
  }

  unsubscribe(key: number, filter: string): void {
    this.owner.redo.unsubscribe(key, filter);
    this.#subscription(key, filter, UNSUBSCRIBE, 0);
  }

  enqueue(key: number, seq: number, message: Message, qos: QoS, packetId: number, subIds: number[] | null, retain: boolean): void {
    this.#deliveries.enqueue(key, seq, message, qos, packetId, subIds, retain);
    this.#touch();
  }

  sent(key: number, seq: number, packetId: number): void {
    if (seq <= 0) return;
    this.#deliveries.sent(key, seq, packetId);
    this.#touch();
  }

  released(key: number, seq: number): void {
    if (seq <= 0) return;
    this.#deliveries.released(key, seq);
    this.#touch();
  }

  done(key: number, seq: number, message: Message): void {
    if (seq <= 0) return;
    this.#deliveries.done(key, seq, message);
    this.#touch();
  }

  awaitRel(key: number, packetId: number, since: number): void {
    this.#rels.awaitRel(key, packetId, since);
    this.#touch();
  }

  relDone(key: number, packetId: number): void {
    this.#rels.relDone(key, packetId);
    this.#touch();
  }

  get bytes(): number {
    const sessions = (this.#opened.size + this.#removed.size) * SESSION_BYTES;
    return sessions + this.#subBytes + this.#messages.bytes + this.#deliveries.bytes + this.#rels.bytes;
  }

  /** Entries of the batch by table; for whoever asks what it holds. */
  get batch(): { deliveries: number; messages: number; awaitingRel: number; subscriptions: number } {
    let subscriptions = 0;
    for (const changes of this.#subs.values()) subscriptions += changes.size;
    return { deliveries: this.#deliveries.size, messages: this.#messages.size, awaitingRel: this.#rels.size, subscriptions };
  }

  take(): Share {
    const { bytes } = this;
    const opened = this.#opened;
    const removed = this.#removed;
    const subs = this.#subs;
    const firstFresh = this.#firstFresh;
    const [messages, deliveries, rels] = [this.#messages.take(), this.#deliveries.take(), this.#rels.take()];
    this.dirty = false;
    this.#firstFresh = this.#nextKey;
    this.#opened = new Map();
    this.#removed = new Set();
    this.#subs = new Map();
    this.#subBytes = 0;
    const sessions = (): Generator<void> => this.#writeSessions(opened, removed, firstFresh);
    const subscriptions = (): Generator<void> => this.#writeSubscriptions(subs);
    return {
      bytes,
      *write() {
        yield* sessions();
        yield* subscriptions();
        yield* messages.inserts();
        yield* deliveries.write(removed);
        yield* messages.deletes();
        yield* rels.write(removed);
      },
    };
  }

  #touch(): void {
    this.dirty = true;
    this.owner.pending = true;
  }

  #subscription(key: number, filter: string, options: number, subId: number): void {
    this.#touch();
    if (this.#removed.has(key)) return;
    let changes = this.#subs.get(key);
    if (changes === undefined) {
      changes = new Map();
      this.#subs.set(key, changes);
    }
    if (!changes.has(filter)) this.#subBytes += subscriptionBytes(filter);
    // There is nothing of a new session's in the file.
    if (options !== UNSUBSCRIBE || key < this.#firstFresh) changes.set(filter, { options, subId });
    else {
      changes.delete(filter);
      this.#subBytes -= subscriptionBytes(filter);
    }
  }

  *#writeSessions(opened: ReadonlyMap<number, SessionMeta>, removed: ReadonlySet<number>, firstFresh: number): Generator<void> {
    let n = 0;
    for (const key of removed) {
      if (key < firstFresh) for (const s of this.#removals) s.run(key);
      if (++n % PIECE === 0) yield;
    }
    for (const [key, meta] of opened) {
      this.#writeSession(key, meta);
      if (++n % PIECE === 0) yield;
    }
  }

  *#writeSubscriptions(subs: ReadonlyMap<number, ReadonlyMap<string, SubscriptionChange>>): Generator<void> {
    let n = 0;
    for (const [key, changes] of subs) {
      for (const [filter, c] of changes) {
        if (c.options === UNSUBSCRIBE) this.#deleteSub.run(key, filter);
        else this.#putSub.run(key, filter, c.options, c.subId);
        if (++n % PIECE === 0) yield;
      }
    }
  }

  #writeSession(key: number, m: SessionMeta): void {
    this.#putSession.run(
      key,
      m.clientId,
      m.username,
      m.version,
      m.zone,
      m.mountpoint,
      m.cleanStart ? 1 : 0,
      m.isSuper ? 1 : 0,
      m.ip,
      m.createdAt,
      m.expiry,
      m.disconnectedAt,
      packWill(m.will),
      m.will?.payload ?? null,
    );
  }
}

function subscriptionBytes(filter: string): number {
  return SUBSCRIPTION_BYTES + 2 * filter.length;
}
