/** The keys of the MQTT listeners. */

import { parseCidr } from "../lib/cidr.ts";
import {
  address,
  byteRate,
  bytes,
  type ConfigTable,
  duration,
  type Entry,
  flag,
  ignored,
  inert,
  integer,
  list,
  listOf,
  oneOf,
  optional,
  text,
} from "../lib/config_entry.ts";
import { isOriginRule } from "../lib/origin.ts";
import { ranges } from "../lib/range_entry.ts";
import { TLS_VERSIONS } from "../lib/tls_versions.ts";
import { type Address, ValueError } from "../lib/units.ts";
import type { ListenerKind } from "./types.ts";

const boot = { live: false };
const RUNTIME = "The runtime and the system decide.";

/** An address, or off. */
function where(def: string, doc: string): Entry<Address | null> {
  const e = address(def, doc);
  return { ...e, expects: `${e.expects}, or off`, parse: (t) => (t.trim() === "off" ? null : e.parse(t)) };
}

/** "allow all", "deny 10.0.0.0/8" */
function accessRule(): Entry<{ allow: boolean; cidr: string }> {
  const expects = "allow or deny, and all, an address or a range, such as deny 10.0.0.0/8";
  return {
    ...text("allow all", "Who may connect; rules are tried in order of their number.", boot),
    expects,
    parse(t) {
      const m = /^(allow|deny)\s+(\S+)$/.exec(t.trim());
      if (!m || (m[2] !== "all" && parseCidr(m[2] as string) === null)) throw new ValueError(t, expects);
      return { allow: m[1] === "allow", cidr: m[2] as string };
    },
  };
}

/** "https://app.example.com", "app.example.com", "null", "all" */
function origins(): Entry<string[]> {
  const doc =
    "Web pages of other hosts that may connect: origins or hosts, separated by commas; null = pages without an origin, all = any. Pages of the same host may always (on any port), and so may clients that are no browsers.";
  const e = list("https://app.example.com,other.example.com", doc, boot);
  const expects = "origins or hosts separated by commas, such as https://app.example.com,other.example.com, or null, or all";
  const parse = (t: string): string[] => {
    const origins = e.parse(t);
    if (!origins.every(isOriginRule)) throw new ValueError(t, expects);
    return origins;
  };
  return { ...e, expects, parse };
}

interface Shipped {
  acceptors: number;
  max: number;
  rate: number;
  active: number;
  zone?: string;
  backlog?: number;
  sendTimeout?: string;
  nodelay?: "true" | "false";
}

function common(s: Shipped): ConfigTable {
  return {
    acceptors: inert(
      integer(s.acceptors, "Processes that accept connections.", { min: 1, ...boot }),
      "one event loop accepts them all; the number is only shown.",
    ),
    max_connections: integer(s.max, "Most connections at a time; never more than open files allow.", { min: 1, ...boot }),
    max_conn_rate: integer(s.rate, "New connections a second; 0 = no limit.", boot),
    active_n: ignored(String(s.active), RUNTIME),
    zone: text(s.zone ?? "external", "Zone of its clients.", boot),
    rate_limit: optional(byteRate("1024,4096", "Bytes a second read from a client, and burst.", boot)),
    "access.$id": accessRule(),
    proxy_protocol: flag("off", "Does a proxy in front tell the client's address (PROXY protocol 1 or 2)?", boot),
    proxy_protocol_timeout: duration("3s", "Time for its header.", boot),
    peer_cert_as_username: optional(oneOf(["cn", "dn", "crt"], "cn", "Part of the client's certificate that is its user name.", boot)),
    backlog: inert(
      integer(s.backlog ?? 1024, "Connections that may wait to be accepted.", { min: 1, ...boot }),
      "the runtime has its own length, 512.",
    ),
    send_timeout: duration(s.sendTimeout ?? "15s", "A client that takes nothing for so long is cut off.", boot),
    send_timeout_close: flag("on", "Is it?", boot),
    recbuf: ignored("2KB", RUNTIME, { required: false }),
    sndbuf: ignored("2KB", RUNTIME, { required: false }),
    buffer: ignored("2KB", RUNTIME, { required: false }),
    tune_buffer: ignored("off", RUNTIME, { required: false }),
    nodelay: flag(s.nodelay ?? "true", "Send small packets at once?", boot),
    reuseaddr: ignored("true", RUNTIME),
  };
}

