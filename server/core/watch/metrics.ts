/**
 * Counters since boot. The hot paths increment plain number fields; every name of the API is read through a table,
 * sums are made when somebody asks. The first table holds exactly the 43 metrics of EMQ X 3.1, the second one ours.
 *
 * Who counts what: a packet is counted as received when it has been decoded, before any check; as sent when it goes to the
 * output buffer. A PUBLISH under `$SYS/` counts in `sysSent` alone, so that it is part of no sum.
 */
import { PUBACK, PUBREC, PUBREL } from "../../mqtt/frame.ts";

export class Metrics {
  bytesReceived = 0;
  bytesSent = 0;

  connect = 0;
  /** Connections closed because half-sent CONNECT packets took too much memory. */
  connectDropped = 0;
  /** Refusals included. */
  connack = 0;
  /** PUBLISH from clients; not those of the API, wills or `$SYS`. */
  qos0Received = 0;
  qos1Received = 0;
  qos2Received = 0;
  /** PUBLISH to clients, redeliveries included, `$SYS/` topics excluded. */
  qos0Sent = 0;
  qos1Sent = 0;
  qos2Sent = 0;
  /** PUBLISH to clients under `$SYS/`. */
  sysSent = 0;
  pubackReceived = 0;
  pubackSent = 0;
  /** PUBACK for a packet identifier that is not in the inflight window; likewise the other `…Missed`. */
  pubackMissed = 0;
  pubrecReceived = 0;
  pubrecSent = 0;
  pubrecMissed = 0;
  pubrelReceived = 0;
  pubrelSent = 0;
  /** PUBREL for a packet identifier that does not await release. */
  pubrelMissed = 0;
  pubcompReceived = 0;
  pubcompSent = 0;
  pubcompMissed = 0;
  subscribe = 0;
  suback = 0;
  unsubscribe = 0;
  unsuback = 0;
  pingreq = 0;
  pingresp = 0;
  disconnectReceived = 0;
  disconnectSent = 0;
  authReceived = 0;
  authSent = 0;

  /** Published, but nobody subscribes (not under `$SYS/`). Overflow of a queue is `dropQueueFull`. */
  messagesDropped = 0;
  /** Found expired when it was to be (re)delivered; the drop of a delivery with that cause, too. */
  messagesExpired = 0;
  /** Sent on to another node. */
  messagesForward = 0;
  /** QoS 2 refused because too many await their PUBREL. */
  qos2Dropped = 0;
  /** QoS 2 not released within `await_rel_timeout`. */
  qos2Expired = 0;

  // Ours from here on.
  /** Deliveries not made, by cause. */
  dropQueueFull = 0;
  /** A queue could not grow because the node had no memory to spare. */
  dropMemory = 0;
  /** QoS 0 to a client that does not read fast enough. */
  dropSlowReader = 0;
  /** QoS 0 for an offline session that keeps none. */
  dropQos0Offline = 0;
  dropNoLocal = 0;
  dropTooLarge = 0;

  /** PUBLISH refused by the ACL, by a limit of the zone, or slowed by the publish limit. */
  publishDenied = 0;
  publishRefused = 0;
  publishLimited = 0;
  subscribeDenied = 0;
  /** Bytes on the wire that are no valid MQTT. */
  malformed = 0;
  /** Published by the API, plugins, wills, `$SYS`: anything but a client's PUBLISH. */
  internalPublished = 0;

  authSuccess = 0;
  authFailure = 0;
  /** Let in because of `allow_anonymous` alone; also part of `authSuccess`. */
  authAnonymous = 0;
  authError = 0;
  /** Not asked for credentials after too many failures; and made to wait because of them. */
  authLimited = 0;
  authDelayed = 0;
  aclAllow = 0;
  aclDeny = 0;
  aclCacheHit = 0;
  aclCacheMiss = 0;
  aclError = 0;
  bannedRefused = 0;
  flappingDetected = 0;

  clientsConnected = 0;
  clientsDisconnected = 0;
  /** Ended by the API or command line. */
  clientsKicked = 0;
  keepaliveTimeouts = 0;
  /** Times the store began to fail; what was refused meanwhile because it could not be kept; deliveries dropped because too much waited. */
  storageFailures = 0;
  storageRefused = 0;
  /** Damages of the stored data found at the start. */
  storageDamaged = 0;
  dropUnkept = 0;
  sessionsCreated = 0;
  sessionsResumed = 0;
  /** Taken over by a new connection with the same client id. */
  sessionsTakenOver = 0;
  /** Thrown away by a clean start. */
  sessionsDiscarded = 0;
  sessionsTerminated = 0;
  /** Not created because the node had no memory to spare. */
  sessionsRefused = 0;
  willsPublished = 0;

