/** The memory twin of the Store port. It keeps what was committed apart from what is pending, so that a test can pull the plug: `crash()`. */
import type {
  AccountRow,
  AlarmRow,
  AlarmStore,
  AppRow,
  BannedRow,
  BannedStore,
  DelayedRow,
  DelayedStore,
  KvStore,
  MonitorPoint,
  MonitorStore,
  RetainedRow,
  RetainedStore,
  SessionStore,
  Store,
  StoredMessage,
  TableStore,
  UserRow,
} from "../../server/core/ports.ts";
import { copyMessage, Disk, MemorySessions, type Owner, type SessionRow, type Table } from "./memory_sessions.ts";

const DAY_MS = 86_400_000;
const MONITOR_KEEP_MS = 7 * DAY_MS;
const ALARMS_KEPT = 1000;

class MemoryRetained implements RetainedStore {
  constructor(private readonly owner: Owner) {}

  load(): Iterable<RetainedRow> {
    this.owner.commit();
    const rows = [...this.owner.disk.table<number, StoredMessage>("retained")].sort(([a], [b]) => a - b);
    return rows.map(([id, m]) => ({ id, message: copyMessage(m) }));
  }

  put(id: number, m: StoredMessage): void {
    const copy = copyMessage(m);
    this.owner.add((d) => d.table<number, StoredMessage>("retained").set(id, copy));
  }

  delete(id: number): void {
    this.owner.add((d) => d.table("retained").delete(id));
  }

  clear(): void {
    this.owner.add((d) => d.table("retained").clear());
  }
}

/** A table whose reads see the live rows and whose writes wait in the batch. */
class MemoryTable<Row extends object> implements TableStore<Row> {
  private readonly rows: Map<string, Row>;

  constructor(
    private readonly owner: Owner,
    private readonly name: Table,
    private readonly key: (row: Row) => string,
  ) {
    this.rows = new Map(owner.disk.table<string, Row>(name));
  }

  get(key: string): Row | undefined {
    return this.rows.get(key);
  }

  put(row: Row): void {
    const copy = { ...row };
    const key = this.key(copy);
    this.rows.set(key, copy);
    this.owner.add((d) => d.table(this.name).set(key, copy));
  }

  delete(key: string): boolean {
    if (!this.rows.delete(key)) return false;
    this.owner.add((d) => d.table(this.name).delete(key));
    return true;
  }

  all(): Row[] {
    return [...this.rows.values()];
  }

  get size(): number {
    return this.rows.size;
  }
}

class MemoryKv implements KvStore {
  private readonly rows: Map<string, string>;

  constructor(
    private readonly owner: Owner,
    private readonly name: Table,
  ) {
    this.rows = new Map(owner.disk.table<string, string>(name));
  }

  get(key: string): string | undefined {
    return this.rows.get(key);
  }

  set(key: string, value: string): void {
    this.rows.set(key, value);
    this.owner.add((d) => d.table(this.name).set(key, value));
  }

  delete(key: string): void {
    if (this.rows.delete(key)) this.owner.add((d) => d.table(this.name).delete(key));
  }

  entries(): [string, string][] {
    return [...this.rows];
  }
}

class MemoryBanned implements BannedStore {
  constructor(private readonly owner: Owner) {}

  load(): BannedRow[] {
    this.owner.commit();
    return [...this.owner.disk.table<string, BannedRow>("banned").values()].map((r) => ({ ...r }));
  }

  put(row: BannedRow): void {
    const copy = { ...row };
    this.owner.add((d) => d.table("banned").set(`${copy.as}/${copy.who}`, copy));
  }

  delete(as: BannedRow["as"], who: string): void {
    this.owner.add((d) => d.table("banned").delete(`${as}/${who}`));
  }
}

class MemoryDelayed implements DelayedStore {
  constructor(private readonly owner: Owner) {}

  load(): DelayedRow[] {
    this.owner.commit();
    const rows = [...this.owner.disk.table<number, DelayedRow>("delayed").values()];
    return rows.map((r) => ({ ...r, message: copyMessage(r.message) })).sort((a, b) => a.dueAt - b.dueAt || a.id - b.id);
  }

  put(row: DelayedRow): void {
    const copy = { ...row, message: copyMessage(row.message) };
    this.owner.add((d) => d.table("delayed").set(copy.id, copy));
  }

  delete(id: number): void {
    this.owner.add((d) => d.table("delayed").delete(id));
  }
}

class MemoryMonitor implements MonitorStore {
  private readonly points: Map<number, MonitorPoint>;

  constructor(private readonly owner: Owner) {
    this.points = new Map(owner.disk.table<number, MonitorPoint>("monitor"));
  }

  add(point: MonitorPoint): void {
    const copy = { at: point.at, values: { ...point.values } };
    this.points.set(copy.at, copy);
    this.owner.add((d) => d.table("monitor").set(copy.at, copy));
    this.prune(copy.at - MONITOR_KEEP_MS);
  }

  range(from: number, to: number): MonitorPoint[] {
    return [...this.points.values()].filter((p) => p.at >= from && p.at <= to).sort((a, b) => a.at - b.at);
  }

  prune(before: number): void {
    const cut = (t: Map<number, unknown>): void => {
      for (const at of t.keys()) if (at < before) t.delete(at);
    };
    cut(this.points);
    this.owner.add((d) => cut(d.table<number, MonitorPoint>("monitor")));
  }
}

class MemoryAlarms implements AlarmStore {
  private rows: AlarmRow[];