const TLS: ConfigTable = {
  tls_versions: optional(listOf(TLS_VERSIONS, "tlsv1.3,tlsv1.2", "TLS versions offered.", boot)),
  handshake_timeout: duration("15s", "Time for the TLS handshake.", boot),
  keyfile: text("etc/certs/key.pem", "Private key; a self-signed pair is made while the default file does not exist.", boot),
  certfile: text("etc/certs/cert.pem", "Certificate.", boot),
  cacertfile: optional(text("etc/certs/cacert.pem", "Who may have signed a client's certificate.", boot)),
  dhfile: ignored("", "Elliptic curves are used instead.", { required: false }),
  verify: optional(oneOf(["verify_peer", "verify_none"], "verify_peer", "Are clients asked for certificates?", boot)),
  fail_if_no_peer_cert: optional(flag("true", "Are clients without one refused?", boot)),
  ciphers: optional(text("ECDHE-ECDSA-AES256-GCM-SHA384", "Ciphers offered, in OpenSSL's form.", boot)),
  psk_ciphers: ignored("", "The runtime has no TLS-PSK.", { required: false }),
  secure_renegotiate: ignored("off", RUNTIME, { required: false }),
  reuse_sessions: ignored("on", RUNTIME, { required: false }),
  honor_cipher_order: ignored("on", RUNTIME, { required: false }),
};

const DEFLATE = "level mem_level strategy server_context_takeover client_context_takeover server_max_window_bits client_max_window_bits";
const WEB: ConfigTable = {
  mqtt_path: text("/mqtt", "Path of the WebSocket.", boot),
  verify_protocol_header: flag("on", "Must clients ask for the subprotocol mqtt?", boot),
  proxy_address_header: optional(
    text(
      "X-Forwarded-For",
      "Header in which a proxy in front tells the client's address: the last one in it, as the nearest proxy appends it; see trusted_proxies.",
      boot,
    ),
  ),
  trusted_proxies: optional(
    ranges(
      "Proxies whose proxy_address_header and proxy_port_header are believed, one of which must be set: the client's is the last address there that is none of theirs. Unset: whoever connects is believed as to the last one.",
      boot,
    ),
  ),
  proxy_port_header: optional(text("X-Forwarded-Port", "Header in which it tells the port.", boot)),
  compress: optional(flag("true", "Compress frames?", boot)),
  ...Object.fromEntries(DEFLATE.split(" ").map((k) => [`deflate_opts.${k}`, ignored("", RUNTIME, { required: false })])),
  idle_timeout: ignored("60s", "Keep alive and the zone's idle_timeout decide.", { required: false }),
  max_frame_size: optional(bytes("0", "Largest frame; 0 = twice the zone's largest packet, at least 64KB.", boot)),
  allow_origins: optional(origins()),
};

const KINDS: Record<ListenerKind, ConfigTable> = {
  tcp: common({ acceptors: 8, max: 1024000, rate: 1000, active: 100 }),
  ssl: { ...common({ acceptors: 16, max: 102400, rate: 500, active: 100 }), ...TLS },
  ws: { ...common({ acceptors: 4, max: 102400, rate: 1000, active: 100 }), ...WEB },
  wss: { ...common({ acceptors: 4, max: 16, rate: 1000, active: 100 }), ...TLS, ...WEB },
};
const INTERNAL = common({
  acceptors: 4,
  max: 1024000,
  rate: 1000,
  active: 1000,
  zone: "internal",
  backlog: 512,
  sendTimeout: "5s",
  nodelay: "false",
});

const under = (prefix: string, table: ConfigTable): ConfigTable =>
  Object.fromEntries(Object.entries(table).map(([k, e]) => [`${prefix}.${k}`, e]));

export const LISTENER_KEYS: ConfigTable = {
  "listener.tcp.external": where("0.0.0.0:1883", "Where MQTT clients connect."),
  "listener.tcp.internal": where("127.0.0.1:11883", "Where services on this machine connect, without access rules."),
  "listener.ssl.external": where("8883", "MQTT over TLS."),
  "listener.ws.external": where("8083", "MQTT over WebSocket."),
  "listener.wss.external": where("8084", "MQTT over WebSocket over TLS."),
  ...under("listener.tcp.internal", INTERNAL),
  ...Object.fromEntries((["tcp", "ssl", "ws", "wss"] as const).map((k) => [`listener.${k}.$name`, where("off", "A further listener.")])),
  ...under("listener.tcp.$name", KINDS.tcp),
  ...under("listener.ssl.$name", KINDS.ssl),
  ...under("listener.ws.$name", KINDS.ws),
  ...under("listener.wss.$name", KINDS.wss),
};
