/** Who is kept out. */
import { BANNED_KINDS, canonicalName } from "../core/access/banned.ts";
import type { BannedRow } from "../core/ports.ts";
import type { AdminDeps } from "./deps.ts";
import { FILTERS } from "./filters.ts";
import { fromIterable, type Listed, list, listQuery, type Query, type Table } from "./query.ts";
import { badValue, missing, notOneOf, optionalText } from "./refusals.ts";
import type { Banned, BannedAs } from "./rows.ts";
import { Slices } from "./slices.ts";
import { orUndefined } from "./text.ts";

const table: Table<BannedRow, Banned> = {
  fields: {
    who: (b) => b.who,
    as: (b) => b.as,
    reason: (b) => orUndefined(b.reason),
    desc: (b) => orUndefined(b.desc),
    by: (b) => orUndefined(b.by),
    until: (b) => b.until ?? "undefined",
  },
  ...FILTERS.banned,
};

/** Fields as received. */
export interface BannedParams {
  who?: unknown;
  as?: unknown;
  reason?: unknown;
  desc?: unknown;
  by?: unknown;
  until?: unknown;
  kick?: unknown;
}

function kindOf(value: unknown): BannedAs {
  const kind = BANNED_KINDS.find((k) => k === value);
  if (!kind) throw notOneOf("as", BANNED_KINDS);
  return kind;
}

function rowOf(params: BannedParams): BannedRow {
  const { who, until } = params;
  if (who === undefined || params.as === undefined) throw missing("who", "as");
  const as = kindOf(params.as);
  if (typeof who !== "string" || who === "") throw badValue("who", "a string");
  if (canonicalName(as, who) === null) throw badValue("who", "an IP address or a range such as 10.0.0.0/8");
  const ends = until === undefined || until === null || until === "undefined" ? null : until;
  if (ends !== null && (typeof ends !== "number" || !Number.isFinite(ends))) {
    throw badValue("until", "a number (Unix seconds)");
  }
  return {
    who,
    as,
    reason: optionalText(params.reason, "reason"),
    desc: optionalText(params.desc, "desc"),
    by: optionalText(params.by, "by"),
    until: ends,
  };
}

export function createBanned({ broker }: AdminDeps, limits: { maxRows: number }) {
  /** Close what the ban would have kept out; the table of clients is walked only for names and addresses. */
  async function kick(row: BannedRow): Promise<void> {
    const slices = new Slices(() => broker.clock.mono());
    const sessions = row.as === "client_id" ? [broker.sessions.get(row.who)] : broker.sessions.values();
    for (const session of sessions) {
      const client = session?.channel?.client;
      if (client?.zone.enableBan && broker.banned.matches(row, client)) broker.kick(client.clientId, "banned");
      if (slices.due()) await slices.rest();
    }
    broker.flush();
  }

  return {
    list(query: Query): Promise<Listed<Banned>> {
      const rows = broker.banned.list();
      return list(
        table,
        fromIterable(() => rows),
        rows.length,
        listQuery(query, table, limits.maxRows),
        () => broker.clock.mono(),
      );
    },

    /** Adds or replaces. @throws AdminError 107, 108 */
    async add(params: BannedParams): Promise<void> {
      const row = rowOf(params);
      broker.banned.add(row);
      broker.flush();
      if (params.kick === true) await kick(row);
    },

    /** @throws AdminError 107, 108 */
    remove(who: string, as: unknown): void {
      if (as === undefined) throw missing("as");
      broker.banned.remove(kindOf(as), who);
      broker.flush();
    },
  };
}
