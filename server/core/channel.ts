/**
 * The protocol state machine of one connection: bytes in, bytes out, no socket.
 *
 * Packets are handled one after another in the order they came. When a handler has to wait (an authentication back end), the
 * connection alone waits: reading pauses, and what had come already is kept until the answer is there, also when the client leaves
 * behind it. One that leaves before it is connected, and has sent nothing but CONNECT, is gone at once: the answer lets nobody in.
 */
import { stackOf } from "../lib/errors.ts";
import { loggedName } from "../lib/mask.ts";
import { type MonoMs, NO_MONO, type WallMs } from "../lib/time.ts";
import { AUTH, bodyStart, CONNECT, checkFlags, frameLength, PUBACK, PUBCOMP, PUBLISH } from "../mqtt/frame.ts";
import { writeAck } from "../mqtt/packets/acks.ts";
import { RC, reasonName } from "../mqtt/reason_codes.ts";
import type { ProtocolVersion, WillPacket } from "../mqtt/types.ts";
import type { AclCache } from "./access/acl_cache.ts";
import type { AliasesIn, AliasesOut } from "./aliases.ts";
import type { Broker } from "./broker.ts";
import { CutPacket } from "./cut_packet.ts";
import { handleAcks } from "./handle/ack.ts";
import { handleAuth } from "./handle/auth.ts";
import { goneBefore, handleConnect, leftInLine, refusePacket } from "./handle/connect.ts";
import { logClosed, sendDisconnect, unsendable } from "./handle/disconnect.ts";
import { handlePacket } from "./handle/index.ts";
import { handlePublish } from "./handle/publish.ts";
import { Intake, PAUSED } from "./intake.ts";
import { planEnd } from "./keepalive.ts";
import { packetLimit, roomBehind } from "./openings.ts";
import { Out } from "./out.ts";
import type { ListenerInfo, Transport } from "./ports.ts";
import type { Route } from "./route.ts";
import type { Session } from "./session.ts";
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
  /** Its frames may be forwarded: no mountpoint changes their topics. */
  rawSource = false;
  /** Largest packet the client takes; 0 = any. */
  maxPacket = 0;
  /** Topic -> alias, towards the client; null = it takes none. */
  aliases: AliasesOut | null = null;
  /** Alias -> topic, from the client. */
  inAliases: AliasesIn | null = null;
  /** May reason strings be sent [MQTT-3.1.2-29]? */
  problemInfo = true;
  will: WillPacket | null = null;
  /** Time of CONNECT. */
  connectedAt = 0 as WallMs;
  /** The last byte from the client, or other sign of life. */
  lastRecv: MonoMs;
  /** The transport's connection. */
  readonly openedAt: MonoMs;
  /** Silence after which the client is gone, ms; 0 = never. */
  keepaliveMs = 0;
  /** Of the broker's wheel. */
  visitAt = 0;
  /** Last topic of a PUBLISH: its hash with the mountpoint; as sent, and where it leads, once it has come twice in a row. */
  lastHash = 0;
  lastTopic: Uint8Array | null = null;
  route: Route | null = null;
  /** The route was allowed by the ACL until then, as of that epoch of the rules; `allowedAny`: and so is any other. */
  allowedUntil = NO_MONO;
  allowedEpoch = 0;
  allowedAny = false;
  aclCache: AclCache | null = null;
  /** Enhanced authentication: its method, and its state while it goes on. */
  auth: { readonly method: string; state: Record<string, unknown> | null } | null = null;
  /** Of the zone's publish limit: tokens left, and when they were counted. */
  tokens: { left: number; at: MonoMs } | null = null;

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
  /** Bytes of input that wait, as told last. */
  #held = 0;
  readonly intake: Intake;

  constructor(
    readonly broker: Broker,
    transport: Transport,
    readonly listener: ListenerInfo,
    readonly cert: PeerCertificate | null,
  ) {
    this.out = new Out(transport, broker.output.pool, this);
    this.intake = new Intake(transport, this);
    this.lastRecv = this.openedAt = broker.mono;
  }

  /** Take note of whether raw forwarding is allowed on this node and in its zone now. Queued messages of QoS 0 go first. */
  refreshRaw(allowed: boolean): void {
    const zone = this.client?.zone;
    // Neither mountpoint, aliases nor a packet limit changes or withholds what is sent, and nothing goes first.
    const unchanged = this.rawSource && this.aliases === null && this.maxPacket === 0;
    const plain = unchanged && zone?.upgradeQos === false && !zone.ignoreLoopDeliver && (this.session?.mqueue?.qos0 ?? 0) === 0;
    this.rawForm = !plain || !allowed || this.phase === "closed" ? 0 : this.version === 5 ? 5 : 4;
  }

  /** Connected, and messages may go out. */
  get ready(): boolean {
    return this.phase === "connected";
  }
  get sendPend(): number {
    return this.out.pending;
  }

  /** Bytes from the peer. The channel may keep views of `chunk`. */
  onData(chunk: Uint8Array): void {
    if (this.phase === "closed") return;
    const broker = this.broker;
    broker.beatOnce();
    this.lastRecv = broker.mono;
    this.recvOct += chunk.length;
    this.recvCnt++;
    broker.metrics.bytesReceived += chunk.length;
    if (broker.memory.due) broker.memory.check();
    const opening = this.phase !== "connected";
    const asked = this.recvMsg + broker.metrics.subscribe;
    broker.frame.light = chunk.length <= broker.slab.light;
    if (this.#waiting) this.intake.keep(chunk);
    else this.#guarded(chunk);
    if (opening || this.#waiting || this.#partial !== null || this.#held !== 0) this.#tellHeld();
    if (broker.memory.short && (this.recvMsg + broker.metrics.subscribe !== asked || this.#partial !== null)) {
      this.intake.slowDown(broker, broker.memory.pauseFor(chunk.length), PAUSED.MEMORY);
    }
    broker.flush();
  }

  /** The transport takes bytes again. */
  onDrain(): void {
    // Its pings may lie behind what we do not read while it is slow: that it reads is a sign of life too.
    if (this.intake.paused(PAUSED.UNREAD)) this.lastRecv = this.broker.clock.mono();
    if (!this.out.drained()) return;
    this.onRoom();
    this.broker.flush();
  }

  /** The peer has read enough to be sent more. */
  onRoom(): void {
    this.intake.resume(PAUSED.UNREAD);
    if (this.session === null) return;
    this.broker.beat();
    this.broker.delivery.pump(this.session);
  }

  listens(): void {
    this.lastRecv = this.broker.mono;
  }

  /** The transport is gone. What came before still counts: a handler that waits is awaited (`planEnd`), unless it waits for its turn to be asked about. */
  onClose(reason: string): void {
    this.out.close();
    if (this.phase === "closed") return;
    if (this.#waiting && (this.ready || this.intake.bytes > 0) && !leftInLine(this)) {
      planEnd(this, reason);
      return;
    }
    this.broker.beat();
    this.broker.guard(this, (ch) => ch.#shut(reason, true));
    this.broker.flush();
  }

  /** Input that waits counts, and before the client is connected also towards the budget of all such. */
  #tellHeld(): void {
    const { broker, phase } = this;
    const held = (this.#partial?.held ?? 0) + this.intake.bytes;
    if (held === 0 && this.#held === 0) return;
    broker.inputBytes += held - this.#held;
    this.#held = held;
    broker.openings.hold(this, phase === "opening" || phase === "connecting" ? held : 0);
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
    this.broker.log.error("packet handler failed", { clientid: loggedName(this.client?.clientId) ?? undefined, error: stackOf(err) });
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
        if (pos < chunk.length) this.intake.keep(chunk.subarray(pos));
        return;
      }
    }
    const end = buf.length;
    let limit = packetLimit(this);
    const start = pos;
    const { turn, mono: began } = this.broker;
    let look = turn.first(start, end, began);
    while (pos < end) {
      const version = this.phase === "opening" ? 0 : this.version;
      // Seen at the first byte: whoever speaks another protocol (HTTP on the wrong port) need not send on until the "packet" is full.
      if (!checkFlags(buf[pos] as number, version)) {
        if (version === 0) this.malformed(RC.PROTOCOL_ERROR, "first packet is not CONNECT");
        else this.malformed(RC.MALFORMED_PACKET, "type or flags of the fixed header");
        return;
      }
      const n = frameLength(buf, pos, end, version);
      if (n < 0) this.malformed(RC.MALFORMED_PACKET, "remaining length");
      else if (n > limit) refusePacket(this, buf, pos, end, `packet of ${n} bytes, limit ${limit}`);
      if (n < 0 || n > limit) return;
      if (n === 0 || pos + n > end) {
        this.#partial = new CutPacket(buf, pos, end, n);
        return;
      }
      const opening = this.phase !== "connected";
      // A call less for every message.
      const type = (buf[pos] as number) >> 4;
      if (!opening && type === PUBLISH) this.#publish(buf, pos, pos + n);
      else if (!opening && type >= PUBACK && type <= PUBCOMP) pos += handleAcks(this, buf, pos, n, Math.min(end, look)) - n;
      else this.#packet(buf, pos, pos + n);
      pos += n;
      if (this.phase === ("closed" as Phase)) return;
      if (opening) limit = packetLimit(this);
      if (pos >= look && pos < end) {
        look = turn.look(pos, start, began);
        if (look < 0 && !this.#waiting) this.#wait(turn.next(), 0);
      }
      if (this.#waiting) {
        if (pos < end) this.intake.keep(buf.subarray(pos, end));
        return;
      }
    }
  }

  #publish(buf: Uint8Array, pos: number, end: number): void {
    this.recvPkt++;
    this.#wait(handlePublish(this, buf, pos, bodyStart(buf, pos), end));
  }

  #packet(buf: Uint8Array, pos: number, end: number): void {
    const first = buf[pos] as number;
    const type = first >> 4;
    if (this.phase === "connected" && type >= PUBLISH && type <= PUBCOMP) {
      if (type === PUBLISH) this.#publish(buf, pos, end);
      else handleAcks(this, buf, pos, end - pos, end);
      return;
    }
    const body = bodyStart(buf, pos);
    this.recvPkt++;
    if (this.phase === "connected") this.#wait(handlePacket(this, type, buf, body, end));
    else if (this.phase === "opening" && type === CONNECT) this.#wait(handleConnect(this, first & 15, buf, body, end));
    else if (this.phase === "connecting" && type === AUTH) this.#wait(handleAuth(this, buf, body, end));
    else this.malformed(RC.PROTOCOL_ERROR, "first packet is not CONNECT"); // [MQTT-3.1.0-1]
  }

  /** Nothing more is handled before the promise has settled, and no more read than `room`. */
  #wait(p: void | Promise<void>, room?: number): void {
    if (p === undefined) return;
    this.#waiting = true;
    this.intake.wait(room ?? roomBehind(this));
    const done = (): void => {
      this.#waiting = false;
      if (this.phase !== "closed") {
        this.broker.beat();
        this.broker.frame.light = false; // They may be views of much larger ones.
        for (const chunk of this.intake.take()) {
          if (this.#waiting) this.intake.keep(chunk);
          else if (this.phase !== ("closed" as Phase)) this.#guarded(chunk);
        }
        if (!this.#waiting && this.intake.ended !== "") this.onClose(this.intake.ended);
        else if (!this.#waiting) this.intake.resume(PAUSED.HANDLER);
        this.#tellHeld();
      }
      this.broker.flush();
    };
    p.then(done, (err) => {
      this.#failed(err);
      done();
    });
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

  /** PUBACK, PUBREC, PUBREL or PUBCOMP. Its bytes leave with the next flush, after the journal's commit. */
  sendAck(type: number, packetId: number, code: number): void {
    if (this.phase === "closed") return;
    const at = this.out.reserve(5);
    const n = writeAck(this.out.staging, at, type, packetId, code, this.version);
    if (this.maxPacket > 0 && n > this.maxPacket) {
      this.out.unreserve(5);
      unsendable(this, n);
      return;
    }
    this.out.unreserve(5 - n);
    this.out.holdsAcks = true;
    this.sendOther++;
    this.broker.metrics.ackSent(type);
    if (this.out.unread) this.intake.pause(PAUSED.UNREAD);
  }

  /** Any other packet. A promise tells of what the journal may keep (CONNACK, SUBACK, UNSUBACK): not before the commit. */
  sendPacket(bytes: Uint8Array, promise = false): void {
    if (this.phase === "closed") return;
    if (!this.fits(bytes.length)) {
      unsendable(this, bytes.length);
      return;
    }
    this.out.copy(bytes, 0, bytes.length);
    if (promise && this.session !== null && this.session.storeKey !== 0) this.out.holdsAcks = true;
    this.sendOther++;
    if (this.out.unread) this.intake.pause(PAUSED.UNREAD);
  }

  /** Does the client take a packet of so many bytes [MQTT-3.1.2-24]? */
  fits(length: number): boolean {
    return this.maxPacket === 0 || length <= this.maxPacket;
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
    if (this.phase === "connected" && this.version === 5) sendDisconnect(this, code, why);
    if (why !== undefined) logClosed(this, reason, why);
    this.end(reason);
  }

  /** What is written already is the last word, e.g. a CONNACK that refuses; a DISCONNECT of the client is not counted as a shutdown. */
  end(reason: string, counted = true, settled = false): void {
    if (this.phase === "closed") return;
    this.broker.output.endSoon(this, settled);
    this.#shut(reason, counted);
  }

  /** End the connection at once: what was not written yet never will be. */
  cut(reason: string): void {
    this.out.close();
    try {
      this.out.transport.destroy();
    } finally {
      if (this.phase !== "closed") this.#shut(reason, true);
    }
  }

  #shut(reason: string, counted: boolean): void {
    const wasConnected = this.phase === "connected";
    this.phase = "closed";
    this.rawForm = 0;
    this.broker.unplan(this);
    this.#partial = null;
    this.intake.close();
    this.#tellHeld();
    if (counted) this.listener.shutdowns.set(reason, (this.listener.shutdowns.get(reason) ?? 0) + 1);
    if (wasConnected) this.broker.registry.detach(this, reason);
    else goneBefore(this);
  }
}
