/**
 * MQTT over WebSocket on Bun.serve: the usual way. A listener that asks for what Bun.serve cannot give (PROXY protocol, client
 * certificates) speaks WebSocket on its own socket instead (ws.ts).
 */

import type { ListenerConfig } from "../config/types.ts";
import type { Clock, Transport } from "../core/ports.ts";
import type { OriginCheck } from "../lib/origin.ts";
import { seldom, seldomOf } from "../lib/seldom.ts";
import { Deadlines } from "./deadlines.ts";
import { Forwarding } from "./forwarding.ts";
import { plainIp } from "./limits.ts";
import { type ChannelLike, NOBODY } from "./link.ts";
import type { Opening, WsOpenings } from "./ws_openings.ts";
import { FOREIGN_PAGE, SUBPROTOCOLS } from "./ws_request.ts";

/** What the runtime holds unsent is counted by nobody: it is given no more than one frame of so many bytes that the kernel does not take. */
const PIECE = 16 * 1024;
/**
 * Keep alive is MQTT's affair, but this decides, too, when the runtime closes a socket whose client still talks behind our Close frame, whereby
 * that client may lose our last words (RST): with 0 at any time within 4 s, with the longest there is (s) after 12 to 16. Who is silent for so
 * long is sent a ping, which every WebSocket answers by itself.
 */
const IDLE_S = 960;
const NORMAL = 1000;
const UNSUPPORTED = 1003;
const ABNORMAL = 1006;
/** Smaller messages do not get shorter by compression. */
const COMPRESS_FROM = 128;

type Socket = Bun.ServerWebSocket<ServeLink>;

/** The listener, as far as its WebSocket server needs it. */
export interface WsOwner {
  readonly config: ListenerConfig;
  readonly origins: OriginCheck;
  /** Why a newcomer is not let in; "" = it is. */
  refusal(ip: string): string;
  rejected(reason: string, ip: string): void;
  /** A connection has come. Returns its channel. */
  opened(link: ServeLink): ChannelLike;
  closed(): void;
  readonly links: ServeLinks;
  readonly openings: WsOpenings;
  /** One of our own handlers threw. */
  failed(link: ServeLink, err: Error): void;
}

/** One WebSocket as the channel's transport. */
export class ServeLink implements Transport, Opening {
  channel: ChannelLike = NOBODY;
  next: ServeLink | null = null;
  prev: ServeLink | null = null;
  #ws: Socket | null = null;
  #said = false;
  /** Why we cut it off; "" = we do not. */
  #reason = "";
  #stuck = false;
  /** It is not connected yet: while it is read it needs a place in the openings. */
  #opening = true;
  #maxFrame = 0;
  /** For a place in the openings. */
  #waits = false;
  /** The channel does not want to be read to. */
  #paused = false;

  constructor(
    private readonly owner: WsOwner,
    readonly ip: string,
    readonly port: number,
  ) {}

