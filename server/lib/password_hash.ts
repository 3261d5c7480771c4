/**
 * Stored passwords, in the notations of EMQ X 3.1: "plain", "sha256", "salt,sha256", "sha256,salt", "salt,bcrypt",
 * "pbkdf2,sha256,1000,20"; and "argon2id", ours for what we store ourselves.
 */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { Lru } from "./lru.ts";
import { parseInteger, ValueError } from "./units.ts";

export type DigestKind = "plain" | "md5" | "sha" | "sha256" | "sha512";
export type PasswordScheme =
  | { kind: DigestKind; salt: "none" | "before" | "after" }
  | { kind: "bcrypt" | "argon2id" }
  | { kind: "pbkdf2"; digest: string; iterations: number; length: number };

const DIGESTS: Readonly<Record<Exclude<DigestKind, "plain">, string>> = { md5: "md5", sha: "sha1", sha256: "sha256", sha512: "sha512" };
const MAC_FUNCTIONS: Readonly<Record<string, string>> = {
  md4: "md4",
  md5: "md5",
  ripemd160: "ripemd160",
  sha: "sha1",
  sha224: "sha224",
  sha256: "sha256",
  sha384: "sha384",
  sha512: "sha512",
};
const EXPECTS_SCHEME =
  "plain, md5, sha, sha256 or sha512, with a salt before or after it (salt,sha256), salt,bcrypt, argon2id, or pbkdf2,sha256,1000,20";

/** @throws ValueError */
export function parsePasswordScheme(text: string): PasswordScheme {
  const parts = text.split(",").map((p) => p.trim().toLowerCase());
  const [first = "", second = ""] = parts;
  if (first === "pbkdf2") return parsePbkdf2(text, parts);
  const words = parts.filter((p) => p !== "salt");
  const kind = words[0] ?? "";
  const isPlainForm = parts.length === 1 || (parts.length === 2 && words.length === 1);
  if (isPlainForm && kind === "bcrypt") return { kind };
  if (parts.length === 1 && kind === "argon2id") return { kind };
  if (isPlainForm && (kind === "plain" || kind in DIGESTS)) {
    return { kind: kind as DigestKind, salt: first === "salt" ? "before" : second === "salt" ? "after" : "none" };
  }
  throw new ValueError(text, EXPECTS_SCHEME);
}

function parsePbkdf2(text: string, parts: string[]): PasswordScheme {
  const digest = MAC_FUNCTIONS[parts[1] ?? ""];
  if (parts.length !== 4 || digest === undefined) throw new ValueError(text, EXPECTS_SCHEME);
  return { kind: "pbkdf2", digest, iterations: parseInteger(parts[2] ?? "", 1, 10_000_000), length: parseInteger(parts[3] ?? "", 1, 1024) };
}

/** `n` random bytes as hex, for new rows. */
export function newSalt(n = 16): string {
  return randomBytes(n).toString("hex");
}

/** The text stored for a password: lower-case hex, or the password itself for "plain". */
export function digestPassword(kind: DigestKind, password: Uint8Array | string, salt = "", where: "before" | "after" = "before"): string {
  const bytes = Buffer.from(password as Uint8Array);
  const salted = salt === "" ? bytes : Buffer.concat(where === "before" ? [Buffer.from(salt), bytes] : [bytes, Buffer.from(salt)]);
  return kind === "plain" ? salted.toString() : createHash(DIGESTS[kind]).update(salted).digest("hex");
}

/** In PHC form, with its own salt. About 20 ms and 19 MiB: OWASP's minimum for argon2id. */
export function hashArgon2id(password: Uint8Array | string): Promise<string> {
  return Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 });
}

/** Compares in a time that does not depend on where the texts differ. */
export function equalSecrets(a: Uint8Array | string, b: Uint8Array | string): boolean {
  const x = createHash("sha256").update(a).digest();
  const y = createHash("sha256").update(b).digest();
  return timingSafeEqual(x, y);
}

