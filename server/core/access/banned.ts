/**
 * Who is kept out: by client id, user name, IP address or range, for ever or until a time. Looked at when a client connects
 * (zone setting `enable_ban`). A ban that has run out counts at once as gone; the record itself is swept away later.
 */

import { type Cidr, cidrContains, formatIp, parseCidr, parseIp } from "../../lib/cidr.ts";
import { seldomOf } from "../../lib/seldom.ts";
import type { BannedRow, BannedStore, Clock } from "../ports.ts";
import type { ClientInfo } from "../types.ts";

export type BannedKind = BannedRow["as"];
export const BANNED_KINDS: readonly BannedKind[] = ["client_id", "username", "ip_address"];

/** The part of a client that bans look at. */
export type BanSubject = Pick<ClientInfo, "clientId" | "username" | "ip">;

interface Range {
  readonly cidr: Cidr;
  readonly row: BannedRow;
}

export class Banned {
  /** By kind and name, in order of their first adding. */
  private readonly rows = new Map<string, BannedRow>();
  /** Address ranges by the same key: few, compared one by one. */
  private readonly ranges = new Map<string, Range>();
  /** Unix s of the next record that runs out. */
  private nextEnd = Number.POSITIVE_INFINITY;

  constructor(
    private readonly store: BannedStore,
    private readonly clock: Clock,
  ) {
    for (const row of store.load()) this.keep(row);
  }

  /** Add, or replace the record of the same kind and name. Throws `RangeError` when an address is none (see `canonicalName`). */
  add(row: BannedRow): void {
    const who = canonicalName(row.as, row.who);
    if (who === null) throw new RangeError(`not an IP address or range: ${row.who}`);
    const kept = { ...row, who };
    this.keep(kept);
    this.store.put(kept);
  }

  /** False = there was none in force. */
  remove(as: BannedKind, who: string): boolean {
    const name = canonicalName(as, who);
    const row = name === null ? undefined : this.rows.get(key(as, name));
    if (!row) return false;
    this.forget(row);
    return !this.over(row);
  }

  get(as: BannedKind, who: string): BannedRow | undefined {
    const name = canonicalName(as, who);
    const row = name === null ? undefined : this.rows.get(key(as, name));
    return row && !this.over(row) ? row : undefined;
  }

  /** Records in force, in order of their first adding. */
  list(): BannedRow[] {
    return [...this.rows.values()].filter((row) => !this.over(row));
  }

  get size(): number {
    this.sweep();
    return this.rows.size;
  }

  /** The ban that keeps this client out; null = none. */
  check(client: BanSubject): BannedRow | null {
    if (this.rows.size === 0) return null;
    return this.get("client_id", client.clientId) ?? this.byUsername(client) ?? this.byAddress(client) ?? null;
  }

  /** Would this record keep that client out? For closing connections right after a ban. */
  matches(row: BannedRow, client: BanSubject): boolean {
    if (this.over(row)) return false;
    if (row.as === "client_id") return row.who === client.clientId;
    if (row.as === "username") return row.who === client.username;
    const range = parseCidr(row.who);
    const ip = parseIp(client.ip);
    return range !== null && ip !== null && cidrContains(range, ip);
  }

  /** Delete the records that have run out; returns how many. Call at ticks: it costs nothing while none is due. */
  sweep(): number {
    if (this.now() < this.nextEnd) return 0;
    let swept = 0;
    this.nextEnd = Number.POSITIVE_INFINITY;
    for (const row of this.rows.values()) {
      if (this.over(row)) {
        this.forget(row);
        swept++;
      } else this.nextEnd = Math.min(this.nextEnd, row.until ?? Number.POSITIVE_INFINITY);
    }
    return swept;
  }

  private byUsername(client: BanSubject): BannedRow | undefined {
    return client.username === null ? undefined : this.get("username", client.username);
  }

  private byAddress(client: BanSubject): BannedRow | undefined {
    const exact = this.get("ip_address", client.ip);
    if (exact || this.ranges.size === 0) return exact;
    const ip = parseIp(client.ip);
    if (!ip) return undefined;
    for (const r of this.ranges.values()) if (cidrContains(r.cidr, ip) && !this.over(r.row)) return r.row;
    return undefined;
  }

  private keep(row: BannedRow): void {
    const k = key(row.as, row.who);
    this.rows.set(k, row);
    this.nextEnd = Math.min(this.nextEnd, row.until ?? Number.POSITIVE_INFINITY);
    const cidr = row.as === "ip_address" ? parseCidr(row.who) : null;
    if (cidr && !cidr.single) this.ranges.set(k, { cidr, row });
  }

  private forget(row: BannedRow): void {
    const k = key(row.as, row.who);
    this.rows.delete(k);
    this.ranges.delete(k);
    this.store.delete(row.as, row.who);
  }

  private over(row: BannedRow): boolean {
    return row.until !== null && row.until <= this.now();
  }

  /** Unix s. */
  private now(): number {
    return this.clock.now() / 1000;
  }
}

/** The one spelling under which a name is kept; null = `who` is no IP address or range. Names and client ids are kept as they are. */
export function canonicalName(as: BannedKind, who: string): string | null {
  if (as !== "ip_address") return who;
  if (who.includes("/")) return parseCidr(who)?.text ?? null;
  const ip = parseIp(who);
  return ip && formatIp(ip);
}

function key(as: BannedKind, who: string): string {
  return `${as}\n${who}`;
}

seldomOf(Banned, "check");
