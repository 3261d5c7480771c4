/** What a clean stop tells the clients, and what is there again after the next start. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { RawClient } from "../support/clients.ts";
import { Installation } from "../support/executable.ts";

let baomq: Installation;
beforeAll(() => {
  baomq = new Installation();
});
afterAll(() => baomq.remove());

const SERVER_SHUTTING_DOWN = 0x8b;
const keep = { clean: false, properties: { sessionExpiryInterval: 3600 } };

describe("SIGTERM and SIGINT", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal}: 5.0 clients are told why, all connections end, exit code 0`, async () => {
      const broker = await baomq.start({ data: signal });
      const five = await RawClient.connected(broker.ports.tcp, "five", 5);
      const four = await RawClient.connected(broker.ports.tcp, "four", 4);
      const three = await RawClient.connected(broker.ports.tcp, "three", 3);
      const code = broker.stop(signal);
      expect((await five.next("disconnect")).reasonCode).toBe(SERVER_SHUTTING_DOWN);
      await Promise.all([five, four, three].map((c) => c.whenClosed()));
      expect(four.inbox).toEqual([]);
      expect(await code).toBe(0);
      expect(broker.errors).toBe("");
    });
  }

  test("an open connection that says nothing does not hold up the stop", async () => {
    // It would not be cut off by itself before the patience of `stop` is over.
    const broker = await baomq.start({ data: "silent", set: { "zone.external.idle_timeout": "1h" } });
    const silent = await RawClient.open(broker.ports.tcp);
    expect(await broker.stop()).toBe(0);
    silent.drop();
  });
});

describe("after a clean stop", () => {
  test("retained messages, sessions, subscriptions and queued messages are there; what had ended is not", async () => {
    const first = await baomq.start({ data: "kept" });
    const port = first.ports.tcp;
    const away = await RawClient.connected(port, "away", 5, keep);
    await away.subscribe("kept/#", 2);
    away.send({ cmd: "disconnect" });
    const old = await RawClient.connected(port, "old", 4, { clean: false });
    await old.subscribe("kept/#", 1);
    old.send({ cmd: "disconnect" });
    const clean = await RawClient.connected(port, "clean", 4);
    await clean.subscribe("kept/#", 1);

    const publisher = await RawClient.connected(port, "publisher", 4);
    for (let i = 0; i < 5; i++) {
      publisher.publish(`kept/${i}`, `q1 ${i}`, 1, 10 + i);
      await publisher.next("puback");
    }
    publisher.publish("kept/two", "q2", 2, 20);
    await publisher.next("pubrec");
    publisher.send({ cmd: "pubrel", messageId: 20 });
    await publisher.next("pubcomp");
    publisher.send({ cmd: "publish", topic: "state", payload: "on", qos: 1, retain: true, dup: false, messageId: 21 });
    await publisher.next("puback");
    expect(await first.stop()).toBe(0);

    const second = await first.restart();
    const five = await RawClient.open(port, 5);
    five.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clientId: "away", keepalive: 0, ...keep });
    expect((await five.next("connack")).sessionPresent).toBe(true);
    for (let i = 0; i < 5; i++) {
      const p = await five.next("publish");
      expect([p.topic, String(p.payload), p.qos]).toEqual([`kept/${i}`, `q1 ${i}`, 1]);
      five.send({ cmd: "puback", messageId: p.messageId ?? 0 });
    }
    const p = await five.next("publish");
    expect([p.topic, String(p.payload), p.qos]).toEqual(["kept/two", "q2", 2]);
    await five.subscribe("state", 1);
    const state = await five.next("publish");
    expect([state.topic, String(state.payload), state.retain]).toEqual(["state", "on", true]);

    const four = await RawClient.open(port, 4);
    four.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: false, clientId: "old", keepalive: 0 });
    expect((await four.next("connack")).sessionPresent).toBe(true);
    expect(String((await four.next("publish")).payload)).toBe("q1 0");

    const gone = await RawClient.open(port, 4);
    gone.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: false, clientId: "clean", keepalive: 0 });
    expect((await gone.next("connack")).sessionPresent).toBe(false);
    for (const c of [five, four, gone]) c.drop();
    expect(await second.stop()).toBe(0);
  });

  test("unacknowledged deliveries come again with DUP and the same identifiers", async () => {
    const first = await baomq.start({ data: "inflight" });
    const port = first.ports.tcp;
    const c = await RawClient.connected(port, "c", 4, { clean: false });
    await c.subscribe("t", 2);
    c.publish("t", "a", 2, 1);
    const a = await c.next("publish");
    c.publish("t", "b", 1, 2);
    const b = await c.next("publish");
    expect(await first.stop()).toBe(0);
    const second = await first.restart();
    const again = await RawClient.connected(port, "c", 4, { clean: false });
    const a2 = await again.next("publish");
    const b2 = await again.next("publish");
    expect([a2.messageId, a2.dup, a2.qos, String(a2.payload)]).toEqual([a.messageId, true, 2, "a"]);
    expect([b2.messageId, b2.dup, b2.qos, String(b2.payload)]).toEqual([b.messageId, true, 1, "b"]);
    again.drop();
    expect(await second.stop()).toBe(0);
  });

  test("a will whose delay runs is published after the restart", async () => {
    const first = await baomq.start({ data: "will" });
    const port = first.ports.tcp;
    const watcher = await RawClient.connected(port, "watcher", 4, { clean: false });
    await watcher.subscribe("will", 1);
    const dying = await RawClient.connected(port, "dying", 5, {
      ...keep,
      will: { topic: "will", payload: Buffer.from("gone"), qos: 1, retain: false, properties: { willDelayInterval: 1 } },
    });
    dying.drop();
    // The broker has seen the end of the connection when it answers what came after it.
    await watcher.ping();
    expect(await first.stop()).toBe(0);
    const second = await first.restart();
    const back = await RawClient.connected(port, "watcher", 4, { clean: false });
    expect(String((await back.next("publish")).payload)).toBe("gone");
    back.drop();
    expect(await second.stop()).toBe(0);
  });
});
