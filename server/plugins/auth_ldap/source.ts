/** A device's entry in a directory: its password, whether it is enabled, and the topics it may use, in one search (EMQ X 3.1's schema). */
import { sayWhy } from "../../core/access/trace.ts";
import type { AuthStep, ClientInfo } from "../../core/types.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { askNoted, shownValue } from "../_auth/asking.ts";
import { KeptRules } from "../_auth/kept_rules.ts";
import { NO_HASH, WRONG } from "../_auth/lookup.ts";
import { type OddAnswers, oddAnswers } from "../_auth/odd_answers.ts";
import { allowRule, type Rule, type RuleSet } from "../_auth/rules.ts";
import type { Source, SourceHost } from "../_auth/source.ts";
import { advised, asQuestion } from "../_backend/advice.ts";
import { Backend } from "../_backend/backend.ts";
import { type Rank, rankOf } from "../_backend/calls.ts";
import { LDAP_ADVICE, LDAP_KEYS, NAMING } from "./advice.ts";
import { escapedInDn } from "./dn.ts";
import { type Found, judgeLdap, type LdapDriver, type LdapServers, ldapDrivers, ldapWords } from "./driver.ts";
import { ENABLED, entryTold, TOPICS } from "./shown.ts";
import { isPassword } from "./user_password.ts";

export interface LdapAuthSettings {
  servers: LdapServers;
  /** Below it are the devices. */
  base: string;
  objectClass: string;
  nameAttribute: string;
  passwordAttribute: string;
  /** The entry's name has to be spelt as the client does: directories look past case, accents and spaces. */
  matchCase: boolean;
  /** The server checks passwords, not we. */
  bindAsUser: boolean;
}

/** Searches that are under way at a time on one connection. */
const PIPELINED = 32;

const DISABLED: AuthStep = { allow: false, code: RC.NOT_AUTHORIZED, why: "username_disabled: isEnabled of the entry is FALSE" };
const SPELT_OTHERWISE: AuthStep = {
  allow: false,
  code: RC.NOT_AUTHORIZED,
  why: "the directory spells the name otherwise (auth.ldap.match_case)",
};
const NO_RULES: RuleSet = { rules: [], otherwise: "pass" };

