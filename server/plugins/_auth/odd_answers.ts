/** What is odd about a server's answers and harms nobody: told in the log, each kind of it once a minute. */
import type { ClientInfo } from "../../core/types.ts";
import { isOnlyExplained } from "./asking.ts";
import type { SourceHost } from "./source.ts";

/** `key`: of the setting that asks. */
export type OddAnswers = (key: string, what: string) => void;

const nothing: OddAnswers = () => {};

const EVERY_MS = 60_000;
const KINDS_MAX = 100;

/** `client`: whom it was asked about, if anybody. */
export function oddAnswers(host: Pick<SourceHost, "clock" | "log">): (client: ClientInfo | null) => OddAnswers {
  const told = new Map<string, number>();
  const odd: OddAnswers = (key, what) => {
    const now = host.clock.mono();
    if (now - (told.get(what) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return;
    if (told.size >= KINDS_MAX) told.clear();
    told.set(what, now);
    host.log.warn("odd answer", { key, what });
  };
  return (client) => (client !== null && isOnlyExplained(client) ? nothing : odd);
}
