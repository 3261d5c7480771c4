/** Users of the dashboard, applications, accounts of MQTT clients. */
import { describe, expect, test } from "bun:test";
import { createSystem } from "../../../server/machine/machine.ts";
import { administer } from "./harness.ts";

const refusal = (code: number, message: string) => expect.objectContaining({ code, message });

describe("users", () => {
  test("made, shown, changed, removed", async () => {
    const { admin } = await administer();
    const { users } = admin;
    await users.ensure("admin", "public");
    const before = users.generation();
    await users.ensure("admin", "other");
    expect(users.generation()).toBe(before);
    await users.add("ann", "secret", "viewer");
    await users.add("bob", "secret", undefined);
    expect(users.generation()).toBe(before + 2);
    expect(users.list()).toEqual([
      { username: "admin", tags: "administrator" },
      { username: "ann", tags: "viewer" },
      { username: "bob", tags: "undefined" },
    ]);
    users.update("bob", "x");
    users.update("ann", null);
    expect([users.tags("bob"), users.tags("ann"), users.tags("nobody")]).toEqual(["x", "undefined", "undefined"]);
    expect([users.exists("bob"), users.exists("nobody")]).toEqual([true, false]);
    users.remove("bob");
    expect(users.exists("bob")).toBe(false);
    expect(users.generation()).toBe(before + 3);
  });

  test("log-ins, and the password everybody knows", async () => {
    const { admin } = await administer();
    const { users } = admin;
    await users.ensure("admin", "public");
    expect([await users.login("admin", "public"), await users.login("admin", "x"), await users.login("no", "public")]).toEqual([
      "ok",
      "wrong_password",
      "unknown_user",
    ]);
    expect(users.mustChange("admin")).toBe(true);
    await users.changePassword("admin", "public", "better");
    expect([users.mustChange("admin"), await users.login("admin", "better"), users.tags("admin")]).toEqual([false, "ok", "administrator"]);
    // An empty password is a password (EMQ X 3.1), and one that nobody has to know.
    await users.changePassword("admin", "better", "");
    expect([users.mustChange("admin"), await users.login("admin", "")]).toEqual([true, "ok"]);
    await users.setPassword("admin", "public");
    expect(users.mustChange("admin")).toBe(true);
    await users.add("eve", "public", null);
    users.remove("eve");
    expect(users.mustChange("eve")).toBe(false);
  });

  test("who has no password, and was stored before such were marked, is marked when it logs in", async () => {
    const system = createSystem();
    let held: Promise<void> | null = null;
    const verifyPassword: typeof system.verifyPassword = async (...of) => {
      const good = await system.verifyPassword(...of);
      await held;
      return good;
    };
    const { admin, store, settled } = await administer({ system: { ...system, verifyPassword } });
    const { users } = admin;
    await users.add("ann", "secret", null);
    await users.changePassword("ann", "secret", "");
    const marks = store.kv("weak_passwords");
    marks.delete("ann");
    expect([await users.login("ann", "secret"), users.mustChange("ann")]).toEqual(["wrong_password", false]);
    expect([await users.login("ann", ""), users.mustChange("ann"), settled()]).toEqual(["ok", true, true]);
    // Another password by the time the old one is found to be right.
    marks.delete("ann");
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    const late = users.login("ann", "");
    await users.setPassword("ann", "better");
    resolve();
    expect([await late, users.mustChange("ann")]).toEqual(["ok", false]);
  });

  test("while a password is hashed: who is deleted stays deleted, who has another one keeps it, other tags stay", async () => {
    const { admin } = await administer();
    const { users } = admin;
    for (const name of ["a", "b", "c"]) await users.add(name, "old", "x");
    const deleted = users.changePassword("a", "old", "new");
    await Promise.resolve();
    users.remove("a");
    await expect(deleted).rejects.toEqual(refusal(105, "Username Not Found"));
    expect(users.exists("a")).toBe(false);
    const slower = users.changePassword("b", "old", "new");
    await users.setPassword("b", "owner's");
    await expect(slower).rejects.toEqual(refusal(114, "Password Error"));
    expect(await users.login("b", "owner's")).toBe("ok");
    const changed = users.changePassword("c", "old", "new");
    users.update("c", "y");
    await changed;
    expect([users.tags("c"), await users.login("c", "new")]).toEqual(["y", "ok"]);
    const both = await Promise.allSettled([users.add("d", "1", null), users.add("d", "2", null)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("refusals", async () => {
    const { admin } = await administer();
    const { users } = admin;
    await users.add("ann", "secret", null);
    const empty = refusal(104, "Username or password undefined");
    for (const [name, password] of [
      [undefined, "x"],
      [null, "x"],
      ["", "x"],
      ["u", undefined],
      ["u", null],
      ["u", ""],
    ] as const)
      await expect(users.add(name, password, null)).rejects.toEqual(empty);
    for (const [name, password] of [
      [5, "x"],
      ["u", 5],
      [{}, "x"],
    ] as const)
      await expect(users.add(name, password, null)).rejects.toEqual(refusal(108, "user name and password must be strings"));
    await expect(users.add("u", "x", 5)).rejects.toEqual(refusal(108, "value of 'tags' must be a string"));
    await expect(users.add("ann", "x", null)).rejects.toEqual(refusal(113, "Username Already Exist"));
    expect(() => users.update("no", "x")).toThrow(refusal(105, "Username Not Found"));
    expect(() => users.update("ann", [])).toThrow(refusal(108, "value of 'tags' must be a string"));
    expect(() => users.remove("admin")).toThrow(refusal(106, "Cannot delete admin"));
    expect(() => users.remove("no")).toThrow(refusal(105, "Username Not Found"));
    for (const [name, old, next, code, message] of [
      ["ann", undefined, "n", 104, "Password undefined"],
      ["ann", null, "n", 104, "Password undefined"],
      ["ann", "secret", undefined, 107, "missing mandatory params: ['new_pwd']"],
      ["ann", "secret", null, 107, "missing mandatory params: ['new_pwd']"],
      ["ann", 5, "n", 108, "passwords must be strings"],
      ["ann", "secret", 5, 108, "passwords must be strings"],
      ["no", "secret", "n", 105, "Username Not Found"],
      ["ann", "wrong", "n", 114, "Password Error"],
    ] as const)
      await expect(users.changePassword(name, old, next)).rejects.toEqual(refusal(code, message));
    expect(await users.login("ann", "secret")).toBe("ok");
    await expect(users.setPassword("no", "x")).rejects.toEqual(refusal(105, "Username Not Found"));
    for (const bad of ["", 5, undefined])
      await expect(users.setPassword("ann", bad)).rejects.toEqual(refusal(108, "the password must not be empty"));
  });
});

describe("applications", () => {
  test("unset is undefined; what is not sent stays", async () => {
    const { admin } = await administer();
    const { apps } = admin;
    expect(apps.add("id", "s", {})).toBe("s");
    const row = { app_id: "id", name: "undefined", desc: "undefined", status: true, expired: "undefined" };
    expect(apps.list()).toEqual([row] as never);
    expect(apps.lookup("id")).toEqual({ ...row, secret: "s" } as never);
    expect(apps.lookup("no")).toBeNull();
    apps.update("id", { name: "n", desc: "d", status: false, expired: 5 });
    apps.update("id", {});
    expect(apps.list()).toEqual([{ app_id: "id", name: "n", desc: "d", status: false, expired: 5 }]);
    // As the row came: nothing of it may lock the application out.
    apps.update("id", { name: null, desc: "undefined", status: null, expired: null });
    expect(apps.list()).toEqual([row] as never);
    apps.update("id", { status: false });
    apps.update("id", { status: "undefined", expired: "undefined" });
    expect(apps.list()).toEqual([row] as never);
  });

  test("who gets in: right secret, enabled, not expired; a generated secret is long, a default one is kept", async () => {
    const { admin, kit } = await administer();
    const { apps } = admin;
    const now = Math.floor(kit.clock.time / 1000);
    const own = apps.add("a", "", {});
    expect(own).toMatch(/^[A-Za-z0-9]{47}$/);
    expect([apps.check("a", own), apps.check("a", `${own}x`), apps.check("no", own), apps.check("no", "")]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    for (const [expired, valid] of [
      [now - 1, false],
      [now, true],
      [now + 1, true],
      [null, true],
    ] as const) {
      apps.update("a", { expired });
      expect([apps.check("a", own), apps.stillValid("a", own)]).toEqual([valid, valid]);
    }
    apps.update("a", { status: false });
    expect([apps.check("a", own), apps.stillValid("a", own)]).toEqual([false, false]);
    apps.update("a", { status: true });
    expect([apps.stillValid("a", own), apps.stillValid("a", "x"), apps.stillValid("no", own)]).toEqual([true, false, false]);
    apps.setDefaultSecret("shared");
    expect([apps.add("b", undefined, {}), apps.add("c", "mine", {})]).toEqual(["shared", "mine"]);
    apps.remove("b");
    expect(apps.check("b", "shared")).toBe(false);
  });

  test("refusals", async () => {
    const { admin } = await administer();
    const { apps } = admin;
    for (const id of [undefined, "", 5, null])
      expect(() => apps.add(id, "s", {})).toThrow(refusal(107, "missing mandatory params: ['app_id']"));
    expect(() => apps.add("a", 5, {})).toThrow(refusal(108, "value of 'secret' must be a string"));
    for (const [field, value, message] of [
      ["name", 5, "value of 'name' must be a string"],
      ["desc", {}, "value of 'desc' must be a string"],
      ["status", 1, "value of 'status' must be true or false"],
      ["status", "true", "value of 'status' must be true or false"],
      ["expired", "soon", "value of 'expired' must be a number (Unix seconds)"],
      ["expired", Number.NaN, "value of 'expired' must be a number (Unix seconds)"],
    ] as const)
      expect(() => apps.add("a", "s", { [field]: value })).toThrow(refusal(108, message));
    expect(apps.list()).toEqual([]);
    apps.add("a", "s", {});
    expect(() => apps.add("a", "t", {})).toThrow(refusal(102, "alread_existed"));
    expect(() => apps.update("no", {})).toThrow(refusal(102, "ont_found"));
  });
});

describe("accounts of MQTT clients", () => {
  test.each([
    ["authUsername", "username", "existed", "noexisted"],
    ["authClientid", "clientid", "exitsted", "noexitsted"],
  ] as const)("%s", async (which, field, existed, unknown) => {
    const { admin } = await administer();
    const accounts = admin[which];
    await accounts.add("one", "secret");
    expect(accounts.list()).toEqual(["one"]);
    expect(accounts.lookup("one")).toEqual({ [field]: "one", password: "******", password_hash: "sha256" });
    await accounts.update("one", "other");
    await expect(accounts.add("one", "x")).rejects.toEqual(refusal(102, existed));
    await expect(accounts.update("no", "x")).rejects.toEqual(refusal(102, unknown));
    expect(() => accounts.lookup("no")).toThrow(refusal(102, unknown));
    for (const bad of [undefined, "", 5, null]) {
      await expect(accounts.add(bad, "x")).rejects.toEqual(refusal(107, field));
      await expect(accounts.add("x", bad)).rejects.toEqual(refusal(107, "password"));
      await expect(accounts.update("one", bad)).rejects.toEqual(refusal(107, "password"));
    }
    accounts.remove("one");
    accounts.remove("one");
    expect(accounts.list()).toEqual([]);
  });
});
