/** What the web hook's service would not take. */
import type { DeadLetters } from "../plugins/actions.ts";
import type { AdminDeps } from "./deps.ts";
import { badValue, notRunning } from "./refusals.ts";
import type { DeadLetter } from "./rule_rows.ts";

/** Numbers, also as text with commas (a query); undefined = all. @throws AdminError 108 */
function idsOf(given: unknown): number[] | undefined {
  if (given === undefined || given === null) return undefined;
  const list = typeof given === "string" ? given.split(",") : Array.isArray(given) ? given : [given];
  const ids = list.map((id) => (typeof id === "string" && /^\s*\d+\s*$/.test(id) ? Number(id) : id));
  if (ids.length === 0 || !ids.every((id) => Number.isSafeInteger(id))) throw badValue("ids", "a list of numbers of dead letters");
  return ids as number[];
}

export function createWebHook({ plugins, broker }: AdminDeps) {
  const running = (): DeadLetters | undefined => plugins.service("emqx_web_hook")?.deadLetters;
  /** @throws AdminError 102 while the plugin does not run */
  const act = (command: (letters: DeadLetters) => number): number => {
    const letters = running();
    if (letters === undefined) throw notRunning("emqx_web_hook");
    const count = command(letters);
    broker.flush();
    return count;
  };
  return {
    /** Newest first. */
    deadLetters: (): DeadLetter[] => running()?.list() ?? [],
    /** Returns how many. @throws AdminError 102, 108 */
    resend: (ids: unknown): number => act((letters) => letters.resend(idsOf(ids))),
    /** Returns how many. @throws AdminError 102, 108 */
    remove: (ids: unknown): number => act((letters) => letters.remove(idsOf(ids))),
  };
}
