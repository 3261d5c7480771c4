/**
 * The protocol state machine of one connection: bytes in, bytes out, no socket.
 *
 * Packets are handled one after another in the order they came. When a handler has to wait (an authentication back end), the
 * connection alone waits: reading pauses, and what had come already is kept until the answer is there.
 */

import { type MonoMs, NO_MONO, type WallMs } from "../lib/time.ts";
import * as T from "../mqtt/frame.ts";
import { bodyStart, checkFlags, frameLength } from "../mqtt/frame.ts";
import { writeAck } from "../mqtt/packets/acks.ts";
import { encodeDisconnect } from "../mqtt/packets/disconnect.ts";
import { RC, reasonName } from "../mqtt/reason_codes.ts";
import type { ProtocolVersion, WillPacket } from "../mqtt/types.ts";
import type { AclCache } from "./access/acl_cache.ts";
import type { Broker } from "./broker.ts";
import { CutPacket } from "./cut_packet.ts";
import { handleAuth } from "./handle/auth.ts";
import { connectTooLarge, handleConnect } from "./handle/connect.ts";
import { handlePacket } from "./handle/index.ts";
import { handlePublish } from "./handle/publish.ts";
import { Intake, PAUSED } from "./intake.ts";
import { OPENING_PACKET_MAX } from "./openings.ts";
import { Out } from "./out.ts";
import type { ListenerInfo, Transport } from "./ports.ts";
import type { Route } from "./router.ts";
import { mountFilter, type Session } from "./session.ts";
import type { ClientInfo, PeerCertificate } from "./types.ts";

export type Phase = "opening" | "connecting" | "connected" | "closed";

export class Channel {
  phase: Phase = "opening";
  readonly out: Out;
  session: Session | null = null;
  client: ClientInfo | null = null;
  version: ProtocolVersion = 4;
  /** 4 or 5 when a publisher's frame of that form may be forwarded to this client as it is; 0 = never. */
  rawForm = 0;
  /** Would be written raw if nobody looked on (tracer, message.delivered). */
  plainReceiver = false;
  /** Its frames may be forwarded: no mountpoint changes their topics. */
  rawSource = false;
  /** Largest packet the client takes; 0 = any. */
  maxPacket = 0;
  /** Topic -> alias, towards the client; null = it takes none. */
  aliases: Map<string, number> | null = null;
  aliasesMax = 0;
  /** Alias -> topic, from the client. */
  inAliases: Map<number, string> | null = null;
  /** May reason strings be sent [MQTT-3.1.2-29]? */
  problemInfo = true;
  will: WillPacket | null = null;
  /** Time of CONNECT. */
  connectedAt = 0 as WallMs;
  /** The last byte from the client. */
  lastRecv: MonoMs;
  /** The transport's connection. */
  readonly openedAt: MonoMs;
  /** Silence after which the client is gone, ms; 0 = never. */
  keepaliveMs = 0;
  /** Of the broker's wheel. */
  visitAt = 0;
  /** Last topic of a PUBLISH, as sent, and where it leads. */
  lastTopic: Uint8Array | null = null;
  route: Route | null = null;
  /** The route was allowed by the ACL until then, as of that epoch of the rules. */
  allowedUntil = NO_MONO;
  allowedEpoch = 0;
  aclCache: AclCache | null = null;
  /** State of enhanced authentication. */
  authMethod: string | null = null;
  authState: Record<string, unknown> | null = null;
  /** Tokens left for the zone's publish limit, and when they were counted. */
  publishTokens = 0;
  publishTokensAt = NO_MONO;

  recvOct = 0;
  recvCnt = 0;
  recvPkt = 0;
  recvMsg = 0;
  sendMsg = 0;
  /** Packets sent that are no PUBLISH. */
  sendOther = 0;

  #partial: CutPacket | null = null;
  /** A handler waits: what comes meanwhile is kept. */
  #waiting = false;
  readonly #intake: Intake;

  constructor(
    readonly broker: Broker,
    transport: Transport,
    readonly listener: ListenerInfo,
    readonly cert: PeerCertificate | null,
  ) {
    this.out = new Out(transport, broker.pool);
    this.#intake = new Intake(transport);
    this.lastRecv = this.openedAt = broker.mono;
  }

  /** Take note of whether raw forwarding is allowed on this node now. */
  refreshRaw(allowed: boolean): void {
    this.rawForm = this.plainReceiver && allowed && this.phase !== "closed" ? (this.version === 5 ? 5 : 4) : 0;
  }

  /** Connected, and messages may go out. */
  get ready(): boolean {
    return this.phase === "connected";
  }
  get sendOct(): number {
    return this.out.bytes;
  }
  get sendCnt(): number {
    return this.out.writes;
  }
  get sendPkt(): number {
    return this.sendMsg + this.sendOther;
  }
  get sendPend(): number {
    return this.out.pending;
  }

