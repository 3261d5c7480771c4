/** TLS to each server in the executable: with an own authority and a client's certificate; refused where the certificate is not good for the server. */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { AuthKit } from "../support/auth_kit.ts";
import { Certificates } from "../support/certificates.ts";
import { Nginx } from "../support/nginx.ts";
import { MARIADB, NGINX, needing, type Peer, POSTGRESQL, REDIS } from "../support/peers.ts";
import { freePorts } from "../support/ports.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { MariaDb, Postgres, type Server } from "../support/servers.ts";
import { until } from "../support/until.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

interface Made {
  server: Server;
  /** Of the plugin's file, without what is about TLS. */
  lines: Record<string, string>;
  /** How often a client with our certificate is connected, as the server says. */
  seen(): number;
}

interface Kind {
  name: string;
  prefix: string;
  peer: Peer;
  /** Of the keys about files; of the one that says how to verify. */
  files: string;
  off: string;
  /** What is asked with TLS its URL says. */
  isByUrl?: boolean;
  make(pair: { cert: string; key: string }, certs: Certificates): Promise<Made>;
}

const KINDS: readonly Kind[] = [
  {
    name: "emqx_auth_pgsql",
    prefix: "auth.pgsql",
    peer: POSTGRESQL,
    files: "ssl_opts",
    off: "verify_none",
    async make(pair, certs) {
      certs.openTo("postgres");
      const db = new Postgres();
      db.tlsOptions = ["ssl=on", `ssl_cert_file=${pair.cert}`, `ssl_key_file=${pair.key}`, `ssl_ca_file=${certs.ca.cert}`].flatMap((o) => [
        "-c",
        o,
      ]);
      await db.start();
      db.run("create database mqtt");
      db.run(`create table mqtt_user (username text, password text); insert into mqtt_user values ('u1', '${sha256("p1")}')`, "mqtt");
      return {
        server: db,
        lines: { server: `127.0.0.1:${db.port}`, username: db.user, password: db.password },
        seen: () => Number(db.run("select count(*) from pg_stat_ssl where ssl and client_dn like '%client%'")),
      };
    },
  },
  {
    name: "emqx_auth_mysql",
    prefix: "auth.mysql",
    peer: MARIADB,
    files: "ssl",
    off: "off",
    async make(pair, certs) {
      certs.openTo("mysql");
      const db = new MariaDb();
      db.tlsOptions = [`--ssl-ca=${certs.ca.cert}`, `--ssl-cert=${pair.cert}`, `--ssl-key=${pair.key}`];
      await db.start();
      db.run(
        `create database mqtt; create table mqtt.mqtt_user (username varchar(99), password varchar(99));
         insert into mqtt.mqtt_user values ('u1', '${sha256("p1")}');
         create user 'shown'@'%' identified by 'a word' require x509; grant select on mqtt.* to 'shown'@'%';`,
      );
      return {
        server: db,
        lines: { server: `127.0.0.1:${db.port}`, username: "shown", password: "a word" },
        seen: () => Number(db.run("select count(*) from information_schema.processlist where user = 'shown'")),
      };
    },
  },
  {
    name: "emqx_auth_redis",
    prefix: "auth.redis",
    peer: REDIS,
    files: "ssl",
    off: "off",
    async make(pair, certs) {
      const [port] = freePorts(1);
      const tls = { "tls-port": String(port), "tls-cert-file": pair.cert, "tls-key-file": pair.key, "tls-ca-cert-file": certs.ca.cert };
      const redis = new RedisServer(Object.entries({ ...tls, "tls-auth-clients": "yes" }).flatMap(([key, value]) => [`--${key}`, value]));
      redis.seeded = () => redis.run("HSET", "mqtt_user:u1", "password", "p1");
      await redis.start();
      return {
        server: redis,
        lines: { server: `127.0.0.1:${port}`, password: redis.password, password_hash: "plain" },
        seen: () =>
          redis
            .run("CLIENT", "LIST")
            .split("\n")
            .filter((line) => line.includes(`laddr=127.0.0.1:${port}`)).length,
      };
    },
  },
  {
    name: "emqx_auth_http",
    prefix: "auth.http",
    peer: NGINX,
    files: "ssl",
    off: "off",
    isByUrl: true,
    async make(pair, certs) {
      certs.openTo("nobody");
      const nginx = new Nginx();
      nginx.tls = { ...pair, ca: certs.ca.cert };
      await nginx.start();
      return { server: nginx, lines: nginx.settings, seen: () => nginx.clients.filter((dn) => dn.includes("client")).length };
    },
  },
];

