/**
 * Rules that write to Redis, MongoDB (twin), another MQTT broker, NATS, Kafka (twin, read by librdkafka) and InfluxDB: everything arrives, through a
 * server that is killed and started again, and one that stands still; what is refused is a dead letter; wrong passwords are told in words.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { MongoClient } from "mongodb";
import { connectAsync, type MqttClient } from "mqtt";
import { connectors } from "../../server/plugins/_connectors/index.ts";
import { kindOf, Wired } from "../support/connector_host.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { INFLUXDB, KCAT, MOSQUITTO, NATS, needing, type Peer, REDIS } from "../support/peers.ts";
import { RedisCluster, RedisServer } from "../support/redis_servers.ts";
import type { Server } from "../support/servers.ts";
import { InfluxServer, KafkaTwin, Mosquitto, NatsServer } from "../support/sink_servers.ts";
import { until } from "../support/until.ts";

const KINDS = connectors({ files: () => "/nowhere" });
type Params = Record<string, unknown>;

/** A row `{n}` for a client; `read` gives all n that are there, in order of arrival of each client where that is known. */
interface Fixture {
  readonly server: Pick<Server, "start" | "kill" | "freeze" | "thaw" | "remove">;
  readonly action: string;
  readonly config: Params;
  readonly params: Params;
  read(): Promise<number[]> | number[];
  /** Before each test. */
  empty(): Promise<void> | void;
  /** A row that is refused, and what is said of it. */
  readonly refused: { row: Params; why: RegExp; params?: Params } | null;
  readonly wrongPassword: { config: Params; why: RegExp } | null;
  end?(): Promise<void>;
}
interface Kind {
  readonly title: string;
  readonly peer: Peer | null;
  /** What it has acknowledged is gone when it is killed: it is in memory. */
  readonly forgets?: true;
  /** What is sent again is there once. */
  readonly once?: true;
  start(): Promise<Fixture>;
}

