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

/** One filter of the packet on its way to a code. */
interface Request extends SubscribeTopic {
  /** Reason code; -1 = not decided. */
  code: number;
}

export function handleSubscribe(ch: Channel, buf: Uint8Array, body: number, end: number): void | Promise<void> {
  const p = decodeSubscribe(buf, body, end, ch.version);
  if (p instanceof ProtocolError) {
    ch.malformed(p.code, p.why);
    return;
  }
  ch.broker.metrics.subscribe++;
  const requests: Request[] = p.requests.map((r) => ({
    filter: r.filter,
    options: { qos: r.qos, nl: r.nl, rap: r.rap, rh: r.rh, subId: p.subscriptionId },
    code: forbidden(ch, r.filter),
  }));
  // The rules judge what the client named; a rewriting hook comes after them.
  const verdicts = requests.map((r) => (r.code === -1 ? ask(ch, r.filter) : "deny"));
  if (verdicts.every((v) => typeof v === "string")) {
    judge(ch, p, requests, verdicts as AclVerdict[]);
    return;
  }
  return Promise.all(verdicts).then((all) => {
    if (ch.ready) judge(ch, p, requests, all);
  });
}

/** What the zone and the form of the filter forbid; -1 = nothing. */
function forbidden(ch: Channel, filter: string): number {
  const { zone } = ch.client as ClientInfo;
  const parsed = parseSharedFilter(filter);
  if (parsed === null) return RC.TOPIC_FILTER_INVALID;
  if (zone.maxTopicLevels > 0 && topicLevels(parsed.filter) > zone.maxTopicLevels) return RC.TOPIC_FILTER_INVALID;
  if (parsed.group !== null && !zone.sharedSubscription) return RC.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
  if (!zone.wildcardSubscription && hasWildcard(parsed.filter)) return RC.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
  return -1;
}

/** The ACL sees the filter without its share group, as the client knows it. */
function ask(ch: Channel, filter: string): AclVerdict | Promise<AclVerdict> {
  const bare = parseSharedFilter(filter)?.filter ?? filter;
  const answer = ch.broker.access.checkCached(ch, "subscribe", bare, ch.broker.mono);
  return answer instanceof Promise ? answer : answer.verdict;
}

function judge(ch: Channel, p: SubscribePacket, requests: Request[], verdicts: AclVerdict[]): void {
  const { broker } = ch;
  const client = ch.client as ClientInfo;
  for (const [i, r] of requests.entries()) {
    if (r.code !== -1 || verdicts[i] === "allow") continue;
    broker.metrics.subscribeDenied++;
    r.code = RC.NOT_AUTHORIZED;
    if (client.zone.aclDenyAction === "disconnect") {
      ch.close(RC.NOT_AUTHORIZED, "not_authorized", "SUBSCRIBE denied by the access rules");
      return;
    }
  }
  const allowed: SubscribeTopic[] = requests.filter((r) => r.code === -1);
  if (broker.hooks.at["client.subscribe"].length > 0) broker.hooks.run("client.subscribe", client, allowed);
  const made = allowed.filter((t) => subscribe(ch, t as Partial<Request> & SubscribeTopic));
  // A hook took it out: the client hears that it has no such subscription.
  const codes = requests.map((r) => (r.code === -1 ? RC.NOT_AUTHORIZED : r.code));
  ch.sendPacket(encodeSuback(ch.version, p.packetId, codes));
  broker.metrics.suback++;
  announce(ch, made as Made[]);
}

interface Made extends SubscribeTopic {
  isNew: boolean;
}

/** Make one subscription; notes its code and whether it is new. False = the session may have no more, or a hook made it invalid. */
function subscribe(ch: Channel, t: SubscribeTopic & Partial<Request> & Partial<Made>): boolean {
  const session = ch.session as Session;
  const { zone } = ch.client as ClientInfo;
  if (parseSharedFilter(t.filter) === null) {
    t.code = RC.TOPIC_FILTER_INVALID;
    return false;
  }
  t.isNew = session.subscription(ch.mount(t.filter)) === undefined;
  if (t.isNew && zone.maxSubscriptions > 0 && session.subscriptionCount >= zone.maxSubscriptions) {
    t.code = RC.QUOTA_EXCEEDED;
    return false;
  }
  if (t.options.qos > zone.maxQosAllowed) t.options.qos = zone.maxQosAllowed;
  ch.broker.registry.subscribe(session, t.filter, t.options);
  t.code = t.options.qos;
  return true;
}

/** After SUBACK: retained messages come by this hook. */
function announce(ch: Channel, made: Made[]): void {
  const { hooks } = ch.broker;
  if (hooks.at["session.subscribed"].length === 0) return;
  const { clientId } = ch.session as Session;
  for (const t of made) hooks.run("session.subscribed", clientId, ch.mount(t.filter), t.options, t.isNew);
}
