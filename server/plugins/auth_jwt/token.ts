/** JSON Web Tokens (RFC 7519) as compact JWS (RFC 7515): checked with keys that say themselves which algorithms they are for. */
import { constants, createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify, X509Certificate } from "node:crypto";
import { hasTokenForm, isWhole, tokenParts } from "../../lib/token_parts.ts";

export interface Token {
  readonly alg: string;
  /** Which key it was signed with (RFC 7515 section 4.1.4); null = it does not say. */
  readonly kid: string | null;
  readonly claims: Readonly<Record<string, unknown>>;
  /** What is signed. */
  readonly signed: Buffer;
  readonly signature: Buffer;
  /** The header has members that must be understood (RFC 7515 section 4.1.11): none is. */
  readonly critical: boolean;
}

/** Characters. Longer ones are read by nobody: what is in them would be taken apart before anything is known of who sends it. */
export const TOKEN_MAX = 8192;

/** It is meant as a token: it must not pass for a password, of which others decide. */
export const isTooLong = (text: string): boolean => text.length > TOKEN_MAX && hasTokenForm(text);

/** null = this is no token, or one that is too long. */
export function readToken(text: string): Token | null {
  const parts = text.length > TOKEN_MAX ? null : tokenParts(text);
  if (parts === null) return null;
  const { header, claims, signed, signature } = parts;
  if (typeof header.alg !== "string" || !isWhole(signature)) return null;
  return {
    alg: header.alg,
    kid: typeof header.kid === "string" ? header.kid : null,
    claims,
    signed: Buffer.from(signed, "ascii"),
    signature: Buffer.from(signature, "base64url"),
    critical: "crit" in header,
  };
}

export type Verify = (signed: Buffer, signature: Buffer) => boolean;
/** Algorithm -> does the signature hold? */
export type Verifiers = ReadonlyMap<string, Verify>;

/** HS256, HS384, HS512. */
export function secretVerifiers(secret: string | Uint8Array): Verifiers {
  return new Map(
    ["256", "384", "512"].map((bits) => [
      `HS${bits}`,
      (signed: Buffer, signature: Buffer): boolean => {
        const right = createHmac(`sha${bits}`, secret).update(signed).digest();
        return right.length === signature.length && timingSafeEqual(right, signature);
      },
    ]),
  );
}

const CURVES: Readonly<Record<string, string>> = { prime256v1: "256", secp384r1: "384", secp521r1: "512" };

/** Of a public key, or a certificate. @throws Error in words */
export function keyVerifiers(pem: string): Verifiers {
  return verifiersOf(pem.includes("BEGIN CERTIFICATE") ? new X509Certificate(pem).publicKey : publicKey(pem));
}

/**
 * What a public key is for, by its kind: RSA for RS and PS, a curve for the one ES it belongs to, Ed25519 and Ed448 for EdDSA. Never for HS: who
 * knows the public key could sign as anybody. @throws Error in words
 */
export function verifiersOf(key: KeyObject): Verifiers {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return new Map(["256", "384", "512"].flatMap((bits) => rsaVerifiers(key, bits)));
    case "ec": {
      const bits = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""];
      if (bits === undefined) throw new Error(`the curve ${key.asymmetricKeyDetails?.namedCurve ?? "?"} has no algorithm`);
      return new Map([[`ES${bits}`, (signed, signature) => verify(`sha${bits}`, signed, { key, dsaEncoding: "ieee-p1363" }, signature)]]);
    }
    case "ed25519":
    case "ed448":
      return new Map([["EdDSA", (signed, signature) => verify(null, signed, key, signature)]]);
    default:
      throw new Error(`a key of kind ${key.asymmetricKeyType ?? "?"}, expected RSA, EC or Ed25519`);
  }
}

function publicKey(pem: string): KeyObject {
  // The runtime would make a public key of a private one: that file should not lie here.
  if (/BEGIN (?:\w+ )?PRIVATE KEY/.test(pem)) throw new Error("this is a private key, expected a public key or a certificate");
  return createPublicKey(pem);
}

function rsaVerifiers(key: KeyObject, bits: string): [string, Verify][] {
  const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return [
    [`RS${bits}`, (signed, signature) => verify(`sha${bits}`, signed, key, signature)],
    [`PS${bits}`, (signed, signature) => verify(`sha${bits}`, signed, pss, signature)],
  ];
}
