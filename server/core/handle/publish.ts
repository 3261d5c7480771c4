/** PUBLISH from a client (section 3.3). The hot path: what a packet costs here, every message costs. */
import { sameBytes } from "../../lib/bytes.ts";
import { between, NO_MONO } from "../../lib/time.ts";
import { PUBACK, PUBREC } from "../../mqtt/frame.ts";
import { plainProperties, readPublish, readPublishProperties } from "../../mqtt/packets/publish.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { levelsOf, topicLevels, validTopicLength, validTopicName } from "../../mqtt/topic.ts";
import { ProtocolError, type QoS } from "../../mqtt/types.ts";
import { readUtf8, wellFormedUtf8 } from "../../mqtt/utf8.ts";
import { AliasesIn } from "../aliases.ts";
import type { Channel } from "../channel.ts";
import { type Frame, messageOf } from "../incoming.ts";
import { PAUSED } from "../intake.ts";
import { planAwaitRel } from "../keepalive.ts";
import type { Message } from "../message.ts";
import type { Route } from "../route.ts";
import { type Session, unmountTopic } from "../session.ts";
import { FEW, PACKET_WORK, SMALL_WORK } from "../turn.ts";
import type { AclVerdict, ClientInfo } from "../types.ts";

/** How long a client of 3.x is not read while too many of its QoS 2 messages wait for PUBREL. */
const SLOW_MS = 100;
const DOLLAR = 0x24;

export function handlePublish(ch: Channel, buf: Uint8Array, pos: number, body: number, end: number): void | Promise<void> {
  const broker = ch.broker;
  const f = broker.frame;
  const bad = readPublish(buf, pos, body, end, ch.version, f);
  if (bad !== 0) {
    ch.malformed(bad, "PUBLISH");
    return;
  }
  f.buf = buf;
  f.start = pos;
  f.properties = null;
  ch.recvMsg++;
  const metrics = broker.metrics;
  if (f.qos === 0) metrics.qos0Received++;
  else if (f.qos === 1) metrics.qos1Received++;
  else metrics.qos2Received++;

  const known = ch.lastTopic;
  let route: Route | null = null;
  const plain = f.propsEnd === f.propsStart || plainProperties(buf, f.propsStart, f.propsEnd);
  if (plain && known !== null && sameBytes(known, buf, f.topicStart, f.topicEnd)) {
    route = ch.route as Route;
    if (route.generation !== broker.router.generation) {
      route = broker.router.again(route);
      ch.route = route;
    }
  } else {
    route = resolve(ch, f, plain);
    if (route === null) return;
  }
  const zone = (ch.client as ClientInfo).zone;
  if ((f.qos !== 0 && f.qos > zone.maxQosAllowed) || (f.retain && !zone.retainAvailable)) {
    const code = f.qos > zone.maxQosAllowed ? RC.QOS_NOT_SUPPORTED : RC.RETAIN_NOT_SUPPORTED;
    metrics.publishRefused++;
    ch.malformed(code, "PUBLISH beyond what CONNACK allowed");
    return;
  }
  if (zone.publishLimit !== null) limit(ch);
  if (broker.mono < ch.allowedUntil && ch.allowedEpoch === broker.access.epoch) {
    // Nobody has to see the message, and it is as the receivers take it: the way of most messages. What `accept` would find, written
    // out here: a call more is felt.
    if (f.qos === 0 && !f.retain && ch.rawSource && f.properties === null && broker.plainRoute(route)) {
      const n = broker.delivery.dispatchFrame(route, ch, f);
      return n > 0 && route.subs.length <= FEW && route.shares === null ? undefined : forwarded(ch, route, f, n, 0);
    }
    return accept(ch, route, f, 0);
  }
  return check(ch, route, f);
}

/**
 * The route of the packet's topic: alias, UTF-8, form and limits. `plain`: its properties are read when they are needed. null = nowhere:
 * the connection is closed, or the message dropped.
 */
