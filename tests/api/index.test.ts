/** One table makes them all: the list of routes, the OpenAPI document and the handlers are the same set. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FILTERS } from "../../server/admin/filters.ts";
import type { RouteEntry } from "../../server/api/contract.ts";
import { openApiPath } from "../../server/api/openapi.ts";
import type { Kind } from "../../server/api/route.ts";
import { routesOn } from "../../server/api/v3/index.ts";
import { type Door, NODE, TestNode } from "./support/node.ts";

interface OpenApi {
  openapi: string;
  paths: Record<
    string,
    Record<
      string,
      {
        operationId: string;
        tags: string[];
        parameters: { name: string; in: string; required: boolean; schema: object }[];
        responses: object;
        requestBody?: { required: boolean; content: Record<string, unknown> };
        security?: unknown[];
      }
    >
  >;
  components: { schemas: { Failure: { properties: { code: { oneOf: { const: number; title: string }[] } } } } };
}

const DOORS: Readonly<Record<Kind, Door>> = { management: "app", dashboard: "user", ctl: "ctl" };
let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
  for (const plugin of ["emqx_auth_username", "emqx_auth_clientid", "emqx_delayed_publish", "emqx_reloader"]) {
    await node.ask("PUT", `/nodes/${NODE}/plugins/${plugin}/load`);
  }
});
afterAll(() => node.stop());

for (const kind of ["management", "dashboard", "ctl"] as const) {
  const as = DOORS[kind];
  describe(kind, () => {
    const key = (method: string, path: string): string => `${method} ${openApiPath(path)}`;

    test("the list of routes is that of the table, each pair once", async () => {
      const listed = (await node.get<RouteEntry[]>("/", { as })).map((r) => key(r.method, r.path));
      expect(new Set(listed).size).toBe(listed.length);
      expect(listed.sort()).toEqual(
        routesOn(kind)
          .map((r) => key(r.method, r.path))
          .sort(),
      );
    });

    test("so is the OpenAPI document, and the root", async () => {
      const doc = JSON.parse((await node.ask("GET", "/openapi.json", { as })).text) as OpenApi;
      expect(doc.openapi).toBe("3.1.0");
      const codes = doc.components.schemas.Failure.properties.code.oneOf;
      expect(codes.map((c) => c.const)).toEqual([102, 103, 104, 105, 106, 107, 108, 112, 113, 114, 115, 400, 404]);
      expect(codes.every((c) => c.title !== "")).toBe(true);
      const described = Object.entries(doc.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((m) => `${m.toUpperCase()} ${path}`),
      );
      const listed = (await node.get<RouteEntry[]>("/", { as })).map((r) => key(r.method, r.path));
      expect(described.sort()).toEqual([...listed, "GET /"].sort());
    });

    test("every list describes its filters, and no others", async () => {
      const doc = JSON.parse((await node.ask("GET", "/openapi.json", { as })).text) as OpenApi;
      for (const [name, { exact, like }] of Object.entries(FILTERS)) {
        const described = doc.paths[`/${name}`]?.get?.parameters.map((p) => p.name) ?? [];
        const own = name === "retained" ? ["_filter"] : [];
        expect(described.sort()).toEqual(["_page", "_limit", "_sort", ...exact, ...like.map((n) => `_like_${n}`), ...own].sort());
      }
    });

    test("what has to be sent is said: names in the path, bodies with fields that must be there", async () => {
      const doc = JSON.parse((await node.ask("GET", "/openapi.json", { as })).text) as OpenApi;
      const bodies = new Map<string, boolean>();
      for (const r of routesOn(kind)) {
        const o = doc.paths[openApiPath(r.path)]?.[r.method.toLowerCase()];
        const query: readonly string[] = r.query?.required ?? [];
        expect(o?.parameters.filter((p) => p.required).map((p) => p.name)).toEqual([
          ...[...r.path.matchAll(/:(\w+)/g)].map((m) => m[1] as string),
          ...query,
        ]);
        const schema = r.array ?? r.body;
        expect(o?.requestBody === undefined).toBe(schema === undefined);
        if (o?.requestBody) bodies.set(`${r.method} ${r.path}`, o.requestBody.required);
        expect(o?.requestBody === undefined || Object.keys(o.requestBody.content).join() === "application/json").toBe(true);
        expect(o?.security !== undefined).toBe(r.open === true);
      }
      expect([...bodies.values()]).toContain(true);
      expect([...bodies.values()]).toContain(false);
    });

    test("operations are grouped by what they are about", async () => {
      const doc = JSON.parse((await node.ask("GET", "/openapi.json", { as })).text) as OpenApi;
      const tag = (path: string): string | undefined => doc.paths[path]?.get?.tags.join();
      expect([tag("/nodes"), tag("/nodes/{node}"), tag("/nodes/{node}/plugins"), tag("/connections"), tag("/stats")]).toEqual([
        "nodes",
        "nodes",
        "plugins",
        "connections",
        "stats",
      ]);
    });

    test("every described operation is complete", async () => {
      const doc = JSON.parse((await node.ask("GET", "/openapi.json", { as })).text) as OpenApi;
      const ids = new Set<string>();
      for (const [path, methods] of Object.entries(doc.paths)) {
        for (const o of Object.values(methods)) {
          expect(ids.has(o.operationId)).toBe(false);
          ids.add(o.operationId);
          const named = o.parameters.filter((p) => p.in === "path").map((p) => `{${p.name}}`);
          expect([...path.matchAll(/\{\w+\}/g)].map((m) => m[0])).toEqual(named);
          expect(Object.keys(o.responses)).toContain("200");
        }
      }
    });

    test("every route has a handler", async () => {
      for (const r of routesOn(kind)) {
        // What would end the test itself, or never end.
        if (["reload_plugin", "reload_plugin_everywhere", "mqtt_listen", "stop_listener", "restart_listener"].includes(r.name)) continue;
        const path = `/${r.path
          .split("/")
          .filter((s) => s !== "")
          .map((s) => (s === ":node" ? NODE : s === ":plugin" || s === ":app" ? "emqx_plugin_template" : s.startsWith(":") ? "nosuch" : s))
          .join("/")}`;
        const answer = await node.ask(r.method, path, { as, ...(r.method !== "GET" && { body: {} }) });
        expect(`${r.method} ${path} ${answer.status}`).toBe(`${r.method} ${path} 200`);
      }
    });
  });
}
