/** The core holds on to small chunks for as long as a message of theirs is in flight (core/message.ts, `Slab.light`): nobody may reuse them. */
import { afterEach, expect, test } from "bun:test";
import net from "node:net";
import tls from "node:tls";
import type { ListenerConfig } from "../../../server/config/types.ts";
import type { ListenerDeps } from "../../../server/listeners/index.ts";
import { writeHeader } from "../../../server/listeners/ws_frames.ts";
import { config, type Recorder, serve, stopAll, until } from "./harness.ts";

afterEach(stopAll);

const MESSAGES = 200;
const message = (i: number): Buffer<ArrayBuffer> => Buffer.alloc(20 + ((i * 37) % 1500), i);

interface Peer {
  send(bytes: Buffer<ArrayBuffer>): void;
  close(): void;
}

function stream(socket: net.Socket, first = ""): Promise<Peer> {
  return new Promise((done) => {
    socket.once(socket instanceof tls.TLSSocket ? "secureConnect" : "connect", () => {
      if (first !== "") socket.write(first);
      done({ send: (bytes) => void socket.write(bytes), close: () => void socket.destroy() });
    });
  });
}
function webSocket(url: string): Promise<Peer> {
  // Bun's client takes options where the standard has protocols only.
  const socket = new WebSocket(url, { protocols: ["mqtt"], tls: { rejectUnauthorized: false } } as never);
  return new Promise((done) => {
    socket.onopen = () => done({ send: (bytes) => void socket.send(bytes), close: () => socket.close() });
  });
}

const tcp = (port: number): Promise<Peer> => stream(net.connect(port, "127.0.0.1"));
const secure = (port: number): Promise<Peer> => stream(tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }));
const LISTENERS: [string, Partial<ListenerConfig>, Partial<ListenerDeps>, (port: number) => Promise<Peer>][] = [
  ["tcp", {}, {}, tcp],
  ["ssl", { kind: "ssl" }, {}, secure],
  [
    "tcp behind a proxy",
    { proxyProtocol: true },
    {},
    (port) => stream(net.connect(port, "127.0.0.1"), "PROXY TCP4 1.2.3.4 5.6.7.8 1000 1883\r\n"),
  ],
  ["ws on our own sockets", { kind: "ws" }, {}, (port) => webSocket(`ws://127.0.0.1:${port}/mqtt`)],
  ["ws", { kind: "ws" }, { ownWebSocket: false }, (port) => webSocket(`ws://127.0.0.1:${port}/mqtt`)],
  ["wss", { kind: "wss" }, {}, (port) => webSocket(`wss://127.0.0.1:${port}/mqtt`)],
];

for (const [name, over, deps, connect] of LISTENERS) {
  test(`what has come stays as it is: ${name}`, async () => {
    const f = await serve([config(over)], deps);
    const peer = await connect(f.port);
    let ch: Recorder | null = null;
    const asTheyCame: Buffer[] = [];
    let expected = 0;
    for (let i = 0; i < MESSAGES; i++) {
      peer.send(message(i));
      expected += message(i).length;
      if (ch === null) {
        ch = await f.channel();
        for (const chunk of ch.chunks) asTheyCame.push(Buffer.from(chunk));
        ch.react = (chunk) => asTheyCame.push(Buffer.from(chunk));
      }
      const { chunks } = ch;
      await until(() => chunks.reduce((n, c) => n + c.length, 0) === expected, `message ${i}`);
    }
    peer.close();
    const { chunks } = ch as Recorder;
    expect(asTheyCame.length).toBe(chunks.length);
    expect(chunks.length).toBeGreaterThanOrEqual(MESSAGES);
    // To hold on to one is to hold on to no more than its own bytes: a header at most.
    expect(Math.max(...chunks.map((c) => c.buffer.byteLength - c.length))).toBeLessThan(64);
    for (const [i, chunk] of chunks.entries()) expect(Buffer.compare(chunk, asTheyCame[i] as Buffer)).toBe(0);
    expect(Buffer.compare(Buffer.concat(chunks), Buffer.concat(Array.from({ length: MESSAGES }, (_, i) => message(i))))).toBe(0);
  });
}

