/** Applications: the credentials of the management port. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AppRow } from "../../server/api/contract.ts";
import { APP, basic, TestNode } from "./support/node.ts";
import { type Scenario, scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
const it = () => node;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

describe("applications", () => {
  unauthorized(it, [
    ["GET", "/apps"],
    ["POST", "/apps"],
    ["GET", "/apps/x"],
    ["PUT", "/apps/x"],
    ["DELETE", "/apps/x"],
  ]);
  wrongMethod(it, [
    ["PUT", "/apps"],
    ["POST", "/apps/x"],
    ["DELETE", "/apps"],
  ]);
  const post = (body: unknown) => ({ method: "POST", path: "/apps", body });
  const put = (id: string, body?: unknown) => ({ method: "PUT", path: `/apps/${id}`, body });
  scenarios(it, [
    { name: "no id", ...post({ name: "x" }), code: 107 },
    { name: "id is a number", ...post({ app_id: 5, name: "x" }), code: 107 },
    { name: "id is empty", ...post({ app_id: "" }), code: 107 },
    { name: "name is a number", ...post({ app_id: "bad", name: 5 }), code: 108 },
    { name: "status is 1", ...post({ app_id: "bad", status: 1 }), code: 108 },
    { name: "expired is text", ...post({ app_id: "bad", expired: "tomorrow" }), code: 108 },
    { name: "secret is a list", ...post({ app_id: "bad", secret: ["x"] }), code: 108 },
    { name: "no JSON", method: "POST", path: "/apps", raw: '{"app_id":"x"', status: 400 },
    {
      name: "create, all fields",
      ...post({ app_id: "full", name: "Full", secret: "fullsecret", desc: "all", status: true, expired: 4102444800 }),
      text: '{"code":0,"data":{"secret":"fullsecret"}}',
    },
    { name: "create, as little as possible", ...post({ app_id: "min" }), data: { secret: expect.stringMatching(/^[A-Za-z0-9]{47}$/) } },
    {
      name: "empty secret: generated",
      ...post({ app_id: "empty", secret: "" }),
      data: { secret: expect.stringMatching(/^[A-Za-z0-9]{47}$/) },
    },
    { name: "never expires", ...post({ app_id: "null", secret: "s", expired: null }), code: 0 },
    { name: "switched off", ...post({ app_id: "off", secret: "s", status: false }), code: 0 },
    { name: "expired", ...post({ app_id: "late", secret: "s", expired: 1000000000 }), code: 0 },
    { name: "reserved characters", ...post({ app_id: "a/b c%", secret: "s:t" }), code: 0 },
    { name: "there already", ...post({ app_id: "full" }), code: 102, message: "alread_existed" },
    {
      name: "look-up",
      method: "GET",
      path: "/apps/full",
      text: '{"code":0,"data":{"app_id":"full","secret":"fullsecret","name":"Full","desc":"all","status":true,"expired":4102444800}}',
    },
    {
      name: "look-up, unset fields",
      method: "GET",
      path: "/apps/min",
      data: { app_id: "min", secret: expect.any(String), name: "undefined", desc: "undefined", status: true, expired: "undefined" },
    },
    {
      name: "look-up, encoded",
      method: "GET",
      path: `/apps/${encodeURIComponent("a/b c%")}`,
      data: expect.objectContaining({ app_id: "a/b c%" }),
    },
    { name: "look-up, unknown", method: "GET", path: "/apps/nosuch", text: '{"code":0,"data":[]}' },
    {
      name: "the list shows no secret",
      method: "GET",
      path: "/apps/",
      check: (a) => {
        expect(a.text).not.toContain("secret");
        expect(a.json?.meta).toBeUndefined();
        expect((a.json?.data as AppRow[] | undefined)?.map((r) => r.app_id)).toContain("full");
      },
    },
    { name: "update, unknown", ...put("nosuch", { name: "x" }), code: 102, message: "ont_found" },
    { name: "update, wrong type", ...put("min", { status: "yes" }), code: 108 },
    { name: "update, one field", ...put("full", { name: "Fuller" }), ok: true },
    {
      name: "the others stay",
      method: "GET",
      path: "/apps/full",
      data: expect.objectContaining({ name: "Fuller", desc: "all", secret: "fullsecret", expired: 4102444800 }),
    },
    {
      name: "update, the row as shown",
      ...put("min", { app_id: "x", name: "undefined", desc: "undefined", status: true, expired: "undefined", secret: "no" }),
      ok: true,
    },
    {
      name: "id and secret stay",
      method: "GET",
      path: "/apps/min",
      data: expect.objectContaining({ app_id: "min", expired: "undefined" }),
    },
    { name: "update, nothing", ...put("min"), ok: true },
    { name: "delete", method: "DELETE", path: "/apps/empty", ok: true },
    { name: "delete, unknown", method: "DELETE", path: "/apps/empty", ok: true },
  ]);

  const as = (id: string, secret: string, status: number): Scenario => ({
    name: `${id} gets ${status}`,
    method: "GET",
    path: "/brokers",
    authorization: basic(id, secret),
    status,
  });
  scenarios(it, [
    as("full", "fullsecret", 200),
    as("null", "s", 200),
    as("a/b c%", "s:t", 200),
    as("off", "s", 401),
    as("late", "s", 401),
    as("full", "", 401),
  ]);

  test("switching off and deleting act at once", async () => {
    const status = async () => (await node.ask("GET", "/brokers", { authorization: basic("null", "s") })).status;
    await node.ask("PUT", "/apps/null", { body: { status: false } });
    expect(await status()).toBe(401);
    await node.ask("PUT", "/apps/null", { body: { status: true } });
    expect(await status()).toBe(200);
    await node.ask("DELETE", "/apps/null");
    expect(await status()).toBe(401);
  });

  test("the default secret, and an application of the configuration", async () => {
    const own = await TestNode.start({ "management.application.default_secret": "shared" });
    try {
      expect(await own.data("POST", "/apps", { body: { app_id: "d" } })).toEqual({ secret: "shared" });
      expect((await own.ask("GET", "/brokers", { authorization: basic(APP.id, APP.secret) })).status).toBe(200);
    } finally {
      await own.stop();
    }
  });
});
