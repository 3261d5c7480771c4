/** Rules of the web hook as a form has them: which hooks there are, what a rule says, and how it is written (`web.hook.rule.<hook>.$name`). */

/** EMQ X 3.1's, in its order, each with the key of its title. `topics`: a rule may be for certain topics. */
export const HOOKS = [
  { name: "client.connected", title: "hooks.connected", topics: false },
  { name: "client.disconnected", title: "hooks.disconnected", topics: false },
  { name: "client.subscribe", title: "hooks.subscribe", topics: true },
  { name: "client.unsubscribe", title: "hooks.unsubscribe", topics: true },
  { name: "session.created", title: "hooks.created", topics: false },
  { name: "session.subscribed", title: "hooks.subscribed", topics: true },
  { name: "session.unsubscribed", title: "hooks.unsubscribed", topics: true },
  { name: "session.terminated", title: "hooks.terminated", topics: false },
  { name: "message.publish", title: "hooks.publish", topics: true },
  { name: "message.deliver", title: "hooks.deliver", topics: true },
  { name: "message.acked", title: "hooks.acked", topics: true },
] as const;
export type Hook = (typeof HOOKS)[number];

/** `pattern`: a key that stands for many. undefined = not for rules of a hook. */
export const hookOf = (pattern: string): Hook | undefined => HOOKS.find(({ name }) => pattern === `web.hook.rule.${name}.$name`);

/** "client.connected" → "on_client_connected": the only action there is for it. */
export const actionOf = ({ name }: Hook): string => `on_${name.replace(".", "_")}`;

/** `topic`: "" = all. */
export const ruleText = (hook: Hook, topic: string): string =>
  JSON.stringify({ action: actionOf(hook), ...(topic === "" ? {} : { topic }) });

/** "" = all; null = it is no rule of this hook's. */
export function topicOf(hook: Hook, text: string): string | null {
  let rule: unknown;
  try {
    rule = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) return null;
  const { action, topic = null, ...rest } = rule as Record<string, unknown>;
  if (action !== actionOf(hook) || Object.keys(rest).length > 0) return null;
  if (topic === null) return "";
  return hook.topics && typeof topic === "string" && topic !== "" ? topic : null;
}

/** Behind all numbers that are names; `keys`: those of the hook. */
export const freeName = (keys: readonly string[]): string =>
  String(1 + Math.max(0, ...keys.map((key) => Number(/\.(\d{1,9})$/.exec(key)?.[1] ?? 0))));