/** A frame as a client sends it, with a mask that changes nothing. */
function frame(opcode: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(14);
  const size = writeHeader(head, 0, opcode, payload.length, false);
  head[1] = (head[1] as number) | 0x80;
  return Buffer.concat([head.subarray(0, size + 4), payload]);
}
const UPGRADE =
  "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
const PROXY = "PROXY TCP4 1.2.3.4 5.6.7.8 1000 1883\r\n";
const SMALL = Buffer.alloc(13, "m");
const LARGE = Buffer.alloc(30_000, "l");
/** Small pieces of one large write: between pings, the last of them before the close of the stream. */
const FRAMES = Buffer.concat([
  frame(2, SMALL),
  frame(9, Buffer.alloc(0)),
  frame(2, LARGE),
  frame(9, Buffer.alloc(3)),
  frame(2, SMALL),
  frame(9, Buffer.alloc(0)),
  frame(2, SMALL),
  frame(8, Buffer.alloc(0)),
]);
const STREAM = Buffer.concat([SMALL, LARGE, SMALL, SMALL]);

const plainSocket = (port: number): net.Socket => net.connect(port, "127.0.0.1");
const tlsSocket = (port: number): net.Socket => tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
/** TLS behind a PROXY header. */
function proxiedTls(port: number): Promise<tls.TLSSocket> {
  return new Promise((done) => {
    const raw = net.connect(port, "127.0.0.1", () => {
      raw.write(PROXY);
      const secured = tls.connect({ socket: raw, rejectUnauthorized: false }, () => done(secured));
    });
  });
}
const opened = (socket: net.Socket): Promise<net.Socket> =>
  new Promise((done) => socket.once(socket instanceof tls.TLSSocket ? "secureConnect" : "connect", () => done(socket)));

const FRAMED: [string, Partial<ListenerConfig>, (port: number) => Promise<net.Socket>, Buffer[]][] = [
  ["ws, request and frames in one", { kind: "ws" }, (p) => opened(plainSocket(p)), [Buffer.concat([Buffer.from(UPGRADE), FRAMES])]],
  ["ws", { kind: "ws" }, (p) => opened(plainSocket(p)), [Buffer.from(UPGRADE), FRAMES]],
  ["wss", { kind: "wss" }, (p) => opened(tlsSocket(p)), [Buffer.from(UPGRADE), FRAMES]],
  [
    "ws behind a proxy",
    { kind: "ws", proxyProtocol: true },
    (p) => opened(plainSocket(p)),
    [Buffer.concat([Buffer.from(PROXY + UPGRADE), FRAMES])],
  ],
  ["wss behind a proxy", { kind: "wss", proxyProtocol: true }, proxiedTls, [Buffer.from(UPGRADE), FRAMES]],
  ["ssl behind a proxy", { kind: "ssl", proxyProtocol: true }, proxiedTls, [SMALL, LARGE, SMALL, SMALL]],
  [
    "tcp, a little behind a long header",
    { kind: "tcp", proxyProtocol: true },
    (p) => opened(plainSocket(p)),
    [Buffer.concat([Buffer.from("0d0a0d0a000d0a515549540a20000fa0", "hex"), Buffer.alloc(4000), SMALL]), LARGE, SMALL, SMALL],
  ],
];

for (const [name, over, connect, writes] of FRAMED) {
  test(`a small piece of a large read holds on to no more than itself: ${name}`, async () => {
    const f = await serve([config(over)]);
    const socket = await connect(f.port);
    for (const bytes of writes) {
      socket.write(bytes);
      await Bun.sleep(20);
    }
    const ch = await f.channel();
    await until(() => ch.bytes.length === STREAM.length);
    expect(ch.bytes.equals(STREAM)).toBe(true);
    for (const c of ch.chunks) if (c.length <= 2048) expect(c.buffer.byteLength - c.length).toBeLessThan(65);
    socket.destroy();
  });
}
