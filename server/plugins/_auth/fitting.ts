/** Which `password_hash` fits: what stands in a table, its salt and the password are known, how the one came of the others is not. */
import { QueueFull, WorkQueue } from "../../lib/work_queue.ts";
import { parseStoredKind, StoredCheck, tooCostly } from "./stored.ts";

export interface Stored {
  readonly stored: string;
  readonly salt: string;
  readonly password: string;
  /** To try for PBKDF2 beside the usual ones. */
  readonly iterations: number | null;
}

export interface Fitting {
  /** As the setting is written, likeliest first. */
  readonly kinds: string[];
  /** What was not tried because it would take too long, and the bound. null = nothing. */
  readonly untried: string | null;
}

const DIGESTS = ["md5", "sha", "sha256", "sha512"];
const MACS = ["md4", "md5", "ripemd160", "sha", "sha224", "sha256", "sha384", "sha512"];
const ITERATIONS = [1, 1000, 2048, 4096, 5000, 10_000, 20_000];
/** Most that is tried of somebody's own, rounds x bytes: with all digests some seconds of a processor. */
const OWN_MAX = 20_000_000;
const HEX = /^(?:[0-9a-f]{2}){1,512}$/i;

/** One at a time: whoever tries costs nobody else a thread. */
const queue = new WorkQueue(1, 10);

/** null = too many are being tried, here or by those who log in, so that nobody knows whether one fits. */
export async function fittingKinds(asked: Stored): Promise<Fitting | null> {
  const { stored, salt, password } = asked;
  const check = new StoredCheck();
  const secret = new TextEncoder().encode(password);
  const own = ownOf(asked);
  const tried = queue.run(async () => {
    const kinds: string[] = [];
    let untaken = false;
    for (const text of candidates(stored, salt, own.iterations)) {
      const kind = parseStoredKind(text);
      const good = kind === null ? false : check.verify(kind, { stored, salt }, secret);
      untaken ||= good === null;
      if ((await good) === true) kinds.push(text);
    }
    if (untaken && kinds.length === 0) return null;
    return { kinds, untried: tooCostly(stored) ?? own.untried };
  });
  return tried.catch((err: unknown) => {
    if (err instanceof QueueFull) return null;
    throw err;
  });
}

/** Somebody's own number of rounds, where it is to be tried. */
function ownOf({ stored, salt, iterations }: Stored): { iterations: number[]; untried: string | null } {
  if (iterations === null || salt === "" || !HEX.test(stored) || ITERATIONS.includes(iterations)) return { iterations: [], untried: null };
  const bytes = stored.length / 2;
  if (iterations * bytes <= OWN_MAX) return { iterations: [iterations], untried: null };
  return {
    iterations: [],
    untried: `${iterations} rounds for ${bytes} bytes: it would take too long, rounds x bytes are at most ${OWN_MAX}`,
  };
}

function candidates(stored: string, salt: string, own: readonly number[]): string[] {
  const plain = ["plain", ...DIGESTS, "bcrypt"];
  if (salt === "") return plain;
  const salted = [...DIGESTS, "bcrypt"].flatMap((name) => [`salt,${name}`, `${name},salt`]);
  if (!HEX.test(stored)) return [...salted, ...plain];
  const derived = [...ITERATIONS, ...own].flatMap((n) => MACS.map((mac) => `pbkdf2,${mac},${n},${stored.length / 2}`));
  return [...salted, ...plain, ...derived];
}
