import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { isPassword } from "../../../../server/plugins/auth_ldap/user_password.ts";

const is = (value: string | Buffer, password: string): boolean | null => isPassword(Buffer.from(value), Buffer.from(password));
const digest = (name: string, salt: string): string =>
  Buffer.concat([createHash(name).update("public").update(salt).digest(), Buffer.from(salt)]).toString("base64");

describe("userPassword", () => {
  for (const [scheme, name] of [
    ["MD5", "md5"],
    ["SHA", "sha1"],
    ["SHA224", "sha224"],
    ["SHA256", "sha256"],
    ["SHA384", "sha384"],
    ["SHA512", "sha512"],
  ] as const) {
    test(`{${scheme}} and {S${scheme}}`, () => {
      const salted = scheme === "MD5" ? "SMD5" : `S${scheme}`;
      expect([is(`{${scheme}}${digest(name, "")}`, "public"), is(`{${scheme}}${digest(name, "")}`, "Public")]).toEqual([true, false]);
      expect([is(`{${salted}}${digest(name, "pepper")}`, "public"), is(`{${salted}}${digest(name, "pepper")}`, "publi")]).toEqual([
        true,
        false,
      ]);
      // Without a salt it is the hash alone; a hash that should have none has none.
      expect([is(`{${salted}}${digest(name, "")}`, "public"), is(`{${scheme}}${digest(name, "pepper")}`, "public")]).toEqual([true, false]);
      expect(is(`{${scheme.toLowerCase()}}${digest(name, "")}`, "public")).toBe(true);
    });
  }

  test("a known value of OpenLDAP's manual", () => {
    expect([is("{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3", "secret"), is("{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "secret")]).toEqual([true, true]);
  });

  test("cut short, empty, no base64: nobody's", () => {
    expect([is("{SHA}", ""), is("{SHA}AAAA", "public"), is("{SSHA}????", "public"), is("{SHA}", "public")]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  test("plain, in two forms; a text that only looks like base64 is a password", () => {
    expect([is("public", "public"), is("public", "publi"), is("{CLEARTEXT}public", "public"), is("{CLEARTEXT}public", "x")]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect([is("cHVibGljMTIz", "cHVibGljMTIz"), is("cHVibGljMTIz", "public123")]).toEqual([true, false]);
  });

  test("base64 of a scheme once more (EMQ X 3.1)", () => {
    const value = Buffer.from(`{SSHA}${digest("sha1", "pepper")}`).toString("base64");
    expect([is(value, "public"), is(value, "Public"), is(value, value)]).toEqual([true, false, false]);
  });

  test("what only the server can check", () => {
    for (const scheme of ["CRYPT", "PBKDF2-SHA512", "ARGON2", "constructor", "SASL"])
      expect([scheme, is(`{${scheme}}x`, "x")]).toEqual([scheme, null]);
  });
});
