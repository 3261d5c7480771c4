/** Can a port be opened? */
import type { Address } from "../lib/units.ts";
import { bindError } from "./errors.ts";

/** Why `key` cannot listen there, in one line; null = it can, or could a moment ago. */
export function whyNotListen(key: string, { host, port }: Address): string | null {
  try {
    Bun.listen({ hostname: host, port, socket: { data() {} } }).stop(true);
    return null;
  } catch (err) {
    return bindError(key, host, port, err).message;
  }
}
