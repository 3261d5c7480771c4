/** Retained messages (section 3.3.1.3 of MQTT 5.0) as the plugin emqx_retainer of EMQ X 3.1. */
import { Message } from "../../core/message.ts";
import { bytes, type Entry as ConfigEntry, duration, integer, oneOf } from "../../lib/config_entry.ts";
import { loggedName, loggedTopic } from "../../lib/mask.ts";
import { between, later } from "../../lib/time.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { topicMatches } from "../../mqtt/topic.ts";
import { definePlugin, ownCopy, type Pauses, type PluginContext, type RetainerService } from "../plugin.ts";
import { type Entry, isOwn, RetainedIndex } from "./retained_index.ts";
import { RetainedSender } from "./sender.ts";

/** 3.1's type "integer, duration": a bare number is in milliseconds. */
function lenientDuration(def: string, doc: string): ConfigEntry<number> {
  const entry = duration(def, doc);
  return { ...entry, parse: (text) => (/^\s*\d+\s*$/.test(text) ? Number(text) : entry.parse(text)) };
}

const config = {
  "retainer.storage_type": oneOf(
    ["ram", "disc", "disc_only"],
    "disc",
    "Where retained messages live: ram = in memory only, lost at a restart; disc = in memory and on disk (disc_only is the same here).",
  ),
  "retainer.max_retained_messages": integer(
    0,
    "Most topics that may have a retained message, the broker's own under $SYS not counted; 0 = no limit.",
  ),
  "retainer.max_retained_bytes": bytes(
    "0",
    "Most memory that retained messages may take; beyond it messages are delivered, but not retained. 0 = no limit but the node's.",
    { required: false },
  ),
  "retainer.max_payload_size": bytes("1MB", "A message with a larger payload is delivered, but not retained."),
  "retainer.expiry_interval": lenientDuration(
    "0",
    "Age at which retained messages are dropped; 0 = never. A message's own expiry (MQTT 5) goes before; the broker's own under $SYS never expire.",
  ),
};

/** Last of all publish hooks: what the others have made of the message is kept. */
const PRIORITY = -100;
const SWEEP_MS = 1000;
const SWEEP_ENTRIES = 10_000;
const WARN_EVERY_MS = 60_000;
/** For finding messages level by level, which is one piece; beyond it all of them are looked at, in order and with rests. */
const BUDGET = { found: 2000, visited: 10_000 };
/** So much is written to the disk in one turn, when memory alone has had it: there may be millions. */
const MOVED = { messages: 500, bytes: 1024 * 1024 };
/** So long the disk goes on having them when memory alone is to: the change may still be taken back, or lost in a crash. */
const LEAVE_MS = 5000;
/** Messages that do not fit, between two moments to look at the clock. */
const STRIDE = 64;

export const retainer = definePlugin({
  name: "emqx_retainer",
  description: "EMQ X Retainer",
  version: "v3.1.0",
  activeByDefault: true,
  // Whoever reads slowly is still to get what he subscribed to before, and what is published meanwhile is to be kept.
  inPlace: true,
  config,
  liveKeys: {
    "retainer.expiry_interval": "integer, duration",
    "retainer.max_payload_size": "bytesize",
    "retainer.max_retained_messages": "integer",
  },
  start(ctx) {
    const store = new RetainedMessages(ctx);
    const sender = new RetainedSender({ index: store.index, broker: ctx.broker, after: ctx.after, fresh: (e) => store.fresh(e) });
    ctx.hook(
      "message.publish",
      (m) => {
        store.keep(m);
        return m;
      },
      { priority: PRIORITY, retained: true },
    );
    ctx.hook("session.subscribed", (clientId, filter, options, isNew) => {
      if (options.rh === 2 || (options.rh === 1 && !isNew) || isShared(filter)) return;
      sender.send(clientId, filter, options);
    });
    ctx.hook("session.unsubscribed", (clientId, filter) => sender.cancel(clientId, filter));
    ctx.changed(() => store.settle());
    ctx.every(SWEEP_MS, () => store.sweep());
    ctx.broker.setRetained({ count: () => store.count, bytes: () => store.index.bytes });
    ctx.closing(() => {
      store.closed = true;
      sender.close();
      ctx.broker.setRetained(null);
    });
    // Before that: it takes messages until it has come to its end.
    ctx.closing(() => store.finishMove());
    return store;
  },
});

/** Shared subscriptions get no retained messages (4.8.2 of MQTT 5.0). */
function isShared(filter: string): boolean {
  return filter.startsWith("$share/") || filter.startsWith("$queue/");
}

