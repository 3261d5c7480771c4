/** Clients that behave badly cost themselves, not the others: memory stays bounded, a healthy client is served all the time. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Packet } from "mqtt-packet";
import mqttPacket from "mqtt-packet";
import { connectPacket, RawClient, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";

const MB = 1024;
/** A healthy client waits so long at most for what the broker does for the others, ms of processor time; 5 to 40 are usual. */
const WORST_MS = 500;

let baomq: Installation;
let broker: RunningBroker;
beforeAll(() => {
  baomq = new Installation();
});
afterAll(() => baomq.remove());
afterEach(async () => {
  expect(await broker.stop()).toBe(0);
  expect(broker.complaints).toEqual([]);
});

async function start(data: string, set: Record<string, string> = {}): Promise<number> {
  broker = await baomq.start({ data, set: { "listener.tcp.external.max_conn_rate": "0", ...set } });
  return broker.ports.tcp;
}

/**
 * A client that sends itself a QoS 1 message now and then. How long one took is measured in what the broker did meanwhile, ms of its
 * processor time: how long it was kept waiting by others, whatever else the machine has to do.
 */
class Healthy {
  worst = 0;
  rounds = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  static async open(port: number): Promise<Healthy> {
    const h = new Healthy();
    const c = await RawClient.connected(port, "healthy", 5);
    await c.subscribe("healthy/own", 1);
    h.#running = h.#run(c);
    return h;
  }

  async #run(c: RawClient): Promise<void> {
    while (!this.#stopped) {
      const before = broker.busyMs();
      c.publish("healthy/own", "x", 1, 1);
      const p = await c.next("publish");
      c.send({ cmd: "puback", messageId: p.messageId ?? 0 } as Packet);
      this.worst = Math.max(this.worst, broker.busyMs() - before);
      this.rounds++;
      await Bun.sleep(10);
    }
    c.drop();
  }

  /** Rethrows what went wrong. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

const publishBytes = (topic: string, payload: Buffer, qos: 0 | 1 = 0): Buffer =>
  mqttPacket.generate({ cmd: "publish", topic, payload, qos, dup: false, retain: false, ...(qos === 1 ? { messageId: 1 } : {}) } as Packet);

/** Writes as fast as the broker reads, until it is enough. */
async function pour(c: RawClient, chunk: Buffer, enough: () => boolean): Promise<void> {
  while (!enough() && !c.closed) {
    if (c.socket.writableLength > 4 * 1024 * 1024) {
      await Bun.sleep(1);
      continue;
    }
    c.socket.write(chunk);
    await Bun.sleep(0);
  }
}
/** Bytes that have left this process. */
const gone = (c: RawClient): number => c.socket.bytesWritten - c.socket.writableLength;

