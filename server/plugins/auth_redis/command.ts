/** Commands as EMQ X 3.1's users write them: `HMGET mqtt_user:%u password`. Words first, values then: a word stays one argument, whatever is put into it. */
import { CLIENT_VARIABLES, fillTemplate, type Part, parseTemplate, type Values } from "../_backend/template.ts";

export interface Command {
  /** As written. */
  readonly text: string;
  readonly words: readonly (readonly Part[])[];
}

/** null = nobody is asked. */
export function parseCommand(text: string): Command | null {
  const words = text.split(/\s+/).filter((word) => word !== "");
  return words.length === 0 ? null : { text: words.join(" "), words: words.map((word) => parseTemplate(word, CLIENT_VARIABLES)) };
}

/** The command's name and its arguments. */
export function fillCommand({ words }: Command, values: Values): string[] {
  return words.map((parts) => fillTemplate(parts, values));
}
