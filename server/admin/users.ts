/** Users of the dashboard. */

import type { UserRow } from "../core/ports.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import { missing, optionalText } from "./refusals.ts";
import type { User } from "./rows.ts";
import { orUndefined } from "./text.ts";

/** What everybody knows, or need not know: who has it may come from this machine alone. */
const WELL_KNOWN: readonly string[] = ["public", ""];
/** Never deleted, whatever the configured default user is called (EMQ X 3.1). */
const ADMIN = "admin";

export type Login = "ok" | "unknown_user" | "wrong_password";

function required(value: unknown, message: string): string {
  if (value === undefined || value === null || value === "") throw new AdminError(CODE.EMPTY_CREDENTIALS, message);
  if (typeof value !== "string") throw new AdminError(CODE.BAD_PARAMETER, "user name and password must be strings");
  return value;
}

export function createUsers({ broker, system }: AdminDeps) {
  const { users } = broker.store;
  /** Users whose password is a well-known one. */
  const weak = broker.store.kv("weak_passwords");
  let generation = 0;

  /** `before`: the row as it was; false = while the password was hashed it was deleted or got another one, and that counts. */
  async function store(username: string, password: string, before: UserRow | undefined, tags: string | null): Promise<boolean> {
    const passwordHash = await system.hashPassword(password);
    const now = users.get(username);
    if (now?.passwordHash !== before?.passwordHash) return false;
    users.put({ username, passwordHash, tags: now === undefined ? tags : now.tags });
    if (WELL_KNOWN.includes(password)) weak.set(username, "1");
    else weak.delete(username);
    changed();
    return true;
  }

  const isUnmarked = (username: string, password: string): boolean => WELL_KNOWN.includes(password) && weak.get(username) === undefined;

  function changed(): void {
    generation++;
    broker.flush();
  }

  /** Costs some 40 ms of CPU: whoever asks often remembers the answer, until `generation` changes. */
  async function login(username: string, password: string): Promise<Login> {
    const user = users.get(username);
    if (!user) return "unknown_user";
    if (!(await system.verifyPassword(password, user.passwordHash))) return "wrong_password";
    // Stored by a version that did not mark them. Who has another password by now is not meant.
    if (isUnmarked(username, password) && users.get(username)?.passwordHash === user.passwordHash) {
      weak.set(username, "1");
      broker.flush();
    }
    return "ok";
  }

  return {
    list: (): User[] => users.all().map((u) => ({ username: u.username, tags: orUndefined(u.tags) })),

    tags: (username: string): string => orUndefined(users.get(username)?.tags),

    /** Whoever has it may come from this machine alone. */
    isWellKnown: (password: unknown): boolean => WELL_KNOWN.some((known) => known === password),

    login,
    exists: (username: string): boolean => users.get(username) !== undefined,
    /** Other than before when the user got another password; null = there is no such user. */
    standing: (username: string): string | null => users.get(username)?.passwordHash ?? null,

    /** Changes whenever a user or a password does: answers of `login` from before are void. */
    generation: (): number => generation,

    /** The password everybody knows still stands, or there is none. */
    mustChange: (username: string): boolean => weak.get(username) !== undefined,

    /** Make the default user when it does not exist. */
    async ensure(username: string, password: string): Promise<void> {
      if (!users.get(username)) await store(username, password, undefined, "administrator");
    },

    /** @throws AdminError 104, 108, 113 */
    async add(username: unknown, password: unknown, tags: unknown): Promise<void> {
      const name = required(username, "Username or password undefined");
      const secret = required(password, "Username or password undefined");
      const remark = optionalText(tags, "tags");
      if (users.get(name) || !(await store(name, secret, undefined, remark)))
        throw new AdminError(CODE.USER_EXISTS, "Username Already Exist");
    },

    /** @throws AdminError 105, 108 */
    update(username: string, tags: unknown): void {
      const user = users.get(username);
      if (!user) throw new AdminError(CODE.NO_SUCH_USER, "Username Not Found");
      users.put({ ...user, tags: optionalText(tags, "tags") });
      broker.flush();
    },

    /** @throws AdminError 105, 106 of admin (EMQ X 3.1) and of the last user */
    remove(username: string): void {
      if (username === ADMIN) throw new AdminError(CODE.ADMIN_STAYS, "Cannot delete admin");
      if (!users.get(username)) throw new AdminError(CODE.NO_SUCH_USER, "Username Not Found");
      // Nobody could log in to make another one.
      if (users.all().length === 1) throw new AdminError(CODE.ADMIN_STAYS, "Cannot delete the last user");
      users.delete(username);
      weak.delete(username);
      changed();
    },

    /** @throws AdminError 104, 105, 107, 108, 114 */
    async changePassword(username: string, oldPassword: unknown, newPassword: unknown): Promise<void> {
      if (oldPassword === undefined || oldPassword === null) throw new AdminError(CODE.EMPTY_CREDENTIALS, "Password undefined");
      if (newPassword === undefined || newPassword === null) throw missing("new_pwd");
      if (typeof oldPassword !== "string" || typeof newPassword !== "string")
        throw new AdminError(CODE.BAD_PARAMETER, "passwords must be strings");
      const before = users.get(username);
      const result = await login(username, oldPassword);
      if (result === "unknown_user") throw new AdminError(CODE.NO_SUCH_USER, "Username Not Found");
      if (result === "wrong_password") throw new AdminError(CODE.WRONG_OLD_PASSWORD, "Password Error");
      if (before === undefined || (await store(username, newPassword, before, before.tags))) return;
      if (!users.get(username)) throw new AdminError(CODE.NO_SUCH_USER, "Username Not Found");
      throw new AdminError(CODE.WRONG_OLD_PASSWORD, "Password Error");
    },

    /** Without asking for the old one: for the machine's owner, at the command line. @throws AdminError 105, 108 */
    async setPassword(username: string, password: unknown): Promise<void> {
      if (typeof password !== "string" || password === "") throw new AdminError(CODE.BAD_PARAMETER, "the password must not be empty");
      // Whoever changes it meanwhile was before the owner.
      for (let user = users.get(username); user !== undefined; user = users.get(username))
        if (await store(username, password, user, user.tags)) return;
      throw new AdminError(CODE.NO_SUCH_USER, "Username Not Found");
    },
  };
}
