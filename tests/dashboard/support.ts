/** The dashboard's models without a browser: an app over the in-memory broker, a window that is an object, two stores. */
import type { PluginServer, PluginStatus } from "../../dashboard/src/api/client.ts";
import { createFakeBroker, type FakeBroker, type FakeOptions } from "../../dashboard/src/api/fake.ts";
import { type App, createApp } from "../../dashboard/src/models/app.ts";
import type { Store } from "../../dashboard/src/models/prefs.ts";
import type { RouterWindow } from "../../dashboard/src/models/router.ts";

export const NOW = Date.UTC(2026, 10, 24, 9, 30);

export function memoryStore(): Store & { all: Map<string, string> } {
  const all = new Map<string, string>();
  return { all, getItem: (k) => all.get(k) ?? null, setItem: (k, v) => void all.set(k, v), removeItem: (k) => void all.delete(k) };
}

export function fakeWindow(hash = ""): RouterWindow & { urls: string[] } {
  const location = { hash, href: "" };
  const urls: string[] = [];
  const set = (_d: unknown, _t: string, url: string): void => {
    urls.push(url);
    location.hash = url;
  };
  return { location, urls, history: { pushState: set, replaceState: set }, addEventListener() {}, removeEventListener() {} };
}

export interface World {
  app: App;
  broker: FakeBroker;
  tab: ReturnType<typeof memoryStore>;
  device: ReturnType<typeof memoryStore>;
  window: ReturnType<typeof fakeWindow>;
}

export function world(hash = "", options: Partial<FakeOptions> = {}): World {
  const broker = createFakeBroker({ live: false, now: () => NOW, ...options });
  const tab = memoryStore();
  const device = memoryStore();
  const window = fakeWindow(hash);
  const app = createApp({
    transport: (authorization) => broker.transport(authorization),
    window,
    tab,
    device,
    browserLang: "en-GB",
    demo: false,
  });
  return { app, broker, tab, device, window };
}

export async function loggedIn(hash = "", options: Partial<FakeOptions> = {}): Promise<World> {
  const w = world(hash, options);
  const result = await w.app.session.login("admin", "public", false);
  if (!result.ok) throw new Error(result.message);
  return w;
}

/** Let promises that are ready go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

export const server = (given: Partial<PluginServer> = {}): PluginServer => ({
  what: "MySQL at 127.0.0.1:3306",
  state: "up",
  since_ms: NOW,
  last_error: null,
  last_error_ms: null,
  running: 0,
  waiting: 0,
  pool: 8,
  calls: 0,
  answered: 0,
  refused: 0,
  not_asked: 0,
  failed: 0,
  timeouts: 0,
  busy: 0,
  gone: 0,
  retries: 0,
  p50: null,
  p95: null,
  p99: null,
  ...given,
});

export const status = (given: Partial<PluginStatus> = {}): PluginStatus => ({
  servers: [],
  dead_letters: null,
  authentication: null,
  acl: null,
  ...given,
});
