/** The routes of the made-up broker, one table. Only what the dashboard calls, with the API's envelopes, paging and error codes. */

import { toBase64, utf8 } from "../lib/payload.ts";
import { matches } from "../lib/topic.ts";
import type { Banned, ExplainResult, TopicNode } from "./client.ts";
import { NODE, point, type State, subscription } from "./fake_state.ts";
import { METRICS } from "./fake_static.ts";
import type { Query } from "./transport.ts";

export interface Call {
  params: Record<string, string>;
  query: Query;
  body: Record<string, unknown>;
  user: string;
}

export interface FakeRoute {
  method: string;
  path: readonly string[];
  summary: string;
  run: (c: Call) => unknown;
}

const ok = { code: 0 } as const;
const data = (d: unknown) => ({ code: 0, data: d });
const fail = (code: number, message: string) => ({ code, message });
const text = (v: unknown): string => (typeof v === "string" ? v : "");

type Row = object;

/** Filters, sort and page as the contract says. */
export function paged(rows: readonly Row[], query: Query): unknown {
  let out = rows as readonly Record<string, unknown>[];
  for (const [name, wanted] of Object.entries(query)) {
    if (wanted === undefined || wanted === "") continue;
    const like = name.startsWith("_like_");
    const field = like ? name.slice(6) : name;
    const key = field === "ip_address" ? "ipaddress" : field;
    if (name === "_filter") out = out.filter((r) => matches(String(wanted), text(r.topic)));
    else if (like) out = out.filter((r) => String(r[key]).toLowerCase().includes(String(wanted).toLowerCase()));
    else if (!name.startsWith("_")) out = out.filter((r) => String(r[key]) === String(wanted));
  }
  const sort = text(query._sort);
  if (sort !== "") {
    const field = sort.replace(/^-/, "");
    const sign = sort.startsWith("-") ? -1 : 1;
    out = [...out].sort((a, b) => sign * compare(a[field], b[field]));
  }
  const limit = Number(query._limit ?? 10_000);
  const page = Math.max(1, Number(query._page ?? 1));
  return { code: 0, data: out.slice((page - 1) * limit, page * limit), meta: { page, limit, count: out.length } };
}

const compare = (a: unknown, b: unknown): number =>
  typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));

export function routesOf(s: State): FakeRoute[] {
  const routes: FakeRoute[] = [];
  const on = (method: string, path: string, summary: string, run: FakeRoute["run"]): void => {
    routes.push({ method, path: path.split("/").slice(1), summary, run });
  };
  people(s, on);
  watching(s, on);
  messages(s, on);
  system(s, on);
  on("GET", "/openapi.json", "This document", () => openapi(routes));
  return routes;
}

type On = (method: string, path: string, summary: string, run: FakeRoute["run"]) => void;

