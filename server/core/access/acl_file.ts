/**
 * Access rules in EMQ X's own syntax (acl.conf): a file of Erlang terms, first match wins.
 *
 *   {allow | deny, all}.
 *   {allow | deny, Who, publish | subscribe | pubsub, [Topic, …]}.
 *   Who   = all | {user, "u" | all} | {client, "c" | all} | {ipaddr, "CIDR"} | {'and', [Who, …]} | {'or', [Who, …]}
 *   Topic = "filter" | {eq, "literal"}, with %c and %u as whole levels
 */
import { cidrContains, parseCidr, parseIp } from "../../lib/cidr.ts";
import { parseTerms, printTerm, type Term, TermError } from "../../lib/erlang_term.ts";
import type { AnyTopic, Hooks } from "../hooks.ts";
import type { AclStep, AclVerdict, Action, ClientInfo } from "../types.ts";
import { filterRule, literalRule, type TopicRule } from "./topic_rule.ts";

/** Id of the rules on the hook. */
const ACL_FILE_HANDLER = "acl_file";
/** Behind every plugin: the file is asked last. */
const PRIORITY = -1000;

/** The rules EMQ X 3.1 ships. */
export const DEFAULT_ACL = `%% Access rules, asked when no plugin has an answer. The first rule that matches decides; when none does, acl_nomatch.
%%
%%   {allow | deny, all}.
%%   {allow | deny, Who, publish | subscribe | pubsub, [Topic, ...]}.
%%
%%   Who:   all, {user, "name"}, {client, "id"}, {ipaddr, "10.0.0.0/8"}, {'and', [Who, ...]}, {'or', [Who, ...]}
%%   Topic: "filter/#", {eq, "literally/#"}; a level %c is the client id, %u the user name

{allow, {user, "dashboard"}, subscribe, ["$SYS/#"]}.

{allow, {ipaddr, "127.0.0.1"}, pubsub, ["$SYS/#", "#"]}.

{deny, all, subscribe, ["$SYS/#", {eq, "#"}]}.

{allow, all}.
`;

export interface AclRule {
  readonly verdict: AclVerdict;
  readonly publish: boolean;
  readonly subscribe: boolean;
  /** Line in the file, from 1. */
  readonly line: number;
  /** The rule as written, on one line. */
  readonly text: string;
  matches(client: ClientInfo, topic: string): boolean;
  /** Does it speak of that client? */
  who(client: Named): boolean;
  /** It speaks of every topic. */
  readonly anyTopic: boolean;
}

/** What rules know a client by. */
type Named = Pick<ClientInfo, "clientId" | "username" | "ip">;
type Who = (client: Named) => boolean;

/** Throws `TermError` with line, column and what was expected. */
export function parseAclRules(text: string): AclRule[] {
  return parseTerms(text).map(compileRule);
}

/** The rules as a step of the ACL chain. Throws `TermError` when the text is bad; then nothing is registered. */
export function registerAclFile(hooks: Hooks, text: string, changed: () => void = () => {}): AclFile {
  return new AclFile(hooks, text, changed);
}

interface CompiledStep {
  readonly rule: AclRule;
  /** Made once: a check allocates nothing. */
  readonly step: AclStep;
}

export class AclFile {
  private current: readonly AclRule[] = [];
  private readonly steps: Record<Action, readonly CompiledStep[]> = { publish: [], subscribe: [] };

  /** `changed` is told when verdicts may have become different (caches). */
  constructor(
    hooks: Hooks,
    text: string,
    private readonly changed: () => void,
  ) {
    this.use(parseAclRules(text));
    hooks.add("client.check_acl", ACL_FILE_HANDLER, (c, action, topic) => this.check(c, action, topic), PRIORITY, {
      anyTopic: (c, action) => this.anyTopic(c, action),
    });
  }

  get rules(): readonly AclRule[] {
    return this.current;
  }

  /** Replace the rules. Throws `TermError` and keeps the old ones when the text is bad. */
  reload(text: string): void {
    this.use(parseAclRules(text));
    this.changed();
  }

  check(client: ClientInfo, action: Action, topic: string): AclStep {
    for (const { rule, step } of this.steps[action]) if (rule.matches(client, topic)) return step;
    return null;
  }

  /** The first rule that speaks of the client decides, if it speaks of every topic. */
  anyTopic(client: ClientInfo, action: Action): AnyTopic {
    for (const { rule } of this.steps[action]) if (rule.who(client)) return rule.anyTopic ? rule.verdict : "depends";
    return "silent";
  }

  private use(rules: AclRule[]): void {
    const compiled = rules.map((rule) => ({ rule, step: { verdict: rule.verdict, why: `rule in line ${rule.line}: ${rule.text}` } }));
    this.current = rules;
    this.steps.publish = compiled.filter((c) => c.rule.publish);
    this.steps.subscribe = compiled.filter((c) => c.rule.subscribe);
  }
}

