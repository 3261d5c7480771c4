/**
 * What is no mistake of a rule's SQL, and yet will hardly be meant: a column that no event has is nothing, and an event's name that is misspelt is a
 * topic like any other.
 */
import { editDistance, nearest } from "../../lib/nearest.ts";
import { hasColumn, knownColumns } from "./columns.ts";
import { eventMeant } from "./events.ts";
import type { Compiled } from "./rule.ts";
import { type CompiledRule, SqlError } from "./sql/index.ts";

/** So many are told. */
const MOST = 16;

/**
 * In words, with their places: `line 1, column 8: there is no column clientidd in message.publish (did you mean clientid?)`.
 * @param inPayload has the payload of an example such a name in its JSON? By default there is no example
 */
export function warningsOf({ sql, sources }: Compiled, inPayload: (name: string) => boolean = () => false): string[] {
  const { events } = sources;
  const found: SqlError[] = [];
  for (const [name, { at, others }] of sql.named) {
    if (found.length >= MOST) break;
    if (events.some((event) => hasColumn(event, name))) continue;
    const hasPayload = events.some((event) => hasColumn(event, "payload"));
    const near = inPayload(name) ? null : meantBy(name, [...events.flatMap(knownColumns), ...others().filter((n) => !sql.named.has(n))]);
    const reason = `there is no column ${name.slice(0, 64)} in ${events.map((event) => event.name).join(" and ")}`;
    found.push(new SqlError(reason, sql.sql, at, name.length, near ?? (hasPayload ? `payload.${name.slice(0, 64)}` : null)));
  }
  return [...found.map(({ message }) => message), ...topicsMeantAsEvents(sql)];
}

/** Names are short: of one that is half another word nobody means that. */
function meantBy(name: string, known: readonly string[]): string | null {
  const near = nearest(name, known);
  return near !== null && 2 * editDistance(name, near) <= name.length ? near : null;
}

function topicsMeantAsEvents(sql: CompiledRule): string[] {
  return sql.from.flatMap((source, i) => {
    const meant = eventMeant(source);
    return meant === null || meant === source ? [] : [sql.fault(i, `${source.slice(0, 64)} in FROM is a topic filter`, meant).message];
  });
}
