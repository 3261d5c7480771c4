/** Users of the dashboard. */

import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import { missing, optionalText } from "./refusals.ts";
import type { User } from "./rows.ts";
import { orUndefined } from "./text.ts";

/** What everybody knows: who has it may come from this machine alone. */
const WELL_KNOWN = "public";
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
  /** Users whose password is the well-known one. */
  const weak = broker.store.kv("weak_passwords");
  let generation = 0;

  async function store(username: string, password: string, tags: string | null): Promise<void> {
    const passwordHash = await system.hashPassword(password);
    users.put({ username, passwordHash, tags });
    if (password === WELL_KNOWN) weak.set(username, "1");
    else weak.delete(username);
    changed();
  }

  function changed(): void {
    generation++;
    broker.flush();
  }

  /** Costs some 40 ms of CPU: whoever asks often remembers the answer, until `generation` changes. */
  async function login(username: string, password: string): Promise<Login> {
    const user = users.get(username);
    if (!user) return "unknown_user";
    return (await system.verifyPassword(password, user.passwordHash)) ? "ok" : "wrong_password";
  }

  return {
    list: (): User[] => users.all().map((u) => ({ username: u.username, tags: orUndefined(u.tags) })),

    tags: (username: string): string => orUndefined(users.get(username)?.tags),

    login,
    exists: (username: string): boolean => users.get(username) !== undefined,
    /** Changes whenever a user or a password does: answers of `login` from before are void. */
    generation: (): number => generation,

    /** The password everybody knows still stands. */
    mustChange: (username: string): boolean => weak.get(username) !== undefined,

    /** Make the default user when it does not exist. */
    async ensure(username: string, password: string): Promise<void> {
      if (!users.get(username)) await store(username, password, "administrator");
    },

    /** @throws AdminError 104, 108, 113 */
    async add(username: unknown, password: unknown, tags: unknown): Promise<void> {
      const name = required(username, "Username or password undefined");
      const secret = required(password, "Username or password undefined");
      const remark = optionalText(tags, "tags");
      if (users.get(name)) throw new AdminError(CODE.USER_EXISTS, "Username Already Exist");
      await store(name, secret, remark);
    },

    /** @throws AdminError 105, 108 */
    update(username: string, tags: unknown): void {
      const user = users.get(username);
      if (!user) throw new AdminError(CODE.NO_SUCH_USER, "Username Not Found");
      users.put({ ...user, tags: optionalText(tags, "tags") });
      broker.flush();
    },

    /** @throws AdminError 105, 106 */
    remove(username: string): void {
      if (username === ADMIN) throw new AdminError(CODE.ADMIN_STAYS, "Cannot delete admin");
      if (!users.delete(username)) throw new AdminError(CODE.NO_SUCH_USER, "Username Not Found");
      weak.delete(username);
      changed();
    },

    /** @throws AdminError 104, 105, 107, 108, 114 */
    async changePassword(username: string, oldPassword: unknown, newPassword: unknown): Promise<void> {
      if (oldPassword === undefined || oldPassword === null) throw new AdminError(CODE.EMPTY_CREDENTIALS, "Password undefined");
      if (newPassword === undefined || newPassword === null) throw missing("new_pwd");
      if (typeof oldPassword !== "string" || typeof newPassword !== "string")
        throw new AdminError(CODE.BAD_PARAMETER, "passwords must be strings");
      const result = await login(username, oldPassword);
      if (result === "unknown_user") throw new AdminError(CODE.NO_SUCH_USER, "Username Not Found");
      if (result === "wrong_password") throw new AdminError(CODE.WRONG_OLD_PASSWORD, "Password Error");
      const user = users.get(username);
      if (user) await store(username, newPassword, user.tags);
    },

    /** Without asking for the old one: for the machine's owner, at the command line. @throws AdminError 105, 108 */
    async setPassword(username: string, password: unknown): Promise<void> {
      const user = users.get(username);
      if (!user) throw new AdminError(CODE.NO_SUCH_USER, "Username Not Found");
      if (typeof password !== "string" || password === "") throw new AdminError(CODE.BAD_PARAMETER, "the password must not be empty");
      await store(username, password, user.tags);
    },
  };
}
