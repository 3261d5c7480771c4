/** `kill -9` in the middle of traffic: every acknowledged message arrives, at least once (QoS 1) or exactly once (QoS 2), in order. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { RawClient, until } from "../support/clients.ts";
import { DurablePublisher, DurableSubscriber, firsts } from "../support/clients_durable.ts";
import { Installation } from "../support/executable.ts";

let baomq: Installation;
beforeAll(() => {
  baomq = new Installation();
});
afterAll(() => baomq.remove());

const TOTAL = 2000;
/** The broker dies when so many of each publisher's messages were acknowledged. */
const DEATHS = [150, 400, 401, 900, 1500];

const counting = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

interface Stream {
  publisher: DurablePublisher;
  /** Connected all the time. */
  present: DurableSubscriber;
  /** Offline from its SUBACK to the end. */
  away: DurableSubscriber;
}

function streamOf(qos: 1 | 2, version: 4 | 5): Stream {
  const topic = `crash/${qos}/${version}`;
  const name = `${qos}${version}`;
  return {
    publisher: new DurablePublisher(`publisher${name}`, topic, qos, TOTAL, version),
    present: new DurableSubscriber(`present${name}`, topic, qos, version),
    away: new DurableSubscriber(`away${name}`, topic, qos, version),
  };
}

/** What is on its way to others has come before the answer to this. */
async function settled(port: number): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const c = await RawClient.connected(port, "last", 4);
    await c.ping();
    c.drop();
  }
}

describe("kill -9", () => {
  for (const sync of ["always", "normal"]) {
    test(`storage.sync = ${sync}: QoS 1 and 2, 3.1.1 and 5.0, subscribers there and away`, async () => {
      let broker = await baomq.start({ data: sync, set: { "storage.sync": sync, "zone.external.max_mqueue_len": "0" } });
      const port = broker.ports.tcp;
      const streams = [streamOf(1, 4), streamOf(2, 4), streamOf(1, 5), streamOf(2, 5)];
      for (const s of streams) {
        await s.away.connect(port);
        await s.away.leave();
        await s.present.connect(port);
      }
      for (const s of streams) await s.publisher.connect(port);
      for (const count of DEATHS) {
        await until(() => streams.some((s) => s.publisher.acknowledged.size >= count), `${count} acknowledged`);
        await broker.crash();
        broker = await broker.restart();
        for (const s of streams) {
          await s.present.connect(port);
          await s.publisher.connect(port);
        }
      }
      await until(() => streams.every((s) => s.publisher.done), "all is published");
      for (const s of streams) await s.away.connect(port);
      await until(() => streams.every((s) => firsts(s.present.numbers).length === TOTAL), "all is with those who are there");
      await until(() => streams.every((s) => firsts(s.away.numbers).length === TOTAL), "all is with those who were away");
      // Everything is settled: what was acknowledged is over, for a broker that has died once more too.
      await settled(port);
      await broker.crash();
      broker = await broker.restart();
      for (const s of streams) {
        await s.present.connect(port);
        await s.away.connect(port);
      }
      await settled(port);
      for (const { publisher, present, away } of streams) {
        expect(publisher.acknowledged.size).toBe(TOTAL);
        expect([publisher.resumed, present.resumed, away.resumed]).toEqual([DEATHS.length, DEATHS.length + 1, 2]);
        for (const { numbers } of [present, away]) {
          expect(firsts(numbers)).toEqual(counting(TOTAL));
          // Again came only what was on its way at a death: a window each time.
          expect(numbers.length).toBeLessThanOrEqual(TOTAL + DEATHS.length * 40);
          if (publisher.qos === 2) expect(numbers).toHaveLength(TOTAL);
        }
      }
      expect(await broker.stop()).toBe(0);
    });
  }

  test("retained messages, subscriptions and their removal, once acknowledged", async () => {
    let broker = await baomq.start({ data: "state" });
    const port = broker.ports.tcp;
    const c = await RawClient.connected(port, "c", 4, { clean: false });
    await c.subscribe("a", 1);
    await c.subscribe("b", 1);
    c.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["a"] });
    await c.next("unsuback");
    for (const [i, payload] of ["x", "y", ""].entries()) {
      c.send({ cmd: "publish", topic: `kept/${i % 2}`, payload, qos: 1, retain: true, dup: false, messageId: 5 + i });
      await c.next("puback");
    }
    await broker.crash();

    broker = await broker.restart();
    const back = await RawClient.connected(port, "c", 4, { clean: false });
    const other = await RawClient.connected(port, "other", 4);
    for (const [i, topic] of ["a", "b"].entries()) {
      other.publish(topic, topic, 1, 1 + i);
      await other.next("puback");
    }
    expect((await back.next("publish")).topic).toBe("b");
    await other.subscribe("kept/#");
    const kept = await other.next("publish");
    expect([kept.topic, String(kept.payload), kept.retain]).toEqual(["kept/1", "y", true]);
    await other.ping();
    expect(other.inbox).toEqual([]);
    back.drop();
    other.drop();
    expect(await broker.stop()).toBe(0);
  });
});
