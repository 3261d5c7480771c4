/** What made a row that waits, as it is kept with the row: in memory, and on the disk as a list of what it says. */
import type { Cause } from "../actions.ts";

/** What one costs beside its texts. */
const CAUSE_BYTES = 64;

/** About what causes take in memory (most texts have a byte for a character): rows of one event, which come one after the other, share theirs. */
export class CauseBytes {
  #last: Cause | null = null;

  /** null = there is none. */
  of(cause: Cause | null): number {
    if (cause === null || cause === this.#last) return 0;
    this.#last = cause;
    return CAUSE_BYTES + cause.clientId.length + (cause.topic?.length ?? 0) + (cause.payload?.length ?? 0);
  }
}

export type StoredCause = readonly [event: string, clientId: string, topic: string | null, payload: string | null];

export const storedCause = ({ event, clientId, topic, payload }: Cause): StoredCause => [event, clientId, topic, payload];

/** null = it is none: what was written before there were any has none. */
export function causeIn(stored: unknown): Cause | null {
  if (!Array.isArray(stored)) return null;
  const [event, clientId, topic, payload] = stored as unknown[];
  if (typeof event !== "string" || typeof clientId !== "string") return null;
  return { event, clientId, topic: typeof topic === "string" ? topic : null, payload: typeof payload === "string" ? payload : null };
}
