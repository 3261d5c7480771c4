/** Rules that write over TLS, to each kind of server with an authority of its own and a client's certificate; what is not good is told in words. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectors } from "../../server/plugins/_connectors/index.ts";
import { Certificates } from "../support/certificates.ts";
import { ConnectorHost, kindOf, Wired } from "../support/connector_host.ts";
import { MARIADB, MOSQUITTO, NATS, needing, type Peer, POSTGRESQL, REDIS } from "../support/peers.ts";
import { freePorts } from "../support/ports.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { MariaDb, Postgres, type Server } from "../support/servers.ts";
import { Mosquitto, NatsServer } from "../support/sink_servers.ts";
import { until } from "../support/until.ts";

const KINDS = connectors({ files: () => "/nowhere" });
type Params = Record<string, unknown>;
type Pair = { cert: string; key: string };

interface Made {
  server: Server;
  config: Params;
}
interface Kind {
  title: string;
  peer: Peer;
  /** It has to read the files. */
  account: string | null;
  action: string;
  params: Params;
  make(pair: Pair, certs: Certificates): Promise<Made>;
}

const INSERT = "insert into t (n) values ($" + "{n})";
const ALL: Kind[] = [
  {
    title: "PostgreSQL",
    peer: POSTGRESQL,
    account: "postgres",
    action: "data_to_pgsql",
    params: { sql: INSERT },
    async make({ cert, key }, { ca }) {
      const server = new Postgres();
      const rules = join(server.dir, "hba.conf");
      writeFileSync(rules, "hostssl all shown all scram-sha-256 clientcert=verify-ca\nhost all all all scram-sha-256\n");
      const options = ["ssl=on", `ssl_cert_file=${cert}`, `ssl_key_file=${key}`, `ssl_ca_file=${ca.cert}`, `hba_file=${rules}`];
      server.tlsOptions = options.flatMap((o) => ["-c", o]);
      await server.start();
      server.run("create table t (n int); create role shown login password 'a word'; grant insert on t to shown");
      return { server, config: { server: `127.0.0.1:${server.port}`, user: "shown", password: "a word", database: "postgres" } };
    },
  },
  {
    title: "MariaDB",
    peer: MARIADB,
    account: "mysql",
    action: "data_to_mysql",
    params: { sql: INSERT },
    async make({ cert, key }, { ca }) {
      const server = new MariaDb();
      server.tlsOptions = [`--ssl-ca=${ca.cert}`, `--ssl-cert=${cert}`, `--ssl-key=${key}`];
      await server.start();
      server.run(
        `create database rules; create table rules.t (n int);
         create user 'shown'@'%' identified by 'a word' require x509; grant insert on rules.* to 'shown'@'%';`,
      );
      return { server, config: { server: `127.0.0.1:${server.port}`, user: "shown", password: "a word", database: "rules" } };
    },
  },
  {
    title: "Redis",
    peer: REDIS,
    account: null,
    action: "data_to_redis",
    params: { cmd: "RPUSH rows $" + "{n}" },
    async make({ cert, key }, { ca }) {
      const [port] = freePorts(1);
      const tls = { "tls-port": port, "tls-cert-file": cert, "tls-key-file": key, "tls-ca-cert-file": ca.cert, "tls-auth-clients": "yes" };
      const server = new RedisServer(Object.entries(tls).flatMap(([name, value]) => [`--${name}`, String(value)]));
      await server.start();
      return { server, config: { server: `127.0.0.1:${port}`, password: server.password } };
    },
  },
  {
    title: "NATS",
    peer: NATS,
    account: null,
    action: "data_to_nats",
    params: { subject: "ok.x" },
    async make(pair, { ca }) {
      const server = new NatsServer();
      server.tls = { ...pair, ca: ca.cert };
      await server.start();
      return { server, config: { servers: `127.0.0.1:${server.port}`, username: server.user, password: server.password } };
    },
  },
  {
    title: "another MQTT broker (Mosquitto)",
    peer: MOSQUITTO,
    account: "mosquitto",
    action: "data_to_mqtt_broker",
    params: { forward_topic: "ok/x" },
    async make(pair, { ca }) {
      const server = new Mosquitto();
      server.tls = { ...pair, ca: ca.cert };
      await server.start();
      return { server, config: { address: `127.0.0.1:${server.port}`, username: server.user, password: server.password } };
    },
  },
];

for (const kind of ALL) {
  needing(kind.peer, describe)(kind.title, () => {
    let certs: Certificates;
    const { resource } = kindOf(KINDS, kind.action);
    const own = (): Params => ({
      ssl: true,
      cacertfile: certs.ca.cert,
      certfile: certs.client.cert,
      keyfile: certs.client.key,
      timeout: 2,
    });
    const tried = async (config: Params): Promise<string> => {
      const host = new ConnectorHost();
      const steps = await resource.test(config, host);
      host.remove();
      return steps.map(({ step, verdict, why }) => `${step} ${verdict}${verdict === "ok" ? "" : `: ${why}`}`).join(", ");
    };

    beforeAll(() => {
      certs = new Certificates();
      if (kind.account !== null) certs.openTo(kind.account);
    });
    afterAll(() => certs.remove());

    test("rows arrive; whom we do not trust, and who does not trust us, is told in words", async () => {
      const { server, config } = await kind.make(certs.server, certs);
      try {
        const w = new Wired(kindOf(KINDS, kind.action), { ...config, ...own() }, kind.params);
        for (let n = 0; n < 50; n++) w.run({ n });
        await until(() => w.settled, "they have arrived");
        expect([w.host.counts, w.letters]).toEqual([{ done: 50, failed: 0, dropped: 0 }, []]);
        await w.close();
        for (const cacertfile of [certs.strangersCa.cert, ""])
          expect(await tried({ ...config, ...own(), cacertfile })).toMatch(
            /^settings ok, connect error: .*its certificate is signed by nobody who is trusted.*see cacertfile/,
          );
        expect(await tried({ ...config, ...own(), certfile: "", keyfile: "" })).toMatch(/^settings ok, connect error: /);
        expect(await tried({ ...config, ...own() })).toBe("settings ok, connect ok");
      } finally {
        await server.remove();
      }
    });

    test("a certificate for another name", async () => {
      const { server, config } = await kind.make(certs.elsewhere, certs);
      try {
        expect(await tried({ ...config, ...own() })).toMatch(/^settings ok, connect error: .*its certificate is for another name.*see /);
        expect(await tried({ ...config, ...own(), verify: false })).toBe("settings ok, connect ok");
      } finally {
        await server.remove();
      }
    });
  });
}
