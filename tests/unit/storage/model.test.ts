/** Random journals: the SQLite store and the memory twin must agree, whatever falls into one batch and wherever the crash comes. */
import { expect, test } from "bun:test";
import type { Message } from "../../../server/core/message.ts";
import type { Store, StoredSession } from "../../../server/core/ports.ts";
import type { StoreOptions } from "../../../server/storage/sqlite.ts";
import { type MemoryStore, memoryStore } from "../../support/memory_store.ts";
import { message, meta, revive, subscription } from "./fixtures.ts";
import { counts, crash, LogRecorder, newDir, openIn } from "./sqlite_harness.ts";

const SEEDS = 25;
const STEPS = 400;

function random(seed: number): (n: number) => number {
  let x = seed * 2_654_435_761 + 1;
  return (n) => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((x / 2 ** 32) * n);
  };
}

interface Delivery {
  seq: number;
  state: number;
  /** Index into `messages`. */
  m: number;
}
interface Live {
  key: number;
  id: string;
  seq: number;
  deliveries: Delivery[];
  rels: Set<number>;
}

/** A journal's user that keeps the contract, and does everything on two stores at once. */
class Twin {
  sessions: Live[] = [];
  messages: [Message, Message][] = [];
  names = 0;

  constructor(
    private readonly rnd: (n: number) => number,
    public a: Store,
    public b: MemoryStore,
    private readonly batch?: StoreOptions["batch"],
  ) {}

  step(): void {
    const n = this.rnd(100);
    const f = this.rnd(8);
    const s = this.sessions[this.rnd(this.sessions.length)];
    if (n < 6 || s === undefined) this.open();
    else if (n < 8) this.remove(s);
    else if (n < 12) this.both((x) => x.sessions.open(s.key, meta(s.id, { disconnectedAt: n })));
    else if (n < 20) this.both((x) => x.sessions.subscribe(s.key, subscription(`f/${f}`, { qos: (n % 3) as 0 | 1 | 2 })));
    else if (n < 24) this.both((x) => x.sessions.unsubscribe(s.key, `f/${f}`));
    else if (n < 34) this.rel(s, 1 + this.rnd(4));
    else if (n < 38) this.both((x) => x.commit());
    else if (n < 60) this.enqueue(s);
    else this.advance(s, n);
  }

  compare(): void {
    this.both((x) => x.commit());
    expect(view(this.a.sessions.load())).toEqual(view(this.b.sessions.load()));
    expect(this.b.problems).toEqual([]);
    // The twin's refcounts are right when no message is left over.
    expect(counts(this.a)).toEqual(this.b.counts());
    const used = new Set(this.sessions.flatMap((s) => s.deliveries.map((d) => d.m)));
    expect(counts(this.a).messages).toBe(used.size);
  }

  /** Both lose what was not committed; the user starts again from what they kept. */
  crash(): void {
    this.a = crash(this.a, this.batch);
    this.b = this.b.crash();
    const [la, lb] = [this.a.sessions.load(), this.b.sessions.load()];
    expect(view(la)).toEqual(view(lb));
    const [ma, mb] = [revive(la), revive(lb)];
    this.messages = [...ma.values()].map((m, i) => [m, [...mb.values()][i] as Message]);
    const index = new Map([...ma.keys()].map((m, i) => [m, i]));
    this.sessions = la.map((s) => ({
      key: s.key,
      id: s.meta.clientId,
      seq: Math.max(0, ...s.deliveries.map((d) => d.seq)) + 1000,
      deliveries: s.deliveries.map((d) => ({
        seq: d.seq,
        state: ["queued", "sent", "released"].indexOf(d.state),
        m: index.get(d.message) as number,
      })),
      rels: new Set(s.awaitingRel.map((r) => r.packetId)),
    }));
  }

  private both(fn: (s: Store) => void): void {
    fn(this.a);
    fn(this.b);
  }

  private open(): void {
    const id = `c${this.names++}`;
    const key = this.a.sessions.open(0, meta(id));
    expect(this.b.sessions.open(0, meta(id))).toBe(key);
    this.sessions.push({ key, id, seq: 0, deliveries: [], rels: new Set() });
  }

