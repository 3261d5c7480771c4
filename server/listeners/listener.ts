/** One configured listener: who is let in, what each connection is built of, and how its port is opened and reopened. */

import type { ListenerConfig } from "../config/types.ts";
import type { ListenerInfo } from "../core/ports.ts";
import type { PeerCertificate } from "../core/types.ts";
import { lineOf, stackOf } from "../lib/errors.ts";
import { type OriginCheck, originCheck } from "../lib/origin.ts";
import { seldomOf } from "../lib/seldom.ts";
import { Connection } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import { bindError, ListenerError } from "./errors.ts";
import { type AccessCheck, Bucket, type ConnectionBudget, compileAccess, plainIp } from "./limits.ts";
import type { ChannelLike, Link, ListenerDeps, Port } from "./link.ts";
import { ProxyGate } from "./proxy_protocol.ts";
import { loadTls, peerCertificate, stampOf, type TlsMaterial, type TlsPeer } from "./tls.ts";
import { TlsLayer } from "./tls_layer.ts";
import { WsHandshake, type WsLink, type WsRules, WsShared, wsRules } from "./ws.ts";
import type { WsOpenings } from "./ws_openings.ts";
import { type ServeLink, ServeLinks, serveWebSocket, type WsOwner } from "./ws_serve.ts";

const WS_HANDSHAKE_MS = 10_000;
const LINGER_MS = 1000;
const WARN_EVERY_MS = 10_000;
/** Reasons of refusals that the operator may want to do something about. */
const TOLD: ReadonlySet<string> = new Set(["open_files", "max_connections", "conn_rate", "ws_origin", "ws_openings"]);
const SERVER_SHUTTING_DOWN = 0x8b;

type Socket = Bun.Socket<Connection | undefined>;
type Handlers = Bun.SocketHandler<Connection | undefined>;

