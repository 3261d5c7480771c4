/** Who comes in with which token, in EMQ X 3.1's order and words. */
import { describe, expect, test } from "bun:test";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { CLIENT_VARIABLES, parseTemplate } from "../../../../server/plugins/_backend/template.ts";
import { checkToken, type JwtRules, oneKey } from "../../../../server/plugins/auth_jwt/check.ts";
import { keyVerifiers, secretVerifiers } from "../../../../server/plugins/auth_jwt/token.ts";
import { aClient } from "../../../support/access.ts";

const NOW_S = 1_700_000_000;
const client = aClient({ clientId: "c1", username: "joe" });
const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function signed(claims: object, header: object = { alg: "HS256" }, secret = "s"): string {
  const body = `${b64(header)}.${b64(claims)}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}
const claimsOf = (claims: Record<string, string>): JwtRules["claims"] =>
  new Map(Object.entries(claims).map(([name, text]) => [name, parseTemplate(text, CLIENT_VARIABLES)]));
const RULES: JwtRules = { secret: oneKey(secretVerifiers("s"), "auth.jwt.secret"), key: null, claims: null, leeway: 0 };

function outcome(text: string, rules: Partial<JwtRules> = {}): string {
  const { step } = checkToken({ ...RULES, ...rules }, client, text, NOW_S * 1000);
  return step === null ? "pass" : step.allow ? "allow" : step.why;
}

test("something else in its place: the next one is asked", () => {
  expect(["secret", "a.b.c", "x".repeat(100_000)].map((text) => outcome(text))).toEqual(["pass", "pass", "pass"]);
});

test("a token that is too long to be read decides, too; a password of that length is none", () => {
  const claims = (length: number) => ({ pad: "x".repeat(length) });
  expect([outcome(signed(claims(6000))), outcome(signed(claims(9000)))]).toEqual(["allow", "token_too_long"]);
  const { step, why } = checkToken(RULES, client, signed(claims(9000)), NOW_S * 1000);
  expect([step, why]).toMatchObject([{ allow: false, code: 0x87 }, expect.stringMatching(/^token_too_long: 1\d{4} characters/)]);
  const part = "x".repeat(9000);
  const others = [part, `${part}.${part}`, `${part}.x.`, `${part}..${part}`, `${part}.x.x x`, `${part}.x.x.x`];
  expect(others.map((text) => outcome(text))).toEqual(["pass", "pass", "token_too_long", "pass", "pass", "pass"]);
});

test("no token: the next one is asked, too, and when none lets the client in it is refused", () => {
  expect(checkToken(RULES, client, "", NOW_S * 1000)).toMatchObject({ step: { allow: null, code: 0x87, why: "token_undefined" } });
});

test("a token decides: good, forged, of an algorithm that is not there", () => {
  expect(outcome(signed({ sub: "joe" }))).toBe("allow");
  expect(outcome(signed({}, { alg: "HS256" }, "other"))).toBe("invalid_signature");
  expect(outcome(`${b64({ alg: "none" })}.${b64({})}.`)).toBe("token_unsupported");
  expect(outcome(signed({}, { alg: "none" }))).toBe("token_unsupported");
  expect(outcome(signed({}, { alg: "hs256" }))).toBe("token_unsupported");
  expect(outcome(signed({}), { secret: null })).toBe("hmac_secret_undefined");
  expect(["RS256", "PS512", "ES384", "EdDSA"].map((alg) => outcome(signed({}, { alg })))).toEqual([
    "rsa_pubkey_undefined",
    "rsa_pubkey_undefined",
    "ecdsa_pubkey_undefined",
    "pubkey_undefined",
  ]);
  expect(outcome(signed({}, { alg: "HS256", crit: ["x"] }))).toBe("invalid_signature");
  const { publicKey } = generateKeyPairSync("ed25519");
  const key = oneKey(keyVerifiers(publicKey.export({ type: "spki", format: "pem" }).toString()), "auth.jwt.pubkey");
  expect(outcome(signed({}, { alg: "EdDSA" }), { key })).toBe("invalid_signature");
  expect(outcome(signed({}, { alg: "RS256" }), { key })).toBe("token_unsupported");
});

describe("time", () => {
  test("exp, nbf and iat to the second", () => {
    expect([NOW_S - 1, NOW_S, NOW_S + 1].map((exp) => outcome(signed({ exp })))).toEqual(["expired", "expired", "allow"]);
    expect([NOW_S, NOW_S + 1].map((nbf) => outcome(signed({ nbf })))).toEqual(["allow", "not_yet_valid"]);
    expect([NOW_S, NOW_S + 1].map((iat) => outcome(signed({ iat })))).toEqual(["allow", "issued_in_the_future"]);
  });

  test("clocks may be apart as far as the leeway", () => {
    expect(outcome(signed({ exp: NOW_S - 9 }), { leeway: 10 })).toBe("allow");
    expect(outcome(signed({ exp: NOW_S - 10 }), { leeway: 10 })).toBe("expired");
    expect(outcome(signed({ nbf: NOW_S + 10 }), { leeway: 10 })).toBe("allow");
    expect(outcome(signed({ nbf: NOW_S + 11 }), { leeway: 10 })).toBe("not_yet_valid");
  });

  test("what is no number holds for nobody", () => {
    expect(["1", null, true, [], {}].map((exp) => outcome(signed({ exp })))).toEqual(Array.from({ length: 5 }, () => "invalid_exp"));
    expect(outcome(signed({ nbf: "soon" }))).toBe("invalid_nbf");
    expect(outcome(signed({ iat: "now" }))).toBe("invalid_iat");
  });

  test("when it ends is told with the leeway, for who is let in alone", () => {
    const exp = (text: string, leeway = 0): number | null => checkToken({ ...RULES, leeway }, client, text, NOW_S * 1000).exp;
    expect([exp(signed({ exp: NOW_S + 60 })), exp(signed({ exp: NOW_S + 60 }), 5), exp(signed({})), exp(signed({ exp: NOW_S }))]).toEqual([
      NOW_S + 60,
      NOW_S + 65,
      null,
      null,
    ]);
  });
});

describe("claims", () => {
  test("exactly as wanted, the client's own names filled in", () => {
    const rules = { claims: claimsOf({ username: "%u", id: "%c", role: "device" }) };
    expect(outcome(signed({ username: "joe", id: "c1", role: "device" }), rules)).toBe("allow");
    expect(outcome(signed({ username: "Joe", id: "c1", role: "device" }), rules)).toBe("unexpected_username");
    expect(outcome(signed({ username: "joe", id: "c1" }), rules)).toBe("unexpected_role");
    expect(outcome(signed({ username: ["joe"], id: "c1", role: "device" }), rules)).toBe("unexpected_username");
  });

  test("a number is never a text, and what every object has is no claim", () => {
    expect(outcome(signed({ n: 5 }), { claims: claimsOf({ n: "5" }) })).toBe("unexpected_n");
    expect(outcome(signed({}), { claims: claimsOf({ constructor: "" }) })).toBe("unexpected_constructor");
    expect(outcome(signed({}), { claims: claimsOf({}) })).toBe("allow");
  });
});

test("a key ring: of a name it does not know, others may; of an algorithm that none is for, nobody", () => {
  const good = signed({}, { alg: "HS256", kid: "k1" });
  type Keys = Record<string, ReturnType<typeof secretVerifiers>>;
  /** Those called "any" may have signed whatever a token names. */
  const ring = ({ any, ...named }: Keys): JwtRules["secret"] => ({
    find: (alg, kid) => ({
      keys: [any, named[kid ?? ""]].flatMap((key) => {
        const verify = key?.get(alg);
        return verify === undefined ? [] : [{ verify, name: "a key" }];
      }),
      unknown: kid !== null && named[kid] === undefined,
    }),
  });
  const check = (secret: JwtRules["secret"], text = good) => {
    const { step, unknownKey } = checkToken({ ...RULES, secret }, client, text, NOW_S * 1000);
    return [step?.allow === true ? "allow" : step === null ? "pass" : step.why, unknownKey];
  };
  expect(check(ring({ k1: secretVerifiers("s") }))).toEqual(["allow", false]);
  expect(check(ring({ k1: secretVerifiers("other") }))).toEqual(["invalid_signature", false]);
  expect(check(ring({ k2: secretVerifiers("s") }))).toEqual(["unknown_key", true]);
  expect(check(ring({ k1: secretVerifiers("s") }), signed({}))).toEqual(["token_unsupported", false]);
  expect(check(ring({ any: secretVerifiers("s") }))).toEqual(["allow", false]);
  expect(check(ring({ any: secretVerifiers("other") }))).toEqual(["invalid_signature", true]);
  expect(check(ring({ any: secretVerifiers("other") }), signed({}))).toEqual(["invalid_signature", false]);
  const critical = signed({}, { alg: "HS256", kid: "k1", crit: ["x"] });
  expect(check(ring({ any: secretVerifiers("s") }), critical)).toEqual(["invalid_signature", false]);
});

describe("in words: what was found, what was expected, where that is set", () => {
  const rules: JwtRules = { ...RULES, claims: claimsOf({ username: "%u", site: "north" }) };
  const why = (text: string, more: Partial<JwtRules> = {}): string => checkToken({ ...rules, ...more }, client, text, NOW_S * 1000).why;

  test("of each outcome", () => {
    expect(why(signed({ username: "joe", site: "north" }))).toBe("a good token, signed with auth.jwt.secret");
    expect(why("")).toContain("auth.jwt.from");
    expect(why("secret")).toContain("it may be a password");
    expect(why(signed({}, { alg: "none" }))).toBe('token_unsupported: nobody is let in with algorithm "none"');
    expect(why(signed({}), { secret: null })).toContain('the algorithm is "HS256", and auth.jwt.secret is empty');
    expect(why(signed({}, { alg: "RS256" }))).toContain("neither auth.jwt.pubkey nor auth.jwt.jwks is set");
    expect(why(signed({}, { alg: "HS256" }, "other"))).toBe("invalid_signature: it was not signed with auth.jwt.secret");
    expect(why(signed({ exp: NOW_S - 60 }))).toBe(
      "expired: claim exp is 1699999940 (2023-11-14T22:12:20.000Z), expected later than 2023-11-14T22:13:20.000Z",
    );
    expect(why(signed({ exp: NOW_S - 60 }), { leeway: 60 })).toContain("expected later than 2023-11-14T22:12:20.000Z");
    expect(why(signed({ exp: "soon" }))).toBe("invalid_exp: claim exp is soon, expected a number");
    expect(why(signed({ nbf: 1e300 }))).toContain("claim nbf is 1e+300 (no time), expected 2023-11-14T22:13:20.000Z or before");
    expect(why(signed({ username: "joe", site: "south" }))).toBe("unexpected_site: claim site is south, expected north");
    expect(why(signed({ username: "joe" }))).toBe("unexpected_site: claim site is not there, expected north");
    expect(why(signed({ username: ["joe"], site: "north" }))).toBe('unexpected_username: claim username is ["joe"], expected joe');
    expect(why(signed({ secret: "s3cret" }), { claims: claimsOf({ secret: "an0ther" }) })).toBe(
      "unexpected_secret: claim secret is ***, expected ***",
    );
  });
});
