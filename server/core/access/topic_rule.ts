/** The topic part of an access rule, wherever the rule stands: in acl.conf, a table, a hash, a directory. */
import type { AclVerdict, ClientInfo } from "../types.ts";

/** Does the rule speak of this topic, or filter of a subscription? `words`: its levels. */
export type TopicRule = (client: ClientInfo, topic: string, words: readonly string[]) => boolean;

/** Exactly this text, wildcards and all. */
export function literalRule(text: string): TopicRule {
  return (_client, topic) => topic === text;
}

/** What the filter covers; `%c` and `%u` as whole levels stand for the client's own. null = it is no filter. */
export function filterRule(filter: string, verdict: AclVerdict): TopicRule | null {
  const words = filter.split("/");
  const hash = words.indexOf("#");
  if (filter === "" || (hash >= 0 && hash < words.length - 1)) return null;
  return (client, _topic, topicWords) => filterCovers(words, topicWords, client, verdict);
}

/**
 * Compare level by level as EMQ X does: a subscription's own wildcards are levels like others, and `$` has no special meaning
 * ("#" covers "$SYS/x"). One difference: an *allow* rule "a/+" does not cover a subscription to "a/#", which would see more than
 * the rule grants; a *deny* rule does.
 */
function filterCovers(rule: readonly string[], topic: readonly string[], client: ClientInfo, verdict: AclVerdict): boolean {
  for (const [i, word] of rule.entries()) {
    if (word === "#") return true;
    const level = topic[i];
    if (level === undefined) return false;
    if (word === "+") {
      if (level === "#" && verdict === "allow") return false;
    } else if (level !== feed(word, client)) return false;
  }
  return rule.length === topic.length;
}

/**
 * A level %c or %u stands for the client's own name, as one literal level: a client called "#" gains nothing.
 * Without a user name %u stays as it is.
 */
function feed(word: string, client: ClientInfo): string | null {
  if (word !== "%c" && word !== "%u") return word;
  const value = word === "%c" ? client.clientId : client.username;
  if (value === null) return word;
  return value === "+" || value === "#" ? null : value;
}
