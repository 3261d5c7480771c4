/** What emqx_auth_username and emqx_auth_clientid share: a table of names with hashed passwords, and the question asked at CONNECT. */
import type { AccountRow, TableStore } from "../../core/ports.ts";
import type { AuthStep } from "../../core/types.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import type { AccountResult, AccountService } from "../plugin.ts";
import { type HashKind, hashPassword, PasswordCheck } from "./password.ts";

export interface Accounts extends AccountService {
  /** null = not known here: the next plugin, or `allow_anonymous`, decides (EMQ X 3.1). */
  check(name: string | null, password: Uint8Array | null): AuthStep | Promise<AuthStep>;
}

const ALLOW: AuthStep = { allow: true };
const DENY: AuthStep = { allow: false, code: RC.BAD_USERNAME_OR_PASSWORD, why: "password_error" };
/** The name is an account's: to leave the password out must not be a way round it. */
const NO_PASSWORD: AuthStep = { allow: false, code: RC.BAD_USERNAME_OR_PASSWORD, why: "no_password" };

/** The answer would come too late. */
const BUSY: AuthStep = { allow: false, code: RC.SERVER_BUSY, why: "too many passwords are being checked" };

/** `kind` is asked for each new row: the setting may change while the plugin runs. `count`: a counter of the broker's. */
export function createAccounts(
  table: TableStore<AccountRow>,
  kind: () => HashKind,
  count: (metric: string) => void,
  passwords = new PasswordCheck(),
): Accounts {
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
      table.put(row);
      return "ok";
    },

    async update(name, password): Promise<AccountResult> {
      if (!table.get(name)) return "not_found";
      const row = await hashPassword(name, password, kind());
      if (!table.get(name)) return "not_found";
      table.put(row);
      return "ok";
    },

    remove: (name) => table.delete(name),

    check(name, password) {
      if (name === null || name === "") return null;
      const row = table.get(name);
      if (row === undefined) return null;
      if (password === null) return NO_PASSWORD;
      const ok = passwords.verify(row, password);
      if (ok === null) {
        count("access/auth/busy");
        return BUSY;
      }
      return typeof ok === "boolean" ? (ok ? ALLOW : DENY) : ok.then((good) => (good ? ALLOW : DENY));
    },
  };
}