  private retained: () => number = () => 0;
  private readonly counted = new Map<string, number>();

  /** PUBACK, PUBREC, PUBREL or PUBCOMP went to a client. */
  ackSent(type: number): void {
    if (type === PUBACK) this.pubackSent++;
    else if (type === PUBREC) this.pubrecSent++;
    else if (type === PUBREL) this.pubrelSent++;
    else this.pubcompSent++;
  }

  /** Who knows the number of retained messages (the retainer). */
  setRetained(provider: () => number): void {
    this.retained = provider;
  }

  /** The 43 names of EMQ X 3.1, in a fixed order. */
  get names(): readonly string[] {
    return NAMES;
  }

  /** Value of any metric, one of the 43 or not; undefined when there is no such name. */
  get(name: string): number | undefined {
    const reader = READERS.get(name);
    return reader ? reader(this) : this.counted.get(name);
  }

  /** All 43 in the order of `names`. */
  all(): Record<string, number> {
    return read(this, STANDARD);
  }

  /** BaoMQ's own counters and those of plugins; never mixed with the 43. */
  extra(): Record<string, number> {
    const out = read(this, EXTRA);
    for (const [name, n] of this.counted) out[name] = n;
    return out;
  }

  /** A counter of a plugin's own, e.g. "delayed/published"; it comes into being at its first count. */
  count(name: string, by = 1): void {
    this.counted.set(name, (this.counted.get(name) ?? 0) + by);
  }

  retainedCount(): number {
    return this.retained();
  }
}

type Reader = (m: Metrics) => number;
type Table = readonly (readonly [name: string, read: Reader])[];

const publishReceived: Reader = (m) => m.qos0Received + m.qos1Received + m.qos2Received;
const publishSent: Reader = (m) => m.qos0Sent + m.qos1Sent + m.qos2Sent;

const packetsReceived: Reader = (m) =>
  publishReceived(m) +
  m.connect +
  m.pubackReceived +
  m.pubrecReceived +
  m.pubrelReceived +
  m.pubcompReceived +
  m.subscribe +
  m.unsubscribe +
  m.pingreq +
  m.disconnectReceived +
  m.authReceived;

const packetsSent: Reader = (m) =>
  publishSent(m) +
  m.connack +
  m.pubackSent +
  m.pubrecSent +
  m.pubrelSent +
  m.pubcompSent +
  m.suback +
  m.unsuback +
  m.pingresp +
  m.disconnectSent +
  m.authSent;

const STANDARD: Table = [
  ["bytes/received", (m) => m.bytesReceived],
  ["bytes/sent", (m) => m.bytesSent],
  ["packets/received", packetsReceived],
  ["packets/sent", packetsSent],
  ["packets/connect", (m) => m.connect],
  ["packets/connack", (m) => m.connack],
  ["packets/publish/received", publishReceived],
  ["packets/publish/sent", publishSent],
  ["packets/puback/received", (m) => m.pubackReceived],
  ["packets/puback/sent", (m) => m.pubackSent],
  ["packets/puback/missed", (m) => m.pubackMissed],
  ["packets/pubrec/received", (m) => m.pubrecReceived],
  ["packets/pubrec/sent", (m) => m.pubrecSent],
  ["packets/pubrec/missed", (m) => m.pubrecMissed],
  ["packets/pubrel/received", (m) => m.pubrelReceived],
  ["packets/pubrel/sent", (m) => m.pubrelSent],
  ["packets/pubrel/missed", (m) => m.pubrelMissed],
  ["packets/pubcomp/received", (m) => m.pubcompReceived],
  ["packets/pubcomp/sent", (m) => m.pubcompSent],
  ["packets/pubcomp/missed", (m) => m.pubcompMissed],
  ["packets/subscribe", (m) => m.subscribe],
  ["packets/suback", (m) => m.suback],
  ["packets/unsubscribe", (m) => m.unsubscribe],
  ["packets/unsuback", (m) => m.unsuback],
  ["packets/pingreq", (m) => m.pingreq],
  ["packets/pingresp", (m) => m.pingresp],
  ["packets/disconnect/received", (m) => m.disconnectReceived],
  ["packets/disconnect/sent", (m) => m.disconnectSent],
  // The name tells no direction: both. (EMQ X 3.1 knew no AUTH exchange and always said 0.)
  ["packets/auth", (m) => m.authReceived + m.authSent],
  ["messages/received", publishReceived],
  ["messages/sent", publishSent],
  ["messages/qos0/received", (m) => m.qos0Received],
  ["messages/qos0/sent", (m) => m.qos0Sent],
  ["messages/qos1/received", (m) => m.qos1Received],
  ["messages/qos1/sent", (m) => m.qos1Sent],
  ["messages/qos2/received", (m) => m.qos2Received],
  ["messages/qos2/sent", (m) => m.qos2Sent],
  ["messages/qos2/expired", (m) => m.qos2Expired],
  ["messages/qos2/dropped", (m) => m.qos2Dropped],
  ["messages/retained", (m) => m.retainedCount()],
  ["messages/dropped", (m) => m.messagesDropped],
  ["messages/expired", (m) => m.messagesExpired],
  ["messages/forward", (m) => m.messagesForward],
];

