/** emqx_auth_redis in the executable, with real servers: EMQ X 3.1's keys and commands, alone, by sentinels, as a cluster; over TLS. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import { AuthKit } from "../support/auth_kit.ts";
import { until } from "../support/clients.ts";
import { needing, REDIS } from "../support/peers.ts";
import { RedisCluster, RedisSentinels, RedisServer } from "../support/redis_servers.ts";
import { whenAway, whenFar } from "./away.ts";
import { findNobody } from "./names.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** EMQ X 3.1's keys, and who is in them. */
function seed(run: (...command: string[]) => string): void {
  run("HSET", "mqtt_user:u0", "password", "p0", "is_superuser", "1");
  run("HSET", "mqtt_user:u1", "password", "p1");
  run("HSET", "mqtt_user:half", "salt", "x");
  run("HSET", "mqtt_user:salted", "password", sha256("peppublic"), "salt", "pep");
  run("HSET", "mqtt_acl:u1", "own/%u/#", "3", "in/#", "1", "out/%c", "2");
  run("HSET", "mqtt_acl:broken", "own/#", "9", "a/#/b", "3");
  run("HSET", "mqtt_user:broken", "password", "p");
  run("SET", "plain:u2", "p2");
  run("SET", "mqtt_user:text", "not a hash");
}

