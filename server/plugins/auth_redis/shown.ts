/** What Redis has answered, for whoever asks why: fields with their names, of a password's command none with its value. */
import type { AnsweredField } from "../../core/access/trace.ts";
import type { ClientInfo } from "../../core/types.ts";
import type { Told } from "../_auth/asking.ts";
import { columnText } from "../_auth/columns.ts";
import { countWords, flagField, hiddenField, isSecret, ROWS_SHOWN, ruleField } from "../_auth/shown.ts";
import type { Command } from "./command.ts";

/** Whatever `auth_cmd` has of them may be a secret. */
export const userTold = (command: Command, answer: unknown): Told => told(fieldsOf(command, answer, hiddenField));

/** `isSaved`: the command is in force; of another one no value is shown. */
export const superTold = (command: Command, answer: unknown, isSaved: boolean): Told =>
  told(fieldsOf(command, answer, isSaved ? flagField : hiddenField));

/** One row for each rule. A command that asks for a password's field by a slip has none. */
export function rulesTold(command: Command, answer: unknown, client: ClientInfo, isSaved: boolean): Told {
  const pairs = pairsOf(answer);
  const topic = !isSaved || namesIn(command).some((name) => isSecret(name, "")) ? hiddenField : ruleField;
  const access = isSaved ? flagField : hiddenField;
  const rows = pairs.slice(0, ROWS_SHOWN).map(([filter, value]) => [topic("topic", filter, client), access("access", value)]);
  return { answer: countWords(pairs.length, "rule"), ...(rows.length > 0 && { rows }) };
}

/** HGETALL's pairs: the library gives an object, or a flat list, as the command is written. */
export function pairsOf(answer: unknown): [field: string, value: unknown][] {
  if (answer === null) return [];
  if (!Array.isArray(answer)) return typeof answer === "object" ? Object.entries(answer) : [];
  const pairs: [string, unknown][] = [];
  for (let i = 0; i + 1 < answer.length; i += 2) pairs.push([columnText(answer[i]) ?? "", answer[i + 1]]);
  return pairs;
}

/** HMGET and HGET name their fields behind the key; what others give has no names. */
const NAMING = /^HM?GET$/i;

function namesIn({ text }: Command): string[] {
  const [name = "", , ...fields] = text.split(" ");
  return NAMING.test(name) ? fields : [];
}

function fieldsOf(command: Command, answer: unknown, shown: (name: string, value: unknown) => AnsweredField): AnsweredField[] {
  const values: unknown[] = Array.isArray(answer) ? answer : [answer];
  const names = namesIn(command);
  return values.slice(0, ROWS_SHOWN).map((value, i) => shown(names[i] ?? `value ${i + 1}`, value));
}

/** Redis does not tell a key that is not there from one without these fields. */
function told(fields: AnsweredField[]): Told {
  return fields.every(({ value }) => value === null) ? { answer: "nothing is there" } : { answer: "found", rows: [fields] };
}
