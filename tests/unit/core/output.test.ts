/** Loops over many connections: what happens to one of them is its own affair. */
import { describe, expect, test } from "bun:test";
import { Message } from "../../../server/core/message.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { type TestClient, TestKit } from "../../support/test_broker.ts";

/** Connected, subscribed to `t`; everything so far is taken. */
function subscribers(kit: TestKit, n: number): TestClient[] {
  return Array.from({ length: n }, (_, i) => {
    const c = kit.connected(`s${i}`, 4, { keepalive: 10 }).subscribe("t/#");
    c.take();
    return c;
  });
}

const payloads = (c: TestClient): string[] => c.messages().map((m) => m.payload);

describe("a transport that throws", () => {
  test("is the end of its connection: logged once, its will is published, everybody else is written", () => {
    const kit = new TestKit();
    const all = subscribers(kit, 5);
    const bad = kit.connected("bad", 4, { will: { topic: "t/will", payload: Buffer.from("gone"), qos: 0, retain: false } });
    bad.subscribe("t/#");
    bad.transport.write = () => {
      throw new Error("write EPIPE");
    };
    kit.connected("p").publish("t/x", "first").publish("t/x", "second");
    for (const c of all) expect(payloads(c)).toEqual(["first", "gone", "second"]);
    expect(kit.log.errors).toHaveLength(1);
    expect(kit.log.errors[0]).toContain("write EPIPE");
    expect([bad.transport.destroyed, kit.broker.sessions.get("bad")]).toEqual([true, undefined]);
    expect(kit.listener.shutdowns.get("internal_error")).toBe(1);
  });

  test("its will waits for the commit of those who keep it", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 4, { clean: false });
    s.subscribe("t/#", 2).take();
    const pending: boolean[] = [];
    const { write } = s.transport;
    s.transport.write = (...args) => {
      pending.push(kit.store.pending);
      return write.apply(s.transport, args);
    };
    const bad = kit.connected("bad", 4, { will: { topic: "t/will", payload: Buffer.from("gone"), qos: 2, retain: false } });
    bad.subscribe("x").take();
    bad.transport.write = () => {
      throw new Error("write EPIPE");
    };
    kit.connected("p").publish("x", "m");
    expect(payloads(s)).toEqual(["gone"]);
    expect(pending).toEqual([false]);
  });

  test("also when it throws while it is destroyed", () => {
    const kit = new TestKit();
    const all = subscribers(kit, 2);
    const bad = kit.connected("bad", 4, { will: { topic: "t/will", payload: Buffer.from("gone"), qos: 0, retain: false } });
    bad.subscribe("t/#");
    bad.transport.write = bad.transport.destroy = () => {
      throw new Error("broken");
    };
    // The will is out with the same flush.
    kit.connected("p").publish("t/x", "m");
    for (const c of all) expect(payloads(c)).toEqual(["m", "gone"]);
    expect([kit.log.errors.length, kit.broker.sessions.get("bad"), kit.broker.connections]).toEqual([1, undefined, 3]);
  });

  test("in the middle of a dispatch, when a receiver's buffer is full", () => {
    const kit = new TestKit();
    const all = subscribers(kit, 3);
    (all[1] as TestClient).transport.write = () => {
      throw new Error("broken");
    };
    const p = kit.connected("p");
    for (const [i, size] of [40_000, 40_000, 10].entries()) p.publish("t/x", Buffer.alloc(size), 1, { messageId: i + 1 });
    expect(p.take().map((x) => x.cmd)).toEqual(["puback", "puback", "puback"]);
    expect([all[0], all[2]].map((c) => (c as TestClient).messages().length)).toEqual([3, 3]);
    expect(kit.log.errors).toHaveLength(1);
  });

  test("the failed commit cuts everybody it concerns, whoever throws", () => {
    const kit = new TestKit();
    kit.connected("s", 4, { clean: false }).subscribe("t", 1).disconnect();
    const publishers = ["a", "b", "c"].map((id) => kit.connected(id));
    (publishers[0] as TestClient).transport.destroy = () => {
      throw new Error("broken");
    };
    kit.store.commit = () => {
      throw new Error("disk full");
    };
    for (const p of publishers) p.channel.onData(Buffer.from([0x32, 6, 0, 1, 0x74, 0, 1, 0x78]));
    kit.settle();
    expect(publishers.map((p) => p.take())).toEqual([[], [], []]);
    expect(publishers.slice(1).map((p) => p.transport.destroyed)).toEqual([true, true]);
    expect(kit.broker.connections).toBe(0);
  });
});

