/** Nonsense in every field of every route: never a 500, never an internal error, and the node goes on. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Kind } from "../../server/api/route.ts";
import { routesOn } from "../../server/api/v3/index.ts";
import { type Door, NODE, TestNode } from "./support/node.ts";

const NASTY: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  "",
  "\u0000",
  "\ud800",
  "a".repeat(70_000),
  "../../etc/passwd",
  [],
  [[]],
  {},
  { toString: 1 },
  { __proto__: null, length: -1 },
];
const SEGMENTS = ["%00", "%ff", "..%2f..", "constructor", "toString", "__proto__", "%F0%9F%98%80", "a".repeat(3000), "%2F"];
const QUERIES = [
  "_page=-9999999999&_limit=1",
  "_page=9007199254740991&_limit=9007199254740991",
  "_sort=-",
  "_sort=__proto__",
  "_like_client_id=%ff",
  "encoding=%00",
  "%=%&&=&x",
  "limit=-1&from=-1&to=1e9&step=NaN&since=Infinity",
];
/** What every object has without anybody having put it there. */
const INHERITED = ["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__", "__defineGetter__", "isPrototypeOf"];
/** What would end the test's own node, or a stream without end. */
const SKIPPED = new Set([
  "reload_plugin",
  "reload_plugin_everywhere",
  "mqtt_listen",
  "stop_listener",
  "restart_listener",
  "unload_plugin",
  "unload_plugin_everywhere",
]);

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
  for (const plugin of ["emqx_auth_username", "emqx_auth_clientid", "emqx_delayed_publish"])
    await node.ask("PUT", `/nodes/${NODE}/plugins/${plugin}/load`);
});
afterAll(() => node.stop());

const pathOf = (path: string, segment: string): string =>
  `/${path
    .split("/")
    .filter((s) => s !== "")
    .map((s) => (s === ":node" ? NODE : s === ":plugin" || s === ":app" ? "emqx_retainer" : s.startsWith(":") ? segment : s))
    .join("/")}`;

async function harmless(method: string, path: string, as: Door, raw?: string): Promise<void> {
  const { status, text } = await node.ask(method, path, { as, ...(raw !== undefined && { raw }) });
  const about = `${method} ${path.slice(0, 120)} ${raw?.slice(0, 120) ?? ""}`;
  expect({ about, fine: [200, 400, 404].includes(status), internal: text.includes("internal_error") }).toEqual({
    about,
    fine: true,
    internal: false,
  });
}

for (const [kind, as] of [
  ["management", "app"],
  ["dashboard", "user"],
  ["ctl", "ctl"],
] as const satisfies readonly (readonly [Kind, Door])[]) {
  const routes = routesOn(kind).filter((r) => !SKIPPED.has(r.name));

  test(`${kind}: fields of bodies`, async () => {
    for (const r of routes.filter((r) => r.method !== "GET")) {
      const path = pathOf(r.path, "nobody");
      const fields = Object.keys((r.body?.properties ?? {}) as object);
      for (const value of NASTY) {
        await harmless(r.method, path, as, JSON.stringify(value));
        await harmless(r.method, path, as, JSON.stringify([value]));
        for (const field of fields.length > 0 ? fields : ["key"]) await harmless(r.method, path, as, JSON.stringify({ [field]: value }));
        // All at once: what is looked at later gets its share too.
        await harmless(r.method, path, as, JSON.stringify(Object.fromEntries(fields.map((f) => [f, value]))));
      }
    }
  });

  test(`${kind}: names of the prototype as names of fields, as values, in the query`, async () => {
    for (const r of routes) {
      const path = pathOf(r.path, "nobody");
      const fields = Object.keys((r.body?.properties ?? {}) as object);
      for (const name of INHERITED) {
        await harmless(r.method, `${path}?${name}=x&_sort=${name}&_like_${name}=x`, as);
        if (r.method === "GET") continue;
        for (const value of ['"x"', "1", "{}"]) {
          await harmless(r.method, path, as, `{"${name}":${value}}`);
          await harmless(r.method, path, as, `[{"${name}":${value}}]`);
        }
        await harmless(r.method, path, as, JSON.stringify(Object.fromEntries(fields.map((f) => [f, name]))));
        await harmless(r.method, path, as, JSON.stringify({ ...Object.fromEntries(fields.map((f) => [f, "x"])), key: name, value: "1" }));
      }
    }
  });

  test(`${kind}: segments and queries`, async () => {
    for (const r of routes) {
      for (const segment of SEGMENTS) await harmless(r.method, pathOf(r.path, segment), as);
      for (const query of QUERIES) await harmless(r.method, `${pathOf(r.path, "nobody")}?${query}`, as);
    }
  });
}

test("the node still serves", async () => {
  const client = await node.mqtt("after");
  await client.subscribeAsync("after/all");
  const came = new Promise((resolve) => client.once("message", resolve));
  expect((await node.ask("POST", "/mqtt/publish", { body: { topic: "after/all", payload: "x" } })).json).toEqual({ code: 0 });
  await came;
});