const ALL: Kind[] = [
  {
    title: "Redis",
    peer: REDIS,
    async start() {
      const server = new RedisServer(["--appendonly", "yes", "--appendfsync", "always"]);
      await server.start();
      return {
        server,
        action: "data_to_redis",
        config: { server: `127.0.0.1:${server.port}`, password: server.password },
        params: { cmd: "RPUSH ${list} ${n}" },
        read: () => server.run("LRANGE", "rows", "0", "-1").split("\n").filter(Boolean).map(Number),
        empty: () => void server.run("DEL", "rows"),
        refused: { row: { list: "text", n: 1 }, why: /the key holds something else.*see cmd/ },
        wrongPassword: { config: { password: "no" }, why: /account and password are not taken.*see username, password/ },
      };
    },
  },
  {
    title: "MongoDB (twin)",
    peer: null,
    forgets: true,
    once: true,
    async start() {
      const server = new MongoTwin({});
      await server.start();
      const options = { auth: { username: server.user, password: server.password }, authSource: "mqtt", directConnection: true };
      const withClient = async <T>(fn: (client: MongoClient) => Promise<T>): Promise<T> => {
        const client = new MongoClient(`mongodb://127.0.0.1:${server.port}/`, options);
        try {
          return await fn(client);
        } finally {
          await client.close();
        }
      };
      const { user: login, password } = server;
      return {
        server,
        action: "data_to_mongo",
        config: { servers: `127.0.0.1:${server.port}`, database: "mqtt", login, password, auth_source: "mqtt" },
        params: { collection: "${list}" },
        read: () =>
          withClient(async (c) =>
            (await c.db("mqtt").command({ find: "rows", filter: {}, limit: 1_000_000, singleBatch: true })).cursor.firstBatch.map(
              (d: { n: number }) => d.n,
            ),
          ),
        empty: () => withClient(async (c) => void (await c.db("mqtt").command({ drop: "rows" }))),
        refused: { row: { list: "rows", n: "none" }, why: /failed validation.*see collection, payload_tmpl/ },
        wrongPassword: { config: { password: "no" }, why: /account and password are not taken.*see login, password/ },
      };
    },
  },
  {
    title: "another MQTT broker (Mosquitto)",
    peer: MOSQUITTO,
    forgets: true,
    async start() {
      const server = new Mosquitto();
      await server.start();
      const got: number[] = [];
      const subscriber: MqttClient = await connectAsync(`mqtt://127.0.0.1:${server.port}`, {
        username: server.user,
        password: server.password,
        clientId: "reader",
        clean: false,
        protocolVersion: 5,
        properties: { sessionExpiryInterval: 3600 },
        reconnectPeriod: 50,
      });
      subscriber.on("error", () => {});
      subscriber.on("message", (_topic, payload) => void got.push(JSON.parse(payload.toString()).n));
      await subscriber.subscribeAsync("ok/#", { qos: 1 });
      return {
        server,
        action: "data_to_mqtt_broker",
        config: { address: `127.0.0.1:${server.port}`, username: server.user, password: server.password },
        params: { forward_topic: "ok/${list}", user_properties: { from: "${list}" } },
        read: () => got,
        empty: () => void got.splice(0),
        refused: {
          row: { list: "none/${n}", n: 1, topic: "secret/x" },
          params: { forward_topic: "${topic}" },
          why: /may not publish that.*see username, password, forward_topic/,
        },
        wrongPassword: { config: { password: "no" }, why: /account and password are not taken.*see username, password/ },
        end: async () => void (await subscriber.endAsync(true)),
      };
    },
  },
  {
    title: "NATS JetStream",
    peer: NATS,
    once: true,
    async start() {
      const server = new NatsServer();
      await server.start();
      const withManager = async <T>(fn: (m: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>): Promise<T> => {
        const nc = await connectNats({ servers: `127.0.0.1:${server.port}`, user: "reader", pass: "r" });
        try {
          return await fn(await jetstreamManager(nc));
        } finally {
          await nc.close();
        }
      };
      await withManager((m) => m.streams.add({ name: "rows", subjects: ["js.>"] }));
      return {
        server,
        action: "data_to_nats",
        config: { servers: `127.0.0.1:${server.port}`, username: server.user, password: server.password },
        params: { subject: "js.${list}", jetstream: true, headers: { list: "${list}" } },
        read: () =>
          withManager(async (m) => {
            const { state } = await m.streams.info("rows");
            const all: number[] = [];
            for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++)
              all.push((await m.streams.getMessage("rows", { seq }))?.json<{ n: number }>().n ?? -1);
            return all;
          }),
        empty: () => withManager(async (m) => void (await m.streams.purge("rows"))),
        refused: {
          row: { list: "x", n: 1, subject: "secret" },
          params: { subject: "${subject}", jetstream: false },
          why: /may not publish to that subject.*see subject/,
        },
        wrongPassword: { config: { password: "no" }, why: /account and password are not taken.*see username, password, token/ },
      };
    },
  },
  {
    title: "Kafka (twin)",
    peer: KCAT,
    async start() {
      const server = new KafkaTwin(["rows", "others"]);
      await server.start();
      let before = 0;
      const all = (): number[] => server.read("rows", "%s").map((line) => JSON.parse(line).n as number);
      return {
        server,
        action: "data_to_kafka",
        config: {
          servers: `127.0.0.1:${server.port}`,
          authentication_mechanism: "PLAIN",
          username: server.user,
          password: server.password,
        },
        params: { topic: "${list}", key: "${list}", compression: "gzip", headers: { list: "${list}" } },
        read: () => all().slice(before),
        empty() {
          before = all().length;
        },
        refused: {
          row: { list: "rows", n: 1, more: "x".repeat(1_100_000) },
          params: { compression: "none" },
          why: /larger than the topic takes.*see topic/,
        },
        wrongPassword: {
          config: { password: "no" },
          why: /account and password are not taken.*see authentication_mechanism, username, password/,
        },
      };
    },
  },
  {
    title: "InfluxDB",
    peer: INFLUXDB,
    once: true,
    async start() {
      const server = new InfluxServer();
      await server.start();
      return {
        server,
        action: "data_to_influxdb",
        config: {
          url: `http://127.0.0.1:${server.port}`,
          version: "v1",
          database: "rules",
          username: server.user,
          password: server.password,
        },
        params: { measurement: "m", tags: { list: "${list}" }, fields: { n: "${n}", round: "${round}i" }, timestamp: "${n}" },
        read: async () => (await server.rows("select n from m")).map(({ n }) => n as number),
        async empty() {
          await server.rows("drop measurement m");
        },
        refused: {
          row: { list: "rows", n: "text" },
          params: { timestamp: "5" },
          why: /field type conflict.*see measurement, tags, fields/,
        },
        wrongPassword: { config: { password: "no" }, why: /account or token are not taken.*see username, password, token/ },
      };
    },
  },
];