describe("a connection that fails", () => {
  const broken = (): never => {
    throw new Error("broken");
  };

  test("while it is closed after its last word", () => {
    const kit = new TestKit();
    const all = subscribers(kit, 3);
    for (const c of all.slice(0, 2)) c.transport.end = c.transport.finish = broken;
    // Who sends on behind its DISCONNECT is closed slowly.
    for (const [i, c] of all.entries()) c.channel.onData(Buffer.from(i === 0 ? [0xe0, 0, 0xc0, 0] : [0xe0, 0]));
    kit.broker.flush();
    kit.settle();
    expect(all.map((c) => [c.transport.ended, c.transport.destroyed])).toEqual([
      [false, true],
      [false, true],
      [true, false],
    ]);
    expect(kit.log.errors).toHaveLength(2);
  });

  test("while the clock visits it", () => {
    const kit = new TestKit();
    const all = subscribers(kit, 4);
    (all[1] as TestClient).channel.close = broken;
    kit.pass(20_000);
    expect(all.map((c) => c.transport.ended || c.transport.destroyed)).toEqual([true, true, true, true]);
    expect(kit.broker.connections).toBe(0);
    expect(kit.log.errors).toHaveLength(1);
  });

  test("while the node stops", () => {
    const kit = new TestKit();
    const all = subscribers(kit, 4);
    (all[0] as TestClient).channel.close = broken;
    kit.broker.shutdown();
    kit.settle();
    expect(all.map((c) => c.transport.ended || c.transport.destroyed)).toEqual([true, true, true, true]);
    expect(kit.broker.connections).toBe(0);
  });

  test("while it is kicked", () => {
    const kit = new TestKit();
    const all = subscribers(kit, 2);
    (all[0] as TestClient).channel.close = broken;
    for (const id of ["s0", "s1"]) expect(kit.broker.kick(id)).toBe(true);
    kit.broker.flush();
    expect([all[0]?.transport.destroyed, all[1]?.transport.ended, kit.broker.connections]).toEqual([true, true, 0]);
  });

  test("while it is sent more after it has read again", () => {
    const kit = new TestKit();
    const all = subscribers(kit, 2);
    (all[0] as TestClient).channel.onRoom = broken;
    for (const c of all) c.transport.room = 0;
    const p = kit.connected("p");
    for (let i = 0; i < 20; i++) p.publish("t/x", Buffer.alloc(60_000));
    for (const c of all) {
      expect(c.channel.out.blocked).toBe(true);
      c.transport.room = Number.POSITIVE_INFINITY;
    }
    expect(() => (all[0] as TestClient).channel.onDrain()).toThrow("broken");
    (all[1] as TestClient).channel.onDrain();
    p.publish("t/x", "again");
    expect(payloads(all[1] as TestClient).at(-1)).toBe("again");
  });
});

test("a connection that ends while another one is written: whoever says good-bye in this flush still can", () => {
  const kit = new TestKit();
  const ended = kit.connected("ended");
  const first = kit.connected("first").subscribe("t");
  first.take();
  const last = kit.connected("last", 5);
  const write = first.transport.write.bind(first.transport);
  first.transport.write = (b, o, n) => {
    ended.channel.onClose("closed");
    return write(b, o, n);
  };
  kit.broker.publish(new Message("t", Buffer.from("x"), 0, false, "", null, kit.broker.now, 0, null));
  last.channel.close(0x98, "kicked");
  kit.broker.flush();
  kit.settle();
  expect(first.messages()).toHaveLength(1);
  expect(last.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x98 }]);
  expect(last.transport.ended).toBe(true);
});

describe("a peer that is gone before the broker is told", () => {
  test("while its bytes are written: it costs nobody else anything, in any order", () => {
    const kit = new TestKit();
    const all = subscribers(kit, 6);
    const p = kit.connected("p");
    const gone = new Set([1, 4]);
    for (const i of gone) (all[i] as TestClient).transport.write = () => -1;
    // As much as one read brings: 3000 bytes in the staging buffer, and a run that has no room behind them.
    const chunk = Buffer.concat([publish("t/a", 3000, 1), publish("t/b", 63_000, 0)]);
    for (let round = 0; round < 3; round++) {
      p.channel.onData(chunk);
      kit.settle();
    }
    for (const [i, c] of all.entries()) {
      if (gone.has(i)) c.drop();
      else expect(c.messages().map((m) => [m.topic, m.payload.length])).toEqual(three(["t/a", 3000], ["t/b", 63_000]));
    }
    expect(p.take().map((x) => x.cmd)).toEqual(["puback", "puback", "puback"]);
    expect(kit.log.errors).toEqual([]);
    // Everybody goes on to hear his own, and only that.
    for (const [i, c] of all.entries()) if (!gone.has(i)) c.subscribe(`own/${i}`).take();
    for (const [i] of all.entries()) p.channel.onData(publish(`own/${i}`, 100 + i, 1));
    kit.settle();
    for (const [i, c] of all.entries())
      if (!gone.has(i)) expect(c.messages().map((m) => [m.topic, m.payload.length])).toEqual([[`own/${i}`, 100 + i]]);
  });
});

