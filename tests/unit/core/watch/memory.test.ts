/** Memory running short: levels, what each of them refuses or slows, and how it ends. */
import { describe, expect, test } from "bun:test";
import type { MemoryReading, MemoryReadings } from "../../../../server/core/watch/memory.ts";
import { MEMORY_KINDS } from "../../../../server/core/watch/memory.ts";
import { type TestClient, TestKit } from "../../../support/test_broker.ts";

const MIB = 1024 * 1024;

/** What the node reads, as the test says. */
class Gauge implements MemoryReadings {
  used = 0;
  collected = 0;
  constructor(
    readonly limit = 1000 * MIB,
    readonly container = false,
  ) {}
  read(): MemoryReading {
    return { used: this.used, limit: this.limit, container: this.container };
  }
  collect(): void {
    this.collected++;
  }
}

function setUp(kit = new TestKit(), gauge = new Gauge()) {
  kit.broker.memory.watch(gauge);
  /** Let the node look at so many MiB, in ticks, for a time. */
  const at = (mib: number, ms = 100): string => {
    gauge.used = mib * MIB;
    for (let t = 0; t < ms; t += 100) {
      kit.broker.memory.check();
      kit.pass(100);
    }
    return kit.broker.memory.level;
  };
  return { kit, gauge, at, memory: kit.broker.memory };
}

describe("levels", () => {
  test("high from the watermark, critical half-way to the limit, each left some way below", () => {
    const { at } = setUp();
    expect([600, 699, 700, 649, 631, 629, 700, 849, 850, 780, 774, 700, 629].map((mib) => at(mib))).toEqual([
      "normal",
      "normal",
      "high",
      "high",
      "high",
      "normal",
      "high",
      "high",
      "critical",
      "critical",
      "high",
      "high",
      "normal",
    ]);
  });

  test("far below the watermark one tick in five reads, from half of it on each", () => {
    const reads = (used: number, ticks = 20, node = {}): number => {
      const { gauge, memory } = setUp(new TestKit({ node }));
      gauge.used = used * MIB;
      memory.check();
      let n = 0;
      gauge.read = () => {
        n++;
        return { used: used * MIB, limit: 1000 * MIB, container: false };
      };
      for (let t = 0; t < ticks; t++) memory.tick();
      return n;
    };
    expect([349, 350, 700, 900].map((mib) => reads(mib))).toEqual([4, 20, 20, 20]);
    expect(reads(999, 20, { memoryHighWatermark: 0 })).toBe(4);
  });

  test("a look in between begins the count anew, and the tick that comes after a jump tells of it", () => {
    const { gauge, memory } = setUp();
    gauge.used = 10 * MIB;
    memory.check();
    for (let t = 0; t < 4; t++) memory.tick();
    memory.check();
    gauge.used = 900 * MIB;
    const levels = Array.from({ length: 5 }, () => {
      memory.tick();
      return memory.level;
    });
    expect(levels).toEqual(["normal", "normal", "normal", "normal", "critical"]);
  });

  test("off with 0 %, and where the limit is unknown", () => {
    const off = setUp(new TestKit({ node: { memoryHighWatermark: 0 } }));
    expect(off.at(999)).toBe("normal");
    const unknown = setUp(new TestKit(), new Gauge(0));
    expect(unknown.at(999)).toBe("normal");
  });

  test("a limit of one's own stands below the machine's, never above", () => {
    const { kit, at } = setUp();
    kit.node.memoryLimit = 100 * MIB;
    expect(at(70)).toBe("high");
    kit.node.memoryLimit = 5000 * MIB;
    expect(at(500)).toBe("normal");
    expect(at(700)).toBe("high");
  });

  test("what may be garbage is collected before it matters: when there is more than there was, once a second at most", () => {
    const { at, gauge } = setUp();
    at(629, 5000);
    expect(gauge.collected).toBe(0);
    at(630, 5000);
    expect(gauge.collected).toBe(1);
    // It was not garbage: what is added since may be.
    at(692, 5000);
    expect(gauge.collected).toBe(1);
    at(693, 100);
    expect(gauge.collected).toBe(2);
    // It was garbage: as much as before may be again, but not at once.
    at(500, 100);
    at(600, 3900);
    expect(gauge.collected).toBe(2);
    at(630, 5000);
    expect(gauge.collected).toBe(3);
  });

  test("twice as seldom after each collection that freed less than half of it; at once again after one that freed more", () => {
    const { at, gauge } = setUp();
    const times: number[] = [];
    let now = 0;
    let frees = 0;
    gauge.collect = () => {
      times.push(now);
      gauge.used -= frees;
    };
    /** Memory that comes and goes by 100 MiB, for so many seconds. */
    const swing = (seconds: number): number[] => {
      times.length = 0;
      for (const end = now + seconds; now < end; now++) {
        at(560, 500);
        at(660, 500);
      }
      return [...times];
    };
    expect(swing(70)).toEqual([0, 2, 6, 14, 30, 62]);
    frees = 49 * MIB;
    // … and never more seldom than once in 64 times.
    expect(swing(200)).toEqual([126, 190, 254]);
    frees = 51 * MIB;
    expect(swing(70).slice(0, 4)).toEqual([318, 319, 320, 321]);
  });

  test("… but when it is critical no rest is kept: there is no time to lose", () => {
    const { at, gauge } = setUp();
    for (let i = 0; i < 8; i++) {
      at(560, 500);
      at(660, 500);
    }
    const { collected } = gauge;
    at(849, 1000);
    expect(gauge.collected).toBe(collected);
    at(850, 100);
    expect(gauge.collected).toBe(collected + 1);
    at(850, 5000);
    expect(gauge.collected).toBe(collected + 1);
    at(913, 100);
    expect(gauge.collected).toBe(collected + 2);
  });

  test("garbage that is gone after the collection never was a shortage", () => {
    const { at, gauge } = setUp();
    gauge.collect = () => {
      gauge.used = 400 * MIB;
    };
    expect(at(900)).toBe("normal");
  });

  test("a collection that takes long is not made again at once", () => {
    const { kit, at, gauge } = setUp();
    const { collect } = gauge;
    gauge.collect = () => {
      kit.clock.time += 300;
      collect.call(gauge);
    };
    at(850, 100);
    expect(gauge.collected).toBe(1);
    at(920, 5900);
    expect(gauge.collected).toBe(1);
    at(920, 200);
    expect(gauge.collected).toBe(2);
  });
});

