// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
/** What a row becomes has a bound, also where it becomes many parts: found before they are made, or put together. */
import { expect, test } from "bun:test";
import { MONGO } from "../../../../server/plugins/_connectors/mongo.ts";
import { compileFields } from "../../../../server/plugins/_connectors/payload.ts";
import { REDIS } from "../../../../server/plugins/_connectors/redis.ts";
import { kindOf, Wired } from "../../../support/connector_host.ts";

const TOO_LONG = "what the row would become has more than 33554432 characters";
/** Nobody need be there. */
const NOBODY = "127.0.0.1:1";
const text = "x".repeat(1024 * 1024);
const named = (count: number, value: unknown): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, value]));

test.each([
  ["texts", text],
  ["bytes", new Uint8Array(1024 * 1024)],
])("a document for MongoDB that is the row: %s", async (_, value) => {
  const w = new Wired(kindOf(MONGO, "data_to_mongo"), { servers: NOBODY, database: "d" }, { collection: "c" });
  w.run(named(500, value));
  expect([w.host.reasons, w.action.waiting?.().rows]).toEqual([[TOO_LONG], 0]);
  w.run(named(5, value));
  expect(w.action.waiting?.().rows).toBe(1);
  await w.close();
});

test.each([
  ["texts", text],
  ["bytes", new Uint8Array(1024 * 1024)],
])("words of a command for Redis: %s", async (_, value) => {
  const open = (count: number): Wired =>
    new Wired(kindOf(REDIS, "data_to_redis"), { server: NOBODY }, { cmd: `RPUSH list${" ${payload}".repeat(count)}` });
  const [much, little] = [open(40), open(5)];
  for (const w of [much, little]) w.run({ payload: value });
  expect([much.host.reasons, much.action.waiting?.().rows]).toEqual([[TOO_LONG], 0]);
  expect(little.action.waiting?.().rows).toBe(1);
  await Promise.all([much.close(), little.close()]);
});

test("headers, user properties", () => {
  const filled = (count: number) => compileFields("headers", named(count, "${payload}"))({ payload: text });
  expect(() => filled(40)).toThrow(TOO_LONG);
  expect(Object.keys(filled(5))).toHaveLength(5);
});
