/** The HTTP listeners: opening and closing, TLS, and the socket of the command line. What is answered is decided in server.ts. */

import { chmodSync, existsSync, unlinkSync } from "node:fs";
import type { CertificateReload, HttpListenerConfig, HttpTlsConfig } from "../config/types.ts";
import type { Log } from "../core/ports.ts";
import { lineOf, wordsOf } from "../lib/errors.ts";
import type { Listener } from "./contract.ts";
import { Gate, type Limits, type Server, Visit } from "./gate.ts";
import { text } from "./reply.ts";

/** Bytes of a body; longer ones are refused by the runtime itself. Bodies above `BODY_MAX` are answered with 400. */
const REQUEST_MAX = 16 * 1024 * 1024;
/** Seconds a connection may be idle. */
const IDLE_S = 60;
/** Whoever may open the command line's socket is the machine's owner. */
const NO_LIMITS: Limits = { access: [], maxClients: Number.MAX_SAFE_INTEGER, sendTimeoutMs: 60_000, trustedProxies: [] };

/** What TLS needs, and the state of the files it was read from: then, and now. */
export interface Secure {
  options: Bun.TLSOptions;
  stamp: string;
  stampNow(): string;
}

export interface ListenDeps {
  log: Log;
  answer(visit: Visit): Response | Promise<Response>;
  /** Key, certificate and all else that TLS needs. `label` is for errors. Rejects when the files are no good. */
  tls(label: string, config: HttpTlsConfig): Promise<Secure>;
}

type Port = "management" | "dashboard";

interface Open {
  kind: Port;
  config: HttpListenerConfig;
  secure: Secure | null;
  /** State of the certificate files at the last attempt that failed: told once, not every ten seconds. */
  failedAt: string;
  /** null = stopped. */
  server: Server | null;
  /** Of the server that runs, or ran last. With another certificate it is the same: whoever is in counts on. */
  gate: Gate;
  port: number;
}

/** `[::1]` for an address with colons. */
const shown = (host: string, port: number): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
const labelOf = (kind: Port): string => `${kind}.listener.https`;
const protocolOf = (l: Open): string => `${l.config.tls ? "https" : "http"}:${l.kind}`;

