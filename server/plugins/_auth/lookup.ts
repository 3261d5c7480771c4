/** Authentication and rules from a table of users: MySQL, PostgreSQL, Redis and MongoDB differ in how they are asked, not in what follows. */

import type { Clock } from "../../core/ports.ts";
import type { AuthStep, ClientInfo } from "../../core/types.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { BackendError } from "../_backend/errors.ts";
import { isOnlyExplained } from "./asking.ts";
import { KeptRules } from "./kept_rules.ts";
import type { OutsideAuth } from "./outside.ts";
import type { RuleSet } from "./rules.ts";
import { StoredCheck, type StoredKind } from "./stored.ts";

export interface User {
  /** null = the row has none: nobody gets in with it. */
  password: string | null;
  salt: string;
}

export interface Lookup {
  /** null = not known. @throws BackendError */
  user(client: ClientInfo, wanted: () => boolean): Promise<User | null>;
  /** Of one whose password was right. Who cannot be asked about it is none (EMQ X 3.1). @throws BackendError */
  isSuper(client: ClientInfo, wanted: () => boolean): Promise<boolean>;
  /** null = rules are not kept there. @throws BackendError */
  rules: ((client: ClientInfo) => Promise<RuleSet>) | null;
}

export interface LookupHost {
  readonly clock: Clock;
  /** Goes up when kept verdicts are void. */
  readonly aclEpoch: number;
  count(metric: string): void;
}

export const WRONG: AuthStep = { allow: false, code: RC.NOT_AUTHORIZED, why: "password_error" };
export const NO_HASH: AuthStep = { allow: false, code: RC.NOT_AUTHORIZED, why: "the user has no password" };
const BUSY: AuthStep = { allow: false, code: RC.SERVER_BUSY, why: "too many passwords are being checked", failed: true };

type Odd = (client: ClientInfo, what: string) => void;

/** `odd`: told of hashes that cannot be checked. */
export function lookupAuth(host: LookupHost, lookup: Lookup, kind: () => StoredKind, odd: Odd): OutsideAuth {
  const passwords = new StoredCheck();

  async function authenticate(client: ClientInfo, password: Uint8Array, wanted: () => boolean): Promise<AuthStep> {
    const user = await lookup.user(client, wanted);
    if (user === null) return null;
    if (user.password === null) return NO_HASH;
    let left = false;
    const still = (): boolean => {
      left = !wanted();
      return !left;
    };
    const good = passwords.verify(kind(), { stored: user.password, salt: user.salt }, password, still, (what) => odd(client, what));
    if (good === null) {
      if (!isOnlyExplained(client)) host.count("access/auth/busy");
      return BUSY;
    }
    const isGood = await good;
    // Nobody has looked at it: it may be right.
    if (left) throw new BackendError("gone", "the client has left before its password was checked");
    if (!isGood) return WRONG;
    const isSuper = await lookup.isSuper(client, wanted).catch((err: unknown) => {
      if (!(err instanceof BackendError)) throw err;
      return false;
    });
    return { allow: true, isSuper };
  }

  const { rules } = lookup;
  if (rules === null) return { authenticate };
  const kept = new KeptRules(host, rules);
  return { authenticate, check: (client, action, topic) => kept.check(client, action, topic) };
}
