/** CONNECT (section 3.1): a pipeline of named steps; the first that refuses ends it with a CONNACK. */

import { seldom } from "../../lib/seldom.ts";
import { bodyStart } from "../../mqtt/frame.ts";
import { encodeConnack } from "../../mqtt/packets/connack.ts";
import { answerVersion, decodeConnect } from "../../mqtt/packets/connect.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { topicLevels, validTopicLength, validTopicName } from "../../mqtt/topic.ts";
import { type ConnackProperties, type ConnectPacket, ProtocolError, type ProtocolVersion } from "../../mqtt/types.ts";
import { AliasesOut } from "../aliases.ts";
import type { Channel } from "../channel.ts";
import { keepaliveFor, planKeepalive, planRetry, renewAwaitRel } from "../keepalive.ts";
import { NEVER_EXPIRES, type Session } from "../session.ts";
import type { AclVerdict, AuthResult, ClientInfo } from "../types.ts";
import { beginAuth } from "./auth.ts";
import { countGuess, inTurn, judged } from "./guess.ts";
import { mountpointOf } from "./mountpoint.ts";
import { type Refusal, refuse } from "./refuse.ts";

/** `headerFlags`: the lower half of the first byte. */
export function handleConnect(ch: Channel, headerFlags: number, buf: Uint8Array, body: number, end: number): void | Promise<void> {
  const answered = begin(ch, headerFlags, buf, body, end);
  if (ch.phase === "connecting") ch.broker.registry.connecting.add(ch);
  return answered;
}

function begin(ch: Channel, headerFlags: number, buf: Uint8Array, body: number, end: number): void | Promise<void> {
  const p = decodeConnect(buf, body, end, headerFlags);
  ch.broker.metrics.connect++;
  if (p instanceof ProtocolError) {
    malformed(ch, p, answerVersion(buf, body, end));
    return;
  }
  ch.phase = "connecting";
  ch.version = p.version;
  ch.problemInfo = p.requestProblemInfo;
  ch.maxPacket = p.maximumPacketSize;
  const client = describe(ch, p);
  ch.client = client;
  const no = checkClientId(p, client) ?? checkBanned(ch, client) ?? checkWill(p, client);
  // From here on it has a name [MQTT-3.1.3-6]: the access chain and its plugins see it.
  if (client.clientId === "") client.clientId = ch.broker.assignClientId();
  if (no !== null) {
    refuse(ch, no);
    return;
  }
  if (p.authMethod === null && !ch.broker.access.mayGuess(client, p)) return ask(ch, p, client, false);
  return inTurn(ch, client, end - body, () => (p.authMethod === null ? ask(ch, p, client, true) : beginAuth(ch, p, client)));
}

/** It is closed before it was let in. */
export function goneBefore(ch: Channel): void {
  ch.broker.registry.connecting.leave(ch);
  leftInLine(ch);
}

/** It hangs up. Returns true when its password was only waiting for others' outcomes: nobody is asked about it any more, nor waits for it. */
export function leftInLine(ch: Channel): boolean {
  return ch.client !== null && ch.broker.guesses.left(ch.client);
}

/** User name and password, or neither: the access chain decides. `isGuess`: they may be guessed, as it was when it came. */
function ask(ch: Channel, p: ConnectPacket, client: ClientInfo, isGuess: boolean): void | Promise<void> {
  const answer = ch.broker.access.authenticate(client, { password: p.password, wanted: () => ch.phase === "connecting" });
  const decide = (a: AuthResult): void | Promise<void> => {
    // Also when the client has not waited for the answer.
    if (isGuess) countGuess(ch, client, a);
    return authenticated(ch, p, client, a, null);
  };
  if (isGuess) return judged(ch, client, answer, decide);
  // Whose password nobody looks at takes no place from those whose outcome others wait for.
  return answer instanceof Promise ? answer.then(decide) : decide(answer);
}

