/** Errors of drivers in words, with the settings to look at: as the drivers say them, found out with real servers. */
import { describe, expect, test } from "bun:test";
import { advised, asQuestion, type SettingKeys } from "../../../../server/plugins/_backend/advice.ts";
import type { Judgement } from "../../../../server/plugins/_backend/options.ts";
import { MONGO_ADVICE } from "../../../../server/plugins/_mongo/advice.ts";
import { judgeMongo } from "../../../../server/plugins/_mongo/driver.ts";
import { REDIS_ADVICE, redisWords } from "../../../../server/plugins/_redis/advice.ts";
import { judgeRedis } from "../../../../server/plugins/_redis/driver.ts";
import { SQL_ADVICE } from "../../../../server/plugins/_sql/advice.ts";
import { judgeSql, sqlWords } from "../../../../server/plugins/_sql/driver.ts";
import { LDAP_ADVICE, LDAP_KEYS } from "../../../../server/plugins/auth_ldap/advice.ts";
import { judgeLdap, ldapWords } from "../../../../server/plugins/auth_ldap/driver.ts";
import { MONGO_KEYS } from "../../../../server/plugins/auth_mongo/advice.ts";
import { REDIS_KEYS } from "../../../../server/plugins/auth_redis/advice.ts";
import { setUp } from "./world.ts";

const error = (message: string, more: object = {}): Error => Object.assign(new Error(message), more);
const KEYS: SettingKeys = {
  server: "x.server",
  timeout: "x.timeout",
  pool: "x.pool",
  account: "x.username, x.password",
  database: "x.database",
  tls: "x.ssl",
  prepare: "x.prepare",
  trust: "x.ssl.cacertfile",
  verify: "x.ssl.verify",
  certificate: "x.ssl.certfile, x.ssl.keyfile",
};

/** As the driver says it. */
const TOO_OLD = "Server at m reports maximum wire version 6, but this version of the Node.js Driver requires at least 9 (MongoDB 4.4)";

type Case = [err: Error, words: string];
const check = (advice: ReturnType<typeof advised>, cases: readonly Case[]): void => {
  expect(cases.map(([err]) => advice.words?.(err))).toEqual(cases.map(([, words]) => words));
};
const down = (): Judgement => "down";

describe("what a network and TLS say, of every driver", () => {
  test("by code, or by what the message holds", () =>
    check(advised({ judge: down, table: [], keys: KEYS }), [
      [error("connect ECONNREFUSED ::1:1", { code: "ECONNREFUSED" }), "nobody listens there: connect ECONNREFUSED ::1:1; see x.server"],
      [error("getaddrinfo ENOTFOUND nix.invalid"), "there is no such host: getaddrinfo ENOTFOUND nix.invalid; see x.server"],
      [error("connect ETIMEDOUT", { code: "ETIMEDOUT" }), "it does not answer: connect ETIMEDOUT; see x.server, x.timeout"],
      [
        error("self signed", { code: "SELF_SIGNED_CERT_IN_CHAIN" }),
        "its certificate is signed by nobody who is trusted: self signed; see x.ssl.cacertfile",
      ],
      [
        error("a name", { code: "ERR_TLS_CERT_ALTNAME_INVALID" }),
        "its certificate is for another name: a name; see x.server, x.ssl.verify",
      ],
      [error("old", { code: "CERT_HAS_EXPIRED" }), "its certificate has run out, or is not yet good: old; see x.ssl.verify"],
      [error("EPROTO: The TLS handshake failed."), "it does not speak TLS there: EPROTO: The TLS handshake failed.; see x.ssl, x.server"],
      [
        error("write ECONNRESET", { code: "ECONNRESET" }),
        "it closes the connection: write ECONNRESET; see x.server, x.ssl, x.ssl.certfile, x.ssl.keyfile",
      ],
      [
        error("error:1000045c:SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED"),
        "it does not take our certificate, or there is none: error:1000045c:SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED; see x.ssl.certfile, x.ssl.keyfile",
      ],
      [error("something else"), "something else"],
    ]));

  test("what a plugin has no setting for is not named", () =>
    check(advised({ judge: down, table: [], keys: { server: "x.url", timeout: "x.timeout" } }), [
      [error("EPROTO"), "EPROTO"],
      [error("x", { code: "EPROTO" }), "it does not speak TLS there: x; see x.url"],
      [error("x", { code: "CERT_UNTRUSTED" }), "its certificate is signed by nobody who is trusted: x"],
    ]));

  test("a question that is refused names its own setting, if nothing else", async () => {
    const { words } = advised({ judge: () => "refused", table: [], keys: KEYS });
    const err = error("no");
    await expect(asQuestion("x.auth_query", Promise.reject(err))).rejects.toBe(err);
    expect([words?.(err), words?.(error("no")), words?.("no")]).toEqual(["no; see x.auth_query", "no", "no"]);
    expect(await asQuestion("x.auth_query", Promise.resolve(7))).toBe(7);
  });

  test("an answer that does not come names server and time limit, a turn that does not come the pool: in the state, too", async () => {
    const { late } = advised({ judge: down, table: [], keys: KEYS });
    const w = setUp("hangs", 1, true, 1, late);
    const asked = [1, 2].map(() => w.backend.ask(() => new Promise<never>(() => {})).catch((err: Error) => err.message));
    await w.pass(1500);
    expect(await Promise.all(asked)).toEqual([
      "no answer within 1000 ms; see x.server, x.timeout",
      "its turn did not come within 1000 ms; see x.pool, x.timeout",
    ]);
    expect(w.backend.status().lastError).toBe("no answer within 1000 ms; see x.server, x.timeout");
  });
});