describe("the alarm", () => {
  test("says after a second what holds the memory, and is cleared with the shortage", () => {
    const kit = new TestKit();
    const { at } = setUp(kit, new Gauge(300 * MIB, true));
    kit.broker.memory.provide("retained", () => 120 * MIB);
    kit.broker.memory.provide("sessions", () => 2 * MIB);
    at(220, 500);
    expect(kit.alarms.present()).toEqual([]);
    at(220, 1000);
    expect(kit.alarms.present()).toMatchObject([
      {
        id: "node_memory_high_watermark",
        desc: "220.0 MB in use, 73 % of the 300.0 MB of the container, level high: retained 120.0 MB, sessions 2.0 MB, queues 0.0 MB, buffers 0.0 MB",
      },
    ]);
    at(260);
    expect(kit.alarms.present()[0]?.desc).toContain("level critical");
    kit.node.memoryLimit = 280 * MIB;
    at(200);
    expect(kit.alarms.present()[0]?.desc).toStartWith("200.0 MB in use, 71 % of the 280.0 MB of node.memory_limit, level high: ");
    at(100);
    expect(kit.alarms.present()).toEqual([]);
    expect(kit.log.errors).toEqual([]);
  });

  test("a moment of garbage is none", () => {
    const { kit, at } = setUp();
    at(720, 900);
    at(300);
    at(720, 900);
    expect(kit.alarms.present()).toEqual([]);
  });
});

