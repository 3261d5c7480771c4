/**
 * What a client chooses beside its user name, or can choose where MQTT forbids it: its client id, the names in its certificate, an address. For every
 * back end such a value is one value, never part of a query, a command, a filter or a request. (User names that MQTT allows: `findNobody`.)
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import mqttPacket from "mqtt-packet";
import { AuthKit } from "../support/auth_kit.ts";
import { AUTH, type AuthPlugin, redisWithUsers, startWithUsers } from "../support/auth_servers.ts";
import { connectPacket, RawClient } from "../support/clients.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { OddNames } from "../support/odd_names.ts";
import { needing } from "../support/peers.ts";
import { MariaDb, Postgres, type SqlDatabase } from "../support/servers.ts";
import { directory, ldapEntry } from "../support/slapd.ts";

type Lines = Record<string, string>;
/** Values of a client in templates. */
type Variable = "%u" | "%c" | "%a" | "%cn" | "%dn";

interface Made {
  server: { remove(): Promise<void> };
  lines: Lines;
  secrets: string[];
  /** Everybody is still there. */
  isWhole(): boolean;
}

interface Kind extends AuthPlugin {
  /** Settings with which the user is looked for by that. null = the user name alone can be looked for. */
  by: ((variable: Variable) => Lines) | null;
  /** Settings with which the same is asked in other forms. */
  forms: readonly Lines[];
  /** Who is there besides, with odd passwords, where those go out as well. */
  passwords?: ReadonlyMap<string, string>;
  make(): Promise<Made>;
}

/** Who is there. The second one is a certificate's subject. */
const USERS = { u1: "p1", "CN=u1": "p1", u0: "p0" };

/** Names that MQTT allows, of nobody: all aim at u1. */
const ODD = [
  "' or '1'='1",
  "u1'; drop table mqtt_user; -- ",
  "u1' -- ",
  "u1\\",
  'u1" or ""="',
  "u1 password",
  "u1  is_superuser",
  "u1 ",
  "*",
  "u1)(uid=*",
  "u1,ou=device",
  '{"$ne":null}',
  '{"$gt":""}',
  "u1, password=p1",
  "../../%2F..",
  "u1%00",
  "u1%0D%0ADEL",
  "u1&clientid=u0",
  "%u",
  "$1",
  "?",
];
/** Of the packet of who is not connected yet, with all that is in it, bytes. */
const PACKET_MAX = 64 * 1024;
const LONG = "x".repeat(60_000);
/** And those that it does not allow. */
const FORBIDDEN = [
  "u1\0",
  "\0u1",
  "u1\0' or '1'='1",
  "u1\r\n",
  "u1\r\nDEL mqtt_user:u1\r\n",
  "u1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
  "u1\n",
  "\tu1",
];

/** A password may be any bytes. */
const ODD_PASSWORDS: ReadonlyMap<string, string> = new Map([...ODD, ...FORBIDDEN].map((password, i) => [`odd${i}`, password]));

const sql = (plugin: AuthPlugin, create: () => SqlDatabase): Kind => ({
  ...plugin,
  by: (variable) => ({ auth_query: `select password from mqtt_user where username = '${variable}' limit 1` }),
  forms: [{}],
  async make() {
    const db = create();
    await startWithUsers(db, USERS);
    return {
      server: db,
      lines: { server: `127.0.0.1:${db.port}`, username: db.user, password: db.password, password_hash: "plain" },
      secrets: [db.password],
      isWhole: () => Number(db.run("select count(*) from mqtt_user", "mqtt").trim()) === Object.keys(USERS).length,
    };
  },
});

/** A service that lets in with anything but the two fields that it is to be asked with: whoever can make up a third one is in. */
function webService() {
  const known = new Map([...Object.entries(USERS), ...ODD_PASSWORDS]);
  const verdict = (fields: [name: string, value: string][]): Response => {
    const [[first, name] = ["", ""], [second, password] = ["", ""]] = fields;
    if (fields.length !== 2 || first !== "name" || second !== "password") return new Response();
    if (!known.has(name)) return new Response("ignore");
    return new Response("", { status: known.get(name) === password ? 200 : 403 });
  };
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname !== "/auth") return new Response("", { status: 403 });
      if (request.method === "GET") return verdict([...searchParams]);
      const text = await request.text();
      const isJson = request.headers.get("content-type")?.includes("json") === true;
      return verdict(isJson ? Object.entries(JSON.parse(text) as Record<string, string>) : [...new URLSearchParams(text)]);
    },
  });
}

