/** Tokens taken apart, and signatures by the vectors of RFC 7515 and RFC 8037 and keys made here. */
import { describe, expect, test } from "bun:test";
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { keyVerifiers, readToken, secretVerifiers, type Token, type Verifiers } from "../../../../server/plugins/auth_jwt/token.ts";

const b64 = (value: unknown): string => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const token = (text: string): Token => {
  const t = readToken(text);
  if (t === null) throw new Error("no token");
  return t;
};
const holds = (v: Verifiers, text: string): boolean => {
  const t = token(text);
  return v.get(t.alg)?.(t.signed, t.signature) ?? false;
};
const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }).toString();
/** The last character but one of the signature is another. */
const spoilt = (text: string): string => `${text.slice(0, -3)}${text.at(-3) === "A" ? "B" : "A"}${text.slice(-2)}`;

describe("taken apart", () => {
  const good = `${b64({ alg: "HS256" })}.${b64({ sub: "joe" })}.${b64("x")}`;
  test("what is none", () => {
    for (const text of [
      "",
      "secret",
      "a.b",
      "a.b.c",
      `${good}.`,
      `${good}.x`,
      `.${b64({})}.x`,
      `${b64({ alg: "HS256" })}=.${b64({})}.x`,
      `${b64({ alg: "HS256" })}.${b64([])}.x`,
      `${b64("[]")}.${b64({})}.`,
      `${b64("null")}.${b64({})}.`,
      `${b64({})}.${b64({})}.`,
      `${b64({ alg: 5 })}.${b64({})}.`,
      `${b64({ alg: "HS256" })}.${Buffer.of(0x22, 0xff, 0x22).toString("base64url")}.`,
      `${b64({ alg: "HS256" })} .${b64({})}.x`,
      good.padEnd(9000, "A"),
    ])
      expect([text.slice(0, 30), readToken(text)]).toEqual([text.slice(0, 30), null]);
  });

  test("claims of any kind, an empty signature, members that must be understood", () => {
    expect(token(`${b64({ alg: "none" })}.${b64({ a: [1], ä: null })}.`)).toMatchObject({
      alg: "none",
      claims: { a: [1], ä: null },
      critical: false,
    });
    expect(token(`${b64({ alg: "HS256", crit: ["b64"] })}.${b64({})}.x4`).critical).toBe(true);
  });
});

describe("signatures", () => {
  test("RFC 7515 A.1: HS256", () => {
    const key = Buffer.from("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "base64url");
    const text =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    expect(holds(secretVerifiers(key), text)).toBe(true);
    expect(holds(secretVerifiers(key), spoilt(text))).toBe(false);
    expect(holds(secretVerifiers("other"), text)).toBe(false);
  });

  test("RFC 7515 A.3: ES256, the two numbers side by side", () => {
    const key = createPublicKey({
      key: { kty: "EC", crv: "P-256", x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
      format: "jwk",
    });
    const text =
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    expect(holds(keyVerifiers(pem(key)), text)).toBe(true);
    expect(holds(keyVerifiers(pem(key)), spoilt(text))).toBe(false);
  });

  test("RFC 8037 A.4: EdDSA", () => {
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }, format: "jwk" });
    const signed = Buffer.from("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
    const signature = Buffer.from("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", "base64url");
    expect(keyVerifiers(pem(key)).get("EdDSA")?.(signed, signature)).toBe(true);
    expect(keyVerifiers(pem(key)).get("EdDSA")?.(signed.subarray(1), signature)).toBe(false);
  });

  test("RSA: RS and PS of each length, made here", () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const verifiers = keyVerifiers(pem(publicKey));
    expect([...verifiers.keys()].sort()).toEqual(["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]);
    for (const alg of verifiers.keys()) {
      const body = `${b64({ alg })}.${b64({ sub: "joe" })}`;
      const digest = `sha${alg.slice(2)}`;
      const key = alg.startsWith("PS") ? { key: privateKey, padding: 6, saltLength: -1 } : privateKey;
      const text = `${body}.${sign(digest, Buffer.from(body), key).toString("base64url")}`;
      expect([alg, holds(verifiers, text), holds(verifiers, spoilt(text))]).toEqual([alg, true, false]);
    }
  });

  test("ES384 and ES512 by their curves; a key is for one algorithm alone", () => {
    for (const [namedCurve, alg] of [
      ["P-384", "ES384"],
      ["P-521", "ES512"],
    ] as const) {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
      const body = `${b64({ alg })}.${b64({})}`;
      const signature = sign(`sha${alg.slice(2)}`, Buffer.from(body), { key: privateKey, dsaEncoding: "ieee-p1363" });
      expect([...keyVerifiers(pem(publicKey)).keys()]).toEqual([alg]);
      expect(holds(keyVerifiers(pem(publicKey)), `${body}.${signature.toString("base64url")}`)).toBe(true);
    }
  });

  test("a public key is never a secret: signed with its text, a token is nobody's", () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const text = pem(publicKey);
    const body = `${b64({ alg: "HS256" })}.${b64({ sub: "admin" })}`;
    const forged = `${body}.${createHmac("sha256", text).update(body).digest("base64url")}`;
    expect(holds(keyVerifiers(text), forged)).toBe(false);
  });

  test("files that are no public key are refused in words", () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const secret = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect(() => keyVerifiers(secret)).toThrow("this is a private key");
    expect(() => keyVerifiers("no key at all")).toThrow();
    const curve = generateKeyPairSync("ec", { namedCurve: "P-224" }).publicKey;
    expect(() => keyVerifiers(pem(curve))).toThrow("has no algorithm");
  });
});
