/** What emqx_auth_username and emqx_auth_clientid share: a table of names with hashed passwords, and the question asked at CONNECT. */
import { sayWhy } from "../../core/access/trace.ts";
import type { AccountRow, TableStore } from "../../core/ports.ts";
import type { AuthStep, ClientInfo, Credentials } from "../../core/types.ts";
import { networkOf } from "../../lib/cidr.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import type { AccountResult, AccountService } from "../plugin.ts";
import { isOnlyExplained, isTheLastWord } from "./asking.ts";
import { type HashKind, hashPassword, isSlow, PasswordCheck } from "./password.ts";

export interface Accounts extends AccountService {
  /** null = not known here: the next plugin, or `allow_anonymous`, decides (EMQ X 3.1). */
  check(client: ClientInfo, credentials: Credentials): AuthStep | Promise<AuthStep>;
}

const ALLOW: AuthStep = { allow: true };
/** The code of whom nobody knows, with allow_anonymous off: another one would tell strangers which accounts there are. */
const DENY: AuthStep = { allow: false, code: RC.NOT_AUTHORIZED, why: "password_error" };
/** The name is an account's: to leave the password out must not be a way round it. */
const NO_PASSWORD: AuthStep = { allow: false, code: RC.NOT_AUTHORIZED, why: "no_password" };

/** Nobody has looked: neither right nor wrong. */
const LEFT: AuthStep = { allow: false, code: RC.SERVER_BUSY, why: "the client has left before its password was checked" };
/** The answer would come too late. */
const BUSY: AuthStep = { allow: false, code: RC.SERVER_BUSY, why: "too many passwords are being checked" };

/** `nameOf`: what accounts are called by. `kind` is asked for each new row: the setting may change while the plugin runs. `count`: a counter of the broker's. */
export function createAccounts(
  table: TableStore<AccountRow>,
  nameOf: (client: ClientInfo) => string | null,
  kind: () => HashKind,
  count: (metric: string) => void,
  passwords = new PasswordCheck(),
): Accounts {
  /** Some account has a hash that takes time: a name that is none must not be answered sooner. */
  let slow = table.all().some(isSlow);
  const put = (row: AccountRow): void => {
    slow ||= isSlow(row);
    table.put(row);
  };
  return {
    list: () => table.all().map((row) => row.name),

    get(name) {
      const row = table.get(name);
      return row && { name: row.name, kind: row.kind };
    },

    async add(name, password): Promise<AccountResult> {
      if (table.get(name)) return "existed";
      const row = await hashPassword(name, password, kind());
      // Somebody else may have been faster while the hash was made.
      if (table.get(name)) return "existed";
      put(row);
      return "ok";
    },

    async update(name, password): Promise<AccountResult> {
      if (!table.get(name)) return "not_found";
      const row = await hashPassword(name, password, kind());
      if (!table.get(name)) return "not_found";
      put(row);
      return "ok";
    },

    remove: (name) => table.delete(name),

    check,
  };

  function check(client: ClientInfo, credentials: Credentials): AuthStep | Promise<AuthStep> {
    const told = (step: AuthStep, why: string): AuthStep => {
      sayWhy(client, () => why);
      return step;
    };
    const name = nameOf(client);
    if (name === null || name === "") return told(null, "there is no name to look up");
    const row = table.get(name);
    const { password } = credentials;
    if (row === undefined) {
      const nobody = told(null, "unknown user: there is no account of this name");
      const pause = slow && isTheLastWord(client, credentials) ? passwords.verifyNobody(credentials) : null;
      return pause === null ? nobody : pause.then(() => nobody);
    }
    if (password === null) return told(NO_PASSWORD, "the account has a password, and none was given");
    let left = false;
    const wanted = (): boolean => {
      left = credentials.wanted?.() === false;
      return !left;
    };
    const ok = passwords.verify(row, password, networkOf(client.ip), wanted);
    if (ok === null) {
      if (!isOnlyExplained(client)) count("access/auth/busy");
      return BUSY;
    }
    const decided = (good: boolean): AuthStep => (good ? told(ALLOW, "the password is the account's") : told(DENY, "wrong password"));
    if (typeof ok === "boolean") return decided(ok);
    return ok.then((good) => {
      if (left) return LEFT;
      // Deleted meanwhile, or with another password: what it is now decides.
      return table.get(name)?.hash === row.hash ? decided(good) : check(client, credentials);
    });
  }
}
