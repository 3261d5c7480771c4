/** What the web hook's service would not take. */
import type { DeadLetters } from "../plugins/actions.ts";
import type { AdminDeps } from "./deps.ts";
import { chosenLetters } from "./letters.ts";
import { notRunning } from "./refusals.ts";
import type { DeadLetter } from "./rule_rows.ts";

type Given = Readonly<Record<string, unknown>>;

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
    /** Returns how many: no more than the queue has room for. @throws AdminError 102, 108 */
    resend: (given: Given): number => act((letters) => letters.resend(chosenLetters(given, false))),
    /** Returns how many. @throws AdminError 102, 108 */
    remove: (given: Given): number => act((letters) => letters.remove(chosenLetters(given, true))),
  };
}
