/** A plugin that keeps strangers out goes on doing so while its settings change, are wrong, or are read again; in the executable, with real servers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { AuthKit } from "../support/auth_kit.ts";
import { until } from "../support/clients.ts";
import { MARIADB, needing, REDIS, SLAPD } from "../support/peers.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { MariaDb } from "../support/servers.ts";
import { directory, ldapEntry, type Slapd } from "../support/slapd.ts";

needing(REDIS, describe)("settings change", () => {
  const kit = new AuthKit("emqx_auth_redis", "auth.redis");
  const { api, put, settings, code, client, may } = kit;
  let redis: RedisServer;

  beforeAll(async () => {
    redis = new RedisServer();
    redis.seeded = () => {
      redis.run("HSET", "mqtt_user:u1", "password", "p1");
      redis.run("HSET", "mqtt_acl:u1", "own/#", "3");
    };
    await redis.start();
    await kit.start({
      server: `127.0.0.1:${redis.port}`,
      password: redis.password,
      acl_cmd: "HGETALL mqtt_acl:%u",
      on_error: "ignore",
      timeout: "2s",
    });
  });
  afterAll(async () => {
    await kit.stop([redis.password], /goes on as it was|plugin failed/);
    await redis.remove();
  });

  /** How often each return code came, until `run` is over. */
  async function hammered(password: string, run: () => Promise<void>): Promise<Map<number, number>> {
    const codes = new Map<number, number>();
    let over = false;
    const one = async (): Promise<void> => {
      while (!over) {
        const c = await code("u1", password);
        codes.set(c, (codes.get(c) ?? 0) + 1);
      }
    };
    const all = Promise.all(Array.from({ length: 8 }, one));
    await run();
    over = true;
    await all;
    return codes;
  }

  test("again and again, live and not: no wrong password gets in, no right one is refused, nobody is dropped", async () => {
    const before = await settings();
    const kept = await client("u1", "p1", "kept");
    for (const [password, right] of [
      ["wrong", 5],
      ["p1", 0],
    ] as const) {
      const codes = await hammered(password, async () => {
        for (let i = 0; i < 10; i++) {
          await put(`plugin_configs/${kit.plugin}`, {
            ...before,
            "auth.redis.password": redis.password,
            "auth.redis.timeout": `${2 + (i % 2)}s`,
          });
          await put(`configs/${kit.plugin}`, { key: "auth.redis.pool", value: String(4 + (i % 2)) });
          await put(`plugins/${kit.plugin}/reload`);
        }
      });
      expect([...codes.keys()]).toEqual([right]);
      expect(codes.get(right)).toBeGreaterThan(10);
    }
    expect([await may(kept, "own/x"), await may(kept, "other")]).toEqual([true, false]);
    kept.drop();
  });

  test("a file that cannot be used is told, and changes nothing: not for a reload, nor for the next one", async () => {
    const { conf } = kit;
    const text = readFileSync(conf, "utf8");
    appendFileSync(conf, "auth.redis.pool = many\n");
    for (let i = 0; i < 2; i++) {
      const answer = await api("PUT", `plugins/${kit.plugin}/reload`);
      expect(answer.code).toBe(102);
      expect(answer.message).toContain("auth.redis.pool");
      expect([await code("u1", "wrong"), await code("u1", "p1")]).toEqual([5, 0]);
    }
    writeFileSync(conf, text);
    await put(`plugins/${kit.plugin}/reload`);
    expect([await code("u1", "wrong"), await code("u1", "p1")]).toEqual([5, 0]);
  });

  test("files that are not there are told by their key, and change nothing", async () => {
    const bad = { "auth.redis.password": redis.password, "auth.redis.ssl": "on", "auth.redis.ssl.cacertfile": "/nowhere.pem" };
    const answer = await api("PUT", `plugin_configs/${kit.plugin}`, { ...(await settings()), ...bad });
    expect(answer.code).toBe(102);
    expect(answer.message).toContain("auth.redis.ssl.cacertfile = /nowhere.pem: there is no such file");
    expect([await code("u1", "wrong"), await code("u1", "p1")]).toEqual([5, 0]);
  });

  test("unloaded with on_error = ignore: whoever waits is refused, not let by", async () => {
    await redis.freeze();
    const asked = Array.from({ length: 50 }, () => code("u1", "wrong"));
    await Bun.sleep(200);
    await put(`plugins/${kit.plugin}/unload`);
    expect(new Set(await Promise.all(asked)).difference(new Set([3]))).toEqual(new Set());
    redis.thaw();
    await put(`plugins/${kit.plugin}/load`);
    await kit.isUp();
    expect(await code("u1", "wrong")).toBe(5);
  });
});

