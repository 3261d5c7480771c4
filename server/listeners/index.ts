/** All MQTT listeners of the node. */
import type { CertificateReload, ListenerConfig } from "../config/types.ts";
import { lineOf } from "../lib/errors.ts";
import { ConnectionBudget } from "./limits.ts";
import type { ListenerDeps } from "./link.ts";
import { Listener } from "./listener.ts";
import { stampOf, type TlsMaterial } from "./tls.ts";
import { WsOpenings } from "./ws_openings.ts";

export type { ListenerDeps } from "./link.ts";

/** Time for the slow close of all connections at the end. */
const STOP_MS = 1500;

/** One listener as the management interface shows it. */
export interface ListenerRow {
  /** "mqtt:tcp", "mqtt:ssl", "mqtt:ws", "mqtt:wss". */
  protocol: string;
  /** No other listener of the protocol has it: several may have one port, on different addresses. */
  name: string;
  zone: string;
  /** As configured; with the real port when port 0 was configured. */
  listenOn: string;
  port: number;
  /** False after `stopOne`. */
  running: boolean;
  acceptors: number;
  maxConns: number;
  currentConns: number;
  /** Reason -> connections that ended other than by DISCONNECT. The live map. */
  shutdownCount: ReadonlyMap<string, number>;
  /** Connections let in since start. */
  accepted: number;
  /** Cause -> connections that were not let in, or never became a client's. */
  rejected: ReadonlyMap<string, number>;
}

export class Listeners {
  readonly budget: ConnectionBudget;
  readonly #openings: WsOpenings;
  #all: Listener[] = [];
  /** Listener -> state of its files at the last attempt that failed: told once, not every ten seconds. */
  readonly #failedAt = new Map<Listener, string>();

  constructor(
    private readonly deps: ListenerDeps,
    budget?: ConnectionBudget,
  ) {
    this.#openings = new WsOpenings(deps.clock, deps.openingBudget ?? (() => Number.POSITIVE_INFINITY));
    this.budget = budget ?? ConnectionBudget.forThisProcess();
  }

  /** Open all ports. Throws ListenerError (one line for a person) when one cannot be opened; then none is. */
  async start(configs: readonly ListenerConfig[]): Promise<void> {
    this.#all = configs.map((c) => new Listener(c, this.deps, this.budget, this.#openings));
    try {
      // One after the other: two TLS listeners would make the self-signed certificate twice.
      for (const l of this.#all) await this.#open(l);
    } catch (err) {
      await this.stop();
      throw err;
    }
  }

  /** False = somebody else was faster. */
  async #open(l: Listener): Promise<boolean> {
    const tls = await this.#tlsNow(l);
    if (l.open) return false;
    l.start(tls);
    const { maxConnections, host } = l.config;
    this.deps.log.info("listening", { listener: l.key, address: `${host}:${l.port}` });
    if (maxConnections > this.budget.max) {
      this.deps.log.debug("max_connections is above the limit of open files", { listener: l.key, maxConnections, usable: this.budget.max });
    }
    return true;
  }

  /** As the files are now. Where they are no good what it had before is still in memory: whoever restarts a listener does not lose it. */
  async #tlsNow(l: Listener): Promise<TlsMaterial | null> {
    const stamp = l.tls === null ? "" : stampOf(l.tls.files);
    try {
      return await l.loadTls();
    } catch (err) {
      if (l.tls === null) throw err;
      this.#notReloaded(l, stamp, err);
      return l.tls;
    }
  }

  /** No new connections from here on; the present ones stay. First step of a clean stop. */
  close(): void {
    for (const l of this.#all) l.close();
  }

  /** Close everything; returns when the last connection is gone, after 1.5 s at most. */
  async stop(): Promise<void> {
    for (const l of this.#all) l.dismiss();
    const until = this.deps.clock.mono() + STOP_MS;
    while (this.#all.some((l) => l.current > 0) && this.deps.clock.mono() < until) await Bun.sleep(10);
    for (const l of this.#all) l.cutOff();
    this.#openings.stop();
  }

  /** Protocol and name are those of `list()`. */
  #find(protocol: string, name: string): Listener | undefined {
    return this.#all.find(({ info }) => info.protocol === protocol && info.name === name);
  }

  /** Close one listener; its clients are told, their connections close within a second. False = there is none, or it is stopped. */
  stopOne(protocol: string, name: string): boolean {
    const l = this.#find(protocol, name);
    if (l === undefined || !l.open) return false;
    l.dismiss();
    this.deps.log.info("listener stopped", { listener: l.key });
    return true;
  }

  /** Open a stopped listener again. False = there is none, or it is open. Throws ListenerError when its port cannot be opened. */
  async startOne(protocol: string, name: string): Promise<boolean> {
    const l = this.#find(protocol, name);
    return l !== undefined && !l.open && this.#open(l);
  }

  /** Use certificate files that have changed; connections stay as they are. */
  async reloadCertificates(): Promise<CertificateReload[]> {
    const rows: CertificateReload[] = [];
    for (const l of this.#all) if (l.secure && l.open) rows.push(await this.#reload(l));
    return rows;
  }

  async #reload(l: Listener): Promise<CertificateReload> {
    const stamp = l.tls === null ? "" : stampOf(l.tls.files);
    try {
      const changed = await l.reloadCertificate();
      this.#failedAt.delete(l);
      if (changed) this.deps.log.info("certificate reloaded", { listener: l.key });
      return { listener: l.key, changed, error: null };
    } catch (err) {
      return { listener: l.key, changed: false, error: this.#notReloaded(l, stamp, err) };
    }
  }

  /** The files are no good, `stamp` being their state. Returns why. */
  #notReloaded(l: Listener, stamp: string, err: unknown): string {
    const error = lineOf(err);
    if (stamp !== this.#failedAt.get(l))
      this.deps.log.error("certificate not reloaded, the old one stays in use", { listener: l.key, error });
    this.#failedAt.set(l, stamp);
    return error;
  }

  list(): ListenerRow[] {
    return this.#all.map((l) => ({
      protocol: l.info.protocol,
      name: l.info.name,
      zone: l.info.zone,
      listenOn: listenOn(l),
      port: l.port,
      running: l.open,
      acceptors: l.config.acceptors,
      maxConns: l.config.maxConnections,
      currentConns: l.current,
      shutdownCount: l.info.shutdowns,
      accepted: l.accepted,
      rejected: l.rejections,
    }));
  }
}

function listenOn(l: Listener): string {
  return l.config.port === 0 ? l.config.listenOn.replace(/(^|:)0$/, `$1${l.port}`) : l.config.listenOn;
}
