/** The HTTP listeners: opening and closing, TLS, and the socket of the command line. What is answered is decided in server.ts. */

import { chmodSync, existsSync, unlinkSync } from "node:fs";
import type { HttpListenerConfig, HttpTlsConfig } from "../config/types.ts";
import type { Log } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";
import type { Listener } from "./contract.ts";
import { Gate, type Limits, type Server, Visit } from "./gate.ts";
import { text } from "./reply.ts";

/** Bytes of a body; longer ones are refused by the runtime itself. Bodies above `BODY_MAX` are answered with 400. */
const REQUEST_MAX = 16 * 1024 * 1024;
/** Seconds a connection may be idle. */
const IDLE_S = 60;
/** Whoever may open the command line's socket is the machine's owner. */
const NO_LIMITS: Limits = { access: [], maxClients: Number.MAX_SAFE_INTEGER, sendTimeoutMs: 60_000, trustedProxies: [] };

export interface ListenDeps {
  log: Log;
  answer(visit: Visit): Response | Promise<Response>;
  /** Key, certificate and all else that TLS needs. `label` is for errors. Rejects when the files are no good. */
  tls(label: string, config: HttpTlsConfig): Promise<Bun.TLSOptions>;
}

type Port = "management" | "dashboard";

interface Open {
  kind: Port;
  config: HttpListenerConfig;
  secure: Bun.TLSOptions | null;
  /** null = stopped. */
  server: Server | null;
  /** Of the server that runs, or ran last. */
  gate: Gate;
  port: number;
}

/** `[::1]` for an address with colons. */
const shown = (host: string, port: number): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
const protocolOf = (l: Open): string => `${l.config.tls ? "https" : "http"}:${l.kind}`;

export function createListen({ log, answer, tls }: ListenDeps) {
  let open: Open[] = [];
  let ctl: { server: Server; path: string } | null = null;

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

  function listen(l: Open): void {
    const { host } = l.config;
    l.gate = new Gate(l.kind, l.config);
    try {
      l.server = Bun.serve({
        ...common(l.gate),
        hostname: host,
        port: l.port,
        // Said aloud: with `development: false` alone Bun 1.4 shares a port that somebody else listens on.
        reusePort: false,
        ...(l.secure && { tls: l.secure }),
      });
    } catch (err) {
      const why = (err as { code?: string }).code === "EADDRINUSE" ? "the port is in use" : wordsOf(err);
      throw new Error(`${l.kind} listener cannot open ${shown(host, l.port)}: ${why}`);
    }
    l.port = l.server.port ?? l.port;
    log.info("listening", { listener: protocolOf(l), address: shown(host, l.port) });
  }

  const find = (protocol: string, port: number): Open | undefined => open.find((l) => protocolOf(l) === protocol && l.port === port);

  /** The request that asked for it is answered before its server closes. */
  async function stop(kind: Port): Promise<void> {
    const mine = open.filter((l) => l.kind === kind);
    open = open.filter((l) => l.kind !== kind);
    for (const l of mine) close(l);
  }

  /** What is being answered is answered to its end; streams, which have none, are ended. */
  function close(l: Open): void {
    l.gate.close();
    void l.server?.stop(false);
    l.server = null;
  }

  return {
    stop,

    /** In place of those of the kind that are open. Rejects when one cannot be opened, and then none is. */
    async openAll(kind: Port, listeners: readonly HttpListenerConfig[]): Promise<void> {
      await stop(kind);
      try {
        for (const config of listeners) {
          const secure = config.tls ? await tls(`${kind}.listener.https`, config.tls) : null;
          const l: Open = { kind, config, secure, server: null, gate: new Gate(kind, config), port: config.port };
          listen(l);
          open.push(l);
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
      for (const l of open) void l.server?.stop(true);
      open = [];
      if (ctl === null) return;
      void ctl.server.stop(true);
      if (existsSync(ctl.path)) unlinkSync(ctl.path);
      ctl = null;
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
      close(l);
      return true;
    },

    startOne(protocol: string, port: number): boolean {
      const l = find(protocol, port);
      if (!l || l.server) return false;
      listen(l);
      return true;
    },
  };
}
