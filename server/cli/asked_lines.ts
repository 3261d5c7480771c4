/** What an access step asked of others, and what came back, for the terminal. */
import type { AskedRow } from "../api/contract.ts";

/** A line for each question, and below it one for each row of the answer. */
export function askedLines(asked: readonly AskedRow[], indent: string): string[] {
  return asked.flatMap(({ question, values, answer, rows = [] }) => [
    `${indent}${question}${values.length > 0 ? `   with ${values.join(", ")}` : ""}: ${answer}`,
    ...rows.map((row, i) => `${indent}  ${i + 1}: ${row.map(({ name, value }) => `${name}: ${value ?? "NULL"}`).join(", ")}`),
  ]);
}
