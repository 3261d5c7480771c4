/** Two plugins that ask servers outside, in the executable: whoever was loaded first is asked first, and the second only about those the first knows nothing of. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { AuthKit } from "../support/auth_kit.ts";
import { AUTH, startWithUsers } from "../support/auth_servers.ts";
import { MARIADB, needing, REDIS } from "../support/peers.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { MariaDb } from "../support/servers.ts";

needing(REDIS, needing(MARIADB, describe))("Redis, then MariaDB", () => {
  const kit = new AuthKit(AUTH.redis.plugin, AUTH.redis.prefix);
  const { code } = kit;
  let redis: RedisServer;
  let db: MariaDb;

  beforeAll(async () => {
    redis = new RedisServer();
    db = new MariaDb();
    redis.seeded = () => void redis.run("HSET", "mqtt_user:both", "password", "r");
    await Promise.all([redis.start(), startWithUsers(db, { both: "m", second: "m" })]);
    // By its name it would come first.
    kit.beside = [
      { ...AUTH.mysql, lines: { server: `127.0.0.1:${db.port}`, username: db.user, password: db.password, password_hash: "plain" } },
    ];
    await kit.start({ server: `127.0.0.1:${redis.port}`, password: redis.password }, { "zone.external.allow_anonymous": "false" });
  });
  afterAll(async () => {
    await kit.stop([redis.password, db.password]);
    await Promise.all([redis.remove(), db.remove()]);
  });

  async function firstDecides(): Promise<void> {
    for (const { plugin } of [AUTH.redis, AUTH.mysql]) await kit.isUp(plugin);
    // Known to both: the password of the first one counts; where that is wrong the second, whose it is, is not asked.
    expect([await code("both", "r"), await code("both", "m"), await code("both", "x")]).toEqual([0, 5, 5]);
    // Not known to the first one.
    expect([await code("second", "m"), await code("second", "r"), await code("nobody", "r")]).toEqual([0, 5, 5]);
    const asksSecond = async (username: string): Promise<boolean> =>
      (await kit.explained({ client_id: "c", username, password: "m" })).includes("from mqtt_user where username");
    expect([await asksSecond("both"), await asksSecond("second")]).toEqual([false, true]);
  }

  test("unknown to the first: the second is asked; a wrong password there: nobody else is", firstDecides);

  test("so it is when the node has been started again", async () => {
    await kit.restart();
    await firstDecides();
  });
});
