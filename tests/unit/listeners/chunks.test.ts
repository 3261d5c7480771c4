/** The core holds on to small chunks for as long as a message of theirs is in flight (core/message.ts, `Slab.light`): nobody may reuse them. */
import { afterEach, expect, test } from "bun:test";
import net from "node:net";
import tls from "node:tls";
import type { ListenerConfig } from "../../../server/config/types.ts";
import type { ListenerDeps } from "../../../server/listeners/index.ts";
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