describe("slow readers", () => {
  test("a subscriber that stops reading: QoS 0 for it is dropped, the others get all", async () => {
    const port = await start("slow", { "listener.tcp.external.send_timeout": "10m" });
    const healthy = await Healthy.open(port);
    const slow = await RawClient.connected(port, "slow");
    await slow.subscribe("flood");
    slow.socket.pause();
    const other = await RawClient.connected(port, "other");
    await other.subscribe("flood");
    let received = 0;
    other.onPacket = () => received++;
    const publisher = await RawClient.connected(port, "publisher");
    const before = broker.rss();
    const message = publishBytes("flood", Buffer.alloc(10_000, 1));
    // 100 MB: far more than the kernel's buffers and the broker's bound together.
    const count = 10_000;
    for (let i = 0; i < count; i += 20) {
      publisher.socket.write(Buffer.concat(new Array<Buffer>(20).fill(message)));
      await until(() => received >= i - 40, "the other subscriber keeps up");
    }
    await until(() => received === count, "every message at the other subscriber");
    expect(broker.rss() - before).toBeLessThan(60 * MB);
    await healthy.stop();
    expect(healthy.worst).toBeLessThan(WORST_MS);
    // It is alive again as soon as it reads.
    slow.socket.resume();
    await slow.ping();
    for (const c of [slow, other, publisher]) c.drop();
  });

  test("a QoS 1 subscriber that never acknowledges: its window, then its queue, then the oldest go", async () => {
    const port = await start("window", { "zone.external.max_mqueue_len": "500", "zone.external.max_inflight": "20" });
    const healthy = await Healthy.open(port);
    const greedy = await RawClient.connected(port, "greedy", 4, { clean: false });
    await greedy.subscribe("queue/#", 1);
    let sent = 0;
    greedy.onPacket = () => sent++;
    const publisher = await RawClient.connected(port, "publisher");
    let acks = 0;
    publisher.onPacket = () => acks++;
    const before = broker.rss();
    const chunk = Buffer.concat(new Array<Buffer>(50).fill(publishBytes("queue/a", Buffer.alloc(2000, 1), 1)));
    const total = 20_000;
    for (let i = 0; i < total; i += 50) {
      publisher.socket.write(chunk);
      await until(() => acks >= i, "acknowledgements");
    }
    await until(() => acks === total, "every acknowledgement");
    expect(sent).toBe(20);
    expect(broker.rss() - before).toBeLessThan(100 * MB);
    await healthy.stop();
    expect(healthy.worst).toBeLessThan(WORST_MS);
    greedy.drop();
    // The newest 500 are what is left, after the window.
    const back = await RawClient.connected(port, "greedy", 4, { clean: false });
    let again = 0;
    back.onPacket = (p) => {
      if (p.cmd !== "publish") return;
      again++;
      back.send({ cmd: "puback", messageId: p.messageId ?? 0 } as Packet);
    };
    for (const p of back.inbox.splice(0)) back.onPacket(p);
    await until(() => again === 520, "window and queue");
    back.drop();
    publisher.drop();
  });

  test("a client that asks and does not read the answers is not read any more", async () => {
    const port = await start("ping");
    const healthy = await Healthy.open(port);
    const rude = await RawClient.connected(port, "rude");
    rude.socket.pause();
    const before = broker.rss();
    const pings = Buffer.alloc(64 * 1024, Buffer.from([0xc0, 0]));
    // Until nothing of it is read during twenty rounds of the healthy one: what it can send is bounded by the buffers on the way.
    let read = -1;
    let since = 0;
    await pour(rude, pings, () => {
      if (gone(rude) !== read) {
        read = gone(rude);
        since = healthy.rounds;
      }
      return healthy.rounds - since >= 20;
    });
    expect(rude.closed).toBe(false);
    expect(read).toBeLessThan(64 * 1024 * 1024);
    expect(broker.rss() - before).toBeLessThan(60 * MB);
    await healthy.stop();
    expect(healthy.worst).toBeLessThan(WORST_MS);
    rude.drop();
  });
});

describe("floods", () => {
  test("publishers that send as fast as they can, to nobody and to everybody", async () => {
    const port = await start("flood");
    const healthy = await Healthy.open(port);
    const reader = await RawClient.connected(port, "reader");
    await reader.subscribe("all");
    reader.onPacket = () => {};
    const before = broker.rss();
    const publishers = await Promise.all(Array.from({ length: 4 }, (_, i) => RawClient.connected(port, `flood${i}`)));
    const chunks = ["all", "nobody"].map((t) => Buffer.concat(new Array<Buffer>(300).fill(publishBytes(t, Buffer.alloc(200, 1)))));
    const enough = (): boolean => healthy.rounds >= 50 && publishers.every((p) => gone(p) >= 20 * 1024 * 1024);
    await Promise.all(publishers.map((p, i) => pour(p, chunks[i % 2] as Buffer, enough)));
    expect(publishers.some((p) => p.closed)).toBe(false);
    expect(broker.rss() - before).toBeLessThan(120 * MB);
    await healthy.stop();
    expect(healthy.worst).toBeLessThan(WORST_MS);
    for (const c of [...publishers, reader]) c.drop();
  });

  test("publish_limit slows a client down to its rate and nobody else", async () => {
    const port = await start("limit", { "zone.external.publish_limit": "100,1s" });
    const fast = await RawClient.connected(port, "fast");
    let acks = 0;
    fast.onPacket = () => acks++;
    const t0 = performance.now();
    fast.send(Buffer.concat(new Array<Buffer>(300).fill(publishBytes("limited", Buffer.from("x"), 1))));
    const other = await RawClient.connected(port, "other");
    await other.ping();
    // What came in one piece is handled; what comes after it has to wait until the rate is kept.
    for (let n = 300; n < 303; n++) {
      await until(() => acks === n, `acknowledgement ${n}`);
      fast.send(publishBytes("limited", Buffer.from("x"), 1));
    }
    await until(() => acks === 303, "the last acknowledgement");
    expect(performance.now() - t0).toBeGreaterThan(1800);
    fast.drop();
    other.drop();
  });

  test("retained messages by the thousand, and a subscriber to all of them", async () => {
    const port = await start("retained");
    const healthy = await Healthy.open(port);
    const publisher = await RawClient.connected(port, "publisher");
    const before = broker.rss();
    const count = 20_000;
    for (let i = 0; i < count; i += 500) {
      const batch = Array.from({ length: 500 }, (_, k) => ({
        cmd: "publish" as const,
        topic: `retained/${(i + k) % 100}/${i + k}`,
        payload: Buffer.alloc(200, 1),
        qos: 0 as const,
        retain: true,
        dup: false,
      }));
      publisher.send(...batch);
      await publisher.ping();
    }
    expect(broker.rss() - before).toBeLessThan(100 * MB);
    const all = await RawClient.open(port);
    let seen = 0;
    all.onPacket = (p) => {
      if (p.cmd === "publish" && p.retain) seen++;
    };
    all.send(connectPacket(4, "all"), { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "retained/#", qos: 0 }] } as Packet);
    await until(() => seen === count, "every retained message");
    await healthy.stop();
    expect(healthy.worst).toBeLessThan(WORST_MS);
    all.drop();
    publisher.drop();
  });
});

