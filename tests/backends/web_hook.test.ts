/** emqx_web_hook in the executable, with real services and real clients: what it tells, when the service is away, slow or rude, and when the broker is killed. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { AuthKit } from "../support/auth_kit.ts";
import { Certificates } from "../support/certificates.ts";
import { jsClient, RawClient, until } from "../support/clients.ts";
import { Installation } from "../support/executable.ts";
import { Nginx } from "../support/nginx.ts";
import { NGINX, needing } from "../support/peers.ts";
import { WebService } from "../support/web_service.ts";

const NAME = "emqx_web_hook";
let service: WebService;
let kit: AuthKit;
const rule = (hook: string, topic?: string): Record<string, string> => ({
  [`rule.${hook}.1`]: JSON.stringify({ action: `on_${hook.replace(".", "_")}`, ...(topic !== undefined && { topic }) }),
});
const PUBLISHED = rule("message.publish", "t/#");
/** An outage is noticed soon, and so is its end. */
const QUICK = { timeout: "500ms", "retry.interval": "50ms", "retry.max_interval": "200ms" };

beforeEach(() => {
  service = new WebService().start();
  kit = new AuthKit(NAME, "web.hook");
});
afterEach(() => service.stop());

const start = (lines: Record<string, string | number>, set: Record<string, string> = {}, env: Record<string, string> = {}): Promise<void> =>
  kit.start({ "api.url": service.url, ...lines }, set, env);
const stop = (): Promise<void> => kit.stop([], /to the disk/);
const queue = async () =>
  (await kit.status()).servers[0]?.queue as NonNullable<Awaited<ReturnType<AuthKit["status"]>>["servers"][0]["queue"]>;

/** Each client publishes 1, 2, 3 … with QoS 1. */
class Publishers {
  readonly #clients: RawClient[] = [];
  acked = new Map<string, number>();

  async connect(count: number): Promise<this> {
    for (let i = 0; i < count; i++) this.#clients.push(await RawClient.connected(kit.broker.ports.tcp, `p${i}`));
    return this;
  }

  async publish(each: number): Promise<void> {
    await Promise.all(
      this.#clients.map(async (c, i) => {
        for (let k = 0; k < each; k++) {
          const n = (this.acked.get(`p${i}`) ?? 0) + 1;
          c.publish(`t/p${i}`, String(n), 1, 1 + (n % 60_000));
          await c.next("puback");
          this.acked.set(`p${i}`, n);
        }
      }),
    );
  }

  get total(): number {
    return [...this.acked.values()].reduce((a, b) => a + b, 0);
  }

  /** Everything has arrived, of each client in its order. `twice`: some may have come more than once. */
  check(twice = false): void {
    for (const [id, count] of this.acked) {
      const all = service.of("message_publish").flatMap((t) => (t.from_client_id === id ? [Number(t.payload)] : []));
      const first = twice ? [...new Set(all)] : all;
      expect(first).toEqual(Array.from({ length: count }, (_, k) => k + 1));
    }
  }
}

test("a client comes, subscribes, speaks, hears, leaves", async () => {
  // A proxy of the environment would be asked for everything.
  await start({}, {}, { http_proxy: "http://127.0.0.1:1" });
  const { client, received } = await jsClient(`mqtt://127.0.0.1:${kit.broker.ports.tcp}`, {
    clientId: "c1",
    username: "joe",
    protocolVersion: 5,
  });
  await client.subscribeAsync("a/#", { qos: 1 });
  await client.publishAsync("a/b", "hello", { qos: 1, retain: true });
  await until(() => received.length === 1, "it has heard itself");
  await client.unsubscribeAsync("a/#");
  await client.endAsync();
  await until(() => service.taken.length >= 11, "all eleven hooks");
  expect(service.taken.map((t) => t.action).sort()).toEqual([
    "client_connected",
    "client_disconnected",
    "client_subscribe",
    "client_unsubscribe",
    "message_acked",
    "message_deliver",
    "message_publish",
    "session_created",
    "session_subscribed",
    "session_terminated",
    "session_unsubscribed",
  ]);
  const { connected_at: at, ...connected } = service.of("client_connected")[0] as Record<string, unknown>;
  expect(connected).toEqual({
    action: "client_connected",
    client_id: "c1",
    username: "joe",
    keepalive: 60,
    ipaddress: "127.0.0.1",
    proto_ver: 5,
    conn_ack: 0,
  });
  expect(Math.abs(Number(at) - Date.now() / 1000)).toBeLessThan(60);
  expect(service.of("message_publish")).toMatchObject([
    { from_client_id: "c1", from_username: "joe", topic: "a/b", qos: 1, retain: true, payload: "hello" },
  ]);
  expect(service.of("client_disconnected")[0]?.reason).toEqual(expect.any(String));
  await stop();
});