function people(s: State, on: On): void {
  on("POST", "/auth", "Check a user's password", ({ body }) => {
    const u = s.users.find((x) => x.username === body.username);
    return u && u.password === body.password ? ok : fail(103, "Password Error");
  });
  on("GET", "/whoami", "Who is asking", ({ user }) =>
    data({
      kind: "user",
      name: user,
      tags: s.users.find((u) => u.username === user)?.tags,
      must_change_password: s.mustChange && user === "admin",
      node: NODE,
      version: "v3.1.0",
      product: "BaoMQ",
      product_version: "0.1.0",
    }),
  );
  on("GET", "/users", "All users", () => data(s.users.map(({ username, tags }) => ({ username, tags }))));
  on("POST", "/users", "Create a user", ({ body }) => {
    if (s.users.some((u) => u.username === body.username)) return fail(113, "Username Already Exist");
    s.users.push({ username: text(body.username), password: text(body.password), tags: text(body.tags) || "undefined" });
    return ok;
  });
  on("PUT", "/users/:name", "Change a user's remark", ({ params, body }) => {
    for (const u of s.users) if (u.username === params.name) u.tags = text(body.tags);
    return ok;
  });
  on("DELETE", "/users/:name", "Delete a user", ({ params }) => {
    if (params.name === "admin") return fail(106, "Cannot delete admin");
    remove(s.users, (u) => u.username === params.name);
    return ok;
  });
  on("PUT", "/change_pwd/:name", "Change a password", ({ params, body }) => {
    const u = s.users.find((x) => x.username === params.name);
    if (!u || u.password !== body.old_pwd) return fail(114, "Password Error");
    u.password = text(body.new_pwd);
    s.mustChange = false;
    return ok;
  });
  on("GET", "/apps", "All applications", () => data(s.apps.map(({ secret: _, ...a }) => a)));
  on("GET", "/apps/:id", "One application with its secret", ({ params }) => data(s.apps.find((a) => a.app_id === params.id) ?? []));
  on("POST", "/apps", "Create an application", ({ body }) => {
    if (s.apps.some((a) => a.app_id === body.app_id)) return fail(102, "alread_existed");
    const secret = `MjkwMTY${Math.floor(s.random() * 1e16)}`;
    s.apps.push({
      app_id: text(body.app_id),
      name: text(body.name),
      desc: text(body.desc) || "undefined",
      status: body.status !== false,
      expired: typeof body.expired === "number" ? body.expired : "undefined",
      secret,
    });
    return data({ secret });
  });
  on("PUT", "/apps/:id", "Change an application", ({ params, body }) => {
    const a = s.apps.find((x) => x.app_id === params.id);
    if (!a) return fail(102, "ont_found");
    Object.assign(a, { name: body.name, desc: body.desc, status: body.status, expired: body.expired ?? "undefined" });
    return ok;
  });
  on("DELETE", "/apps/:id", "Delete an application", ({ params }) => {
    remove(s.apps, (a) => a.app_id === params.id);
    return ok;
  });
  on("GET", "/banned", "All bans", ({ query }) => paged(s.banned, query));
  on("POST", "/banned", "Ban a client, user name or address", ({ body }) => {
    const unset = "undefined";
    const b: Banned = {
      who: text(body.who),
      as: body.as as Banned["as"],
      reason: text(body.reason) || unset,
      desc: text(body.desc) || unset,
      by: text(body.by) || unset,
      until: typeof body.until === "number" ? body.until : unset,
    };
    remove(s.banned, (x) => x.as === b.as && x.who === b.who);
    s.banned.push(b);
    if (body.kick === true)
      kick(
        s,
        s.connections
          .filter((c) => (b.as === "client_id" ? c.client_id : b.as === "username" ? c.username : c.ipaddress) === b.who)
          .map((c) => c.client_id),
      );
    return data(body);
  });
  on("DELETE", "/banned/:who", "Lift a ban", ({ params, query }) => {
    remove(s.banned, (b) => b.who === params.who && b.as === query.as);
    return ok;
  });
  on("POST", "/explain", "Ask the access chain", ({ body }) => data(explain(s, body)));
}

