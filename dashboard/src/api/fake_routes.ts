/** The routes of the made-up broker. Only what the dashboard calls, with the API's envelopes, paging and error codes. */
import { toBase64, utf8 } from "../lib/payload.ts";
import { matches } from "../lib/topic.ts";
import type { Banned, TopicNode } from "./client.ts";
import { access } from "./fake_access.ts";
import { webHook } from "./fake_letters.ts";
import { data, type FakeRoute, fail, type On, ok, paged, remove, text } from "./fake_reply.ts";
import { rules } from "./fake_rules.ts";
import { NODE, point, type State, subscription } from "./fake_state.ts";
import { explain, openapi, system } from "./fake_system.ts";

export function routesOf(s: State): FakeRoute[] {
  const routes: FakeRoute[] = [];
  const on = (method: string, path: string, summary: string, run: FakeRoute["run"]): void => {
    routes.push({ method, path: path.split("/").slice(1), summary, run });
  };
  people(s, on);
  access(s, on);
  watching(s, on);
  messages(s, on);
  rules(s, on);
  webHook(s, on);
  system(s, on);
  on("GET", "/openapi.json", "This document", () => openapi(routes));
  return routes;
}

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
  on("GET", "/connections/:id/acl", "A client's remembered ACL decisions", () =>
    data([{ topic: "plant-1/#", action: "subscribe", verdict: "allow", age_ms: 31_000 }]),
  );
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
