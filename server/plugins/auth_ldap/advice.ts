/** What result codes of a directory [RFC 4511, A.1] mean for the settings. */
import { type Advice, type SettingKeys, tlsKeys } from "../_backend/advice.ts";

/** What the names of entries are made of. */
export const NAMING = "auth.ldap.device_dn, auth.ldap.username.attributetype";

export const LDAP_KEYS: SettingKeys = {
  server: "auth.ldap.servers, auth.ldap.port",
  timeout: "auth.ldap.timeout",
  pool: "auth.ldap.pool",
  account: "auth.ldap.bind_dn, auth.ldap.bind_password",
  tls: "auth.ldap.ssl, auth.ldap.starttls",
  ...tlsKeys("auth.ldap.ssl"),
};

export const LDAP_ADVICE: readonly Advice[] = [
  { codes: [49], says: "the account and its password are not taken", see: ["account"] },
  { codes: [48], says: "the account cannot be logged in with a password", see: ["account"] },
  { codes: [8, 13], says: "it wants TLS", see: ["tls"] },
  { codes: [34], says: "this can be no name", see: ["account", "question"] },
  { codes: [50], says: "the account may not read that", see: ["account", "question"] },
  { codes: [53], says: "it does not want to", see: ["account", "tls"] },
  { codes: [51, 52], says: "it cannot look now", see: ["server"] },
];
