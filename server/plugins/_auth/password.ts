/**
 * Passwords of MQTT clients as kept in account rows. The kind is kept with each row, so that a change of `password_hash`
 * holds for new rows and leaves the old ones good.
 */
import { createHash, randomBytes } from "node:crypto";
import type { AccountRow } from "../../core/ports.ts";
import type { Credentials } from "../../core/types.ts";
import { hashes, NOBODY } from "./hash_queue.ts";
import { KnownGood, sameSecret } from "./secrets.ts";

/** Those of EMQ X 3.1, and argon2id. */
export const HASH_KINDS = ["plain", "md5", "sha", "sha256", "argon2id"] as const;
export type HashKind = (typeof HASH_KINDS)[number];

const DIGESTS: Readonly<Record<string, string>> = { md5: "md5", sha: "sha1", sha256: "sha256" };
/** 8 ms instead of the 200 ms of the default: a broker sees all its clients at once after a restart. */
const ARGON2 = { algorithm: "argon2id", memoryCost: 4096, timeCost: 2 } as const;
const ARGON2_COST = { kind: "argon2id", guessMs: 8 };
const SALT_BYTES = 16;

/** H(salt ‖ password) in hex, with the salt's text; as EMQ X 3.1, but with a real salt. */
function digest(kind: string, salt: string, password: Uint8Array): string {
  return createHash(DIGESTS[kind] ?? "sha256")
    .update(salt)
    .update(password)
    .digest("hex");
}

export async function hashPassword(name: string, password: string, kind: HashKind): Promise<AccountRow> {
  if (kind === "plain") return { name, kind, salt: "", hash: password };
  if (kind === "argon2id") return { name, kind, salt: "", hash: await Bun.password.hash(password, ARGON2) };
  const salt = randomBytes(SALT_BYTES).toString("hex");
  return { name, kind, salt, hash: digest(kind, salt, Buffer.from(password)) };
}

/** Its check takes milliseconds. */
export const isSlow = ({ kind }: AccountRow): boolean => kind === "argon2id";

export class PasswordCheck {
  private readonly good = new KnownGood();
  /** What the passwords of names that are none are compared with. */
  private nobody: AccountRow | null = null;

  constructor(private readonly queue = hashes) {}

  /**
   * Synchronous for all kinds but argon2id, and for that too when the same password was right before. null = too many slow checks wait already.
   * `from`: the address it is checked for; `wanted`, asked when its turn has come: false = nobody waits for it any more, and it is said to be wrong.
   */
  verify(row: AccountRow, password: Uint8Array, from = "", wanted = always): boolean | Promise<boolean> | null {
    if (row.kind === "plain") return sameSecret(row.hash, password);
    if (row.kind in DIGESTS) return sameSecret(row.hash, digest(row.kind, row.salt, password));
    if (!isSlow(row)) return false;
    // An empty password is an error to the runtime, and never right: accounts have none.
    if (password.length === 0) return false;
    const run = (): Promise<boolean> => Bun.password.verify(password as Uint8Array<ArrayBuffer>, row.hash);
    return this.good.check([row.hash, password], this.queue, { cost: ARGON2_COST, from, wanted, run });
  }

  /**
   * Takes as long as a slow check that comes out wrong. null = nothing is to be waited for: it would be known to be wrong at once, or too many of
   * these wait already. While many come the time tells that there is no such account: they wait in one line, for longer than a wrong password
   * does, and beyond it not at all.
   */
  verifyNobody({ password, wanted = always }: Credentials): Promise<unknown> | null {
    if (password === null || password.length === 0) return null;
    const run = async (): Promise<boolean> => {
      this.nobody ??= await hashPassword("", randomBytes(SALT_BYTES).toString("hex"), "argon2id");
      return Bun.password.verify(password as Uint8Array<ArrayBuffer>, this.nobody.hash);
    };
    return this.queue.run(ARGON2_COST, NOBODY, async (timed) => wanted() && timed(run));
  }
}

const always = (): boolean => true;