export class Listener {
  readonly info: ListenerInfo;
  readonly key: string;
  readonly deadlines: Deadlines<Connection>;
  /** Connections whose reading stands still because of the rate limit. */
  readonly slowed: Deadlines<Connection>;
  readonly lingerMs = LINGER_MS;
  /** Connections now, refused ones not counted; and how many there have been. */
  current = 0;
  accepted = 0;
  readonly rejections = new Map<string, number>();
  /** The real port, also when 0 was configured. */
  port: number;
  tls: TlsMaterial | null = null;
  #first: Connection | null = null;
  #server: Port | null = null;
  readonly #served: ServeLinks;
  #rate: Bucket | null;
  readonly #access: AccessCheck | null;
  readonly #origins: OriginCheck;
  readonly #shared = new WsShared();
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly config: ListenerConfig,
    private readonly deps: ListenerDeps,
    private readonly budget: ConnectionBudget,
    private readonly openings: WsOpenings,
  ) {
    this.key = `listener.${config.kind}.${config.name}`;
    this.port = config.port;
    this.info = {
      protocol: `mqtt:${config.kind}`,
      name: config.name,
      isWebSocket: config.kind === "ws" || config.kind === "wss",
      zone: config.zone,
      peerCertAsUsername: config.peerCertAsUsername,
      shutdowns: new Map(),
    };
    this.#access = this.#compileAccess();
    this.#origins = originCheck(config.allowOrigins);
    this.#rate = config.maxConnRate > 0 ? new Bucket(config.maxConnRate, config.maxConnRate, this.now()) : null;
    this.deadlines = new Deadlines(deps.clock, (c) => c.expired());
    this.slowed = new Deadlines(deps.clock, (c) => c.paid());
    this.#served = new ServeLinks(deps.clock, config);
  }

  #compileAccess(): AccessCheck | null {
    try {
      return compileAccess(this.config.access);
    } catch (err) {
      throw new ListenerError(this.key, `access: ${lineOf(err)}`);
    }
  }

  now(): number {
    return this.deps.clock.mono();
  }

  get secure(): boolean {
    return this.config.tls !== null;
  }
  get open(): boolean {
    return this.#server !== null;
  }

  // ---- the port

  /** `tls`: of `loadTls`. Throws ListenerError. */
  start(tls: TlsMaterial | null): void {
    this.tls = tls;
    // The port of a TLS listener is opened a second time when its certificate changes, which needs reusePort. Another process
    // with reusePort would share the port unnoticed, so it is tried without first.
    const reusable = this.secure && !this.config.proxyProtocol;
    if (reusable && this.port !== 0) this.#bind(false).stop(true);
    this.#server = this.#bind(reusable);
    this.port = this.#server.port;
  }

  /** The certificate files as they are now; null = no TLS. Rejects with a ListenerError. */
  async loadTls(): Promise<TlsMaterial | null> {
    const { deps, info, key } = this;
    const { tls } = this.config;
    return tls && loadTls(key, tls, info.isWebSocket ? "http/1.1" : "mqtt", deps.dataDir, deps.clock.now());
  }

  /** Bun.serve speaks WebSocket for us, unless the connection has to be looked at before or below HTTP. */
  get #byBun(): boolean {
    const { proxyProtocol, tls, rateLimit } = this.config;
    return this.info.isWebSocket && !proxyProtocol && rateLimit === null && tls?.verifyPeer !== true && this.deps.ownWebSocket !== true;
  }

  #bind(reusePort: boolean): Port {
    const { host, proxyProtocol } = this.config;
    if (this.#byBun) return this.#serve(reusePort);
    const tls = proxyProtocol || this.tls === null ? {} : { tls: this.tls.options };
    // reusePort works, but is missing from Bun's types.
    const options = { hostname: host, port: this.port, reusePort, socket: this.#handlers(), ...tls };
    try {
      return Bun.listen<Connection | undefined>(options);
    } catch (err) {
      throw bindError(this.key, host, this.port, err);
    }
  }

  #serve(reusePort: boolean): Port {
    const owner: WsOwner = {
      config: this.config,
      origins: this.#origins,
      refusal: (ip) => this.refusal(ip),
      rejected: (reason, ip) => this.rejected(reason, ip),
      links: this.#served,
      openings: this.openings,
      opened: (link) => {
        this.count();
        return this.deps.accept(link, this.info, null);
      },
      closed: () => {
        this.current--;
        this.budget.open--;
      },
      failed: (link, err) => {
        this.deps.log.error("connection failed", { listener: this.key, ip: link.ip, error: err.stack ?? err.message });
        link.abort("internal_error");
      },
    };
    try {
      const server = serveWebSocket(owner, this.port, reusePort, this.tls?.options ?? null, this.#wsRules().maxFrame);
      return { port: server.port as number, stop: (all) => void server.stop(all) };
    } catch (err) {
      throw bindError(this.key, this.config.host, this.port, err);
    }
  }

  /**
   * Read the certificate files again; new connections get the new certificate, old ones stay. Bun cannot exchange the
   * certificate of a listener: a second one is opened beside it, then the first is closed without its connections.
   * Returns false when nothing had changed. Throws ListenerError and goes on as before when the new files are no good.
   */
  async reloadCertificate(): Promise<boolean> {
    const old = this.tls;
    if (old === null || this.#server === null || stampOf(old.files) === old.stamp) return false;
    const fresh = await this.loadTls();
    const before = this.#server;
    if (before === null || fresh === null) return false;
    this.tls = fresh;
    if (this.config.proxyProtocol) return true;
    try {
      this.#server = this.#bind(true);
    } catch (err) {
      this.tls = old;
      throw err;
    }
    before.stop(false);
    return true;
  }

  /** No new connections; the present ones stay. */
  close(): void {
    this.#server?.stop(false);
    this.#server = null;
  }

  /** No new connections, and good-bye to the present ones: each in its protocol's way, then slowly closed. */
  dismiss(): void {
    this.close();
    this.#each((c) => c.channel.close?.(SERVER_SHUTTING_DOWN, "listener_stopped"));
    this.deps.flush?.();
    this.#each((c) => c.end());
  }

  /** Whoever is still there is cut off. Only at the end of the node. */
  cutOff(): void {
    this.#each((c) => c.destroy());
    this.deadlines.stop();
    this.slowed.stop();
    this.#served.stop();
  }

  /** With every connection, whatever happens to one of them. */
  #each(fn: (c: Connection | ServeLink) => void): void {
    const all: (Connection | ServeLink)[] = this.#served.all();
    for (let c = this.#first; c !== null; c = c.next) all.push(c);
    for (const c of all) {
      try {
        fn(c);
      } catch (err) {
        this.deps.log.error("connection failed", { listener: this.key, ip: c.ip, error: stackOf(err) });
      }
    }
  }

  // ---- a connection's way

  #handlers(): Handlers {
    const base: Handlers = {
      open: (s) => this.opened(s),
      data(s, chunk) {
        (s.data as Connection).channel.onData(chunk);
      },
      drain(s) {
        s.data?.drained();
      },
      close(s, err) {
        s.data?.closed(err);
      },
      error: (s, err) => this.#failed(s, err),
    };
    if (this.config.rateLimit !== null) {
      base.data = (s, chunk) => {
        const c = s.data as Connection;
        c.channel.onData(chunk);
        if (c.meter !== null) c.charge(c.meter, chunk.length);
      };
    }
    if (this.secure && !this.config.proxyProtocol) {
      base.handshake = (s, ok, err) => {
        if (s.data === undefined) return;
        if (!ok) {
          this.deps.log.debug("TLS handshake failed", { listener: this.key, ip: s.data.ip, error: err === null ? "" : lineOf(err) });
          s.data.because("tls_error");
        } else this.#secured(s.data, s as unknown as TlsPeer);
      };
    }
    return base;
  }

  private opened(s: Socket): void {
    const ip = plainIp(s.remoteAddress);
    const refusal = this.refusal(ip);
    if (refusal !== "") {
      this.rejected(refusal, ip);
      s.terminate();
      return;
    }
    const c = new Connection(this, s, ip, s.remotePort);
    s.data = c;
    this.link(c);
    // Bun has switched TCP_NODELAY on.
    if (!this.config.nodelay) s.setNoDelay(false);
    const limit = this.config.rateLimit;
    if (limit !== null) c.meter = new Bucket(limit.rate, limit.burst, this.now());
    if (this.config.proxyProtocol) this.#awaitProxy(c);
    else if (this.tls !== null) c.expectWithin(this.#handshakeMs(), "tls_handshake_timeout");
    else this.begin(c, null);
  }

  /** Why a newcomer is not let in; "" = it is. The rules look at the socket's own address, as in EMQ X 3.1. */
  private refusal(ip: string): string {
    if (ip === "") return "reset";
    if (this.budget.open >= this.budget.max) return "open_files";
    if (this.current >= this.config.maxConnections) return "max_connections";
    if (this.#access !== null && !this.#access(ip)) return "access";
    if (this.#rate !== null && !this.#rate.take(1, this.now())) return "conn_rate";
    return "";
  }

  #awaitProxy(c: Connection): void {
    c.expectWithin(this.config.proxyProtocolTimeoutMs, "proxy_protocol_timeout");
    c.channel = new ProxyGate(
      c,
      (link, rest) => this.#proxied(link, rest),
      (why) => this.deps.log.debug("bad PROXY protocol header", { listener: this.key, ip: c.ip, why }),
    );
  }

  #proxied(link: Link, rest: Uint8Array): void {
    if (this.tls === null) {
      this.begin(link, null);
    } else {
      link.expectWithin(this.#handshakeMs(), "tls_handshake_timeout");
      link.channel = new TlsLayer(
        link,
        this.tls,
        [this.info.isWebSocket ? "http/1.1" : "mqtt"],
        (layer, socket) => this.#secured(layer, socket as unknown as TlsPeer),
        (why) => this.deps.log.debug("TLS handshake failed", { listener: this.key, ip: link.ip, error: why }),
      );
    }
    if (rest.length > 0) link.channel.onData(rest);
  }

  #handshakeMs(): number {
    return this.config.tls?.handshakeTimeoutMs ?? WS_HANDSHAKE_MS;
  }

  #secured(link: Link, socket: TlsPeer): void {
    const cert = peerCertificate(socket, this.tls as TlsMaterial, this.config.peerCertAsUsername === "crt");
    if (cert === "invalid") {
      this.deps.log.debug("client certificate not accepted", { listener: this.key, ip: link.ip });
      link.abort("peer_certificate");
    } else this.begin(link, cert);
  }

  /** TLS and proxies are dealt with: WebSocket, or straight to the channel. */
  private begin(link: Link, cert: PeerCertificate | null): void {
    if (!this.info.isWebSocket) {
      link.settled();
      link.channel = this.deps.accept(link, this.info, cert);
      return;
    }
    link.expectWithin(WS_HANDSHAKE_MS, "ws_handshake_timeout");
    link.channel = new WsHandshake(
      link,
      this.#wsRules(),
      this.#shared,
      (ws: WsLink): ChannelLike => this.deps.accept(ws, this.info, cert),
      (r) => {
        if (r.status === 403) this.rejected("ws_origin", link.ip);
        this.deps.log.debug("WebSocket refused", { listener: this.key, ip: link.ip, status: r.status, why: r.text });
      },
    );
  }

  #wsRules(): WsRules {
    return wsRules(this.config, this.#origins, this.deps.maxPacketSize?.(this.config.zone));
  }

  /** Either TLS broke, or one of our own handlers threw: a bug must cost one connection, not the process. */
  #failed(s: Socket, err: Error): void {
    const c = s.data;
    if (String((err as { code?: unknown }).code ?? "").startsWith("ERR_SSL")) {
      c?.because("tls_error");
      return;
    }
    this.deps.log.error("connection failed", { listener: this.key, ip: c?.ip, error: err.stack ?? err.message });
    if (c === undefined) s.terminate();
    else c.abort("internal_error");
  }

  // ---- books

  private link(c: Connection): void {
    c.next = this.#first;
    if (this.#first !== null) this.#first.prev = c;
    this.#first = c;
    this.count();
  }

  private count(): void {
    this.current++;
    this.accepted++;
    this.budget.open++;
  }

  /** A connection is closed. */
  forget(c: Connection): void {
    if (c.prev !== null) c.prev.next = c.next;
    else this.#first = c.next;
    if (c.next !== null) c.next.prev = c.prev;
    c.prev = c.next = null;
    this.current--;
    this.budget.open--;
    this.deadlines.clear(c);
    if (c.meter !== null) this.slowed.clear(c);
  }

  /** Count a connection that never became a client's. */
  rejected(reason: string, ip: string): void {
    const count = (this.rejections.get(reason) ?? 0) + 1;
    this.rejections.set(reason, count);
    this.deps.rejected?.(reason);
    if (!TOLD.has(reason) || this.now() - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = this.now();
    this.deps.log.warn("connections refused", { listener: this.key, reason, ip, count, connections: this.current });
  }
}

seldomOf(Listener, "opened", "refusal", "begin", "link", "count", "forget");