  /** Bytes from the peer. The channel may keep views of `chunk`. */
  onData(chunk: Uint8Array): void {
    if (this.phase === "closed") return;
    const broker = this.broker;
    broker.beat();
    this.lastRecv = broker.mono;
    this.recvOct += chunk.length;
    this.recvCnt++;
    broker.metrics.bytesReceived += chunk.length;
    const opening = this.phase !== "connected";
    if (this.#waiting) this.#intake.keep(chunk);
    else this.#guarded(chunk);
    if (opening) this.#tellHeld();
    broker.flush();
  }

  /** The transport takes bytes again. */
  onDrain(): void {
    if (!this.out.drained()) return;
    this.#intake.resume(PAUSED.UNREAD);
    if (this.session !== null) {
      this.broker.beat();
      this.broker.delivery.pump(this.session);
      this.broker.flush();
    }
  }

  /** The transport is gone. */
  onClose(reason: string): void {
    if (this.phase === "closed") return;
    this.broker.beat();
    this.#shut(reason, true);
    this.broker.flush();
  }

  /** Before it is connected, a client's bytes count towards the budget of all such. */
  #tellHeld(): void {
    const counts = this.phase === "opening" || this.phase === "connecting";
    this.broker.openings.hold(this, counts ? (this.#partial?.held ?? 0) + this.#intake.bytes : 0);
  }

  /** A bug in a handler must cost one connection, not the process. */
  #guarded(chunk: Uint8Array): void {
    try {
      this.#process(chunk);
    } catch (err) {
      this.#failed(err);
    }
  }

  #failed(err: unknown): void {
    this.broker.log.error("packet handler failed", {
      clientid: this.client?.clientId,
      error: err instanceof Error ? (err.stack ?? err.message) : String(err),
    });
    this.close(RC.UNSPECIFIED_ERROR, "internal_error");
  }

