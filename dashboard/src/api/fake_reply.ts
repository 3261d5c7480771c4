/** What the routes of the made-up broker are made of. */
import { matches } from "../lib/topic.ts";
import type { Query } from "./transport.ts";

export interface Call {
  params: Record<string, string>;
  query: Query;
  body: Record<string, unknown>;
  user: string;
}

export interface FakeRoute {
  method: string;
  path: readonly string[];
  summary: string;
  run: (c: Call) => unknown;
}

export const ok = { code: 0 } as const;
export const data = (d: unknown) => ({ code: 0, data: d });
export const fail = (code: number, message: string) => ({ code, message });
export const text = (v: unknown): string => (typeof v === "string" ? v : "");

export type On = (method: string, path: string, summary: string, run: FakeRoute["run"]) => void;

export function remove<T>(list: T[], gone: (x: T) => boolean): void {
  for (let i = list.length - 1; i >= 0; i--) if (gone(list[i] as T)) list.splice(i, 1);
}

type Row = object;

/** Filters, sort and page as the contract says. */
export function paged(rows: readonly Row[], query: Query): unknown {
  let out = rows as readonly Record<string, unknown>[];
  for (const [name, wanted] of Object.entries(query)) {
    if (wanted === undefined || wanted === "") continue;
    const like = name.startsWith("_like_");
    const field = like ? name.slice(6) : name;
    const key = field === "ip_address" ? "ipaddress" : field;
    if (name === "_filter") out = out.filter((r) => matches(String(wanted), text(r.topic)));
    else if (like) out = out.filter((r) => String(r[key]).toLowerCase().includes(String(wanted).toLowerCase()));
    else if (!name.startsWith("_")) out = out.filter((r) => String(r[key]) === String(wanted));
  }
  const sort = text(query._sort);
  if (sort !== "") {
    const field = sort.replace(/^-/, "");
    const sign = sort.startsWith("-") ? -1 : 1;
    out = [...out].sort((a, b) => sign * compare(a[field], b[field]));
  }
  const limit = Number(query._limit ?? 10_000);
  const page = Math.max(1, Number(query._page ?? 1));
  return { code: 0, data: out.slice((page - 1) * limit, page * limit), meta: { page, limit, count: out.length } };
}

const compare = (a: unknown, b: unknown): number =>
  typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