export function ldapSource(host: SourceHost, o: LdapAuthSettings): Source {
  const backend = backendOf(host, { ...o.servers, pool: host.pool(o.servers.pool) });
  const odd = oddAnswers(host);
  const dnOf = (username: string): string => `${o.nameAttribute}=${escapedInDn(username)},${o.base}`;
  const shownDn = ({ username }: ClientInfo): string[] => [shownValue(dnOf(username ?? ""))];
  const attributes = [o.nameAttribute, o.passwordAttribute, ENABLED, ...Object.keys(TOPICS)];
  const counts = { objectClass: o.objectClass, attributes, harmless: dnOf("1") };

  function entryOf(client: ClientInfo, wanted?: () => boolean, rank?: Rank): Promise<Found | null> {
    const dn = dnOf(client.username ?? "");
    return askNoted(
      host.clock,
      client,
      `search base (objectClass=${o.objectClass})`,
      shownDn,
      (unnoticed) => backend.ask((d) => asQuestion(NAMING, d.entry(dn, counts)), wanted, unnoticed, rank),
      (entry) => entryTold(entry, attributes, o.passwordAttribute, client),
    );
  }

  /** Why the directory does not take it; null = it does. */
  function refusal(client: ClientInfo, password: Uint8Array, wanted: () => boolean): Promise<string | null> {
    const dn = dnOf(client.username ?? "");
    return askNoted(
      host.clock,
      client,
      "bind",
      shownDn,
      (unnoticed) => backend.askApart((d) => d.refusal(dn, password), wanted, unnoticed),
      (why) => ({ answer: why ?? "success" }),
    );
  }

  /** Else it would be somebody else to bans, to rules that name users, and to whoever counts log-ins. */
  function isSpeltSo(entry: Found, { username }: ClientInfo): boolean {
    return !o.matchCase || (entry.get(o.nameAttribute.toLowerCase()) ?? []).some((value) => value.toString("utf8") === username);
  }

  const kept = new KeptRules(host, async (client) => {
    const entry = client.username ? await entryOf(client, undefined, rankOf(client)) : null;
    return entry === null || !isSpeltSo(entry, client) ? NO_RULES : rulesOf(entry, odd(client));
  });

  async function authenticate(client: ClientInfo, password: Uint8Array, wanted: () => boolean): Promise<AuthStep> {
    const entry = await entryOf(client, wanted);
    if (entry === null) {
      sayWhy(
        client,
        () => `unknown user: no entry of class ${o.objectClass} has this name (auth.ldap.device_dn, auth.ldap.match_objectclass)`,
      );
      return null;
    }
    if (!isSpeltSo(entry, client)) return SPELT_OTHERWISE;
    if (entry.get(ENABLED.toLowerCase())?.[0]?.toString().toUpperCase() === "FALSE") return DISABLED;
    const stored = entry.get(o.passwordAttribute.toLowerCase()) ?? [];
    if (stored.length === 0 && !o.bindAsUser) {
      odd(client)("auth.ldap.bind_dn", HIDES_IT);
      sayWhy(client, () => `auth.ldap.bind_dn: ${HIDES_IT}`);
      return NO_HASH;
    }
    const found = o.bindAsUser ? [null] : stored.map((value) => isPassword(value, password));
    const verdict = found.includes(true) ? "fits" : found.includes(null) ? await refusal(client, password, wanted) : "differs";
    sayWhy(client, () => passwordWords(verdict, o.passwordAttribute));
    if (verdict !== "fits" && verdict !== null) return WRONG;
    kept.put(client, rulesOf(entry, odd(client)));
    return { allow: true, isSuper: false };
  }

  return { auth: { authenticate, check: (client, action, topic) => kept.check(client, action, topic) }, backends: [backend] };
}

const HIDES_IT = "an entry shows no password to this account: auth.ldap.bind_as_user = on lets the server check it";

/** Compared here, or why the directory does not take it (null = it does). */
function passwordWords(verdict: string | null, attribute: string): string {
  if (verdict === null) return "the directory takes the password";
  if (verdict === "fits") return `the password fits ${attribute}`;
  return verdict === "differs" ? `wrong password: it does not fit ${attribute}` : `the directory does not take the password: ${verdict}`;
}

function backendOf(host: SourceHost, servers: LdapServers): Backend<LdapDriver> {
  const options = {
    what: `LDAP at ${servers.hosts.map((h) => `${h}:${servers.port}`).join(", ")}`,
    open: ldapDrivers(servers),
    close: (driver: LdapDriver) => driver.close(),
    lost: (driver: LdapDriver) => driver.lost(),
    probe: (driver: LdapDriver) => driver.probe(),
    ...advised({ judge: judgeLdap, table: LDAP_ADVICE, keys: LDAP_KEYS, plain: ldapWords }),
    pool: servers.pool,
    perConnection: PIPELINED,
    timeoutMs: servers.timeoutMs,
    alarm: "down",
    // Each connection may have been lost.
    retries: servers.pool + 1,
    probeProves: true,
  };
  return new Backend<LdapDriver>(host, options, host.figures(options.what));
}

/** A topic that is there is allowed, and nothing is denied: the next one decides of the others (EMQ X 3.1). */
function rulesOf(entry: Found, odd: OddAnswers): RuleSet {
  const rules: Rule[] = [];
  for (const [attribute, access] of Object.entries(TOPICS)) {
    for (const value of entry.get(attribute.toLowerCase()) ?? []) {
      const rule = allowRule(value.toString("utf8"), access);
      if (rule === null) odd("auth.ldap.device_dn", `a value of ${attribute} is left out: expected a topic filter`);
      else rules.push(rule);
    }
  }
  return { rules, otherwise: "pass" };
}