  constructor(private readonly owner: Owner) {
    this.rows = [...owner.disk.alarms];
  }

  add(row: AlarmRow): void {
    this.set([...this.rows, { ...row }].slice(-ALARMS_KEPT));
  }

  history(limit: number): AlarmRow[] {
    return this.rows.toReversed().slice(0, Math.max(0, limit));
  }

  clear(): void {
    this.set([]);
  }

  private set(rows: AlarmRow[]): void {
    this.rows = rows;
    this.owner.add((d) => {
      d.alarms = rows;
    });
  }
}

export class MemoryStore implements Store {
  readonly sessions: SessionStore;
  readonly retained: RetainedStore;
  readonly banned: BannedStore;
  readonly apps: TableStore<AppRow>;
  readonly users: TableStore<UserRow>;
  readonly delayed: DelayedStore;
  readonly monitor: MonitorStore;
  readonly alarms: AlarmStore;
  pending = false;
  /** About; every op of the batch counts, also what came and went within it. */
  get bytes(): number {
    return this.batch.length * 100;
  }
  get due(): number {
    return this.bytes;
  }
  unsynced = false;
  /** What a loss of power leaves; null = everything that was committed. */
  private durable: Disk | null = null;
  /** Syncs under way: the test says how they end. */
  readonly syncs: ((onDisk: boolean) => void)[] = [];
  /** How many times a batch was really written. */
  commits = 0;
  /** While set, `commit` throws it and keeps the batch, as a full disk would. */
  failure: Error | null = null;
  /** Breaches of the port's contract (second enqueue of a seq, done of an unknown delivery, …). A test of the core may expect []. */
  readonly problems: string[] = [];
  private readonly disk: Disk;
  private readonly owner: Owner;
  private batch: ((disk: Disk) => void)[] = [];
  private readonly tables = new Map<string, TableStore<AccountRow>>();
  private readonly kvs = new Map<string, KvStore>();

  constructor(disk: Disk = new Disk()) {
    this.disk = disk;
    const owner: Owner = {
      disk,
      add: (op) => {
        this.batch.push(op);
        this.pending = true;
      },
      commit: () => this.commit(),
      misuse: (what) => this.problems.push(what),
    };
    this.owner = owner;
    this.sessions = new MemorySessions(owner);
    this.retained = new MemoryRetained(owner);
    this.banned = new MemoryBanned(owner);
    this.apps = new MemoryTable<AppRow>(owner, "table:apps", (r) => r.appId);
    this.users = new MemoryTable<UserRow>(owner, "table:users", (r) => r.username);
    this.delayed = new MemoryDelayed(owner);
    this.monitor = new MemoryMonitor(owner);
    this.alarms = new MemoryAlarms(owner);
  }

  accounts(plugin: string): TableStore<AccountRow> {
    const t = this.tables.get(plugin) ?? new MemoryTable<AccountRow>(this.owner, `table:accounts/${plugin}`, (r) => r.name);
    this.tables.set(plugin, t);
    return t;
  }

  kv(namespace: string): KvStore {
    const t = this.kvs.get(namespace) ?? new MemoryKv(this.owner, `kv:${namespace}`);
    this.kvs.set(namespace, t);
    return t;
  }

  commit(): void {
    if (!this.pending) return;
    if (this.failure) throw this.failure;
    const ops = this.batch;
    this.batch = [];
    this.pending = false;
    for (const op of ops) op(this.disk);
    this.commits++;
    this.unsynced = this.durable !== null;
  }

  /** As `storage.sync = always` from now on. */
  always(): void {
    this.durable = copyOf(this.disk);
  }

  sync(done: (onDisk: boolean) => void): void {
    const { commits } = this;
    const copy = copyOf(this.disk);
    this.syncs.push((onDisk) => {
      if (onDisk) this.durable = copy;
      if (onDisk && commits === this.commits) this.unsynced = false;
      if (!onDisk) this.pending = true;
      done(onDisk);
    });
  }

  syncNow(): void {
    if (this.failure) throw this.failure;
    this.durable = copyOf(this.disk);
    this.unsynced = false;
  }

  close(): void {
    this.commit();
  }

  /**
   * What a process that starts after kill -9 finds: the committed data, and nothing of the pending batch; with `always` what one finds after a
   * loss of power. This store is dead afterwards.
   */
  crash(): MemoryStore {
    const next = new MemoryStore(copyOf(this.durable ?? this.disk));
    if (this.durable !== null) next.always();
    return next;
  }

  /** Committed rows of the session journal: shows leaks. */
  counts(): { sessions: number; subscriptions: number; deliveries: number; messages: number; awaitingRel: number } {
    const rows = [...this.disk.sessions.values()];
    const sum = (of: (s: SessionRow) => number): number => rows.reduce((n, s) => n + of(s), 0);
    return {
      sessions: rows.length,
      subscriptions: sum((s) => s.subscriptions.size),
      deliveries: sum((s) => s.deliveries.size),
      messages: this.disk.messages.size,
      awaitingRel: sum((s) => s.awaitingRel.size),
    };
  }
}

function copyOf(disk: Disk): Disk {
  const { tables, alarms } = structuredClone({ tables: disk.tables, alarms: disk.alarms });
  const copy = new Disk();
  for (const [name, rows] of tables) copy.tables.set(name, rows);
  copy.alarms = alarms;
  return copy;
}

export const memoryStore = (): MemoryStore => new MemoryStore();
