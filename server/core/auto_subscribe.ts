/**
 * `module.subscription`: every client is subscribed to these topics when it has connected, with `%c` for its client id and `%u`
 * for its user name as whole levels. The access rules are not asked: the operator has spoken.
 */
import type { NodeConfig } from "../config/types.ts";
import { parseSharedFilter } from "../mqtt/topic.ts";
import type { Hooks } from "./hooks.ts";
import type { Installed } from "./rewrite.ts";
import type { ClientInfo, SubscribeOptions } from "./types.ts";

/** Behind plugins that note the client first. */
const PRIORITY = -100;

/** `subscribe`: on behalf of a session, as `Broker.subscribe`. Without topics nothing hangs on the hook. */
export function installAutoSubscribe(
  hooks: Hooks,
  node: Pick<NodeConfig, "autoSubscribe">,
  subscribe: (clientId: string, filter: string, options: SubscribeOptions) => void,
): Installed {
  let off: (() => void) | null = null;
  const remove = (): void => {
    off?.();
    off = null;
  };
  const connected = (client: ClientInfo): void => {
    for (const { topic, qos } of node.autoSubscribe) {
      const filter = topicFor(topic, client);
      // Retain handling 1: a resumed session has the subscription already and gets no retained messages again.
      if (filter !== null) subscribe(client.clientId, filter, { qos, nl: false, rap: false, rh: 1, subId: 0 });
    }
  };
  const refresh = (): void => {
    remove();
    if (node.autoSubscribe.length > 0) off = hooks.add("client.connected", "subscription", connected, PRIORITY);
  };
  refresh();
  return { refresh, remove };
}

/** null = not for this client: it has no user name, or a name that would make another filter of it. */
export function topicFor(template: string, client: Pick<ClientInfo, "clientId" | "username">): string | null {
  const levels: string[] = [];
  for (const level of template.split("/")) {
    const value = level === "%c" ? client.clientId : level === "%u" ? client.username : level;
    if (value === null || (value !== level && /[+#]/.test(value))) return null;
    levels.push(value);
  }
  const filter = levels.join("/");
  return parseSharedFilter(filter) === null ? null : filter;
}