const KINDS: readonly Kind[] = [
  sql(AUTH.pgsql, () => new Postgres()),
  sql(AUTH.mysql, () => new MariaDb()),
  {
    ...AUTH.redis,
    by: (variable) => ({ auth_cmd: `HMGET mqtt_user:${variable} password` }),
    forms: [{}],
    async make() {
      const redis = await redisWithUsers(USERS);
      return {
        server: redis,
        lines: { server: `127.0.0.1:${redis.port}`, password: redis.password },
        secrets: [redis.password],
        isWhole: () => redis.run("DBSIZE") === String(Object.keys(USERS).length),
      };
    },
  },
  {
    ...AUTH.ldap,
    by: null,
    forms: [{}],
    async make() {
      const entries = Object.entries(USERS).flatMap(([name, password]) => (name.includes("=") ? [] : [ldapEntry(name, password)]));
      const ldap = await directory(entries);
      await ldap.start();
      return {
        server: ldap,
        lines: { port: String(ldap.port), bind_dn: ldap.bindDn, bind_password: ldap.password },
        secrets: [ldap.password],
        isWhole: () => true,
      };
    },
  },
  {
    ...AUTH.mongo,
    by: (variable) => ({ "auth_query.selector": `username=${variable}` }),
    forms: [{}],
    async make() {
      const mongo = new MongoTwin({ mqtt_user: Object.entries(USERS).map(([username, password]) => ({ username, password })) });
      await mongo.start();
      const account = { login: mongo.user, password: mongo.password };
      return {
        server: mongo,
        lines: { server: `127.0.0.1:${mongo.port}`, ...account, "auth_query.password_hash": "plain" },
        secrets: [mongo.password],
        isWhole: () => true,
      };
    },
  },
  {
    ...AUTH.http,
    by: (variable) => ({ "auth_req.params": `name=${variable},password=%P` }),
    forms: [{}, { content_type: "json" }, { "auth_req.method": "get" }],
    passwords: ODD_PASSWORDS,
    async make() {
      const service = webService();
      const at = (path: string): string => `http://127.0.0.1:${service.port}/${path}`;
      return {
        server: { remove: () => service.stop(true) },
        lines: { auth_req: at("auth"), super_req: at("super"), acl_req: at("acl") },
        secrets: [],
        isWhole: () => true,
      };
    },
  },
];

interface Explained {
  authentication: { allow: boolean; steps: { step: string; asked?: { question: string; values: string[] }[] }[] };
}

const certs = await OddNames.create();
afterAll(() => certs.remove());

const shown = (name: string): string => name.slice(0, 40);

