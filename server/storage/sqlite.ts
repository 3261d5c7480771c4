/** The Store port on one SQLite file. */
import type { AccountRow, AppRow, KvStore, Log, Store, TableStore, UserRow } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";
import { accounts } from "./accounts.ts";
import { SqliteAlarms } from "./alarms.ts";
import { apps } from "./apps.ts";
import { backup } from "./backup.ts";
import { SqliteBanned } from "./banned.ts";
import { BatchWriter, takeBatch } from "./batch_writer.ts";
import { Checkpoint } from "./checkpoint.ts";
import type { Connection } from "./connection.ts";
import { SqliteDelayed } from "./delayed.ts";
import { lastError, readError, StoreError, writeError } from "./errors.ts";
import { FileSync } from "./file_sync.ts";
import { sizeOf } from "./files.ts";
import { SqliteKv } from "./kv.ts";
import { SqliteMonitor } from "./monitor.ts";
import { closeFile, type Opened, openFile } from "./open.ts";
import type { Owner, Part } from "./part.ts";
import { RedoFiles } from "./redo_file.ts";
import { RedoOps } from "./redo_ops.ts";
import { SqliteRetained } from "./retained.ts";
import { SqliteSessions } from "./sessions.ts";
import { users } from "./users.ts";

export { StoreError } from "./errors.ts";

/** A commit is with the kernel when it returns. `normal`: on the disk within about a second. `always`: nothing is told of it before it is there. */
export type SyncMode = "always" | "normal";

export interface StoreOptions {
  /** The data directory; made when it is not there (0700). */
  dir: string;
  sync: SyncMode;
  log: Log;
  /** Others than the usual ones, for tests. */
  batch?: BatchLimits;
}

interface BatchLimits {
  /** Bytes. */
  max: number;
  sliceMs: number;
}

/**
 * A batch of more bytes than `max` goes to the database, in slices of `sliceMs`; as the next one grows of up to `SLICES_MAX` times that, or it
 * would grow faster than this one is written.
 */
const BATCH: BatchLimits = { max: 2 * 1024 * 1024, sliceMs: 2 };
const SLICES_MAX = 8;
/** At so many times `max`, while another batch is still on its way, that one is brought to its end at once: nothing grows for ever. */
const URGENT = 8;
/** A redo log that could not be written is tried again after so long. */
const APPEND_AGAIN_MS = 10_000;

/** Open or create `baomq.db` in the data directory, for this process alone. @throws StoreError */
export function openStore(o: StoreOptions): SqliteStore {
  const opened = openFile(o.dir, o.log);
  const { connection: c } = opened;
  try {
    return new SqliteStore(c, o, opened);
  } catch (err) {
    c.close();
    throw readError(c.file, err);
  }
}

/**
 * A commit writes the turn's operations to the redo log, in one piece. Their net effect is the batch: it grows on over many commits and then
 * goes to the database in one transaction (batch_writer.ts). Most messages are delivered and done with before: the database never sees them. What the redo log does not have (accounts, settings, …) takes the batch to the database with its commit.
 */
export class SqliteStore implements Store, Owner {
  pending = false;
  direct = false;
  unsynced = false;
  readonly redo = new RedoOps();
  /** What was found damaged at the opening and when the sessions were read, in words for the operator; told in the log already. */
  readonly damage: string[];
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
  readonly #checkpoint: Checkpoint;
  readonly #writer: BatchWriter;
  readonly #walSync: FileSync;
  readonly #redoFiles: RedoFiles;
  readonly #limits: BatchLimits;
  #sync: SyncMode;
  /** A slice is to be written when this turn is over. */
  #soon = false;
  /** When the redo log is to be tried again, after a failure. */
  #appendAt = 0;
  /** The last record that is on the disk, and the last one whose effect the database has there. */
  #synced = 0;
  #safe = 0;
  #closed = false;

