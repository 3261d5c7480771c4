/** Nodes that start while the server is away that one of their plugins asks, or takes connections and says nothing; in the executable, with real servers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AuthKit } from "../support/auth_kit.ts";
import { AUTH, type AuthPlugin, startWithUsers } from "../support/auth_servers.ts";
import { until } from "../support/clients.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { Nginx } from "../support/nginx.ts";
import { NGINX, needing } from "../support/peers.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { MariaDb, Postgres, type Server, type SqlDatabase } from "../support/servers.ts";
import { directory, ldapEntry } from "../support/slapd.ts";
import { SilentServer } from "../support/sockets.ts";

/** It does not run; when it does it knows u1 with the password p1, unless others are said. */
interface Away {
  server: Server;
  /** Of the plugin's file, without the prefix. */
  lines: Record<string, string>;
  secrets: string[];
  right?: string;
  wrong?: string;
}

interface Kind extends AuthPlugin {
  /** The key of its time limit. */
  timeout?: string;
  make(): Promise<Away>;
}

const sql = (plugin: AuthPlugin, create: () => SqlDatabase): Kind => ({
  ...plugin,
  async make() {
    const db = create();
    await startWithUsers(db, { u1: "p1" });
    await db.stop();
    const account = { username: db.user, password: db.password };
    return { server: db, lines: { ...account, server: `127.0.0.1:${db.port}`, password_hash: "plain" }, secrets: [db.password] };
  },
});

/** Signed with this key, by the name that the service has it under. */
function tokenOf(privateKey: KeyObject): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg: "EdDSA", kid: "k" })}.${part({})}`;
  return `${body}.${sign(null, Buffer.from(body), privateKey).toString("base64url")}`;
}

const KINDS: Kind[] = [
  sql(AUTH.pgsql, () => new Postgres()),
  sql(AUTH.mysql, () => new MariaDb()),
  {
    ...AUTH.ldap,
    async make() {
      const ldap = await directory([ldapEntry("u1", "p1")]);
      const lines = { port: String(ldap.port), bind_dn: ldap.bindDn, bind_password: ldap.password };
      return { server: ldap, lines, secrets: [ldap.password] };
    },
  },
  {
    ...AUTH.mongo,
    async make() {
      const mongo = new MongoTwin({ mqtt_user: [{ username: "u1", password: createHash("sha256").update("p1").digest("hex") }] });
      const lines = { server: `127.0.0.1:${mongo.port}`, login: mongo.user, password: mongo.password };
      return { server: mongo, lines, secrets: [mongo.password] };
    },
  },
  {
    ...AUTH.jwt,
    peer: NGINX,
    timeout: "jwks.timeout",
    async make() {
      const nginx = new Nginx();
      const [own, other] = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")];
      const keys = [{ ...own.publicKey.export({ format: "jwk" }), kid: "k" }];
      writeFileSync(join(nginx.dir, "jwks.json"), JSON.stringify({ keys }));
      const [right, wrong] = [tokenOf(own.privateKey), tokenOf(other.privateKey)];
      return { server: nginx, lines: { jwks: `http://127.0.0.1:${nginx.port}/jwks.json` }, secrets: [right, wrong], right, wrong };
    },
  },
  {
    ...AUTH.redis,
    async make() {
      const redis = new RedisServer();
      redis.seeded = () => void redis.run("HSET", "mqtt_user:u1", "password", "p1");
      return { server: redis, lines: { server: `127.0.0.1:${redis.port}`, password: redis.password }, secrets: [redis.password] };
    },
  },
  {
    ...AUTH.http,
    peer: NGINX,
    async make() {
      const nginx = new Nginx();
      return { server: nginx, lines: nginx.settings, secrets: [] };
    },
  },
];

for (const k of KINDS) {
  needing(k.peer, describe)(k.plugin, () => {
    let away: Away;
    beforeAll(async () => {
      away = await k.make();
    });
    afterAll(() => away.server.remove());

    for (const how of ["is away", "says nothing"] as const)
      describe(`the node starts while its server ${how}`, () => {
        const kit = new AuthKit(k.plugin, k.prefix);
        const { code, status } = kit;
        const right = (): Promise<number> => code("u1", away.right ?? "p1");
        const wrong = (username = "u1"): Promise<number> => code(username, away.wrong ?? "no");
        let silent: SilentServer | null = null;
        const said = (what: string): number => kit.broker.log.split(what).length - 1;

        beforeAll(async () => {
          if (how === "says nothing") silent = new SilentServer("127.0.0.1", away.server.port);
          await kit.startWithNode({ ...away.lines, [k.timeout ?? "timeout"]: "1s" });
        });
        afterAll(async () => {
          await kit.stop(away.secrets);
          await away.server.stop();
        });

        test("that is told, and keeps out whoever would be asked about, and nobody else", async () => {
          expect(await Promise.all([right(), wrong(), wrong("unknown")])).toEqual([3, 3, 3]);
          expect(await code(null, null)).toBe(0);
          // A service that takes connections answers nothing before somebody asks.
          await until(async () => {
            expect(await wrong()).toBe(3);
            return (await status()).servers[0]?.state === "down";
          }, "it is told as down");
          const { data } = await kit.api<{ name: string; active: boolean }[]>("GET", "plugins");
          expect([data.find((p) => p.name === k.plugin)?.active, await kit.alarmed()]).toEqual([true, true]);
          await until(() => said("server cannot be reached") + said("server is down") === 1, "the log tells of it, once");
        });

        test("it comes: everybody is answered rightly, without anybody's doing", async () => {
          silent?.stop();
          await away.server.start();
          await until(async () => (await right()) === 0, "it is asked");
          expect([await right(), await wrong()]).toEqual([0, 5]);
          expect((await status()).servers[0]).toMatchObject({ state: "up" });
          await until(async () => !(await kit.alarmed()), "the alarm is cleared");
          await until(() => said("server is back") === 1, "the log tells of it");
        });
      });
  });
}