describe("above the watermark", () => {
  const codeOf = (c: TestClient): unknown => {
    const [p] = c.take();
    return p?.cmd === "connack" ? (p.reasonCode ?? p.returnCode) : p;
  };

  test("new sessions are refused with 0x97, in MQTT 3 with 3; whoever has one comes back and empties it", () => {
    const { kit, at } = setUp();
    kit.connected("old", 4, { clean: false }).subscribe("t", 1).drop();
    kit.connected("p").publish("t", "x", 1);
    at(700);
    expect(codeOf(kit.client(5).connect("new5"))).toBe(0x97);
    expect(codeOf(kit.client(4).connect("new4"))).toBe(3);
    expect(codeOf(kit.client(3).connect("new3"))).toBe(3);
    const old = kit.client().connect("old", { clean: false });
    expect(codeOf(old)).toBe(0);
    expect(kit.metrics.extra()["sessions/refused"]).toBe(3);
    expect(Object.fromEntries(kit.listener.shutdowns)).toMatchObject({ quota_exceeded: 1, server_unavaliable: 2 });
    at(100);
    expect(codeOf(kit.client(4).connect("new4"))).toBe(0);
  });

  test("who is not allowed in hears that, not how the node is", () => {
    const { kit, at } = setUp(new TestKit({ zone: { allowAnonymous: false } }));
    at(700);
    expect(codeOf(kit.client(5).connect("c"))).toBe(0x87);
  });

  test("publishers are read slowly, all together, and subscribers as ever", () => {
    const { kit, at } = setUp();
    const s = kit.connected("s").subscribe("t");
    const a = kit.connected("a");
    const b = kit.connected("b");
    at(700);
    s.take();
    a.publish("t", Buffer.alloc(MIB - 100));
    b.publish("t", Buffer.alloc(MIB - 100));
    expect(s.messages()).toHaveLength(2);
    expect([a.transport.paused, b.transport.paused]).toEqual([true, true]);
    // 8 MiB a second for both: an eighth of a second for the first, two for the second.
    kit.pass(200);
    expect([a.transport.paused, b.transport.paused]).toEqual([false, true]);
    kit.pass(200);
    expect(b.transport.paused).toBe(false);
    s.send({ cmd: "pingreq" });
    expect(s.transport.paused).toBe(false);
  });

  test("when it is critical a short message that goes into many queues costs what it takes in them", () => {
    const { kit, at } = setUp();
    for (let i = 0; i < 200; i++) kit.connected(`away${i}`, 4, { clean: false }).subscribe("t", 1).disconnect();
    const p = kit.connected("p");
    const pause = (mib: number): number => {
      at(mib);
      const began = kit.clock.time;
      p.raw(Buffer.concat(Array.from({ length: 50 }, () => Buffer.from([0x32, 6, 0, 1, 0x74, 0, 1, 0x78]))));
      while (p.transport.paused) kit.pass(100);
      return kit.clock.time - began;
    };
    expect(pause(100)).toBe(0);
    // 8 MiB a second: nothing to speak of. 1 MiB a second: 10,000 places in queues of 48 bytes each.
    expect(pause(800)).toBeLessThanOrEqual(100);
    expect(pause(900)).toBeGreaterThanOrEqual(400);
    // Another one's message into no queue: paid is paid.
    kit.connected("other");
    expect(kit.broker.memory.pauseFor(0)).toBe(0);
  });

  test("a large packet that does not end is read slowly too", () => {
    const { kit, at } = setUp();
    const c = kit.connected("c");
    at(900);
    c.raw(Buffer.concat([Buffer.from([0x30, 0x80, 0x80, 0x3c, 0, 1, 0x74]), Buffer.alloc(100_000)]));
    expect(c.transport.paused).toBe(true);
    expect(kit.broker.memory.bytes().buffers).toBeGreaterThan(100_000);
    c.drop();
    expect(kit.broker.memory.bytes().buffers).toBe(0);
  });

  test("a client that is not read is not silent: keep alive waits", () => {
    const { kit, at } = setUp();
    const c = kit.connected("c", 4, { keepalive: 2 });
    at(900);
    // Others have sent before: its turn comes after theirs.
    kit.broker.memory.pauseFor(8 * MIB);
    c.publish("t", Buffer.alloc(MIB - 100));
    expect(c.transport.paused).toBe(true);
    at(900, 5000);
    expect(c.transport.paused).toBe(true);
    expect(c.transport.ended).toBe(false);
    kit.pass(60_000);
    expect(c.transport.ended).toBe(true);
  });

  test("much input is looked at before the next tick", () => {
    const { kit, gauge } = setUp();
    const c = kit.connected("c");
    gauge.used = 900 * MIB;
    for (let i = 0; i < 31; i++) c.publish("t", Buffer.alloc(MIB - 100));
    expect(kit.broker.memory.level).toBe("normal");
    c.publish("t", Buffer.alloc(MIB - 100));
    expect(kit.broker.memory.level).toBe("critical");
  });

  test("clients that do not read hold an eighth of the memory together, and then nothing more than what is under way", () => {
    const { kit } = setUp(new TestKit(), new Gauge(16 * MIB));
    const deaf = Array.from({ length: 20 }, (_, i) => kit.connected(`d${i}`).subscribe("t"));
    for (const d of deaf) d.transport.room = 0;
    const p = kit.connected("p");
    for (let i = 0; i < 100; i++) p.publish("t", Buffer.alloc(100_000));
    expect(kit.broker.memory.bytes().buffers).toBeGreaterThan(2 * MIB - 100_000);
    expect(kit.broker.memory.bytes().buffers).toBeLessThan(2 * MIB + 20 * 101_000);
    expect(kit.metrics.dropSlowReader).toBeGreaterThan(1000);
    for (const d of deaf) {
      d.transport.room = Number.POSITIVE_INFINITY;
      d.channel.onDrain();
    }
    kit.settle();
    expect(kit.broker.memory.bytes().buffers).toBe(0);
    p.publish("t", "again");
    expect(deaf.every((d) => d.messages().at(-1)?.payload === "again")).toBe(true);
    deaf[0]?.drop();
    expect(kit.broker.memory.bytes().buffers).toBe(0);
  });

  test("critical: queues do not grow, the oldest goes and is counted", () => {
    const { kit, at } = setUp();
    kit.connected("s", 4, { clean: false }).subscribe("t", 1).drop();
    const p = kit.connected("p");
    for (let i = 0; i < 3; i++) p.publish("t", `old${i}`, 1);
    const before = kit.broker.held.bytes;
    at(850);
    for (let i = 0; i < 5; i++) p.publish("t", `new${i}`, 1);
    expect(kit.broker.held.bytes).toBe(before);
    expect(kit.metrics.extra()["delivery/dropped/memory"]).toBe(5);
    at(100);
    const s = kit.client().connect("s", { clean: false });
    expect(s.messages().map((m) => m.payload)).toEqual(["new2", "new3", "new4"]);
    expect(kit.broker.held.full).toBe(false);
  });
});

