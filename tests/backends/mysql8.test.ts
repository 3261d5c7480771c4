/** MySQL 8's log-in, `caching_sha2_password`, by the executable: there is no such server in Debian, so that the protocol's own words stand for it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { AuthKit } from "../support/auth_kit.ts";
import { Certificates } from "../support/certificates.ts";
import { type Answer, MySql8Twin } from "../support/mysql8_twin.ts";

const HASHES: Readonly<Record<string, string>> = { u1: createHash("sha256").update("p1").digest("hex") };

function answer(sql: string, [first = ""]: readonly string[]): Answer {
  if (sql.includes("mqtt_acl")) return [["allow", "ipaddr", "username", "clientid", "access", "topic"], []];
  if (sql.includes("is_superuser")) return [["is_superuser"], [["0"]]];
  if (!sql.includes("mqtt_user")) return [["1"], [["1"]]];
  const hash = HASHES[first];
  return [["password"], hash === undefined ? [] : [[hash]]];
}

describe("an account of MySQL 8", () => {
  const kit = new AuthKit("emqx_auth_mysql", "auth.mysql");
  const certs = new Certificates();
  const [cert, key] = [readFileSync(certs.server.cert, "utf8"), readFileSync(certs.server.key, "utf8")];
  const mysql = new MySql8Twin({ user: "mqtt", password: "sec'ret §" }, answer, { cert, key });

  beforeAll(async () => {
    await mysql.start();
    await kit.start({ server: `127.0.0.1:${mysql.port}`, username: mysql.account.user, password: mysql.account.password });
  });
  afterAll(async () => {
    await kit.stop([mysql.account.password]);
    mysql.remove();
    certs.remove();
  });

  const answersRightly = async (): Promise<void> => {
    await kit.isUp();
    expect([await kit.code("u1", "p1"), await kit.code("u1", "no"), await kit.code("unknown", "x")]).toEqual([0, 5, 0]);
  };

  test("whose password the server knows by its hash", async () => {
    await answersRightly();
    expect(new Set(mysql.came)).toEqual(new Set(["hash"]));
  });

  test("whose password it wants in full, as after its start: for its key alone where there is no TLS", async () => {
    mysql.cached = false;
    mysql.came.length = 0;
    await kit.withSettings({ pool: "3" }, answersRightly);
    expect(new Set(mysql.came)).toEqual(new Set(["rsa"]));
  });

  test("likewise over TLS", async () => {
    mysql.came.length = 0;
    await kit.withSettings({ pool: "3", ssl: "on", "ssl.cacertfile": certs.ca.cert }, async () => {
      await answersRightly();
      expect(mysql.came.at(-1)).toBe("tls");
    });
  });

  test("whose password is another one: told, with the settings to look at", async () => {
    for (const cached of [true, false]) {
      mysql.cached = cached;
      expect(await kit.why({ username: "u1", password: "p1" }, { "auth.mysql.password": "another" })).toContain(
        "see auth.mysql.username, auth.mysql.password",
      );
    }
  });
});

test("an account without a password has none, whatever the environment says", async () => {
  const kit = new AuthKit("emqx_auth_mysql", "auth.mysql");
  const mysql = new MySql8Twin({ user: "root", password: "" }, answer);
  await mysql.start();
  await kit.start({ server: `127.0.0.1:${mysql.port}` }, {}, { MYSQL_USER: "somebody", MYSQL_PASSWORD: "of others" });
  expect([await kit.code("u1", "p1"), await kit.code("u1", "no")]).toEqual([0, 5]);
  await kit.stop([]);
  mysql.remove();
});