needing(REDIS, describe)("one server", () => {
  const kit = new AuthKit("emqx_auth_redis", "auth.redis");
  const { api, status, set, withSettings, tried, explained, client, code, may } = kit;
  let redis: RedisServer;

  beforeAll(async () => {
    redis = new RedisServer();
    redis.seeded = () => {
      seed((...command) => redis.run(...command));
      redis.run("ACL", "SETUSER", "mqtt@", "on", ">p:w", "~mqtt_*", "+hmget", "+hget", "+hgetall", "+ping", "+select");
    };
    await redis.start();
    await kit.start({ server: `127.0.0.1:${redis.port}`, password: redis.password, timeout: "1s" });
  });
  afterAll(async () => {
    await kit.stop([redis.password, sha256("peppublic")]);
    await redis.remove();
  });

  describe("who gets in", () => {
    test("right, wrong, without a password, unknown, without a name", async () => {
      expect([await code("u1", "p1"), await code("u1", "p2")]).toEqual([0, 5]);
      // Half of it: nobody is asked, and nobody lets it in (EMQ X 3.1).
      expect([await code("u1", ""), await code("unknown", null)]).toEqual([4, 4]);
      // Not known there, or without a password there: allow_anonymous decides, which is on by default (EMQ X 3.1).
      expect([await code("unknown", "x"), await code("half", "x"), await code(null, null)]).toEqual([0, 0, 0]);
      // An error of the server's is no answer.
      expect(await code("text", "x")).toBe(3);
    });

    test("HMGET with a salt, GET, any command that gives a password", async () => {
      await withSettings({ auth_cmd: "HMGET mqtt_user:%u password salt", password_hash: "salt,sha256" }, async () => {
        expect([await code("salted", "public"), await code("salted", "Public")]).toEqual([0, 5]);
      });
      await withSettings({ auth_cmd: "GET plain:%u" }, async () => {
        expect([await code("u2", "p2"), await code("u2", "p1"), await code("u1", "x")]).toEqual([0, 5, 0]);
      });
      await withSettings({ auth_cmd: "EVAL return{redis.call('GET',KEYS[1])} 1 plain:%u" }, async () => {
        expect([await code("u2", "p2"), await code("u2", "p1")]).toEqual([0, 5]);
      });
      expect(await code("u1", "p1")).toBe(0);
    });

    findNobody(
      kit,
      ["u1 password FLUSHALL", "u1 is_superuser", "u1  x", "u1 ", "*", "%u", "%c", "$all", "u1\\r\\nDEL mqtt_user:u1", "x".repeat(60_000)],
      ["p1", "p0"],
    );

    test("and they harm nothing", () => {
      expect(redis.run("EXISTS", "mqtt_user:u1", "mqtt_user:u0", "mqtt_acl:u1")).toBe("3");
    });

    test("another database, and an account of its own", async () => {
      redis.run("-n", "3", "HSET", "mqtt_user:u1", "password", "in3");
      await withSettings({ database: "3" }, async () => {
        await kit.isUp();
        expect([await code("u1", "in3"), await code("u1", "p1")]).toEqual([0, 5]);
      });
      await withSettings({ username: "mqtt@", password: "p:w" }, async () => {
        await kit.isUp();
        expect([await code("u1", "p1"), await code("u1", "no")]).toEqual([0, 5]);
      });
      await kit.isUp();
    });
  });

  describe("what it may do", () => {
    test("what stands there, with its own names in it, and nothing else", kit.ownRulesHold);

    test("its rules are asked for once", async () => {
      const c = await client("u1", "p1", "dev");
      const { calls } = (await status()).servers[0] ?? { calls: 0 };
      expect([await may(c, "own/u1/x"), await may(c, "in/x"), await may(c, "else")]).toEqual([true, true, false]);
      expect((await status()).servers[0]?.calls).toBe(calls + 1);
      c.drop();
    });

    test("no rules: the file's decide; rules that are none: nothing is allowed by them", async () => {
      const c = await client("unknown", "x");
      expect([await may(c, "a/b"), await may(c, "#")]).toEqual([true, true]);
      const broken = await client("broken", "p");
      expect([await may(broken, "own/x"), await may(broken, "a/b")]).toEqual([false, false]);
      await until(() => kit.broker.log.includes("expected a topic filter with 1, 2 or 3"), "it is told");
      c.drop();
      broken.drop();
    });
  });

  describe("why, and with what", () => {
    test("nobody is shown the account's password, nor a client's", async () => {
      expect(JSON.stringify(await api("GET", "configs"))).not.toContain(redis.password);
      expect(JSON.stringify(await api("GET", `plugin_configs/${kit.plugin}`))).not.toContain(redis.password);
      const text = await explained({ client_id: "dev", username: "u1", password: "p1", action: "publish", topic: "else" });
      expect(text).not.toContain('"p1"');
      expect(text).toContain('"question":"HMGET mqtt_user:%u password"');
      expect(text).toContain(String.raw`\"mqtt_user:u1\"`);
      expect(text).toContain('"rows":[[{"name":"password","value":"***"}]]');
      expect(text).toContain('"answer":"nothing is there"');
      expect(text).toContain('"answer":"3 rules"');
      expect(text).toContain('[{"name":"topic","value":"own/%u/#"},{"name":"access","value":"3"}]');
      const superUser = await explained({ client_id: "dev", username: "u0", password: "p0" });
      expect(superUser).toContain('[{"name":"is_superuser","value":"1"}]');
      // A slip: the command of passwords stands where the one of rules should.
      const slip = { "auth.redis.acl_cmd": "HMGET mqtt_user:%u password salt", "auth.redis.super_cmd": "HGET mqtt_user:%u password" };
      const { data } = await api("POST", `plugins/${kit.plugin}/test`, {
        ...{ username: "salted", password: "x", action: "publish", topic: "else" },
        settings: { ...slip, "auth.redis.auth_cmd": "GET plain:u2", "auth.redis.password_hash": "plain" },
      });
      const tried = JSON.stringify([
        data,
        (await api("POST", `plugins/${kit.plugin}/test`, { ...{ username: "u1", password: "p1" }, settings: slip })).data,
      ]);
      expect(tried).toContain('{"name":"value 1","value":"***"}');
      for (const secret of [sha256("peppublic"), '"pep"', '"p1"', '"p2"']) expect(tried).not.toContain(secret);
    });

    test("whoever may try settings, and not save them, is shown no value that another command brings", async () => {
      redis.run("HSET", "mqtt_user:root", "password", "hunter2", "salt", "2");
      const u1 = { username: "u1", password: "p1", action: "publish", topic: "x/hunter2" };
      for (const acl_cmd of [
        "HVALS mqtt_user:root",
        "HGETALL mqtt_user:root",
        "EVAL_RO return{redis.call('HGET','mqtt_user:root','password'),'2'} 0",
        "EVAL_RO return{'+/'..redis.call('HGET','mqtt_user:root','password'),'2'} 0",
        "EVAL_RO return{err=redis.call('HGET','mqtt_user:root','password')} 0",
      ]) {
        const { data } = await api<{ step: string }[]>("POST", `plugins/${kit.plugin}/test`, {
          ...u1,
          settings: { "auth.redis.acl_cmd": acl_cmd },
        });
        expect([acl_cmd, data.at(-1)?.step]).toEqual([acl_cmd, "acl"]);
        expect(JSON.stringify(data).replaceAll("x/hunter2", "")).not.toContain("hunter2");
      }
      redis.run("DEL", "mqtt_user:root");
      // The one in force is shown as ever.
      expect(JSON.stringify((await api("POST", `plugins/${kit.plugin}/test`, u1)).data)).toContain("own/%u/#");
    });

    test("explain says in words why", async () => {
      const [hash, u1] = ["auth.redis.password_hash = plain", { username: "u1", password: "p1", action: "publish" }];
      expect(await kit.reasons({ username: "unknown", password: "x" })).toEqual(["unknown user: auth.redis.auth_cmd finds nobody"]);
      expect(await kit.reasons({ ...u1, password: "x", topic: "x" })).toEqual([`wrong password, with ${hash}`]);
      expect((await kit.reasons({ ...u1, topic: "own/u1/x" }))[1]).toBe("allow pubsub own/%u/#");
      expect(await kit.reasons({ ...u1, topic: "else" })).toEqual([
        `the password fits, with ${hash}; no super user, by auth.redis.super_cmd`,
        "none of the 3 rules that there are speaks of this, and who has any there may do nothing else",
      ]);
      expect((await kit.reasons({ username: "text", password: "x" }))[0]).toContain("WRONGTYPE");
    });

    test("settings that are not saved can be tried; what the server has against them is said", async () => {
      const joe = { username: "u1", password: "p1", action: "subscribe", topic: "own/u1/x" };
      expect(await tried(joe)).toEqual(["settings ok", "connect ok", "authenticate allow", "acl allow"]);
      expect(await tried({ ...joe, topic: "else" })).toEqual(["settings ok", "connect ok", "authenticate allow", "acl deny"]);
      expect(await tried({ ...joe, settings: { "auth.redis.type": "sentinel" } })).toEqual(["settings error"]);
      const why = (settings: Record<string, string>): Promise<string> => kit.why(joe, settings);
      expect(await why({ "auth.redis.password": "wrong" })).toContain("WRONGPASS");
      for (const [settings, says, see] of [
        [{ password: "wrong" }, "account and password are not taken", "username, auth.redis.password"],
        [{ database: "99" }, "there is no such database", "database"],
        [{ server: "127.0.0.1:1", password: "x" }, "nobody listens there", "server"],
        [{ server: "nix.invalid", password: "x" }, "there is no such host", "server"],
        [{ auth_cmd: "HMGET %u" }, "the command cannot be read", "auth_cmd"],
        [{ acl_cmd: "GET mqtt_acl:%u" }, "the key holds something else than the command reads", "acl_cmd"],
        [{ username: "mqtt@", password: "p:w", auth_cmd: "GET plain:%u" }, "the account may not ask that", "auth_cmd, auth.redis.username"],
        [{ type: "cluster" }, "there is a server, but no cluster", "type, auth.redis.server"],
        [{ type: "sentinel", sentinel: "x" }, "there is a server, but no sentinel", "type, auth.redis.server"],
      ] as [Record<string, string>, string, string][]) {
        const text = await why(Object.fromEntries(Object.entries(settings).map(([key, value]) => [`auth.redis.${key}`, value])));
        expect([settings, text.includes(says) && text.includes(`; see auth.redis.${see}`) ? "" : text]).toEqual([settings, ""]);
      }
      expect(await why({ "auth.redis.database": "99" })).toContain("DB index is out of range");
      expect(await why({ "auth.redis.auth_cmd": "HMGET %u" })).toContain("wrong number of arguments");
      const heard: string[] = [];
      const stranger = createServer((socket) => socket.on("data", (chunk) => heard.push(chunk.toString())));
      await new Promise<void>((done) => stranger.listen(0, "127.0.0.1", done));
      const there = `127.0.0.1:${(stranger.address() as AddressInfo).port}`;
      for (const password of ["******", undefined]) {
        const settings = { "auth.redis.server": there, ...(password !== undefined && { "auth.redis.password": password }) };
        expect(await api("POST", "plugins/emqx_auth_redis/test", { ...joe, settings })).toMatchObject({ code: 108 });
      }
      expect(await api("PUT", "configs/emqx_auth_redis", { key: "auth.redis.server", value: there })).toMatchObject({ code: 108 });
      stranger.close();
      expect(heard).toEqual([]);
      expect(await code("u1", "p1")).toBe(0);
    });
  });

  test("what would change something is no setting, and a script is not run by a test", async () => {
    const before = redis.run("DBSIZE");
    for (const settings of [{ "auth.redis.auth_cmd": "FLUSHALL" }, { "auth.redis.acl_cmd": "NIXDA %u" }]) {
      const refused = { code: 108, message: expect.stringContaining("expected a command that reads, such as HMGET") };
      expect(await api("POST", `plugins/${kit.plugin}/test`, { username: "u1", password: "p1", settings })).toMatchObject(refused);
      expect(await api("PUT", `plugin_configs/${kit.plugin}`, settings)).toMatchObject({ ...refused, code: 102 });
    }
    const script = { "auth.redis.auth_cmd": "EVAL return{redis.call('FLUSHALL')} 0" };
    expect(await kit.why({ username: "u1", password: "p1" }, script)).toContain("it is not run by a test");
    expect(redis.run("DBSIZE")).toBe(before);
  });

  test("the kind of password is changed while it runs", async () => {
    await set("password_hash", "sha256");
    expect(await code("u1", "p1")).toBe(5);
    await set("password_hash", "plain");
    expect(await code("u1", "p1")).toBe(0);
  });

  const known = { username: "u1", password: "p1" };
  whenFar(
    kit,
    () => redis,
    known,
    (port) => ({ server: `127.0.0.1:${port}`, pool: "1" }),
  );
  whenAway(kit, () => redis, known, { many: 10_000 });
});

