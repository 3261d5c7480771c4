/** A store that can fail, and tells when something became durable. Memory or SQLite behind it. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KvStore, Store } from "../../server/core/ports.ts";
import { openStore } from "../../server/storage/sqlite.ts";
import { MemoryStore } from "../support/memory_store.ts";
import type { SimLog } from "./log.ts";

export const DISK_FULL = "simulated: the disk is full";

/** What is behind: open it, and open it again after a kill. */
export interface Disk {
  open(): Store;
  /** What the next process finds; the old one is dead. */
  kill(): Store;
  /** Breaches of the port's contract. */
  problems(): readonly string[];
  /** Rows of the sessions' journal that are left. */
  left(): { sessions: number; deliveries: number; messages: number; awaitingRel: number } | null;
  remove(): void;
  /** Syncs under way, with `storage.sync = always`: how they end is not decided yet. */
  syncs(): ((onDisk: boolean) => void)[];
}

/** `always`: nothing that is committed is on the disk before a sync has ended well, and a kill is a loss of power. */
export function memoryDisk(always: boolean): Disk {
  let store = new MemoryStore();
  if (always) store.always();
  return {
    open: () => store,
    kill() {
      store = store.crash();
      return store;
    },
    problems: () => store.problems,
    left: () => store.counts(),
    remove() {},
    syncs: () => store.syncs,
  };
}

export function sqliteDisk(log: SimLog): Disk {
  const root = mkdtempSync(join(tmpdir(), "baomq-sim-"));
  let n = 0;
  const dir = (): string => join(root, String(n));
  const open = (): Store => openStore({ dir: dir(), sync: "normal", log });
  let store = open();
  return {
    open: () => store,
    kill() {
      const from = dir();
      n++;
      cpSync(from, dir(), { recursive: true });
      store.pending = false;
      store.close();
      store = open();
      return store;
    },
    problems: () => [],
    left: () => null,
    remove() {
      store.pending = false;
      store.close();
      rmSync(root, { recursive: true, force: true });
    },
    syncs: () => [],
  };
}

export class SimStore implements Store {
  /** Every commit fails. */
  fails = false;
  /** What the last commit had. */
  #committed = 0;

  constructor(
    private readonly inner: Store,
    /** Everything up to here is durable: its number among all that happens. */
    now: () => number,
    private readonly durable: (upTo: number) => void,
    failed: () => void,
  ) {
    // On the object itself: its own parts commit before they load.
    const commit = inner.commit.bind(inner);
    inner.commit = () => {
      if (!inner.pending) return;
      if (this.fails) {
        failed();
        throw new Error(DISK_FULL);
      }
      commit();
      this.#committed = now();
      if (!inner.unsynced) durable(this.#committed);
    };
  }

  get sessions() {
    return this.inner.sessions;
  }
  get retained() {
    return this.inner.retained;
  }
  get banned() {
    return this.inner.banned;
  }
  get apps() {
    return this.inner.apps;
  }
  get users() {
    return this.inner.users;
  }
  get delayed() {
    return this.inner.delayed;
  }
  get monitor() {
    return this.inner.monitor;
  }
  get alarms() {
    return this.inner.alarms;
  }
  accounts(plugin: string): ReturnType<Store["accounts"]> {
    return this.inner.accounts(plugin);
  }
  kv(namespace: string): KvStore {
    return this.inner.kv(namespace);
  }
  get pending(): boolean {
    return this.inner.pending;
  }
  set pending(value: boolean) {
    this.inner.pending = value;
  }
  get bytes(): number {
    return this.inner.bytes;
  }
  get due(): number {
    return this.inner.due;
  }
  get unsynced(): boolean {
    return this.inner.unsynced;
  }
  set unsynced(value: boolean) {
    this.inner.unsynced = value;
  }
  commit(): void {
    this.inner.commit();
  }
  sync(done: (onDisk: boolean) => void): void {
    const upTo = this.#committed;
    this.inner.sync((onDisk) => {
      if (onDisk) this.durable(upTo);
      done(onDisk);
    });
  }
  syncNow(): void {
    this.inner.syncNow();
    this.durable(this.#committed);
  }
  close(): void {}
}
