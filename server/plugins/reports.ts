/** What plugins tell of themselves, and what a test of their settings asks and answers. */
import type { AskedOutside } from "../core/access/trace.ts";
import type { Counts, Quantiles } from "./_backend/figures.ts";

/** `connecting`: nothing is known yet. `degraded`: it answers, with errors or too late. */
export type ServerState = "connecting" | "up" | "degraded" | "down";

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