function resolve(ch: Channel, f: Frame, plain: boolean): Route | null {
  if (!plain) {
    const p = readPublishProperties(f.buf, f.propsStart, f.propsEnd);
    if (p instanceof ProtocolError) return refuse(ch, p.code, p.why);
    f.properties = p;
    // The payload must be what its indicator says (section 3.3.2.3.2).
    if (p.payloadFormat === 1 && !wellFormedUtf8(f.buf, f.payloadStart, f.end))
      return refuse(ch, RC.PAYLOAD_FORMAT_INVALID, "payload is not UTF-8");
    if (p.topicAlias !== undefined) return aliased(ch, f, p.topicAlias);
  }
  if (f.topicEnd === f.topicStart) return refuse(ch, RC.PROTOCOL_ERROR, "no topic and no topic alias");
  if (ch.lastTopic !== null && sameBytes(ch.lastTopic, f.buf, f.topicStart, f.topicEnd)) {
    const route = ch.broker.router.again(ch.route as Route);
    ch.route = route;
    return route;
  }
  const route = unread(ch, f);
  if (route !== null) return route;
  const topic = readUtf8(f.buf, f.topicStart, f.topicEnd);
  if (topic === null) return refuse(ch, RC.MALFORMED_PACKET, "topic is not UTF-8");
  return valid(ch, topic) ? named(ch, topic, f, true) : null;
}

function aliased(ch: Channel, f: Frame, alias: number): Route | null {
  const max = (ch.client as ClientInfo).zone.maxTopicAlias;
  // [MQTT-3.3.2-9]
  if (alias > max) return refuse(ch, RC.TOPIC_ALIAS_INVALID, `topic alias ${alias}, maximum ${max}`);
  if (f.topicEnd > f.topicStart) {
    const topic = readUtf8(f.buf, f.topicStart, f.topicEnd);
    if (topic === null) return refuse(ch, RC.MALFORMED_PACKET, "topic is not UTF-8");
    if (!valid(ch, topic)) return null;
    ch.inAliases ??= new AliasesIn();
    if (!ch.inAliases.set(alias, topic)) return refuse(ch, RC.QUOTA_EXCEEDED, "topics with aliases are too long together");
    return named(ch, topic, f, false);
  }
  const topic = ch.inAliases?.get(alias);
  if (topic === undefined) return refuse(ch, RC.PROTOCOL_ERROR, `topic alias ${alias} is not set`);
  return named(ch, topic, f, false);
}

/** False: refused, the connection is closed. */
function valid(ch: Channel, topic: string): boolean {
  const max = (ch.client as ClientInfo).zone.maxTopicLevels;
  if (!validTopicName(topic)) refuse(ch, RC.TOPIC_NAME_INVALID, "topic name");
  else if (max > 0 && topicLevels(topic) > max) refuse(ch, RC.TOPIC_NAME_INVALID, `more than ${max} topic levels`);
  else return true;
  return false;
}

/** A name that was checked: remember it for the next packet. `asSent`: the packet has the name itself, not an alias. */
function named(ch: Channel, topic: string, f: Frame, asSent: boolean): Route | null {
  if (topic.startsWith("$share/") || topic.startsWith("$queue/")) {
    toGroup(ch, topic, f);
    return null;
  }
  const { router } = ch.broker;
  const { mountpoint } = ch.client as ClientInfo;
  const full = mountpoint + topic;
  // Its receivers would be sent the rest of a division by 65,536 as its length.
  if (mountpoint !== "" && !validTopicLength(full)) return refuse(ch, RC.TOPIC_NAME_INVALID, "topic name with the mountpoint is too long");
  const route = router.passing(full);
  if (route.hash !== ch.lastHash) return other(ch, route);
  const kept = router.route(full);
  // A copy: the chunk must not be kept alive by it.
  return same(ch, kept, asSent && mountpoint === "" ? kept.bytes : Buffer.from(topic));
}

/**
 * The way of those who publish to many topics: no string is made of a plain one unless somebody asks. null = it has to be read to be
 * known as valid, or to become what it is in the router.
 */
