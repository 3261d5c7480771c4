/** What a rule has left behind: errors, and rows that its inspect action has seen. */
import type { InspectedRow, RuleErrorRow } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

const EVERY_MS = 4000;

export const createRuleErrors = ({ api, link }: App, rule: string): Live<RuleErrorRow[]> =>
  createLive(() => api.ruleErrors(rule), { link, every: EVERY_MS });
export const createInspected = ({ api, link }: App, rule: string): Live<InspectedRow[]> =>
  createLive(() => api.ruleInspected(rule), { link, every: EVERY_MS });
