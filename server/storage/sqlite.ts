/** The Store port on one SQLite file. */
import type { Statement } from "bun:sqlite";
import type { AccountRow, AppRow, KvStore, Log, Store, TableStore, UserRow } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";
import { accounts } from "./accounts.ts";
import { SqliteAlarms } from "./alarms.ts";
import { apps } from "./apps.ts";
import { backup } from "./backup.ts";
import { SqliteBanned } from "./banned.ts";
import type { Connection } from "./connection.ts";
import { SqliteDelayed } from "./delayed.ts";
import { lastError, readError, StoreError, writeError } from "./errors.ts";
import { SqliteKv } from "./kv.ts";
import { SqliteMonitor } from "./monitor.ts";
import { closeFile, openFile } from "./open.ts";
import type { Owner, Part } from "./part.ts";
import { SqliteRetained } from "./retained.ts";
import { SqliteSessions } from "./sessions.ts";
import { users } from "./users.ts";
import { WalSync } from "./wal_sync.ts";

export { StoreError } from "./errors.ts";

/** `always`: a commit is on disk when it returns. `normal`: with the kernel, on disk within about a second. */
export type SyncMode = "always" | "normal";

export interface StoreOptions {
  /** The data directory; made when it is not there (0700). */
  dir: string;
  sync: SyncMode;
  log: Log;
}

/** Open or create `baomq.db` in the data directory, for this process alone. @throws StoreError */
export function openStore(o: StoreOptions): SqliteStore {
  const { connection: c, damage } = openFile(o.dir, o.log);
  try {
    return new SqliteStore(c, o, damage);
  } catch (err) {
    c.close();
    throw readError(c.file, err);
  }
}

export class SqliteStore implements Store, Owner {
  pending = false;
  readonly sessions: SqliteSessions;
  readonly retained: SqliteRetained;
  readonly banned: SqliteBanned;
  readonly apps: TableStore<AppRow>;
  readonly users: TableStore<UserRow>;
  readonly delayed: SqliteDelayed;
  readonly monitor: SqliteMonitor;
  readonly alarms: SqliteAlarms;
  readonly #parts: Part[];
  readonly #accounts = new Map<string, TableStore<AccountRow>>();
  readonly #kv = new Map<string, KvStore>();
  readonly #begin: Statement;
  readonly #end: Statement;
  readonly #walSync: WalSync;
  #sync: SyncMode;
  #closed = false;

  /** @internal Use `openStore`. */
  constructor(
    private readonly c: Connection,
    private readonly o: StoreOptions,
    /** What was found damaged at the opening and when the sessions were read, in words for the operator; told in the log already. */
    readonly damage: string[],
  ) {
    const table = { apps: apps(c, this), users: users(c, this) };
    this.sessions = new SqliteSessions(c, this, o.log, damage);
    this.retained = new SqliteRetained(c, this);
    this.banned = new SqliteBanned(c, this);
    this.apps = table.apps;
    this.users = table.users;
    this.delayed = new SqliteDelayed(c, this);
    this.monitor = new SqliteMonitor(c, this);
    this.alarms = new SqliteAlarms(c, this);
    this.#parts = [this.sessions, this.retained, this.banned, table.apps, table.users, this.delayed, this.monitor, this.alarms];
    this.#begin = c.prepare("BEGIN IMMEDIATE");
    this.#end = c.prepare("COMMIT");
    this.#walSync = new WalSync(`${c.file}-wal`, o.log);
    this.#sync = o.sync;
    this.#applySync();
  }

  get bytes(): number {
    let n = 0;
    for (const p of this.#parts) n += p.bytes;
    return n;
  }

  accounts(plugin: string): TableStore<AccountRow> {
    const known = this.#accounts.get(plugin);
    if (known) return known;
    const t = accounts(this.c, this, plugin);
    this.#accounts.set(plugin, t);
    this.#parts.push(t);
    return t;
  }

  kv(namespace: string): KvStore {
    const known = this.#kv.get(namespace);
    if (known) return known;
    const t = new SqliteKv(this.c, this, namespace);
    this.#kv.set(namespace, t);
    this.#parts.push(t.part);
    return t;
  }

  /** @throws StoreError; the batch is kept whole, and a later commit writes it. */
  commit(): void {
    if (!this.pending) return;
    if (this.#closed) throw new StoreError("write", `${this.c.file} is closed`);
    try {
      this.#begin.run();
      for (const p of this.#parts) if (p.dirty) p.write();
      this.#end.run();
    } catch (err) {
      this.#rollback();
      throw writeError(this.c.file, err);
    }
    this.pending = false;
    for (const p of this.#parts) if (p.dirty) p.written();
    if (this.#sync === "normal") this.#walSync.later();
  }

  /** Takes effect with the next commit; on going to `always`, what was committed before is brought to the disk now. */
  setSync(mode: SyncMode): void {
    if (mode === this.#sync) return;
    this.#sync = mode;
    this.#applySync();
    if (mode === "always") this.#walSync.now();
  }

  /** A copy of everything, pending writes included, in one new file. @throws StoreError */
  backup(path: string): void {
    this.commit();
    backup(this.c, path);
  }

  /** Writes what is pending. The file is closed even if that fails. */
  close(): void {
    if (this.#closed) return;
    try {
      this.commit();
    } catch (err) {
      throw lastError(this.c.file, err);
    } finally {
      this.#closed = true;
      this.#walSync.close();
      closeFile(this.c, this.o.dir);
    }
  }

  readError(err: unknown): Error {
    return readError(this.c.file, err);
  }

  /** Some errors end the transaction by themselves. */
  #rollback(): void {
    try {
      if (this.c.inTransaction) this.c.exec("ROLLBACK");
    } catch (err) {
      this.o.log.error("rollback failed", { error: wordsOf(err) });
    }
  }

  #applySync(): void {
    this.c.exec(`PRAGMA synchronous = ${this.#sync === "always" ? "FULL" : "NORMAL"}`);
  }
}
