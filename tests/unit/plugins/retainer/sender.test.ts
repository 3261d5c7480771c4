import { describe, expect, test } from "bun:test";
import { Message } from "../../../../server/core/message.ts";
import type { SubscribeOptions } from "../../../../server/core/types.ts";
import type { PluginBroker, PluginSession } from "../../../../server/plugins/plugin.ts";
import { type Entry, RetainedIndex } from "../../../../server/plugins/retainer/retained_index.ts";
import { RetainedSender } from "../../../../server/plugins/retainer/sender.ts";
import { mono } from "../../../support/time.ts";

const QOS1: SubscribeOptions = { qos: 1, nl: false, rap: false, rh: 0, subId: 0 };

/** A session that takes what it is given, or does not. */
interface FakeSession extends PluginSession {
  channel: { sendPend: number } | null;
  mqueueLen: number;
  got: string[];
}

class Bench {
  readonly index = new RetainedIndex();
  readonly sessions = new Map<string, FakeSession>();
  /** What was put off: to the next turn of the event loop, and by time. */
  readonly later: (() => void)[] = [];
  readonly timers: (() => void)[] = [];
  /** Each message given to a session raises this by so much. */
  queued = 0;
  unread = 0;
  /** A hook behind each message. */
  delivered = (): void => {};
  readonly expired = new Set<string>();
  readonly sender: RetainedSender;

  constructor() {
    const broker = {
      session: (id: string) => this.sessions.get(id),
      deliverTo: (s: FakeSession, m: Message) => {
        s.got.push(m.topic);
        s.mqueueLen += this.queued;
        if (s.channel) s.channel.sendPend += this.unread;
        this.delivered();
      },
      soon: (fn: () => void) => this.later.push(fn),
    } as unknown as PluginBroker;
    this.sender = new RetainedSender({
      index: this.index,
      broker,
      after: (_ms, fn) => void this.timers.push(fn),
      fresh: (e: Entry) => !(this.expired.has(e.message.topic) && this.index.delete(e.message.topic)),
    });
  }

  store(n: number, prefix = "t"): this {
    for (let i = 0; i < n; i++) this.index.set(new Message(`${prefix}/${i}`, Buffer.from("x"), 1, true, "from", null, i, 0, null), mono(0));
    return this;
  }
  session(clientId: string, o: Partial<FakeSession> = {}): FakeSession {
    const s: FakeSession = { clientId, username: null, channel: { sendPend: 0 }, mqueueLen: 0, maxMqueue: 1000, got: [], ...o };
    this.sessions.set(clientId, s);
    return s;
  }
  /** One turn of the event loop. */
  turn(): void {
    for (const fn of this.later.splice(0)) fn();
  }
  /** Turns until nothing is left to do, timers included; counts them. */
  run(): number {
    let n = 0;
    while (this.later.length + this.timers.length > 0) {
      this.turn();
      for (const fn of this.timers.splice(0)) fn();
      if (++n > 20_000) throw new Error("it does not end");
    }
    return n;
  }
}

const topics = (n: number, prefix = "t"): string[] => Array.from({ length: n }, (_, i) => `${prefix}/${i}`);

test("one whose turn fails has had it; the others have theirs", () => {
  const b = new Bench().store(5000);
  const [bad, good] = [b.session("bad"), b.session("good")];
  b.sender.send("bad", "#", QOS1);
  b.sender.send("good", "#", QOS1);
  let failures = 0;
  b.delivered = () => {
    if (failures === 0 && bad.got.length > 2000) throw new Error("a bug");
  };
  for (let turns = 0; b.later.length > 0; turns++) {
    expect(turns).toBeLessThan(100);
    try {
      b.turn();
    } catch {
      failures++;
    }
  }
  expect([failures, b.sender.pending]).toEqual([1, 0]);
  expect(good.got).toEqual(topics(5000));
});

