/** Real sockets around `Listeners`, a recording channel instead of the core's, and certificates made on the spot. */

import { mkdtempSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ListenerConfig, TlsConfig } from "../../../server/config/types.ts";
import type { ListenerInfo, Transport } from "../../../server/core/ports.ts";
import type { PeerCertificate } from "../../../server/core/types.ts";
import { type ListenerDeps, Listeners } from "../../../server/listeners/index.ts";
import { ConnectionBudget } from "../../../server/listeners/limits.ts";
import type { ChannelLike } from "../../../server/listeners/link.ts";
import { FakeClock } from "../../support/access.ts";
import { until } from "../../support/until.ts";

export { until };

export const tempDir = (): string => mkdtempSync(join(tmpdir(), "listeners-"));

export function config(over: Partial<ListenerConfig> = {}): ListenerConfig {
  const kind = over.kind ?? "tcp";
  return {
    kind,
    name: "external",
    host: "127.0.0.1",
    port: 0,
    listenOn: "127.0.0.1:0",
    zone: "external",
    acceptors: 4,
    maxConnections: 1000,
    maxConnRate: 0,
    access: [],
    rateLimit: null,
    proxyProtocol: false,
    proxyProtocolTimeoutMs: 3000,
    peerCertAsUsername: "",
    nodelay: true,
    sendTimeoutMs: 15000,
    sendTimeoutClose: true,
    tls: kind === "ssl" || kind === "wss" ? tlsConfig() : null,
    mqttPath: "/mqtt",
    verifyProtocolHeader: true,
    proxyAddressHeader: "",
    trustedProxies: [],
    proxyPortHeader: "",
    compress: false,
    maxFrameSize: 0,
    allowOrigins: [],
    ...over,
  };
}

export function tlsConfig(over: Partial<TlsConfig> = {}): TlsConfig {
  return {
    keyfile: "",
    certfile: "",
    cacertfile: "",
    verifyPeer: false,
    failIfNoPeerCert: false,
    versions: [],
    ciphers: "",
    handshakeTimeoutMs: 15000,
    ...over,
  };
}

export class Recorder implements ChannelLike {
  readonly chunks: Uint8Array[] = [];
  drains = 0;
  phase = "opening";
  reason: string | null = null;
  /** Called for each chunk after it is recorded. */
  react: ((chunk: Uint8Array) => void) | null = null;
  reactDrain: (() => void) | null = null;

  constructor(
    readonly transport: Transport,
    readonly info: ListenerInfo,
    readonly cert: PeerCertificate | null,
  ) {}

