/**
 * Passwords as somebody else's table keeps them (`password_hash` of MySQL, PostgreSQL, Redis, MongoDB in EMQ X 3.1):
 *
 *   plain | md5 | sha | sha256 | sha512        hex H(password)
 *   salt,H | H,salt                            hex H(salt password), H(password salt)
 *   pbkdf2,H,iterations,length                 hex PBKDF2(password, salt), H also md4, ripemd160, sha224, sha384
 *   bcrypt | salt,bcrypt | bcrypt,salt         the whole text "$2a$10$..."; the salt column, where there is one, holds its first 29 characters
 */
import { createHash, pbkdf2 } from "node:crypto";
import { type Entry, parsed } from "../../lib/config_entry.ts";
import { hashes, NOBODY } from "./hash_queue.ts";
import { KnownGood, type Slow, sameSecret } from "./secrets.ts";

export type StoredKind =
  | { readonly kind: "plain" }
  | { readonly kind: "digest"; readonly digest: string; readonly salt: "none" | "before" | "after" }
  | { readonly kind: "pbkdf2"; readonly digest: string; readonly iterations: number; readonly length: number }
  | { readonly kind: "bcrypt"; readonly salted: boolean };

/** A row: the password's text, and the salt column's. */
export interface StoredPassword {
  readonly stored: string;
  readonly salt: string;
}

const PLAIN_DIGESTS: Readonly<Record<string, string>> = { md5: "md5", sha: "sha1", sha256: "sha256", sha512: "sha512" };
/** As they are written -> as the runtime calls them. */
export const DIGEST_NAMES: Readonly<Record<string, string>> = {
  ...PLAIN_DIGESTS,
  md4: "md4",
  ripemd160: "ripemd160",
  sha224: "sha224",
  sha384: "sha384",
};
/** Rounds for each block of the digest's length. About ten seconds of a processor: more is a slip, and would keep everybody else waiting. */
const ROUNDS_MAX = 10_000_000;
const LENGTH_MAX = 512;
/** 2^cost rounds, doubled with each step: this one takes some seconds of a thread, which nobody can stop; 31 takes days. Tables have 10 to 12. */
const BCRYPT_COST_MAX = 15;
export const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** What a round of PBKDF2 and a bcrypt of cost 10 may take until one was measured, ms; and the shortest digest, bytes. */
const [ROUND_MS, BCRYPT_10_MS, DIGEST_MIN] = [0.0005, 70, 16];
/** Salt and hash of nobody's password: no bit of either is set. */
const NOBODYS = ".".repeat(53);
/** What tables have mostly, and the least there is. */
const [BCRYPT_COST, BCRYPT_COST_MIN] = [10, 4];
/** "$2a$10$" and 22 characters. */
export const BCRYPT_SALT = 29;
/** What bcrypt looks at of a password. */
const BCRYPT_BYTES = 72;

const EXPECTS =
  "plain, md5, sha, sha256, sha512, bcrypt; one of them with salt before or behind it, e.g. salt,sha256; or pbkdf2,sha256,1000,20 (at most 10000000 rounds, for each block of the digest's length)";

/** The configuration key `password_hash`. */
export function passwordHash(def: string, doc: string): Entry<StoredKind> {
  return parsed(def, EXPECTS, parseStoredKind, doc);
}

/** null = there is no such kind. */
export function parseStoredKind(text: string): StoredKind | null {
  const words = text.split(",").map((w) => w.trim());
  const [first = "", second = ""] = words;
  if (first === "pbkdf2") return words.length === 4 ? pbkdf2Kind(words) : null;
  if (words.length > 2) return null;
  if (words.length === 2 && (first === "salt") === (second === "salt")) return null;
  const name = first === "salt" ? second : first;
  if (name === "bcrypt") return { kind: "bcrypt", salted: words.length === 2 };
  if (name === "plain") return words.length === 1 ? { kind: "plain" } : null;
  const digest = Object.hasOwn(PLAIN_DIGESTS, name) ? PLAIN_DIGESTS[name] : undefined;
  if (digest === undefined) return null;
  return { kind: "digest", digest, salt: words.length === 1 ? "none" : first === "salt" ? "before" : "after" };
}

function pbkdf2Kind([, name = "", iterations = "", length = ""]: readonly string[]): StoredKind | null {
  const whole = (text: string, max: number): number => (/^[1-9]\d*$/.test(text) && Number(text) <= max ? Number(text) : 0);
  const digest = Object.hasOwn(DIGEST_NAMES, name) ? DIGEST_NAMES[name] : undefined;
  const [n, bytes] = [whole(iterations, ROUNDS_MAX), whole(length, LENGTH_MAX)];
  if (digest === undefined || n === 0 || bytes === 0) return null;
  const blocks = Math.ceil(bytes / createHash(digest).digest().length);
  return n * blocks > ROUNDS_MAX ? null : { kind: "pbkdf2", digest, iterations: n, length: bytes };
}

/** Why this text is not checked although it is a bcrypt hash. null = it would be, or it is none. */
export function tooCostly(stored: string): string | null {
  const cost = Number(BCRYPT.exec(stored)?.[1] ?? 0);
  return cost > BCRYPT_COST_MAX ? `a bcrypt hash of cost ${cost}: it would take too long to check, at most ${BCRYPT_COST_MAX} is` : null;
}