describe("slices", () => {
  test("hundreds of filters that each select everything hold nobody up: a few are served at once, the rest in turns of their own", () => {
    const b = new Bench().store(20_000);
    const s = b.session("c", { maxMqueue: 0 });
    for (let i = 0; i < 200; i++) b.sender.send("c", `${"+/".repeat(i % 3)}#`, QOS1);
    for (let i = 0; i < 200; i++) b.sender.send("c", `t/+/${i}/#`, QOS1);
    const before = b.index.steps;
    expect(before).toBeLessThan(50_000);
    expect(b.later).toHaveLength(1);
    b.turn();
    expect(b.index.steps - before).toBeLessThan(11_000);
    b.run();
    expect(b.sender.pending).toBe(0);
    expect(s.got.length).toBeGreaterThan(20_000);
  });

  test("few messages go at once, in order", () => {
    const b = new Bench().store(400);
    const s = b.session("c");
    b.sender.send("c", "t/#", QOS1);
    expect(s.got).toEqual(topics(400));
    expect([b.later.length, b.sender.pending]).toEqual([0, 0]);
  });

  test("many go in slices of 500, in order of storing, each once", () => {
    const b = new Bench().store(6000);
    const s = b.session("c");
    b.sender.send("c", "#", QOS1);
    expect(s.got).toHaveLength(500);
    b.turn();
    expect(s.got).toHaveLength(1000);
    b.run();
    expect(s.got).toEqual(topics(6000));
    expect(b.sender.pending).toBe(0);
  });

  test("subscribers take turns: one with much to get holds up nobody", () => {
    const b = new Bench().store(20_000).store(600, "u");
    const many = b.session("many");
    const few = b.session("few");
    b.sender.send("many", "#", QOS1);
    b.sender.send("few", "u/+", QOS1);
    b.turn();
    b.turn();
    expect(few.got).toHaveLength(600);
    expect(many.got.length).toBeLessThan(2000);
    b.run();
    expect(many.got).toHaveLength(20_600);
  });

  test("looking through many messages that do not fit is sliced as well", () => {
    const b = new Bench().store(30_000);
    b.index.set(new Message("t/last/x", Buffer.from("x"), 0, true, "", null, 0, 0, null), mono(0));
    const s = b.session("c");
    b.sender.send("c", "+/+/x", QOS1);
    expect(s.got).toEqual([]);
    expect(b.run()).toBeGreaterThan(3);
    expect(s.got).toEqual(["t/last/x"]);
  });

  test("large payloads end a slice early", () => {
    const b = new Bench();
    for (let i = 0; i < 10; i++) b.index.set(new Message(`t/${i}`, Buffer.alloc(100_000), 0, true, "", null, 0, 0, null), mono(0));
    const s = b.session("c");
    b.sender.send("c", "#", QOS1);
    expect(s.got).toHaveLength(3);
    b.run();
    expect(s.got).toHaveLength(10);
  });
});

describe("a subscriber that is slow", () => {
  test("its queue is filled to one half, then it is waited for", () => {
    const b = new Bench().store(100);
    b.queued = 1;
    const s = b.session("c", { maxMqueue: 40 });
    b.sender.send("c", "#", QOS1);
    expect(s.got).toHaveLength(20);
    expect([b.later.length, b.timers.length]).toEqual([0, 1]);
    s.mqueueLen = 5;
    for (const fn of b.timers.splice(0)) fn();
    b.turn();
    expect(s.got).toHaveLength(35);
    b.queued = 0;
    s.mqueueLen = 0;
    b.run();
    expect(s.got).toEqual(topics(100));
  });

  test("a queue of one still gets everything, one without limit is not flooded", () => {
    const b = new Bench().store(3000);
    b.queued = 1;
    const one = b.session("one", { maxMqueue: 1 });
    b.sender.send("one", "t/0", QOS1);
    expect(one.got).toHaveLength(1);
    const open = b.session("open", { maxMqueue: 0 });
    b.sender.send("open", "#", QOS1);
    b.turn();
    b.turn();
    expect(open.got).toHaveLength(500);
  });

  test("unread bytes are waited for", () => {
    const b = new Bench().store(100);
    b.unread = 30_000;
    const s = b.session("c");
    b.sender.send("c", "#", QOS1);
    expect(s.got).toHaveLength(9);
    b.unread = 0;
    if (s.channel) s.channel.sendPend = 0;
    b.run();
    expect(s.got).toHaveLength(100);
  });

  test("an offline session gets what fits into its queue, then it is over", () => {
    const b = new Bench().store(1000);
    b.queued = 1;
    const s = b.session("c", { channel: null, maxMqueue: 100 });
    b.sender.send("c", "#", QOS1);
    b.run();
    expect(s.got).toHaveLength(50);
    expect(b.sender.pending).toBe(0);
  });
});

