/** SUBSCRIBE (section 3.8). */
import { encodeSuback } from "../../mqtt/packets/suback.ts";
import { decodeSubscribe } from "../../mqtt/packets/subscribe.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { hasWildcard, parseSharedFilter, topicLevels } from "../../mqtt/topic.ts";
import { ProtocolError, type SubscribePacket } from "../../mqtt/types.ts";
import type { Channel } from "../channel.ts";
import type { SubscribeTopic } from "../hooks.ts";
import type { Session } from "../session.ts";
import type { AclVerdict, ClientInfo } from "../types.ts";

export function handleSubscribe(ch: Channel, buf: Uint8Array, body: number, end: number): void | Promise<void> {
  const p = decodeSubscribe(buf, body, end, ch.version);
  if (p instanceof ProtocolError) {
    ch.malformed(p.code, p.why);
    return;
  }
  ch.broker.metrics.subscribe++;
  const topics = requested(ch, p);
  // Codes of what the rules forbid; 0 = still allowed.
  const codes = topics.map((t) => forbidden(ch, t));
  // [MQTT-3.8.3-4]
  if (topics.some((t) => t.options.nl && parseSharedFilter(t.filter)?.group != null)) {
    ch.malformed(RC.PROTOCOL_ERROR, "No Local on a shared subscription");
    return;
  }
  const verdicts = topics.map((t, i) => (codes[i] === 0 ? ask(ch, t.filter) : "deny"));
  if (verdicts.every((v) => typeof v === "string")) {
    finish(ch, p, topics, codes, verdicts as AclVerdict[]);
    return;
  }
  return Promise.all(verdicts).then((all) => {
    if (ch.ready) finish(ch, p, topics, codes, all);
  });
}

function requested(ch: Channel, p: SubscribePacket): SubscribeTopic[] {
  const topics = p.requests.map((r) => ({
    filter: r.filter,
    options: { qos: r.qos, nl: r.nl, rap: r.rap, rh: r.rh, subId: p.subscriptionId },
  }));
  const hooks = ch.broker.hooks;
  if (hooks.at["client.subscribe"].length > 0) hooks.run("client.subscribe", ch.client as ClientInfo, topics);
  return topics;
}

function forbidden(ch: Channel, t: SubscribeTopic): number {
  const { zone } = ch.client as ClientInfo;
  const parsed = parseSharedFilter(t.filter);
  if (parsed === null) return RC.TOPIC_FILTER_INVALID;
  if (zone.maxTopicLevels > 0 && topicLevels(parsed.filter) > zone.maxTopicLevels) return RC.TOPIC_FILTER_INVALID;
  if (parsed.group !== null && !zone.sharedSubscription) return RC.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
  if (!zone.wildcardSubscription && hasWildcard(parsed.filter)) return RC.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
  return 0;
}

/** The ACL sees the filter without its share group, as the client knows it. */
function ask(ch: Channel, filter: string): AclVerdict | Promise<AclVerdict> {
  const bare = parseSharedFilter(filter)?.filter ?? filter;
  return ch.broker.access.checkCached(ch, "subscribe", bare, ch.broker.now);
}

function finish(ch: Channel, p: SubscribePacket, topics: SubscribeTopic[], codes: number[], verdicts: AclVerdict[]): void {
  const { broker } = ch;
  const session = ch.session as Session;
  const { zone } = ch.client as ClientInfo;
  const granted: (SubscribeTopic & { isNew: boolean })[] = [];
  for (let i = 0; i < topics.length; i++) {
    const t = topics[i] as SubscribeTopic;
    if (codes[i] !== 0) continue;
    if (verdicts[i] === "deny") {
      broker.metrics.subscribeDenied++;
      codes[i] = RC.NOT_AUTHORIZED;
      if (zone.aclDenyAction === "disconnect") {
        ch.close(RC.NOT_AUTHORIZED, "not_authorized", "SUBSCRIBE denied by the access rules");
        return;
      }
      continue;
    }
    const isNew = session.subscription(ch.mount(t.filter)) === undefined;
    if (isNew && zone.maxSubscriptions > 0 && session.subscriptionCount >= zone.maxSubscriptions) {
      codes[i] = RC.QUOTA_EXCEEDED;
      continue;
    }
    if (t.options.qos > zone.maxQosAllowed) t.options.qos = zone.maxQosAllowed;
    broker.registry.subscribe(session, t.filter, t.options);
    codes[i] = t.options.qos;
    granted.push({ ...t, isNew });
  }
  const count = p.requests.length;
  // A hook may have removed or added topics; the client hears of what it asked for.
  while (codes.length < count) codes.push(RC.NOT_AUTHORIZED);
  ch.sendPacket(encodeSuback(ch.version, p.packetId, codes.slice(0, count)));
  broker.metrics.suback++;
  const hooks = broker.hooks;
  if (hooks.at["session.subscribed"].length === 0) return;
  for (const t of granted) hooks.run("session.subscribed", session.clientId, ch.mount(t.filter), t.options, t.isNew);
}