/**
 * Is it the password that was stored? Digests answer at once, the deliberately slow kinds later. Never throws or rejects: a stored
 * text that is no hash matches no password.
 */
export function verifyPassword(scheme: PasswordScheme, password: Uint8Array, stored: string, salt = ""): boolean | Promise<boolean> {
  switch (scheme.kind) {
    case "pbkdf2":
      return verifyPbkdf2(scheme, password, stored, salt);
    case "bcrypt":
      // A table that keeps the salt apart: the hash begins with it, or the row is wrong.
      if (salt !== "" && !stored.startsWith(salt)) return false;
      return stored.startsWith("$2") && verifySlow(password, stored);
    case "argon2id":
      return stored.startsWith("$argon2id$") && verifySlow(password, stored);
    case "plain":
      return equalSecrets(saltedPlain(scheme.salt, password, salt), stored);
    default: {
      const digest =
        scheme.salt === "none" ? digestPassword(scheme.kind, password) : digestPassword(scheme.kind, password, salt, scheme.salt);
      return equalSecrets(digest, stored.toLowerCase());
    }
  }
}

/** As bytes: a password need not be UTF-8. */
function saltedPlain(where: "none" | "before" | "after", password: Uint8Array, salt: string): Uint8Array {
  if (where === "none") return password;
  return Buffer.concat(where === "before" ? [Buffer.from(salt), password] : [password, Buffer.from(salt)]);
}

function verifySlow(password: Uint8Array, stored: string): Promise<boolean> {
  // An empty password is an error to Bun; here it is a wrong one.
  if (password.length === 0) return Promise.resolve(false);
  return Bun.password.verify(password, stored).catch(() => false);
}

function verifyPbkdf2(s: PasswordScheme & { kind: "pbkdf2" }, password: Uint8Array, stored: string, salt: string): Promise<boolean> {
  return new Promise((resolve) => {
    pbkdf2(password, salt, s.iterations, s.length, s.digest, (err, key) =>
      resolve(!err && equalSecrets(key.toString("hex"), stored.toLowerCase())),
    );
  });
}

/**
 * Remembers which passwords were right, so that a storm of reconnecting clients does not pay for bcrypt or argon2id each time.
 * It keeps no password and no plain hash of one: the key is an HMAC with a secret that lives as long as the process.
 * As the stored text is part of it, a changed password is never answered from here. Wrong passwords are not remembered.
 */
export class VerifiedPasswords {
  readonly #secret = randomBytes(32);
  /** Key -> mono ms until which it holds. */
  readonly #known: Lru<string, number>;

  /** `mono`: monotonic ms. */
  constructor(
    private readonly mono: () => number,
    capacity = 10_000,
    private readonly ttlMs = 600_000,
  ) {
    this.#known = new Lru(capacity);
  }

  verify(scheme: PasswordScheme, password: Uint8Array, stored: string, salt = ""): boolean | Promise<boolean> {
    if (scheme.kind !== "bcrypt" && scheme.kind !== "argon2id" && scheme.kind !== "pbkdf2")
      return verifyPassword(scheme, password, stored, salt);
    const key = this.#key(scheme, password, stored, salt);
    if ((this.#known.get(key) ?? Number.NEGATIVE_INFINITY) > this.mono()) return true;
    const answer = verifyPassword(scheme, password, stored, salt);
    return typeof answer === "boolean" ? answer : answer.then((ok) => this.#note(key, ok));
  }

  clear(): void {
    this.#known.clear();
  }

  #note(key: string, ok: boolean): boolean {
    if (ok) this.#known.set(key, this.mono() + this.ttlMs);
    return ok;
  }

  #key(scheme: PasswordScheme, password: Uint8Array, stored: string, salt: string): string {
    // Lengths first: no two different rows give the same bytes.
    const head = JSON.stringify([scheme, stored, salt, password.length]);
    return createHmac("sha256", this.#secret).update(head).update(password).digest("base64");
  }
}