  /** @internal Use `openStore`. */
  constructor(
    private readonly c: Connection,
    private readonly o: StoreOptions,
    { damage, redo }: Opened,
  ) {
    const table = { apps: apps(c, this), users: users(c, this) };
    this.damage = damage;
    this.sessions = new SqliteSessions(c, this, o.log, damage);
    this.retained = new SqliteRetained(c, this);
    this.banned = new SqliteBanned(c, this);
    this.apps = table.apps;
    this.users = table.users;
    this.delayed = new SqliteDelayed(c, this);
    this.monitor = new SqliteMonitor(c, this);
    this.alarms = new SqliteAlarms(c, this);
    this.#parts = [this.sessions, this.retained, this.banned, table.apps, table.users, this.delayed, this.monitor, this.alarms];
    this.#checkpoint = new Checkpoint(c, o.log);
    this.#writer = new BatchWriter(
      c,
      () => this.#checkpoint.makeWay(),
      (batch) => this.#written(batch.onDisk),
    );
    this.#walSync = new FileSync(`${c.file}-wal`, o.log);
    this.#redoFiles = new RedoFiles(o.dir, redo, o.log);
    this.#limits = o.batch ?? BATCH;
    this.#sync = o.sync;
    // The redo log has to be on the disk; what goes to the database behind it need not wait.
    c.exec("PRAGMA synchronous = NORMAL");
  }

  get bytes(): number {
    return this.redo.bytes + this.#writer.bytes + this.#partBytes;
  }

  /** Of the batch that is still open. */
  get #partBytes(): number {
    let n = 0;
    for (const p of this.#parts) n += p.bytes;
    return n;
  }

  get due(): number {
    return this.#mustWrite ? this.bytes : this.redo.bytes;
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
    if (this.#mustWrite) {
      this.#writeAll();
      return;
    }
    this.#append();
    const { max } = this.#limits;
    if (this.#writer.busy || this.#checkpoint.busy ? this.#partBytes > max * URGENT : this.#redoFiles.long || this.#partBytes > max)
      this.#startBatch();
  }

  settle(): void {
    this.commit();
    if (this.#writer.busy || this.#parts.some((p) => p.dirty)) this.#writeAll();
  }

  /** The redo log does not have everything, or must not grow: the commit brings it to the database itself. */
  get #mustWrite(): boolean {
    return this.direct || this.redo.full || this.#redoFiles.crowded || performance.now() < this.#appendAt;
  }

  /** A log that cannot be written is let alone for a while: the database gets the batch, if it can. */
  #append(): void {
    try {
      this.#redoFiles.append(this.redo.record, this.#sync !== "always");
    } catch (err) {
      this.#appendAt = performance.now() + APPEND_AGAIN_MS;
      this.o.log.warn("the redo log cannot be written", { error: wordsOf(err) });
      this.redo.stop();
      this.#writeAll();
      return;
    }
    this.redo.written();
    this.pending = false;
    this.unsynced = this.#sync === "always";
  }

  sync(done: (onDisk: boolean) => void): void {
    const { number } = this.#redoFiles;
    this.#redoFiles.sync((err) => {
      if (this.#closed) return;
      if (err !== null) this.#lost(err, number);
      else this.#onDisk(number);
      done(err === null || this.#safe >= number);
    });
  }

  /** @throws StoreError */
  syncNow(): void {
    const { number } = this.#redoFiles;
    try {
      this.#redoFiles.syncNow();
      this.#onDisk(number);
    } catch (err) {
      this.#lost(err, number);
      this.commit();
    }
  }

  #onDisk(number: number): void {
    this.#synced = Math.max(this.#synced, number);
    if (this.#synced >= this.#redoFiles.number) this.unsynced = false;
  }

  /** Records up to this one may never get to the disk: the next commit takes everything to the database. */
  #lost(err: unknown, number: number): void {
    if (this.#safe >= number) return;
    this.o.log.warn("the redo log cannot be brought to the disk", { error: wordsOf(err) });
    this.redo.stop();
    this.pending = true;
  }

  /** The redo log has everything: the batch is written in slices. One that was on its way still is brought to its end. */
  #startBatch(): void {
    try {
      this.#writer.finish();
    } catch (err) {
      this.#failed(err);
      return;
    }
    this.#writer.start(takeBatch(this.#parts, this.#redoFiles.number, this.#redoFiles.turn()));
    this.#sliceSoon();
  }

  #sliceSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    setImmediate(this.#slice);
  }

  readonly #slice = (): void => {
    this.#soon = false;
    if (this.#closed) return;
    try {
      const { max, sliceMs } = this.#limits;
      if (!this.#writer.slice(sliceMs * Math.min(1 + this.#partBytes / max, SLICES_MAX))) this.#sliceSoon();
    } catch (err) {
      this.#failed(err);
    }
  };

  /** The next commit tries again, and says so if it fails. */
  #failed(err: unknown): void {
    this.o.log.debug("a batch could not be brought to the database", { error: wordsOf(err) });
    this.redo.stop();
    this.pending = true;
  }

  #writeAll(): void {
    try {
      this.#writer.finish();
      this.#waiting(() => {
        this.#redoFiles.pass();
        this.#writer.start(takeBatch(this.#parts, this.#redoFiles.number, this.#redoFiles.turn()));
        this.#writer.finish();
      });
    } catch (err) {
      this.redo.stop();
      throw writeError(this.c.file, err);
    }
    this.pending = this.direct = false;
    this.redo.start();
    this.#safe = this.#redoFiles.number;
    this.#onDisk(this.#safe);
  }

  /** With `always`, transactions are on the disk when they are through: there is no redo log that has what they have. */
  #waiting(write: () => void): void {
    if (this.#sync !== "always") {
      write();
      return;
    }
    this.c.exec("PRAGMA synchronous = FULL");
    try {
      write();
    } finally {
      this.c.exec("PRAGMA synchronous = NORMAL");
    }
  }

  /** The database has a batch. `done` is called when it has it on the disk. */
  #written(done: () => void): void {
    this.#checkpoint.consider();
    this.#walSync.later(done);
  }

  /** Takes effect with the next commit; on going to `always`, what was committed before is brought to the disk now. */
  setSync(mode: SyncMode): void {
    if (mode === this.#sync) return;
    // Not within a transaction.
    try {
      this.#writer.finish();
    } catch (err) {
      this.#failed(err);
    }
    this.#sync = mode;
    this.unsynced = false;
    if (mode !== "always") {
      this.#redoFiles.later();
      return;
    }
    this.#redoFiles.syncNow();
    this.#walSync.now();
    this.#onDisk(this.#redoFiles.number);
  }

  /** A copy of everything, pending writes included, in one new file. @throws StoreError */
  backup(path: string): void {
    this.settle();
    backup(this.c, path);
  }

  /** Writes what is pending. The files are closed even if that fails. */
  close(): void {
    if (this.#closed) return;
    let settled = false;
    try {
      this.commit();
      settled = this.#settledAtEnd();
    } catch (err) {
      throw lastError(this.c.file, err);
    } finally {
      this.#closed = true;
      this.#walSync.close();
      this.#closeFiles(settled);
    }
  }

  #closeFiles(settled: boolean): void {
    // As a kill would leave it: the next start reads its journal.
    if (!this.#checkpoint.end()) {
      this.#redoFiles.close(false);
      return;
    }
    closeFile(this.c, this.o.dir, settled, () => {
      this.#checkpoint.close();
      // Only once the database has everything on the disk: its journal goes with it.
      this.#redoFiles.close(settled && sizeOf(`${this.c.file}-wal`) <= 0);
    });
  }

  /** False = what is committed is in the redo log alone, and the next start will bring it to the database. */
  #settledAtEnd(): boolean {
    try {
      this.settle();
      return true;
    } catch (err) {
      this.o.log.warn("the redo log stays until the next start", { error: wordsOf(err) });
      if (this.#sync === "always") this.#redoFiles.syncNow();
      return false;
    }
  }

  readError(err: unknown): Error {
    return readError(this.c.file, err);
  }
}