for (const kind of KINDS) {
  needing(kind.peer, test)(`${kind.name}: a server with a certificate for another name`, async () => {
    const certs = new Certificates();
    const { server, lines } = await kind.make(certs.elsewhere, certs);
    const kit = new AuthKit(kind.name, kind.prefix);
    try {
      await kit.start(null);
      const tls = { ...lines, ...own(kind, certs) };
      expect(await tried(kit, tls)).toEqual(noTls(kind));
      expect(await kit.why({ username: "u1", password: "p1" }, keyed(kit, tls))).toContain("its certificate is for another name");
      const lax = { ...tls, [`${kind.files}.verify`]: kind.off };
      expect(await tried(kit, lax)).toEqual(["settings ok", "connect ok", "authenticate allow"]);
      const warned = (): boolean => kit.broker.log.includes("TLS without a look at the server's certificate");
      expect(warned()).toBe(false);
      await kit.put(`plugin_configs/${kind.name}`, keyed(kit, lax));
      await kit.put(`plugins/${kind.name}/load`);
      await kit.isUp();
      expect([await kit.code("u1", "p1"), await kit.code("u1", "no")]).toEqual([0, 5]);
      await until(warned, "whoever asks anybody is told so");
      await kit.stop(lines.password === undefined ? [] : [lines.password]);
    } finally {
      await server.remove();
      certs.remove();
    }
  });

  needing(kind.peer, test)(`${kind.name}: one that is signed by whom we trust, and by whom we do not`, async () => {
    const certs = new Certificates();
    const { server, lines, seen } = await kind.make(certs.server, certs);
    const kit = new AuthKit(kind.name, kind.prefix);
    try {
      await kit.start({ ...lines, ...own(kind, certs) });
      expect([await kit.code("u1", "p1"), await kit.code("u1", "no")]).toEqual([0, 5]);
      expect(seen()).toBeGreaterThan(0);
      for (const cacertfile of [certs.strangersCa.cert, ""])
        expect(await tried(kit, { ...lines, ...own(kind, certs), [`${kind.files}.cacertfile`]: cacertfile })).toEqual(noTls(kind));
      const stranger = { ...lines, ...own(kind, certs), [`${kind.files}.cacertfile`]: certs.strangersCa.cert };
      const why = await kit.why({ username: "u1", password: "p1" }, keyed(kit, stranger));
      expect([
        why,
        why.includes("its certificate is signed by nobody who is trusted"),
        why.includes(`; see ${kind.prefix}.${kind.files}.cacertfile`),
      ]).toEqual([why, true, true]);
      await kit.stop([]);
    } finally {
      await server.remove();
      certs.remove();
    }
  });
}

/** A web service is looked for without TLS first. */
const noTls = ({ isByUrl = false }: Kind): string[] => [
  "settings ok",
  ...(isByUrl ? ["connect ok", "authenticate error"] : ["connect error"]),
];

function own({ files, isByUrl = false }: Kind, certs: Certificates): Record<string, string> {
  const on: Record<string, string> = isByUrl ? {} : { ssl: "on" };
  return {
    ...on,
    [`${files}.cacertfile`]: certs.ca.cert,
    [`${files}.certfile`]: certs.client.cert,
    [`${files}.keyfile`]: certs.client.key,
  };
}

const keyed = (kit: AuthKit, lines: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(lines).map(([key, value]) => [`${kit.prefix}.${key}`, value]));

function tried(kit: AuthKit, lines: Record<string, string>): Promise<string[]> {
  return kit.tried({ username: "u1", password: "p1", settings: keyed(kit, lines) });
}
