/** Temporary data directories and the SQLite store in them. */
import { afterAll } from "bun:test";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log, Store } from "../../../server/core/ports.ts";
import { openStore, type SqliteStore, type StoreOptions } from "../../../server/storage/sqlite.ts";
import type { Counts } from "./fixtures.ts";

/** Keeps what was logged: level and text. */
export class LogRecorder implements Log {
  readonly lines: string[] = [];
  error = (m: string): void => void this.lines.push(`error ${m}`);
  warn = (m: string): void => void this.lines.push(`warn ${m}`);
  notice = (m: string): void => void this.lines.push(`notice ${m}`);
  info = (m: string): void => void this.lines.push(`info ${m}`);
  debug = (m: string): void => void this.lines.push(`debug ${m}`);
}

const root = mkdtempSync(join(tmpdir(), "baomq-store-"));
let dirs = 0;
const dirOf = new WeakMap<Store, string>();
afterAll(() => rmSync(root, { recursive: true, force: true }));

export const newDir = (): string => join(root, String(++dirs));

/** `batch`: as in StoreOptions. */
export function openIn(dir: string, log: Log = new LogRecorder(), batch?: StoreOptions["batch"]): SqliteStore {
  const store = openStore({ dir, sync: "normal", log, ...(batch && { batch }) });
  dirOf.set(store, dir);
  return store;
}

/** What a start after kill -9 finds: the files as they are now, without a clean end. */
export function copyFiles(store: Store): string {
  const to = newDir();
  cpSync(dirOf.get(store) as string, to, { recursive: true });
  return to;
}

export function restart(store: Store): SqliteStore {
  store.close();
  return openIn(dirOf.get(store) as string);
}

export function crash(store: Store, batch?: StoreOptions["batch"]): SqliteStore {
  const dir = copyFiles(store);
  const next = openIn(dir, new LogRecorder(), batch);
  store.pending = false;
  store.close();
  return next;
}

/** The statements of a store, for what only the file can tell. */
interface Inside {
  c: { value(sql: string): unknown; exec(sql: string): void };
}
export const inside = (store: Store): Inside["c"] => (store as unknown as Inside).c;

/** Rows of the database, after everything was brought to it. */
export function counts(store: Store): Counts {
  (store as SqliteStore).settle();
  const of = (table: string): number => inside(store).value(`SELECT count(*) FROM ${table}`) as number;
  return {
    sessions: of("sessions"),
    subscriptions: of("subscriptions"),
    deliveries: of("deliveries"),
    messages: of("messages"),
    awaitingRel: of("awaiting_rel"),
  };
}

/** The file may not grow any more: SQLite's own "database or disk is full". It is not left out of the next commit. */
export function fail(store: Store, on: boolean): void {
  if (on) (store as SqliteStore).direct = true;
  const pages = inside(store).value("PRAGMA page_count") as number;
  inside(store).exec(`PRAGMA max_page_count = ${on ? pages : 1_000_000}`);
}