for (const kind of ALL) {
  needing(kind.peer, describe)(kind.title, () => {
    let f: Fixture;
    const open = new Set<Wired>();
    const wire = (params: Params = {}, config: Params = {}, keptIn: string | null = null): Wired => {
      const w = new Wired(kindOf(KINDS, f.action), { timeout: 1, ...f.config, ...config }, { ...f.params, ...params }, keptIn);
      open.add(w);
      return w;
    };
    const end = async (w: Wired): Promise<void> => {
      open.delete(w);
      await w.close();
      expect([w.host.left, w.server.left]).toEqual([0, 0]);
    };
    const give = (w: Wired, n: number): void => w.run({ list: "rows", n, round: 0 });
    const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
    const read = async (): Promise<number[]> => [...(await f.read())];

    beforeAll(async () => {
      f = await kind.start();
    });
    afterAll(async () => {
      for (const w of open) await w.close();
      await f?.end?.();
      await f?.server.remove();
    });

    test("everything arrives, in order", async () => {
      await f.empty();
      const w = wire();
      for (let n = 0; n < 300; n++) give(w, n);
      await until(() => w.settled, "all is sent");
      expect(w.letters).toEqual([]);
      expect(w.host.counts).toEqual({ done: 300, failed: 0, dropped: 0 });
      await until(async () => (await read()).length >= 300, "all is there");
      // Whoever answers too late is asked again.
      const found = await read();
      expect(kind.once ? found : [...new Set(found)]).toEqual(upTo(300));
      await until(() => w.state === "up", "it is known");
      await end(w);
    });

    test("what is refused is a dead letter, and says why; what comes behind it arrives", async () => {
      if (f.refused === null) return;
      await f.empty();
      if (kind.title === "Redis") (f.server as RedisServer).run("SET", "text", "x");
      const first = wire();
      give(first, 0);
      await until(() => first.settled, "the first one");
      const w = wire(f.refused.params);
      w.run(f.refused.row);
      for (let n = 1; n < 5; n++) give(first, n);
      await until(() => w.settled && first.settled, "both are over");
      expect(w.letters).toMatchObject([{ why: expect.stringMatching(f.refused.why) }]);
      expect(w.host.counts).toEqual({ done: 0, failed: 1, dropped: 0 });
      await until(async () => (await read()).length >= 5, "the others");
      expect([...new Set(await read())]).toEqual(upTo(5));
      await end(w);
      await end(first);
    });

    test("killed and started again under load: nothing is lost that was not lost with it", async () => {
      await f.empty();
      const w = wire();
      let n = 0;
      const giving = setInterval(() => {
        for (let i = 0; i < 10; i++) give(w, n++);
      }, 10);
      try {
        await until(() => w.host.counts.done > 100, "they flow");
        await f.server.kill();
        const before = n;
        await until(() => n > before + 100 && w.state === "down", "more comes, and it is noticed");
        expect([...w.server.alarms.keys()]).toEqual(["down"]);
        await f.server.start();
      } finally {
        clearInterval(giving);
      }
      await until(() => w.settled, "it is back");
      expect([w.host.counts, w.letters]).toEqual([{ done: n, failed: 0, dropped: 0 }, []]);
      await until(async () => (await read()).at(-1) === n - 1, "the last one");
      const found = await read();
      const there = new Set(found);
      const missing = upTo(n).filter((i) => !there.has(i));
      // One gap at most: what was acknowledged and in memory as it was killed.
      if (kind.forgets) expect(missing).toEqual(missing.map((_, i) => (missing[0] ?? 0) + i));
      else expect(missing).toEqual([]);
      if (kind.once) expect(found).toEqual([...there]);
      // What is sent again comes again from one place on, in order: for the first time each has come behind those before it.
      expect([...there]).toEqual([...there].sort((a, b) => a - b));
      await until(() => w.state === "up" && w.server.alarms.size === 0 && w.host.alarms.size === 0, "it is told");
      await end(w);
    });

    test("frozen: what comes waits, and arrives when it goes on", async () => {
      await f.empty();
      const w = wire();
      give(w, 0);
      await until(() => w.settled, "the first one");
      await f.server.freeze();
      try {
        for (let n = 1; n < 200; n++) give(w, n);
        await until(() => w.state !== "up", "it is noticed");
        expect(w.action.waiting?.().rows).toBeGreaterThan(0);
      } finally {
        f.server.thaw();
      }
      await until(() => w.settled, "it goes on");
      expect([w.host.counts.done, w.letters]).toEqual([200, []]);
      await until(async () => new Set(await read()).size === 200, "all are there");
      await end(w);
    });

    test("a wrong password is told in words, and is not shown; rows wait", async () => {
      if (f.wrongPassword === null) return;
      const { config, why } = f.wrongPassword;
      const w = wire({}, config);
      give(w, 0);
      await until(() => w.state === "down", "it is down");
      const [server] = w.resource.status();
      expect(server?.lastError).toMatch(why);
      const { resource } = kindOf(KINDS, f.action);
      expect(await resource.test({ timeout: 1, ...f.config, ...config }, w.server)).toMatchObject([
        { verdict: "ok" },
        { step: "connect", verdict: "error", why: expect.stringMatching(why) },
      ]);
      expect(await resource.test({ timeout: 1, ...f.config }, w.server)).toMatchObject([
        { verdict: "ok" },
        { step: "connect", verdict: "ok" },
      ]);
      expect(w.action.waiting?.().rows).toBe(1);
      await end(w);
    });
  });
}

needing(REDIS, describe)("a Redis cluster", () => {
  const cluster = new RedisCluster();
  beforeAll(() => cluster.start());
  afterAll(() => cluster.remove());

  test("each row goes where its key belongs; bytes are bytes", async () => {
    const config = { servers: cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join() };
    const { action, resource } = kindOf(KINDS, "data_to_redis");
    const w = new Wired({ action, resource: KINDS.resources.find(({ name }) => name === "redis_cluster") ?? resource }, config, {
      cmd: "SET 'k ${n}' ${v}",
    });
    for (let n = 0; n < 50; n++) w.run({ n, v: new Uint8Array([n, 255, 0]) });
    await until(() => w.settled, "all are there");
    expect(w.letters).toEqual([]);
    for (let n = 0; n < 50; n++) expect(cluster.run("STRLEN", `k ${n}`)).toBe("3");
    await w.close();
  });
});
