/**
 * Passwords of MQTT clients as kept in account rows. The kind is kept with each row, so that a change of `password_hash`
 * holds for new rows and leaves the old ones good.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { AccountRow } from "../../core/ports.ts";
import { HashQueue } from "./hash_queue.ts";

/** Those of EMQ X 3.1, and argon2id. */
export const HASH_KINDS = ["plain", "md5", "sha", "sha256", "argon2id"] as const;
export type HashKind = (typeof HASH_KINDS)[number];

const DIGESTS: Readonly<Record<string, string>> = { md5: "md5", sha: "sha1", sha256: "sha256" };
/** 8 ms instead of the 200 ms of the default: a broker sees all its clients at once after a restart. */
const ARGON2 = { algorithm: "argon2id", memoryCost: 4096, timeCost: 2 } as const;
const SALT_BYTES = 16;

/** H(salt ‖ password) in hex, with the salt's text; as EMQ X 3.1, but with a real salt. */
function digest(kind: string, salt: string, password: Uint8Array): string {
  return createHash(DIGESTS[kind] ?? "sha256")
    .update(salt)
    .update(password)
    .digest("hex");
}

/** Equal in a time that does not tell where they differ. */
function same(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const hash = (x: string | Uint8Array): Buffer => createHash("sha256").update(x).digest();
  return timingSafeEqual(hash(a), hash(b));
}

export async function hashPassword(name: string, password: string, kind: HashKind): Promise<AccountRow> {
  if (kind === "plain") return { name, kind, salt: "", hash: password };
  if (kind === "argon2id") return { name, kind, salt: "", hash: await Bun.password.hash(password, ARGON2) };
  const salt = randomBytes(SALT_BYTES).toString("hex");
  return { name, kind, salt, hash: digest(kind, salt, Buffer.from(password)) };
}

/** Answers of slow checks, kept by a keyed hash of what was asked: a client that reconnects costs microseconds. */
const CACHE_MAX = 20_000;

export class PasswordCheck {
  private readonly key = randomBytes(32);
  private readonly good = new Set<string>();

  constructor(private readonly queue = new HashQueue()) {}

  /**
   * Synchronous for all kinds but argon2id, and for that too when the same password was right before.
   * null = too many slow checks wait already.
   */
  verify(row: AccountRow, password: Uint8Array): boolean | Promise<boolean> | null {
    if (row.kind === "plain") return same(row.hash, password);
    if (row.kind in DIGESTS) return same(row.hash, digest(row.kind, row.salt, password));
    if (row.kind !== "argon2id") return false;
    const id = createHmac("sha256", this.key).update(row.hash).update("\0").update(password).digest("base64");
    return this.good.has(id) || this.queue.run(() => this.slow(row, password, id));
  }

  private async slow(row: AccountRow, password: Uint8Array, id: string): Promise<boolean> {
    // An empty password is an error to the runtime, and never right: accounts have none.
    const ok = password.length > 0 && (await Bun.password.verify(password as Uint8Array<ArrayBuffer>, row.hash));
    if (ok) {
      if (this.good.size >= CACHE_MAX)
        for (const oldest of this.good) {
          this.good.delete(oldest);
          break;
        }
      this.good.add(id);
    }
    return ok;
  }
}
