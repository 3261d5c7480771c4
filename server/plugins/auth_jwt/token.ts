/** JSON Web Tokens (RFC 7519) as compact JWS (RFC 7515): taken apart strictly, checked with keys that say themselves which algorithms they are for. */
import { constants, createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify, X509Certificate } from "node:crypto";

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

/** Longer texts are no tokens anybody makes. */
const TOKEN_MAX = 8192;
const PART = /^[A-Za-z0-9_-]*$/;

/** null = this is no token. */
export function readToken(text: string): Token | null {
  if (text.length > TOKEN_MAX) return null;
  const parts = text.split(".");
  const [header = "", payload = "", signature = ""] = parts;
  if (parts.length !== 3 || header === "" || !parts.every((p) => PART.test(p) && p.length % 4 !== 1)) return null;
  const head = objectIn(header);
  const claims = objectIn(payload);
  if (head === null || claims === null || typeof head.alg !== "string") return null;
  return {
    alg: head.alg,
    kid: typeof head.kid === "string" ? head.kid : null,
    claims,
    signed: Buffer.from(`${header}.${payload}`, "ascii"),
    signature: Buffer.from(signature, "base64url"),
    critical: "crit" in head,
  };
}

function objectIn(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(part, "base64url")));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
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
