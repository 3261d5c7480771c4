/** Who gets in and what it may cost, on the executable: guesses, half-sent CONNECT packets, resets, and a node that runs out of memory. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import mqttPacket from "mqtt-packet";
import { connectPacket, RawClient, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { Rest } from "../support/rest.ts";

const KIB_PER_MB = 1024;

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

async function start(data: string, set: Record<string, string> = {}, memoryGroup?: string): Promise<number> {
  broker = await baomq.start({
    data,
    set: { "listener.tcp.external.max_conn_rate": "0", ...set },
    ...(memoryGroup !== undefined && { memoryGroup }),
  });
  return broker.ports.tcp;
}

async function ctl(...words: string[]): Promise<void> {
  const { code, stdout, stderr } = await baomq.run(["ctl", "--data-dir", broker.dataDir, ...words]);
  expect(`${stdout}${stderr} ${code}`).toEndWith(" 0");
}

const { ask, api } = new Rest(() => broker);
/** One of the node's figures. */
const metric = async (name: string): Promise<number> => {
  const [row] = await api<{ extra: Record<string, number> }[]>("GET", "metrics/");
  return row?.extra[name] ?? 0;
};

describe("password guesses", () => {
  const attempt = async (port: number, ip: string, password: string): Promise<number> => {
    const c = await RawClient.open(port);
    c.send(
      Buffer.from(`PROXY TCP4 ${ip} 10.0.0.1 40000 1883\r\n`),
      connectPacket(4, "dev", { username: "joe", password: Buffer.from(password) }),
    );
    const { returnCode } = await c.next("connack");
    c.drop();
    return returnCode ?? -1;
  };

  for (const kind of ["sha256", "argon2id"]) {
    test(`are limited by the address that the proxy tells, and lock nobody else out: ${kind}`, async () => {
      const port = await start(`guesses-${kind}`, { "listener.tcp.external.proxy_protocol": "on", "auth.user.password_hash": kind });
      await ctl("plugins", "load", "emqx_auth_username");
      await ctl("users", "add", "joe", "right");
      const began = performance.now();
      for (let round = 0; round < 10; round++) {
        const codes = await Promise.all(Array.from({ length: 50 }, (_, i) => attempt(port, "10.6.6.6", `guess ${round} ${i}`)));
        expect(codes.every((c) => c === 5 || c === 3)).toBe(true);
      }
      // 30 a minute, and those that were under way when the limit was reached.
      const allowed = 30 + Math.ceil((performance.now() - began) / 2000) + 20;
      expect(await metric("access/auth/failure")).toBeLessThan(allowed);
      expect(await metric("access/auth/limited")).toBeGreaterThan(500 - allowed);
      expect(await attempt(port, "10.6.6.6", "right")).toBe(3);
      expect(await attempt(port, "10.0.0.7", "right")).toBe(0);
    });
  }
});

describe("before anybody is known", () => {
  test("300 connections with a megabyte of a CONNECT each cost next to nothing", async () => {
    const port = await start("half");
    const whole = mqttPacket.generate(connectPacket(4, "c", { password: Buffer.alloc(60_000), username: "u".repeat(65_000) }));
    const length = Buffer.from([0x10, 0x80, 0x80, 0x40]);
    const megabyte = Buffer.concat([length, whole.subarray(4), Buffer.alloc(1_000_000 - whole.length)]);
    const before = broker.rss();
    const large = await Promise.all(Array.from({ length: 300 }, () => RawClient.open(port)));
    for (const c of large) c.socket.write(megabyte);
    await Promise.all(large.map((c) => c.whenClosed()));
    // Below the limit of each they may stay, and share a budget.
    const small = await Promise.all(Array.from({ length: 600 }, () => RawClient.open(port)));
    const part = Buffer.concat([Buffer.from([0x10, 0xf0, 0xff, 0x03]), whole.subarray(4, 60_000)]);
    for (const c of small) c.socket.write(part);
    await until(() => small.filter((c) => c.closed).length >= 300, "the oldest are closed");
    expect(broker.rss() - before).toBeLessThan(100 * KIB_PER_MB);
    expect(await metric("packets/connect/dropped")).toBeGreaterThanOrEqual(300);
    const c = await RawClient.connected(port, "honest");
    await c.ping();
    for (const x of [...small, c]) x.drop();
  });

  test("connections that are reset before they are accepted are counted", async () => {
    const port = await start("reset");
    process.kill(broker.pid, "SIGSTOP");
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(port)));
    for (const c of clients) c.socket.resetAndDestroy();
    process.kill(broker.pid, "SIGCONT");
    const c = await RawClient.connected(port, "after");
    expect(await metric("connections/rejected/reset")).toBe(20);
    c.drop();
  });
});

