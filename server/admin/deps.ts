/** What the admin layer works on, and the two things it asks of the process it runs in. */
import type { AclRule } from "../core/access/acl_file.ts";
import type { Broker } from "../core/broker.ts";
import type { Log } from "../core/ports.ts";
import type { Stats } from "../core/watch/stats.ts";
import type { Tracer, TraceSink } from "../core/watch/tracer.ts";
import type { Fitting } from "../plugins/_auth/fitting.ts";
import type { Code } from "./codes.ts";
import type { SettingsPorts } from "./config_view.ts";
import type { PluginsView } from "./plugins_view.ts";
import type { Listener } from "./rows.ts";

/** A command's refusal, as the API shows it: `{code, message}`. Codes: codes.ts; words many have in common: refusals.ts. */
export class AdminError extends Error {
  override readonly name = "AdminError";
  constructor(
    readonly code: Exclude<Code, 0>,
    message: string,
  ) {
    super(message);
  }
}

/** A secret that nobody has typed again would be sent to another server than the one it was given for. */
export class SecretAstray extends AdminError {}

/** The MQTT listeners, as far as this layer goes. */
export interface MqttListeners {
  list(): readonly {
    readonly protocol: string;
    readonly name: string;
    readonly listenOn: string;
    readonly port: number;
    readonly running: boolean;
    readonly acceptors: number;
    readonly maxConns: number;
    readonly currentConns: number;
    readonly shutdownCount: ReadonlyMap<string, number>;
  }[];
  /** By protocol and name, which no two have in common. false = there is none, or it does not run. */
  stopOne(protocol: string, name: string): boolean;
  /** false = there is none, or it runs. Rejects when the port cannot be opened. */
  startOne(protocol: string, name: string): Promise<boolean>;
}

/** The listeners of the API itself: one for each protocol. */
export interface HttpListeners {
  list(): Listener[];
  stopOne(protocol: string, port: number): boolean;
  startOne(protocol: string, port: number): Promise<boolean>;
}

/** The process and its machine; implemented in machine/, because what it takes (Bun, node:os) is not for the admin layer. */
export interface System {
  /** "1.4.5" */
  readonly runtimeVersion: string;
  readonly cores: number;
  /** 1, 5 and 15 minutes. */
  load(): readonly [number, number, number];
  /** Bytes. */
  memory(): { rss: number; heapUsed: number; heapTotal: number; external: number; osTotal: number; osFree: number };
  /** Soft limit of open files. */
  readonly maxFds: number;
  /** Microseconds of CPU the process has used. */
  cpu(): number;
  /** Share of all cores of the machine in use since the last call, 0 to 100; null = no time has passed that could be measured. */
  machineCpu(): number | null;
  /** `n` random letters and digits. */
  secret(n: number): string;
  /** Few at a time: both reject with QueueFull when too many wait already. */
  hashPassword(password: string): Promise<string>;
  verifyPassword(password: string, hash: string): Promise<boolean>;
  /** Keyed hash, the key lives as long as the process: equal texts have equal digests, comparing them tells nothing about the texts. */
  digest(text: string): string;
}

/** Levels and traces of the log; absent where the program offers none. */
export interface LogControl {
  readonly levels: readonly string[];
  level(): string;
  setLevel(level: string): void;
  handlers(): { id: string; level: string; destination: string }[];
  /** false = no such handler. */
  setHandlerLevel(id: string, level: string): boolean;
}

/** Traces to files; absent where the program offers none. */
export interface TraceControl {
  readonly tracer: Tracer;
  /** A file in the log directory. @throws Error, in words, when it lies elsewhere or is not the file of a trace */
  open(file: string): TraceSink;
}

export interface AdminDeps {
  broker: Broker;
  stats: Stats;
  plugins: PluginsView;
  settings: SettingsPorts;
  listeners: MqttListeners;
  system: System;
  log: Log;
  /** Of the product itself, beside the version of EMQ X it stands in for. */
  product: { name: string; version: string };
  logControl?: LogControl;
  traces?: TraceControl;
  /** Empty the ACL caches and read acl.conf again. */
  reloadAcl?: () => void;
  /** The rules in force. */
  aclRules?: () => readonly AclRule[];
  /** Absent where there is no such file. */
  aclFile?: AclFilePort;
  /** Which settings of `password_hash` fit what stands in a table. null = too many are being tried. */
  fittingKinds?: (asked: { stored: string; salt: string; password: string; iterations: number | null }) => Promise<Fitting | null>;
}

/** The file of access rules. */
export interface AclFilePort {
  /** `exists`: false = the built-in rules are in force, and shown. `former`: what it was before it was replaced; null = it never was. */
  read(): { path: string; text: string; exists: boolean; former: string | null };
  /** At once in force. @throws TermError when these are no rules, Error of the file system */
  write(text: string): void;
}
