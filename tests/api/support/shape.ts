/** Does an answer have the shape of a recorded one? More fields are fine; none may be missing or of another type. */

const kind = (v: unknown): string => (v === null ? "null" : Array.isArray(v) ? "array" : typeof v);

/** Fields whose type changes with their value: unset values are text, an empty property list is an array. */
const UNSET = "undefined";

export function differences(recorded: unknown, answer: unknown, at = "answer"): string[] {
  if (recorded === UNSET || answer === UNSET) return [];
  if (at.endsWith(".shutdown_count") || at.endsWith(".desc")) return [];
  if (kind(recorded) !== kind(answer)) return [`${at}: ${kind(recorded)} recorded, ${kind(answer)} answered`];
  if (Array.isArray(recorded)) {
    const first = (answer as unknown[])[0];
    return first === undefined ? [] : recorded.slice(0, 1).flatMap((e) => differences(e, first, `${at}[]`));
  }
  if (kind(recorded) !== "object") return [];
  const own = answer as Record<string, unknown>;
  return Object.entries(recorded as Record<string, unknown>).flatMap(([key, value]) =>
    key in own ? differences(value, own[key], `${at}.${key}`) : [`${at}.${key}: missing`],
  );
}
