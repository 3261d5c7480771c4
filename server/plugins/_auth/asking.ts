/** One question to a server outside, noted for whoever has asked why (`explain`, a test of settings). */
import { noteOf } from "../../core/access/trace.ts";
import type { Clock } from "../../core/ports.ts";
import type { ClientInfo } from "../../core/types.ts";
import { between } from "../../lib/time.ts";

/** Somebody asks why (`explain`, a test of settings): the client is not there, and nothing is to be counted, told or kept of it. */
export const isOnlyExplained = (client: ClientInfo): boolean => noteOf(client) !== undefined;

/** `ask`: with whether it is to leave no trace. `values` and `told` are asked for while somebody listens: never with a password or a hash in them. */
export async function askNoted<T>(
  clock: Clock,
  client: ClientInfo,
  question: string,
  values: () => string[],
  ask: (unnoticed: boolean) => Promise<T>,
  told: (answer: T) => string,
): Promise<T> {
  const note = noteOf(client);
  if (note === undefined) return ask(false);
  const since = clock.mono();
  const noted = (answer: string): void => void note.push({ question, values: values(), answer, ms: between(since, clock.mono()) });
  try {
    const answer = await ask(true);
    noted(told(answer));
    return answer;
  } catch (err) {
    noted(err instanceof Error ? err.message : String(err));
    throw err;
  }
}
