/** A broker that lives in memory and speaks the API's shapes: demo mode (`?demo`) and tests run on it. */

import { matches } from "../lib/topic.ts";
import { basic } from "../models/session.ts";
import { routesOf } from "./fake_routes.ts";
import { createState, point, type State } from "./fake_state.ts";
import { ApiError, type ApiRequest, type Query, queryText, type Transport } from "./transport.ts";

export interface FakeOptions {
  /** Time passes: rates move, messages flow. */
  live: boolean;
  /** The first login asks for a new password. */
  defaultPassword?: boolean;
  clients?: number;
  now?: () => number;
}

export interface FakeBroker {
  state: State;
  transport(authorization: () => string | null): Transport;
  /** Every request fails while set. */
  fail: ApiError | null;
  requests: string[];
}

const LATENCY_MS = 40;

export function createFakeBroker({ live, defaultPassword = false, clients = 240, now = Date.now }: FakeOptions): FakeBroker {
  const state = createState(now, clients, defaultPassword);
  const routes = routesOf(state);
  const pause = (): Promise<void> => (live ? new Promise((r) => setTimeout(r, LATENCY_MS)) : Promise.resolve());

  function allowed(authorization: string | null): boolean {
    return authorization !== null && state.users.some((u) => basic(u.username, u.password) === authorization);
  }

  async function answer(r: ApiRequest, authorization: string | null): Promise<unknown> {
    broker.requests.push(`${r.method} ${r.path}${queryText(r.query)}`);
    await pause();
    if (broker.fail) throw broker.fail;
    if (r.path !== "/auth" && !allowed(authorization)) throw new ApiError("unauthorized", "UNAUTHORIZED", 401);
    const path = r.path.split("/").slice(1).map(decodeURIComponent);
    for (const route of routes) {
      if (route.method !== r.method) continue;
      const params = fits(route.path, path);
      if (params)
        return route.run({ params, query: r.query ?? {}, body: (r.body ?? {}) as Record<string, unknown>, user: nameOf(authorization) });
    }
    throw new ApiError("http", "Not found.", 404);
  }

  const broker: FakeBroker = {
    state,
    fail: null,
    requests: [],
    transport: (authorization) => ({
      send: (r) => answer(r, authorization()),
      async raw(r) {
        const start = now();
        const body = await answer(r, authorization());
        return { status: 200, headers: [["content-type", "application/json"]], body: JSON.stringify(body), took: now() - start };
      },
      stream: (_path, query, onEvent, signal) => flow(state, query, onEvent, signal, live),
    }),
  };
  return broker;
}

const nameOf = (authorization: string | null): string =>
  authorization
    ? (new TextDecoder().decode(Uint8Array.from(atob(authorization.slice(6)), (c) => c.charCodeAt(0))).split(":")[0] ?? "")
    : "";

/** `["nodes", ":node"]` against decoded segments. */
function fits(pattern: readonly string[], path: readonly string[]): Record<string, string> | null {
  if (pattern.length !== path.length) return null;
  const params: Record<string, string> = {};
  for (const [i, p] of pattern.entries()) {
    const segment = path[i] ?? "";
    if (p.startsWith(":")) params[p.slice(1)] = segment;
    else if (p !== segment) return null;
  }
  return params;
}

const FLOW_MS = 700;

/** Messages on the topics asked for, now and then. */
function flow(
  state: State,
  query: Query,
  onEvent: (e: { event: string; data: string }) => void,
  signal: AbortSignal,
  live: boolean,
): Promise<void> {
  const filters = String(query.topic ?? "").split(",");
  onEvent({ event: "subscribed", data: JSON.stringify({ topics: filters, qos: query.qos ?? 0 }) });
  return new Promise((resolve) => {
    const topics = [...state.retained.keys()].filter((t) => filters.some((f) => matches(f, t)));
    const concrete = filters.filter((f) => !/[+#]/.test(f));
    const all = [...topics, ...concrete];
    const send = (): void => {
      const topic = all[Math.floor(state.random() * all.length)];
      if (topic === undefined) return;
      const value = Math.round(point(state, state.now()).received / 6) / 10;
      onEvent({
        event: "message",
        data: JSON.stringify({
          topic,
          payload: JSON.stringify({ value, at: state.now() }),
          encoding: "plain",
          qos: 1,
          retain: false,
          ts: state.now(),
          from: "backend-ingest",
        }),
      });
    };
    send();
    const timer = live ? setInterval(send, FLOW_MS) : undefined;
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      resolve();
    });
  });
}
