/**
 * Servers that want to see a certificate of whoever speaks TLS with them: with one of ours log-ins work; without it, with one of another authority, and
 * where we trust that one alone, nobody is let in, and the words name the setting to look at. (`tls.test.ts` has the others.)
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AuthKit } from "../support/auth_kit.ts";
import { AUTH, type AuthPlugin } from "../support/auth_servers.ts";
import { Certificates } from "../support/certificates.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { Nginx } from "../support/nginx.ts";
import { NGINX, needing } from "../support/peers.ts";
import { RedisCluster, RedisSentinels, type RedisTls } from "../support/redis_servers.ts";
import { directory, ldapEntry } from "../support/slapd.ts";
import { until } from "../support/until.ts";
import { jwk, pair, signed } from "../unit/plugins/auth_jwt/keys.ts";

type Lines = Record<string, string>;

interface Made {
  server: { remove(): Promise<void> };
  /** Of the plugin's file, without what is about certificates: the first way's, and of each further one where it differs. */
  ways: Record<string, Lines>;
  secrets: string[];
}

interface Kind extends AuthPlugin {
  title: string;
  /** Of the keys about files. */
  files: string;
  ways: readonly string[];
  password: string;
  wrong: string;
  /** What is said of a certificate that is missing, or is not taken. */
  refuses: RegExp;
  make(certs: Certificates): Promise<Made>;
}

/** Some say it behind the handshake, some only by hanging up. */
const REFUSES = /(?:it does not take our certificate, or there is none|it closes the connection): .*; see .*certfile, .*keyfile/;

const [ours, strangers] = [pair(), pair()];
const redisTls = ({ ca, server }: Certificates): RedisTls => ({ ...server, ca: ca.cert });

/** By sentinels, and as a cluster. */
const REDIS = { ...AUTH.redis, files: "ssl", password: "p1", wrong: "no", refuses: REFUSES };

const KINDS: readonly Kind[] = [
  {
    title: "a directory",
    ...AUTH.ldap,
    files: "ssl",
    ways: ["ldaps", "StartTLS"],
    password: "public",
    wrong: "Public",
    refuses: REFUSES,
    async make({ ca, server }) {
      const ldap = await directory([ldapEntry("u1", "public")], { ...server, ca: ca.cert, demand: true });
      await ldap.start();
      const account = { bind_dn: ldap.bindDn, bind_password: ldap.password, timeout: "10s" };
      const ways = {
        ldaps: { ...account, ssl: "true", port: String(ldap.tlsPort) },
        StartTLS: { ssl: "false", starttls: "on", port: String(ldap.port) },
      };
      return { server: ldap, ways, secrets: [ldap.password] };
    },
  },
  {
    title: "MongoDB (the twin)",
    ...AUTH.mongo,
    files: "ssl_opts",
    ways: ["alone"],
    password: "p1",
    wrong: "no",
    refuses: REFUSES,
    async make({ ca, server, client }) {
      const password = createHash("sha256").update("p1").digest("hex");
      const mongo = new MongoTwin({ mqtt_user: [{ username: "u1", password }] }, { ...server, clients: { ...client, ca: ca.cert } });
      await mongo.start();
      // It looks for a server that it can speak with for most of this.
      const account = { login: mongo.user, password: mongo.password, timeout: "2s" };
      return { server: mongo, ways: { alone: { ...account, server: `127.0.0.1:${mongo.port}`, ssl: "true" } }, secrets: [mongo.password] };
    },
  },
  {
    title: "keys from a URL",
    ...AUTH.jwt,
    peer: NGINX,
    files: "jwks.ssl",
    ways: ["alone"],
    password: signed(ours.privateKey, { kid: "ours" }),
    wrong: signed(strangers.privateKey, { kid: "ours" }),
    // nginx says so within TLS.
    refuses: /http 400; see auth\.jwt\.jwks/,
    async make({ ca, server }) {
      const nginx = new Nginx();
      nginx.tls = { ...server, ca: ca.cert };
      writeFileSync(join(nginx.dir, "jwks.json"), JSON.stringify({ keys: [jwk(ours.publicKey, { kid: "ours" })] }));
      await nginx.start();
      return { server: nginx, ways: { alone: { jwks: `https://127.0.0.1:${nginx.port}/jwks.json`, "jwks.timeout": "10s" } }, secrets: [] };
    },
  },
  {
    ...REDIS,
    title: "Redis by sentinels",
    ways: ["sentinels"],
    async make(certs) {
      const redis = new RedisSentinels(redisTls(certs));
      await redis.start();
      redis.master.run("HSET", "mqtt_user:u1", "password", "p1");
      await redis.settled();
      const server = redis.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",");
      const { password } = redis.master;
      const sentinels = { type: "sentinel", server, sentinel: "the-master", password, ssl: "on", timeout: "10s" };
      return { server: redis, ways: { sentinels }, secrets: [password] };
    },
  },
  {
    ...REDIS,
    title: "a Redis cluster",
    ways: ["cluster"],
    async make(certs) {
      const redis = new RedisCluster(redisTls(certs));
      await redis.start();
      for (let i = 1; i <= 10; i++) redis.run("HSET", `mqtt_user:u${i}`, "password", `p${i}`);
      const server = redis.nodes.map(({ port }) => `127.0.0.1:${port}`).join(",");
      return { server: redis, ways: { cluster: { type: "cluster", server, ssl: "on", timeout: "10s" } }, secrets: [] };
    },
  },
];

