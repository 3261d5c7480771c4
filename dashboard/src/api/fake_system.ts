/** The made-up broker's nodes, plugins, listeners, settings, access chain and API document. */
import { belongsTo, isPattern } from "../lib/config_keys.ts";
import type { ExplainResult, PluginConfigRow } from "./client.ts";
import { data, type FakeRoute, fail, type On, ok, text } from "./fake_reply.ts";
import { NODE, point, type State } from "./fake_state.ts";
import { METRICS } from "./fake_static.ts";

export function system(s: State, on: On): void {
  const uptime = (): number => s.now() - s.start + 187_000_000;
  on("GET", "/brokers", "Brokers", () =>
    data([
      {
        node: NODE,
        node_status: "Running",
        version: "v3.1.0",
        sysdescr: "EMQ X Broker",
        uptime: "2 days,3 hours",
        datetime: new Date(s.now()).toISOString().slice(0, 19).replace("T", " "),
        otp_release: "R1.4.5/bun",
        product: "BaoMQ",
        product_version: "0.1.0",
      },
    ]),
  );
  on("GET", "/nodes", "Nodes", () => {
    const p = point(s, s.now());
    return data([
      {
        name: NODE,
        node: NODE,
        connections: s.connections.length,
        load1: "0.42",
        load5: "0.38",
        load15: "0.31",
        max_fds: 1_048_576,
        memory_total: "96.00M",
        memory_used: "58.20M",
        process_available: 262_144,
        process_used: 12,
        node_status: "Running",
        otp_release: "R1.4.5/bun",
        uptime: "2 days",
        version: "v3.1.0",
        uptime_ms: uptime(),
        rss: p.memory,
        heap_used: 21_400_000,
        cpu: p.cpu,
        loop_delay: p.loop_delay,
        os_memory_total: 8_320_000_000,
        os_memory_free: 1_980_000_000,
        cores: 4,
        memory_limit: 8_320_000_000,
        memory_level: "normal",
        memory_queues: 1_240_000,
        memory_retained: 310_000,
        memory_sessions: 96_000,
        memory_buffers: 0,
      },
    ]);
  });
  on("GET", "/stats", "Gauges and their maxima", () => {
    const counts = {
      connections: s.connections.length,
      sessions: s.sessions.length,
      subscriptions: s.subscriptions.length,
      topics: new Set(s.subscriptions.map((x) => x.topic)).size,
      retained: s.retained.size,
    };
    return data([
      {
        node: NODE,
        ...Object.fromEntries(
          Object.entries(counts).flatMap(([k, n]) => [
            [`${k}/count`, n],
            [`${k}/max`, Math.ceil(n * 1.2)],
          ]),
        ),
      },
    ]);
  });
  on("GET", "/metrics", "Counters", () => data([{ node: NODE, metrics: METRICS }]));
  on("GET", "/plugins", "Plugins", () => data([{ node: NODE, plugins: s.plugins }]));
  for (const action of ["load", "unload", "reload"] as const)
    on("PUT", `/nodes/:node/plugins/:name/${action}`, `${action} a plugin`, ({ params }) => {
      const p = s.plugins.find((x) => x.name === params.name);
      if (!p) return fail(102, "not_found");
      if (action === "load" && p.active) return fail(102, "already_started");
      if (action === "unload" && !p.active) return fail(102, "not_started");
      p.active = action !== "unload";
      return ok;
    });
  on("GET", "/nodes/:node/plugin_configs/:name", "Settings of a plugin", ({ params }) => data(s.configs.get(params.name ?? "") ?? []));
  on("PUT", "/nodes/:node/plugin_configs/:name", "Replace the settings of a plugin", ({ params, body }) => {
    const rows = s.configs.get(params.name ?? "") ?? [];
    for (const [key, value] of Object.entries(body)) {
      const row = rows.find((r) => r.key === key);
      if (!row || (row.type === "integer" && !/^\d+$/.test(text(value))))
        return fail(102, `${key}: expected ${row?.type ?? "a known key"}`);
    }
    for (const row of rows) row.value = text(body[row.key]);
    return ok;
  });
  for (const kind of ["username", "clientid"] as const) {
    const names = s.accounts[kind];
    on("GET", `/auth_${kind}`, "Accounts", () => data([...names]));
    on("POST", `/auth_${kind}`, "Create an account", ({ body }) => {
      if (names.has(text(body[kind]))) return fail(102, "existed");
      names.add(text(body[kind]));
      return ok;
    });
    on("PUT", `/auth_${kind}/:name`, "Change an account's password", ({ params }) =>
      names.has(params.name ?? "") ? ok : fail(102, "noexisted"),
    );
    on("DELETE", `/auth_${kind}/:name`, "Delete an account", ({ params }) => {
      names.delete(params.name ?? "");
      return ok;
    });
  }
  on("GET", "/listeners", "Listeners", () => data([{ node: NODE, listeners: s.listeners }]));
  for (const action of ["start", "stop", "restart"] as const)
    on("PUT", `/nodes/:node/listeners/:protocol/:port/${action}`, `${action} a listener`, ({ params }) => {
      const l = s.listeners.find((x) => x.protocol === params.protocol && (x.listen_on === params.port || x.name === params.port));
      if (!l) return fail(102, "not_found");
      l.running = action !== "stop";
      if (action !== "start") l.current_conns = 0;
      return ok;
    });
  on("GET", "/settings", "Every configuration key", () => data(s.settings));
  on("PUT", "/settings", "Change configuration keys", ({ body }) => {
    const done = { applied: [] as string[], restart: [] as string[] };
    for (const [key, value] of Object.entries(body)) {
      const row = s.settings.find((x) => x.key === key) ?? configRow(s, key);
      if (!row) return fail(108, `${key}: unknown key`);
      if (row.type === "integer" && value !== null && !/^\d+$/.test(text(value)))
        return fail(108, `${key}: expected an integer, got ${JSON.stringify(value)}`);
      row.value = value === null ? row.default : text(value);
      row.origin = value === null ? "default" : "api";
      (row.live ? done.applied : done.restart).push(key);
    }
    return data(done);
  });
}

