/** Which hooks the service is told of, and for which topics: `web.hook.rule.<hook>.$name = {"action": "…", "topic": "…"}`, as EMQ X 3.1 has them. */
import { type Entry, optional, text } from "../../lib/config_entry.ts";
import { wordsOf } from "../../lib/errors.ts";
import { ValueError } from "../../lib/units.ts";
import { topicMatches, validTopicFilter } from "../../mqtt/topic.ts";

/** EMQ X 3.1's names; `true`: a rule may be for certain topics. */
const HOOKS = {
  "client.connected": false,
  "client.disconnected": false,
  "client.subscribe": true,
  "client.unsubscribe": true,
  "session.created": false,
  "session.subscribed": true,
  "session.unsubscribed": true,
  "session.terminated": false,
  "message.publish": true,
  "message.deliver": true,
  "message.acked": true,
} as const;
export type HookName = keyof typeof HOOKS;
export const HOOK_NAMES = Object.keys(HOOKS) as HookName[];

export interface WebHookRule {
  /** null = all. */
  readonly topic: string | null;
}

/** "client.connected" -> "on_client_connected". */
const callbackOf = (hook: HookName): string => `on_${hook.replace(".", "_")}`;

const exampleOf = (hook: HookName): string => JSON.stringify({ action: callbackOf(hook) });

/** @throws ValueError */
function readRule(hook: HookName, written: string): WebHookRule {
  const fail = (what: string): never => {
    throw new ValueError(written, `JSON such as ${exampleOf(hook)}: ${what}`);
  };
  let given: unknown;
  try {
    given = JSON.parse(written);
  } catch (err) {
    return fail(wordsOf(err));
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) return fail("an object");
  const { action, topic = null, ...rest } = given as Record<string, unknown>;
  if (action !== callbackOf(hook)) return fail(`"action" is "${callbackOf(hook)}"`);
  const [odd] = Object.keys(rest);
  if (odd !== undefined) return fail(`there is no ${JSON.stringify(odd)}, but "action" and "topic"`);
  if (topic === null) return { topic: null };
  if (!HOOKS[hook]) return fail(`${hook} has no topic`);
  if (typeof topic !== "string" || !validTopicFilter(topic)) return fail(`"topic" is a topic filter`);
  return { topic };
}

type RuleKey = `web.hook.rule.${HookName}.$name`;
export const ruleKey = (hook: HookName): RuleKey => `web.hook.rule.${hook}.$name`;

function ruleEntry(hook: HookName): Entry<WebHookRule | null> {
  const forTopics = HOOKS[hook] ? ` For certain topics with "topic": "a/#".` : "";
  const words = text(exampleOf(hook), `The service is told of ${hook}.${forTopics} Without any rule it is told of all eleven hooks.`);
  return optional({ ...words, expects: `JSON such as ${exampleOf(hook)}`, parse: (t) => readRule(hook, t.trim()) });
}

export const ruleEntries = Object.fromEntries(HOOK_NAMES.map((hook) => [ruleKey(hook), ruleEntry(hook)])) as {
  readonly [K in RuleKey]: Entry<WebHookRule | null>;
};

export type Rules = ReadonlyMap<HookName, readonly WebHookRule[]>;

/** `written`: those of a hook. EMQ X 3.1's file came with a rule for each hook: where nobody has written any, that holds. */
export function rulesOf(written: (hook: HookName) => Iterable<WebHookRule | null>): Rules {
  const all = HOOK_NAMES.map((hook) => [hook, [...written(hook)].filter((rule) => rule !== null)] as const);
  const isAny = all.some(([, rules]) => rules.length > 0);
  return new Map(isAny ? all.filter(([, rules]) => rules.length > 0) : HOOK_NAMES.map((hook) => [hook, [{ topic: null }]]));
}

const SYS = "$SYS/";

/** How many of them are for this topic: EMQ X 3.1 sends one request for each. What the node says of itself is only for those that name it. */
export function matching(rules: readonly WebHookRule[], topic: string): number {
  const isSys = topic.startsWith(SYS);
  let n = 0;
  for (const rule of rules) if (rule.topic === null ? !isSys : topicMatches(topic, rule.topic)) n++;
  return n;
}

export const wantsSys = (rules: readonly WebHookRule[]): boolean => rules.some(({ topic }) => topic?.startsWith("$") === true);
