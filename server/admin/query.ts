/**
 * Lists: paging, filters, sorting over tables of any size. A page without filter walks the table's own order up to it; filters and sorting
 * walk the whole table in slices, and keep no more than the page needs.
 */

import { Best, type Getter } from "./best.ts";
import { CODE } from "./codes.ts";
import { AdminError } from "./deps.ts";
import type { Filters } from "./filters.ts";
import { badValue } from "./refusals.ts";
import type { Meta } from "./rows.ts";
import { Slices } from "./slices.ts";

/** How the items of a list become rows, and what may be asked of it. `fields` in the order of the row. */
export interface Table<T, Row> extends Filters {
  readonly fields: { readonly [K in keyof Row & string]: (item: T) => Row[K] };
  /** Query names that differ from the field they filter: `ip_address` for `ipaddress`. */
  readonly aliases?: Readonly<Record<string, keyof Row & string>>;
}

export interface Filter<T> {
  matches(item: T): boolean;
}
export interface ListQuery<T> {
  page: number;
  limit: number;
  filters: Filter<T>[];
  sort: { get: Getter<T>; descending: boolean } | null;
}
export interface Listed<Row> {
  rows: Row[];
  meta: Meta;
}

/** Query parameters by name; a key without a value has "". */
export type Query = Readonly<Record<string, string>>;

const INTEGER = /^-?\d+$/;

function integer(query: Query, name: string, fallback: number): number {
  const text = query[name];
  if (text === undefined) return fallback;
  const n = Number(text);
  if (!INTEGER.test(text) || !Number.isSafeInteger(n)) throw badValue(name, "an integer");
  return n;
}

/** `_page` and `_limit`. @throws AdminError 108 */
function paging(query: Query, defaultLimit: number): { page: number; limit: number } {
  const page = integer(query, "_page", 1);
  const limit = integer(query, "_limit", defaultLimit);
  if (limit < 1) throw badValue("_limit", "greater than 0");
  return { page, limit };
}

/** What of the query concerns this table; unknown names are ignored. @throws AdminError 108 */
export function listQuery<T, Row>(query: Query, table: Table<T, Row>, defaultLimit: number): ListQuery<T> {
  const getter = (name: string): Getter<T> | undefined => {
    const fields = table.fields as Readonly<Record<string, Getter<T>>>;
    const field = table.aliases?.[name] ?? name;
    return Object.hasOwn(fields, field) ? fields[field] : undefined;
  };
  const filters: Filter<T>[] = [];
  for (const name of table.exact) {
    const wanted = query[name];
    const get = getter(name);
    if (wanted !== undefined && get) filters.push({ matches: (item) => String(get(item)) === wanted });
  }
  for (const name of table.like) {
    const part = query[`_like_${name}`]?.toLowerCase();
    const get = getter(name);
    if (part && get) filters.push({ matches: (item) => String(get(item)).toLowerCase().includes(part) });
  }
  return { ...paging(query, defaultLimit), filters, sort: sorting(query._sort, getter) };
}

function sorting<T>(text: string | undefined, getter: (name: string) => Getter<T> | undefined): ListQuery<T>["sort"] {
  if (!text) return null;
  const descending = text.startsWith("-");
  const name = descending ? text.slice(1) : text;
  const get = getter(name);
  if (!get) throw new AdminError(CODE.BAD_PARAMETER, `cannot sort by '${name}'`);
  return { get, descending };
}

/**
 * The rows of a table in its own order. `skip` items are left out first: a table that can do that fast does. A null is no row but a moment
 * to look at the clock: skipping takes its time too.
 */
export type Source<T> = (skip: number) => Iterable<T | null>;

/** Skipped items between two looks at the clock. */
export const SKIP_STRIDE = 512;

export function fromIterable<T>(make: () => Iterable<T | null>): Source<T> {
  return function* (skip) {
    for (const item of make()) {
      if (item === null || skip === 0) yield item;
      else if (--skip % SKIP_STRIDE === 0) yield null;
    }
  };
}

export function rowOf<T, Row>(table: Table<T, Row>, item: T): Row {
  const row: Record<string, unknown> = {};
  const fields = table.fields as Readonly<Record<string, (item: T) => unknown>>;
  for (const name in fields) row[name] = (fields[name] as (item: T) => unknown)(item);
  return row as Row;
}

/** One page. `count` = number of rows without a filter. */
export function list<T, Row>(
  table: Table<T, Row>,
  source: Source<T>,
  count: number,
  query: ListQuery<T>,
  mono: () => number,
): Promise<Listed<Row>> {
  return listOf((item) => rowOf(table, item), source, count, query, mono);
}

/** The same where rows are not made field by field. */
export async function listOf<T, Row>(
  makeRow: (item: T) => Row,
  source: Source<T>,
  count: number,
  query: ListQuery<T>,
  mono: () => number,
): Promise<Listed<Row>> {
  const slices = new Slices(mono);
  // A page below 1 shows the first one and is echoed as asked (EMQ X 3.1).
  const start = (Math.max(query.page, 1) - 1) * query.limit;
  const plain = query.filters.length === 0 && query.sort === null;
  const found = plain ? await window(source, start, query.limit, slices) : await search(source, start, query, slices);
  const rows: Row[] = [];
  for (const item of found.items) {
    rows.push(makeRow(item));
    if (slices.due()) await slices.rest();
  }
  return { rows, meta: { page: query.page, limit: query.limit, count: plain ? count : found.count } };
}

interface Found<T> {
  items: T[];
  count: number;
}

async function window<T>(source: Source<T>, start: number, limit: number, slices: Slices): Promise<Found<T>> {
  const items: T[] = [];
  for (const item of source(start)) {
    if (items.length >= limit) break;
    if (item !== null) items.push(item);
    if (item === null ? slices.over() : slices.due()) await slices.rest();
  }
  return { items, count: items.length };
}

async function search<T>(source: Source<T>, start: number, query: ListQuery<T>, slices: Slices): Promise<Found<T>> {
  const best = query.sort ? new Best<T>(start + query.limit, query.sort.get, query.sort.descending) : null;
  const items: T[] = [];
  let count = 0;
  for (const item of source(0)) {
    if (item === null ? slices.over() : slices.due()) await slices.rest();
    if (item === null || !query.filters.every((f) => f.matches(item))) continue;
    if (best) {
      best.add(item);
      if (best.full) await best.shrink(slices);
    } else if (count >= start && items.length < query.limit) items.push(item);
    count++;
  }
  if (!best) return { items, count };
  await best.shrink(slices);
  return { items: best.items().slice(start), count };
}
