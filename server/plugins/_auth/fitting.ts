/** Which `password_hash` fits: what stands in a table, its salt and the password are known, how the one came of the others is not. */
import { HashQueue } from "./hash_queue.ts";
import { parseStoredKind, StoredCheck } from "./stored.ts";

export interface Stored {
  readonly stored: string;
  readonly salt: string;
  readonly password: string;
  /** To try for PBKDF2 beside the usual ones. */
  readonly iterations: number | null;
}

const DIGESTS = ["md5", "sha", "sha256", "sha512"];
const MACS = ["md4", "md5", "ripemd160", "sha", "sha224", "sha256", "sha384", "sha512"];
const ITERATIONS = [1, 1000, 2048, 4096, 5000, 10_000, 20_000];
/** Most that is tried of somebody's own: some seconds of a processor. */
const ITERATIONS_MAX = 1_000_000;
const HEX = /^(?:[0-9a-f]{2}){1,512}$/i;

/** One at a time: whoever tries costs nobody else a thread. */
const queue = new HashQueue(1, 10);

/** As the setting is written, likeliest first. null = too many are being tried. */
export async function fittingKinds({ stored, salt, password, iterations }: Stored): Promise<string[] | null> {
  const check = new StoredCheck();
  const secret = new TextEncoder().encode(password);
  const found = queue.run(async () => {
    const fitting: string[] = [];
    for (const text of candidates(stored, salt, iterations)) {
      const kind = parseStoredKind(text);
      if (kind !== null && (await check.verify(kind, { stored, salt }, secret)) === true) fitting.push(text);
    }
    return fitting;
  });
  return found;
}

function candidates(stored: string, salt: string, iterations: number | null): string[] {
  const plain = ["plain", ...DIGESTS, "bcrypt"];
  if (salt === "") return plain;
  const salted = [...DIGESTS, "bcrypt"].flatMap((name) => [`salt,${name}`, `${name},salt`]);
  if (!HEX.test(stored)) return [...salted, ...plain];
  const own = iterations !== null && iterations <= ITERATIONS_MAX && !ITERATIONS.includes(iterations) ? [iterations] : [];
  const derived = [...ITERATIONS, ...own].flatMap((n) => MACS.map((mac) => `pbkdf2,${mac},${n},${stored.length / 2}`));
  return [...salted, ...plain, ...derived];
}