class RetainedMessages implements RetainerService {
  readonly index = new RetainedIndex();
  max = 0;
  /** The highest number of a row there has been. */
  private lastRow = 0;
  /** The plugin has been unloaded: its rows in the store may be a successor's already. */
  closed = false;
  private disc: boolean;
  private cursor: Iterator<Entry> | null = null;
  /** What is still to be written, since it is to be on disk from now on. */
  private moving: Generator<Entry, void> | null = null;
  /** Memory alone is to have them, and will soon. Cancels that. */
  private leaving: (() => void) | null = null;
  private warnedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly ctx: PluginContext<typeof config>) {
    this.disc = this.isForDisc();
    const stored = ctx.store.retained;
    // What memory alone holds ends with it; old rows would come back as if they were news.
    if (!this.disc) stored.clear();
    else this.load();
  }

  private isForDisc(): boolean {
    return this.ctx.config["retainer.storage_type"] !== "ram";
  }

  /** Messages go on living where the settings say now. */
  settle(): void {
    if (!this.isForDisc()) {
      if (this.disc) this.leaving ??= this.ctx.after(LEAVE_MS, () => this.leaveDisc());
      return;
    }
    this.leaving?.();
    this.leaving = null;
    if (this.disc) return;
    this.disc = true;
    this.moving = this.upTo(this.index.seq);
    this.move();
  }

  /** Those that memory alone has had; what is retained from now on goes behind them, and to the disk at once. */
  private *upTo(last: number): Generator<Entry, void> {
    for (const entry of this.index.entries()) {
      if (entry.seq > last) return;
      yield entry;
    }
  }

  private leaveDisc(): void {
    this.leaving = null;
    this.disc = false;
    this.moving?.return(undefined);
    this.moving = null;
    this.ctx.store.retained.clear();
  }

  /** A part at a time. A crash until then finds what is written. */
  private move(): void {
    const { ctx } = this;
    if (this.closed) return;
    this.movePart();
    if (this.moving === null) return;
    if (ctx.broker.storageFailed) ctx.after(SWEEP_MS, () => this.move());
    else ctx.broker.soon(() => this.move());
  }

  /** While the disk fails nothing moves: what waits for it is bounded, and has its place for what is published now. */
  private movePart(isRefused = (): boolean => this.ctx.broker.storageFailed): void {
    let [messages, bytes] = [0, 0];
    while (this.moving !== null && !isRefused() && messages < MOVED.messages && bytes < MOVED.bytes) {
      const next = this.moving.next();
      if (next.done === true) {
        this.moving = null;
        return;
      }
      this.write(next.value);
      messages++;
      bytes += next.value.message.size;
    }
  }

  /** The plugin ends, and memory with it: what is still to be written is. Of a disk that fails as much as may wait for the last attempt. */
  async finishMove(): Promise<void> {
    const { broker, log } = this.ctx;
    const rest = (): Promise<void> => new Promise((done) => broker.soon(done));
    if (this.moving !== null && !broker.storageFailed)
      log.notice("retained messages are still being written to the disk; the plugin ends when they are");
    while (this.moving !== null && !broker.storageFull) {
      this.movePart(() => broker.storageFull);
      await rest();
    }
    const unwritten = this.moving;
    this.moving = null;
    // None that somebody wants to find there.
    if (unwritten === null || !this.isForDisc()) return;
    let messages = 0;
    for (const { message } of unwritten) if (!isOwn(message) && ++messages % SWEEP_ENTRIES === 0) await rest();
    if (messages > 0) log.error("retained messages are lost: data cannot be stored", { messages });
  }

  private load(): void {
    const { index, ctx } = this;
    const [now, mono] = [ctx.clock.now(), ctx.clock.mono()];
    const entries: Entry[] = [];
    for (const { id, message: r } of ctx.store.retained.load()) {
      const m = new Message(r.topic, r.payload, r.qos, true, r.from, r.username, r.timestamp, r.expiresAt, r.properties);
      entries.push({ message: m.dated(now, mono), since: later(mono, -Math.max(0, now - r.timestamp)), seq: 0, row: id });
      if (id > this.lastRow) this.lastRow = id;
    }
    // It would come back when the later one is deleted.
    for (const double of index.restore(entries)) ctx.store.retained.delete(double.row);
    this.max = index.size;
  }

  get count(): number {
    return this.index.size;
  }

  /** A published message with the retain flag. An empty one takes the topic's message away [MQTT-3.3.1-6, -7]. */
  keep(m: Message): void {
    const size = m.payloadEnd - m.payloadStart;
    if (size === 0) {
      this.delete(m.topic);
      return;
    }
    if (size > this.ctx.config["retainer.max_payload_size"]) {
      this.refused(m, "larger than retainer.max_payload_size", "too_large");
    } else if (this.tooMany(m)) {
      this.refused(m, "as many as retainer.max_retained_messages allows", "full");
    } else if (this.tooMuch(m)) {
      this.refused(m, "as much as retainer.max_retained_bytes allows", "full");
    } else if (this.disc && this.ctx.broker.storageFull && !isOwn(m)) {
      m.refusedWith = RC.QUOTA_EXCEEDED;
      this.refused(m, "it cannot be stored", "storage");
    } else if (this.ctx.broker.memoryShort && this.index.growth(m) > 0 && !isOwn(m)) {
      m.refusedWith = RC.QUOTA_EXCEEDED;
      this.refused(m, "the node has no memory to spare", "memory");
    } else {
      const own = ownCopy(m, { retain: true });
      // Whoever subscribes later makes a new event of it.
      if (own.lineage !== null) own.lineage = null;
      const entry = this.index.set(own, this.ctx.clock.mono());
      if (this.index.size > this.max) this.max = this.index.size;
      if (this.disc) this.write(entry);
    }
  }

  private write(entry: Entry): void {
    const stored = this.ctx.store.retained;
    if (!isOwn(entry.message)) {
      if (entry.row === 0) entry.row = ++this.lastRow;
      stored.put(entry.row, entry.message);
    } else if (entry.row !== 0) {
      // The client's message that it replaces would be back after a restart.
      stored.delete(entry.row);
      entry.row = 0;
    }
  }

  private tooMany(m: Message): boolean {
    const limit = this.ctx.config["retainer.max_retained_messages"];
    if (limit === 0 || this.index.ordinary < limit || isOwn(m)) return false;
    const before = this.index.get(m.topic);
    return before === null || isOwn(before.message);
  }

  private tooMuch(m: Message): boolean {
    const limit = this.ctx.config["retainer.max_retained_bytes"];
    const growth = this.index.growth(m);
    return limit > 0 && growth > 0 && this.index.bytes + growth > limit && !isOwn(m);
  }

  private refused(m: Message, why: string, counter: string): void {
    this.ctx.broker.count(`retained/refused/${counter}`);
    const now = this.ctx.clock.mono();
    if (now - this.warnedAt < WARN_EVERY_MS) return;
    this.warnedAt = now;
    const [topic, from] = [loggedTopic(m.topic, m.username), loggedName(m.from)];
    this.ctx.log.warn("message not retained", { topic, from, why, size: m.payloadEnd - m.payloadStart });
  }

  /** False = it has expired; then it is gone. */
  fresh(e: Entry): boolean {
    const m = e.message;
    const interval = this.ctx.config["retainer.expiry_interval"];
    const now = this.ctx.clock.mono();
    const old = m.expires ? m.expired(now) : interval > 0 && !isOwn(m) && between(e.since, now) >= interval;
    if (!old) return true;
    this.delete(m.topic);
    this.ctx.broker.count("retained/expired");
    return false;
  }

  /** A part of all messages at a time: what nobody asks for expires too. */
  sweep(): void {
    for (let i = 0; i < SWEEP_ENTRIES; i++) {
      this.cursor ??= this.index.entries();
      const { value: entry, done } = this.cursor.next();
      if (done) {
        this.cursor = null;
        return;
      }
      this.fresh(entry);
    }
  }

  get(topic: string): Message | undefined {
    const entry = this.index.get(topic);
    return entry !== null && this.fresh(entry) ? entry.message : undefined;
  }

  get seq(): number {
    return this.index.seq;
  }

  *messages(filter?: string, until = Number.POSITIVE_INFINITY): Generator<Message | null> {
    const found = filter === undefined ? null : this.index.match(filter, BUDGET);
    let passed = 0;
    for (const entry of found ?? this.index.walk()) {
      if (this.closed) return;
      const { topic } = entry.message;
      const fits = found !== null ? this.index.holds(entry) : filter === undefined || topicMatches(topic, filter);
      if (fits && entry.seq <= until) yield entry.message;
      else if (++passed % STRIDE === 0) yield null;
    }
  }

  delete(topic: string): boolean {
    const entry = this.index.delete(topic);
    if (entry === null) return false;
    if (entry.row !== 0 && this.disc) this.ctx.store.retained.delete(entry.row);
    return true;
  }

  async deleteMatching(filter: string, pauses: Pauses): Promise<number> {
    const last = this.index.seq;
    const found = this.index.match(filter, BUDGET);
    let deleted = 0;
    // The order is a live one, and what is retained anew goes to its end.
    for (const { message, seq } of found?.map((e) => ({ message: e.message, seq: e.seq })) ?? this.index.entries()) {
      if (this.closed || seq > last) break;
      const { topic } = message;
      if ((found !== null || topicMatches(topic, filter)) && this.index.get(topic)?.message === message && this.delete(topic)) deleted++;
      if (pauses.due()) await pauses.rest();
    }
    return deleted;
  }

  clear(): number {
    const n = this.index.size;
    this.index.clear();
    if (this.disc) this.ctx.store.retained.clear();
    return n;
  }
}
