/**
 * What a plugin is: a manifest. The config table types `ctx.config`; a misspelt key or hook point does not compile;
 * everything registered through the context is taken back when the plugin is unloaded. See plugin_template for a worked example.
 */
import type { HttpServerConfig } from "../config/types.ts";
import type { HookFilter, HookPoint, HookPoints } from "../core/hooks.ts";
import type { Message } from "../core/message.ts";
import type { Clock, KvStore, Log, Store } from "../core/ports.ts";
import type { AclVerdict, Action, ClientInfo, SubscribeOptions } from "../core/types.ts";
import type { AlarmDetails } from "../core/watch/alarms.ts";
import type { ConfigTable, ValueOf, ValuesOf } from "../lib/config_entry.ts";
import type { MetricFamily } from "../lib/metric_family.ts";
import type { QoS } from "../mqtt/types.ts";
import type { ActionKinds, Kinds } from "./actions.ts";
import type { PluginReport, TestRequest, TestStep } from "./reports.ts";
import type { OnErrorOf } from "./rows.ts";
import type { PluginServices, Reloaded } from "./services.ts";

export type * from "./actions.ts";
export type * from "./reports.ts";
export type * from "./services.ts";
export type { ConfigTable, ValueOf, ValuesOf };

// biome-ignore lint/suspicious/noConfusingVoidType: it is the return type of `start`
type ServiceOf<N extends string> = N extends keyof PluginServices ? PluginServices[N] : void;

export interface PluginManifest<N extends string, C extends ConfigTable> {
  /** Wire name, e.g. "emqx_retainer". */
  readonly name: N;
  /** As the EMQ X 3.1 API document prints it. */
  readonly description: string;
  /** As the API shows it, e.g. "v3.1.0". */
  readonly version: string;
  /** Cannot be unloaded, e.g. because it serves the very API that would unload it. */
  readonly required?: boolean;
  /** It keeps strangers out: where it is to run and does not start, the node does not either. */
  readonly guards?: boolean;
  /** What its setting `on_error` (or `on_failure`) = ignore leaves to the next one of the access chain: all questions, or those about topics alone. */
  readonly onErrorOf?: OnErrorOf;
  /** Running at the first start; later the last explicit load or unload decides. */
  readonly activeByDefault: boolean;
  /** All its settings are taken over while it runs, by `ctx.changed`: it is never stopped for a change, so that nobody gets by it meanwhile. */
  readonly inPlace?: boolean;
  /** It makes something of what others `offer`, and ends before them when the node stops. */
  readonly usesKinds?: boolean;
  readonly config: C;
  /** Keys that `PUT /configs/:app` sets while the plugin runs, with their type's name as 3.1 shows it. */
  readonly liveKeys?: { readonly [K in keyof C & string]?: string };
  /** Start; what is returned is the typed door for the admin layer. A throw leaves the plugin inactive with the error shown. */
  start(ctx: PluginContext<C>): ServiceOf<N> | Promise<ServiceOf<N>>;
  /** Try these settings, which are nobody's yet, and end it again. Tells what was done, step by step, whatever came of it. */
  test?(ctx: TestContext<C>, request: TestRequest): Promise<TestStep[]>;
}

/** A plugin whose types are forgotten: what the manager handles. */
export interface AnyPlugin {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly required?: boolean;
  readonly guards?: boolean;
  readonly onErrorOf?: OnErrorOf;
  readonly inPlace?: boolean;
  readonly usesKinds?: boolean;
  readonly activeByDefault: boolean;
  readonly config: ConfigTable;
  readonly liveKeys?: Readonly<Record<string, string>>;
  start(ctx: PluginContext<ConfigTable>): unknown;
  test?(ctx: TestContext<ConfigTable>, request: TestRequest): Promise<TestStep[]>;
}

export function definePlugin<const N extends string, const C extends ConfigTable>(manifest: PluginManifest<N, C>): AnyPlugin {
  return manifest as unknown as AnyPlugin;
}

/** Higher priority runs first; default 0. */
export interface HookOptions extends HookFilter {
  priority?: number;
}

export interface Settings<C extends ConfigTable = ConfigTable> {
  /** One object as long as the plugin runs: a live change is seen at the next read. */
  readonly config: ValuesOf<C>;
  /** Values of a key with a `$name` part: what stands for the part -> value, in order of the keys. */
  many<K extends keyof C & string>(key: K): ReadonlyMap<string, ValueOf<C[K]>>;
}

/** What a plugin's `test` has of the node: nothing that anybody else would notice. */
export interface TestContext<C extends ConfigTable = ConfigTable> extends Settings<C> {
  readonly clock: Clock;
  /** The plain key's value is the one in force, not one that is only tried. */
  isSaved(key: string): boolean;
  /** A client as the test's request describes it. */
  client(request: TestRequest): ClientInfo;
}

