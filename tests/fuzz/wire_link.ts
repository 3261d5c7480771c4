/** One connection of the fuzzer: TCP, or WebSocket with frames of its own making, and what came back on it. */

import { connect, type Socket } from "node:net";
import mqttPacket, { type Packet } from "mqtt-packet";
import type { ProtocolVersion } from "../../server/mqtt/types.ts";
import { PATIENCE_MS } from "../support/until.ts";

export type Way = "tcp" | "ws";

const UPGRADE = [
  "GET /mqtt HTTP/1.1",
  "Host: fuzz",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: ZnV6emluZyB0aGUgd2lyZQ==",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Protocol: mqtt",
  "",
  "",
].join("\r\n");
const MASK = [0x37, 0xfa, 0x21, 0x3d];

/** A masked frame as clients send them; `first` is its first byte (0x82: one whole binary message). */
export function wsFrame(payload: Uint8Array, first = 0x82): Buffer {
  const n = payload.length;
  const head =
    n < 126
      ? [first, 0x80 | n]
      : n < 65536
        ? [first, 0xfe, n >> 8, n & 255]
        : [first, 0xff, 0, 0, 0, 0, n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255];
  const masked = Buffer.from(payload);
  for (let i = 0; i < n; i++) masked[i] = (masked[i] as number) ^ (MASK[i & 3] as number);
  return Buffer.concat([Buffer.from([...head, ...MASK]), masked]);
}

/** Payloads of the server's frames, one after the other. */
class Unwrap {
  #rest: Buffer = Buffer.alloc(0);
  /** Code of a close frame. */
  closeCode = 0;

  read(chunk: Buffer): Buffer {
    let buf = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const parts: Buffer[] = [];
    for (;;) {
      if (buf.length < 2) break;
      const short = (buf[1] as number) & 127;
      const head = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (buf.length < head) break;
      const n = short === 127 ? Number(buf.readBigUInt64BE(2)) : short === 126 ? buf.readUInt16BE(2) : short;
      if (buf.length < head + n) break;
      const payload = buf.subarray(head, head + n);
      const opcode = (buf[0] as number) & 15;
      if (opcode === 8) this.closeCode = n >= 2 ? payload.readUInt16BE(0) : 1005;
      else if (opcode < 8) parts.push(payload);
      buf = buf.subarray(head + n);
    }
    this.#rest = buf;
    return Buffer.concat(parts);
  }
}

export class Link {
  readonly packets: Packet[] = [];
  /** Answer to the upgrade, as far as it came. */
  http = "";
  closed = false;
  /** How that was seen first. */
  #ending = "";
  /** The broker sent what mqtt-packet does not understand. */
  nonsense: string | null = null;
  readonly #unwrap: Unwrap | null;
  readonly #parser: ReturnType<typeof mqttPacket.parser>;
  #changed: () => void = () => {};

  private constructor(
    readonly socket: Socket,
    readonly way: Way,
    readonly version: ProtocolVersion,
  ) {
    this.#unwrap = way === "ws" ? new Unwrap() : null;
    this.#parser = mqttPacket.parser({ protocolVersion: version });
    this.#parser.on("packet", (p) => this.packets.push(p));
    this.#parser.on("error", (err) => {
      this.nonsense ??= err.message;
    });
    socket.on("data", (chunk: Buffer) => {
      this.#data(chunk);
      this.#changed();
    });
    const over = (how: string): void => {
      this.closed = true;
      this.#ending ||= how;
      this.#changed();
    };
    socket.on("error", (err: NodeJS.ErrnoException) => over(err.code ?? err.message));
    socket.on("end", () => over("FIN"));
    socket.on("close", () => over("no more"));
  }

  /** Connected; over WebSocket upgraded too, unless `bare`. */
  static async open(way: Way, port: number, version: ProtocolVersion, bare = false): Promise<Link> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    const link = new Link(socket, way, version);
    if (way === "tcp" || bare) return link;
    link.raw(Buffer.from(UPGRADE));
    if (!(await link.until(() => link.http.includes("\r\n\r\n"), PATIENCE_MS))) throw new Error("no answer to the WebSocket upgrade");
    if (!link.http.startsWith("HTTP/1.1 101")) throw new Error(`WebSocket refused: ${link.http.slice(0, 60)}`);
    return link;
  }

  /** What came of it, for people: how it ended, and the last words. */
  get outcome(): string {
    const close = this.#unwrap === null ? "" : `, close code ${this.closeCode}`;
    const nonsense = this.nonsense === null ? "" : `, and what mqtt-packet refuses: ${this.nonsense}`;
    return `${this.#ending || "open"}${close}, last packet ${this.packets.at(-1)?.cmd ?? "none"}${nonsense}`;
  }

  get closeCode(): number {
    return this.#unwrap?.closeCode ?? 0;
  }

  #data(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#unwrap !== null) {
      if (!this.http.includes("\r\n\r\n")) {
        const text = this.http + chunk.toString("latin1");
        const at = text.indexOf("\r\n\r\n");
        this.http = text;
        if (at < 0) return;
        bytes = Buffer.from(text.slice(at + 4), "latin1");
        this.http = text.slice(0, at + 4);
      }
      bytes = this.#unwrap.read(bytes);
    }
    if (bytes.length > 0) this.#parser.parse(bytes);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(bytes);
  }

  /** Bytes of MQTT: over WebSocket in a frame. */
  send(bytes: Uint8Array): void {
    this.raw(this.way === "ws" ? wsFrame(bytes) : bytes);
  }

  /** Waits until it holds, the connection is closed, or the time is over; whether it holds then. */
  async until(holds: () => boolean, ms: number): Promise<boolean> {
    if (holds()) return true;
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, ms);
      this.#changed = () => {
        if (!holds() && !this.closed) return;
        clearTimeout(late);
        resolve();
      };
      this.#changed();
    });
    this.#changed = () => {};
    return holds();
  }

  has(cmd: Packet["cmd"]): boolean {
    return this.packets.some((p) => p.cmd === cmd);
  }

  destroy(): void {
    this.socket.destroy();
  }
}
