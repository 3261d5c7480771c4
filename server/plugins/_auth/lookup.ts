/** Authentication and rules from a table of users: MySQL, PostgreSQL, Redis and MongoDB differ in how they are asked, not in what follows. */

import type { Clock } from "../../core/ports.ts";
import type { AclStep, AuthStep, ClientInfo } from "../../core/types.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { BackendError } from "../_backend/errors.ts";
import type { OutsideAuth } from "./outside.ts";
import { type RuleSet, ruleFor } from "./rules.ts";
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

/** Verdicts are kept by the connection (`acl_cache_ttl`); the rules behind them only as long as a client takes to subscribe, ms. */
const RULES_MS = 5000;

interface KeptRules {
  set: RuleSet | Promise<RuleSet>;
  readonly at: MonoMs;
  readonly epoch: number;
}

const WRONG: AuthStep = { allow: false, code: RC.NOT_AUTHORIZED, why: "password_error" };
const NO_HASH: AuthStep = { allow: false, code: RC.NOT_AUTHORIZED, why: "the user has no password" };
const BUSY: AuthStep = { allow: false, code: RC.SERVER_BUSY, why: "too many passwords are being checked", failed: true };

export function lookupAuth(host: LookupHost, lookup: Lookup, kind: () => StoredKind): OutsideAuth {
  const passwords = new StoredCheck();
  /** By connection: one question for all its topics. */
  const kept = new WeakMap<ClientInfo, KeptRules>();

  async function authenticate(client: ClientInfo, password: Uint8Array, wanted: () => boolean): Promise<AuthStep> {
    const user = await lookup.user(client, wanted);
    if (user === null) return null;
    if (user.password === null) return NO_HASH;
    const good = passwords.verify(kind(), { stored: user.password, salt: user.salt }, password, wanted);
    if (good === null) {
      host.count("access/auth/busy");
      return BUSY;
    }
    if (!(await good)) return WRONG;
    const isSuper = await lookup.isSuper(client, wanted).catch((err: unknown) => {
      if (!(err instanceof BackendError)) throw err;
      return false;
    });
    return { allow: true, isSuper };
  }

  /** The rules of a client, asked for once for all the topics it begins with. */
  function rulesOf(client: ClientInfo, ask: (client: ClientInfo) => Promise<RuleSet>): RuleSet | Promise<RuleSet> {
    const before = kept.get(client);
    const at = host.clock.mono();
    const epoch = host.aclEpoch;
    if (before !== undefined && before.epoch === epoch && between(before.at, at) < RULES_MS) return before.set;
    const set = ask(client);
    const entry: KeptRules = { set, at, epoch };
    kept.set(client, entry);
    set.then(
      (rules) => {
        entry.set = rules;
      },
      () => kept.get(client) === entry && kept.delete(client),
    );
    return set;
  }

  const { rules } = lookup;
  if (rules === null) return { authenticate };
  return {
    authenticate,
    check(client, action, topic) {
      const set = rulesOf(client, rules);
      const decide = ({ rules, otherwise }: RuleSet): AclStep => {
        const rule = ruleFor(rules, client, action, topic);
        if (rule !== null) return { verdict: rule.verdict, why: rule.text };
        return rules.length === 0 || otherwise === "pass" ? null : { verdict: otherwise, why: "none of the client's rules" };
      };
      return set instanceof Promise ? set.then(decide) : decide(set);
    },
  };
}