const EXTRA: Table = [
  ["delivery/dropped/queue_full", (m) => m.dropQueueFull],
  ["delivery/dropped/memory", (m) => m.dropMemory],
  ["delivery/dropped/slow_reader", (m) => m.dropSlowReader],
  ["delivery/dropped/qos0_offline", (m) => m.dropQos0Offline],
  ["delivery/dropped/no_local", (m) => m.dropNoLocal],
  ["delivery/dropped/too_large", (m) => m.dropTooLarge],
  ["delivery/dropped/storage_failed", (m) => m.dropUnkept],
  ["delivery/dropped/expired", (m) => m.messagesExpired],
  ["packets/connect/dropped", (m) => m.connectDropped],
  ["packets/malformed", (m) => m.malformed],
  ["packets/publish/denied", (m) => m.publishDenied],
  ["packets/publish/refused", (m) => m.publishRefused],
  ["packets/publish/limited", (m) => m.publishLimited],
  ["packets/publish/sys_sent", (m) => m.sysSent],
  ["packets/subscribe/denied", (m) => m.subscribeDenied],
  ["packets/auth/received", (m) => m.authReceived],
  ["packets/auth/sent", (m) => m.authSent],
  ["messages/internal", (m) => m.internalPublished],
  ["messages/wills", (m) => m.willsPublished],
  ["access/auth/success", (m) => m.authSuccess],
  ["access/auth/failure", (m) => m.authFailure],
  ["access/auth/anonymous", (m) => m.authAnonymous],
  ["access/auth/error", (m) => m.authError],
  ["access/auth/limited", (m) => m.authLimited],
  ["access/auth/delayed", (m) => m.authDelayed],
  ["access/acl/allow", (m) => m.aclAllow],
  ["access/acl/deny", (m) => m.aclDeny],
  ["access/acl/cache_hit", (m) => m.aclCacheHit],
  ["access/acl/cache_miss", (m) => m.aclCacheMiss],
  ["access/acl/error", (m) => m.aclError],
  ["access/banned", (m) => m.bannedRefused],
  ["access/flapping", (m) => m.flappingDetected],
  ["clients/connected", (m) => m.clientsConnected],
  ["clients/disconnected", (m) => m.clientsDisconnected],
  ["clients/kicked", (m) => m.clientsKicked],
  ["clients/keepalive_timeout", (m) => m.keepaliveTimeouts],
  ["sessions/created", (m) => m.sessionsCreated],
  ["sessions/resumed", (m) => m.sessionsResumed],
  ["sessions/taken_over", (m) => m.sessionsTakenOver],
  ["sessions/discarded", (m) => m.sessionsDiscarded],
  ["sessions/terminated", (m) => m.sessionsTerminated],
  ["sessions/refused", (m) => m.sessionsRefused],
  ["storage/failures", (m) => m.storageFailures],
  ["storage/refused", (m) => m.storageRefused],
  ["storage/damaged", (m) => m.storageDamaged],
];

const NAMES: readonly string[] = STANDARD.map(([name]) => name);
const READERS: ReadonlyMap<string, Reader> = new Map([...STANDARD, ...EXTRA]);

function read(m: Metrics, table: Table): Record<string, number> {
  const out: Record<string, number> = {};
  for (const [name, reader] of table) out[name] = reader(m);
  return out;
}