function compileRule(t: Term): AclRule {
  const items = t.kind === "tuple" ? t.items : fail(t, "a rule such as {allow, all}");
  const [first, who, access, topics] = items;
  const verdict = first ? oneOf(first, ["allow", "deny"]) : fail(t, "allow or deny");
  const base = { verdict, line: t.line, text: printTerm(t) };
  if (items.length === 2 && who) {
    if (!isAtom(who, "all")) fail(who, "all, or a rule of four parts: {allow, Who, pubsub, [Topics]}");
    return { ...base, publish: true, subscribe: true, matches: () => true, who: () => true, anyTopic: true };
  }
  if (items.length !== 4 || !who || !access || !topics) return fail(t, "a rule of two or four parts");
  const isWho = compileWho(who);
  const kind = oneOf(access, ["publish", "subscribe", "pubsub"]);
  const topicRules = compileTopics(topics, verdict);
  // `$` has no special meaning here.
  const anyTopic = topicItems(topics).some((item) => isText(item) && item.value === "#");
  return {
    ...base,
    publish: kind !== "subscribe",
    subscribe: kind !== "publish",
    matches: anyTopic ? isWho : (client, topic) => isWho(client) && matchesAny(topicRules, client, topic),
    who: isWho,
    anyTopic,
  };
}

function matchesAny(rules: readonly TopicRule[], client: ClientInfo, topic: string): boolean {
  const words = topic.split("/");
  for (const rule of rules) if (rule(client, topic, words)) return true;
  return false;
}

const WHO_EXPECTED = `all, {user, "name"}, {client, "id"}, {ipaddr, "10.0.0.0/8"}, {'and', [...]} or {'or', [...]}`;

function compileWho(t: Term): Who {
  if (isAtom(t, "all")) return () => true;
  if (t.kind !== "tuple" || t.items.length !== 2) return fail(t, WHO_EXPECTED);
  const [kind, arg] = t.items as [Term, Term];
  switch (kind.kind === "atom" ? kind.value : "") {
    case "user": {
      const name = nameOrAll(arg);
      return name === null ? () => true : (c) => c.username === name;
    }
    case "client": {
      const id = nameOrAll(arg);
      return id === null ? () => true : (c) => c.clientId === id;
    }
    case "ipaddr":
      return compileAddress(arg);
    case "and": {
      const all = compileWhos(arg);
      return (c) => all.every((w) => w(c));
    }
    case "or": {
      const any = compileWhos(arg);
      return (c) => any.some((w) => w(c));
    }
    default:
      return fail(t, WHO_EXPECTED);
  }
}

function compileWhos(t: Term): Who[] {
  return t.kind === "list" ? t.items.map(compileWho) : fail(t, "a list of conditions");
}

/** null = all. */
function nameOrAll(t: Term): string | null {
  return isAtom(t, "all") ? null : textOf(t, "a string or all");
}

function compileAddress(t: Term): Who {
  const range = parseCidr(textOf(t, "an address or range in quotes")) ?? fail(t, `an address or range such as "10.0.0.0/8"`);
  // An IPv4 address has one spelling only.
  if (range.single && range.base.length === 4) return (c) => c.ip === range.text;
  return (c) => {
    const ip = parseIp(c.ip);
    return ip !== null && cidrContains(range, ip);
  };
}

function compileTopics(t: Term, verdict: AclVerdict): TopicRule[] {
  return topicItems(t).map((item) => compileTopic(item, verdict));
}

/** EMQ X takes one topic without a list when it is a binary; a string in its place can mean nothing else either. */
function topicItems(t: Term): readonly Term[] {
  return t.kind === "list" ? t.items : isText(t) || t.kind === "tuple" ? [t] : fail(t, "a list of topics");
}

const TOPIC_EXPECTED = `a topic filter in quotes or {eq, "topic"}`;

function compileTopic(t: Term, verdict: AclVerdict): TopicRule {
  if (t.kind === "tuple") {
    const [eq, literal] = t.items;
    if (t.items.length !== 2 || !eq || !literal || !isAtom(eq, "eq")) return fail(t, TOPIC_EXPECTED);
    return literalRule(textOf(literal, TOPIC_EXPECTED));
  }
  return filterRule(textOf(t, TOPIC_EXPECTED), verdict) ?? fail(t, "a topic filter, with # only as its last level");
}

function isAtom(t: Term, name: string): boolean {
  return t.kind === "atom" && t.value === name;
}

function isText(t: Term): t is Term & { kind: "string" | "binary"; value: string } {
  return t.kind === "string" || t.kind === "binary";
}

function textOf(t: Term, expected: string): string {
  return isText(t) ? t.value : fail(t, expected);
}

function oneOf<const T extends string>(t: Term, words: readonly T[]): T {
  const found = words.find((w) => isAtom(t, w));
  if (found !== undefined) return found;
  return fail(t, words.length === 2 ? words.join(" or ") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`);
}

function fail(t: Term, expected: string): never {
  const found = printTerm(t);
  throw new TermError(t.line, t.column, expected, found.length > 80 ? `${found.slice(0, 77)}...` : found);
}