describe("a client with many filters and without room", () => {
  const FILTERS = 10_000;
  const full = (): { b: Bench; s: FakeSession } => {
    const b = new Bench().store(FILTERS);
    const s = b.session("c", { maxMqueue: 2, mqueueLen: 2 });
    for (let i = 0; i < FILTERS; i++) b.sender.send("c", i % 2 === 0 ? `t/${i}` : `t/${i}/#`, QOS1);
    return { b, s };
  };
  const timer = (b: Bench): void => {
    for (const fn of b.timers.splice(0)) fn();
  };

  test("is one look every time, and none at the messages", () => {
    const { b, s } = full();
    const before = b.index.steps;
    for (let round = 0; round < 3; round++) {
      b.turn();
      expect([b.later.length, b.timers.length]).toEqual([0, 1]);
      timer(b);
      expect(b.later).toHaveLength(1);
    }
    expect([b.sender.pending, s.got.length, b.index.steps - before]).toEqual([FILTERS, 0, 0]);
    expect(before).toBe(0);
  });

  test("holds up nobody else", () => {
    const { b } = full();
    const other = b.session("other");
    b.sender.send("other", "#", QOS1);
    for (let slices = 1; slices <= 10; slices++) {
      expect(other.got).toHaveLength(500 * slices);
      timer(b);
      b.turn();
    }
  });

  test("gets everything as room comes, each subscription's in order", () => {
    const { b, s } = full();
    b.sender.send("c", "t/+", QOS1);
    b.queued = 1;
    timer(b);
    b.turn();
    s.mqueueLen = 0;
    timer(b);
    b.turn();
    expect(s.got).toEqual(["t/0"]);
    b.queued = 0;
    s.mqueueLen = 0;
    b.run();
    expect(s.got).toEqual([...topics(FILTERS), ...topics(FILTERS)]);
    expect(b.sender.pending).toBe(0);
  });

  test("a filter that comes when there is room again is served at once", () => {
    const { b, s } = full();
    s.mqueueLen = 0;
    b.sender.send("c", "t/7", QOS1);
    expect(s.got).toEqual(["t/7"]);
    b.run();
    expect(b.sender.pending).toBe(0);
  });

  test("thousands of such clients are looked at a part at a time", () => {
    const b = new Bench().store(3000);
    for (let i = 0; i < 1200; i++) {
      b.session(`c${i}`, { maxMqueue: 2, mqueueLen: 2 });
      b.sender.send(`c${i}`, "#", QOS1);
    }
    expect(b.timers).toHaveLength(1);
    timer(b);
    let rounds = 0;
    for (; b.later.length > 0; rounds++) b.turn();
    expect([rounds, b.timers.length, b.sender.pending]).toEqual([3, 1, 1200]);
    for (const s of b.sessions.values()) s.mqueueLen = 0;
    b.run();
    expect([...b.sessions.values()].every((s) => s.got.length === 3000)).toBe(true);
  });

  const ends: [name: string, end: (b: Bench, s: FakeSession) => void][] = [
    ["the client has gone", (_, s) => (s.channel = null)],
    ["it has come back with another connection", (_, s) => (s.channel = { sendPend: 0 })],
    ["the session has ended", (b) => b.sessions.delete("c")],
    ["another session has its name", (b) => b.session("c")],
    ["the plugin is unloaded", (b) => b.sender.close()],
    [
      "it has unsubscribed from all of them",
      (b) => {
        for (let i = 0; i < FILTERS; i++) b.sender.cancel("c", i % 2 === 0 ? `t/${i}` : `t/${i}/#`);
      },
    ],
  ];
  for (const [name, end] of ends) {
    test(`over when ${name}`, () => {
      const { b, s } = full();
      end(b, s);
      s.mqueueLen = 0;
      expect(b.run()).toBeLessThan(3);
      expect([s.got.length, b.sender.pending]).toEqual([0, 0]);
    });
  }

  test("what it has unsubscribed from does not come, the others do", () => {
    const { b, s } = full();
    for (let i = 0; i < FILTERS; i += 4) b.sender.cancel("c", `t/${i}`);
    s.mqueueLen = 0;
    b.run();
    expect(s.got.sort()).toEqual(
      topics(FILTERS)
        .filter((_, i) => i % 4 !== 0)
        .sort(),
    );
  });

  test("the next connection begins with its own filters", () => {
    const { b, s } = full();
    s.channel = { sendPend: 0 };
    s.mqueueLen = 0;
    b.sender.send("c", "t/1", QOS1);
    expect([s.got, b.sender.pending]).toEqual([["t/1"], 0]);
    expect(b.run()).toBeLessThan(3);
    expect(s.got).toEqual(["t/1"]);
  });
});

