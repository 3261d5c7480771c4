/** Authentication and rules from a table of users: MySQL, PostgreSQL, Redis and MongoDB differ in how they are asked, not in what follows. */

import { sayWhy } from "../../core/access/trace.ts";
import type { Clock } from "../../core/ports.ts";
import type { AuthStep, ClientInfo } from "../../core/types.ts";
import { networkOf } from "../../lib/cidr.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { BackendError } from "../_backend/errors.ts";
import { isOnlyExplained } from "./asking.ts";
import { KeptRules } from "./kept_rules.ts";
import type { OutsideAuth } from "./outside.ts";
import type { RuleSet } from "./rules.ts";
import { StoredCheck, type StoredKind, type StoredPassword } from "./stored.ts";
import { kindText, misfitWords } from "./stored_words.ts";

export interface User {
  /** null = the row has none: nobody gets in with it. */
  password: string | null;
  salt: string;
}

export interface Lookup {
  /** Null answer = not known; null = nobody is asked. @throws BackendError */
  user: ((client: ClientInfo, wanted: () => boolean) => Promise<User | null>) | null;
  /** Of one whose password was right. Who cannot be asked about it is none (EMQ X 3.1). null = nobody is asked. @throws BackendError */
  isSuper: ((client: ClientInfo, wanted: () => boolean) => Promise<boolean>) | null;
  /** null = rules are not kept there. @throws BackendError */
  rules: ((client: ClientInfo) => Promise<RuleSet>) | null;
  /** Of the settings that say what is asked, and how passwords are stored. */
  keys: Readonly<Record<"user" | "isSuper" | "rules" | "hash", string>>;
  /** The key that says that a user spelt otherwise is not found. Absent = there is none. */
  spelling?: string;
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

/** Who cannot be asked about it is none (EMQ X 3.1). `key`: of the setting that asks; `ask`: null = nobody is asked. */
export async function superUser(
  client: ClientInfo,
  ask: Lookup["isSuper"],
  key: string,
  wanted: () => boolean,
): Promise<{ isSuper: boolean; why: string }> {
  if (ask === null) return { isSuper: false, why: `no super user: ${key} is not set` };
  try {
    const isSuper = await ask(client, wanted);
    return { isSuper, why: isSuper ? `a super user, by ${key}` : `no super user, by ${key}` };
  } catch (err) {
    if (!(err instanceof BackendError)) throw err;
    return { isSuper: false, why: `no super user, for ${key} has no answer: ${err.message}` };
  }
}

type Odd = (client: ClientInfo, what: string) => void;

/** `odd`: told of hashes that cannot be checked. */
export function lookupAuth(host: LookupHost, lookup: Lookup, kind: () => StoredKind, odd: Odd, passwords = new StoredCheck()): OutsideAuth {
  const { keys } = lookup;

  async function authenticate(client: ClientInfo, password: Uint8Array, wanted: () => boolean, lastWord = false): Promise<AuthStep> {
    /** Where no slow hash was looked at: to be refused sooner than for a wrong password would tell strangers which names there are. */
    const refusedAsLate = async <S extends AuthStep>(step: S): Promise<S> => {
      if (lastWord) await passwords.verifyNobody(kind(), password, wanted);
      return step;
    };
    if (lookup.user === null) {
      sayWhy(client, () => `${keys.user} is not set: nobody is asked`);
      return null;
    }
    const user = await lookup.user(client, wanted);
    if (user === null) {
      sayWhy(
        client,
        () => `unknown user: ${keys.user} finds nobody${lookup.spelling === undefined ? "" : ` who is spelt so (${lookup.spelling})`}`,
      );
      return refusedAsLate(null);
    }
    if (user.password === null) {
      sayWhy(client, () => `${keys.user} finds the user, but no password`);
      return refusedAsLate(NO_HASH);
    }
    const row: StoredPassword = { stored: user.password, salt: user.salt };
    let unfit: string | null = null;
    let left = false;
    const still = (): boolean => {
      left = !wanted();
      return !left;
    };
    const tell = (what: string): void => {
      unfit = what;
      odd(client, what);
    };
    const good = passwords.verify(kind(), row, password, still, tell, networkOf(client.ip));
    if (good === null) {
      if (!isOnlyExplained(client)) host.count("access/auth/busy");
      return BUSY;
    }
    const isGood = await good;
    // Nobody has looked at it: it may be right.
    if (left) throw new BackendError("gone", "the client has left before its password was checked");
    const how = (): string => `${keys.hash} = ${kindText(kind())}`;
    if (!isGood) {
      sayWhy(client, () => {
        const why = unfit ?? misfitWords(kind(), row);
        return why === null ? `wrong password, with ${how()}` : `no password fits, with ${how()}: ${why}`;
      });
      return good === false ? refusedAsLate(WRONG) : WRONG;
    }
    const found = await superUser(client, lookup.isSuper, keys.isSuper, wanted);
    sayWhy(client, () => `the password fits, with ${how()}; ${found.why}`);
    return { allow: true, isSuper: found.isSuper };
  }

  const { rules } = lookup;
  if (rules === null) return { authenticate, rulesKey: keys.rules };
  const kept = new KeptRules(host, rules);
  return { authenticate, check: (client, action, topic) => kept.check(client, action, topic) };
}