function unread(ch: Channel, f: Frame): Route | null {
  const { zone, mountpoint } = ch.client as ClientInfo;
  if (mountpoint !== "" || f.buf[f.topicStart] === DOLLAR) return null;
  if (zone.maxTopicLevels > 0 && levelsOf(f.buf, f.topicStart, f.topicEnd) > zone.maxTopicLevels) return null;
  const route = ch.broker.router.named(f.buf, f.topicStart, f.topicEnd, ch.lastHash);
  if (route === null) return null;
  return route.hash === ch.lastHash ? same(ch, route, null) : other(ch, route);
}

/** Another topic than the last packet's. */
function other(ch: Channel, route: Route): Route {
  ch.lastHash = route.hash;
  if (!ch.allowedAny) ch.allowedUntil = NO_MONO;
  else if (route.cost > PACKET_WORK) ch.broker.turn.count(route.cost);
  ch.lastTopic = null;
  ch.route = null;
  return route;
}

/** The same topic again, as its hash says: remember it for the next packet, if there was room for the route. `sent`: as it came; null = as it is. */
function same(ch: Channel, route: Route, sent: Uint8Array | null): Route {
  if (!ch.allowedAny && ch.route !== route) ch.allowedUntil = NO_MONO;
  const kept = route.generation !== 0;
  ch.lastTopic = kept ? (sent ?? route.bytes) : null;
  ch.route = kept ? route : null;
  return route;
}

/** The name of a shared subscription is no topic anybody can subscribe to: dropped, with the answer of a publisher without the right. */
function toGroup(ch: Channel, topic: string, f: Frame): void {
  const { broker } = ch;
  broker.metrics.messagesDropped++;
  if (broker.hooks.at["message.dropped"].length > 0)
    broker.hooks.run("message.dropped", messageOf(ch, topic, f), "shared_topic", (ch.client as ClientInfo).clientId);
  answerDenied(ch, f.qos, f.packetId);
}

function refuse(ch: Channel, code: number, why: string): null {
  ch.broker.metrics.publishRefused++;
  ch.malformed(code, why);
  return null;
}

/** `zone.*.publish_limit = count,interval`: beyond it the client's socket is not read for a while (EMQ X 3.1). */
function limit(ch: Channel): void {
  const { broker } = ch;
  const spec = (ch.client as ClientInfo).zone.publishLimit;
  if (spec === null) return;
  const now = broker.mono;
  const rate = spec.count / spec.intervalMs;
  // Below zero is a debt: a chunk may have held more than was left.
  ch.tokens ??= { left: spec.count, at: now };
  const { tokens } = ch;
  tokens.left = Math.min(spec.count, tokens.left + between(tokens.at, now) * rate) - 1;
  tokens.at = now;
  if (tokens.left >= 1) return;
  broker.metrics.publishLimited++;
  ch.intake.slowDown(ch.broker, Math.max(100, Math.ceil((1 - tokens.left) / rate)), PAUSED.LIMIT);
}

/** Ask the access chain. Its answer for this topic holds for as long as the ACL cache would keep it. */
function check(ch: Channel, route: Route, f: Frame): void | Promise<void> {
  const { access, mono } = ch.broker;
  const answer = access.checkCached(ch, "publish", unmountTopic((ch.client as ClientInfo).mountpoint, route.topic), mono);
  if (!(answer instanceof Promise)) {
    if (answer.verdict === "deny") {
      denied(ch, f.qos, f.packetId);
      return ch.broker.turn.spend(PACKET_WORK + route.cost, mono);
    }
    ch.allowedUntil = answer.until;
    ch.allowedEpoch = access.epoch;
    ch.allowedAny = answer.anyTopic;
    return accept(ch, route, f, route.cost);
  }
  // The frame is reused by other connections while this one waits: take the message out of it.
  const m = messageOf(ch, route.topic, f);
  ch.broker.slab.keep(m);
  const id = f.packetId;
  return answer.then((v: AclVerdict) => {
    if (!ch.ready) return;
    if (v === "deny") denied(ch, m.qos, id);
    else if (ch.broker.durability.refusing && unkept(ch, ch.broker.router.passing(m.topic), m.qos, m.retain, id)) return;
    else if (m.qos !== 2 || firstTime(ch, id)) publish(ch, ch.broker.router.passing(m.topic), m, id);
  });
}

