/** SUBSCRIBE (section 3.8). */
import { encodeSuback } from "../../mqtt/packets/suback.ts";
import { decodeSubscribe } from "../../mqtt/packets/subscribe.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { hasWildcard, parseSharedFilter, type SharedFilter, topicLevels } from "../../mqtt/topic.ts";
import { ProtocolError, type SubscribePacket, type SubscribeRequest } from "../../mqtt/types.ts";
import type { Channel } from "../channel.ts";
import type { SubscribeTopic } from "../hooks.ts";
import { mountFilter, type Session } from "../session.ts";
import type { AclVerdict, ClientInfo } from "../types.ts";
import { checkAnswer, inSlices, parseFilters, someAtATime } from "./filters.ts";

/** So many subscriptions a session may have while memory is short. More that it has already stay. */
const FEW = 64;

/** One filter of the packet on its way to a code. */
interface Request extends SubscribeTopic {
  /** As the client wrote it, and what that is: a hook may make another filter of it. */
  readonly asked: string;
  readonly parsed: SharedFilter;
  /** Reason code; -1 = not decided. */
  code: number;
  /** It replaced no subscription with the same filter. */
  isNew: boolean;
}

export function handleSubscribe(ch: Channel, buf: Uint8Array, body: number, end: number): void | Promise<void> {
  const p = decodeSubscribe(buf, body, end, ch.version);
  if (p instanceof ProtocolError) {
    ch.malformed(p.code, p.why);
    return;
  }
  ch.broker.metrics.subscribe++;
  // Looked at once: a packet may have a quarter of a million.
  const parsed = parseFilters(
    ch,
    p.requests.map((r) => r.filter),
  );
  if (parsed === null || !checkAnswer(ch, parsed.length)) return;
  const codes: number[] = [];
  const made: Request[] = [];
  const slice = (from: number, to: number): void | Promise<void> => {
    const requests = p.requests.slice(from, to).map((r, i) => request(ch, r, parsed[from + i] as SharedFilter, p.subscriptionId));
    // The rules judge what the client named; a rewriting hook comes after them.
    const verdicts = someAtATime<AclVerdict>(requests.length, (i) => {
      const { code, parsed } = requests[i] as Request;
      // Of a client that has left nobody needs to be asked.
      return code === -1 && ch.ready ? ask(ch, parsed.filter) : "deny";
    });
    const decide = (all: AclVerdict[]): void => {
      if (ch.ready) judge(ch, requests, all);
      for (const r of requests) {
        if (r.code <= 2) made.push(r);
        codes.push(r.code);
      }
    };
    return verdicts instanceof Promise ? verdicts.then(decide) : decide(verdicts);
  };
  return inSlices(ch, parsed.length, slice, () => answer(ch, p, codes, made));
}

function request(ch: Channel, r: SubscribeRequest, parsed: SharedFilter, subId: number): Request {
  const { filter, qos, nl, rap, rh } = r;
  return { filter, asked: filter, parsed, options: { qos, nl, rap, rh, subId }, code: forbidden(ch, parsed), isNew: false };
}

/** What the zone forbids; -1 = nothing. */
function forbidden(ch: Channel, parsed: SharedFilter): number {
  const { zone } = ch.client as ClientInfo;
  if (zone.maxTopicLevels > 0 && topicLevels(parsed.filter) > zone.maxTopicLevels) return RC.TOPIC_FILTER_INVALID;
  if (parsed.group !== null && !zone.sharedSubscription) return RC.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
  if (!zone.wildcardSubscription && hasWildcard(parsed.filter)) return RC.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
  return -1;
}

/** `filter`: without its share group, as the client knows it. */
function ask(ch: Channel, filter: string): AclVerdict | Promise<AclVerdict> {
  const answer = ch.broker.access.checkCached(ch, "subscribe", filter, ch.broker.mono);
  return answer instanceof Promise ? answer : answer.verdict;
}

/** Every request gets its code. */
function judge(ch: Channel, requests: Request[], verdicts: AclVerdict[]): void {
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
  // A hook may have sent the client away, with its session.
  if (!ch.ready) return;
  for (const t of allowed) subscribe(ch, t as Request);
  // A hook took it out: the client hears that it has no such subscription.
  for (const r of requests) if (r.code === -1) r.code = RC.NOT_AUTHORIZED;
}

/** Make one subscription; notes its code and whether it is new. */
function subscribe(ch: Channel, t: Request): void {
  const session = ch.session as Session;
  const { zone } = ch.client as ClientInfo;
  const full = mountFilter(session.mountpoint, t.filter);
  // A hook made another filter of it, or the mountpoint one that is too long.
  const parsed = full === t.asked ? t.parsed : parseSharedFilter(full);
  if (parsed === null) {
    t.code = RC.TOPIC_FILTER_INVALID;
    return;
  }
  t.isNew = session.subscription(full) === undefined;
  const few = ch.broker.memory.short ? Math.min(zone.maxSubscriptions || FEW, FEW) : zone.maxSubscriptions;
  if (t.isNew && few > 0 && session.subscriptionCount >= few) {
    t.code = RC.QUOTA_EXCEEDED;
    return;
  }
  if (!ch.broker.durability.mayChange(ch)) {
    t.code = RC.QUOTA_EXCEEDED;
    return;
  }
  if (t.options.qos > zone.maxQosAllowed) t.options.qos = zone.maxQosAllowed;
  ch.broker.registry.subscribe(session, t.filter, t.options, parsed);
  t.code = t.options.qos;
}

/** SUBACK; after it the retained messages, which come by session.subscribed. */
function answer(ch: Channel, p: SubscribePacket, codes: number[], made: Request[]): void | Promise<void> {
  const { broker } = ch;
  ch.sendPacket(encodeSuback(ch.version, p.packetId, codes), true);
  broker.metrics.suback++;
  const { hooks } = broker;
  if (hooks.at["session.subscribed"].length === 0) return;
  const { clientId, mountpoint } = ch.session as Session;
  const announce = (from: number, to: number): void => {
    for (const t of made.slice(from, to)) hooks.run("session.subscribed", clientId, mountFilter(mountpoint, t.filter), t.options, t.isNew);
  };
  return inSlices(ch, made.length, announce, () => {});
}