/** A plugin's row of the key; one behind a `$name` is made. */
function configRow(s: State, key: string): PluginConfigRow | undefined {
  for (const rows of s.configs.values()) {
    const found = rows.find((r) => r.key === key);
    if (found) return found;
    const pattern = rows.find((r) => isPattern(r) && belongsTo(r.key, key));
    if (pattern) return rows[rows.push({ ...pattern, key }) - 1];
  }
  return undefined;
}

export function explain(s: State, body: Record<string, unknown>): ExplainResult {
  const ban = s.banned.find((b) => b.who === body.client_id || b.who === body.username || b.who === body.ip_address);
  const steps: ExplainResult["authentication"]["steps"] = [
    {
      step: "banned",
      verdict: ban ? "deny" : "ignore",
      final: ban !== undefined,
      why: ban ? `${ban.as} ${ban.who} is banned: ${ban.reason}` : "no ban fits",
      ms: 0.03,
    },
  ];
  if (!ban) {
    steps.push({ step: "emqx_auth_username", verdict: "ignore", final: false, why: "the plugin is not running", ms: 0.01 });
    steps.push({ step: "allow_anonymous", verdict: "allow", final: true, why: "allow_anonymous = true and nobody objected", ms: 0.01 });
  }
  const topic = text(body.topic);
  const denied = topic.startsWith("$SYS") && body.ip_address !== "127.0.0.1";
  return {
    authentication: { allow: !ban, is_super: false, steps },
    acl:
      ban || !body.action
        ? null
        : {
            allow: !denied,
            steps: [
              {
                step: "acl_internal",
                verdict: denied ? "deny" : "allow",
                final: true,
                why: denied ? 'acl.conf rule 3: {deny, all, subscribe, ["$SYS/#", {eq, "#"}]}' : "acl.conf rule 4: {allow, all}",
                ms: 0.08,
              },
            ],
          },
  };
}

/** Enough of an OpenAPI document for the try-it page. */
export function openapi(routes: readonly FakeRoute[]): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const r of routes) {
    const path = `/api/v3/${r.path.map((p) => (p.startsWith(":") ? `{${p.slice(1)}}` : p)).join("/")}`;
    const op = paths[path] ?? {};
    paths[path] = op;
    op[r.method.toLowerCase()] = {
      summary: r.summary,
      tags: [r.path[0] === "nodes" ? (r.path[2] ?? "nodes") : r.path[0]],
      parameters: r.path
        .filter((p) => p.startsWith(":"))
        .map((p) => ({ name: p.slice(1), in: "path", required: true, schema: { type: "string" } })),
      ...(r.method === "POST"
        ? {
            requestBody: {
              content: {
                "application/json": {
                  schema: { type: "object" },
                  example: r.path[1] === "publish" ? { topic: "hello/world", payload: "Hi!", qos: 1 } : {},
                },
              },
            },
          }
        : {}),
    };
  }
  return { openapi: "3.1.0", info: { title: "BaoMQ", version: "0.1.0" }, paths };
}