function three<T>(...rows: T[]): T[] {
  return [...rows, ...rows, ...rows];
}

function publish(topic: string, size: number, qos: 0 | 1): Buffer {
  const body = 2 + topic.length + (qos > 0 ? 2 : 0) + size;
  const length: number[] = [];
  for (let n = body; ; n >>= 7) {
    length.push(n > 127 ? (n & 127) | 128 : n);
    if (n <= 127) break;
  }
  const id = qos > 0 ? [0, 1] : [];
  return Buffer.concat([
    Buffer.from([0x30 | (qos << 1), ...length, 0, topic.length]),
    Buffer.from(topic),
    Buffer.from(id),
    Buffer.alloc(size),
  ]);
}

test("a connection whose end fails half-way is closed all the same", () => {
  const store = new MemoryStore();
  const kit = new TestKit({ store });
  const c = kit.connected("c", 4, { clean: false });
  const { open } = store.sessions;
  store.sessions.open = () => {
    throw new Error("no room");
  };
  c.raw([0xff, 0xff]);
  store.sessions.open = open;
  expect(c.transport.ended).toBe(true);
  expect(kit.log.errors).toHaveLength(1);
});

test("a handler that throws ends its connection, with a word for 5.0, and no other", () => {
  const kit = new TestKit();
  const other = kit.connected("other").subscribe("t");
  const [v4, v5] = [kit.connected("v4", 4), kit.connected("v5", 5)];
  other.take();
  const { access } = kit.broker;
  const check = access.checkCached.bind(access);
  access.checkCached = (ch, ...rest) => {
    if (ch.client?.clientId !== "other") throw new Error("a bug");
    return check(ch, ...rest);
  };
  v4.publish("t");
  v5.publish("t");
  expect([v4.transport.ended, v5.transport.ended, other.transport.ended]).toEqual([true, true, false]);
  expect(v5.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x80 }]);
  expect(v4.take()).toEqual([]);
  expect(kit.listener.shutdowns.get("internal_error")).toBe(2);
  expect(kit.log.errors).toHaveLength(2);
  for (const line of kit.log.errors) expect(line).toMatch(/packet handler failed.*a bug/);
  expect(kit.broker.connections).toBe(1);
});

