/** Rows of the rule engine, as they are on the wire. Types only. */
export type { DeadLetter } from "../plugins/actions.ts";
export type {
  ActionKindRow,
  ActionMetrics,
  CaptureRow,
  ImportCounts,
  ImportResult,
  InspectedRow,
  ResourceRow,
  ResourceStatusRow,
  ResourceTypeRow,
  RuleActionRow,
  RuleCondition,
  RuleErrorRow,
  RuleEventRow,
  RuleFunctionRow,
  RuleMetrics,
  RuleRow,
  RulesFile,
  RuleTestResult,
  SqlFault,
} from "../plugins/rules.ts";
