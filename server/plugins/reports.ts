/** What plugins tell of themselves, and what a test of their settings asks and answers. */
import type { AskedOutside } from "../core/access/trace.ts";
import type { Counts, Quantiles } from "./_backend/figures.ts";

/** `connecting`: nothing is known yet. `degraded`: it answers, with errors or too late. */
export type ServerState = "connecting" | "up" | "degraded" | "down";

/** What waits to be sent to a server, and what became of what did. */
export interface QueueReport {
  /** In memory and on the disk. */
  rows: number;
  /** In memory. */
  bytes: number;
  diskBytes: number;
  /** Rows, ever: taken there; no room for them; given up, and how many of those are kept. */
  sent: number;
  dropped: number;
  gaveUp: number;
  letters: number;
  /** Bytes that a kill had left half-written. */
  torn: number;
  /** Why the disk takes nothing; null = it does, or is not used. */
  diskError: string | null;
}

/** A server outside that the plugin asks: calls so far by what came of them, times of the last 1,024 answers. */
export interface ServerReport extends Counts, Quantiles {
  /** Without secrets: "PostgreSQL at 127.0.0.1:5432". */
  what: string;
  state: ServerState;
  /** Unix ms. */
  since: number;
  lastError: string | null;
  /** Unix ms. */
  lastErrorAt: number | null;
  /** Calls that connections carry now, one each, and those that wait for one, or behind another on the same one. */
  running: number;
  waiting: number;
  /** Connections at most. */
  pool: number;
  /** Of one that is sent what it need not answer. Calls are then requests: `refused` are those that it will never take. */
  queue?: QueueReport;
}

/** Clients, by what the plugin said of them. `ignored`: not known there. */
export interface VerdictCounts {
  allowed: number;
  denied: number;
  ignored: number;
  /** Nobody could be asked. */
  errors: number;
}

export interface PluginReport {
  servers: ServerReport[];
  /** How many rows could not be delivered and are kept to be looked at; absent = it keeps none. */
  deadLetters?: number;
  authentication: VerdictCounts | null;
  acl: VerdictCounts | null;
}

export interface TestRequest {
  clientId: string;
  username: string | null;
  password: string | null;
  ip: string;
  /** Both or neither. */
  action: "publish" | "subscribe" | null;
  topic: string | null;
}

export interface TestStep {
  /** "settings", "connect", "authenticate" or "acl". */
  step: string;
  /** ignore = the plugin leaves it to the next one. */
  verdict: "ok" | "allow" | "deny" | "ignore" | "error";
  /** In words. */
  why: string;
  ms: number;
  /** What was asked, without passwords. */
  asked: AskedOutside[];
}
