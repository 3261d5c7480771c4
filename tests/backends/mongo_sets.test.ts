/** emqx_auth_mongo with a replica set whose primary changes, and with two mongos; both of twins, which say of themselves what such servers say. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { AuthKit } from "../support/auth_kit.ts";
import { MongoSet, MongoTwin } from "../support/mongo_server.ts";
import { until } from "../support/until.ts";

const SEED = { mqtt_user: [{ username: "u1", password: createHash("sha256").update("p1").digest("hex") }] };
const U1 = { username: "u1", password: "p1" };
const LETS_IN = ["settings ok", "connect ok", "authenticate allow"];

/** Log-ins may be refused for a moment, never by a wrong word, and none with a wrong password is let in. */
async function goesOn(kit: AuthKit): Promise<void> {
  const since = performance.now();
  await until(async () => {
    expect([3, 5]).toContain(await kit.code("u1", "no"));
    const code = await kit.code("u1", "p1");
    expect([0, 3]).toContain(code);
    return code === 0;
  }, "log-ins go on");
  // A second or two, and more on a busy machine.
  expect(performance.now() - since).toBeLessThan(20_000);
  expect(await kit.code("u1", "no")).toBe(5);
}

describe("a replica set", () => {
  const kit = new AuthKit("emqx_auth_mongo", "auth.mongo");
  const { code, status } = kit;
  let set: MongoSet;

  const account = () => ({ login: set.members[0]?.user ?? "", password: set.members[0]?.password ?? "" });
  const trying = (lines: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries({ ...lines, password: account().password }).map(([key, value]) => [`auth.mongo.${key}`, value]));

  beforeAll(async () => {
    set = new MongoSet(SEED);
    await set.start();
    await kit.start({ type: "rs", rs_set_name: set.name, server: set.hosts.join(","), ...account(), timeout: "2s" });
  });
  afterAll(async () => {
    await kit.stop([account().password]);
    await set.remove();
  });

  test("who gets in", async () => {
    expect([await code("u1", "p1"), await code("u1", "no"), await code("unknown", "x")]).toEqual([0, 5, 0]);
  });

  test("another one becomes the primary: log-ins go on with that", async () => {
    set.lead(1);
    await goesOn(kit);
    await until(async () => !(await kit.alarmed()), "there is no alarm");
  });

  test("the primary dies, and another one takes its place", async () => {
    expect(await code("u1", "p1")).toBe(0);
    await set.members[1]?.kill();
    expect([0, 3]).toContain(await code("u1", "p1"));
    set.lead(2);
    await goesOn(kit);
    await set.members[1]?.start();
  });

  test("of one member the others are heard of; a set of another name is told", async () => {
    const [first = ""] = set.hosts;
    for (const lines of [{ server: first }, { server: first, type: "unknown" }, { server: first, type: "single" }])
      expect([lines, await kit.tried({ ...U1, settings: trying(lines) })]).toEqual([lines, LETS_IN]);
    expect(await kit.why(U1, trying({ rs_set_name: "another" }))).toMatch(
      /none of that kind is there: .*; see auth\.mongo\.server, auth\.mongo\.type, auth\.mongo\.rs_set_name/,
    );
  });

  test("there is no primary: all are refused, unless others may be read from as well", async () => {
    set.lead(null);
    await until(async () => {
      expect(await Promise.all([code("u1", "p1"), code("u1", "no")])).toEqual([3, 3]);
      return (await status()).servers[0]?.state === "down";
    }, "it is told as down");
    await kit.withSettings({ r_mode: "slave_ok" }, async () => {
      await kit.isUp();
      expect([await code("u1", "p1"), await code("u1", "no")]).toEqual([0, 5]);
    });
    set.lead(0);
    await goesOn(kit);
  });
});

describe("two mongos", () => {
  const kit = new AuthKit("emqx_auth_mongo", "auth.mongo");
  const { code } = kit;
  const [first, second] = [new MongoTwin(SEED, null, { mongos: true }), new MongoTwin(SEED, null, { mongos: true })];

  beforeAll(async () => {
    await Promise.all([first.start(), second.start()]);
    const server = [first, second].map(({ port }) => `127.0.0.1:${port}`).join(",");
    await kit.start({ type: "sharded", server, login: first.user, password: first.password, timeout: "2s" });
  });
  afterAll(async () => {
    await kit.stop([first.password]);
    await first.remove();
    await second.remove();
  });

  const twenty = (): Promise<number[]> => Promise.all(Array.from({ length: 20 }, (_, i) => code("u1", i % 2 === 0 ? "p1" : "no")));
  const right = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 0 : 5));

  test("log-ins, also while one of them is gone", async () => {
    expect(await twenty()).toEqual(right);
    await first.kill();
    await goesOn(kit);
    await until(async () => (await twenty()).every((answer, i) => answer === right[i]), "the other one answers");
    await first.start();
    await second.kill();
    await goesOn(kit);
    await second.start();
    await until(async () => (await twenty()).every((answer, i) => answer === right[i]), "both answer");
  });
});
