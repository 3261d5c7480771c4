/** TLS settings of a listener, its certificate files, and what is known of a client by its certificate. */
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import type { TlsConfig } from "../config/types.ts";
import type { PeerCertificate } from "../core/types.ts";
import { lineOf } from "../lib/errors.ts";
import { whyUnreadable } from "../lib/file_errors.ts";
import { ListenerError } from "./errors.ts";
import { selfSignedFiles } from "./self_signed.ts";

/** Bit of each version in the number TLS gives it, and OpenSSL's option that switches it off. */
const VERSIONS: readonly { name: string; wire: number; off: number }[] = [
  { name: "tlsv1", wire: 0x0301, off: 0x04000000 },
  { name: "tlsv1.1", wire: 0x0302, off: 0x10000000 },
  { name: "tlsv1.2", wire: 0x0303, off: 0x08000000 },
  { name: "tlsv1.3", wire: 0x0304, off: 0x20000000 },
];

/** What is spoken inside TLS, by its ALPN identification sequence. */
export type Alpn = "mqtt" | "http/1.1";

/** Everything a TLS handshake needs, read and checked. */
export interface TlsMaterial {
  options: Bun.TLSOptions;
  /** For TLS over something that is no plain socket; made when first asked for. */
  context(): SecureContext;
  requestCert: boolean;
  /** A client without a valid certificate is refused. */
  mustHaveCert: boolean;
  /** Files it was read from, and their state then. */
  files: readonly string[];
  stamp: string;
}

type Config = Omit<TlsConfig, "handshakeTimeoutMs">;

/** Read the files and check that they make a usable context. `label` is the listener's key. Throws ListenerError. */
export async function loadTls(label: string, cfg: Config, alpn: Alpn, dataDir: string, now: number): Promise<TlsMaterial> {
  checkPair(label, cfg);
  const pair = cfg.keyfile === "" ? await selfSigned(label, dataDir, now) : cfg;
  const files = cfg.cacertfile === "" ? [pair.keyfile, pair.certfile] : [pair.keyfile, pair.certfile, cfg.cacertfile];
  const stamp = stampOf(files);
  const { context, key, cert, ca, ciphers, versions } = contextOf(label, { ...cfg, keyfile: pair.keyfile, certfile: pair.certfile });
  const mustHaveCert = cfg.verifyPeer && cfg.failIfNoPeerCert;
  return {
    // minVersion and maxVersion are taken (as numbers) but missing from Bun's types.
    options: {
      key,
      cert,
      ...(ca ? { ca } : {}),
      ...(ciphers ? { ciphers } : {}),
      ...versions,
      requestCert: cfg.verifyPeer,
      rejectUnauthorized: mustHaveCert,
      // In wire form: length before name.
      ALPNProtocols: String.fromCharCode(alpn.length) + alpn,
    } as Bun.TLSOptions,
    context: () => context,
    requestCert: cfg.verifyPeer,
    mustHaveCert,
    files,
    stamp,
  };
}

/** Would a listener start with these settings? `label` is its key. Throws ListenerError whose `listener` is the key at fault. */
export function checkTls(label: string, cfg: Config): void {
  checkPair(label, cfg);
  if (cfg.keyfile !== "") {
    contextOf(label, cfg);
    return;
  }
  const ca = cfg.cacertfile === "" ? {} : { ca: readPem(label, "cacertfile", cfg.cacertfile) };
  const ciphers = cipherList(cfg.ciphers);
  const versions = nodeVersions(versionRange(label, cfg.versions));
  checked(label, cfg, () => createSecureContext({ ...ca, ...(ciphers ? { ciphers } : {}), ...versions }));
}

function checkPair(label: string, cfg: Config): void {
  if ((cfg.keyfile === "") !== (cfg.certfile === "")) {
    const [missing, there] = cfg.keyfile === "" ? ["keyfile", "certfile"] : ["certfile", "keyfile"];
    throw new ListenerError(
      `${label}.${there}`,
      `${label}.${missing} is not set, but its counterpart is: set both, or none for a self-signed certificate`,
    );
  }
  if (cfg.verifyPeer && cfg.cacertfile === "") {
    throw new ListenerError(
      `${label}.verify`,
      `verify_peer needs the authority that signed the clients' certificates: set ${label}.cacertfile`,
    );
  }
}

interface Context {
  context: SecureContext;
  key: string;
  cert: string;
  ca: string | undefined;
  ciphers: string;
  versions: VersionOptions;
}

function contextOf(label: string, cfg: Config): Context {
  const key = readPem(label, "keyfile", cfg.keyfile);
  const cert = readPem(label, "certfile", cfg.certfile);
  const ca = cfg.cacertfile === "" ? undefined : readPem(label, "cacertfile", cfg.cacertfile);
  const versions = versionRange(label, cfg.versions);
  const ciphers = cipherList(cfg.ciphers);
  const make = (): SecureContext =>
    createSecureContext({ key, cert, ...(ca ? { ca } : {}), ...(ciphers ? { ciphers } : {}), ...nodeVersions(versions) });
  return { context: checked(label, cfg, make), key, cert, ca, ciphers, versions };
}