function watching(s: State, on: On): void {
  on("GET", "/connections", "All connections", ({ query }) => paged(s.connections, query));
  on("GET", "/connections/:id", "One connection", ({ params }) =>
    data(
      s.connections
        .filter((c) => c.client_id === params.id)
        .map((c) => ({
          ...c,
          recv_msg: c.recv_msg + Math.floor((s.now() - s.start) / 90),
          send_msg: c.send_msg + Math.floor((s.now() - s.start) / 310),
        })),
    ),
  );
  on("DELETE", "/connections/:id", "Kick a client", ({ params }) => (kick(s, [params.id ?? ""]).length > 0 ? ok : fail(112, "not_found")));
  on("DELETE", "/connections", "Kick many clients", ({ body }) => {
    const ids = (body.client_ids ?? []) as string[];
    const kicked = kick(s, ids);
    return data({ kicked, not_found: ids.filter((i) => !kicked.includes(i)) });
  });
  on("DELETE", "/connections/:id/acl", "Empty a client's ACL cache", () => ok);
  on("GET", "/sessions", "All sessions", ({ query }) => paged(s.sessions, query));
  on("GET", "/sessions/:id", "One session", ({ params }) => data(s.sessions.filter((x) => x.client_id === params.id)));
  on("DELETE", "/sessions/persistent/:id", "Delete the session of a client that is away", ({ params }) => {
    if (s.connections.some((c) => c.client_id === params.id)) return fail(102, "running_session");
    remove(s.sessions, (x) => x.client_id === params.id);
    remove(s.subscriptions, (x) => x.client_id === params.id);
    return ok;
  });
  on("GET", "/subscriptions", "All subscriptions", ({ query }) => paged(s.subscriptions, query));
  on("GET", "/subscriptions/:id", "Subscriptions of a client", ({ params }) =>
    data(s.subscriptions.filter((x) => x.client_id === params.id)),
  );
  on("GET", "/routes", "All subscribed filters", ({ query }) =>
    paged(
      [...new Set(s.subscriptions.map((x) => x.topic))].map((topic) => ({ topic, node: NODE })),
      query,
    ),
  );
  on("GET", "/topics/tree", "One level of the topic tree", ({ query }) => data(tree(s, text(query.prefix))));
  on("GET", "/alarms/present", "Alarms standing now", () => data([{ node: NODE, alarms: s.alarms }]));
  on("GET", "/alarms/history", "Alarms of the past", () => data([{ node: NODE, alarms: s.history }]));
  on("DELETE", "/alarms/history", "Forget past alarms", () => {
    s.history.length = 0;
    return ok;
  });
  on("GET", "/monitor/current", "The last minutes", ({ query }) => {
    const now = s.now();
    const since = Math.max(Number(query.since ?? 0), now - 600_000);
    const samples = [];
    for (let at = Math.ceil((since + 1) / 2000) * 2000; at <= now; at += 2000) samples.push(point(s, at));
    return data({ now_ms: now, interval_ms: 2000, current: point(s, now), samples });
  });
  on("GET", "/monitor", "History", ({ query }) => {
    const [from, to, step] = [Number(query.from), Number(query.to), Number(query.step)];
    const points = [];
    for (let at = Math.ceil(from / (step * 1000)) * step * 1000; at <= to; at += step * 1000) points.push(point(s, at));
    return data({ from_ms: from, to_ms: to, step, points });
  });
}

