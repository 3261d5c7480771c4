import { describe, expect, test } from "bun:test";
import {
  digestPassword,
  equalSecrets,
  hashArgon2id,
  newSalt,
  type PasswordScheme,
  parsePasswordScheme,
  VerifiedPasswords,
  verifyPassword,
} from "../../../server/lib/password_hash.ts";

const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);
const check = (scheme: string, password: string, stored: string, salt = ""): boolean | Promise<boolean> =>
  verifyPassword(parsePasswordScheme(scheme), bytes(password), stored, salt);

describe("schemes", () => {
  test.each<[string, PasswordScheme]>([
    ["plain", { kind: "plain", salt: "none" }],
    ["sha256", { kind: "sha256", salt: "none" }],
    ["salt,sha256", { kind: "sha256", salt: "before" }],
    ["md5, salt", { kind: "md5", salt: "after" }],
    ["bcrypt", { kind: "bcrypt" }],
    ["salt,bcrypt", { kind: "bcrypt" }],
    ["bcrypt,salt", { kind: "bcrypt" }],
    ["argon2id", { kind: "argon2id" }],
    ["pbkdf2,sha256,1000,20", { kind: "pbkdf2", digest: "sha256", iterations: 1000, length: 20 }],
    ["pbkdf2,sha,1,20", { kind: "pbkdf2", digest: "sha1", iterations: 1, length: 20 }],
  ])("%s", (text, scheme) => expect(parsePasswordScheme(text)).toEqual(scheme));

  test.each(["", "sha3", "salt", "salt,salt,md5", "sha256,md5", "pbkdf2", "pbkdf2,sha256,0,20", "pbkdf2,nope,1,1", "salt,argon2id"])(
    "%j is none",
    (text) => {
      expect(() => parsePasswordScheme(text)).toThrow("expected");
    },
  );
});

describe("known answers", () => {
  test.each([
    ["plain", "public", "public", ""],
    ["md5", "public", "4c9184f37cff01bcdc32dc486ec36961", ""],
    ["sha", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d", ""],
    ["sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ""],
    ["sha256", "abc", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", ""],
    ["salt,sha256", "c", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "ab"],
    ["sha256,salt", "a", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "bc"],
    // RFC 6070
    ["pbkdf2,sha,1,20", "password", "0c60c80f961f0e71f3a9b524af6012062fe037a6", "salt"],
    ["pbkdf2,sha,4096,20", "password", "4b007901b765489abead49d926f721d065a429c1", "salt"],
  ])("%s %s", async (scheme, password, stored, salt) => {
    expect(await check(scheme, password, stored, salt)).toBe(true);
    expect(await check(scheme, `${password}x`, stored, salt)).toBe(false);
    expect(await check(scheme, "", stored, salt)).toBe(false);
  });

  test("bcrypt, whole or with its salt apart", async () => {
    const stored = await Bun.password.hash("public", { algorithm: "bcrypt", cost: 4 });
    for (const [scheme, salt] of [
      ["bcrypt", ""],
      ["salt,bcrypt", stored.slice(0, 29)],
    ] as const) {
      expect(await check(scheme, "public", stored, salt)).toBe(true);
      expect(await check(scheme, "wrong", stored, salt)).toBe(false);
      expect(await check(scheme, "", stored, salt)).toBe(false);
    }
    expect(await check("salt,bcrypt", "public", stored, "$2a$04$0123456789012345678901")).toBe(false);
    expect(await check("bcrypt", "public", stored.replace("$2b$", "$2y$"))).toBe(true);
  });

  test("argon2id", async () => {
    const stored = await hashArgon2id("public");
    expect(stored).toStartWith("$argon2id$");
    expect(await check("argon2id", "public", stored)).toBe(true);
    expect(await check("argon2id", "other", stored)).toBe(false);
  });
});

test("a stored text that is no hash matches nothing", async () => {
  for (const scheme of ["bcrypt", "argon2id", "sha256", "pbkdf2,sha256,1,20"]) {
    for (const stored of ["", "$2b$", "$argon2id$x", "*"]) expect(await check(scheme, "public", stored)).toBe(false);
  }
});

test("a password need not be text", () => {
  const password = new Uint8Array([0xff, 0xfe]);
  expect(verifyPassword({ kind: "sha256", salt: "none" }, password, digestPassword("sha256", password))).toBe(true);
  expect(verifyPassword({ kind: "plain", salt: "none" }, password, "\ufffd\ufffd")).toBe(false);
});

test("digests with a salt", () => {
  expect(digestPassword("sha256", "c", "ab")).toBe(digestPassword("sha256", "a", "bc", "after"));
  expect(newSalt()).toMatch(/^[0-9a-f]{32}$/);
  expect(newSalt()).not.toBe(newSalt());
});

test("comparing secrets of different lengths", () => {
  expect([equalSecrets("a", "a"), equalSecrets("a", "ab"), equalSecrets("", "")]).toEqual([true, false, true]);
});

describe("remembered passwords", () => {
  const scheme: PasswordScheme = { kind: "bcrypt" };

  test("a right one is answered at once, until it expires", async () => {
    let now = 0;
    const known = new VerifiedPasswords(() => now, 10, 1000);
    const stored = await Bun.password.hash("pw", { algorithm: "bcrypt", cost: 4 });
    const first = known.verify(scheme, bytes("pw"), stored);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toBe(true);
    expect(known.verify(scheme, bytes("pw"), stored)).toBe(true);
    now = 1000;
    expect(known.verify(scheme, bytes("pw"), stored)).toBeInstanceOf(Promise);
  });

  test("a wrong one, another row or a changed hash is not", async () => {
    const known = new VerifiedPasswords(() => 0);
    const stored = await Bun.password.hash("pw", { algorithm: "bcrypt", cost: 4 });
    const changed = await Bun.password.hash("new", { algorithm: "bcrypt", cost: 4 });
    expect(await known.verify(scheme, bytes("pw"), stored)).toBe(true);
    expect(await known.verify(scheme, bytes("no"), stored)).toBe(false);
    expect(await known.verify(scheme, bytes("no"), stored)).toBe(false);
    expect(await known.verify(scheme, bytes("pw"), changed)).toBe(false);
    known.clear();
    expect(known.verify(scheme, bytes("pw"), stored)).toBeInstanceOf(Promise);
  });

  test("cheap kinds answer without it", () => {
    const known = new VerifiedPasswords(() => 0);
    expect(known.verify({ kind: "plain", salt: "none" }, bytes("pw"), "pw")).toBe(true);
  });
});
