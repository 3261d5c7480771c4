/** Do the access rules leave everything open to somebody whom they do not know? */
import type { AclRule } from "../core/access/acl_file.ts";
import type { AclVerdict, Action } from "../core/types.ts";

const ACTIONS = ["publish", "subscribe"] as const satisfies readonly Action[];
/** They have no name and no id, and addresses that nobody has [RFC 5737, 3; RFC 3849]: a rule for all addresses speaks of them, too. */
const STRANGERS = ["192.0.2.1", "2001:db8::1"].map((ip) => ({ clientId: "", username: null, ip }));

export interface LeftOpen {
  /** A rule allows everything. */
  open_rules: Action[];
  /** No rule forbids everything, and what none speaks of is allowed. */
  no_rule: Action[];
}

/** `nomatch`: the zone's `acl_nomatch`. */
export function leftOpen(rules: readonly AclRule[], nomatch: AclVerdict): LeftOpen {
  const open: LeftOpen = { open_rules: [], no_rule: [] };
  for (const action of ACTIONS) {
    const deciding = STRANGERS.map((stranger) => rules.find((rule) => rule[action] && rule.anyTopic && rule.who(stranger)));
    if (deciding.some((rule) => rule?.verdict === "allow")) open.open_rules.push(action);
    else if (nomatch === "allow" && deciding.includes(undefined)) open.no_rule.push(action);
  }
  return open;
}