  opened(ws: Socket, maxFrame: number): void {
    this.#ws = ws;
    this.#maxFrame = maxFrame;
    this.channel = this.owner.opened(this);
    if (this.#ws !== null && !this.enter()) ws.pause();
  }
  received(chunk: Uint8Array): void {
    this.channel.onData(chunk);
    if (!this.#opening) return;
    const { phase } = this.channel;
    // While its credentials are looked at it is not read (any more).
    if (phase === "connecting" && this.#paused) this.owner.openings.leave(this);
    else if (phase !== "opening" && phase !== "connecting") this.leave();
  }
  /** False = it has to wait for its place. */
  private enter(): boolean {
    this.#waits = !this.owner.openings.enter(this, this.#maxFrame);
    return !this.#waits;
  }
  private leave(): void {
    this.#opening = false;
    this.owner.openings.leave(this);
    // What came with the handshake was enough.
    if (this.#waits) this.readOn();
  }
  readOn(): void {
    this.#waits = false;
    if (!this.#paused) this.#ws?.resume();
  }
  makeRoom(): void {
    this.owner.rejected("ws_openings", this.ip);
    this.abort("ws_openings");
  }

  write(buf: Uint8Array, offset: number, length: number): number {
    const ws = this.#ws;
    if (ws === null) return -1;
    const { compress } = this.owner.config;
    let done = 0;
    while (done < length && ws.getBufferedAmount() === 0) {
      const n = Math.min(length - done, PIECE);
      // -1: taken, but waiting in the socket's own buffer; 0: not taken, the connection is going down.
      if (ws.sendBinary(buf.subarray(offset + done, offset + done + n), compress && n >= COMPRESS_FROM) === 0) return -1;
      done += n;
    }
    if (done === 0 && !this.#stuck) {
      this.#stuck = true;
      this.owner.links.stuck(this);
    }
    return done;
  }
  /** The socket's own buffer is empty again. */
  drained(): void {
    if (this.#stuck) this.owner.links.moves(this);
    this.#stuck = false;
    this.channel.onDrain();
  }
  /** Cut off, and the channel is told why. */
  abort(reason: string): void {
    this.#reason = reason;
    this.#ws?.terminate();
  }
  end(): void {
    this.#said = true;
    this.close(NORMAL);
  }
  /** The Close frames are still to be exchanged. */
  finish(): void {
    this.end();
  }
  /** Of what it still sends nothing is kept, but it has to be read to be seen to leave. */
  private close(code: number, why?: string): void {
    if (this.#opening) this.leave();
    if (this.#paused) this.#ws?.resume();
    this.#ws?.close(code, why);
  }
  destroy(): void {
    this.#said = true;
    this.#ws?.terminate();
  }
  pause(): void {
    this.#paused = true;
    this.#ws?.pause();
  }
  resume(): void {
    const paused = this.#paused;
    this.#paused = false;
    const { phase } = this.channel;
    if (this.#opening && phase !== "opening") {
      if (phase !== "connecting") this.leave();
      else if (!this.enter()) {
        if (!paused) this.#ws?.pause();
        return;
      }
    }
    if (paused && !this.#waits) this.#ws?.resume();
  }
  /** It is read on while its credentials are looked at, if there is room for that. */
  watch(): void {
    if (this.#opening && !this.owner.openings.watch(this)) this.pause();
  }
  /** Bun.serve has no such switch. */
  probe(): void {}
  /** MQTT control packets travel in binary frames [MQTT-6.0.0-1]. */
  refuseText(): void {
    this.close(UNSUPPORTED, "MQTT needs binary frames");
  }
  gone(code: number, why: string): void {
    this.#ws = null;
    if (this.#opening) this.leave();
    const { channel } = this;
    this.channel = NOBODY;
    if (!this.#said) channel.onClose(this.#reason || reasonOf(code, why));
  }
}

/** The open WebSockets of a listener, and those of them that take nothing. */
export class ServeLinks {
  #first: ServeLink | null = null;
  readonly #stuck: Deadlines<ServeLink>;

  constructor(
    clock: Clock,
    private readonly config: ListenerConfig,
  ) {
    this.#stuck = new Deadlines(clock, (link) => link.abort("send_timeout"));
  }

  add(link: ServeLink): void {
    link.next = this.#first;
    if (this.#first !== null) this.#first.prev = link;
    this.#first = link;
  }
  remove(link: ServeLink): void {
    if (link.prev !== null) link.prev.next = link.next;
    else this.#first = link.next;
    if (link.next !== null) link.next.prev = link.prev;
    this.#stuck.clear(link);
  }
  all(): ServeLink[] {
    const list: ServeLink[] = [];
    for (let link = this.#first; link !== null; link = link.next) list.push(link);
    return list;
  }
  stuck(link: ServeLink): void {
    const { sendTimeoutMs, sendTimeoutClose } = this.config;
    if (sendTimeoutClose && sendTimeoutMs > 0) this.#stuck.set(link, sendTimeoutMs);
  }
  moves(link: ServeLink): void {
    this.#stuck.clear(link);
  }
  stop(): void {
    this.#stuck.stop();
  }
}

/** Bun reports its own refusals as 1006 with a text. */
function reasonOf(code: number, why: string): string {
  if (code === UNSUPPORTED) return "ws_text_frame";
  if (code !== ABNORMAL || why === "") return "closed";
  return why.includes("too big") ? "ws_frame_too_large" : "ws_protocol_error";
}

/** Opens the port. Throws what Bun throws when it is taken. */
export function serveWebSocket(
  owner: WsOwner,
  port: number,
  reusePort: boolean,
  tls: Bun.TLSOptions | null,
  maxFrame: number,
): Bun.Server<ServeLink> {
  const { host, compress } = owner.config;
  const forwarding = new Forwarding(owner.config);
  return Bun.serve<ServeLink>({
    hostname: host,
    port,
    reusePort,
    development: false,
    ...(tls !== null && { tls }),
    fetch: (request, server) => answer(owner, request, server, forwarding),
    websocket: {
      maxPayloadLength: maxFrame,
      backpressureLimit: 64 * 1024 * 1024,
      idleTimeout: IDLE_S,
      sendPings: true,
      perMessageDeflate: compress,
      open(ws) {
        owner.links.add(ws.data);
        ws.data.opened(ws, maxFrame);
      },
      message(ws, message) {
        if (typeof message === "string") ws.data.refuseText();
        else ws.data.received(message);
      },
      drain(ws) {
        ws.data.drained();
      },
      close(ws, code, why) {
        owner.links.remove(ws.data);
        owner.closed();
        ws.data.gone(code, why);
      },
      // Without this handler an exception would end the process.
      error(err, ws) {
        owner.failed(ws.data, err);
      },
    },
  });
}

const text = (status: number, words: string, headers: Record<string, string> = {}): Response =>
  new Response(`${words}\n`, { status, headers: { "content-type": "text/plain", connection: "close", ...headers } });

function answer(owner: WsOwner, request: Request, server: Bun.Server<ServeLink>, forwarding: Forwarding): Response | undefined {
  const { mqttPath, verifyProtocolHeader } = owner.config;
  const from = server.requestIP(request);
  const ip = plainIp(from?.address);
  const refuse = (reason: string, response: Response): Response => {
    owner.rejected(reason, ip);
    return response;
  };
  if (!asksFor(request.url, mqttPath)) return refuse("ws_path", text(404, `MQTT over WebSocket is at ${mqttPath}.`));
  const { headers: sent } = request;
  if (sent.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuse("ws_upgrade", text(426, "This is MQTT over WebSocket, not a web page.", { upgrade: "websocket" }));
  }
  const origin = sent.get("origin");
  // Programs send none.
  if (origin !== null && !owner.origins(origin, sent.get("host"), sent.get("sec-fetch-site"))) {
    return refuse("ws_origin", text(403, FOREIGN_PAGE));
  }
  const offered = sent.get("sec-websocket-protocol");
  const protocol = chosen(offered);
  if (protocol === undefined && verifyProtocolHeader) {
    return refuse("ws_subprotocol", text(400, "The client must ask for the subprotocol mqtt (Sec-WebSocket-Protocol)."));
  }
  const refusal = owner.refusal(ip);
  if (refusal !== "") return refuse(refusal, text(503, "No more connections are taken now.", { "retry-after": "1" }));
  const link = new ServeLink(owner, ...forwarding.told((name) => sent.get(name), ip, from?.port ?? 0));
  // The one that is offered alone, Bun.serve confirms by itself.
  const how =
    protocol === offered ? { data: link } : { data: link, headers: protocol === undefined ? {} : { "Sec-WebSocket-Protocol": protocol } };
  if (server.upgrade(request, how)) return undefined;
  return refuse("ws_upgrade", text(400, "The WebSocket handshake is not valid."));
}

/** Almost all ask in the same words, and to parse the address would be 2 % of a connect. */
export function asksFor(url: string, path: string): boolean {
  const at = url.indexOf("/", url.indexOf("://") + 3);
  const query = url.indexOf("?");
  if (at > 0 && at + path.length === (query < 0 ? url.length : query) && url.startsWith(path, at)) return true;
  return new URL(url).pathname === path;
}

/** The first of ours among those offered. */
function chosen(offered: string | null): string | undefined {
  if (offered === null) return undefined;
  if (SUBPROTOCOLS.includes(offered)) return offered;
  return offered
    .split(",")
    .map((p) => p.trim())
    .find((p) => SUBPROTOCOLS.includes(p));
}

seldom(answer, asksFor, chosen, reasonOf);
seldomOf(ServeLink, "opened", "enter", "leave", "end", "close", "gone");
seldomOf(ServeLinks, "add", "remove");