describe("memory", () => {
  /** Version 1 of control groups, where this user may make one. */
  const PARENT = "/sys/fs/cgroup/memory";
  const GROUP = join(PARENT, `baomq-test-${process.pid}`);
  const grouped = ((): boolean => {
    try {
      if (!existsSync(join(PARENT, "memory.limit_in_bytes"))) return false;
      mkdirSync(GROUP);
      return true;
    } catch {
      return false;
    }
  })();
  afterAll(() => {
    if (grouped) rmdirSync(GROUP);
  });
  if (!grouped) console.warn("no control group of memory may be made here: the limit is told to the node instead");

  test("a node with 300 MB is filled with retained and queued messages: it says no, says why, and lives", async () => {
    // In its group from the start: a limit that changes while the broker runs is seen within a minute.
    if (grouped) writeFileSync(join(GROUP, "memory.limit_in_bytes"), String(300 * 1024 * 1024));
    const port = grouped ? await start("memory", {}, GROUP) : await start("memory", { "node.memory_limit": "300MB" });
    const limit = async (): Promise<unknown> => (await api<Record<string, unknown>>("GET", "nodes/emqx@127.0.0.1")).memory_limit;
    await until(async () => (await limit()) === 300 * 1024 * 1024, "the limit is seen");
    for (let i = 0; i < 20; i++) {
      const c = await RawClient.connected(port, `away${i}`, 4, { clean: false });
      await c.subscribe(`fill/${i}/#`, 1);
      c.drop();
    }
    const publishers = await Promise.all(Array.from({ length: 4 }, (_, i) => RawClient.connected(port, `p${i}`)));
    const alarmed = async (): Promise<boolean> => {
      const [row] = await api<{ alarms: { id: string; desc: string }[] }[]>("GET", "alarms/present");
      return row?.alarms.some((a) => a.id === "node_memory_high_watermark") === true;
    };
    let acknowledged = 0;
    /** As many as will do; beyond the alarm it goes on for a while. */
    let enough = Number.POSITIVE_INFINITY;
    const fill = async (c: RawClient, k: number): Promise<void> => {
      const payload = randomBytes(60_000);
      for (let n = 0; acknowledged < enough; n++) {
        c.send({
          cmd: "publish",
          topic: `fill/${n % 20}/${k}/${n}`,
          payload,
          qos: 1,
          dup: false,
          retain: true,
          messageId: (n % 60_000) + 1,
        });
        // The last one may wait for its turn longer than the test runs.
        const ack = await c.next("puback");
        if (ack.cmd === "puback") acknowledged++;
      }
    };
    const filling = Promise.all(publishers.map(fill));
    await until(alarmed, "the alarm");
    const [already, passed] = [acknowledged, () => acknowledged >= already + 100];
    await until(passed, "it goes on");
    // While it is being filled: what is measured falls when the runtime gives back what nobody needs, and rises again.
    await until(async () => {
      const node = await api<Record<string, number | string>>("GET", "nodes/emqx@127.0.0.1");
      const kept = Number(node.memory_queues) + Number(node.memory_retained);
      return node.memory_limit === 300 * 1024 * 1024 && node.memory_level !== "normal" && kept > 50 * 1024 * 1024 && (await alarmed());
    }, "the alarm, and what holds the memory");
    expect(acknowledged).toBeGreaterThan(500);
    const refusal = (id: string, version: 4 | 5) =>
      RawClient.connected(port, id, version).then(
        (c) => c.drop(),
        (err: unknown) => String(err),
      );
    await until(async () => (await refusal("new", 4))?.includes("CONNACK 3") === true, "new clients are refused");
    await until(async () => (await refusal("new5", 5))?.includes(`CONNACK ${0x97}`) === true, "also those of 5.0");
    enough = 0;
    await filling;
    expect(await metric("retained/refused/memory")).toBeGreaterThan(0);
    // The sessions come, empty their queues, and there is memory again.
    for (let i = 0; i < 20; i++) (await RawClient.connected(port, `away${i}`)).drop();
    const text = await (await ask("GET", "prometheus/metrics")).text();
    expect(text).toContain("baomq_memory_queues_bytes 0\n");
    const back = async (): Promise<boolean> => (await api<Record<string, string>>("GET", "nodes/emqx@127.0.0.1")).memory_level === "normal";
    await until(back, "the memory is given back");
    (await RawClient.connected(port, "new")).drop();
    for (const c of publishers) c.drop();
  });
});
