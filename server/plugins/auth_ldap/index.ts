/** Authentication and access rules from an LDAP directory. EMQ X 3.1; StartTLS, binding as the user and `on_error` are ours. */
import { isIP } from "node:net";
import { flag, inert, integer, leadsTo, list, secret, text } from "../../lib/config_entry.ts";
import { onErrorEntry } from "../_auth/outside.ts";
import { defineOutside, type OutsidePlugin } from "../_auth/source.ts";
import { timeLimitEntry } from "../_backend/calls.ts";
import { peerTlsEntries, peerTlsOf, unverifiedBy } from "../_backend/tls.ts";
import type { ValuesOf } from "../plugin.ts";
import type { LdapServers } from "./driver.ts";
import { ldapSource } from "./source.ts";

const OURS = { required: false };

const config = {
  "auth.ldap.servers": leadsTo(
    list(
      "127.0.0.1",
      "Hosts of the directory, tried in this order, but first the one that answered last; each has its part of the time limit.",
    ),
    (hosts) => hosts,
  ),
  "auth.ldap.port": leadsTo(integer(389, "Their port.", { min: 1, max: 65_535 }), (port) => [`:${port}`]),
  "auth.ldap.pool": integer(8, "Connections.", { min: 1, max: 256 }),
  "auth.ldap.bind_dn": text("cn=root,dc=emqx,dc=io", "Account that may read the devices' entries."),
  "auth.ldap.bind_password": secret("public", "Its password."),
  "auth.ldap.timeout": timeLimitEntry("30s", undefined, true),
  "auth.ldap.device_dn": text("ou=device,dc=emqx,dc=io", "Below it are the devices' entries."),
  "auth.ldap.match_objectclass": text("mqttUser", "Class of the entries that count."),
  "auth.ldap.username.attributetype": text("uid", "Attribute that has the user name: <attribute>=<user name>,<device_dn> is the entry."),
  "auth.ldap.password.attributetype": text("userPassword", "Attribute that has the password."),
  "auth.ldap.ssl": flag("false", "Speak TLS with the server from the first byte (ldaps)."),
  ...peerTlsEntries("auth.ldap.ssl"),
  "auth.ldap.ssl.fail_if_no_peer_cert": inert(flag("true", "", OURS), "a server without a certificate is none for TLS."),
  "auth.ldap.starttls": flag("off", "Begin without TLS and change to it before anything is said (StartTLS).", OURS),
  "auth.ldap.bind_as_user": flag(
    "off",
    "The server checks passwords, by a bind with the entry's name: for directories that do not show them.",
    OURS,
  ),
  "auth.ldap.match_case": flag(
    "on",
    "A user name has to be spelt as in the directory. Off, as EMQ X 3.1: JOE comes in with joe's password, and is another one to bans and rules.",
    OURS,
  ),
  "auth.ldap.on_error": onErrorEntry(
    "asks the next one, which EMQ X 3.1 did not: with allow_anonymous on, everybody is let in then; with it off, whom no other knows is refused as with deny",
  ),
};
type Values = ValuesOf<typeof config>;

const outside: OutsidePlugin<typeof config> = {
  open: (host, c) =>
    ldapSource(host, {
      servers: serversOf(c),
      base: c["auth.ldap.device_dn"],
      objectClass: c["auth.ldap.match_objectclass"],
      nameAttribute: c["auth.ldap.username.attributetype"],
      passwordAttribute: c["auth.ldap.password.attributetype"],
      matchCase: c["auth.ldap.match_case"],
      bindAsUser: c["auth.ldap.bind_as_user"],
    }),
  onError: (c) => c["auth.ldap.on_error"],
  unverified: (c) => unverifiedBy("auth.ldap.ssl", c["auth.ldap.ssl"] || c["auth.ldap.starttls"], c),
};

function serversOf(c: Values): LdapServers {
  const { "auth.ldap.servers": written, "auth.ldap.ssl": ldaps, "auth.ldap.starttls": starttls } = c;
  const hosts = written.map((host) => host.replace(/^\[(.*)\]$/, "$1"));
  const withPort = hosts.find((host) => host.includes(":") && isIP(host) !== 6);
  if (withPort !== undefined) throw new Error(`auth.ldap.servers: expected hosts, whose port is auth.ldap.port, got "${withPort}"`);
  if (hosts.length === 0) throw new Error("auth.ldap.servers: expected at least one host");
  if (ldaps && starttls) throw new Error("auth.ldap.starttls: auth.ldap.ssl = true speaks TLS already; switch one of them off");
  return {
    hosts,
    port: c["auth.ldap.port"],
    bindDn: c["auth.ldap.bind_dn"],
    bindPassword: c["auth.ldap.bind_password"],
    pool: c["auth.ldap.pool"],
    timeoutMs: c["auth.ldap.timeout"],
    tls: ldaps || starttls ? { start: ldaps ? "ldaps" : "starttls", options: peerTlsOf("auth.ldap.ssl", c) } : null,
  };
}

export const authLdap = defineOutside(
  {
    name: "emqx_auth_ldap",
    description: "EMQ X Authentication/ACL with LDAP",
    config,
  },
  outside,
);