test("every kind has a figure", () => {
  const { kit, memory } = setUp();
  kit.connected("s", 4, { clean: false }).subscribe("t", 1).drop();
  kit.connected("p").publish("t", "x", 1);
  const bytes = memory.bytes();
  expect(Object.keys(bytes)).toEqual([...MEMORY_KINDS]);
  expect(bytes.queues).toBeGreaterThan(0);
  expect(bytes.sessions).toBeGreaterThan(0);
  expect(bytes.retained).toBe(0);
});

test("what grows by itself is looked at before the next tick: input, and what waits for receivers of little input", () => {
  for (const [what, size, fan] of [
    ["input", 1000_000, 0],
    ["waiting", 10, 50],
  ] as const) {
    const { kit, gauge, memory } = setUp(new TestKit({ zone: { maxMqueueLen: 0 } }), new Gauge(100 * MIB));
    for (let i = 0; i < fan; i++) kit.connected(`away${i}`, 4, { clean: false }).subscribe("t", 1).drop();
    const p = kit.connected("p");
    gauge.used = 75 * MIB;
    let n = 0;
    for (; memory.level === "normal" && n < 2000; n++) p.publish("t", Buffer.alloc(size), 1);
    // Some 3 MiB more of either.
    expect([what, memory.level]).toEqual([what, "high"]);
    expect(n * size + kit.broker.held.bytes).toBeLessThan(5 * MIB);
  }
});

test("sessions of many subscriptions get no more while memory is short; few, and those they have, are no matter", () => {
  const { kit, at } = setUp();
  const codes = (c: TestClient): unknown => c.take().find((p) => p.cmd === "suback")?.granted;
  const [v5, v4, few] = [kit.connected("v5", 5), kit.connected("v4", 4), kit.connected("few", 4)];
  for (let i = 0; i < 64; i++) for (const c of [v5, v4]) c.subscribe(`t/${i}`);
  for (const c of [v5, v4]) c.take();
  at(750);
  expect([v5, v4, few].map((c) => codes(c.subscribe("new", 1)))).toEqual([[0x97], [0x80], [1]]);
  expect([v5, v4].map((c) => codes(c.subscribe("t/1", 1)))).toEqual([[1], [1]]);
  // Whoever asks is slowed down as a publisher is.
  expect([v5, v4, few].map((c) => c.transport.paused)).toEqual([true, true, true]);
  at(100, 1000);
  expect([v5, v4].map((c) => codes(c.subscribe("new", 1)))).toEqual([[1], [1]]);
});
