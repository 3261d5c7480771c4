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
}

export function memoryDisk(): Disk {
  let store = new MemoryStore();
  return {
    open: () => store,
    kill() {
      store = store.crash();
      return store;
    },
    problems: () => store.problems,
    left: () => store.counts(),
    remove() {},
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
  };
}

export class SimStore implements Store {
  /** Every commit fails. */
  fails = false;

  constructor(
    private readonly inner: Store,
    committed: () => void,
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
      committed();
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
  commit(): void {
    this.inner.commit();
  }
  close(): void {}
}