describe("connections", () => {
  test("2,000 idle ones, each with a subscription", async () => {
    const port = await start("idle");
    const healthy = await Healthy.open(port);
    const before = broker.rss();
    const idle: RawClient[] = [];
    for (let i = 0; i < 2000; i += 100) {
      idle.push(...(await Promise.all(Array.from({ length: 100 }, (_, k) => RawClient.connected(port, `idle${i + k}`)))));
      await Promise.all(idle.slice(i).map((c, k) => c.subscribe(`idle/${i + k}`)));
    }
    const each = (broker.rss() - before) / idle.length;
    console.log(`${each.toFixed(1)} KiB resident for each idle connection`);
    expect(each).toBeLessThan(20);
    const cpu = broker.cpu();
    await Bun.sleep(1000);
    expect(broker.cpu() - cpu).toBeLessThan(0.5);
    await healthy.stop();
    expect(healthy.worst).toBeLessThan(WORST_MS);
    for (const c of idle) c.drop();
    // All of them gone, and the broker does what it did before.
    const after = await RawClient.connected(port, "after");
    await after.ping();
    after.drop();
  });

  test("a storm of them, coming and going", async () => {
    const port = await start("storm");
    const healthy = await Healthy.open(port);
    const storm = async (name: string): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        const c = await RawClient.connected(port, `${name}-${i % 10}`, i % 2 === 0 ? 4 : 5, { clean: i % 3 === 0 });
        if (i % 5 === 0) c.send({ cmd: "disconnect" });
        c.drop();
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, i) => storm(`s${i}`)));
    const settled = broker.rss();
    await Promise.all(Array.from({ length: 20 }, (_, i) => storm(`s${i}`)));
    expect(broker.rss() - settled).toBeLessThan(40 * MB);
    await healthy.stop();
    expect(healthy.worst).toBeLessThan(WORST_MS);
  });

  test("slowloris: a CONNECT byte by byte, a connection that says nothing, half a TLS or HTTP greeting", async () => {
    const port = await start("loris", { "zone.external.idle_timeout": "1s", "listener.ssl.external.handshake_timeout": "1s" });
    const silent = await RawClient.open(port);
    const trickle = await RawClient.open(port);
    // Minutes until it is whole: the idle connection is cut long before.
    const bytes = mqttPacket.generate(connectPacket(4, "x".repeat(1500)));
    let at = 0;
    const timer = setInterval(() => {
      if (!trickle.closed && at < bytes.length) trickle.send(bytes.subarray(at, ++at));
    }, 100);
    const tls = await RawClient.open(broker.ports.tls);
    tls.send(Buffer.from([0x16, 3, 1, 2, 0, 1]));
    await Promise.all([silent, trickle, tls].map((c) => c.whenClosed()));
    clearInterval(timer);
    expect(at).toBeLessThan(bytes.length);
    const good = await RawClient.connected(port, "good");
    await good.ping();
    for (const c of [silent, trickle, tls, good]) c.drop();
  });

  test("more than max_connections: refused, those who are there stay", async () => {
    const port = await start("max", { "listener.tcp.external.max_connections": "20" });
    const inside = await Promise.all(Array.from({ length: 20 }, (_, i) => RawClient.connected(port, `in${i}`)));
    for (let i = 0; i < 50; i++) {
      // Refused at once, or closed before it could say a word.
      const c = await RawClient.open(port).catch(() => null);
      await c?.whenClosed();
      c?.drop();
    }
    for (const c of inside) await c.ping();
    inside[0]?.drop();
    let again: RawClient | null = null;
    for (let i = 0; i < 100 && again === null; i++) again = await RawClient.connected(port, "again").catch(() => null);
    expect(again).not.toBeNull();
    for (const c of [...inside, again]) c?.drop();
  });
});