async function selfSigned(label: string, dataDir: string, now: number): Promise<{ keyfile: string; certfile: string }> {
  try {
    return await selfSignedFiles(dataDir, now);
  } catch (err) {
    throw new ListenerError(label, `cannot make a self-signed certificate in ${dataDir}/certs: ${lineOf(err)}`);
  }
}

/** A bad certificate is told at start, not at the first handshake. */
function checked(label: string, cfg: Config, make: () => SecureContext): SecureContext {
  try {
    return make();
  } catch (err) {
    const text = lineOf(err);
    if (text.includes("KEY_VALUES_MISMATCH"))
      throw new ListenerError(`${label}.keyfile`, `the key in ${cfg.keyfile} does not belong to the certificate in ${cfg.certfile}`);
    if (/cipher|INVALID_COMMAND|NO_CIPHER/i.test(text))
      throw new ListenerError(`${label}.ciphers`, `${cfg.ciphers} names no cipher that this build knows`);
    const files = [cfg.keyfile, cfg.certfile, cfg.cacertfile].filter((f) => f !== "");
    throw new ListenerError(`${label}.keyfile`, `${files.join(", ")}: no usable certificate and key in PEM form (${text})`);
  }
}

function readPem(label: string, key: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (err) {
    throw new ListenerError(`${label}.${key}`, `expected a file in PEM form, but ${path} cannot be read: ${whyUnreadable(err)}`);
  }
  if (!text.includes("-----BEGIN ")) throw new ListenerError(`${label}.${key}`, `${path} is not in PEM form`);
  return text;
}

interface VersionOptions {
  minVersion?: number;
  maxVersion?: number;
  secureOptions?: number;
}

/** The named versions; a gap between them is switched off by its own option. */
export function versionRange(label: string, names: readonly string[]): VersionOptions {
  if (names.length === 0) return {};
  for (const name of names) {
    if (!VERSIONS.some((v) => v.name === name)) {
      throw new ListenerError(`${label}.tls_versions`, `"${name}" is not one of ${VERSIONS.map((v) => v.name).join(", ")}`);
    }
  }
  const wanted = VERSIONS.filter((v) => names.includes(v.name));
  const min = wanted[0]?.wire ?? 0;
  const max = wanted.at(-1)?.wire ?? 0;
  const off = VERSIONS.filter((v) => v.wire > min && v.wire < max && !names.includes(v.name)).reduce((bits, v) => bits | v.off, 0);
  return { minVersion: min, maxVersion: max, ...(off !== 0 ? { secureOptions: off } : {}) };
}

function nodeVersions(v: VersionOptions): object {
  const name = (wire: number): string => (wire === 0x0301 ? "TLSv1" : `TLSv1.${wire - 0x0301}`);
  return {
    ...(v.minVersion === undefined ? {} : { minVersion: name(v.minVersion) }),
    ...(v.maxVersion === undefined ? {} : { maxVersion: name(v.maxVersion) }),
    ...(v.secureOptions === undefined ? {} : { secureOptions: v.secureOptions }),
  };
}

/** OpenSSL's separator; TLS 1.3 suites are always on and not part of its list. */
function cipherList(text: string): string {
  return text
    .split(/[\s,:]+/)
    .filter((c) => c !== "" && !c.startsWith("TLS_AES_") && !c.startsWith("TLS_CHACHA20_"))
    .join(":");
}

/** Changes when one of the files does. Those that are missing, or cannot be looked at, count as a state of their own. */
export function stampOf(files: readonly string[]): string {
  return files
    .map((f) => {
      try {
        const s = statSync(f);
        return `${s.mtimeMs}/${s.size}/${s.ino}`;
      } catch {
        return "-";
      }
    })
    .join(" ");
}

/** What Bun's and node's TLS sockets have in common. */
export interface TlsPeer {
  readonly authorized: boolean;
  getPeerCertificate(): unknown;
}

/**
 * The client's certificate; null = it gave none, "invalid" = it gave one (or should have) that our authority did not sign.
 * A handshake counts as successful even then.
 */
export function peerCertificate(socket: TlsPeer, tls: TlsMaterial, wantRaw: boolean): PeerCertificate | null | "invalid" {
  if (!tls.requestCert) return null;
  const cert = socket.getPeerCertificate() as { subject?: Record<string, string | string[]>; raw?: Uint8Array } | null | undefined;
  const given = cert?.raw !== undefined;
  if (!socket.authorized) return given || tls.mustHaveCert ? "invalid" : null;
  if (!given) return null;
  const subject = cert.subject ?? {};
  return {
    cn: [subject.CN ?? ""].flat().at(-1) ?? "",
    dn: distinguishedName(subject),
    raw: wantRaw ? Buffer.from(cert.raw as Uint8Array).toString("base64") : "",
  };
}

/** RFC 4514: most specific part first. */
function distinguishedName(subject: Record<string, string | string[]>): string {
  return Object.entries(subject)
    .flatMap(([type, value]) => [value].flat().map((v) => `${type}=${escapeDn(v)}`))
    .reverse()
    .join(",");
}

function escapeDn(value: string): string {
  return value
    .replace(/[,+"\\<>;]/g, "\\$&")
    .replace(/^[ #]/, "\\$&")
    .replace(/ $/, "\\ ");
}