  private remove(s: Live): void {
    for (const d of s.deliveries) this.each(d.m, (x, m) => x.sessions.done(s.key, d.seq, m));
    this.both((x) => x.sessions.remove(s.key));
    this.sessions = this.sessions.filter((x) => x !== s);
  }

  private rel(s: Live, id: number): void {
    if (s.rels.delete(id)) {
      this.both((x) => x.sessions.relDone(s.key, id));
    } else {
      s.rels.add(id);
      this.both((x) => x.sessions.awaitRel(s.key, id, s.seq));
    }
  }

  private enqueue(s: Live): void {
    const fresh = this.messages.length === 0 || this.rnd(3) > 0;
    const m = fresh ? this.messages.push([message(`m${this.names}`), message(`m${this.names}`)]) - 1 : this.rnd(this.messages.length);
    const packetId = this.rnd(2) * (1 + this.rnd(100));
    const d: Delivery = { seq: ++s.seq, state: packetId > 0 ? 1 : 0, m };
    s.deliveries.push(d);
    this.each(m, (x, msg) => x.sessions.enqueue(s.key, d.seq, msg, 2, packetId, packetId > 50 ? [packetId] : null, packetId % 2 > 0));
  }

  private advance(s: Live, n: number): void {
    const d = s.deliveries[this.rnd(s.deliveries.length)];
    if (d === undefined) return;
    if (n < 75 && d.state < 2) {
      d.state++;
      if (d.state === 1) this.both((x) => x.sessions.sent(s.key, d.seq, n));
      else this.both((x) => x.sessions.released(s.key, d.seq));
      return;
    }
    s.deliveries = s.deliveries.filter((x) => x !== d);
    this.each(d.m, (x, m) => x.sessions.done(s.key, d.seq, m));
  }

  private each(m: number, fn: (s: Store, m: Message) => void): void {
    const [a, b] = this.messages[m] as [Message, Message];
    fn(this.a, a);
    fn(this.b, b);
  }
}

/** Without the order of subscriptions, which no one relies on, and with messages numbered as they are met: a store may number them as it likes. */
function view(sessions: StoredSession[]): unknown {
  const met = new Map<number, number>();
  const number = (id: number): number => {
    if (!met.has(id)) met.set(id, met.size + 1);
    return met.get(id) as number;
  };
  const deliveries = (s: StoredSession) =>
    s.deliveries.map((d) => ({ ...d, message: { ...d.message, storeId: number(d.message.storeId as number) } }));
  const rels = (s: StoredSession) => s.awaitingRel.toSorted((x, y) => x.packetId - y.packetId);
  const subs = (s: StoredSession) => s.subscriptions.toSorted((x, y) => (x.filter < y.filter ? -1 : 1));
  return sessions.map((s) => ({ ...s, deliveries: deliveries(s), awaitingRel: rels(s), subscriptions: subs(s) }));
}

test(`${SEEDS} random journals of ${STEPS} steps with crashes`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const rnd = random(seed);
    const twin = new Twin(rnd, openIn(newDir()), memoryStore());
    for (let i = 0; i < STEPS; i++) {
      twin.step();
      if (i % 100 === 60) twin.crash();
      if (i % 100 === 99) twin.compare();
    }
    twin.a.close();
  }
});

test("the same while batches are on their way to the database, piece by piece, over many turns", async () => {
  const batch = { max: 20_000, sliceMs: 0 };
  let slices = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const rnd = random(seed);
    const twin = new Twin(rnd, openIn(newDir(), new LogRecorder(), batch), memoryStore(), batch);
    for (let i = 0; i < 3000; i++) {
      twin.step();
      if (rnd(10) === 0) {
        const before = twin.a.bytes;
        await new Promise((done) => setImmediate(done));
        if (twin.a.bytes < before) slices++;
      }
      if (i % 500 === 300 + rnd(100)) twin.crash();
      if (i % 1000 === 999) twin.compare();
    }
    twin.compare();
    twin.a.close();
  }
  expect(slices).toBeGreaterThan(8);
});
