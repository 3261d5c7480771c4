/**
 * Questions that the access chain's handlers put to others, for whoever has asked why (`explain`): nothing of it is logged or kept.
 * Off unless that client object is watched; a miss costs a look-up in an empty table.
 */
import type { ClientInfo } from "../types.ts";

/** One question. Never with a password or a hash in it. */
export interface AskedOutside {
  /** As it was sent, variables not filled in. */
  question: string;
  /** What the variables stood for, e.g. `$1 = "u7"`. */
  values: string[];
  /** What came back, in words. */
  answer: string;
  ms: number;
}

const watched = new WeakMap<ClientInfo, AskedOutside[]>();

/** From now on what is asked about this client is put into the list. */
export function watchClient(client: ClientInfo, into: AskedOutside[]): void {
  watched.set(client, into);
}

/** Where to note what is asked about this client; undefined = nobody wants to know. */
export function noteOf(client: ClientInfo): AskedOutside[] | undefined {
  return watched.get(client);
}