test("topic filters, $SYS, binary payloads, batches, signatures, CloudEvents", async () => {
  await start({ ...PUBLISHED, secret: "s3cret-k3y", batch: 10, cloudevents: "structured" }, { "broker.sys_interval": "1s" });
  const c = await RawClient.connected(kit.broker.ports.tcp, "c1");
  c.publish("t/1", Buffer.from([255, 0, 7]), 0);
  c.publish("other", "no", 0);
  c.publish("t/2", "yes", 0);
  await until(() => service.taken.length === 2, "two events");
  expect(service.taken.map((t) => t.data)).toMatchObject([
    { topic: "t/1", payload: "/wAH", encoding: "base64" },
    { topic: "t/2", payload: "yes" },
  ]);
  expect(service.headers[0]).toMatchObject({
    "content-type": "application/cloudevents-batch+json",
    "webhook-signature": expect.stringMatching(/^v1,/),
  });
  c.drop();
  await kit.stop(["s3cret-k3y"]);
});

describe("the service", () => {
  const moods: readonly [name: string, begin: () => Promise<void>, end: () => Promise<void>][] = [
    [
      "answers 500",
      async () => {
        service.mood = { status: 500 };
      },
      async () => {
        service.mood = "ok";
      },
    ],
    [
      "answers 503",
      async () => {
        service.mood = { status: 503 };
      },
      async () => {
        service.mood = "ok";
      },
    ],
    [
      "hangs",
      async () => {
        service.mood = "hang";
      },
      async () => {
        service.mood = "ok";
      },
    ],
    [
      "hangs up",
      () => service.rude(),
      async () => {
        await service.stop();
        service.start();
      },
    ],
    [
      "is away",
      () => service.stop(),
      async () => {
        service.start();
      },
    ],
  ];
  for (const [name, begin, end] of moods)
    test(`${name}, and is well again: all of it arrives, each client's in order`, async () => {
      await start({ ...PUBLISHED, ...QUICK });
      const p = await new Publishers().connect(20);
      await p.publish(3);
      await begin();
      await p.publish(3);
      await until(async () => (await kit.status()).servers[0]?.state === "down", "it is down");
      expect(await kit.alarmed()).toBe(true);
      await p.publish(3);
      await end();
      await p.publish(3);
      await until(() => service.of("message_publish").length >= p.total, "all has arrived");
      // What hung may have been heard, though not answered.
      p.check();
      await until(async () => !(await kit.alarmed()), "the alarm is over");
      expect(await queue()).toMatchObject({ rows: 0, dropped: 0, gave_up: 0, dead_letters: 0 });
      await stop();
    });

  test("is slow, at 10,000 messages a second: publishers do not feel it, and what finds no room is counted", async () => {
    service.mood = { afterMs: 100 };
    await start({ ...PUBLISHED, queue: 1000 });
    const pinger = await RawClient.connected(kit.broker.ports.tcp, "pinger");
    const speaker = await RawClient.connected(kit.broker.ports.tcp, "speaker");
    let n = 0;
    const load = async (topic: string): Promise<number> => {
      const times: number[] = [];
      const began = performance.now();
      for (let tick = 0; tick < 150; tick++) {
        for (let k = 0; k < 200; k++) speaker.publish(topic, String(++n), 0);
        const t = performance.now();
        await pinger.ping();
        times.push(performance.now() - t);
        await Bun.sleep(Math.max(0, began + 20 * (tick + 1) - performance.now()));
      }
      return times.sort((a, b) => a - b)[75] as number;
    };
    const without = await load("other");
    const told = 30_000;
    const withHook = await load("t/x");
    // 100 requests are answered in one second by each of 16 lanes at most: nearly all is dropped.
    expect(withHook).toBeLessThan(without + 20);
    await until(async () => {
      const { sent, dropped, rows } = await queue();
      return sent + dropped + rows === told;
    }, "each is accounted for");
    expect((await queue()).dropped).toBeGreaterThan(10_000);
    const alarms = await kit.api<{ alarms: { id: string }[] }[]>("GET", "../../alarms/present/");
    expect(alarms.data[0]?.alarms.map((a) => a.id)).toContain(`${NAME}_dropped`);
    await stop();
  });

  test("takes what it does not take later: dead letters, listed, resent, deleted, over REST and ctl", async () => {
    await start(PUBLISHED);
    const p = await new Publishers().connect(1);
    service.mood = { status: 422 };
    await p.publish(3);
    type Letters = { id: number; why: string; tries: number; body: string }[];
    const letters = async (): Promise<Letters> => (await kit.api<Letters>("GET", "../../web_hook/dead_letters")).data;
    await until(async () => (await letters()).length === 3, "three letters");
    expect(await kit.status()).toMatchObject({ dead_letters: 3 });
    expect((await letters())[0]).toMatchObject({
      id: 3,
      why: "http 422: not now",
      tries: 1,
      body: expect.stringContaining('"payload":"3"'),
    });
    expect(await kit.api("DELETE", "../../web_hook/dead_letters", { ids: "x" })).toMatchObject({ code: 108 });
    expect(await kit.api("DELETE", "../../web_hook/dead_letters", { ids: [2] })).toMatchObject({ code: 0, data: { deleted: 1 } });
    service.mood = "ok";
    expect(await kit.api("POST", "../../web_hook/dead_letters/resend", { ids: [1] })).toMatchObject({ code: 0, data: { resent: 1 } });
    const baomq = new Installation();
    const ctl = async (...words: string[]): Promise<string> =>
      (await baomq.run(["ctl", "--data-dir", kit.broker.dataDir, "webhook", "dead-letters", ...words])).stdout;
    expect(await ctl("list")).toMatch(
      /^DeadLetter\(3, at=\d+, tries=1, bytes=\d+, why=http 422: not now, body=\{"action":"message_publish"/,
    );
    expect(await ctl("resend", "3")).toBe("Resent 1 dead letters\n");
    expect(await ctl("delete", "all")).toBe("Deleted 0 dead letters\n");
    await baomq.remove();
    await until(() => service.taken.length === 2, "the other two");
    expect(service.taken.map((t) => t.payload)).toEqual(["1", "3"]);
    const { servers } = await kit.status();
    expect(servers[0]).toMatchObject({ state: expect.stringMatching(/up|degraded/), refused: 3, queue: { sent: 2, gave_up: 3 } });
    await stop();
  });
});

describe("a queue on the disk", () => {
  test("kill -9 under load: what was acknowledged arrives, each client's in order, few of it twice", async () => {
    const pool = 8;
    await start({ ...PUBLISHED, ...QUICK, pool, "queue.disk": "100MB", queue: 200 });
    service.mood = { afterMs: 5 };
    const p = await new Publishers().connect(20);
    let killed = false;
    const ackedAt: { id: string; n: number; at: number }[] = [];
    const publishing = p.publish(100_000).catch(() => {});
    const watch = (async () => {
      while (!killed) {
        for (const [id, n] of p.acked) ackedAt.push({ id, n, at: performance.now() });
        await Bun.sleep(5);
      }
    })();
    await until(async () => p.total > 1500 && (await queue()).rows > 100, "there is a backlog");
    const takenBefore = service.taken.length;
    await kit.broker.crash();
    const killedAt = performance.now();
    killed = true;
    await watch;
    void publishing;
    const acked = new Map(p.acked);
    const again = await kit.broker.restart();
    service.mood = "ok";
    await until(
      () =>
        [...acked].every(([id, n]) => service.of("message_publish").some((t) => t.from_client_id === id && Number(t.payload) >= n - 20)),
      "the backlog arrives",
    );
    const safe = new Map<string, number>();
    for (const { id, n, at } of ackedAt) if (at < killedAt - 500) safe.set(id, n);
    await until(async () => {
      const before = service.taken.length;
      await Bun.sleep(500);
      return service.taken.length === before;
    }, "no more comes");
    let missing = 0;
    let twice = 0;
    for (const [id, n] of acked) {
      const all = service.of("message_publish").flatMap((t) => (t.from_client_id === id ? [Number(t.payload)] : []));
      const first = [...new Set(all)];
      twice += all.length - first.length;
      missing += Array.from({ length: n }, (_, k) => k + 1).filter((k) => !first.includes(k)).length;
      expect(first).toEqual([...first].sort((a, b) => a - b));
      // What was acknowledged half a second before the kill was on the disk.
      const sure = safe.get(id) ?? 0;
      expect(first.filter((k) => k <= sure).length).toBe(sure);
    }
    expect(takenBefore).toBeGreaterThan(100);
    // Of the others only what came in the last turns, and what was under way.
    expect(missing).toBeLessThan(40);
    expect(twice).toBeLessThanOrEqual(4 * pool);
    expect(await again.stop()).toBe(0);
  });

  test("stopped in order while the service is away: nothing is lost", async () => {
    await start({ ...PUBLISHED, ...QUICK, "queue.disk": "10MB" });
    const p = await new Publishers().connect(5);
    await service.stop();
    await p.publish(20);
    expect(await kit.broker.stop()).toBe(0);
    const again = await kit.broker.restart();
    service.start();
    await until(() => service.taken.length >= p.total, "all has arrived");
    p.check();
    expect(await again.stop()).toBe(0);
  });

  test("stopped while the service hangs: it does not take long", async () => {
    await start({ ...PUBLISHED, timeout: "1m" });
    service.mood = "hang";
    const p = await new Publishers().connect(1);
    await p.publish(2);
    await until(() => service.requests > 0, "a request is under way");
    const began = performance.now();
    await stop();
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  test("stopped while a batch gathers: all of it arrives, with what is told of those who are cut off", async () => {
    await start({ ...PUBLISHED, ...rule("client.disconnected"), batch: 100, "batch.wait": "1m" });
    const p = await new Publishers().connect(20);
    await p.publish(1);
    await kit.broker.stop();
    p.check();
    expect(service.of("client_disconnected").length).toBe(20);
  });

  test("smaller batches while one waits for the service: nothing of it is lost", async () => {
    await start({ ...PUBLISHED, ...QUICK, batch: 100, pool: 1 });
    service.mood = { status: 503 };
    const p = await new Publishers().connect(2);
    await p.publish(20);
    await until(() => service.requests > 1, "it is tried again");
    await kit.put(`plugin_configs/${NAME}`, { ...(await kit.settings()), "web.hook.batch": "1" });
    service.mood = "ok";
    await until(() => service.taken.length >= p.total, "all has arrived");
    p.check();
    // Counted when its answer is there, a moment behind.
    await until(async () => (await queue()).sent >= p.total, "all is counted");
    expect((await queue()).sent).toBe(p.total);
    await stop();
  });
});

describe("TLS", () => {
  const certificates = new Certificates();
  afterAll(() => certificates.remove());
  test("its own authority, and a certificate of ours; verified", async () => {
    await service.stop();
    const read = (path: string) => Bun.file(path);
    service = new WebService({
      cert: read(certificates.server.cert),
      key: read(certificates.server.key),
      ca: read(certificates.ca.cert),
      requestCert: true,
      rejectUnauthorized: true,
    }).start();
    const { cert, key } = certificates.client;
    await start({ ...PUBLISHED, ...QUICK, "ssl.cacertfile": certificates.ca.cert, "ssl.certfile": cert, "ssl.keyfile": key });
    const p = await new Publishers().connect(1);
    await p.publish(2);
    await until(() => service.taken.length === 2, "both arrive");
    expect((await kit.why({}, { "web.hook.ssl.cacertfile": certificates.strangersCa.cert })).toString()).toMatch(
      /signed by nobody who is trusted/,
    );
    await stop();
  });
});

needing(NGINX, describe)("nginx before the service", () => {
  test("answers 502 while the service is away, and is gone itself: all arrives in the end", async () => {
    const nginx = new Nginx(service.port);
    await nginx.start();
    await kit.start({ "api.url": `http://127.0.0.1:${nginx.port}/hook`, ...PUBLISHED, ...QUICK });
    const p = await new Publishers().connect(10);
    await p.publish(3);
    await service.stop();
    await p.publish(3);
    await until(async () => /http 502/.test((await kit.status()).servers[0]?.last_error ?? ""), "nginx says 502");
    await nginx.kill();
    await p.publish(3);
    service.start();
    await nginx.start();
    await until(() => service.taken.length >= p.total, "all has arrived");
    p.check();
    await stop();
    await nginx.remove();
  });
});
