/**
 * What the access chain's handlers tell whoever has asked why (`explain`, a test of settings): the questions that they put to others, and their
 * reasons in words. Nothing of it is logged or kept. Off unless that client object is watched; a miss costs a look-up in an empty table.
 */
import type { ClientInfo } from "../types.ts";

/** One column, field, attribute or claim. `value`: "***" = a secret, which is not shown; null = there is none (NULL, nil). */
export interface AnsweredField {
  name: string;
  value: string | null;
}

/** One question. Never with a password or a hash in it. */
export interface AskedOutside {
  /** As it was sent, variables not filled in. */
  question: string;
  /** What the variables stood for, e.g. `$1 = "u7"`. */
  values: string[];
  /** What came back, in words. */
  answer: string;
  /** Rows, documents, hashes or entries of the answer, the first ones of many, each field by field, in its order. Absent = it has none. */
  rows?: AnsweredField[][];
  ms: number;
}

interface Trace {
  readonly asked: AskedOutside[];
  why: string | null;
}

const watched = new WeakMap<ClientInfo, Trace>();

/** From now on what is asked about this client, and why it is decided so, is noted. Returns what takes it out: since the last time. */
export function watchClient(client: ClientInfo): () => { asked: AskedOutside[]; why: string | null } {
  const trace: Trace = { asked: [], why: null };
  watched.set(client, trace);
  return () => {
    const { why } = trace;
    trace.why = null;
    return { asked: trace.asked.splice(0), why };
  };
}

/** Where to note what is asked about this client; undefined = nobody wants to know. */
export function noteOf(client: ClientInfo): AskedOutside[] | undefined {
  return watched.get(client)?.asked;
}

/** Why the handler that is asked answers as it does, in more words than its answer has. The last one counts. */
export function sayWhy(client: ClientInfo, why: () => string): void {
  const trace = watched.get(client);
  if (trace !== undefined) trace.why = why();
}