function denied(ch: Channel, qos: number, packetId: number): void {
  const { metrics, durability } = ch.broker;
  // It was allowed when it came first, and has gone where it should: what is asked for is the handshake's next step [MQTT-4.3.3-10].
  if (qos === 2 && ch.session?.awaitingRel?.has(packetId) === true) {
    durability.acknowledge(ch, PUBREC, packetId, RC.SUCCESS);
    return;
  }
  metrics.publishDenied++;
  if ((ch.client as ClientInfo).zone.aclDenyAction === "disconnect") {
    ch.close(RC.NOT_AUTHORIZED, "not_authorized", "PUBLISH denied by the access rules");
    return;
  }
  answerDenied(ch, qos, packetId);
}

function answerDenied(ch: Channel, qos: number, packetId: number): void {
  const code = ch.version === 5 ? RC.NOT_AUTHORIZED : RC.SUCCESS;
  if (qos === 1) ch.sendAck(PUBACK, packetId, code);
  else if (qos === 2) {
    // 3.x has no way to say no: the handshake runs its course, the message goes nowhere.
    if (ch.version !== 5) swallow(ch, packetId);
    ch.sendAck(PUBREC, packetId, code);
  }
}

/** Remember the identifier so that its PUBREL finds the handshake it expects. */
function swallow(ch: Channel, packetId: number): void {
  const session = ch.session as Session;
  if (!session.awaiting().has(packetId)) awaitRelease(ch, session, packetId);
}

/** A QoS 2 message has come for the first time. False = it is one too many: the client has to go, and nothing is remembered of it. */
function awaitRelease(ch: Channel, session: Session, packetId: number): boolean {
  const { metrics, mono, now, store } = ch.broker;
  const waiting = session.awaiting();
  waiting.set(packetId, mono);
  const why = tooMany(ch, session);
  if (why !== null) {
    waiting.delete(packetId);
    metrics.qos2Dropped++;
    ch.close(RC.RECEIVE_MAXIMUM_EXCEEDED, why, `more than ${session.zone.maxAwaitingRel} QoS 2 messages await PUBREL`);
    return false;
  }
  if (waiting.size === 1) planAwaitRel(ch);
  if (session.storeKey !== 0) store.sessions.awaitRel(session.storeKey, packetId, now);
  return true;
}

/**
 * More QoS 2 messages wait for PUBREL than the zone wants: must the client go? 5.0 was told its Receive Maximum in CONNACK [MQTT-3.3.4-9].
 * 3.x knows of no limit, and its PUBRELs come behind what it sends now: to hold messages back or to stop reading until they are released
 * would be to wait for ever. A message that was taken costs no more than its identifier, of which there are 65,535, so all are taken
 * unless memory is short, and the client is read slowly until it is below the limit. Returns the reason; null = it stays.
 */
function tooMany(ch: Channel, session: Session): "receive_maximum_exceeded" | "memory" | null {
  const max = session.zone.maxAwaitingRel;
  if (max === 0 || session.awaitingRelLen <= max) return null;
  if (ch.version === 5) return "receive_maximum_exceeded";
  if (ch.broker.memory.short) return "memory";
  ch.intake.slowDown(ch.broker, SLOW_MS, PAUSED.LIMIT);
  return null;
}

/** `cost`: steps it took to come here. A promise: this turn of the event loop has had its share of work. */
function accept(ch: Channel, route: Route, f: Frame, cost: number): void | Promise<void> {
  const { broker } = ch;
  if (f.qos === 0 && !f.retain && ch.rawSource && f.properties?.topicAlias === undefined && broker.plainRoute(route))
    return forwarded(ch, route, f, broker.delivery.dispatchFrame(route, ch, f), cost);
  const { length } = route.subs;
  take(ch, route, f);
  const watched = broker.hooks.unfilteredPublish > 0 || !broker.rawAllowed;
  return broker.turn.spend((watched ? PACKET_WORK : SMALL_WORK) + cost + length, broker.mono);
}