export function createListen({ log, answer, tls }: ListenDeps) {
  let open: Open[] = [];
  let ctl: { server: Server; path: string } | null = null;
  /** The HTTPS that was opened last, also when it is closed: a plugin whose settings change closes what it has and opens it again. */
  const lastSecure = new Map<Port, Open>();

  function common(gate: Gate) {
    const { kind } = gate;
    return {
      maxRequestBodySize: REQUEST_MAX,
      idleTimeout: IDLE_S,
      development: false,
      async fetch(request: Request, server: Server): Promise<Response> {
        const refused = gate.refusal(() => server.requestIP(request)?.address ?? "", server.pendingRequests);
        if (refused) return refused;
        const visit = new Visit(gate, request, server);
        try {
          return visit.answered(await answer(visit));
        } catch (err) {
          visit.release();
          throw err;
        }
      },
      error(err: Error): Response {
        log.error("request failed", { server: kind, error: err.stack ?? err.message });
        return text("Internal Error", 500);
      },
    };
  }

  /** `reusePort` is said aloud: with `development: false` alone Bun 1.4 shares a port that somebody else listens on. */
  function serve(l: Open, reusePort: boolean): Server {
    const { host } = l.config;
    try {
      return Bun.serve({
        ...common(l.gate),
        hostname: host,
        port: l.port,
        reusePort,
        ...(l.secure && { tls: l.secure.options }),
      });
    } catch (err) {
      const why = (err as { code?: string }).code === "EADDRINUSE" ? "the port is in use" : wordsOf(err);
      throw new Error(`${l.kind} listener cannot open ${shown(host, l.port)}: ${why}`);
    }
  }

  function listen(l: Open): void {
    if (l.gate.isClosed) l.gate = new Gate(l.kind, l.config);
    // With TLS the port is opened a second time when the certificate changes, so it can be shared: that nobody else has it is tried before.
    if (l.secure !== null && l.port !== 0) void serve(l, false).stop(true);
    l.server = serve(l, l.secure !== null);
    l.port = l.server.port ?? l.port;
    log.info("listening", { listener: protocolOf(l), address: shown(l.config.host, l.port) });
  }

  /** What is being answered is answered to its end, but by `now`; streams, which have none, are ended. */
  function close(l: Open, now: boolean): void {
    l.gate.close();
    void l.server?.stop(now);
    l.server = null;
  }

  /** As with WSS: Bun cannot exchange a certificate, so a second server takes over the port, and the first one ends with its connections. */
  async function renew(l: Open, secure: Secure, config: HttpTlsConfig): Promise<boolean> {
    const fresh = await tls(labelOf(l.kind), config);
    const before = l.server;
    // Stopped, or renewed by somebody else, meanwhile.
    if (before === null || l.secure !== secure) return false;
    l.secure = fresh;
    try {
      l.server = serve(l, true);
    } catch (err) {
      l.secure = secure;
      throw err;
    }
    void before.stop(false);
    return true;
  }

  /** The files are no good, `stamp` being their state. Returns why. */
  function notReloaded(l: Open, stamp: string, err: unknown): string {
    const error = lineOf(err);
    if (stamp !== l.failedAt) log.error("certificate not reloaded, the old one stays in use", { listener: labelOf(l.kind), error });
    l.failedAt = stamp;
    return error;
  }

  async function reload(l: Open): Promise<CertificateReload> {
    const listener = labelOf(l.kind);
    const { secure, config } = l;
    if (secure === null || config.tls === null) return { listener, changed: false, error: null };
    const stamp = secure.stampNow();
    try {
      const changed = stamp !== secure.stamp && (await renew(l, secure, config.tls));
      if (changed) log.info("certificate reloaded", { listener });
      l.failedAt = "";
      return { listener, changed, error: null };
    } catch (err) {
      return { listener, changed: false, error: notReloaded(l, stamp, err) };
    }
  }

  /** As the files are now. Where they are no good what it had before is still in memory: whoever restarts a listener does not lose it. */
  async function secureNow(l: Open): Promise<Secure | null> {
    const { secure, config } = l;
    if (config.tls === null) return null;
    const stamp = secure?.stampNow() ?? "";
    if (stamp === secure?.stamp) return secure;
    try {
      return await tls(labelOf(l.kind), config.tls);
    } catch (err) {
      if (secure === null) throw err;
      notReloaded(l, stamp, err);
      return secure;
    }
  }

  const find = (protocol: string, port: number): Open | undefined => open.find((l) => protocolOf(l) === protocol && l.port === port);

  /** The request that asked for it is answered before its server closes. */
  async function stop(kind: Port): Promise<void> {
    const mine = open.filter((l) => l.kind === kind);
    open = open.filter((l) => l.kind !== kind);
    for (const l of mine) close(l, false);
  }

  return {
    stop,

    /**
     * In place of those of the kind that are open, of HTTPS with the certificate that it had, where it has the same settings and its files are
     * no good. Rejects when one cannot be opened, and then none is.
     */
    async openAll(kind: Port, listeners: readonly HttpListenerConfig[]): Promise<void> {
      await stop(kind);
      try {
        for (const config of listeners) {
          const before = lastSecure.get(kind);
          const secure = before !== undefined && Bun.deepEquals(before.config.tls, config.tls) ? before.secure : null;
          const l: Open = { kind, config, gate: new Gate(kind, config), secure, failedAt: "", server: null, port: config.port };
          l.secure = await secureNow(l);
          listen(l);
          open.push(l);
          if (l.secure !== null) lastSecure.set(kind, l);
        }
      } catch (err) {
        await stop(kind);
        throw err;
      }
    },

    startCtl(path: string): void {
      if (existsSync(path)) unlinkSync(path);
      const before = process.umask(0o177);
      try {
        // Without it the runtime ends what takes ten seconds; its types do not know it for such a socket.
        const options = { ...common(new Gate("ctl", NO_LIMITS)), idleTimeout: 0, unix: path } as unknown as Bun.Serve.Options<undefined>;
        ctl = { server: Bun.serve(options) as Server, path };
      } finally {
        process.umask(before);
      }
      chmodSync(path, 0o600);
    },

    async stopAll(): Promise<void> {
      for (const l of open) close(l, true);
      open = [];
      if (ctl === null) return;
      void ctl.server.stop(true);
      if (existsSync(ctl.path)) unlinkSync(ctl.path);
      ctl = null;
    },

    /** Use certificate files that have changed; connections stay as they are. */
    async reloadCertificates(): Promise<CertificateReload[]> {
      const rows: CertificateReload[] = [];
      for (const l of open.filter(({ secure, server }) => secure !== null && server !== null)) rows.push(await reload(l));
      return rows;
    },

    list: (): Listener[] =>
      open.map((l) => ({
        protocol: protocolOf(l),
        listen_on: String(l.port),
        acceptors: l.config.acceptors,
        max_conns: l.config.maxClients,
        current_conns: l.server?.pendingRequests ?? 0,
        shutdown_count: [],
        name: l.kind,
        running: l.server !== null,
      })),

    stopOne(protocol: string, port: number): boolean {
      const l = find(protocol, port);
      if (!l?.server) return false;
      close(l, false);
      return true;
    },

    /** With its certificate files as they are now, if they are any good. Rejects when the port cannot be opened. */
    async startOne(protocol: string, port: number): Promise<boolean> {
      const l = find(protocol, port);
      if (!l || l.server) return false;
      const secure = await secureNow(l);
      // Opened by somebody else meanwhile, or gone with its plugin.
      if (l.server !== null || !open.includes(l)) return false;
      l.secure = secure;
      listen(l);
      return true;
    },
  };
}