needing(MARIADB, describe)("a database that looks past case, accents and spaces", () => {
  const kit = new AuthKit("emqx_auth_mysql", "auth.mysql");
  let db: MariaDb;

  beforeAll(async () => {
    db = new MariaDb();
    await db.start();
    db.run("create database mqtt default character set utf8mb4");
    db.run(
      `create table mqtt_user (username varchar(100), password varchar(100));
       create table mqtt_acl (allow int, ipaddr varchar(60), username varchar(100), clientid varchar(100), access int, topic varchar(100));
       create table latin (name varchar(100), password varchar(100)) character set latin1;
       insert into mqtt_user values ('joe', 'p'), ('JIM', 'p');
       insert into latin values ('jöe', 'p');
       insert into mqtt_acl values (1, null, '$all', null, 3, '#'), (0, null, 'joe', null, 3, 'secret/#');`,
      "mqtt",
    );
    const acl = "select allow, ipaddr, username, clientid, access, topic from mqtt_acl where username = '%u' or username = '$all'";
    await kit.start(
      { server: `127.0.0.1:${db.port}`, username: db.user, password: db.password, password_hash: "plain", acl_query: acl },
      { "zone.external.allow_anonymous": "false" },
    );
  });
  afterAll(async () => {
    await kit.stop([db.password]);
    await db.remove();
  });

  const spellings = ["JOE", "joe ", "jóe", "jim", "JIM "];

  test("a name has to be spelt as it is there, whatever the collation says: who is banned does not come back in capitals", async () => {
    for (const name of ["joe", "JIM"]) expect([name, await kit.code(name, "p")]).toEqual([name, 0]);
    for (const name of spellings) expect([name, await kit.code(name, "p")]).toEqual([name, 5]);
    const latin = "select password from latin where name = '%u'";
    await kit.withSettings({ auth_query: latin }, async () => {
      for (const [name, code] of [
        ["jöe", 0],
        ["joe", 5],
        ["JÖE", 5],
        ["jöe ", 5],
      ] as const)
        expect([name, await kit.code(name, "p")]).toEqual([name, code]);
    });
    const loose = "select password from mqtt_user where lower(username) = lower('%u')";
    await kit.withSettings({ auth_query: loose }, async () => expect(await kit.code("JOE", "p")).toBe(0));
    expect(kit.broker.log).toContain("whatever match_case says");
  });

  test("with that switched off, what joe is denied, JOE is denied, and the log tells what to do", async () => {
    await kit.withSettings({ match_case: "off" }, async () => {
      for (const name of ["joe", ...spellings.slice(0, 3)]) {
        const c = await kit.client(name, "p");
        expect([name, await kit.may(c, "secret/x"), await kit.may(c, "open/x")]).toEqual([name, false, true]);
        c.drop();
      }
    });
    await until(() => kit.broker.log.includes("auth.mysql.match_case = on"), "the log tells what to do");
  });
});

needing(SLAPD, describe)("a directory that does", () => {
  const kit = new AuthKit("emqx_auth_ldap", "auth.ldap", { port: "1" });
  let ldap: Slapd;

  beforeAll(async () => {
    ldap = await directory([ldapEntry("bob", "public")]);
    await ldap.start();
    await kit.start({ port: ldap.port, bind_dn: ldap.bindDn, bind_password: ldap.password });
  });
  afterAll(async () => {
    await kit.stop([ldap.password]);
    await ldap.remove();
  });

  test("a name has to be spelt as it is there, unless that is switched off", async () => {
    const spellings = ["BOB", "bob ", " bob", "ｂｏｂ"];
    expect(await kit.code("bob", "public")).toBe(0);
    for (const name of spellings) expect([name, await kit.code(name, "public")]).toEqual([name, 5]);
    await kit.withSettings({ match_case: "off" }, async () => {
      expect([await kit.code("BOB", "public"), await kit.code("BOB", "wrong")]).toEqual([0, 5]);
    });
  });
});