/** A packet beyond what is taken, of which `buf[pos, end)` has come. */
export function refusePacket(ch: Channel, buf: Uint8Array, pos: number, end: number, why: string): void {
  const no = new ProtocolError(RC.PACKET_TOO_LARGE, why);
  if (ch.phase === "opening") malformed(ch, no, answerVersion(buf, bodyStart(buf, pos), end));
  else ch.malformed(no.code, no.why);
}

/** 5.0 hears why [MQTT-3.1.4-2]; 3.x only when its level is the fault [MQTT-3.1.2-2]; what is no MQTT at all, nothing. */
function malformed(ch: Channel, p: ProtocolError, version: ProtocolVersion | 0): void {
  if (version === 5 || (version !== 0 && p.code === RC.UNSUPPORTED_PROTOCOL_VERSION)) {
    ch.version = version;
    ch.broker.metrics.malformed++;
    refuse(ch, { code: p.code, why: p.why });
  } else ch.malformed(p.code, p.why);
}

/** After authentication, basic or enhanced, whose outcome counts already. `authData` goes into CONNACK. */
export function authenticated(
  ch: Channel,
  p: ConnectPacket,
  client: ClientInfo,
  answer: AuthResult,
  authData: Uint8Array | null,
): void | Promise<void> {
  if (ch.phase !== "connecting") return;
  if (!answer.allow) {
    refuse(ch, { code: answer.code, why: answer.why, told: answer.told });
    return;
  }
  client.isSuper = answer.isSuper;
  const mountpoint = mountpointOf(answer.mountpoint ?? client.zone.mountpoint, client);
  if (typeof mountpoint !== "string") {
    refuse(ch, mountpoint);
    return;
  }
  client.mountpoint = mountpoint;
  if (p.will !== null && !validTopicLength(mountpoint + p.will.topic)) {
    refuse(ch, { code: RC.TOPIC_NAME_INVALID, why: "will topic with the mountpoint is too long" });
    return;
  }
  if (p.will === null) {
    accept(ch, p, client, authData);
    return;
  }
  const verdict = ch.broker.access.checkAcl(client, "publish", p.will.topic);
  const decide = (v: AclVerdict): void => {
    if (ch.phase !== "connecting") return;
    if (v === "deny") refuse(ch, { code: RC.NOT_AUTHORIZED, why: "will topic denied by the access rules" });
    else accept(ch, p, client, authData);
  };
  return verdict instanceof Promise ? verdict.then(decide) : decide(verdict);
}

/** Who is it? Certificate, zone, address; the identifiers as the zone wants them. */
function describe(ch: Channel, p: ConnectPacket): ClientInfo {
  const { broker, listener, cert } = ch;
  const zone = broker.zone(listener.zone);
  let username = p.username;
  const part = listener.peerCertAsUsername;
  if (part !== "" && cert !== null) username = part === "cn" ? cert.cn : part === "dn" ? cert.dn : cert.raw;
  let clientId = p.clientId;
  if (zone.useUsernameAsClientid && username !== null && username !== "") clientId = username;
  return {
    clientId,
    username,
    ip: ch.out.transport.ip,
    port: ch.out.transport.port,
    version: p.version,
    protocolName: p.protocolName,
    zone,
    listener: listener.protocol,
    isSuper: false,
    mountpoint: "",
    cleanStart: p.cleanStart,
    keepalive: p.keepalive,
    isBridge: p.isBridge,
    cert,
    isComing: true,
  };
}

/** Empty identifiers: 3.1 never, 3.1.1 with a clean session only [MQTT-3.1.3-8], 5.0 always (one is assigned). */
function checkClientId(p: ConnectPacket, client: ClientInfo): Refusal | null {
  if (client.clientId === "" && (p.version === 3 || (p.version === 4 && !p.cleanStart))) {
    return { code: RC.CLIENT_IDENTIFIER_NOT_VALID, why: "empty client identifier" };
  }
  // EMQ X 3.1 held nobody to the 23 characters of MQTT 3.1; the zone's limit counts for all versions.
  if (Buffer.byteLength(client.clientId) > client.zone.maxClientidLen) {
    return { code: RC.CLIENT_IDENTIFIER_NOT_VALID, why: `client identifier longer than ${client.zone.maxClientidLen} bytes` };
  }
  return null;
}

