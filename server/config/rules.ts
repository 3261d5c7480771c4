/** What values of the right form must be besides: rules over more than one key. What needs files or sockets is looked at elsewhere. */
import type { Address } from "../lib/units.ts";
import type { Config } from "./config.ts";
import { listenerKeys } from "./listeners.ts";
import type { SettingProblem, TlsConfig } from "./types.ts";

/** A key that opens a port. */
export interface ListeningKey {
  key: string;
  address: Address;
}
/** A listener with TLS; `prefix` is its key, e.g. "listener.ssl.external". */
export interface SecureListener {
  prefix: string;
  tls: TlsConfig;
}

const TLS_KEYS = ["keyfile", "certfile", "cacertfile", "verify", "fail_if_no_peer_cert", "tls_versions", "ciphers"];
const NAMES_MAX = 20;
const HTTP_LISTENER = /^\w+\.listener\.(https?)$/;

export function brokenRules(config: Config): SettingProblem[] {
  return [...missingZones(config), ...unreadProxies(config), ...sharedAddresses(config)];
}

/** As many as somebody reads. */
function namesOf(names: readonly string[]): string {
  const more = names.length - NAMES_MAX;
  return more > 0 ? `${names.slice(0, NAMES_MAX).join(", ")} and ${more} more` : names.join(", ");
}

function missingZones(config: Config): SettingProblem[] {
  const zones = config.zones();
  const there = namesOf([...zones.keys()]);
  return config
    .listeners()
    .filter((l) => !zones.has(l.zone))
    .map((l) => {
      const key = `listener.${l.kind}.${l.name}.zone`;
      return { keys: [key], message: `${key} = ${l.zone}: there is no such zone; expected one of ${there}, or set zone.${l.zone}.*` };
    });
}

/** Proxies that are named, and no header of theirs that is read: all clients would count as the proxy, and nothing would say so. */
function unreadProxies(config: Config): SettingProblem[] {
  return config
    .listeners()
    .filter((l) => l.trustedProxies.length > 0 && l.proxyAddressHeader === "" && l.proxyPortHeader === "")
    .map((l) => {
      const prefix = `listener.${l.kind}.${l.name}`;
      const [key, header] = [`${prefix}.trusted_proxies`, `${prefix}.proxy_address_header`];
      return {
        keys: [key, header],
        message: `${key} = ${config.raw(key)}: without ${header} nothing that these proxies tell is read; expected that header, too, e.g. X-Forwarded-For`,
      };
    });
}

/** Two listeners cannot open one port. Port 0 is another one each time. Of each is told the first that has its port, since there may be many. */
function sharedAddresses(config: Config): SettingProblem[] {
  const ofPort = Map.groupBy(listeningKeys(config), ({ address }) => address.port);
  return [...ofPort.values()].flatMap((all) =>
    all.flatMap((b, i) => {
      const a = all.find((other, j) => j >= i || overlap(other.address, b.address));
      return a === undefined || a === b ? [] : [shared(a, b)];
    }),
  );
}

function shared(a: ListeningKey, b: ListeningKey): SettingProblem {
  const message = `${b.key} = ${b.address.text}: expected an address that no other listener has; ${a.key} = ${a.address.text} has it`;
  return { keys: [b.key, a.key], message };
}

function overlap(a: Address, b: Address): boolean {
  if (a.port === 0 || a.port !== b.port) return false;
  const everywhere = (host: string): boolean => host === "0.0.0.0" || host === "::";
  // "::" takes IPv4 too; an IPv6 address and 0.0.0.0 go side by side.
  if (a.host === "0.0.0.0" && b.host.includes(":")) return b.host === "::";
  if (b.host === "0.0.0.0" && a.host.includes(":")) return a.host === "::";
  return a.host === b.host || everywhere(a.host) || everywhere(b.host);
}

/** All addresses the node will listen on: MQTT, and the HTTP servers of the plugins that cannot be unloaded. */
export function listeningKeys(config: Config): ListeningKey[] {
  return [...listenerKeys(config), ...httpKeys(config)].flatMap((key) => {
    const address = config.get(key) as Address | null;
    return address === null ? [] : [{ key, address }];
  });
}

function httpKeys(config: Config): string[] {
  return config.keys.rows.filter((r) => r.app !== "emqx" && HTTP_LISTENER.test(r.pattern)).map((r) => r.pattern);
}

/** Listeners with TLS that will be opened. */
export function secureListeners(config: Config): SecureListener[] {
  const mqtt = config.listeners().flatMap((l) => (l.tls === null ? [] : [{ prefix: `listener.${l.kind}.${l.name}`, tls: l.tls }]));
  const http = httpKeys(config).filter((key) => key.endsWith(".https") && config.get(key) !== null);
  return [...mqtt, ...http.map((prefix) => ({ prefix, tls: httpTls(config, prefix) }))];
}

function httpTls(config: Config, prefix: string): TlsConfig {
  const of = (key: string): unknown => (config.keys.find(`${prefix}.${key}`) === undefined ? null : config.get(`${prefix}.${key}`));
  return {
    keyfile: String(of("keyfile") ?? ""),
    certfile: String(of("certfile") ?? ""),
    cacertfile: String(of("cacertfile") ?? ""),
    verifyPeer: of("verify") === "verify_peer",
    failIfNoPeerCert: of("fail_if_no_peer_cert") === true,
    versions: (of("tls_versions") as TlsConfig["versions"] | null) ?? [],
    ciphers: String(of("ciphers") ?? ""),
    handshakeTimeoutMs: 0,
  };
}

/** The keys that decide how a listener speaks TLS. */
export function tlsKeys(config: Config, prefix: string): string[] {
  return TLS_KEYS.map((k) => `${prefix}.${k}`).filter((key) => config.keys.find(key) !== undefined);
}