for (const kind of KINDS) {
  needing(kind.peer, describe)(kind.title, () => {
    const { plugin, prefix, files, password, wrong, refuses } = kind;
    const kit = new AuthKit(plugin, prefix);
    const { code, status } = kit;
    let certs: Certificates;
    let made: Made;

    const filed = (pair: Partial<Record<"cacertfile" | "certfile" | "keyfile", string>>): Lines =>
      Object.fromEntries(Object.entries(pair).map(([name, value]) => [`${files}.${name}`, value]));
    const without = (): Lines => filed({ certfile: "", keyfile: "" });
    const strangersOwn = (): Lines => filed({ certfile: certs.strangersClient.cert, keyfile: certs.strangersClient.key });
    const trustsStrangers = (): Lines => filed({ cacertfile: certs.strangersCa.cert });

    beforeAll(async () => {
      certs = new Certificates();
      made = await kind.make(certs);
      const own = filed({ cacertfile: certs.ca.cert, certfile: certs.client.cert, keyfile: certs.client.key });
      await kit.start({ ...made.ways[kind.ways[0] as string], ...own });
    });
    afterAll(async () => {
      await kit.stop(made.secrets);
      await made.server.remove();
      certs.remove();
    });

    for (const way of kind.ways) {
      test(`${way}: with our certificate log-ins work`, () =>
        kit.withSettings({ ...made.ways[way], ...kit.secrets }, async () => {
          await kit.isUp();
          expect([await code("u1", password), await code("u1", wrong)]).toEqual([0, 5]);
        }));

      test(`${way}: without it nobody is let in, which is told, until there is one again`, async () => {
        const before = kit.broker.log.length;
        await kit.withSettings({ ...made.ways[way], ...kit.secrets, ...without() }, async () => {
          await until(async () => (await status()).servers[0]?.state === "down", "it is told as down");
          expect([await code("u1", password), await code("u1", wrong)]).toEqual([3, 3]);
          expect((await status()).servers[0]?.last_error).toMatch(refuses);
          await until(() => refuses.test(kit.broker.log.slice(before)), "the log tells of it");
        });
        await kit.isUp();
        expect(await code("u1", password)).toBe(0);
      });

      test(`${way}: without a certificate, with one of another authority, and with no trust in the server's: said in words`, async () => {
        const said = async (lines: Lines): Promise<[steps: string[], why: string]> => {
          const settings = Object.fromEntries(
            Object.entries({ ...made.ways[way], ...kit.secrets, ...lines }).map(([key, value]) => [`${prefix}.${key}`, value]),
          );
          const tried = { username: "u1", password, settings };
          const { data } = await kit.api<{ step: string; verdict: string; why: string }[]>("POST", `plugins/${plugin}/test`, tried);
          return [data.map(({ step, verdict }) => `${step} ${verdict}`), data.at(-1)?.why ?? ""];
        };
        expect((await said({}))[0]).toEqual(["settings ok", "connect ok", "authenticate allow"]);
        const [none, other, untrusted] = await Promise.all([without(), strangersOwn(), trustsStrangers()].map(said));
        for (const found of [none, other]) expect(found).toEqual([["settings ok", "connect error"], expect.stringMatching(refuses)]);
        expect(untrusted).toEqual([
          ["settings ok", "connect error"],
          expect.stringMatching(new RegExp(`its certificate is signed by nobody who is trusted: .*; see ${prefix}.${files}.cacertfile`)),
        ]);
        // And no connection of those that were refused, or were good, is taken for another's.
        expect((await said({}))[0]).toEqual(["settings ok", "connect ok", "authenticate allow"]);
      });
    }

    if (kind.ways[0] === "cluster")
      test("each of its servers is spoken with so, also who is told of by the others", async () => {
        const names = Array.from({ length: 10 }, (_, i) => i + 1);
        expect(await Promise.all(names.map((i) => code(`u${i}`, `p${i}`)))).toEqual(names.map(() => 0));
      });
  });
}