function checkBanned(ch: Channel, client: ClientInfo): Refusal | null {
  const { banned, metrics } = ch.broker;
  if (!client.zone.enableBan || banned.check(client) === null) return null;
  metrics.bannedRefused++;
  return { code: RC.BANNED, why: "banned" };
}

function checkWill(p: ConnectPacket, client: ClientInfo): Refusal | null {
  const { will } = p;
  if (will === null) return null;
  const { zone } = client;
  if (!validTopicName(will.topic)) return { code: RC.TOPIC_NAME_INVALID, why: "will topic" };
  if (zone.maxTopicLevels > 0 && topicLevels(will.topic) > zone.maxTopicLevels)
    return { code: RC.TOPIC_NAME_INVALID, why: "too many levels in the will topic" };
  if (will.qos > zone.maxQosAllowed) return { code: RC.QOS_NOT_SUPPORTED, why: `will QoS, maximum ${zone.maxQosAllowed}` };
  if (will.retain && !zone.retainAvailable) return { code: RC.RETAIN_NOT_SUPPORTED, why: "retained will" };
  return null;
}

/** The client may be taken in, or the node cannot. */
function checkRoom(ch: Channel, p: ConnectPacket, client: ClientInfo, expiry: number): Refusal | null {
  const { broker } = ch;
  // Who has a session already may come and empty it.
  if (broker.memory.short && !broker.sessions.has(client.clientId)) {
    broker.metrics.sessionsRefused++;
    return { code: RC.QUOTA_EXCEEDED, why: "the node has no memory for new sessions" };
  }
  if (broker.durability.mayOpen(client.clientId, p.cleanStart, expiry)) return null;
  return { code: RC.QUOTA_EXCEEDED, why: "sessions cannot be stored now" };
}

/**
 * A later CONNECT with its client id is let in before its own is answered: it is as if it had been connected, and is over [MQTT-3.1.4-3].
 * CONNACK has no word for it (table 3-1), and DISCONNECT may not come before CONNACK [MQTT-3.14.0-1]; 3.x is told nothing.
 */
function overtaken(ch: Channel): void {
  const no: Refusal = { code: RC.UNSPECIFIED_ERROR, why: "session taken over by a later CONNECT", counted: "conflict" };
  if (ch.version === 5) refuse(ch, no);
  else ch.close(no.code, "conflict", no.why);
}

function accept(ch: Channel, p: ConnectPacket, client: ClientInfo, authData: Uint8Array | null): void {
  const { broker } = ch;
  const { connecting } = broker.registry;
  const expiry = sessionExpiryOf(p, client);
  // While it waited it may have been banned.
  const no = (connecting.has(ch) ? checkBanned(ch, client) : null) ?? checkRoom(ch, p, client, expiry);
  if (no !== null) {
    refuse(ch, no);
    return;
  }
  const props = p.version === 5 ? fittingProperties(ch, connackProperties(p, client, authData)) : null;
  if (ch.maxPacket > 0 && !ch.fits(encodeConnack(p.version, false, RC.SUCCESS, props).length)) {
    // Nobody could tell it that it is connected.
    refuse(ch, { code: RC.PACKET_TOO_LARGE, why: `CONNACK does not fit the client's ${ch.maxPacket} bytes` });
    return;
  }
  for (const older of connecting.before(ch)) overtaken(older);
  connecting.leave(ch);
  client.isComing = false;
  ch.connectedAt = broker.now;
  ch.will = p.will;
  setUp(ch, p, client);
  const wasKept = (broker.sessions.get(client.clientId)?.storeKey ?? 0) !== 0;
  const { session, present } = broker.registry.open(ch, client, p, expiry);
  ch.session = session;
  ch.phase = "connected";
  ch.refreshRaw(broker.rawAllowed);
  // What hooks publish from here on goes behind what an earlier connection left unacknowledged.
  session.inflight?.restart();
  broker.connections++;
  broker.metrics.clientsConnected++;
  ch.sendPacket(encodeConnack(p.version, present, RC.SUCCESS, props), true);
  // That it is kept no longer is to be known after a crash, too, before the client is sent what it held.
  if (wasKept && ch.ready) ch.out.holdsAcks = true;
  broker.metrics.connack++;
  planKeepalive(ch, p, client);
  // A hook may send the client away: then the next ones have nobody to hear of.
  broker.hooks.run(present ? "session.resumed" : "session.created", session.clientId);
  if (ch.ready) broker.hooks.run("client.connected", client, RC.SUCCESS);
  if (present && ch.ready) resume(ch, session);
}

