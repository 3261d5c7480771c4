/** What the configuration tables of emqx_management and emqx_dashboard have in common: an HTTP listener and an optional HTTPS one. */
import type { HttpListenerConfig, HttpTlsConfig } from "../../config/types.ts";
import { parseCidr } from "../../lib/cidr.ts";
import { type Entry, inert, integer, listOf, optional, pattern } from "../../lib/config_entry.ts";
import { ranges } from "../../lib/range_entry.ts";
import { TLS_VERSIONS } from "../../lib/tls_versions.ts";
import { type Address, ValueError } from "../../lib/units.ts";

const ACCESS = /^\s*(allow|deny)\s+(all|[0-9a-fA-F:.]+(?:\/\d{1,3})?)\s*$/;

/** `allow 192.168.0.0/24`, `deny all` */
export function accessRule(doc: string) {
  const expects = "a rule such as allow 192.168.0.0/24 or deny all";
  const form = pattern("allow 192.168.0.0/24", ACCESS, expects, doc);
  const parse = (t: string): string => {
    const range = ACCESS.exec(t)?.[2] ?? "";
    // A rule that means nothing must not be passed over: it may be the one that keeps somebody out.
    if (range !== "all" && parseCidr(range) === null) throw new ValueError(t, expects);
    return t;
  };
  return optional({ ...form, parse });
}

/** Rules in order of their names, as the listeners take them. */
export function accessRules(rules: ReadonlyMap<string, string | null>): HttpListenerConfig["access"] {
  const out: HttpListenerConfig["access"] = [];
  for (const rule of rules.values()) {
    const [, verdict, range] = ACCESS.exec(rule ?? "") ?? [];
    const ranges = range === "all" ? ["0.0.0.0/0", "::/0"] : range === undefined ? [] : [range];
    for (const cidr of ranges) out.push({ allow: verdict === "allow", cidr });
  }
  return out;
}

/** Proxies whose X-Forwarded-For, Forwarded and X-Forwarded-Host are believed. */
export function trustedProxies(): Entry<string[] | null> {
  const doc =
    "Reverse proxies that are believed when they tell the client's address (X-Forwarded-For, Forwarded) and the name it asked for (X-Forwarded-Host); unset: none.";
  return optional(ranges(doc, { required: false }));
}

/** Connections that may wait to be accepted: the runtime takes no number. */
export const backlog = (shipped: number, o: { required?: boolean } = {}): Entry<number> =>
  inert(integer(shipped, "Connections that may wait to be accepted.", { min: 1, ...o }), "the runtime's own length (512) stands.");

export const tlsVersions = () => optional(listOf(TLS_VERSIONS, "tlsv1.3,tlsv1.2", "TLS versions offered; unset: 1.2 and 1.3."));

type Plain = Omit<HttpListenerConfig, "host" | "port" | "listenOn" | "tls">;

export function plainListener(at: Address, rest: Plain): HttpListenerConfig {
  return { host: at.host, port: at.port, listenOn: at.text, ...rest, tls: null };
}

export interface TlsValues {
  keyfile: string | null;
  certfile: string | null;
  cacertfile: string | null;
  verify: "verify_peer" | "verify_none" | null;
  failIfNoPeerCert: boolean | null;
  versions: string[] | null;
  ciphers: string | null;
}

/** [] while no HTTPS port is configured. */
export function tlsListener(at: Address | null, rest: Plain, tls: TlsValues): HttpListenerConfig[] {
  return at === null ? [] : [{ ...plainListener(at, rest), tls: tlsConfig(tls) }];
}

function tlsConfig(v: TlsValues): HttpTlsConfig {
  return {
    keyfile: v.keyfile ?? "",
    certfile: v.certfile ?? "",
    cacertfile: v.cacertfile ?? "",
    verifyPeer: v.verify === "verify_peer",
    failIfNoPeerCert: v.failIfNoPeerCert ?? false,
    versions: v.versions ?? [],
    ciphers: v.ciphers ?? "",
  };
}