function messages(s: State, on: On): void {
  on("POST", "/mqtt/publish", "Publish a message", ({ body }) => {
    const topic = text(body.topic);
    if (topic === "" || /[+#]/.test(topic)) return fail(115, "bad_topic");
    const payload = text(body.payload);
    if (body.retain === true) {
      const encoded = body.encoding === "base64" ? payload : toBase64(utf8(payload));
      s.retained.set(topic, {
        topic,
        qos: (body.qos ?? 0) as 0,
        payload_size: atob(encoded).length,
        from: "http",
        ts_ms: s.now(),
        expires_at_ms: 0,
        payload: encoded,
        encoding: "base64",
      });
    }
    return ok;
  });
  on("POST", "/mqtt/subscribe", "Subscribe a client", ({ body }) => {
    if (!s.sessions.some((x) => x.client_id === body.client_id)) return fail(112, "session_not_found");
    const full = text(body.topic);
    const share = /^\$share\/([^/]+)\/(.+)$/.exec(full);
    const topic = share?.[2] ?? full;
    remove(s.subscriptions, (x) => x.client_id === body.client_id && x.topic === topic);
    s.subscriptions.push(subscription(text(body.client_id), topic, (body.qos ?? 0) as 0, share?.[1]));
    return ok;
  });
  on("POST", "/mqtt/unsubscribe", "Unsubscribe a client", ({ body }) => {
    const topic = text(body.topic).replace(/^\$share\/[^/]+\//, "");
    remove(s.subscriptions, (x) => x.client_id === body.client_id && x.topic === topic);
    return ok;
  });
  on("GET", "/retained", "Retained messages", ({ query }) =>
    paged(
      [...s.retained.values()].map(({ payload: _, encoding: __, ...r }) => r),
      query,
    ),
  );
  on("GET", "/retained/:topic", "One retained message", ({ params }) => {
    const m = s.retained.get(params.topic ?? "");
    return m ? data(m) : fail(102, "not_found");
  });
  on("DELETE", "/retained/:topic", "Delete a retained message", ({ params }) =>
    s.retained.delete(params.topic ?? "") ? ok : fail(102, "not_found"),
  );
  on("DELETE", "/retained", "Delete retained messages by filter", ({ query }) => {
    const hit = [...s.retained.keys()].filter((t) => matches(text(query._filter), t));
    for (const t of hit) s.retained.delete(t);
    return data({ deleted: hit.length });
  });
  on("GET", "/delayed", "Delayed messages", ({ query }) => paged(s.delayed, query));
  on("DELETE", "/delayed/:id", "Delete a delayed message", ({ params }) => {
    remove(s.delayed, (d) => d.id === Number(params.id));
    return ok;
  });
  on("POST", "/delayed/:id/send", "Send a delayed message now", ({ params }) => {
    remove(s.delayed, (d) => d.id === Number(params.id));
    return ok;
  });
}

function system(s: State, on: On): void {
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
      const l = s.listeners.find((x) => x.protocol === params.protocol && x.listen_on.endsWith(params.port ?? ""));
      if (!l) return fail(102, "not_found");
      l.running = action !== "stop";
      if (action !== "start") l.current_conns = 0;
      return ok;
    });
  on("GET", "/settings", "Every configuration key", () => data(s.settings));
  on("PUT", "/settings", "Change configuration keys", ({ body }) => {
    const done = { applied: [] as string[], restart: [] as string[] };
    for (const [key, value] of Object.entries(body)) {
      const row = s.settings.find((x) => x.key === key);
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

function remove<T>(list: T[], gone: (x: T) => boolean): void {
  for (let i = list.length - 1; i >= 0; i--) if (gone(list[i] as T)) list.splice(i, 1);
}

function kick(s: State, ids: readonly string[]): string[] {
  const kicked = ids.filter((id) => s.connections.some((c) => c.client_id === id));
  remove(s.connections, (c) => kicked.includes(c.client_id));
  for (const x of s.sessions)
    if (kicked.includes(x.client_id)) {
      x.connected = false;
      x.disconnected_at_ms = s.now();
    }
  remove(s.sessions, (x) => kicked.includes(x.client_id) && x.expiry_interval === 0);
  remove(s.subscriptions, (x) => kicked.includes(x.client_id) && !s.sessions.some((y) => y.client_id === x.client_id));
  return kicked;
}

function tree(s: State, prefix: string) {
  const nodes = new Map<string, TopicNode>();
  const under = prefix === "" ? "" : `${prefix}/`;
  const add = (topic: string, kind: "routes" | "retained"): void => {
    if (!topic.startsWith(under)) return;
    const rest = topic.slice(under.length).split("/");
    const name = rest[0] ?? "";
    const full = under + name;
    const n = nodes.get(full) ?? { name, topic: full, routes: 0, retained: 0, children: false, is_route: false };
    n[kind]++;
    if (rest.length > 1) n.children = true;
    else if (kind === "routes") n.is_route = true;
    nodes.set(full, n);
  };
  for (const t of new Set(s.subscriptions.map((x) => x.topic))) add(t, "routes");
  for (const t of s.retained.keys()) add(t, "retained");
  return { prefix, nodes: [...nodes.values()].sort((a, b) => a.name.localeCompare(b.name)), truncated: false };
}

function explain(s: State, body: Record<string, unknown>): ExplainResult {
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
function openapi(routes: readonly FakeRoute[]): unknown {
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