for (const kind of KINDS) {
  needing(kind.peer, describe)(kind.plugin, () => {
    const { plugin, prefix, by, forms } = kind;
    const kit = new AuthKit(plugin, prefix);
    let made: Made;

    beforeAll(async () => {
      made = await kind.make();
      await kit.start(made.lines, {
        "listener.ssl.external.cacertfile": certs.cacertfile,
        "listener.ssl.external.verify": "verify_peer",
        "listener.ssl.external.fail_if_no_peer_cert": "true",
        "listener.ssl.external.max_conn_rate": "0",
      });
    });
    afterAll(async () => {
      await kit.stop(made.secrets);
      await made.server.remove();
    });

    /** While the user is looked for by that and nobody is let in who is not known, `run`. */
    async function looking(variable: Variable, run: () => Promise<void>, form: Lines = {}): Promise<void> {
      await kit.withSettings({ ...form, ...by?.(variable) }, () =>
        kit.withoutAnonymous(async () => {
          await kit.isUp();
          await run();
        }),
      );
      expect(made.isWhole()).toBe(true);
    }

    /** `enter` with these names and the password of whom they aim at: each is nobody's. */
    async function findNobody(names: readonly string[], enter: (name: string, password: string) => Promise<unknown>, none: unknown) {
      const found: [string, unknown][] = [];
      for (const name of names) found.push([shown(name), await enter(name, "p1")]);
      expect(found).toEqual(names.map((name) => [shown(name), none]));
    }

    test("the longest user name that a CONNECT has room for is nobody's; with a longer one nobody is asked", () =>
      looking("%u", async () => {
        const connect = (length: number): Buffer =>
          mqttPacket.generate(connectPacket(4, "long", { username: "x".repeat(length), password: Buffer.from("p1") }));
        // The packet's own length takes as many bytes with any of these names.
        const longest = 60_000 + PACKET_MAX - connect(60_000).length;
        expect([connect(longest).length, await kit.code("x".repeat(longest), "p1", "long")]).toEqual([PACKET_MAX, 5]);
        const before = (await kit.status()).servers[0]?.calls;
        for (const length of [longest + 1, 65_535]) {
          const c = await RawClient.open(kit.broker.ports.tcp);
          c.send(connect(length));
          await c.whenClosed();
          expect([length, c.inbox]).toEqual([length, []]);
        }
        expect((await kit.status()).servers[0]?.calls).toBe(before);
      }));

    if (kind.passwords !== undefined)
      for (const form of forms)
        test(`passwords${Object.entries(form).map((line) => `, ${line.join(" = ")}`)}`, () =>
          looking(
            "%u",
            async () => {
              for (const [name, password] of kind.passwords ?? [])
                expect([password, await kit.code(name, password), await kit.code("u1", password)]).toEqual([password, 0, 5]);
            },
            form,
          ));

    if (by !== null) {
      for (const form of forms)
        test(`client ids${Object.entries(form).map((line) => `, ${line.join(" = ")}`)}`, () =>
          looking(
            "%c",
            async () => {
              const enter = (clientId: string, password: string): Promise<number> => kit.code("anybody", password, clientId);
              expect([await enter("u1", "p1"), await enter("u1", "p0"), await enter("u0", "p0")]).toEqual([0, 5, 0]);
              // A service need not take a URL that is so long.
              await findNobody("auth_req.method" in form ? ODD : [...ODD, LONG], enter, 5);
            },
            form,
          ));

      for (const variable of ["%cn", "%dn"] as const)
        test(`names in certificates: ${variable}`, () =>
          looking(variable, async () => {
            const enter = async (cn: string, password: string): Promise<boolean> => {
              const { cert, key } = await certs.named(cn);
              const client = await RawClient.secure(kit.broker.ports.tls, { cert, key });
              client.send(connectPacket(4, `c-${Math.random()}`, { username: "anybody", password: Buffer.from(password) }));
              const { returnCode } = await client.next("connack");
              client.drop();
              return returnCode === 0;
            };
            expect([await enter("u1", "p1"), await enter("u1", "p0")]).toEqual([true, false]);
            await findNobody([...ODD, ...FORBIDDEN], enter, false);
          }));
    }

    /** What of a client is looked for, and the field of the request that says it. */
    const asked: [variable: Variable, field: string][] = [
      ["%u", "username"],
      ["%c", "client_id"],
      ["%a", "ip_address"],
    ];
    for (const [variable, field] of asked.slice(0, by === null ? 1 : asked.length))
      test(`what MQTT does not let through, asked by explain: ${variable}`, () =>
        looking(variable, async () => {
          const explained = async (
            name: string,
            password: string,
          ): Promise<[allow: boolean, questions: [text: string, values: number][]]> => {
            const body = { client_id: "dev", username: "anybody", password, [field]: name };
            const { data } = await kit.api<Explained>("POST", "../../explain", body);
            const { allow, steps } = data.authentication;
            const questions = steps.find(({ step }) => step === plugin)?.asked ?? [];
            return [allow, questions.map(({ question, values }) => [question, values.length])];
          };
          // Who it is, and whether he is a super user.
          expect((await explained("u1", "p1"))[0]).toBe(true);
          const nobodys = await explained("nobody", "p1");
          expect(nobodys).toEqual([false, [expect.any(Array)]]);
          // An address is compared as the table does, in MySQL past blanks behind it: no client has one with blanks.
          const odd = variable === "%a" ? ODD.filter((name) => !name.endsWith(" ")) : ODD;
          await findNobody([...FORBIDDEN, ...odd], explained, nobodys);
        }));
  });
}