test("what a hook does to the subscription in the middle of a slice: ended, begun anew, all of them ended", () => {
  for (const [act, n] of [
    [(b: Bench) => b.sender.cancel("c", "#"), 500],
    [(b: Bench) => b.sender.close(), 500],
    [(b: Bench) => b.sender.send("c", "#", QOS1), 500 + 3000],
  ] as const) {
    const b = new Bench().store(3000);
    const s = b.session("c");
    let once = true;
    b.delivered = () => {
      if (!once) return;
      once = false;
      act(b);
    };
    b.sender.send("c", "#", QOS1);
    b.run();
    expect([s.got.length, b.sender.pending]).toEqual([n, 0]);
  }
});

describe("what ends it", () => {
  const cases: [name: string, end: (b: Bench, s: FakeSession) => void][] = [
    ["the client has gone", (_, s) => (s.channel = null)],
    ["it has come back with another connection", (_, s) => (s.channel = { sendPend: 0 })],
    ["the session has ended", (b) => b.sessions.delete("c")],
    ["another session has its name", (b) => b.session("c")],
    ["it has unsubscribed", (b) => b.sender.cancel("c", "#")],
    ["the plugin is unloaded", (b) => b.sender.close()],
  ];
  for (const [name, end] of cases) {
    test(name, () => {
      const b = new Bench().store(3000);
      const s = b.session("c");
      b.sender.send("c", "#", QOS1);
      end(b, s);
      b.run();
      expect(s.got).toHaveLength(500);
      expect(b.sender.pending).toBe(0);
    });
  }

  test("subscribing again begins anew, once", () => {
    const b = new Bench().store(2000);
    const s = b.session("c");
    b.sender.send("c", "#", QOS1);
    b.sender.send("c", "#", QOS1);
    b.run();
    expect(s.got).toEqual([...topics(500), ...topics(2000)]);
  });

  test("nobody of that name: nothing happens", () => {
    const b = new Bench().store(3);
    b.sender.send("nobody", "#", QOS1);
    expect([b.sender.pending, b.later.length]).toEqual([0, 0]);
  });
});

describe("changes while it is under way", () => {
  const publish = (b: Bench, topic: string): void => {
    b.index.set(new Message(topic, Buffer.from("new"), 0, true, "", null, 0, 0, null), mono(0));
  };
  for (const [kind, n, filter] of [
    ["looked up at once", 900, "t/#"],
    ["walked through", 6000, "#"],
  ] as const) {
    test(`${kind}: what is replaced, deleted, expired or new is not sent: it is live or gone`, () => {
      const b = new Bench().store(n);
      const s = b.session("c");
      b.sender.send("c", filter, QOS1);
      publish(b, "t/700");
      publish(b, "t/new");
      b.index.delete("t/701");
      b.expired.add("t/702");
      b.run();
      expect(s.got).toEqual(topics(n).filter((t) => !["t/700", "t/701", "t/702"].includes(t)));
      expect(b.index.get("t/702")).toBeNull();
    });
  }
});