/** Seconds. Sessions of 3.x clients without clean session live as long as their zone says. */
function sessionExpiryOf(p: ConnectPacket, client: ClientInfo): number {
  if (p.version === 5) return p.sessionExpiry;
  return p.cleanStart ? 0 : Math.max(1, Math.floor(client.zone.sessionExpiryIntervalMs / 1000));
}

/** For a client that takes small packets only: what says no more than its absence goes first. */
function fittingProperties(ch: Channel, props: ConnackProperties): ConnackProperties {
  if (ch.maxPacket === 0 || ch.fits(encodeConnack(5, false, RC.SUCCESS, props).length)) return props;
  const rest = { ...props };
  delete rest.responseInfo;
  for (const key of ["retainAvailable", "wildcardSubscription", "subscriptionIds", "sharedSubscription"] as const) {
    if (rest[key] === true) delete rest[key];
  }
  return rest;
}

/** What of the client's wishes decides how it is written to. */
function setUp(ch: Channel, p: ConnectPacket, client: ClientInfo): void {
  if (p.topicAliasMaximum > 0) ch.aliases = new AliasesOut(p.topicAliasMaximum);
  ch.rawSource = client.mountpoint === "";
}

/** Redelivery first, in the original order, then what is queued [MQTT-4.4.0-1]. */
function resume(ch: Channel, session: Session): void {
  if (session.inflight !== null) planRetry(ch);
  renewAwaitRel(ch, session);
  ch.broker.delivery.pump(session);
}

function connackProperties(p: ConnectPacket, client: ClientInfo, authData: Uint8Array | null): ConnackProperties {
  const { zone } = client;
  const props: ConnackProperties = {};
  if (zone.maxAwaitingRel > 0 && zone.maxAwaitingRel < 65535) props.receiveMaximum = zone.maxAwaitingRel;
  if (zone.maxQosAllowed < 2) props.maximumQos = zone.maxQosAllowed as 0 | 1;
  props.retainAvailable = zone.retainAvailable;
  if (zone.maxPacketSize > 0) props.maximumPacketSize = zone.maxPacketSize;
  if (client.clientId !== p.clientId) props.assignedClientId = client.clientId;
  if (zone.maxTopicAlias > 0) props.topicAliasMaximum = zone.maxTopicAlias;
  props.wildcardSubscription = zone.wildcardSubscription;
  props.subscriptionIds = true;
  props.sharedSubscription = zone.sharedSubscription;
  const keepalive = keepaliveFor(p, client);
  // [MQTT-3.1.2-21]
  if (zone.serverKeepalive > 0 || keepalive !== p.keepalive) props.serverKeepalive = keepalive;
  if (p.requestResponseInfo) props.responseInfo = `response/${client.clientId}`;
  if (p.sessionExpiry > NEVER_EXPIRES) props.sessionExpiry = NEVER_EXPIRES;
  if (p.authMethod !== null) {
    props.authMethod = p.authMethod;
    if (authData !== null) props.authData = authData;
  }
  return props;
}

seldom(handleConnect, begin, goneBefore, leftInLine, ask, authenticated, describe, checkClientId, checkBanned, checkWill, checkRoom);
seldom(overtaken, accept, sessionExpiryOf, setUp);
seldom(fittingProperties, connackProperties, decodeConnect, encodeConnack);