needing(REDIS, describe)("a cluster", () => {
  const kit = new AuthKit("emqx_auth_redis", "auth.redis");
  const { status, client, code, may } = kit;
  let redis: RedisCluster;

  beforeAll(async () => {
    redis = new RedisCluster();
    await redis.start();
    seed((...command) => redis.run(...command));
    for (let i = 10; i < 40; i++) redis.run("HSET", `mqtt_user:u${i}`, "password", `p${i}`);
    await kit.start({ type: "cluster", server: redis.nodes.map((n) => `127.0.0.1:${n.port}`).join(", "), timeout: "2s" });
  });
  afterAll(async () => {
    await kit.stop([]);
    await redis.remove();
  });

  test("who is where does not matter", async () => {
    for (let i = 10; i < 40; i++) expect([i, await code(`u${i}`, `p${i}`), await code(`u${i}`, "no")]).toEqual([i, 0, 5]);
    const c = await client("u1", "p1");
    expect([await may(c, "own/u1/x"), await may(c, "else")]).toEqual([true, false]);
    c.drop();
  });

  const slotOf = (name: string): string => redis.run("CLUSTER", "KEYSLOT", `mqtt_user:${name}`);

  test("a slot moves to another server: nobody is wrongly answered", async () => {
    const slot = slotOf("u10");
    const owner = redis.nodes.find((n) => n.run("CLUSTER", "GETKEYSINSLOT", slot, "10").includes("mqtt_user:u10"));
    const other = redis.nodes.find((n) => n !== owner);
    if (owner === undefined || other === undefined) throw new Error("nobody has it");
    const [from, to] = [owner.run("CLUSTER", "MYID"), other.run("CLUSTER", "MYID")];
    other.run("CLUSTER", "SETSLOT", slot, "IMPORTING", from);
    owner.run("CLUSTER", "SETSLOT", slot, "MIGRATING", to);
    const keys = owner.run("CLUSTER", "GETKEYSINSLOT", slot, "100").split("\n");
    owner.run("MIGRATE", "127.0.0.1", String(other.port), "", "0", "5000", "KEYS", ...keys);
    // It is at neither of them as far as the cluster knows: the old one sends everybody on.
    expect([await code("u10", "p10"), await code("u10", "no")]).toEqual([0, 5]);
    for (const n of redis.nodes) n.run("CLUSTER", "SETSLOT", slot, "NODE", to);
    expect([await code("u10", "p10"), await code("u10", "no")]).toEqual([0, 5]);
  });

  test("one of its servers stands still: its users are refused, not let by, and nobody else notices", async () => {
    for (const n of redis.nodes) n.run("CONFIG", "SET", "cluster-require-full-coverage", "no");
    const names = Array.from({ length: 30 }, (_, i) => `u${i + 10}`);
    const still = redis.nodes[1] as RedisServer;
    const there = new Set(names.filter((name) => still.run("CLUSTER", "COUNTKEYSINSLOT", slotOf(name)) !== "0"));
    expect([there.size > 0, there.size < 30]).toEqual([true, true]);
    const right = names.map((name): [string, number] => [name, there.has(name) ? 3 : 0]);
    const enterAll = (): Promise<[string, number][]> =>
      Promise.all(names.map(async (name): Promise<[string, number]> => [name, await code(name, `p${name.slice(1)}`)]));
    await still.freeze();
    try {
      for (let round = 0; round < 5; round++) {
        expect(await enterAll()).toEqual(right);
        expect([await kit.alarmed(), (await status()).servers[0]?.state]).toEqual([false, "degraded"]);
      }
      const [one = ""] = there;
      expect([await code(one, "wrong"), await code(one, "wrong")]).toEqual([3, 3]);
      // Whoever has to find out first what the cluster is does so, too.
      await kit.withSettings({ pool: "5" }, async () => {
        for (let round = 0; round < 3; round++) expect(await enterAll()).toEqual(right);
      });
    } finally {
      still.thaw();
    }
    await until(async () => (await enterAll()).every(([, answer]) => answer === 0), "all are answered");
  });

  test("all of them stand still: down, and said so, until they go on", async () => {
    for (const n of redis.nodes) await n.freeze();
    try {
      const ask = (): Promise<number[]> => Promise.all(Array.from({ length: 30 }, (_, i) => code(`u${i + 10}`, `p${i + 10}`)));
      await until(async () => {
        expect(new Set(await ask())).toEqual(new Set([3]));
        return (await status()).servers[0]?.state === "down";
      }, "it is told as down");
      expect(await kit.alarmed()).toBe(true);
    } finally {
      for (const n of redis.nodes) n.thaw();
    }
    await until(async () => (await code("u10", "p10")) === 0 && (await code("u11", "p11")) === 0, "they go on");
    expect([await code("u10", "no"), await kit.alarmed()]).toEqual([5, false]);
  });

  test("one of its servers dies: its users are refused, not let by, the others get in", async () => {
    const slots = new Map(Array.from({ length: 30 }, (_, i) => [`u${i + 10}`, slotOf(`u${i + 10}`)]));
    const last = redis.nodes[2] as RedisServer;
    const there = [...slots].filter(([, slot]) => last.run("CLUSTER", "COUNTKEYSINSLOT", slot) !== "0").map(([name]) => name);
    expect(there.length).toBeGreaterThan(0);
    for (const n of redis.nodes) n.run("CONFIG", "SET", "cluster-require-full-coverage", "no");
    await last.kill();
    expect(await code(there[0] as string, "wrong")).toBe(3);
    const here = [...slots.keys()].find((name) => !there.includes(name)) as string;
    await until(async () => (await code(here, `p${here.slice(1)}`)) === 0, "the others are answered");
    expect((await status()).servers[0]?.last_error).not.toBeNull();
  });
});

