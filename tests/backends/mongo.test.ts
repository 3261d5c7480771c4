/**
 * emqx_auth_mongo in the executable, with the official driver on both sides of the wire: against a twin of the server (there is no mongod
 * in Debian), and against a real one if BAOMQ_TEST_MONGO=mongodb://user:password@host:port/ names one, whose database `mqtt` is filled anew.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AuthKit } from "../support/auth_kit.ts";
import { until } from "../support/clients.ts";
import { type Collections, fill, MongoTwin } from "../support/mongo_server.ts";
import { runNow } from "../support/servers.ts";
import { whenAway, whenFar } from "./away.ts";
import { findNobody } from "./names.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const SEED: Collections = {
  mqtt_user: [
    { username: "u0", password: sha256("p0"), is_superuser: true },
    { username: "u1", password: sha256("p1"), is_superuser: false },
    { username: "u2", password: sha256("p2"), is_superuser: "true" },
    { username: "salted", password: sha256("peppublic"), salt: "pep" },
    { username: "none" },
  ],
  mqtt_acl: [
    { username: "u1", publish: ["out/%c"], subscribe: ["in/#"], pubsub: ["own/%u/#"] },
    { clientid: "special", subscribe: "else" },
    { username: "broken", subscribe: [7, "a/#/b"] },
  ],
  broken: [{ username: "u1" }],
};

function cases(kit: AuthKit, secret: () => string): void {
  const { api, set, withSettings, tried, explained, client, code, may } = kit;

  describe("who gets in", () => {
    test("right, wrong, without a password, unknown, without a name", async () => {
      expect([await code("u1", "p1"), await code("u1", "p2")]).toEqual([0, 5]);
      expect([await code("u1", ""), await code("unknown", null)]).toEqual([4, 4]);
      // A document without a password lets nobody in.
      expect(await code("none", "x")).toBe(5);
      // Not known there: allow_anonymous decides, which is on by default (EMQ X 3.1).
      expect([await code("unknown", "x"), await code(null, null)]).toEqual([0, 0]);
    });

    test("a salt in a field of its own; the kind of password is changed while it runs", async () => {
      await withSettings({ "auth_query.password_field": "password,salt", "auth_query.password_hash": "salt,sha256" }, async () => {
        expect([await code("salted", "public"), await code("salted", "Public")]).toEqual([0, 5]);
      });
      await set("auth_query.password_hash", "md5");
      expect(await code("u1", "p1")).toBe(5);
      await set("auth_query.password_hash", "sha256");
      expect(await code("u1", "p1")).toBe(0);
    });

    findNobody(
      kit,
      ['{"$ne":null}', '{"$gt":""}', "u1' || '1'=='1", "$ne", "u1, password=x", "u1\\u0000", "u1 ", "U1", "%u", "/u1/", "x".repeat(60_000)],
      ["p0", "p1"],
    );

    test("several fields", async () => {
      await withSettings({ "auth_query.selector": "username=%u, is_superuser=true" }, async () => {
        // A text is a text: true is none.
        expect([await code("u2", "wrong"), await code("u0", "wrong")]).toEqual([5, 0]);
      });
    });
  });

  describe("what it may do", () => {
    test("what stands there, with its own names in it, and nothing else", kit.ownRulesHold);

    test("is_superuser is true or nothing; no document: the file's rules decide; one without a filter: nothing is allowed by it", async () => {
      const notSuper = await client("u2", "p2");
      expect(await may(notSuper, "$SYS/#")).toBe(true);
      await withSettings({ acl_query: "off" }, async () => {
        const c = await client("u1", "p1");
        expect(await may(c, "else")).toBe(true);
        c.drop();
      });
      const broken = await client("broken", "x");
      expect([await may(broken, "a/b"), await may(broken, "else")]).toEqual([false, false]);
      await until(() => kit.broker.log.includes("holds something that is no topic filter"), "it is told");
      notSuper.drop();
      broken.drop();
    });

    test("further selectors: the documents of all of them", async () => {
      await withSettings({ "acl_query.selector.1": "clientid=%c" }, async () => {
        const c = await client("u1", "p1", "special");
        expect([await may(c, "in/x"), await may(c, "else"), await may(c, "other")]).toEqual([true, true, false]);
        c.drop();
      });
    });
  });

  describe("why, and with what", () => {
    test("no secret is shown, neither the account's nor a client's nor a hash", async () => {
      expect(JSON.stringify(await api("GET", "configs"))).not.toContain(secret());
      expect(JSON.stringify(await api("GET", `plugin_configs/${kit.plugin}`))).not.toContain(secret());
      const text = await explained({ client_id: "dev", username: "u1", password: "p1", action: "publish", topic: "else" });
      expect(text).not.toContain('"p1"');
      expect(text).not.toContain(sha256("p1"));
      expect(text).toContain('"question":"find mqtt_user username=%u"');
      expect(text).toContain(String.raw`username = \"u1\"`);
      expect(text).toContain('"answer":"a document","rows":[[{"name":"password","value":"***"}]]');
      expect(text).toContain('"rows":[[{"name":"is_superuser","value":"false"}]]');
      expect(text).toContain('"answer":"a document with 3 rules"');
      expect(text).toContain('[{"name":"publish","value":"out/%c"}]');
    });

    test("explain says in words why", async () => {
      const hash = "auth.mongo.auth_query.password_hash = sha256";
      expect(await kit.reasons({ username: "unknown", password: "x" })).toEqual([
        "unknown user: auth.mongo.auth_query.selector finds nobody",
      ]);
      expect(await kit.reasons({ username: "u1", password: "x" })).toEqual([`wrong password, with ${hash}`]);
      expect(await kit.reasons({ username: "u1", password: "p1", action: "publish", topic: "own/u1/x" })).toEqual([
        `the password fits, with ${hash}; no super user, by auth.mongo.super_query`,
        "allow pubsub own/%u/#",
      ]);
    });

    test("settings that are not saved can be tried; what the server has against them is said", async () => {
      const joe = { username: "u1", password: "p1", action: "subscribe", topic: "own/u1/x" };
      expect(await tried(joe)).toEqual(["settings ok", "connect ok", "authenticate allow", "acl allow"]);
      const why = (settings: Record<string, string>): Promise<string> => kit.why(joe, settings);
      expect(await why({ "auth.mongo.password": "wrong" })).toContain("Authentication failed");
      expect(await why({ "auth.mongo.password": "wrong" })).toContain(
        "; see auth.mongo.login, auth.mongo.password, auth.mongo.auth_source",
      );
      expect(await why({ "auth.mongo.server": "127.0.0.1:1", "auth.mongo.password": "x" })).toMatch(
        /nobody listens there: .*; see auth.mongo.server/,
      );
      expect(await why({ "auth.mongo.acl_query.selector.7": "clientid=%c" })).toContain("allow pubsub own/%u/#");
      expect(await api("POST", `plugins/${kit.plugin}/test`, { settings: { "auth.mongo.auth_query.selector": "$where=1" } })).toMatchObject(
        { code: 108 },
      );
      expect(await code("u1", "p1")).toBe(0);
    });
  });
}

describe("the twin", () => {
  const kit = new AuthKit("emqx_auth_mongo", "auth.mongo");
  let mongo: MongoTwin;

  beforeAll(async () => {
    mongo = new MongoTwin(SEED);
    await mongo.start();
    await kit.start({ server: `127.0.0.1:${mongo.port}`, login: mongo.user, password: mongo.password, timeout: "1s" });
  });
  afterAll(async () => {
    await kit.stop([mongo.password, sha256("p1")]);
    await mongo.remove();
  });

  cases(kit, () => mongo.password);

  test("an error of the server's is no answer", async () => {
    await kit.withSettings({ "auth_query.collection": "broken" }, async () => {
      expect(await kit.code("u1", "p1")).toBe(3);
      expect((await kit.status()).servers[0]?.last_error).toContain("something is wrong with it");
    });
  });

  const known = { username: "u1", password: "p1" };
  whenFar(
    kit,
    () => mongo,
    known,
    (port) => ({ server: `127.0.0.1:${port}`, pool: "20" }),
    200,
  );
  whenAway(kit, () => mongo, known, { looksOn: true });
});

describe("over TLS", () => {
  const kit = new AuthKit("emqx_auth_mongo", "auth.mongo");
  const certs = mkdtempSync(join(tmpdir(), "baomq-certs-"));
  const [cert, key] = [join(certs, "cert.pem"), join(certs, "key.pem")];
  let mongo: MongoTwin;

  beforeAll(async () => {
    const name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    runNow(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", ...name]);
    mongo = new MongoTwin(SEED, { cert, key });
    await mongo.start();
    const server = `127.0.0.1:${mongo.port}`;
    await kit.start({ server, login: mongo.user, password: mongo.password, timeout: "2s", ssl: "true", "ssl_opts.cacertfile": cert });
  });
  afterAll(async () => {
    await kit.stop([mongo.password]);
    await mongo.remove();
    rmSync(certs, { recursive: true, force: true });
  });

  test("with a certificate that is good for the name, or without looking at it", async () => {
    expect([await kit.code("u1", "p1"), await kit.code("u1", "no")]).toEqual([0, 5]);
    const password = { "auth.mongo.password": mongo.password };
    const who = { username: "u1", password: "p1" };
    const without = { ...password, "auth.mongo.ssl_opts.cacertfile": "" };
    expect(await kit.tried({ ...who, settings: without })).toEqual(["settings ok", "connect error"]);
    expect(await kit.tried({ ...who, settings: { ...without, "auth.mongo.ssl_opts.verify": "verify_none" } })).toEqual([
      "settings ok",
      "connect ok",
      "authenticate allow",
    ]);
  });
});

const REAL = process.env.BAOMQ_TEST_MONGO;
describe.if(REAL !== undefined)("a real server", () => {
  const url = new URL(REAL ?? "mongodb://127.0.0.1/");
  const kit = new AuthKit("emqx_auth_mongo", "auth.mongo");

  beforeAll(async () => {
    await fill(url.href, SEED);
    const account = url.username === "" ? {} : { login: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
    await kit.start({ server: url.host, timeout: "2s", auth_source: url.searchParams.get("authSource") ?? "admin", ...account });
  });
  afterAll(() => kit.stop([]));

  cases(kit, () => decodeURIComponent(url.password) || "no password");
});
