/**
 * Values of `userPassword` [RFC 2307, 5.3]: `{SCHEME}` and what it needs, or the password itself.
 *
 *   {MD5} {SHA} {SHA224} {SHA256} {SHA384} {SHA512}          base64 of H(password)
 *   {SMD5} {SSHA} {SSHA224} {SSHA256} {SSHA384} {SSHA512}    base64 of H(password salt) and the salt
 *
 * Others ({CRYPT}, {ARGON2}, {PBKDF2-SHA256} ...) the server alone can check: by binding as the user.
 */
import { createHash } from "node:crypto";
import { sameSecret } from "../_auth/secrets.ts";

const DIGESTS: Readonly<Record<string, { digest: string; bytes: number }>> = {
  MD5: { digest: "md5", bytes: 16 },
  SHA: { digest: "sha1", bytes: 20 },
  SHA224: { digest: "sha224", bytes: 28 },
  SHA256: { digest: "sha256", bytes: 32 },
  SHA384: { digest: "sha384", bytes: 48 },
  SHA512: { digest: "sha512", bytes: 64 },
};
const SALTED: Readonly<Record<string, string>> = {
  SMD5: "MD5",
  SSHA: "SHA",
  SSHA224: "SHA224",
  SSHA256: "SHA256",
  SSHA384: "SHA384",
  SSHA512: "SHA512",
};
const SCHEME = /^\{([A-Za-z0-9./_-]+)\}(.*)$/s;

/** Is it this password's? null = the server alone can tell. */
export function isPassword(value: Uint8Array, password: Uint8Array): boolean | null {
  const text = unwrapped(Buffer.from(value).toString("utf8"));
  const found = SCHEME.exec(text);
  if (found === null) return sameSecret(text, password);
  const scheme = (found[1] as string).toUpperCase();
  if (scheme === "CLEARTEXT") return sameSecret(found[2] as string, password);
  const salted = Object.hasOwn(SALTED, scheme) ? (SALTED[scheme] as string) : null;
  const name = salted ?? scheme;
  const kind = Object.hasOwn(DIGESTS, name) ? DIGESTS[name] : undefined;
  if (kind === undefined) return null;
  const bytes = Buffer.from(found[2] as string, "base64");
  const [digest, salt] = [bytes.subarray(0, kind.bytes), bytes.subarray(kind.bytes)];
  if (digest.length < kind.bytes || (salt.length > 0 && salted === null)) return false;
  return sameSecret(digest, createHash(kind.digest).update(password).update(salt).digest());
}

/** EMQ X 3.1's users have values that are base64 of such a text once more. */
function unwrapped(text: string): string {
  if (!/^[A-Za-z0-9+/]{8,}={0,2}$/.test(text)) return text;
  const inner = Buffer.from(text, "base64").toString("utf8");
  return SCHEME.test(inner) ? inner : text;
}
