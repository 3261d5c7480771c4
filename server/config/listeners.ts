/** From `listener.*` keys to the listeners that are to be opened. */
import type { Address } from "../lib/units.ts";
import type { Config } from "./config.ts";
import type { ListenerConfig, ListenerKind, TlsConfig } from "./types.ts";

const KINDS: readonly ListenerKind[] = ["tcp", "ssl", "ws", "wss"];

/** In the order in which EMQ X lists them. `exists` tells whether a file is there. */
export function listenersOf(config: Config, exists: (file: string) => boolean): ListenerConfig[] {
  // Gathered for all of them at once: each looking through all keys would take time with the square of them.
  const written = Map.groupBy(config.written(), (key) => key.split(".", 3).join("."));
  const one = (kind: ListenerKind, name: string): ListenerConfig[] => {
    const prefix = `listener.${kind}.${name}`;
    return listener(config, kind, name, config.ids(`${prefix}.access`, written.get(prefix) ?? []), exists);
  };
  return KINDS.flatMap((kind) => config.listenerNames(kind).flatMap((name) => one(kind, name)));
}

/** What opens each of them, whether it is set or not. */
export function listenerKeys(config: Config): string[] {
  return KINDS.flatMap((kind) => config.listenerNames(kind).map((name) => `listener.${kind}.${name}`));
}

/** `rules`: what its access rules are called, in their order. */
function listener(
  config: Config,
  kind: ListenerKind,
  name: string,
  rules: readonly string[],
  exists: (file: string) => boolean,
): ListenerConfig[] {
  const prefix = `listener.${kind}.${name}`;
  const where = config.get(prefix) as Address | null;
  if (where === null) return [];
  const of = (key: string): unknown => config.get(`${prefix}.${key}`);
  const n = (key: string): number => Number(of(key));
  const web = kind === "ws" || kind === "wss";
  const secure = kind === "ssl" || kind === "wss";
  return [
    {
      kind,
      name,
      host: where.host,
      port: where.port,
      listenOn: where.text,
      zone: String(of("zone")),
      acceptors: n("acceptors"),
      maxConnections: n("max_connections"),
      maxConnRate: n("max_conn_rate"),
      access: rules.map((i) => of(`access.${i}`) as { allow: boolean; cidr: string }),
      rateLimit: of("rate_limit") as ListenerConfig["rateLimit"],
      proxyProtocol: of("proxy_protocol") === true,
      proxyProtocolTimeoutMs: n("proxy_protocol_timeout"),
      peerCertAsUsername: (of("peer_cert_as_username") ?? "") as ListenerConfig["peerCertAsUsername"],
      nodelay: of("nodelay") === true,
      sendTimeoutMs: n("send_timeout"),
      sendTimeoutClose: of("send_timeout_close") === true,
      tls: secure ? tls(config, prefix, exists) : null,
      mqttPath: web ? String(of("mqtt_path")) : "",
      verifyProtocolHeader: web && of("verify_protocol_header") === true,
      proxyAddressHeader: web ? String(of("proxy_address_header") ?? "") : "",
      trustedProxies: web ? ((of("trusted_proxies") ?? []) as string[]) : [],
      proxyPortHeader: web ? String(of("proxy_port_header") ?? "") : "",
      compress: web && of("compress") === true,
      maxFrameSize: web ? Number(of("max_frame_size") ?? 0) : 0,
      allowOrigins: web ? ((of("allow_origins") ?? []) as string[]) : [],
    },
  ];
}

function tls(config: Config, prefix: string, exists: (file: string) => boolean): TlsConfig {
  const of = (key: string): unknown => config.get(`${prefix}.${key}`);
  /** The shipped path means "if it is there"; one that somebody wrote must be there. */
  const file = (key: string): string => {
    const path = String(of(key) ?? "");
    return config.origin(`${prefix}.${key}`) === "default" && !exists(path) ? "" : path;
  };
  return {
    keyfile: file("keyfile"),
    certfile: file("certfile"),
    cacertfile: String(of("cacertfile") ?? ""),
    verifyPeer: of("verify") === "verify_peer",
    failIfNoPeerCert: of("fail_if_no_peer_cert") === true,
    versions: (of("tls_versions") as TlsConfig["versions"] | null) ?? [],
    ciphers: String(of("ciphers") ?? "").replaceAll(",", ":"),
    handshakeTimeoutMs: Number(of("handshake_timeout")),
  };
}
