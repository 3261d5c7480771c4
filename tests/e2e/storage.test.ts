/** A disk that is full, and stored data that was damaged, with the compiled executable. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RawClient, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { needing, PRLIMIT } from "../support/peers.ts";

let baomq: Installation;
beforeAll(() => {
  baomq = new Installation();
});
afterAll(() => baomq.remove());

const FOREVER = { clean: false, properties: { sessionExpiryInterval: 0xffffffff } };
const SETTINGS = { "zone.external.max_mqueue_len": "0" };
const PAYLOAD = "x".repeat(10_000);

async function ctl(broker: RunningBroker, ...words: string[]): Promise<string> {
  const { stdout } = await baomq.run(["ctl", "--data-dir", broker.dataDir, ...words]);
  return stdout;
}

/** A session that is kept, subscribed and away. */
async function keptSession(port: number): Promise<void> {
  const s = await RawClient.connected(port, "kept", 5, FOREVER);
  await s.subscribe("t", 1);
  s.send({ cmd: "disconnect" });
  await s.whenClosed();
}

/** Publish numbered messages one by one until one is refused; the numbers that were acknowledged. */
async function fill(port: number): Promise<number[]> {
  const acknowledged: number[] = [];
  let p = await RawClient.connected(port, "publisher", 5);
  for (let n = 1; n < 5000; n++) {
    p.publish("t", `${n} ${PAYLOAD}`, 1, 1 + (n % 1000));
    await until(() => p.inbox.length > 0 || p.closed, "an answer");
    const answer = p.inbox.shift();
    if (answer?.cmd === "puback") {
      if (answer.reasonCode === 0x97) {
        p.drop();
        return acknowledged;
      }
      acknowledged.push(n);
    } else {
      // Those who waited for an acknowledgement when the disk failed are cut.
      await p.whenClosed();
      p = await RawClient.connected(port, "publisher", 5);
    }
  }
  throw new Error("nothing was refused");
}

/** Numbers of the messages that the session has kept. */
async function kept(port: number, atLeast: number): Promise<number[]> {
  const s = await RawClient.open(port, 5);
  const numbers: number[] = [];
  s.onPacket = (packet) => {
    if (packet.cmd !== "publish") return;
    numbers.push(Number(String(packet.payload).split(" ")[0]));
    s.send({ cmd: "puback", messageId: packet.messageId as number, reasonCode: 0 });
  };
  s.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clientId: "kept", keepalive: 0, ...FOREVER });
  await until(() => numbers.length >= atLeast, `${atLeast} messages`);
  s.drop();
  return [...new Set(numbers)];
}

describe.skipIf(process.platform === "win32")("a disk that is full", () => {
  test("what was acknowledged is there after kill -9, what was not is refused; other service goes on", async () => {
    let broker = await baomq.start({ data: "full", set: SETTINGS, fileBlocks: 4000 });
    const { ports } = broker;
    await keptSession(ports.tcp);
    const acknowledged = await fill(ports.tcp);
    expect(acknowledged.length).toBeGreaterThan(50);
    expect(broker.log.match(/data cannot be stored/g)).toHaveLength(1);
    expect(await ctl(broker, "alarms", "list")).toContain("storage_failed");
    expect(await ctl(broker, "admins", "add", "late", "secret-1")).toContain("storage_failed: nothing was changed");
    expect(await ctl(broker, "admins", "list")).not.toContain("late");
    const live = await RawClient.connected(ports.tcp, "live", 4);
    await live.subscribe("other", 1);
    live.publish("other", "hello", 1, 7);
    expect(String((await live.next("publish")).payload)).toBe("hello");
    await broker.crash();
    broker = await baomq.start({ data: "full", set: SETTINGS, ports });
    const found = await kept(ports.tcp, acknowledged.length);
    expect(acknowledged.filter((n) => !found.includes(n))).toEqual([]);
    expect(await broker.stop()).toBe(0);
  });

  test("a stop meanwhile says once, without a stack, that what waited is lost, and does not end as if all were well", async () => {
    const broker = await baomq.start({ data: "lost", set: SETTINGS, fileBlocks: 4000 });
    await keptSession(broker.ports.tcp);
    await fill(broker.ports.tcp);
    expect(await ctl(broker, "alarms", "list")).toMatch(/storage_failed, desc=\S*baomq\.db cannot be written/);
    expect(await broker.stop()).toBe(1);
    const errors = broker.log.split("\n").filter((line) => line.includes("[error]"));
    expect(errors).toHaveLength(2);
    expect(errors[1]).toMatch(/what could not be stored is lost bytes=[1-9]\d* why="\S*baomq\.db cannot be written: .*"$/);
    expect(errors[1]).not.toContain("kept in memory");
  });

  needing(PRLIMIT, test)("when there is room again, service is whole again, and everything taken is stored", async () => {
    let broker = await baomq.start({ data: "room", set: SETTINGS, fileBlocks: 4000 });
    const { ports } = broker;
    await keptSession(ports.tcp);
    const acknowledged = await fill(ports.tcp);
    const lifted = Bun.spawnSync(["prlimit", "--pid", String(broker.pid), "--fsize=unlimited:"]);
    expect(lifted.exitCode).toBe(0);
    await until(() => broker.log.includes("data can be stored again"), "the disk works again");
    const p = await RawClient.connected(ports.tcp, "publisher", 5);
    p.publish("t", "9999 again", 1, 5);
    expect((await p.next("puback")).reasonCode ?? 0).toBe(0);
    expect(await ctl(broker, "alarms", "list")).not.toContain("storage_failed");
    await broker.crash();
    broker = await baomq.start({ data: "room", set: SETTINGS, ports });
    const found = await kept(ports.tcp, acknowledged.length + 1);
    expect([...acknowledged, 9999].filter((n) => !found.includes(n))).toEqual([]);
    expect(await broker.stop()).toBe(0);
  });
});

test("a damaged redo log: the start says what is lost, raises an alarm and counts it", async () => {
  let broker = await baomq.start({ data: "damaged", set: SETTINGS });
  const { tcp } = broker.ports;
  await keptSession(tcp);
  const p = await RawClient.connected(tcp, "p", 5);
  for (let n = 1; n <= 40; n++) {
    p.publish("t", `${n} ${PAYLOAD}`, 1, n);
    await p.next("puback");
  }
  await broker.crash();
  const logs = ["baomq.redo-0", "baomq.redo-1"].map((name) => join(broker.dataDir, name));
  const log = logs.toSorted((x, y) => statSync(y).size - statSync(x).size)[0] as string;
  const damaged = readFileSync(log);
  const at = damaged.length >> 1;
  damaged[at] = (damaged[at] as number) ^ 1;
  writeFileSync(log, damaged);
  broker = await broker.restart();
  expect(broker.log).toContain("stored data is damaged");
  expect(broker.log).toMatch(/the redo log .* is damaged: \d+ commits written last are lost/);
  expect(await ctl(broker, "alarms", "list")).toContain("storage_damaged");
  const s = await RawClient.connected(tcp, "kept", 5, FOREVER);
  expect(String((await s.next("publish")).payload)).toStartWith("1 ");
  s.drop();
  expect(await broker.stop()).toBe(0);
});
