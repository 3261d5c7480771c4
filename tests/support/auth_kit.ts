/** A broker with one plugin that asks a server outside, as a user of EMQ X 3.1 has it: the plugin's own file, then `plugins load`. */
import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PluginStatus } from "../../server/admin/rows.ts";
import { plugins } from "../../server/plugins/index.ts";
import { connectPacket, RawClient, until } from "./clients.ts";
import { Installation, type RunningBroker } from "./executable.ts";
import { type ApiAnswer, Rest } from "./rest.ts";

interface Alarm {
  id: string;
  raised_at_ms: number;
}

/** `lines`: of a plugin's file, without the prefix of its keys. */
export interface PluginLines {
  plugin: string;
  prefix: string;
  lines: Record<string, string | number>;
}

/** With the lines of questions that EMQ X 3.1's file came with: what a file leaves out is not asked. */
function wholeLines({ plugin, prefix, lines }: PluginLines): Record<string, string> {
  const config = plugins.find((p) => p.name === plugin)?.config ?? {};
  const questions = Object.entries(config).flatMap(([key, entry]) =>
    entry.unset === null ? [] : [[key.slice(prefix.length + 1), entry.default] as const],
  );
  const all = { ...Object.fromEntries(questions), ...lines };
  return Object.fromEntries(Object.entries(all).map(([key, value]) => [key, String(value)]));
}

/** A secret of fewer characters may be in any line. */
const TELLING = 5;

/** Its functions may be taken out of it by name. */
export class AuthKit {
  #baomq: Installation | null = null;
  #broker: RunningBroker | null = null;
  readonly #rest = new Rest(() => this.broker);
  /** Of the plugin's file. */
  #lines: Record<string, string> = {};
  /** Further plugins that `start` loads, behind its own. */
  beside: readonly PluginLines[] = [];
  /** Whatever was the value of a secret setting. */
  readonly #given = new Set<string>();

  constructor(
    readonly plugin: string,
    /** Of its keys: "auth.pgsql". */
    readonly prefix: string,
    /** Settings that lead to nobody. */
    readonly nowhere: Record<string, string> = { server: "127.0.0.1:1" },
  ) {}

