/** Access rules as tables and hashes of others keep them: one row, or one topic, each. */
import { filterRule, literalRule, type TopicRule } from "../../core/access/topic_rule.ts";
import { sayWhy } from "../../core/access/trace.ts";
import type { AclStep, AclVerdict, Action, ClientInfo } from "../../core/types.ts";
import { cidrContains, parseCidr, parseIp } from "../../lib/cidr.ts";
import { columnText, isNoText } from "./columns.ts";
import { HIDDEN, isSecret } from "./shown.ts";

export interface Rule {
  readonly verdict: AclVerdict;
  /** 1 subscribe, 2 publish, 3 both. */
  readonly access: number;
  readonly isFor: ((client: ClientInfo) => boolean) | null;
  readonly covers: TopicRule;
  /** For people: what it says, and where it stands. */
  readonly text: string;
}

/** What is known of a client. The first rule that matches decides; `otherwise`: what holds when none does. */
export interface RuleSet {
  readonly rules: readonly Rule[];
  readonly otherwise: AclVerdict | "pass";
}

/**
 * Rules of one client. More is a question that forgot its condition. That is seen when the answer is here, and has taken its memory: HGETALL and a
 * document of MongoDB come in one piece, and the runtime's SQL client gathers all rows before it gives the first one (it has no cursor, and
 * streams nothing but COPY, which takes no values). A limit put around somebody's query would cost its order, which decides: MariaDB drops
 * that of a subquery. Whoever has a table of millions writes the limit into the query.
 */
export const RULES_MAX = 10_000;

const BIT: Readonly<Record<Action, number>> = { subscribe: 1, publish: 2 };

/** The rule that decides; null = none. */
export function ruleFor(rules: readonly Rule[], client: ClientInfo, action: Action, topic: string): Rule | null {
  const words = topic.split("/");
  for (const rule of rules)
    if ((rule.access & BIT[action]) !== 0 && (rule.isFor === null || rule.isFor(client)) && rule.covers(client, topic, words)) return rule;
  return null;
}

/** null = none decides, and the others are asked. */
export function verdictOf({ rules, otherwise }: RuleSet, client: ClientInfo, action: Action, topic: string): AclStep {
  const rule = ruleFor(rules, client, action, topic);
  if (rule !== null) return { verdict: rule.verdict, why: rule.text };
  sayWhy(client, () => `${noneOf(rules.length)}${otherwise === "pass" ? "" : ", and who has any there may do nothing else"}`);
  return otherwise === "pass" ? null : { verdict: otherwise, why: "none of the client's rules" };
}

function noneOf(n: number): string {
  if (n === 0) return "there is no rule for this client";
  return n === 1 ? "the one rule that there is does not speak of this" : `none of the ${n} rules that there are speaks of this`;
}

/**
 * A row `allow, ipaddr, username, clientid, access, topic` of EMQ X 3.1's `mqtt_acl`: of address, user name and client id those that are set
 * must all fit; user name `$all` means everybody, whatever else is set. Rows of the wrong shape: what is wrong with it, in words. `names`: of the
 * columns, null = no value is to be put into words; `where`: goes before the rule's text.
 */
export function ruleOfRow(row: readonly unknown[], names: readonly string[] | null = [], where = ""): Rule | string {
  const shown = (text: string | null | undefined, column: number): string =>
    names === null && text != null ? HIDDEN : shownText(text, names?.[column] ?? "");
  // To leave such a condition out would make the rule one for more than it was written for.
  const odd = COLUMNS.find((_, i) => isNoText(row[i]));
  if (odd !== undefined) return `${odd} is a list or a document, expected a text`;
  const [allow, ip, username, clientId, access, topic] = row.map(columnText);
  const verdict = VERDICTS.get((allow ?? "").toLowerCase());
  if (verdict === undefined) return `allow is ${shown(allow, 0)}, expected 0 or 1`;
  if (access !== "1" && access !== "2" && access !== "3") return `access is ${shown(access, 4)}, expected 1, 2 or 3`;
  const covers = topicOf(topic ?? "", verdict);
  if (covers === null) return `topic is ${shown(topic, 5)}, expected a topic filter`;
  const conditions: ((client: ClientInfo) => boolean)[] = [];
  const everybody = username === "$all";
  if (set(ip) && !everybody) {
    const range = parseCidr(ip);
    if (range === null) return `ipaddr is ${shown(ip, 1)}, expected an address or range`;
    conditions.push((c) => {
      const address = parseIp(c.ip);
      return address !== null && cidrContains(range, address);
    });
  }
  const is = verdict === "deny" ? isAlike : isEqual;
  if (set(username) && !everybody) conditions.push((c) => is(username, c.username));
  if (set(clientId) && !everybody) conditions.push((c) => is(clientId, c.clientId));
  if (conditions.length === 0 && !everybody) return "neither ipaddr nor username nor clientid is set";
  const whom = everybody
    ? "$all"
    : Object.entries({ ipaddr: ip, username, clientid: clientId })
        .flatMap(([name, value]) => (set(value) ? [`${name} ${value}`] : []))
        .join(", ");
  return {
    verdict,
    access: Number(access),
    isFor: conditions.length === 0 ? null : (client) => conditions.every((fits) => fits(client)),
    covers,
    text: `${where}${verdict} ${ACCESS[Number(access)]}${names === null ? "" : ` ${topic}, for ${whom}`}`,
  };
}

/** What a topic is allowed for, as the sum that tables and hashes hold: 1 subscribe, 2 publish. null = it is no filter, or nothing. */
export function allowRule(filter: unknown, access: number): Rule | null {
  const word = access === 0 ? undefined : ACCESS[access];
  const covers = typeof filter === "string" && word !== undefined ? filterRule(filter, "allow") : null;
  return covers === null ? null : { verdict: "allow", access, isFor: null, covers, text: `allow ${word} ${filter as string}` };
}

const isEqual = (a: string, b: string | null): boolean => a === b;

/**
 * A database may have found the row by a comparison that takes `joe `, `JOE` and `jóe` for `joe`: who is denied something must not get by in
 * another spelling.
 */
function isAlike(a: string, b: string | null): boolean {
  return a === b || (b !== null && folded(a) === folded(b));
}

/** Equal, but only to a database that looks past case, accents and spaces behind. */
export function isOnlyAlike(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && a !== b && folded(a) === folded(b);
}

function folded(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
}

const COLUMNS = ["allow", "ipaddr", "username", "clientid", "access", "topic"];
const ACCESS = ["", "subscribe", "publish", "pubsub"];
const VERDICTS: ReadonlyMap<string, AclVerdict> = new Map([
  ...["0", "false", "f", "deny"].map((word) => [word, "deny"] as const),
  ...["1", "true", "t", "allow"].map((word) => [word, "allow"] as const),
]);
const LITERAL = "eq ";

function topicOf(topic: string, verdict: AclVerdict): TopicRule | null {
  if (!topic.startsWith(LITERAL)) return filterRule(topic, verdict);
  const literal = topic.slice(LITERAL.length);
  return literal === "" ? null : literalRule(literal);
}

function set(text: string | null | undefined): text is string {
  return text !== null && text !== undefined && text !== "";
}

/** A slip in a question may bring a secret where a rule was meant. */
function shownText(text: string | null | undefined, column: string): string {
  return text == null ? "NULL" : isSecret(column, text) ? HIDDEN : JSON.stringify(text.slice(0, 100));
}

/** Does a row that is no rule mean to deny something? */
export function meansDeny(row: readonly unknown[]): boolean {
  return VERDICTS.get((columnText(row[0]) ?? "").toLowerCase()) !== "allow";
}
