/** What the configuration tables of emqx_management and emqx_dashboard have in common: an HTTP listener and an optional HTTPS one. */

import { parseCidr } from "../../lib/cidr.ts";
import { optional, pattern } from "../../lib/config_entry.ts";
import { type Address, ValueError } from "../../lib/units.ts";
import type { HttpListenerSettings, HttpTlsSettings } from "../plugin.ts";

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
export function accessRules(rules: ReadonlyMap<string, string | null>): HttpListenerSettings["access"] {
  const out: HttpListenerSettings["access"] = [];
  for (const rule of rules.values()) {
    const [, verdict, range] = ACCESS.exec(rule ?? "") ?? [];
    const ranges = range === "all" ? ["0.0.0.0/0", "::/0"] : range === undefined ? [] : [range];
    for (const cidr of ranges) out.push({ allow: verdict === "allow", cidr });
  }
  return out;
}

type Plain = Omit<HttpListenerSettings, "host" | "port" | "listenOn" | "tls">;

export function plainListener(at: Address, rest: Plain): HttpListenerSettings {
  return { host: at.host, port: at.port, listenOn: at.text, ...rest, tls: null };
}

export interface TlsValues {
  keyfile: string | null;
  certfile: string | null;
  cacertfile: string | null;
  verify: "verify_peer" | "verify_none" | null;
  failIfNoPeerCert: boolean | null;
  versions?: string[] | null;
  ciphers?: string | null;
}

/** [] while no HTTPS port is configured. */
export function tlsListener(at: Address | null, rest: Plain, tls: TlsValues): HttpListenerSettings[] {
  return at === null ? [] : [{ ...plainListener(at, rest), tls: tlsSettings(tls) }];
}

function tlsSettings(v: TlsValues): HttpTlsSettings {
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
