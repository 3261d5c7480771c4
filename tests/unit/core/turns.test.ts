/** One client's long chunk does not hold the turn: what is left of it waits, in order, until the others have had theirs. */
import { describe, expect, test } from "bun:test";
import mqttPacket from "mqtt-packet";
import { TestKit } from "../../support/test_broker.ts";

/** Each published message takes `ms` of the clock. */
function slow(ms: number): TestKit {
  const kit = new TestKit();
  kit.hooks.add("message.publish", "slow", (m) => {
    kit.clock.time += ms;
    return m;
  });
  return kit;
}
const publishes = (topic: string, n: number): Buffer =>
  Buffer.concat(
    Array.from({ length: n }, (_, i) =>
      mqttPacket.generate({ cmd: "publish", topic, payload: String(i).padEnd(126), qos: 0, dup: false, retain: false }),
    ),
  );
const turn = async (kit: TestKit): Promise<void> => {
  kit.settle();
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

describe("a long chunk", () => {
  test("is cut after its share of the turn; its connection is not read meanwhile, others are served, nothing is lost or reordered", async () => {
    const kit = slow(1);
    const s = kit.connected("s").subscribe("#");
    const p = kit.connected("p");
    s.take();
    p.channel.onData(publishes("t", 100));
    const seen = s.messages().map((m) => m.payload.trim());
    expect(seen.length).toBeGreaterThanOrEqual(8);
    expect(seen.length).toBeLessThanOrEqual(48);
    expect(p.transport.paused).toBe(true);
    expect(kit.broker.inputBytes).toBeGreaterThan(0);
    kit.connected("other").publish("o", "hello");
    seen.push(...s.messages().map((m) => m.payload.trim()));
    expect(seen).toContain("hello");
    for (let turns = 0; p.transport.paused; turns++) {
      expect(turns).toBeLessThan(30);
      await turn(kit);
      seen.push(...s.messages().map((m) => m.payload.trim()));
    }
    expect(seen.filter((x) => x !== "hello")).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
    expect(kit.broker.inputBytes).toBe(0);
    expect(kit.log.errors).toEqual([]);
  });

  test("of acknowledgements is no different", async () => {
    const kit = new TestKit();
    kit.zone.maxInflight = 0;
    const s = kit.connected("s").subscribe("t", 1);
    const p = kit.connected("p");
    for (let i = 1; i <= 10_000; i++) p.publish("t", String(i), 1, { messageId: i });
    const acked: string[] = [];
    kit.hooks.add("message.acked", "slow", (_id, m) => {
      kit.clock.time += 0.01;
      acked.push(Buffer.from(m.payload).toString());
    });
    s.channel.onData(Buffer.from(Array.from({ length: 10_000 }, (_, i) => [0x40, 2, (i + 1) >> 8, (i + 1) & 255]).flat()));
    expect(acked.length).toBeLessThan(5000);
    expect(s.transport.paused).toBe(true);
    for (let turns = 0; s.transport.paused; turns++) {
      expect(turns).toBeLessThan(100);
      await turn(kit);
    }
    expect(acked).toEqual(Array.from({ length: 10_000 }, (_, i) => String(i + 1)));
    expect([kit.metrics.pubackReceived, kit.broker.inputBytes]).toEqual([10_000, 0]);
  });

  test("in a turn in which others have worked already it gets a kilobyte", async () => {
    const kit = slow(3);
    const s = kit.connected("s").subscribe("#");
    const [a, b] = [kit.connected("a"), kit.connected("b")];
    s.take();
    a.channel.onData(publishes("a", 40));
    b.channel.onData(publishes("b", 40));
    kit.broker.output.pool.flushAll();
    // Of 131 bytes each.
    expect(s.messages().filter((m) => m.topic === "b")).toHaveLength(8);
    for (let turns = 0; a.transport.paused || b.transport.paused; turns++) {
      expect(turns).toBeLessThan(30);
      await turn(kit);
    }
    expect(kit.metrics.qos0Received).toBe(80);
  });

  test("many short ones in a busy turn are as much as a long one: those that come when it has had its share get a kilobyte each", async () => {
    const kit = new TestKit();
    const all = Array.from({ length: 20 }, (_, i) => kit.connected(`p${i}`));
    kit.connected("s").subscribe("t");
    for (const p of all) p.channel.onData(publishes("t", 1));
    kit.settle();
    const before = kit.metrics.qos0Received;
    const paused = (): number => all.filter((p) => p.transport.paused).length;
    for (const p of all) {
      // Of 8 KB, nothing of it counted: to one receiver who wants the bytes as they are.
      p.channel.onData(publishes("t", 62));
      kit.clock.time += 2;
    }
    // 10 ms are over with the sixth; two of them fit between two looks.
    expect(paused()).toBeGreaterThanOrEqual(11);
    expect(paused()).toBeLessThanOrEqual(14);
    expect(kit.metrics.qos0Received - before).toBe((20 - paused()) * 62 + paused() * 8);
    for (let turns = 0; paused() > 0; turns++) {
      expect(turns).toBeLessThan(5);
      await turn(kit);
    }
    expect(kit.metrics.qos0Received - before).toBe(20 * 62);
    all[0]?.channel.onData(publishes("t", 62));
    expect(paused()).toBe(0);
  });

  test("a short one is never cut; what a client has sent before it leaves is handled, of one that is sent away nothing more is", async () => {
    const kit = slow(1000);
    const p = kit.connected("p");
    p.channel.onData(publishes("t", 7));
    expect(p.transport.paused).toBe(false);
    p.channel.onData(publishes("t", 100));
    expect(p.transport.paused).toBe(true);
    p.drop();
    expect(kit.broker.connections).toBe(1);
    for (let turns = 0; kit.broker.connections > 0; turns++) {
      expect(turns).toBeLessThan(20);
      await turn(kit);
    }
    expect([kit.metrics.qos0Received, kit.broker.inputBytes]).toEqual([107, 0]);
    const q = kit.connected("q");
    q.channel.onData(publishes("t", 100));
    const before = kit.metrics.qos0Received;
    kit.broker.kick("q");
    q.drop();
    await turn(kit);
    await turn(kit);
    expect([kit.metrics.qos0Received, kit.broker.connections, kit.broker.inputBytes]).toEqual([before, 0, 0]);
  });

  test("is cut too before its output to many is more than may wait", async () => {
    const kit = new TestKit();
    kit.broker.output.pool.budget = 1_000_000;
    for (let i = 0; i < 10; i++) kit.connected(`s${i}`).subscribe("t");
    const large = mqttPacket.generate({ cmd: "publish", topic: "t", payload: Buffer.alloc(40_000), qos: 0, dup: false, retain: false });
    const p = kit.connected("p");
    p.channel.onData(Buffer.concat(Array.from({ length: 10 }, () => large)));
    expect(kit.metrics.qos0Received).toBe(3);
    for (let turns = 0; p.transport.paused; turns++) {
      expect(turns).toBeLessThan(10);
      await turn(kit);
    }
    expect(kit.metrics.qos0Received).toBe(10);
  });

  for (const [receivers, messages, cut] of [
    [16, 100, false],
    [17, 100, true],
  ] as const) {
    test(`${messages} short messages to ${receivers} receivers each ${cut ? "are work enough for a look at the clock" : "are not"}`, async () => {
      const kit = new TestKit();
      for (let i = 0; i < receivers; i++) kit.connected(`s${i}`).subscribe("t");
      const p = kit.connected("p").publish("t");
      // Every look finds the share used up.
      const { mono } = kit.clock;
      let late = 0;
      kit.clock.mono = () => (mono() + 20 * late++) as ReturnType<typeof mono>;
      const one = mqttPacket.generate({ cmd: "publish", topic: "t", payload: "x", qos: 0, dup: false, retain: false });
      p.channel.onData(Buffer.concat(Array.from({ length: messages }, () => one)));
      expect(p.transport.paused).toBe(cut);
      if (cut) expect(kit.metrics.qos0Received).toBeLessThan(1 + messages);
      for (let turns = 0; p.transport.paused; turns++) {
        expect(turns).toBeLessThan(10);
        await turn(kit);
      }
      expect(kit.metrics.qos0Received).toBe(1 + messages);
    });
  }

  for (const [what, groups, members, qos] of [
    ["many groups", 1000, 1, 0],
    ["many groups", 1000, 1, 1],
    ["a group of many who cannot take it", 1, 1000, 0],
  ] as const) {
    test(`of messages with QoS ${qos} to ${what} is cut between two of them`, async () => {
      const kit = new TestKit();
      const all = Array.from({ length: members }, (_, i) => kit.connected(`s${i}`));
      for (const s of all) for (let g = 0; g < groups; g++) s.subscribe(`$share/g${g}/t`);
      if (members > 1) for (const s of all) s.channel.out.blocked = true;
      const p = kit.connected("p").publish("t", "x", qos);
      // Every look finds the share used up.
      const { mono } = kit.clock;
      let late = 0;
      kit.clock.mono = () => (mono() + 20 * late++) as ReturnType<typeof mono>;
      const one = mqttPacket.generate({ cmd: "publish", topic: "t", payload: "x", qos, dup: false, retain: false, messageId: 1 });
      p.channel.onData(Buffer.concat(Array.from({ length: 10 }, () => one)));
      expect(p.transport.paused).toBe(true);
      const at = (): number => kit.metrics.qos0Received + kit.metrics.qos1Received - 1;
      expect(at()).toBeLessThan(4);
      for (let turns = 0; p.transport.paused; turns++) {
        expect(turns).toBeLessThan(20);
        await turn(kit);
      }
      expect(at()).toBe(10);
    });
  }

  test("while time stands still nothing is cut", () => {
    const kit = new TestKit();
    const s = kit.connected("s").subscribe("#");
    s.take();
    const p = kit.connected("p");
    p.raw(publishes("t", 1000));
    expect(s.messages()).toHaveLength(1000);
  });
});

describe("what time it is", () => {
  test("a busy turn takes it once, for all its chunks; the next turn takes it anew", () => {
    const kit = new TestKit();
    const all = ["a", "b", "c", "d"].map((id) => kit.connected(id));
    const one = publishes("t", 1);
    const heard = (): number[] => all.map((x) => x.channel.lastRecv - began);
    const feed = (): void => {
      for (const x of all) {
        x.channel.onData(one);
        kit.clock.time += 5;
      }
    };
    // Chunks enough for the broker to see that its turns are busy.
    for (let i = 0; i < 16; i++) feed();
    kit.settle();
    let began = kit.clock.mono();
    feed();
    expect(heard()).toEqual([0, 0, 0, 0]);
    expect([kit.broker.mono - began, kit.broker.now]).toEqual([0, kit.clock.time - 20]);
    kit.settle();
    began = kit.clock.mono();
    feed();
    expect(heard()).toEqual([0, 0, 0, 0]);
  });

  test("while little happens every chunk has its own", () => {
    const kit = new TestKit();
    const p = kit.connected("p");
    for (let i = 0; i < 40; i++) {
      kit.clock.time += 5;
      p.raw(publishes("t", 1));
      expect(p.channel.lastRecv).toBe(kit.clock.mono());
    }
  });
});

describe("what is due at a tick", () => {
  /** Sessions that expire together, after 100 s; each end takes a ms. `ended`: who, and when the turn began in which it was. */
  function expiring(n: number): { kit: TestKit; ended: { id: string; turn: number }[] } {
    const kit = new TestKit();
    for (let i = 0; i < n; i++) kit.connected(`s${i}`, 5, { properties: { sessionExpiryInterval: 100 } }).drop();
    const ended: { id: string; turn: number }[] = [];
    kit.hooks.add("session.terminated", "slow", (id) => {
      ended.push({ id, turn: kit.broker.mono });
      kit.clock.time++;
    });
    kit.pass(99_000);
    kit.clock.time += 1500;
    return { kit, ended };
  }
  const order = (n: number): string[] => Array.from({ length: n }, (_, i) => `s${i}`);

  test("runs in slices, in order: the tick's turn has one, each turn behind it the next", () => {
    const { kit, ended } = expiring(100);
    kit.broker.tick();
    expect(ended.length).toBeGreaterThanOrEqual(5);
    expect(ended.length).toBeLessThanOrEqual(12);
    // The time that chunks have begins behind it.
    expect(kit.broker.mono).toBe(kit.clock.mono());
    // A tick that comes meanwhile changes nothing about it.
    kit.broker.tick();
    expect(ended.length).toBeLessThanOrEqual(12);
    kit.settle();
    expect(ended.map((e) => e.id)).toEqual(order(100));
    const turns = Map.groupBy(ended, (e) => e.turn);
    expect(turns.size).toBeGreaterThanOrEqual(9);
    for (const slice of turns.values()) expect(slice.length).toBeLessThanOrEqual(12);
    expect(kit.log.errors).toEqual([]);
  });

  test("while time stands still it is all done in the tick", () => {
    const kit = new TestKit();
    const ran: number[] = [];
    for (let i = 0; i < 10_000; i++) kit.broker.after(100, () => ran.push(i));
    kit.clock.time += 100;
    kit.broker.tick();
    expect(ran).toHaveLength(10_000);
  });

  test("what a slice plans waits for the next tick, also when its time has come before the last slice", () => {
    const kit = new TestKit();
    const ran: string[] = [];
    const slow = (what: string): void => {
      ran.push(what);
      kit.clock.time += 8;
    };
    kit.broker.after(100, () => {
      slow("a");
      kit.broker.after(0, () => slow("new"));
    });
    for (const what of ["b", "c", "d", "e"]) kit.broker.after(100, () => slow(what));
    kit.clock.time += 100;
    kit.broker.tick();
    expect(ran).toEqual(["a", "b"]);
    kit.settle();
    expect(ran).toEqual(["a", "b", "c", "d", "e"]);
    kit.pass(100);
    expect(ran.at(-1)).toBe("new");
  });

  test("the node stops in between: no session ends any more, and all that are left have their rows", () => {
    const { kit, ended } = expiring(100);
    kit.broker.tick();
    const n = ended.length;
    kit.broker.shutdown();
    kit.settle();
    expect(ended).toHaveLength(n);
    expect(kit.broker.sessions.size).toBe(100 - n);
    const again = new TestKit({ store: kit.store, clock: kit.clock });
    expect(again.broker.registry.restore()).toBe(100 - n);
    again.pass(200);
    expect(again.broker.sessions.size).toBe(0);
  });

  /** Connections silent beyond their keep alive; to end each takes a ms. */
  function silent(n: number): { kit: TestKit; ended: { id: string; turn: number }[] } {
    const kit = new TestKit();
    for (let i = 0; i < n; i++) kit.connected(`s${i}`, 4, { keepalive: 10 });
    const ended: { id: string; turn: number }[] = [];
    kit.hooks.add("client.disconnected", "slow", (client) => {
      ended.push({ id: client.clientId, turn: kit.broker.mono });
      kit.clock.time++;
    });
    kit.pass(14_000);
    kit.clock.time += 1600;
    return { kit, ended };
  }

  test("looks at connections in slices; one that is gone, or heard of, meanwhile is let be", () => {
    const { kit, ended } = silent(100);
    const [gone, heard] = [kit.broker.sessions.get("s98")?.channel, kit.broker.sessions.get("s99")?.channel];
    kit.broker.tick();
    expect(ended.length).toBeLessThanOrEqual(12);
    gone?.onClose("closed");
    heard?.onData(Uint8Array.of(0xc0, 0));
    kit.settle();
    expect(kit.metrics.keepaliveTimeouts).toBe(98);
    expect([...kit.broker.sessions.keys()]).toEqual(["s99"]);
    expect(kit.broker.planned.visits).toBe(1);
    expect(Map.groupBy(ended, (e) => e.turn).size).toBeGreaterThanOrEqual(9);
  });

  test("a halt between two slices: what clients have sent meanwhile is read before the rest is judged", () => {
    const { kit, ended } = silent(100);
    kit.broker.tick();
    const n = ended.length;
    kit.clock.time += 5000;
    kit.settle();
    expect(ended).toHaveLength(n);
    const left = [...kit.broker.sessions.values()];
    for (const { channel } of left) channel?.onData(Uint8Array.of(0xc0, 0));
    kit.pass(3000);
    expect(kit.broker.sessions.size).toBe(left.length);
  });
});