export interface PluginContext<C extends ConfigTable = ConfigTable> extends Settings<C> {
  readonly name: string;
  readonly store: Store;
  /** The plugin's own key-value table, kept on disk. */
  readonly kv: KvStore;
  readonly log: Log;
  readonly clock: Clock;
  readonly broker: PluginBroker;
  readonly host: Host;
  /** Directory of the node's data; it exists. */
  readonly dataDir: string;
  /** Hang on a hook point; taken back on unload, or by what is returned. */
  hook<P extends HookPoint>(point: P, fn: HookPoints[P], options?: HookOptions): () => void;
  /** What rules can do while this plugin runs. @throws Error when a name is taken */
  offer(kinds: Kinds): void;
  /** What all plugins that run offer to rules. */
  readonly kinds: ActionKinds;
  /** Timers that end with the plugin (coarse, 100 ms). Return cancel. */
  after(ms: number, fn: () => void): () => void;
  every(ms: number, fn: () => void): () => void;
  /** Live keys were set: called when `config` has them. A throw refuses them: it goes on with those of before. */
  changed(fn: (keys: readonly string[]) => void): void;
  /** Raise an alarm `<plugin>_<what>`, or clear it (null); it is cleared when the plugin is unloaded. */
  alarm(what: string, desc: AlarmDetails | null): void;
  /** What is shown of the plugin beside its name and settings: asked whenever somebody looks. */
  report(fn: () => PluginReport): void;
  /** Run when the plugin is unloaded or the node stops; last registered first. */
  closing(fn: () => void | Promise<void>): void;
}

/** A session as plugins see it; the core's Session has more. `channel` is null while the client is away. */
export interface PluginSession {
  readonly clientId: string;
  readonly username: string | null;
  /** `sendPend`: bytes that wait for the client to read. */
  readonly channel: { readonly sendPend: number } | null;
  readonly mqueueLen: number;
  /** 0 = no limit. */
  readonly maxMqueue: number;
}

/** What plugins may use of the broker. Output and disk writes of what they do leave in the same turn or the next one. */
export interface PluginBroker {
  readonly nodeName: string;
  /** Publish as the broker: hooks, retained messages and routing as for any client. Returns the number of receivers. */
  publish(message: Message): number;
  /** Deliver to one session, with the retain flag as given. */
  deliverTo(session: PluginSession, message: Message, options: SubscribeOptions, retain: boolean): void;
  session(clientId: string): PluginSession | undefined;
  /** What is known of a client that is connected. */
  client(clientId: string): ClientInfo | undefined;
  readonly sessionCount: number;
  readonly connections: number;
  /** Those who are connected; it goes on over changes, and shows whoever is there when it comes to them. */
  clients(): Iterator<ClientInfo>;
  /** Goes up when kept verdicts are void. */
  readonly aclEpoch: number;
  /** Bytes of the largest packet that a zone takes from its clients; infinite = as large as MQTT has them. */
  readonly largestPacket: number;
  /** There is a zone that lets in whom nobody knows (`allow_anonymous`). */
  readonly allowsAnonymous: boolean;
  /** Rules have changed: kept verdicts are void. */
  aclChanged(): void;
  /** End this very connection of the client's: its right to it has run out (MQTT 5: 0xA0). False = it is gone already. */
  disconnect(client: ClientInfo, reason: string): boolean;
  /** Raise an alarm, or clear it (null). Prefer `ctx.alarm`, which ends with the plugin. */
  alarm(id: string, desc: AlarmDetails | null): void;
  /** The whole ACL chain of a client, e.g. for a topic hidden in another one. */
  checkAcl(client: ClientInfo, action: Action, topic: string): AclVerdict | Promise<AclVerdict>;
  /** Handlers of every hook point, for diagnosis. */
  hookHandlers(): { point: HookPoint; handler: string; failures: number }[];
  /** In a later turn of the event loop: the connections get theirs first. */
  soon(fn: () => void): void;
  /** Coarse timers (100 ms). Return cancel. Prefer `ctx.after`, which ends with the plugin. */
  after(ms: number, fn: () => void): () => void;
  every(ms: number, fn: () => void): () => void;
  /** Add to a counter of the plugin's own, e.g. "delayed/published". */
  count(name: string, by?: number): void;
  /** Who knows the number of retained messages and the bytes they take; null = nobody, there are none. */
  setRetained(figures: { count(): number; bytes(): number } | null): void;
  /** Bytes of messages that wait in the plugin, counted with those in queues. Returns the function that takes it back. */
  countWaiting(bytes: () => number): () => void;
  /** The node is above `node.memory_high_watermark`: nothing new is kept. */
  readonly memoryShort: boolean;
  /** The disk fails, and as much waits for it as may (`storage.pending_limit`): nothing more is to be stored. */
  readonly storageFull: boolean;
  /** The disk fails: what is stored waits in memory until it works again, and is lost if the process ends before. */
  readonly storageFailed: boolean;
}

/** What the program that embeds the broker offers to plugins that stand for a part of it. */
export interface Host {
  readonly http: {
    /** Open the HTTP listeners of the management API or the dashboard. Rejects when a port cannot be opened, naming it. */
    start(config: HttpServerConfig): void | Promise<void>;
    stop(which: HttpServerConfig["which"]): void | Promise<void>;
  };
  /**
   * Re-read changed configuration files and certificates. What fails is logged here. `isAsked`: somebody waits for the answer, so what a plugin
   * has refused is tried again. May be called while another one is under way. It waits until no plugin is between stop and start: whoever awaits
   * it in its own start or closing waits for ever.
   */
  reload(isAsked: boolean): Reloaded | Promise<Reloaded>;
  /** Every figure of the node, as `GET /prometheus/metrics` has them. */
  figures(): readonly MetricFamily[];
}

/** A copy that may be kept for long: it holds on to no input buffer. */
export function ownCopy(m: Message, change: { topic?: string; qos?: QoS; retain?: boolean } = {}): Message {
  const copy = m.with({ ...change, payload: new Uint8Array(m.payload) });
  if (m.properties !== null) {
    const { topicAlias: _alias, subscriptionIds: _ids, correlationData, ...rest } = m.properties;
    copy.properties = { ...rest, ...(correlationData && { correlationData: new Uint8Array(correlationData) }) };
  }
  return copy;
}
