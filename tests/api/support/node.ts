/** A real node inside the test's process: every port 0, a data directory of its own, quiet log. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { loadConfig } from "../../../server/config/config.ts";
import { DEFAULT_ACL } from "../../../server/core/access/acl_file.ts";
import type { Logger } from "../../../server/lib/log.ts";
import { openLog } from "../../../server/lib/open_log.ts";
import { type RunningNode, startNode } from "../../../server/node/index.ts";
import { logOptions } from "../../../server/node/log_options.ts";
import { pluginTables } from "../../../server/plugins/index.ts";

export const NODE = "emqx@127.0.0.1";
export const APP = { id: "myappid", secret: "my-secret" };
export const ADMIN = { login: "admin", password: "public" };

const QUIET: Readonly<Record<string, string>> = {
  "listener.tcp.external": "127.0.0.1:0",
  "listener.tcp.internal": "127.0.0.1:0",
  "listener.ssl.external": "127.0.0.1:0",
  "listener.ws.external": "127.0.0.1:0",
  "listener.wss.external": "127.0.0.1:0",
  "management.listener.http": "127.0.0.1:0",
  "dashboard.listener.http": "127.0.0.1:0",
  "management.default_application.id": APP.id,
  "management.default_application.secret": APP.secret,
  "log.to": "console",
  "log.level": "critical",
};

export type Door = "app" | "user" | "ctl";

export interface Ask {
  /** Whose credentials, and so which port. Default "app". */
  as?: Door;
  /** In place of the door's own; null = none. */
  authorization?: string | null;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is. */
  raw?: string | Uint8Array;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** undefined when it is no JSON. */
  json: { code: number; message?: string; data?: unknown; meta?: { page: number; limit: number; count: number } } | undefined;
}

export const basic = (name: string, secret: string): string => `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}`;

export class TestNode {
  readonly #clients: MqttClient[] = [];

  private constructor(
    readonly node: RunningNode,
    readonly dir: string,
    private readonly log: Logger,
    private readonly owned: boolean,
  ) {}

  /** `dir`: use (and keep) that data directory instead of a fresh one. */
  static async start(settings: Readonly<Record<string, string>> = {}, dir?: string): Promise<TestNode> {
    const home = dir ?? mkdtempSync(join(tmpdir(), "baomq-api-"));
    // Not the one below where the tests run: it can be written.
    const acl = join(home, "acl.conf");
    if (!existsSync(acl)) writeFileSync(acl, DEFAULT_ACL);
    const file = join(home, "emqx.conf");
    writeFileSync(file, `acl_file = ${acl}\n`);
    const own = { "log.dir": join(home, "log"), "plugins.expand_plugins_dir": "" };
    const flags = new Map(Object.entries({ ...QUIET, ...own, ...settings }));
    const config = loadConfig({ tables: pluginTables, file, env: {}, flags });
    const log = openLog(logOptions(config));
    return new TestNode(await startNode({ config, log, dataDir: join(home, "data") }), home, log, dir === undefined);
  }

  async stop(): Promise<void> {
    for (const c of this.#clients) c.end(true);
    await this.node.stop();
    this.log.close();
    if (this.owned) rmSync(this.dir, { recursive: true, force: true });
  }

  get socket(): string {
    return join(this.dir, "data", "ctl.sock");
  }

  port(as: "app" | "user"): number {
    const name = as === "app" ? "http:management" : "http:dashboard";
    return Number(this.node.http.list().find((l) => l.protocol === name)?.listen_on);
  }

  mqttPort(protocol = "mqtt:tcp"): number {
    return this.node.listeners.list().find((l) => l.protocol === protocol && l.name === "external")?.port ?? 0;
  }

  url(path: string, as: "app" | "user" = "app"): string {
    return `http://127.0.0.1:${this.port(as)}${path}`;
  }

  /** `path` below `/api/v3` unless it begins with a double bang: `!!/status`. */
  async ask(method: string, path: string, { as = "app", authorization, body, raw, headers = {} }: Ask = {}): Promise<Answer> {
    const own = as === "app" ? basic(APP.id, APP.secret) : as === "user" ? basic(ADMIN.login, ADMIN.password) : null;
    const auth = authorization === undefined ? own : authorization;
    const where = path.startsWith("!!") ? path.slice(2) : `/api/v3${path}`;
    const response = await fetch(as === "ctl" ? `http://localhost${where}` : this.url(where, as), {
      method,
      headers: { ...(auth !== null && { authorization: auth }), ...headers },
      ...(as === "ctl" && { unix: this.socket }),
      ...(raw !== undefined ? { body: raw } : body !== undefined ? { body: JSON.stringify(body) } : {}),
    } as RequestInit);
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
  }

  /** `data` of a successful answer. */
  async data<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
    const { json, text, status } = await this.ask(method, path, ask);
    if (json?.code !== 0) throw new Error(`${method} ${path}: ${status} ${text}`);
    return json.data as T;
  }

  get<T>(path: string, ask: Ask = {}): Promise<T> {
    return this.data<T>("GET", path, ask);
  }

  /** Connected when it resolves. */
  async mqtt(clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
    const client = mqtt.connect(`mqtt://127.0.0.1:${this.mqttPort()}`, { clientId, reconnectPeriod: 0, ...options });
    this.#clients.push(client);
    await new Promise<void>((resolve, reject) => {
      client.once("connect", () => resolve());
      client.once("error", reject);
    });
    client.on("error", () => {});
    return client;
  }
}

/** Resolves with the client's close. */
export function closed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once("close", () => resolve()));
}

export interface Received {
  topic: string;
  payload: Buffer;
  qos: number;
  retain: boolean;
}

/** The next message. */
export function nextMessage(client: MqttClient): Promise<Received> {
  return new Promise((resolve) => client.once("message", (topic, payload, p) => resolve({ topic, payload, qos: p.qos, retain: p.retain })));
}
