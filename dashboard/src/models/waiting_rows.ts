/** What waits to be delivered, or was given up, of rules' actions: how much of it there is, and what is asked before it goes. */
import type { RuleActionRow } from "../api/client.ts";
import type { I18n } from "./i18n.ts";

export interface WaitingRows {
  /** In memory and on the disk. */
  rows: number;
  /** Dead letters. */
  letters: number;
}

export function waitingOf(actions: readonly Pick<RuleActionRow, "metrics">[]): WaitingRows {
  return actions.reduce((sum, { metrics }) => ({ rows: sum.rows + metrics.waiting, letters: sum.letters + (metrics.dead_letters ?? 0) }), {
    rows: 0,
    letters: 0,
  });
}

/** Sentences that say what would be lost; [] = nothing. */
export function lostTexts({ rows, letters }: WaitingRows, { t }: I18n): string[] {
  return [...(rows > 0 ? [t("rules.lostRows", { n: rows })] : []), ...(letters > 0 ? [t("rules.lostLetters", { n: letters })] : [])];
}