needing(REDIS, describe)("by sentinels", () => {
  const kit = new AuthKit("emqx_auth_redis", "auth.redis");
  const { code, enter } = kit;
  let redis: RedisSentinels;

  beforeAll(async () => {
    redis = new RedisSentinels();
    await redis.start();
    seed((...command) => redis.master.run(...command));
    const server = redis.sentinels.map((s) => `127.0.0.1:${s.port}`).join(",");
    await kit.start({ type: "sentinel", server, sentinel: "the-master", password: redis.master.password, timeout: "1s" });
  });
  afterAll(async () => {
    await kit.stop([redis.master.password]);
    await redis.remove();
  });

  test("the first one stands still: the others know the master, and say so in time", async () => {
    await redis.sentinels[0]?.freeze();
    try {
      // Connections are made anew.
      await kit.withSettings({ pool: "4" }, async () => {
        expect(await Promise.all(Array.from({ length: 20 }, (_, i) => code("u1", i % 2 === 0 ? "p1" : "no")))).toEqual(
          Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 0 : 5)),
        );
        redis.master.run("CLIENT", "KILL", "TYPE", "normal");
        expect([await code("u1", "p1"), await code("u1", "no")]).toEqual([0, 5]);
        expect((await kit.status()).servers[0]).toMatchObject({ state: "up", timeouts: 0, failed: 0 });
      });
    } finally {
      redis.sentinels[0]?.thaw();
    }
  });

  test("one of them is gone: the others know the master", async () => {
    await redis.sentinels[0]?.kill();
    expect([await code("u1", "p1"), await code("u1", "no")]).toEqual([0, 5]);
    await redis.sentinels[0]?.start();
  });

  test("an account that may not ask for a server's role is served all the same", async () => {
    redis.master.run("ACL", "SETUSER", "bare", "on", ">p", "~mqtt_*", "+hmget", "+hget", "+hgetall", "+ping");
    const bare = { "auth.redis.username": "bare", "auth.redis.password": "p" };
    expect(await kit.why({ username: "u1", password: "p1" }, bare)).toContain("the password fits");
  });

  test("a replica is not asked, though the sentinels name it: it need not have everybody", async () => {
    for (const s of redis.sentinels) {
      s.run("MONITOR", "stale", "127.0.0.1", String(redis.replica.port), "2");
      s.run("SET", "stale", "auth-pass", redis.master.password);
    }
    try {
      const text = await kit.why({ username: "u1", password: "p1" }, { "auth.redis.sentinel": "stale" });
      expect(text).toContain(
        "it is no master: the server that the sentinels name is a replica; see auth.redis.server, auth.redis.sentinel",
      );
    } finally {
      for (const s of redis.sentinels) s.run("REMOVE", "stale");
    }
  });

  test("the master dies under load: until there is another one all are refused, nobody is let by, then all are answered rightly", async () => {
    await redis.settled();
    await redis.master.kill();
    const wrong: number[] = [];
    const since = performance.now();
    for (let good = false; !good; ) {
      const answers = await Promise.all([code("u1", "no"), code("unknown", "x"), code("u1", "p1")]);
      // A wrong password never gets in, and while nobody can be asked neither does one who is not known.
      if (answers[0] !== 5 && answers[0] !== 3) wrong.push(answers[0]);
      good = answers[2] === 0;
      if (performance.now() - since > 60_000) throw new Error("nobody took over");
      await Bun.sleep(20);
    }
    expect([wrong, redis.replica.run("HGET", "mqtt_user:u1", "password")]).toEqual([[], "p1"]);
    const c = await enter("u1", "p1");
    expect(typeof c).toBe("object");
    if (typeof c !== "number") c.drop();
  });
});
