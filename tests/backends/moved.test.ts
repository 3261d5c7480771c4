/**
 * Settings change while a client is connected and publishes: its server is at another port, its pool has another size. It stays connected, none of its
 * messages is lost, and what it may do is what the server says now: verdicts that were kept are forgotten.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { AuthKit } from "../support/auth_kit.ts";
import { AUTH, type AuthPlugin, redisWithUsers, startWithUsers } from "../support/auth_servers.ts";
import { needing } from "../support/peers.ts";
import { Relay } from "../support/relay.ts";
import { MariaDb, Postgres, type SqlDatabase } from "../support/servers.ts";
import { until } from "../support/until.ts";

type Lines = Record<string, string>;

/** u1 gets in with p1, and may use pub/#. */
interface Made {
  port: number;
  server: { remove(): Promise<void> };
  lines: Lines;
  /** The setting that leads to it by this port. */
  at(port: number): Lines;
  /** From now on u1 may use own/#, or may not. */
  allow(allowed: boolean): void;
}

interface Kind extends AuthPlugin {
  /** Its driver closes what nobody asks any more; else the runtime keeps connections for a while. */
  closes: boolean;
  make(): Promise<Made>;
}

const sql = (plugin: AuthPlugin, create: () => SqlDatabase): Kind => ({
  ...plugin,
  closes: true,
  async make() {
    const db = create();
    await startWithUsers(db, { u1: "p1" });
    db.run(
      `create table mqtt_acl (allow int, ipaddr varchar(60), username varchar(99), clientid varchar(99), access int, topic varchar(99));
       insert into mqtt_acl values (1, null, 'u1', null, 3, 'pub/#'), (1, null, 'u1', null, 3, 'own/#');`,
      "mqtt",
    );
    return {
      port: db.port,
      server: db,
      lines: { username: db.user, password: db.password, password_hash: "plain" },
      at: (port) => ({ server: `127.0.0.1:${port}` }),
      allow: (allowed) => void db.run(`update mqtt_acl set allow = ${allowed ? 1 : 0} where topic = 'own/#'`, "mqtt"),
    };
  },
});

const KINDS: readonly Kind[] = [
  sql(AUTH.pgsql, () => new Postgres()),
  sql(AUTH.mysql, () => new MariaDb()),
  {
    ...AUTH.redis,
    closes: true,
    async make() {
      const redis = await redisWithUsers({ u1: "p1" });
      redis.run("HSET", "mqtt_acl:u1", "pub/#", "3", "own/#", "3");
      return {
        port: redis.port,
        server: redis,
        lines: { password: redis.password },
        at: (port) => ({ server: `127.0.0.1:${port}` }),
        allow: (allowed) => void (allowed ? redis.run("HSET", "mqtt_acl:u1", "own/#", "3") : redis.run("HDEL", "mqtt_acl:u1", "own/#")),
      };
    },
  },
  {
    ...AUTH.http,
    closes: false,
    async make() {
      let isAllowed = true;
      const service = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        async fetch(request) {
          const { pathname, searchParams } = new URL(request.url);
          const fields = request.method === "GET" ? searchParams : new URLSearchParams(await request.text());
          const isOwn = fields.get("topic")?.startsWith("own/") === true;
          const good =
            pathname === "/auth" ? fields.get("password") === "p1" : pathname === "/acl" && (isOwn ? isAllowed : fields.has("topic"));
          return new Response("", { status: good ? 200 : 403 });
        },
      });
      const at = (port: number): Lines =>
        Object.fromEntries(["auth", "super", "acl"].map((name) => [`${name}_req`, `http://127.0.0.1:${port}/${name}`]));
      return {
        port: service.port as number,
        server: { remove: () => service.stop(true) },
        lines: {},
        at,
        allow(allowed) {
          isAllowed = allowed;
        },
      };
    },
  },
];

for (const kind of KINDS) {
  needing(kind.peer, describe)(kind.plugin, () => {
    const kit = new AuthKit(kind.plugin, kind.prefix);
    const { client, code, may } = kit;
    let made: Made;
    let [before, after]: Relay[] = [];

    beforeAll(async () => {
      made = await kind.make();
      before = await new Relay(made.port).start();
      after = await new Relay(made.port).start();
      await kit.start({ ...made.lines, ...made.at(before.port) });
    });
    afterAll(async () => {
      await kit.stop([]);
      await before?.stop();
      await after?.stop();
      await made.server.remove();
    });

    /** With these settings from now on; a server elsewhere wants secrets typed again. */
    async function change(lines: Lines): Promise<void> {
      const typed = Object.entries({ ...kit.secrets, ...lines }).map(([key, value]) => [`${kind.prefix}.${key}`, value]);
      await kit.put(`plugin_configs/${kind.plugin}`, { ...(await kit.settings()), ...Object.fromEntries(typed) });
    }

    test("the server is at another port, then the pool has another size: who is there stays and publishes on, by what the server says now", async () => {
      const [ear, mouth, asking] = [await client("u1", "p1", "ear"), await client("u1", "p1", "mouth"), await client("u1", "p1", "asking")];
      const heard: string[] = [];
      await ear.subscribe("pub/#");
      ear.onPacket = (p) => {
        if (p.cmd === "publish") heard.push(p.payload.toString());
      };
      const flow = { sent: 0, over: false, failed: null as unknown };
      const publish = async (): Promise<void> => {
        for (; !flow.over; flow.sent++) {
          mouth.publish("pub/x", String(flow.sent), 1, 1 + (flow.sent % 60_000));
          await mouth.next("puback");
        }
      };
      const publishing = publish().catch((err: unknown) => {
        flow.failed = err;
      });
      const goesOn = async (): Promise<void> => {
        const { sent } = flow;
        await until(() => flow.failed !== null || flow.sent > sent + 50, "it publishes on");
        expect(flow.failed).toBeNull();
      };
      try {
        expect(await may(asking, "own/x")).toBe(true);
        made.allow(false);
        // A verdict is kept.
        expect(await may(asking, "own/x")).toBe(true);
        await goesOn();
        await change(made.at(after?.port ?? 0));
        expect(await may(asking, "own/x")).toBe(false);
        await goesOn();
        expect(after?.taken).toBeGreaterThan(0);
        if (kind.closes) await until(() => before?.open === 0, "the connections of before are closed");
        await before?.stop();
        expect([await code("u1", "p1"), await code("u1", "no")]).toEqual([0, 5]);
        made.allow(true);
        expect(await may(asking, "own/x")).toBe(false);
        await change({ pool: "2" });
        expect(await may(asking, "own/x")).toBe(true);
        expect((await kit.status()).servers[0]?.pool).toBe(2);
        await goesOn();
        if (kind.closes) await until(() => (after?.open ?? 0) <= 2, "the pool is no larger");
      } finally {
        flow.over = true;
        await publishing;
      }
      await until(() => heard.length >= flow.sent, "all are heard");
      expect(heard).toEqual(Array.from({ length: flow.sent }, (_, i) => String(i)));
      await asking.ping();
      for (const c of [ear, mouth, asking]) c.drop();
    });
  });
}
