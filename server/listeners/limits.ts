/** Who may connect, how many, how fast. */

import { type Cidr, cidrContains, parseCidr, parseIp } from "../lib/cidr.ts";
import { seldom } from "../lib/seldom.ts";
import { openFileLimit } from "../machine/open_files.ts";

/**
 * Connections of all listeners together. Bun spins at the limit of open files instead of waiting, so the last descriptors are
 * never handed out: they are for the store, the API and the log.
 */
export class ConnectionBudget {
  open = 0;
  constructor(readonly max: number) {}

  static forThisProcess(): ConnectionBudget {
    const limit = openFileLimit();
    return new ConnectionBudget(limit - reserveOf(limit));
  }
}

/** Descriptors kept back: an eighth, 32 to 1024. */
export function reserveOf(limit: number): number {
  return Number.isFinite(limit) ? Math.min(1024, Math.max(32, Math.floor(limit / 8))) : 0;
}

/** Token bucket over time given by the caller in ms: `rate` per second, at most `burst` saved up. */
export class Bucket {
  tokens: number;
  #at: number;

  constructor(
    readonly rate: number,
    readonly burst: number,
    now: number,
  ) {
    this.tokens = burst;
    this.#at = now;
  }

  #refill(now: number): void {
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.#at) * this.rate) / 1000);
    this.#at = now;
  }

  /** Take `n` if they are there. */
  take(n: number, now: number): boolean {
    this.#refill(now);
    if (this.tokens < n) return false;
    this.tokens -= n;
    return true;
  }

  /** Take `n` that were used already, into debt if need be. Returns the ms until the debt is paid; 0 = none. */
  spend(n: number, now: number): number {
    this.#refill(now);
    this.tokens -= n;
    return this.tokens >= 0 ? 0 : Math.ceil((-this.tokens / this.rate) * 1000);
  }
}

export type AccessCheck = (ip: string) => boolean;

/**
 * Rules in their order; the first that matches decides, none matching = allow (EMQ X 3.1). null = everybody may connect.
 * Throws with the text of a rule that is no address range.
 */
export function compileAccess(rules: readonly { allow: boolean; cidr: string }[]): AccessCheck | null {
  const list = rules.map((r) => ({ allow: r.allow, range: rangeOf(r.cidr) }));
  const first = list.findIndex((r) => r.range === null);
  const effective = first < 0 ? list : list.slice(0, first + 1);
  if (effective.every((r) => r.allow)) return null;
  return (ip) => {
    const bytes = parseIp(ip);
    const rule = effective.find((r) => r.range === null || (bytes !== null && cidrContains(r.range, bytes)));
    return rule?.allow ?? true;
  };
}

/** null = all. */
function rangeOf(text: string): Cidr | null {
  if (text === "all") return null;
  const range = parseCidr(text);
  if (range === null) throw new Error(`"${text}" is neither an IP address, a range like 10.0.0.0/8, nor "all"`);
  return range;
}

/** IPv4-mapped IPv6 addresses (dual-stack listeners) are shown as IPv4. "" = none: a peer that has reset already has no address. */
export function plainIp(ip: string | undefined): string {
  if (ip === undefined) return "";
  return ip.startsWith("::ffff:") && ip.includes(".") ? ip.slice(7) : ip;
}

seldom(plainIp);