  onData(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.react?.(chunk);
  }
  onDrain(): void {
    this.drains++;
    this.reactDrain?.();
  }
  onClose(reason: string): void {
    if (this.reason !== null) throw new Error("onClose twice");
    this.reason = reason;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
  get text(): string {
    return this.bytes.toString("latin1");
  }
  send(text: string | Uint8Array): number {
    const b = Buffer.from(text as string);
    return this.transport.write(b, 0, b.length);
  }
  /** Send everything, as the core does: what is not taken goes out with `onDrain`. */
  sendAll(bytes: Uint8Array): Promise<void> {
    let at = 0;
    return new Promise((done) => {
      const pump = (): void => {
        const n = this.transport.write(bytes, at, bytes.length - at);
        at += Math.max(0, n);
        if (n < 0 || at === bytes.length) {
          this.reactDrain = null;
          done();
        }
      };
      this.reactDrain = pump;
      pump();
    });
  }
}

export interface Fixture {
  listeners: Listeners;
  /** Every deadline is on it, and it stands still until told: nothing runs out because the machine is slow. */
  clock: FakeClock;
  channels: Recorder[];
  logs: string[];
  port: number;
  dataDir: string;
  /** The n-th accepted channel, as soon as it is there. */
  channel(n?: number): Promise<Recorder>;
}

const running: { listeners: Listeners; clock: FakeClock }[] = [];

/** Listeners that are stopped by `stopAll` after the test. */
export async function serve(configs: ListenerConfig[], deps: Partial<ListenerDeps> = {}, budget = 10_000): Promise<Fixture> {
  const channels: Recorder[] = [];
  const clock = new FakeClock();
  const logs: string[] = [];
  const dataDir = deps.dataDir ?? tempDir();
  const log = (level: string) => (message: string, fields?: Record<string, unknown>) => {
    logs.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  };
  const listeners = new Listeners(
    {
      accept: (t, l, cert) => {
        const r = new Recorder(t, l, cert);
        channels.push(r);
        return r;
      },
      log: { error: log("error"), warn: log("warn"), notice: log("notice"), info: log("info"), debug: log("debug") },
      clock,
      dataDir,
      // What Bun.serve serves has tests of its own.
      ownWebSocket: deps.ownWebSocket ?? true,
      ...deps,
    },
    new ConnectionBudget(budget),
  );
  await listeners.start(configs);
  running.push({ listeners, clock });
  return {
    listeners,
    clock,
    channels,
    logs,
    dataDir,
    port: listeners.list()[0]?.port ?? 0,
    async channel(n = 0) {
      await until(() => channels.length > n, `channel ${n}`);
      return channels[n] as Recorder;
    },
  };
}

/** `work`, while time goes on for these listeners. */
async function whileTimePasses(clocks: readonly FakeClock[], work: () => Promise<void>): Promise<void> {
  const hand = setInterval(() => {
    for (const clock of clocks) clock.forward(10);
  }, 10);
  await work().finally(() => clearInterval(hand));
}

/** As `Listeners.stop`, which gives connections some time to end. */
export const stop = (f: Fixture): Promise<void> => whileTimePasses([f.clock], () => f.listeners.stop());

export async function stopAll(): Promise<void> {
  for (const c of clients.splice(0)) c.destroy();
  const all = running.splice(0);
  await whileTimePasses(
    all.map((r) => r.clock),
    async () => {
      for (const r of all) await r.listeners.stop();
    },
  );
}

/** What a client saw. */
export interface Client {
  socket: net.Socket;
  received: () => Buffer;
  ended: () => boolean;
  closed: () => boolean;
  error: () => string;
  destroy(): void;
}

const clients: Client[] = [];

export function watch(socket: net.Socket): Client {
  const chunks: Buffer[] = [];
  let ended = false;
  let closed = false;
  let error = "";
  socket.on("data", (d: Buffer) => chunks.push(d));
  socket.on("end", () => {
    ended = true;
  });
  socket.on("close", () => {
    closed = true;
  });
  socket.on("error", (e: Error & { code?: string }) => {
    error = e.code ?? e.message;
  });
  const client: Client = {
    socket,
    received: () => Buffer.concat(chunks),
    ended: () => ended,
    closed: () => closed,
    error: () => error,
    destroy: () => void socket.destroy(),
  };
  clients.push(client);
  return client;
}

export async function connect(port: number, host = "127.0.0.1"): Promise<Client> {
  const socket = net.connect({ port, host, allowHalfOpen: true });
  const client = watch(socket);
  await until(() => socket.readyState === "open" || client.error() !== "" || client.closed(), "connect");
  return client;
}

/** Each piece is written in a turn of its own, so that the other end reads it alone. */
export async function trickle(c: Client, bytes: Uint8Array, size: number): Promise<void> {
  c.socket.setNoDelay(true);
  for (let i = 0; i < bytes.length; i += size) {
    await new Promise((written) => c.socket.write(bytes.subarray(i, i + size), written));
    await new Promise((turn) => setImmediate(turn));
  }
}

// ---- certificates

export interface Pair {
  key: string;
  cert: string;
  keyfile: string;
  certfile: string;
}

type Made = { pair: Pair; keys: CryptoKeyPair };
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A certificate in files of its own; signed by `issuer`, or by itself. */
export async function certificate(name: string, dir: string, issuer?: Made & { name: string }): Promise<Made & { name: string }> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: Buffer.from(crypto.getRandomValues(new Uint8Array(8)))
      .toString("hex")
      .replace(/^./, "4"),
    subject: name,
    issuer: issuer?.name ?? name,
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    extensions: [new x509.BasicConstraintsExtension(issuer === undefined)],
  });
  const key = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const base = join(dir, crypto.randomUUID());
  const pair = {
    key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
    cert: `${cert.toString("pem")}\n`,
    keyfile: `${base}.key`,
    certfile: `${base}.pem`,
  };
  writeFileSync(pair.keyfile, pair.key);
  writeFileSync(pair.certfile, pair.cert);
  return { pair, keys, name };
}
