/** What the database has answered, for whoever asks why: columns with their names, of a password's question none with its value. */
import type { AnsweredField } from "../../core/access/trace.ts";
import type { ClientInfo } from "../../core/types.ts";
import type { Told } from "../_auth/asking.ts";
import { countWords, flagField, hiddenField, ROWS_SHOWN, ruleField } from "../_auth/shown.ts";
import type { Rows } from "./driver.ts";

/** Whatever `auth_query` has of them may be a secret. */
export const userTold = (rows: Rows): Told => told(rows, (name, value) => hiddenField(name, value));

/** The first column counts. `isSaved`: the question is in force; of another one no value is shown. */
export const superTold = (rows: Rows, isSaved: boolean): Told =>
  told(rows, (name, value, i) => (isSaved && i === 0 ? flagField(name, value) : hiddenField(name, value)));

export const rulesTold = (rows: Rows, client: ClientInfo, isSaved: boolean): Told =>
  told(rows, (name, value) => (isSaved ? ruleField(name, value, client) : hiddenField(name, value)));

function told(rows: Rows, shown: (name: string, value: unknown, column: number) => AnsweredField): Told {
  const names = namesOf(rows);
  const first = rows.slice(0, ROWS_SHOWN).map((row) => row.map((value, i) => shown(names[i] ?? `column ${i + 1}`, value, i)));
  return { answer: countWords(rows.length, "row"), ...(first.length > 0 && { rows: first }) };
}

/** "" where the runtime has told none. */
export const namesOf = (rows: Rows): string[] => (rows.columns ?? []).map(({ name }) => name);