export class StoredCheck {
  readonly #good = new KnownGood();
  /** Of the bcrypt hash that was looked at last. */
  #cost = BCRYPT_COST;

  constructor(private readonly queue = hashes) {}

  /**
   * At once where that takes no time (plain, digests); else by a bounded number of threads, if it is still `wanted` then. null = too many wait already.
   * `from`: the address it is checked for; `odd`: told of what stands there and cannot be checked, which is nobody's password then.
   */
  verify(
    kind: StoredKind,
    row: StoredPassword,
    password: Uint8Array,
    wanted = always,
    odd: (what: string) => void = untold,
    from = "",
  ): boolean | Promise<boolean> | null {
    switch (kind.kind) {
      case "plain":
        return sameSecret(row.stored, password);
      case "digest":
        return sameSecret(row.stored.toLowerCase(), hexDigest(kind, row.salt, password));
      case "pbkdf2": {
        const slow = pbkdf2Check(kind, row, password);
        return this.#good.check([slow.cost.kind, row.stored, row.salt, password], this.queue, { ...slow, from, wanted });
      }
      case "bcrypt":
        return this.#bcrypt(kind.salted, row, password, wanted, odd, from);
    }
  }

  /**
   * Takes as long as a password that comes out wrong; of bcrypt hashes whose costs differ as that of the last one. null = nothing is to be waited for: it
   * would be known to be wrong at once, or too many of these wait already. While many come the time tells that there is no such user: they wait in
   * one line, for longer than a wrong password does, and beyond it not at all.
   */
  verifyNobody(kind: StoredKind, password: Uint8Array, wanted = always): Promise<unknown> | null {
    if (password.length === 0 || (kind.kind !== "pbkdf2" && kind.kind !== "bcrypt")) return null;
    const { cost, run } =
      kind.kind === "pbkdf2"
        ? pbkdf2Check(kind, { stored: "", salt: NOBODYS }, password)
        : bcryptCheck(`$2b$${String(this.#cost).padStart(2, "0")}$${NOBODYS}`, password, untold);
    return this.queue.run(cost, NOBODY, async (timed) => wanted() && timed(run));
  }

  #bcrypt(
    salted: boolean,
    { stored, salt }: StoredPassword,
    password: Uint8Array,
    wanted: () => boolean,
    odd: (what: string) => void,
    from: string,
  ): boolean | Promise<boolean> | null {
    // Whatever is no such text must not reach a function that might know other kinds.
    if (!BCRYPT.test(stored) || (salted && stored.slice(0, BCRYPT_SALT) !== salt)) return false;
    if (password.length === 0) return false;
    const costly = tooCostly(stored);
    if (costly !== null) {
      odd(costly);
      return false;
    }
    this.#cost = Math.max(BCRYPT_COST_MIN, costOf(stored));
    const slow = bcryptCheck(stored, password, odd);
    return this.#good.check([stored, password.subarray(0, BCRYPT_BYTES)], this.queue, { ...slow, from, wanted });
  }
}

type Check = Pick<Slow, "cost" | "run">;

function pbkdf2Check({ iterations, length, digest }: StoredKind & { kind: "pbkdf2" }, row: StoredPassword, password: Uint8Array): Check {
  const name = `pbkdf2,${digest},${iterations},${length}`;
  return {
    cost: { kind: name, guessMs: Math.ceil(length / DIGEST_MIN) * iterations * ROUND_MS },
    run: async () => sameSecret(row.stored.toLowerCase(), await derived(password, row.salt, iterations, length, digest)),
  };
}

const costOf = (stored: string): number => Number(BCRYPT.exec(stored)?.[1]);

function bcryptCheck(stored: string, password: Uint8Array, odd: (what: string) => void): Check {
  // The runtime makes a hash of longer ones first, which no other bcrypt does.
  const looked = password.subarray(0, BCRYPT_BYTES) as Uint8Array<ArrayBuffer>;
  const cost = costOf(stored);
  return {
    cost: { kind: `bcrypt,${cost}`, guessMs: BCRYPT_10_MS * 2 ** (cost - 10) },
    run: () => isBcrypt(looked, stored, odd),
  };
}

async function isBcrypt(password: Uint8Array<ArrayBuffer>, stored: string, odd: (what: string) => void): Promise<boolean> {
  try {
    return await Bun.password.verify(password, stored);
  } catch (err) {
    const { code } = (err ?? {}) as { code?: unknown };
    if (!/^PASSWORD_/.test(String(code))) throw err;
    // Bits that no hash has, or a cost below 4.
    odd(`a text that looks like a bcrypt hash can be none (${String(code)})`);
    return false;
  }
}

function hexDigest(kind: StoredKind & { kind: "digest" }, salt: string, password: Uint8Array): string {
  const h = createHash(kind.digest);
  if (kind.salt === "before") h.update(salt);
  h.update(password);
  if (kind.salt === "after") h.update(salt);
  return h.digest("hex");
}

function derived(password: Uint8Array, salt: string, iterations: number, length: number, digest: string): Promise<string> {
  return new Promise((resolve, reject) =>
    pbkdf2(password, salt, iterations, length, digest, (err, key) => (err === null ? resolve(key.toString("hex")) : reject(err))),
  );
}

const always = (): boolean => true;
const untold = (): void => {};
