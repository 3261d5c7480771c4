/** Which of the dead letters somebody means. */
import { badValue, unknownField } from "./refusals.ts";

const FIELDS = ["ids", "all"] as const;

/**
 * Numbers, also as text with commas (a query); undefined = all. `must`: all of them has to be said.
 * @throws AdminError 108, also for a field that is none: what is misspelt would mean all
 */
export function chosenLetters(given: Readonly<Record<string, unknown>>, must: boolean): number[] | undefined {
  for (const name of Object.keys(given))
    if (!(FIELDS as readonly string[]).includes(name) && !name.startsWith("_")) throw unknownField(name, FIELDS);
  const { ids, all } = given;
  if (all !== undefined && all !== true) throw badValue("all", "true, or be left out");
  if (ids === undefined || ids === null) {
    if (must && all !== true) throw badValue("ids", "a list of numbers of dead letters, or 'all' must be true");
    return undefined;
  }
  if (all === true) throw badValue("ids", "left out where 'all' is true");
  const list = typeof ids === "string" ? ids.split(",") : Array.isArray(ids) ? ids : [ids];
  const numbers = list.map((id) => (typeof id === "string" && /^\s*\d+\s*$/.test(id) ? Number(id) : id));
  if (numbers.length === 0 || !numbers.every((id) => Number.isSafeInteger(id))) throw badValue("ids", "a list of numbers of dead letters");
  return numbers as number[];
}
