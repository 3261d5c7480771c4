/**
 * What a plugin is: a manifest. The config table types `ctx.config`; a misspelt key or hook point does not compile;
 * everything registered through the context is taken back when the plugin is unloaded.
 */
import type { HookPoint, HookPoints } from "../core/hooks.ts";
import type { Message } from "../core/message.ts";
import type { Clock, KvStore, Log, Store } from "../core/ports.ts";
import type { SubscribeOptions } from "../core/types.ts";
import type { ConfigEntry } from "../lib/config_entry.ts";
import type { PluginServices } from "./services.ts";

export type { PluginServices } from "./services.ts";

/** Full key ("retainer.max_payload_size") -> how its text is read, its default and its documentation. */
export type ConfigTable = Readonly<Record<string, ConfigEntry<unknown>>>;
/** The values of a config table. One object as long as the plugin runs: a live change is seen at the next read. */
export type ConfigOf<C extends ConfigTable> = { readonly [K in keyof C]: C[K] extends ConfigEntry<infer T> ? T : never };

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
  /** Running at the first start; later the last explicit load or unload decides. */
  readonly activeByDefault: boolean;
  readonly config: C;
  /** Keys that EMQ X 3.1 does not ship in the plugin's configuration file: shown with an empty value until somebody sets them. */
  readonly optional?: readonly (keyof C & string)[];
  /** Keys that `PUT /configs/:app` may set while the plugin runs, with their type's name as 3.1 shows it. */
  readonly liveKeys?: { readonly [K in keyof C & string]?: string };
  /** Start; what is returned is the typed door for the admin layer. A throw leaves the plugin inactive with the error shown. */
  start(ctx: PluginContext<C>): ServiceOf<N> | Promise<ServiceOf<N>>;
}

/** A plugin whose types are forgotten: what the manager handles. */
export type AnyPlugin = Omit<PluginManifest<string, ConfigTable>, "start" | "liveKeys"> & {
  readonly liveKeys?: Readonly<Record<string, string>>;
  start(ctx: PluginContext<ConfigTable>): unknown;
};

export function definePlugin<const N extends string, const C extends ConfigTable>(manifest: PluginManifest<N, C>): AnyPlugin {
  return manifest as unknown as AnyPlugin;
}

/** Options of `ctx.hook`. Higher priority runs first; default 0. */
export interface HookOptions {
  priority?: number;
}

export interface PluginContext<C extends ConfigTable = ConfigTable> {
  readonly name: string;
  readonly config: ConfigOf<C>;
  readonly store: Store;
  /** The plugin's own key-value table, kept on disk. */
  readonly kv: KvStore;
  readonly log: Log;
  readonly clock: Clock;
  readonly broker: PluginBroker;
  readonly host: Host;
  /** Directory for the node's data; it exists. */
  readonly dataDir: string;
  /** Hang on a hook point; taken back on unload. */
  hook<P extends HookPoint>(point: P, fn: HookPoints[P], options?: HookOptions): void;
  /** Timers that end with the plugin (coarse, 100 ms). Returns cancel. */
  after(ms: number, fn: () => void): () => void;
  every(ms: number, fn: () => void): () => void;
  /** Run when the plugin is unloaded or the node stops; last registered first. */
  closing(fn: () => void | Promise<void>): void;
}

/** A session as plugins see it; the core's Session has more. `channel` is null while the client is away. */
export interface PluginSession {
  readonly clientId: string;
  readonly username: string | null;
  readonly channel: { readonly sendPend: number } | null;
  readonly mqueueLen: number;
  /** 0 = no limit. */
  readonly maxMqueue: number;
}

/** What plugins may use of the broker. */
export interface PluginBroker {
  readonly nodeName: string;
  /** Publish as the broker: hooks, retained messages and routing as for any client. Returns the number of receivers. */
  publish(message: Message): number;
  /** Deliver to one session, with the retain flag as given. */
  deliverTo(session: PluginSession, message: Message, options: SubscribeOptions, retain: boolean): void;
  session(clientId: string): PluginSession | undefined;
  readonly connections: number;
  /** Names and handlers of every hook point, for diagnosis. */
  hookHandlers(): { point: string; handler: string; failures: number }[];
  /** Next turn of the event loop, before which other connections get theirs; output is flushed after it. */
  soon(fn: () => void): void;
  /** Coarse timers (100 ms); output is flushed after each. Return cancel. Prefer `ctx.after`, which ends with the plugin. */
  after(ms: number, fn: () => void): () => void;
  every(ms: number, fn: () => void): () => void;
  /** Add to a counter of the plugin's own, e.g. "delayed/published". */
  count(name: string, by?: number): void;
}

/** What the program that embeds the broker offers to plugins that stand for a part of it. */
export interface Host {
  readonly http: {
    /** Open the HTTP listeners of the management API or the dashboard. Rejects when a port cannot be opened, naming it. */
    start(which: "management", settings: ManagementSettings): void | Promise<void>;
    start(which: "dashboard", settings: DashboardSettings): void | Promise<void>;
    stop(which: "management" | "dashboard"): void | Promise<void>;
  };
  /** Re-read changed configuration files and certificates; tells what was reloaded, in words. */
  reload(): string[] | Promise<string[]>;
}

export interface HttpListenerSettings {
  /** Where it listens. */
  host: string;
  port: number;
  maxClients: number;
  backlog: number;
  sendTimeoutMs: number;
  /** null = plain HTTP. */
  tls: HttpTlsSettings | null;
}
export interface HttpTlsSettings {
  /** Empty = the generated self-signed pair. */
  keyfile: string;
  certfile: string;
  cacertfile: string;
  verifyPeer: boolean;
  failIfNoPeerCert: boolean;
  versions: string[];
  ciphers: string;
}
export interface ManagementSettings {
  listeners: HttpListenerSettings[];
  maxRowLimit: number;
  /** Secret of applications created without one; "" = a random one each. */
  defaultSecret: string;
  /** Application made at start when it does not exist; null = none. */
  defaultApplication: { id: string; secret: string } | null;
}
export interface DashboardSettings {
  listeners: HttpListenerSettings[];
  defaultUser: { login: string; password: string };
}
