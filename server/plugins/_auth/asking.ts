/** One question to a server outside, noted for whoever has asked why (`explain`, a test of settings). */
import { type AskedOutside, noteOf } from "../../core/access/trace.ts";
import type { Clock } from "../../core/ports.ts";
import type { ClientInfo, Credentials } from "../../core/types.ts";
import { loggedName } from "../../lib/mask.ts";
import { between } from "../../lib/time.ts";

/** Somebody asks why (`explain`, a test of settings): the client is not there, and nothing is to be counted, told or kept of it. */
export const isOnlyExplained = (client: ClientInfo): boolean => noteOf(client) !== undefined;

/**
 * Whom this plugin does not know is refused, so that the time of the answer must not tell whether there is such a name: where it is let in
 * the answer itself tells. Where somebody else is asked the time does: only the last one knows that all have been.
 */
export function isTheLastWord(client: ClientInfo, { isLast }: Pick<Credentials, "isLast">): boolean {
  return isLast === true && !client.zone.allowAnonymous && !isOnlyExplained(client);
}

/** An answer as it is shown: in words, and what is in it. */
export type Told = Pick<AskedOutside, "answer" | "rows">;

const VALUE_MAX = 200;

/** What a variable stood for. */
export const shownValue = (value: string): string => JSON.stringify(value.slice(0, VALUE_MAX));

/** The same client for people: a name that is a token would let in whoever reads it. */
function shownClient(client: ClientInfo): ClientInfo {
  return { ...client, username: loggedName(client.username), clientId: loggedName(client.clientId) ?? "" };
}

/**
 * `ask`: with whether it is to leave no trace. `values` (of the client as it is shown) and `told` are asked for while somebody listens: never with
 * a password or a hash in them.
 */
export async function askNoted<T>(
  clock: Clock,
  client: ClientInfo,
  question: string,
  values: (shown: ClientInfo) => string[],
  ask: (unnoticed: boolean) => Promise<T>,
  told: (answer: T) => Told,
): Promise<T> {
  const note = noteOf(client);
  if (note === undefined) return ask(false);
  const since = clock.mono();
  const noted = (found: Told): void =>
    void note.push({ question, values: values(shownClient(client)), ...found, ms: between(since, clock.mono()) });
  try {
    const answer = await ask(true);
    noted(told(answer));
    return answer;
  } catch (err) {
    noted({ answer: err instanceof Error ? err.message : String(err) });
    throw err;
  }
}