describe("each driver's own", () => {
  const about = (err: Error): Error => {
    asQuestion("x.auth_query", Promise.reject(err)).catch(() => {});
    return err;
  };
  const asked = async (...made: readonly Case[]): Promise<readonly Case[]> => {
    for (const [err] of made) about(err);
    await Promise.resolve();
    await Promise.resolve();
    return made;
  };

  test("a connection that the server ends is lost, and the question put again; one that cannot begin is away", () => {
    const judged = (errno: string | number): string => judgeSql(error("m", { errno, code: "ERR_X_SERVER_ERROR" }));
    expect(["57P01", "57P02", "57P04", "57P05", 1927, 4031].map(judged)).toEqual(Array.from({ length: 6 }, () => "lost"));
    expect(["57P03", "53300", "3D000", 1040, 1053, "42P01", 1146].map(judged)).toEqual([
      ...Array.from({ length: 5 }, () => "down"),
      "refused",
      "refused",
    ]);
  });

  test("PostgreSQL and MySQL", async () => {
    const sql = (errno: string | number, message: string): Error =>
      error(message, { errno, code: `ERR_${typeof errno === "string" ? "POSTGRES" : "MYSQL"}_SERVER_ERROR` });
    const seeQuestion = "; see x.auth_query";
    check(
      advised({ judge: judgeSql, table: SQL_ADVICE, keys: KEYS, plain: sqlWords }),
      await asked(
        [sql("28P01", "m"), "account and password are not taken: m (28P01); see x.username, x.password"],
        [sql(1045, "m"), "account and password are not taken: m (1045); see x.username, x.password"],
        [sql("3D000", "m"), "there is no such database: m (3D000); see x.database"],
        [sql(1049, "m"), "there is no such database: m (1049); see x.database"],
        [sql(1044, "m"), "the account may not use this database: m (1044); see x.username, x.password, x.database"],
        [sql("42P01", "m"), "there is no such table: m (42P01); see x.auth_query, x.database"],
        [sql(1146, "m"), "there is no such table: m (1146); see x.auth_query, x.database"],
        [sql("42703", "m"), `there is no such column: m (42703)${seeQuestion}`],
        [sql(1054, "m"), `there is no such column: m (1054)${seeQuestion}`],
        [sql("42501", "m"), "the account may not read that: m (42501); see x.auth_query, x.username, x.password"],
        [error("m", { errno: "42601", code: "ERR_POSTGRES_SYNTAX_ERROR" }), `the query cannot be read: m (42601)${seeQuestion}`],
        [sql("26000", "m"), "a pooler between gives away prepared statements: m (26000); see x.prepare"],
        [sql("53300", "m"), "it has no connection left: m (53300); see x.pool"],
        [
          error("Failed to connect", { code: "ERR_MYSQL_CONNECTION_REFUSED" }),
          "nobody listens there, or there is no such host: Failed to connect (ERR_MYSQL_CONNECTION_REFUSED); see x.server",
        ],
        [
          error("m", { code: "ERR_MYSQL_UNSUPPORTED_AUTH_PLUGIN" }),
          "the account logs in by a way that is not known here: m (ERR_MYSQL_UNSUPPORTED_AUTH_PLUGIN); see x.username, x.password",
        ],
        [error("m", { code: "ERR_POSTGRES_TLS_NOT_AVAILABLE" }), "it does not speak TLS: m (ERR_POSTGRES_TLS_NOT_AVAILABLE); see x.ssl"],
        [
          error("m", { code: "ERR_POSTGRES_AUTHENTICATION_FAILED_PBKDF2" }),
          "nobody is logged in: m (ERR_POSTGRES_AUTHENTICATION_FAILED_PBKDF2); see x.username, x.password",
        ],
        [sql("54000", "m"), `m (54000)${seeQuestion}`],
        // What a column holds may be a password.
        [
          sql("22P02", 'invalid input syntax for type integer: "s3cret"'),
          `invalid input syntax for type integer: *** (22P02)${seeQuestion}`,
        ],
        [
          sql(1292, "Incorrect datetime value: '2024-02-23T15:56:30Z' for column `d`.`t`.`at` at row 1"),
          `MySQL takes a time without Z (TRIM(TRAILING 'Z' FROM …)), and Unix time by FROM_UNIXTIME(… / 1000): Incorrect datetime value: *** for column \`d\`.\`t\`.\`at\` at row 1 (1292)${seeQuestion}`,
        ],
        [sql(1292, "Truncated incorrect INTEGER value: 's3c'ret'"), `Truncated incorrect INTEGER value: *** (1292)${seeQuestion}`],
      ),
    );
  });

  test("Redis", async () => {
    const reply = (message: string): Error => error(message, { name: "ReplyError" });
    const account = "auth.redis.username, auth.redis.password";
    check(
      advised({ judge: judgeRedis, table: REDIS_ADVICE, keys: REDIS_KEYS, plain: redisWords }),
      await asked(
        [reply("WRONGPASS invalid"), `account and password are not taken: WRONGPASS invalid; see ${account}`],
        [reply("NOAUTH Authentication required."), `account and password are not taken: NOAUTH Authentication required.; see ${account}`],
        [reply("ERR DB index is out of range"), "there is no such database: ERR DB index is out of range; see auth.redis.database"],
        [reply("NOPERM this user"), `the account may not ask that: NOPERM this user; see x.auth_query, ${account}`],
        [reply("WRONGTYPE Operation"), "the key holds something else than the command reads: WRONGTYPE Operation; see x.auth_query"],
        [
          reply("ERR wrong number of arguments for 'hmget'"),
          "the command cannot be read: ERR wrong number of arguments for 'hmget'; see x.auth_query",
        ],
        [
          error("All sentinels are unreachable and retry is disabled. Last error: WRONGPASS invalid"),
          "the sentinels' password is not taken: All sentinels are unreachable and retry is disabled. Last error: WRONGPASS invalid; see auth.redis.sentinel_password",
        ],
        [
          error("All sentinels are unreachable. Last error: ERR unknown command 'sentinel'"),
          "there is a server, but no sentinel: All sentinels are unreachable. Last error: ERR unknown command 'sentinel'; see auth.redis.type, auth.redis.server",
        ],
        [
          error("Failed to refresh slots cache.", { lastNodeError: new Error("ERR This instance has cluster support disabled") }),
          "there is a server, but no cluster: Failed to refresh slots cache. ERR This instance has cluster support disabled; see auth.redis.type, auth.redis.server",
        ],
        [error("Unknown RESP type 72"), "what is there is no Redis: Unknown RESP type 72; see auth.redis.server, auth.redis.ssl"],
      ),
    );
  });

  test("LDAP and MongoDB", async () => {
    const ldap = (code: number, name: string): Error => error("m", { code, name });
    check(
      advised({ judge: judgeLdap, table: LDAP_ADVICE, keys: LDAP_KEYS, plain: ldapWords }),
      await asked(
        [
          ldap(49, "InvalidCredentialsError"),
          "the account and its password are not taken: InvalidCredentials: m; see auth.ldap.bind_dn, auth.ldap.bind_password",
        ],
        [ldap(13, "ConfidentialityRequiredError"), "it wants TLS: ConfidentialityRequired: m; see auth.ldap.ssl, auth.ldap.starttls"],
        [
          error("127.0.0.2 does not answer within 500 ms"),
          "it does not answer: 127.0.0.2 does not answer within 500 ms; see auth.ldap.servers, auth.ldap.port, auth.ldap.timeout",
        ],
        [
          error("Client network socket disconnected before secure TLS connection was established", { code: "ECONNRESET" }),
          "it does not speak TLS there: Client network socket disconnected before secure TLS connection was established; see auth.ldap.ssl, auth.ldap.starttls, auth.ldap.servers, auth.ldap.port",
        ],
      ),
    );
    check(
      advised({ judge: judgeMongo, table: MONGO_ADVICE, keys: MONGO_KEYS }),
      await asked(
        [
          error("m", { code: 18 }),
          "account and password are not taken: m; see auth.mongo.login, auth.mongo.password, auth.mongo.auth_source",
        ],
        [
          error("m", { code: 13 }),
          "there it takes an account, or one that may read that: m; see auth.mongo.login, auth.mongo.password, auth.mongo.auth_source, auth.mongo.database, x.auth_query",
        ],
        [
          error("connect ECONNREFUSED 127.0.0.1:1", { name: "MongoServerSelectionError" }),
          "nobody listens there: connect ECONNREFUSED 127.0.0.1:1; see auth.mongo.server",
        ],
        [
          error("Server selection timed out after 2000 ms"),
          "none of that kind is there: Server selection timed out after 2000 ms; see auth.mongo.server, auth.mongo.type, auth.mongo.rs_set_name, auth.mongo.ssl",
        ],
        [error(TOO_OLD), `it is too old: ${TOO_OLD}; see auth.mongo.server`],
        [error("m", { code: 7 }), "m; see x.auth_query"],
      ),
    );
  });
});