/** The frame has gone to `n` receivers. */
function forwarded(ch: Channel, route: Route, f: Frame, n: number, cost: number): void | Promise<void> {
  const { broker } = ch;
  if (n === 0 && route.empty) broker.noSubscribers(messageOf(ch, route.topic, f));
  return broker.turn.spend(SMALL_WORK + cost + route.subs.length, broker.mono);
}

function take(ch: Channel, route: Route, f: Frame): void {
  const broker = ch.broker;
  if (broker.durability.refusing && unkept(ch, route, f.qos, f.retain, f.packetId)) return;
  if (f.qos === 2 && !firstTime(ch, f.packetId)) return;
  const m = messageOf(ch, route.topic, f);
  const src = broker.delivery.source;
  // The client's own bytes may serve as they are: same topic, same properties.
  if (ch.rawSource && f.properties?.topicAlias === undefined && m.expiresAt === 0) {
    src.message = m;
    src.buf = f.buf;
    src.start = f.start;
    src.end = f.end;
    src.idOffset = f.topicEnd - f.start;
    src.form = ch.version === 5 ? 5 : 4;
  }
  publish(ch, route, m, f.packetId);
  src.message = null;
}

/** The disk fails and the message would have to be kept: true = it was refused. */
function unkept(ch: Channel, route: Route, qos: QoS, retain: boolean, packetId: number): boolean {
  const { durability } = ch.broker;
  // Already taken, and waiting for its PUBREL.
  if (qos === 2 && ch.session?.awaitingRel?.has(packetId) === true) return false;
  if (!durability.mustKeep(ch, route, qos, retain)) return false;
  durability.refusePublish(ch, qos, packetId);
  return true;
}

/** False for a QoS 2 message that came before and is not released yet: acknowledged again, not delivered again [MQTT-4.3.3-10]. */
function firstTime(ch: Channel, packetId: number): boolean {
  const session = ch.session as Session;
  if (!session.awaiting().has(packetId)) return awaitRelease(ch, session, packetId);
  ch.broker.durability.acknowledge(ch, PUBREC, packetId, RC.SUCCESS);
  return false;
}

/** Hooks, acknowledgement, delivery. The acknowledgement is put out first: a client that hears itself sees it first. */
function publish(ch: Channel, route: Route, m: Message, packetId: number): void {
  const broker = ch.broker;
  const final = broker.filter(m);
  let to = route;
  if (ch.version === 5 && m.qos > 0 && (final ?? m).refusedWith > 0) {
    refuseKeeping(ch, m.qos, packetId, (final ?? m).refusedWith);
    return;
  }
  // A hook has changed the topic, or who subscribes to it.
  if (final !== null && (final.topic !== route.topic || !broker.router.isFresh(route))) {
    to = broker.router.passing(final.topic);
    // It would have to be kept there, and cannot be.
    if (broker.durability.refusing && broker.durability.mustKeep(ch, to, m.qos, m.retain)) {
      ch.session?.awaitingRel?.delete(packetId);
      broker.durability.refusePublish(ch, m.qos, packetId);
      return;
    }
  }
  if (m.qos > 0) {
    const code = ch.version === 5 && final !== null && to.empty ? RC.NO_MATCHING_SUBSCRIBERS : RC.SUCCESS;
    ch.sendAck(m.qos === 1 ? PUBACK : PUBREC, packetId, code);
  }
  if (final === null) return;
  broker.delivery.source.alone = to.subs.length === 1 && to.shares === null;
  const n = broker.delivery.dispatch(to, final);
  if (n === 0 && to.empty) broker.noSubscribers(final);
}

/** 5.0 has a word for it; the others' messages are delivered, but not kept. */
function refuseKeeping(ch: Channel, qos: QoS, packetId: number, code: number): void {
  ch.broker.metrics.publishRefused++;
  const session = ch.session as Session;
  // A PUBREC that refuses ends the handshake [MQTT-4.3.3].
  if (qos === 2 && session.awaitingRel?.delete(packetId) === true && session.storeKey !== 0)
    ch.broker.store.sessions.relDone(session.storeKey, packetId);
  ch.sendAck(qos === 1 ? PUBACK : PUBREC, packetId, code);
}