  get broker(): RunningBroker {
    if (this.#broker === null) throw new Error("start first");
    return this.#broker;
  }

  /**
   * `lines`: of the plugin's file, without the prefix; null = no plugin. `set`, `env`: of the broker. Resolves when the plugin's server, if it has one, is
   * up.
   */
  async start(
    lines: Record<string, string | number> | null,
    set: Record<string, string> = {},
    env: Record<string, string> = {},
  ): Promise<void> {
    await this.#run(this.#install(lines), set, env);
    if (lines === null) return;
    for (const plugin of [this.plugin, ...this.beside.map((b) => b.plugin)]) {
      await this.put(`plugins/${plugin}/load`);
      const { servers } = await this.statusOf(plugin);
      if (servers.length > 0) await this.isUp(plugin);
    }
  }

  /** As `start`, with the plugin in EMQ X 3.1's list of those that run: it starts with the node, whether or not its server is there. */
  async startWithNode(lines: Record<string, string | number>): Promise<void> {
    const baomq = this.#install(lines);
    mkdirSync(baomq.dataDir());
    const loaded = ["emqx_management", "emqx_dashboard", this.plugin];
    writeFileSync(join(baomq.dataDir(), "loaded_plugins"), loaded.map((name) => `${name}.\n`).join(""));
    await this.#run(baomq, {});
  }

  /** As `start`, with a file as somebody else has written it. */
  async startFrom(text: string): Promise<void> {
    const baomq = this.#install(null);
    mkdirSync(join(baomq.dir, "etc/plugins"), { recursive: true });
    writeFileSync(this.conf, text);
    const lines = text.split("\n").filter((line) => line.startsWith(`${this.prefix}.`));
    const pairs = lines.map((line) => [
      line.slice(this.prefix.length + 1, line.indexOf("=")).trim(),
      line.slice(line.indexOf("=") + 1).trim(),
    ]);
    this.#note(Object.fromEntries(pairs) as Record<string, string>);
    await this.#run(baomq, {});
    await this.put(`plugins/${this.plugin}/load`);
    const { servers } = await this.status();
    if (servers.length > 0) await this.isUp();
  }

  /** What a command of `ctl` prints. */
  async ctl(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = (await this.#baomq?.run(["ctl", ...words])) ?? { code: -1, stdout: "", stderr: "" };
    expect([code, stderr]).toEqual([0, ""]);
    return stdout;
  }

  #install(lines: Record<string, string | number> | null): Installation {
    const baomq = new Installation();
    this.#baomq = baomq;
    if (lines !== null) this.#write(join(baomq.dir, "etc/plugins"), lines);
    return baomq;
  }

  async #run(baomq: Installation, set: Record<string, string>, env: Record<string, string> = {}): Promise<void> {
    this.#broker = await baomq.start({
      set: { "listener.tcp.external.max_conn_rate": "0", "zone.external.auth_failure_limit": "off", "log.level": "debug", ...set },
      env,
    });
  }

  #write(dir: string, lines: Record<string, string | number>): void {
    mkdirSync(dir, { recursive: true });
    const own: PluginLines = { plugin: this.plugin, prefix: this.prefix, lines };
    this.#note(wholeLines(own));
    for (const each of [own, ...this.beside]) {
      const text = Object.entries(wholeLines(each)).map(([key, value]) => `${each.prefix}.${key} = ${value}\n`);
      writeFileSync(join(dir, `${each.plugin}.conf`), text.join(""));
    }
  }

  /** The plugin's file. */
  get conf(): string {
    return join(this.#baomq?.dir ?? "", `etc/plugins/${this.plugin}.conf`);
  }

  #note(lines: Record<string, string>): void {
    this.#lines = lines;
    for (const secret of Object.values(this.secrets)) this.#given.add(secret);
  }

  /** Those of its file: whoever leads it to another server has to give them again, for no masked one is sent there. */
  get secrets(): Record<string, string> {
    return this.#secretsIn(this.#lines);
  }

  /** Keys without the prefix. */
  #secretsIn(lines: Record<string, string>): Record<string, string> {
    const config = Object.entries(plugins.find((p) => p.name === this.plugin)?.config ?? {});
    const isSecret = (key: string): boolean =>
      config.some(
        ([name, { type }]) => type === "secret" && (name === key || (name.includes("$") && key.startsWith(name.replace(/\$.*/, "")))),
      );
    return Object.fromEntries(Object.entries(lines).filter(([key]) => isSecret(`${this.prefix}.${key}`)));
  }

  isUp = (plugin = this.plugin): Promise<void> => this.#is("up", plugin);
  isDown = (plugin = this.plugin): Promise<void> => this.#is("down", plugin);
  #is = (state: "up" | "down", plugin: string): Promise<void> =>
    until(async () => (await this.statusOf(plugin)).servers[0]?.state === state, `the server of ${plugin} is ${state}`);

  /** The broker ends well and begins anew on the same data; its log begins anew, too. */
  restart = async (): Promise<void> => {
    expect(await this.broker.stop()).toBe(0);
    this.#broker = await this.broker.restart();
  };

  /** The broker has ended well, and told nothing of these or of any secret setting, nor any error but such; it logs all that there is. */
  async stop(secrets: readonly string[], wanted?: RegExp): Promise<void> {
    const { broker } = this;
    // Of a client, too, and nobody's.
    const typed = "typed-by-nobody-else-5f1c";
    await this.code("u1", typed);
    const ended = await broker.stop();
    await this.#baomq?.remove();
    expect(ended).toBe(0);
    expect(broker.complaints.filter((line) => wanted?.test(line) !== true)).toEqual([]);
    const given = [...this.#given].filter(({ length }) => length >= TELLING);
    for (const secret of [...secrets, ...given, typed]) expect([secret, broker.log.includes(secret)]).toEqual([secret, false]);
  }

  #keyed(lines: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(lines).map(([key, value]) => [`${this.prefix}.${key}`, value]));
  }

  // ---- the API

  /** Of this node, unless `path` leads out of it. */
  api = <T>(method: string, path: string, body?: unknown): Promise<ApiAnswer<T>> =>
    this.#rest.answer<T>(method, `nodes/emqx@127.0.0.1/${path}`, body);
  put = async (path: string, body?: unknown): Promise<void> => void expect(await this.api("PUT", path, body)).toMatchObject({ code: 0 });
  status = (): Promise<PluginStatus> => this.statusOf(this.plugin);
  statusOf = async (plugin: string): Promise<PluginStatus> => {
    const { data } = await this.api<{ name: string; status: PluginStatus }[]>("GET", "plugins");
    return data.find((p) => p.name === plugin)?.status as PluginStatus;
  };
  set = (key: string, value: string): Promise<void> => this.put(`configs/${this.plugin}`, { key: `${this.prefix}.${key}`, value });
  /** All settings that are not empty. */
  settings = async (): Promise<Record<string, string>> => {
    const { data } = await this.api<{ key: string; value: string }[]>("GET", `plugin_configs/${this.plugin}`);
    return Object.fromEntries(data.filter((r) => r.value !== "").map((r) => [r.key, r.value]));
  };
  /** With these settings beside those that it has, `run`; then as before, secrets too, which `settings` shows masked. */
  withSettings = async (more: Record<string, string>, run: () => Promise<void>): Promise<void> => {
    const before = await this.settings();
    for (const secret of Object.values(this.#secretsIn(more))) this.#given.add(secret);
    await this.put(`plugin_configs/${this.plugin}`, { ...before, ...this.#keyed(more) });
    try {
      await run();
    } finally {
      await this.put(`plugin_configs/${this.plugin}`, { ...before, ...this.#keyed(this.#lines) });
    }
  };
  /** While nobody gets in who is not known, `run`. */
  withoutAnonymous = async (run: () => Promise<void>): Promise<void> => {
    const allow = (value: "true" | "false"): Promise<void> => this.put("../../settings", { "zone.external.allow_anonymous": value });
    await allow("false");
    try {
      await run();
    } finally {
      await allow("true");
    }
  };
  /** The plugin's test: each step and what came of it. */
  tried = async (body: object): Promise<string[]> => {
    const { data } = await this.api<{ step: string; verdict: string }[]>("POST", `plugins/${this.plugin}/test`, body);
    return data.map((s) => `${s.step} ${s.verdict}`);
  };
  /** The plugin's test with settings that are not saved: what it says of each step. */
  why = async (body: object, settings: Record<string, string>): Promise<string> => {
    const { data } = await this.api<{ step: string; why: string }[]>("POST", `plugins/${this.plugin}/test`, { ...body, settings });
    return data.map((s) => s.why).join("\n");
  };
  /** What explain says of the plugin: why it lets in or not, and why it allows or not. */
  reasons = async (body: object): Promise<string[]> => {
    type Steps = { step: string; why: string }[];
    const { data } = await this.api<{ authentication: { steps: Steps }; acl: { steps: Steps } | null }>("POST", "../../explain", {
      client_id: "c",
      ...body,
    });
    const all = [...data.authentication.steps, ...(data.acl?.steps ?? [])];
    return all.filter((s) => s.step === this.plugin).map((s) => s.why);
  };
  explained = async (body: object): Promise<string> => {
    const answer = await this.api("POST", "../../explain", body);
    return JSON.stringify(answer);
  };
  /** That its server is down, or that keys cannot be fetched, if it stands. */
  alarm = async (): Promise<Alarm | undefined> => (await this.#alarms("present"))[0];
  alarmed = async (): Promise<boolean> => (await this.alarm()) !== undefined;
  /** How often it has stood. */
  pastAlarms = async (): Promise<number> => (await this.#alarms("history")).length;
  async #alarms(which: "present" | "history"): Promise<Alarm[]> {
    const { data } = await this.api<{ alarms: Alarm[] }[]>("GET", `../../alarms/${which}/`);
    return (data[0]?.alarms ?? []).filter(({ id }) => ["down", "keys"].some((what) => id.startsWith(`${this.plugin}_${what}`)));
  }

  // ---- clients

  /** Connected, or the return code. */
  enter = async (
    username: string | null,
    password: string | Buffer | null,
    clientId = `c-${Math.random()}`,
  ): Promise<RawClient | number> => {
    const c = await RawClient.open(this.broker.ports.tcp);
    const who = { ...(username !== null && { username }), ...(password !== null && { password: Buffer.from(password) }) };
    c.send(connectPacket(4, clientId, who));
    const { returnCode } = await c.next("connack");
    if (returnCode === 0) return c;
    c.drop();
    return returnCode ?? -1;
  };
  /** Connected for sure. */
  client = async (username: string | null, password: string | null, clientId?: string): Promise<RawClient> => {
    const c = await this.enter(username, password, clientId);
    if (typeof c === "number") throw new Error(`refused: ${c}`);
    return c;
  };
  code = async (username: string | null, password: string | Buffer | null, clientId?: string): Promise<number> => {
    const c = await this.enter(username, password, clientId);
    if (typeof c === "number") return c;
    c.drop();
    return 0;
  };
  may = async (c: RawClient, topic: string): Promise<boolean> => {
    c.send({ cmd: "subscribe", messageId: 7, subscriptions: [{ topic, qos: 0 }] } as never);
    return (await c.next("suback")).granted[0] !== 0x80;
  };
  /** u1 as "dev" has these rules: everything below own/u1, in/# to hear, out/dev to speak; u0 may do everything. */
  ownRulesHold = async (): Promise<void> => {
    const dev = await this.client("u1", "p1", "dev");
    const asked: Record<string, boolean> = {};
    for (const topic of ["own/u1/x", "in/x", "out/dev", "own/u2/x", "else"]) asked[topic] = await this.may(dev, topic);
    expect(asked).toEqual({ "own/u1/x": true, "in/x": true, "out/dev": false, "own/u2/x": false, else: false });
    const listener = await this.client("u0", "p0");
    expect(await this.may(listener, "#")).toBe(true);
    expect(await this.firstLetThrough(dev, listener, ["in/x", "else", "out/dev"])).toBe("out/dev");
    dev.drop();
    listener.drop();
  };
  /** Publish to each of these, in order. Returns the topic that the listener is sent first. */
  firstLetThrough = async (c: RawClient, listener: RawClient, topics: readonly string[]): Promise<string> => {
    for (const [i, topic] of topics.entries()) {
      c.publish(topic, topic, 1, 10 + i);
      await c.next("puback");
    }
    return (await listener.next("publish")).topic;
  };
}