  #process(chunk: Uint8Array): void {
    let buf = chunk;
    let pos = 0;
    if (this.#partial !== null) {
      pos = this.#completePartial(this.#partial, chunk);
      if (pos < 0) {
        buf = this.#partial.joined(chunk);
        this.#partial = null;
        pos = 0;
      }
      if (this.phase === "closed") return;
      if (this.#waiting) {
        if (pos < chunk.length) this.#intake.keep(chunk.subarray(pos));
        return;
      }
    }
    const end = buf.length;
    let limit = this.#packetLimit();
    // Seen at the first byte: whoever speaks another protocol (HTTP on the wrong port) need not send on until the "packet" is full.
    if (this.phase === "opening" && pos < end && buf[pos] !== T.CONNECT << 4) {
      this.malformed(RC.PROTOCOL_ERROR, "first packet is not CONNECT");
      return;
    }
    while (pos < end) {
      const n = frameLength(buf, pos, end, this.phase === "opening" ? 0 : this.version);
      if (n < 0) {
        this.malformed(RC.MALFORMED_PACKET, "remaining length");
        return;
      }
      if (n > limit) {
        this.#tooLarge(buf, pos, end, `packet of ${n} bytes, limit ${limit}`);
        return;
      }
      if (n === 0 || pos + n > end) {
        this.#partial = new CutPacket(buf, pos, end, n);
        return;
      }
      const opening = this.phase !== "connected";
      this.#packet(buf, pos, pos + n);
      pos += n;
      if (this.phase === ("closed" as Phase)) return;
      if (opening) limit = this.#packetLimit();
      if (this.#waiting) {
        if (pos < end) this.#intake.keep(buf.subarray(pos, end));
        return;
      }
    }
  }

  /** Bytes; whoever has not said yet who he is may not send much. */
  #packetLimit(): number {
    const zone = this.client?.zone ?? this.broker.zone(this.listener.zone);
    const max = zone.maxPacketSize > 0 ? zone.maxPacketSize : Number.POSITIVE_INFINITY;
    return this.phase === "connected" ? max : Math.min(max, OPENING_PACKET_MAX);
  }

  #tooLarge(buf: Uint8Array, pos: number, end: number, why: string): void {
    if (this.phase === "opening") connectTooLarge(this, buf, bodyStart(buf, pos), end, why);
    else this.malformed(RC.PACKET_TOO_LARGE, why);
  }

  #packet(buf: Uint8Array, pos: number, end: number): void {
    const first = buf[pos] as number;
    const type = first >> 4;
    const body = bodyStart(buf, pos);
    this.recvPkt++;
    if (this.phase === "connected") {
      if (type === T.PUBLISH) {
        this.#wait(handlePublish(this, buf, pos, body, end));
        return;
      }
      if (!checkFlags(first)) {
        this.malformed(RC.MALFORMED_PACKET, "flags of the fixed header");
        return;
      }
      this.#wait(handlePacket(this, type, buf, body, end));
      return;
    }
    if (!checkFlags(first)) this.malformed(RC.MALFORMED_PACKET, "flags of the fixed header");
    else if (this.phase === "opening" && type === T.CONNECT) this.#wait(handleConnect(this, buf, body, end));
    else if (this.phase === "connecting" && type === T.AUTH) this.#wait(handleAuth(this, buf, body, end));
    // The first packet must be CONNECT [MQTT-3.1.0-1].
    else this.malformed(RC.PROTOCOL_ERROR, "first packet is not CONNECT");
  }

  /** Nothing more is handled before the promise has settled. */
  #wait(p: void | Promise<void>): void {
    if (p === undefined) return;
    this.#waiting = true;
    this.#intake.pause(PAUSED.HANDLER);
    const done = (): void => {
      this.#waiting = false;
      if (this.phase !== "closed") {
        this.broker.beat();
        for (const chunk of this.#intake.take()) {
          if (this.#waiting) this.#intake.keep(chunk);
          else if (this.phase !== ("closed" as Phase)) this.#guarded(chunk);
        }
        if (!this.#waiting) this.#intake.resume(PAUSED.HANDLER);
        this.#tellHeld();
      }
      this.broker.flush();
    };
    p.then(done, (err) => {
      this.#failed(err);
      done();
    });
  }

  /** Stop reading from this client for a while (publish limit, `zone.*.publish_limit`). */
  slowDown(ms: number): void {
    if (this.#intake.paused(PAUSED.LIMIT)) return;
    this.#intake.pause(PAUSED.LIMIT);
    this.broker.after(ms, () => this.#intake.resume(PAUSED.LIMIT));
  }

  /** Go on with the cut packet. Returns the position behind it in the chunk; -1 = its length is still unknown. */
  #completePartial(cut: CutPacket, chunk: Uint8Array): number {
    const total = cut.total(this.phase === "opening" ? 0 : this.version);
    if (total <= 0) return -1;
    const n = cut.take(chunk, total);
    if (!cut.whole(total)) return chunk.length;
    this.#partial = null;
    this.#packet(cut.bytes, 0, total);
    return n;
  }

  // ---- out

  /** PUBACK, PUBREC, PUBREL or PUBCOMP. Its bytes leave with the next flush, after the journal's commit. */
  sendAck(type: number, packetId: number, code: number): void {
    const at = this.out.reserve(5);
    const n = writeAck(this.out.staging, at, type, packetId, code, this.version);
    this.out.unreserve(5 - n);
    this.out.holdsAcks = true;
    this.sendOther++;
    const metrics = this.broker.metrics;
    if (type === T.PUBACK) metrics.pubackSent++;
    else if (type === T.PUBREC) metrics.pubrecSent++;
    else if (type === T.PUBREL) metrics.pubrelSent++;
    else metrics.pubcompSent++;
    if (this.out.blocked) this.#intake.pause(PAUSED.UNREAD);
  }

  sendPubrel(packetId: number, code: number): void {
    this.sendAck(T.PUBREL, packetId, code);
  }

  /** Any other packet. */
  sendPacket(bytes: Uint8Array): void {
    this.out.copy(bytes, 0, bytes.length);
    this.sendOther++;
    if (this.out.blocked) this.#intake.pause(PAUSED.UNREAD);
  }

  /** The topic as the client knows it. */
  unmount(topic: string): string {
    const prefix = this.client?.mountpoint ?? "";
    return prefix !== "" && topic.startsWith(prefix) ? topic.slice(prefix.length) : topic;
  }

  /** A filter of the client's with its mountpoint, behind the share prefix if there is one. */
  mount(fullFilter: string): string {
    return mountFilter(this.client?.mountpoint ?? "", fullFilter);
  }

  // ---- the end

  /** The bytes are no valid MQTT, or break a rule of the protocol: say why where the version can, and close. */
  malformed(code: number, why: string): void {
    this.broker.metrics.malformed++;
    this.close(code, reasonName(code), why);
  }

  /** End the connection: reason to the client (5.0), shutdown reason for the statistics, will by the rules. */
  close(code: number, reason: string, why?: string): void {
    if (this.phase === "closed") return;
    if (this.phase === "connected" && this.version === 5) {
      const text = this.problemInfo && why !== undefined ? { reasonString: why } : undefined;
      this.sendPacket(encodeDisconnect(5, code, text));
      this.broker.metrics.disconnectSent++;
    }
    if (why !== undefined)
      this.broker.log.info("connection closed", { clientid: this.client?.clientId, ip: this.out.transport.ip, reason, why });
    this.#shut(reason, true);
    this.broker.closing.push(this);
  }

  /** The client said DISCONNECT: no will (unless it asked for it), not counted as a shutdown. */
  leave(withWill: boolean): void {
    if (this.phase === "closed") return;
    if (!withWill) this.will = null;
    this.#shut("normal", false);
    this.broker.closing.push(this);
  }

  /** Refused before it was connected: CONNACK is written already. */
  refuse(reason: string): void {
    if (this.phase === "closed") return;
    this.#shut(reason, true);
    this.broker.closing.push(this);
  }

  #shut(reason: string, counted: boolean): void {
    const wasConnected = this.phase === "connected";
    this.phase = "closed";
    this.rawForm = 0;
    this.broker.unplan(this);
    this.#partial = null;
    this.#intake.close();
    if (!wasConnected) this.#tellHeld();
    if (counted) this.listener.shutdowns.set(reason, (this.listener.shutdowns.get(reason) ?? 0) + 1);
    if (wasConnected) this.broker.registry.detach(this, reason);
  }
}
