/** Kinds of stored passwords in words: as the setting is written, and why no password at all can fit what stands there. */
import { createHash } from "node:crypto";
import { BCRYPT, BCRYPT_SALT, DIGEST_NAMES, type StoredKind, type StoredPassword } from "./stored.ts";

/** As `password_hash` has it. */
export function kindText(kind: StoredKind): string {
  switch (kind.kind) {
    case "plain":
      return "plain";
    case "digest": {
      const name = nameOf(kind.digest);
      return kind.salt === "none" ? name : kind.salt === "before" ? `salt,${name}` : `${name},salt`;
    }
    case "pbkdf2":
      return `pbkdf2,${nameOf(kind.digest)},${kind.iterations},${kind.length}`;
    case "bcrypt":
      return kind.salted ? "salt,bcrypt" : "bcrypt";
  }
}

/** Of an algorithm of the runtime's. */
const nameOf = (digest: string): string => Object.entries(DIGEST_NAMES).find(([, name]) => name === digest)?.[0] ?? digest;

/** Why no password fits, whatever it is. Says nothing of what stands there. null = one may. */
export function misfitWords(kind: StoredKind, { stored, salt }: StoredPassword): string | null {
  switch (kind.kind) {
    case "plain":
      return null;
    case "digest":
      return hexWords(stored, createHash(kind.digest).digest().length) ?? (kind.salt === "none" ? null : saltWords(salt));
    case "pbkdf2":
      return hexWords(stored, kind.length) ?? saltWords(salt);
    case "bcrypt":
      if (!BCRYPT.test(stored)) return 'what is stored is no bcrypt hash ("$2a$10$" and 53 characters)';
      return kind.salted && stored.slice(0, BCRYPT_SALT) !== salt ? `the salt is not the hash's first ${BCRYPT_SALT} characters` : null;
  }
}

function hexWords(stored: string, bytes: number): string | null {
  return new RegExp(`^[0-9a-f]{${2 * bytes}}$`, "i").test(stored) ? null : `what is stored is not ${2 * bytes} hexadecimal digits`;
}

/** It may be meant so; more often the question forgot it. */
const saltWords = (salt: string): string | null => (salt === "" ? "there is no salt: it has to be the second one that is asked for" : null);
