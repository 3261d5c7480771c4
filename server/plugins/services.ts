/** The typed doors through which the admin layer (REST, command line, dashboard) talks to running plugins. */
import type { Message } from "../core/message.ts";
import type { DeadLetters } from "./actions.ts";
import type { RuleEngineService } from "./rules.ts";

export interface PluginServices {
  emqx_retainer: RetainerService;
  emqx_auth_username: AccountService;
  emqx_auth_clientid: AccountService;
  emqx_delayed_publish: DelayedService;
  emqx_recon: ReconService;
  emqx_reloader: ReloaderService;
  emqx_lua_hook: ScriptsService;
  emqx_web_hook: WebHookService;
  emqx_rule_engine: RuleEngineService;
}
export type ServiceName = keyof PluginServices;

/** Long work leaves others their turn. */
export interface Pauses {
  /** Asked for each item; true = time for `rest`. */
  due(): boolean;
  rest(): Promise<void>;
}

export interface RetainerService {
  /** Retained messages now, those of $SYS included. */
  readonly count: number;
  /** Highest count since the start. */
  readonly max: number;
  /** Counts the storings. */
  readonly seq: number;
  /**
   * What a topic filter selects (none = everything), in order of storing, to be walked with rests: each topic once, what is retained for the
   * first time meanwhile left out; with `until` also what was stored after that many storings. A null is no message but a moment to look
   * at the clock: what does not fit takes its time too.
   */
  messages(filter?: string, until?: number): Iterable<Message | null>;
  get(topic: string): Message | undefined;
  /** false = there was none. */
  delete(topic: string): boolean;
  /** Delete everything a topic filter matches, but not what is retained from now on; returns how many. */
  deleteMatching(filter: string, pauses: Pauses): Promise<number>;
  /** Returns how many there were. */
  clear(): number;
}

export type AccountResult = "ok" | "existed" | "not_found";

/** Names with passwords; only hashes are kept. */
export interface AccountService {
  list(): string[];
  /** The hash itself is never given away. */
  get(name: string): { name: string; kind: string } | undefined;
  add(name: string, password: string): Promise<AccountResult>;
  update(name: string, password: string): Promise<AccountResult>;
  /** false = there was none. */
  remove(name: string): boolean;
}

export interface DelayedRowView {
  id: number;
  /** Unix ms. */
  dueAt: number;
  message: Message;
}
export interface DelayedService {
  readonly count: number;
  /** Held in memory, cancelled ones that have not left it yet included. */
  readonly held: number;
  /** In order of arrival; goes on while they come and go. */
  list(): Iterable<DelayedRowView>;
  /** false = no such id. */
  cancel(id: number): boolean;
  /** Publish now instead of later; false = no such id. */
  sendNow(id: number): boolean;
}

/** Names and figures as `recon` prints them; sizes in bytes. */
export type ReconRows = [name: string, value: number | string][];

export interface ReconService {
  /** `recon memory`. */
  memory(): ReconRows;
  /** `recon allocated`: live objects on the heap by type, most first. */
  allocated(): ReconRows;
  /** `recon node_stats`: event loop delay, throughput of the heap, hook handlers. */
  nodeStats(): ReconRows;
  /** `recon bin_leak`: bytes that a collection frees, by kind of memory. */
  binLeak(): ReconRows;
  /** Collect now; returns the freed bytes of the heap. */
  gc(): number;
  /** Write a heap snapshot for a browser's memory tool to a new file in the data directory; returns its size in bytes. */
  heapSnapshot(path: string): Promise<number>;
}

/** What came of reading files again, in words. */
export interface Reloaded {
  /** What is in force now, and lines that are others now but not in force. [] = nothing had changed. */
  done: string[];
  /** What stays as it was, or would keep the node from starting, and why. */
  failed: string[];
}

export interface ReloaderService {
  reloadNow(): Promise<Reloaded>;
}

export interface ScriptRowView {
  /** Of its file, without ".x". */
  name: string;
  language: "lua" | "javascript" | "typescript";
  /** `running` with an error: a former version runs, since the file cannot be loaded. */
  state: "loading" | "running" | "failed" | "stopped" | "unloaded" | "disabled";
  /** Why its file cannot be loaded, or why it was stopped. */
  error: string | null;
  /** When it is loaded again by itself, since it was too slow to be loaded or could not be read: Unix ms; null = it is not. */
  retryAt: number | null;
  /** Unix ms. */
  loadedAt: number | null;
  callbacks: readonly { name: string; calls: number; errors: number }[];
  /** Calls that took more than they may. */
  overruns: number;
  /** Calls that were not made, while it was started again or did not run, or too many waited. */
  skipped: number;
  restarts: number;
  /** Ms of the last 1,024 calls; null = there were none. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface ScriptErrorView {
  /** Unix ms. */
  at: number;
  /** null = while it was loaded, or not known. */
  callback: string | null;
  line: number | null;
  kind: "error" | "time" | "memory" | "load";
  message: string;
}

export type ScriptCommand = "load" | "unload" | "reload" | "enable" | "disable";

export interface ScriptsService {
  /** In the order in which they are asked. */
  list(): ScriptRowView[];
  /** The last 50, newest first; undefined = no such script. */
  errors(name: string): ScriptErrorView[] | undefined;
  /** Resolves with why it was not done; null = done. */
  command(command: ScriptCommand, name: string): Promise<string | null>;
}

export interface WebHookService {
  readonly deadLetters: DeadLetters;
}