describe("storage.sync = always", () => {
  function always(): { kit: TestKit; store: MemoryStore } {
    const store = new MemoryStore();
    const kit = new TestKit({ store });
    store.always();
    return { kit, store };
  }
  const persistent = (kit: TestKit, id: string): TestClient => {
    const c = kit.client(4).connect(id, { clean: false });
    kit.settle();
    return c;
  };
  /** The sync in hand ends so. */
  function synced(kit: TestKit, store: MemoryStore, onDisk = true): void {
    (store.syncs.shift() as (onDisk: boolean) => void)(onDisk);
    kit.settle();
  }
  const words = (c: TestClient): unknown[] => c.take().map((p) => p.cmd);

  test("what is promised leaves when it is on the disk; everybody else is served meanwhile", () => {
    const { kit, store } = always();
    const s = persistent(kit, "s");
    expect(words(s)).toEqual([]);
    synced(kit, store);
    expect(words(s)).toEqual(["connack"]);
    s.subscribe("t", 1);
    kit.settle();
    const p = kit.connected("p");
    p.publish("t", "x", 1, { messageId: 1 });
    kit.settle();
    const q = kit.connected("q").subscribe("u");
    q.take();
    kit.connected("r").publish("u", "y");
    expect([words(s), words(p), q.messages().length, store.syncs.length]).toEqual([[], [], 1, 1]);
    synced(kit, store);
    // The first sync has covered the subscription alone. The message came while it ran: its sender hears nothing yet, its receiver may have it.
    expect([words(s), words(p)]).toEqual([["suback", "publish"], []]);
    synced(kit, store);
    expect([words(p), store.syncs.length, kit.broker.output.pool.waiting]).toEqual([["puback"], 0, []]);
  });

  test("a sync that fails: the next commit has all of it, and then it is said", () => {
    const { kit, store } = always();
    const s = persistent(kit, "s");
    synced(kit, store, false);
    expect([words(s), store.pending, store.syncs.length]).toEqual([[], false, 1]);
    synced(kit, store);
    expect(words(s)).toEqual(["connack"]);
  });

  test("a commit fails while a sync runs, and the sync fails then: with storage.on_error = accept nobody is cut", () => {
    for (const storageOnError of ["refuse", "accept"] as const) {
      const { kit, store } = always();
      kit.node.storageOnError = storageOnError;
      const s = persistent(kit, "s");
      store.failure = new Error("the disk is broken");
      const later = persistent(kit, "later");
      expect(kit.alarms.has("storage_failed")).toBe(true);
      synced(kit, store, false);
      const served: unknown = [["connack"], false];
      const cut: unknown = [[], true];
      const want = storageOnError === "accept" ? served : cut;
      expect([s, later].map((c): unknown => [words(c), c.transport.destroyed])).toEqual([want, want]);
    }
  });

  test("… and when the next commit fails, too, who waits is cut; with storage.on_error = accept he hears", () => {
    for (const storageOnError of ["refuse", "accept"] as const) {
      const { kit, store } = always();
      kit.node.storageOnError = storageOnError;
      const s = persistent(kit, "s");
      store.failure = new Error("the disk is broken");
      synced(kit, store, false);
      expect([words(s), s.transport.destroyed]).toEqual(storageOnError === "accept" ? [["connack"], false] : [[], true]);
      expect(kit.alarms.has("storage_failed")).toBe(true);
      store.failure = null;
      kit.pass(200);
      expect(kit.alarms.has("storage_failed")).toBe(false);
    }
  });

  test("a sync that fails while the disk is known to fail: who waited for it is cut", () => {
    const { kit, store } = always();
    const s = persistent(kit, "s");
    store.failure = new Error("the disk is broken");
    const other = persistent(kit, "other");
    expect([other.transport.destroyed, s.transport.destroyed]).toEqual([true, false]);
    synced(kit, store, false);
    expect([s.transport.destroyed, words(s)]).toEqual([true, []]);
  });

  test("a commit that fails while a sync is under way: who promised more meanwhile is cut, the others hear", () => {
    const { kit, store } = always();
    const [a, b] = [persistent(kit, "a"), persistent(kit, "b")];
    synced(kit, store);
    a.take();
    a.subscribe("t", 1);
    kit.settle();
    expect(store.syncs.length).toBe(1);
    store.failure = new Error("the disk is broken");
    a.publish("x", "y", 2, { messageId: 5 });
    kit.settle();
    expect([a.transport.destroyed, b.transport.destroyed]).toEqual([true, false]);
    synced(kit, store);
    expect([words(a), words(b)]).toEqual([[], ["connack"]]);
  });

  test("the last word waits, and the end of the connection behind it", () => {
    const { kit, store } = always();
    const s = persistent(kit, "s");
    synced(kit, store);
    s.take();
    s.subscribe("t", 1);
    kit.settle();
    kit.broker.kick("s");
    kit.settle();
    expect([words(s), s.transport.ended]).toEqual([[], false]);
    synced(kit, store);
    expect([words(s), s.transport.ended]).toEqual([["suback"], true]);
  });

  test("a will that somebody who waits is sent in the flush itself is not covered before it is committed", () => {
    const { kit, store } = always();
    const s = persistent(kit, "s");
    synced(kit, store);
    s.subscribe("#", 2);
    synced(kit, store);
    s.take();
    const will = { topic: "t/will", payload: Buffer.from("gone"), qos: 2 as const, retain: false };
    const bad = kit.connected("bad", 4, { will }).subscribe("x");
    bad.transport.write = () => {
      throw new Error("write EPIPE");
    };
    const p = kit.connected("p");
    const committed: boolean[] = [];
    const { sync } = store;
    store.sync = (done) => {
      committed.push(!store.pending);
      sync.call(store, done);
    };
    // One turn: the message for "s" is committed and waits, then the write to "bad" fails.
    p.publish("x", "m", 2);
    expect([committed, payloads(s)]).toEqual([[true], []]);
    synced(kit, store);
    expect(payloads(s)).toEqual(["m", "gone"]);
  });

  test("a session that is kept no longer: until that is on the disk its client hears nothing, nor gets what it held", () => {
    const { kit, store } = always();
    const kept = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const s = kit.client(5).connect("s", kept);
    synced(kit, store);
    s.subscribe("t", 2);
    synced(kit, store);
    s.drop();
    kit.connected("p").publish("t", "m", 2);
    for (let n = store.syncs.length; n > 0; n = store.syncs.length) synced(kit, store);
    const again = kit.client(5).connect("s", { clean: false });
    expect(words(again)).toEqual([]);
    synced(kit, store);
    expect(words(again)).toEqual(["connack", "publish"]);
  });

  test("when everything is on the disk before the sync says so, nobody waits for that", () => {
    const { kit, store } = always();
    const s = persistent(kit, "s");
    synced(kit, store);
    s.take();
    s.subscribe("a", 1);
    kit.settle();
    s.subscribe("b", 1);
    kit.settle();
    kit.broker.durability.syncNow();
    kit.pass(100);
    expect(words(s)).toEqual([]);
    synced(kit, store);
    expect(words(s)).toEqual(["suback", "suback"]);
  });
});
