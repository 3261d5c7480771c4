/**
 * `module.rewrite`: topics are given other names on publish, subscribe and unsubscribe. A rule has a filter, an expression and a
 * destination, as in `x/# ^x/y/(.+)$ z/y/$1`; the first rule whose filter matches decides, and does nothing when its expression
 * does not match.
 */
import type { NodeConfig } from "../config/types.ts";
import { parseSharedFilter, topicMatches, validTopicFilter, validTopicName } from "../mqtt/topic.ts";
import type { Hooks, SubscribeTopic } from "./hooks.ts";
import type { Message } from "./message.ts";

export type RewriteRule = NodeConfig["rewrite"][number];

/** Before every plugin: they see the new names. */
const PRIORITY = 1000;

/** The new name, or the old one when no rule applies. Wildcards of a subscription are text like any other. */
export function rewriteTopic(rules: readonly RewriteRule[], topic: string): string {
  const rule = rules.find((r) => topicMatches(topic, r.filter));
  if (!rule) return topic;
  rule.re.lastIndex = 0;
  const m = rule.re.exec(topic);
  if (!m) return topic;
  return rule.dest.replace(/\$([1-9]\d*)/g, (text, n) => (Number(n) < m.length ? (m[Number(n)] ?? "") : text));
}

/** A subscription's filter; a share group stays in front. */
export function rewriteFilter(rules: readonly RewriteRule[], filter: string): string {
  const bare = parseSharedFilter(filter)?.filter ?? filter;
  const renamed = rewriteTopic(rules, bare);
  return renamed === bare || !validTopicFilter(renamed) ? filter : filter.slice(0, filter.length - bare.length) + renamed;
}

export interface Installed {
  /** The configuration has changed. */
  refresh(): void;
  remove(): void;
}

/** Hang the rules on the hooks; without rules nothing hangs there and publishing stays on its fast path. */
export function installRewrite(hooks: Hooks, node: Pick<NodeConfig, "rewrite">): Installed {
  let off: (() => void)[] = [];
  const remove = (): void => {
    for (const take of off) take();
    off = [];
  };
  const refresh = (): void => {
    remove();
    const rules = node.rewrite;
    if (rules.length === 0) return;
    const prefix = commonPrefix(rules.map((r) => literalPrefix(r.filter)));
    off = [
      hooks.add("client.subscribe", "rewrite", (_c, topics) => renameSubscriptions(rules, topics), PRIORITY),
      hooks.add("client.unsubscribe", "rewrite", (_c, filters) => renameFilters(rules, filters), PRIORITY),
      hooks.add("message.publish", "rewrite", (m) => renameMessage(rules, m), PRIORITY, prefix === "" ? null : { prefix }),
    ];
  };
  refresh();
  return { refresh, remove };
}

function renameSubscriptions(rules: readonly RewriteRule[], topics: SubscribeTopic[]): void {
  for (const t of topics) t.filter = rewriteFilter(rules, t.filter);
}

function renameFilters(rules: readonly RewriteRule[], filters: string[]): void {
  for (const [i, f] of filters.entries()) filters[i] = rewriteFilter(rules, f);
}

function renameMessage(rules: readonly RewriteRule[], m: Message): Message {
  const topic = rewriteTopic(rules, m.topic);
  return topic === m.topic || !validTopicName(topic) ? m : m.with({ topic });
}

/** What every topic begins with that the filter matches: "x/#" matches "x" too. */
function literalPrefix(filter: string): string {
  const wildcard = filter.search(/[+#]/);
  if (wildcard < 0) return filter;
  return filter[wildcard] === "#" ? filter.slice(0, Math.max(0, wildcard - 1)) : filter.slice(0, wildcard);
}

function commonPrefix(texts: readonly string[]): string {
  let prefix = texts[0] ?? "";
  for (const t of texts) while (!t.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return prefix;
}
