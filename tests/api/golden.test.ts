/** The document's own examples and answers recorded from EMQ X 3.1.0, against a real node: same shapes, same words. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { RouteEntry } from "../../server/api/contract.ts";
import document from "./golden/document.json";
import recorded from "./golden/recorded.json";
import { NODE, TestNode } from "./support/node.ts";
import { differences } from "./support/shape.ts";

interface Example {
  method: string;
  path: string;
  request?: unknown;
  answer: unknown;
}
interface Recording {
  name: string;
  on: string;
  path: string;
  body: unknown;
}

let node: TestNode;

/** The two clients of the document, and one of the recordings. */
async function connectAll(): Promise<void> {
  for (const [id, username] of [["emqx-api-test:v1", "emqx-api-test:v1"], ["mqttjs_406e3f9a"], ["golden-c1", "golden-user"]]) {
    if ((await node.get<unknown[]>(`/connections/${encodeURIComponent(id as string)}`)).length > 0) continue;
    const client = await node.mqtt(id as string, username === undefined ? {} : { username });
    await client.subscribeAsync(["/test", "golden/t1"]);
  }
}

beforeAll(async () => {
  node = await TestNode.start();
  await connectAll();
});
afterAll(() => node.stop());

describe("the document", () => {
  for (const [i, e] of (document as Example[]).entries()) {
    test(`${i + 1}: ${e.method} ${e.path}`, async () => {
      await connectAll();
      const as = e.path === "/" ? "user" : "app";
      const answer = await node.ask(e.method, e.path, { as, ...(e.request !== undefined && { body: e.request }) });
      expect(answer.status).toBe(200);
      expect(differences(e.answer, answer.json)).toEqual([]);
      if (e.method !== "GET") expect(answer.json as unknown).toEqual(e.answer);
    });
  }

  test("its 55 routes, by name, method, path and description", async () => {
    const wanted = (document as Example[])[0]?.answer as { data: RouteEntry[] };
    expect(wanted.data.length).toBe(55);
    const own = await node.get<RouteEntry[]>("/", { as: "user" });
    for (const entry of wanted.data) expect(own).toContainEqual(entry);
    const users = new Set(["auth_user", "list_users", "create_user", "update_user", "delete_user", "change_pwd"]);
    const management = await node.get<RouteEntry[]>("/");
    for (const entry of wanted.data.filter((r) => !users.has(r.name))) expect(management).toContainEqual(entry);
    expect(management.filter((r) => users.has(r.name))).toEqual([]);
  });
});

describe("recordings", () => {
  for (const r of recorded as Recording[]) {
    test(r.name, async () => {
      await connectAll();
      if (r.path.startsWith("/banned")) await node.ask("POST", "/banned", { body: { who: "bad-user", as: "username", until: 4102444800 } });
      if (r.path.startsWith("/apps/golden-min")) await node.ask("POST", "/apps", { body: { app_id: "golden-min", name: "Min" } });
      if (r.name === "apps: lookup deleted") await node.ask("DELETE", "/apps/golden-min");
      const answer = await node.ask("GET", r.path, { as: r.on === "user" ? "user" : "app" });
      expect(answer.status).toBe(200);
      expect(differences(r.body, answer.json)).toEqual([]);
    });
  }

  test("every route EMQ X 3.1.0 listed, but those of plugins that are not here", async () => {
    const list = (recorded as Recording[]).find((r) => r.name === "dashboard: /api/v3/ route list")?.body as { data: RouteEntry[] };
    const own = await node.get<RouteEntry[]>("/", { as: "user" });
    const key = (r: RouteEntry): string => `${r.name} ${r.method} ${r.path}`;
    const missing = list.data.filter((r) => !own.some((o) => key(o) === key(r))).map(key);
    expect(missing.filter((m) => !/rule|action|resource/.test(m))).toEqual([]);
    for (const r of list.data.filter((e) => !missing.includes(key(e)))) expect(own).toContainEqual(r);
  });

  test("the settings of the retainer have the types it told", async () => {
    expect(await node.get<unknown>(`/nodes/${NODE}/configs`)).toMatchObject([
      { key: "retainer.expiry_interval", datatpye: "integer, duration" },
      { key: "retainer.max_payload_size", datatpye: "bytesize" },
      { key: "retainer.max_retained_messages", datatpye: "integer" },
    ]);
  });
});
