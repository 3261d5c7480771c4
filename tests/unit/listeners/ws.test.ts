import { afterEach, describe, expect, test } from "bun:test";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { ListenerConfig } from "../../../server/config/types.ts";
import { writeHeader } from "../../../server/listeners/ws_frames.ts";
import { type Client, config, connect, type Fixture, serve, stopAll, trickle, until } from "./harness.ts";

afterEach(stopAll);

const ws = (over: Partial<ListenerConfig> = {}): ListenerConfig => config({ kind: "ws", listenOn: "127.0.0.1:0", ...over });

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

function request(over: Record<string, string | null> = {}, line = "GET /mqtt HTTP/1.1"): string {
  const headers: Record<string, string | null> = {
    Host: "localhost",
    Upgrade: "websocket",
    Connection: "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "mqtt",
    ...over,
  };
  const lines = Object.entries(headers).filter(([, v]) => v !== null);
  return [line, ...lines.map(([k, v]) => `${k}: ${v}`), "", ""].join("\r\n");
}

/** A frame as a client sends it. */
function frame(opcode: number, payload: string | Uint8Array, first = 0x80): Buffer {
  const body = Buffer.from(payload as string);
  const head = Buffer.alloc(10);
  const size = writeHeader(head, 0, opcode, body.length, false);
  head[0] = first | opcode;
  head[1] = (head[1] as number) | 0x80;
  const mask = Buffer.from([1, 2, 3, 250]);
  return Buffer.concat([head.subarray(0, size), mask, body.map((b, i) => b ^ (mask[i & 3] as number))]);
}

interface Frame {
  first: number;
  payload: Buffer;
}
/** The server's frames behind its HTTP answer. */
function frames(c: Client): Frame[] {
  const all = c.received();
  let at = all.indexOf("\r\n\r\n") + 4;
  const out: Frame[] = [];
  while (at + 2 <= all.length) {
    let length = all[at + 1] as number;
    let start = at + 2;
    if (length === 126) {
      length = all.readUInt16BE(start);
      start += 2;
    } else if (length === 127) {
      length = Number(all.readBigUInt64BE(start));
      start += 8;
    }
    if (start + length > all.length) break;
    out.push({ first: all[at] as number, payload: all.subarray(start, start + length) });
    at = start + length;
  }
  return out;
}
const data = (c: Client): Buffer =>
  Buffer.concat(
    frames(c)
      .filter((f) => (f.first & 15) === 2)
      .map((f) => f.payload),
  );
const head = (c: Client): string => c.received().toString("latin1").split("\r\n\r\n", 1)[0] as string;

async function ask(f: Fixture, text: string): Promise<Client> {
  const c = await connect(f.port);
  c.socket.write(text);
  await until(() => c.received().includes("\r\n\r\n") || c.ended());
  return c;
}

async function open(over: Partial<ListenerConfig> = {}, headers: Record<string, string | null> = {}) {
  const f = await serve([ws(over)]);
  const c = await ask(f, request(headers));
  return { f, c, ch: await f.channel() };
}

describe("the request", () => {
  test("answered by the standard's own example", async () => {
    const { c, ch, f } = await open();
    expect(head(c).split("\r\n")).toEqual([
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${ACCEPT}`,
      "Sec-WebSocket-Protocol: mqtt",
    ]);
    expect(ch.info).toMatchObject({ protocol: "mqtt:ws", isWebSocket: true });
    expect(ch.transport.ip).toBe("127.0.0.1");
    expect(f.listeners.list()[0]).toMatchObject({ protocol: "mqtt:ws", listenOn: `127.0.0.1:${f.port}`, currentConns: 1 });
  });

  test("byte by byte, and with frames already behind it", async () => {
    const f = await serve([ws()]);
    const c = await connect(f.port);
    const all = Buffer.concat([Buffer.from(request()), frame(2, "hello")]);
    await trickle(c, all, 7);
    const ch = await f.channel();
    await until(() => ch.text === "hello");
    const d = await connect(f.port);
    d.socket.write(all);
    const ch2 = await f.channel(1);
    await until(() => ch2.text === "hello" && head(d) !== "");
    expect(head(d)).toContain(" 101 ");
  });

  const subprotocols: [string | null, string | null][] = [
    ["mqtt", "mqtt"],
    ["mqttv3.1", "mqttv3.1"],
    ["foo, mqttv3.1, mqtt", "mqttv3.1"],
    ["foo,mqtt", "mqtt"],
    ["foo", null],
    ["MQTT", null],
    [null, null],
  ];
  for (const [offered, confirmed] of subprotocols) {
    test(`subprotocol ${offered}: ${confirmed ?? "refused"}`, async () => {
      const f = await serve([ws()]);
      const c = await ask(f, request({ "Sec-WebSocket-Protocol": offered }));
      if (confirmed !== null) expect(head(c)).toContain(`Sec-WebSocket-Protocol: ${confirmed}`);
      else {
        await until(() => c.ended());
        expect(head(c)).toContain("HTTP/1.1 400 Bad Request");
        expect(c.received().toString()).toContain("Sec-WebSocket-Protocol must name mqtt or mqttv3.1");
        expect(f.channels.length).toBe(0);
        c.socket.end();
        await until(() => f.listeners.list()[0]?.currentConns === 0);
        expect(f.listeners.list()[0]?.rejected.get("ws_refused")).toBe(1);
      }
    });
  }

  test("verify_protocol_header = off: without one it goes, without answer header", async () => {
    const f = await serve([ws({ verifyProtocolHeader: false })]);
    const none = await ask(f, request({ "Sec-WebSocket-Protocol": null }));
    expect(head(none)).toContain(" 101 ");
    expect(head(none)).not.toContain("Sec-WebSocket-Protocol");
    expect(head(await ask(f, request()))).toContain("Sec-WebSocket-Protocol: mqtt");
  });

  const refused: [string, string, string][] = [
    ["another path", request({}, "GET /other HTTP/1.1"), "404"],
    ["a longer path", request({}, "GET /mqtt/x HTTP/1.1"), "404"],
    ["no upgrade", request({ Upgrade: null }), "426"],
    ["no connection header", request({ Connection: "close" }), "426"],
    ["plain HTTP", "GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", "426"],
    ["another version", request({ "Sec-WebSocket-Version": "8" }), "426"],
    ["POST", request({}, "POST /mqtt HTTP/1.1"), "405"],
    ["no key", request({ "Sec-WebSocket-Key": null }), "400"],
    ["short key", request({ "Sec-WebSocket-Key": "abcd" }), "400"],
    ["HTTP/1.0", request({}, "GET /mqtt HTTP/1.0"), "400"],
    ["no header line", "GET /mqtt HTTP/1.1\r\nbroken\r\n\r\n", "400"],
    ["space before the colon", request({ "X ": "y" }), "400"],
    ["folded header", request({ "X-A": "1\r\n folded" }), "400"],
    ["MQTT", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "400"],
    ["endless head", `${request().slice(0, -2)}X-Long: ${"x".repeat(9000)}`, "431"],
  ];
  for (const [name, text, status] of refused) {
    test(`${name}: ${status}`, async () => {
      const f = await serve([ws()]);
      const c = await ask(f, text);
      await until(() => c.ended());
      expect(head(c)).toStartWith(`HTTP/1.1 ${status} `);
      expect(head(c)).toContain("Connection: close");
      expect(f.channels.length).toBe(0);
    });
  }

  test("a query is no part of the path", async () => {
    const f = await serve([ws({ mqttPath: "/socket" })]);
    expect(head(await ask(f, request({}, "GET /socket?token=1 HTTP/1.1")))).toContain(" 101 ");
  });

  const forwarded: [string, string][] = [
    ["10.0.0.1, 203.0.113.9", "203.0.113.9"],
    ["2001:DB8::1", "2001:db8::1"],
    ["[2001:db8::1]:4711", "2001:db8::1"],
    ["203.0.113.9:4711", "203.0.113.9"],
    ["unknown", "127.0.0.1"],
    ["", "127.0.0.1"],
  ];
  for (const [value, ip] of forwarded) {
    test(`proxy_address_header "${value}": ${ip}`, async () => {
      const { ch } = await open(
        { proxyAddressHeader: "X-Forwarded-For", proxyPortHeader: "X-Forwarded-Port" },
        { "x-forwarded-for": value, "X-Forwarded-Port": "4711" },
      );
      expect(ch.transport.ip).toBe(ip);
      if (ip !== "127.0.0.1") expect(ch.transport.port).toBe(4711);
    });
  }

  test("the header is not believed when it is not configured", async () => {
    const { ch } = await open({}, { "X-Forwarded-For": "203.0.113.9" });
    expect(ch.transport.ip).toBe("127.0.0.1");
  });

  test("limits count before a byte of HTTP is read", async () => {
    const f = await serve([ws({ maxConnections: 1 })]);
    await connect(f.port);
    const c = await connect(f.port);
    await until(() => c.closed());
    expect(f.listeners.list()[0]?.rejected.get("max_connections")).toBe(1);
  });
});

describe("an open WebSocket", () => {
  test("frames are a stream: a packet in several, several in one", async () => {
    const { c, ch } = await open();
    c.socket.write(frame(2, "h"));
    c.socket.write(Buffer.concat([frame(2, "el", 0), frame(0, "lo", 0x80), frame(2, " there")]));
    await until(() => ch.text === "hello there");
    ch.send("one");
    ch.send("two");
    await until(() => data(c).toString() === "onetwo");
    expect(frames(c).map((f) => f.first)).toEqual([0x82, 0x82]);
  });

  test("what has come of a frame is the channel's before the rest has: it counts it", async () => {
    const { c, ch } = await open();
    const whole = frame(2, Buffer.alloc(200_000, "x"));
    c.socket.write(whole.subarray(0, 100_014));
    await until(() => ch.bytes.length === 100_000);
    c.socket.write(whole.subarray(100_014));
    await until(() => ch.bytes.length === 200_000);
    expect(ch.bytes.equals(Buffer.alloc(200_000, "x"))).toBe(true);
  });

  test("ping is answered", async () => {
    const { c, ch } = await open();
    c.socket.write(frame(9, "are you there"));
    await until(() => frames(c).length === 1);
    expect(frames(c)[0]).toEqual({ first: 0x8a, payload: Buffer.from("are you there") });
    expect(ch.chunks.length).toBe(0);
  });

  const closing: [string, Buffer, number, string][] = [
    ["the peer closes", frame(8, Buffer.from([0x03, 0xe9])), 1001, "closed"],
    ["the peer closes without a code", frame(8, ""), 1000, "closed"],
    ["a text frame", frame(1, "hello"), 1003, "ws_text_frame"],
    ["no mask", Buffer.from("820161", "hex"), 1002, "ws_protocol_error"],
    ["a frame too large", Buffer.from("82ff0000010000000000aaaaaaaa", "hex"), 1009, "ws_frame_too_large"],
  ];
  for (const [name, bytes, code, reason] of closing) {
    test(`${name}: close ${code}, reason ${reason}; what came before counts`, async () => {
      const { f, c, ch } = await open();
      c.socket.write(Buffer.concat([frame(2, "before"), bytes, frame(2, "after")]));
      await until(() => c.ended());
      expect(ch.text).toBe("before");
      expect(ch.reason).toBe(reason);
      const last = frames(c).at(-1) as Frame;
      expect(last.first).toBe(0x88);
      expect(last.payload.readUInt16BE(0)).toBe(code);
      expect(ch.transport.write(Buffer.from("x"), 0, 1)).toBe(-1);
      c.socket.end();
      await until(() => f.listeners.list()[0]?.currentConns === 0);
    });
  }

  test("max_frame_size", async () => {
    const { c, ch } = await open({ maxFrameSize: 100 });
    c.socket.write(Buffer.concat([frame(2, "x".repeat(100)), frame(2, "x".repeat(101))]));
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("ws_frame_too_large");
    expect(ch.bytes.length).toBe(100);
    expect((frames(c).at(-1) as Frame).payload.readUInt16BE(0)).toBe(1009);
  });

  test("without max_frame_size the zone's largest packet decides, with room for two", async () => {
    const f = await serve([ws()], { maxPacketSize: (zone) => (zone === "external" ? 100_000 : 1) });
    const c = await ask(f, request());
    const ch = await f.channel();
    c.socket.write(frame(2, Buffer.alloc(200_000)));
    await until(() => ch.bytes.length === 200_000);
    c.socket.write(frame(2, Buffer.alloc(200_001)));
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("ws_frame_too_large");
  });

  for (const how of ["end", "finish"] as const) {
    test(`${how}(): the last bytes, a close frame, then the end of the stream`, async () => {
      const { f, c, ch } = await open();
      const last = Buffer.alloc(100_000, "z");
      expect(ch.transport.write(last, 0, last.length)).toBe(last.length);
      ch.transport[how]();
      await until(() => c.ended());
      expect(data(c).equals(last)).toBe(true);
      expect((frames(c).at(-1) as Frame).payload.readUInt16BE(0)).toBe(1000);
      expect(ch.reason).toBeNull();
      c.socket.end();
      await until(() => f.listeners.list()[0]?.currentConns === 0);
    });
  }

  test("the peer vanishes: reason; destroy() frees the slot", async () => {
    const { f, c, ch } = await open();
    c.socket.resetAndDestroy();
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("tcp_error");
    const d = await ask(f, request());
    (await f.channel(1)).transport.destroy();
    await until(() => d.closed() || d.ended());
    expect(f.listeners.list()[0]?.currentConns).toBe(0);
  });

  test("back-pressure: 8 MiB to a slow reader, pings in between; every frame stays whole", async () => {
    const { c, ch } = await open();
    const bytes = Buffer.allocUnsafe(8 * 1024 * 1024);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + (i >> 11)) & 0xff;
    c.socket.pause();
    const sent = ch.sendAll(bytes);
    for (let i = 0; i < 5; i++) await new Promise((written) => c.socket.write(frame(9, `ping ${i}`), written));
    c.socket.resume();
    await sent;
    await until(() => data(c).length === bytes.length);
    expect(data(c).equals(bytes)).toBe(true);
    const pongs = frames(c).filter((f) => f.first === 0x8a);
    expect(pongs.at(-1)?.payload.toString()).toBe("ping 4");
    expect(ch.drains).toBeGreaterThan(0);
  });

  test("two slow readers at once: each gets its own", async () => {
    const f = await serve([ws()]);
    const clients = [await ask(f, request()), await ask(f, request())];
    const all = ["a", "b"].map((letter) => Buffer.alloc(5_000_000, letter));
    for (const c of clients) c.socket.pause();
    const sent = Promise.all(all.map(async (bytes, i) => (await f.channel(i)).sendAll(bytes)));
    await Bun.sleep(20);
    for (const c of clients) c.socket.resume();
    await sent;
    for (const [i, c] of clients.entries()) {
      await until(() => data(c).length === 5_000_000);
      expect(data(c).equals(all[i] as Buffer)).toBe(true);
    }
  });

  test("what the kernel has not is not taken; end() in the middle of a frame puts no close frame into its payload", async () => {
    const { f, c, ch } = await open();
    c.socket.pause();
    const piece = Buffer.alloc(50_000, "p");
    let taken = 0;
    for (let n = piece.length; n === piece.length; taken += n) n = ch.transport.write(piece, 0, piece.length);
    ch.transport.end();
    c.socket.resume();
    await until(() => c.ended());
    expect(data(c).length).toBe(taken - (taken % piece.length));
    const begun = Math.floor(taken / piece.length) + 1;
    const sent = c.received().length - (c.received().indexOf("\r\n\r\n") + 4);
    // The last header may be cut, or not begun.
    expect(sent - taken).toBeWithin(4 * (begun - 1), 4 * begun + 1);
    expect(frames(c).every((x) => x.first === 0x82)).toBe(true);
    c.socket.end();
    await until(() => f.listeners.list()[0]?.currentConns === 0);
  });

  test("end() to a peer that reads nothing is over in about two seconds", async () => {
    const { f, c, ch } = await open();
    c.socket.pause();
    const piece = Buffer.alloc(50_000, "p");
    while (ch.transport.write(piece, 0, piece.length) > 0);
    ch.transport.end();
    f.clock.forward(2000);
    await until(() => f.listeners.list()[0]?.currentConns === 0);
    expect(ch.reason).toBeNull();
  });
});

describe("compress", () => {
  const OFFER = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
  const TAIL = Buffer.from([0, 0, 255, 255]);
  const pack = (text: string): Buffer => deflateRawSync(text, { finishFlush: 2 }).subarray(0, -4);

  test("off: not agreed on", async () => {
    const { c } = await open({}, OFFER);
    expect(head(c)).not.toContain("Sec-WebSocket-Extensions");
  });

  test("offers that cannot be served are passed over", async () => {
    const none = await open({ compress: true }, { "Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=10, x-other" });
    expect(head(none.c)).not.toContain("Sec-WebSocket-Extensions");
    const second = await open(
      { compress: true },
      { "Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=10, permessage-deflate" },
    );
    expect(head(second.c)).toContain(
      "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    );
  });

  test("messages both ways, fragments, short ones plain", async () => {
    const { c, ch } = await open({ compress: true }, OFFER);
    const text = "hello hello hello ".repeat(50);
    const packed = pack(text);
    c.socket.write(
      Buffer.concat([frame(2, packed.subarray(0, 3), 0x40), frame(9, ""), frame(0, packed.subarray(3), 0x80), frame(2, "plain")]),
    );
    await until(() => ch.text === `${text}plain`);
    ch.send(text);
    ch.send("short");
    await until(() => frames(c).length === 3);
    const [, long, short] = frames(c) as [Frame, Frame, Frame];
    expect(long.first).toBe(0xc2);
    expect(inflateRawSync(Buffer.concat([long.payload, TAIL]), { finishFlush: 2 }).toString()).toBe(text);
    expect(long.payload.length).toBeLessThan(100);
    expect(short).toEqual({ first: 0x82, payload: Buffer.from("short") });
  });

  test("a bomb, and rubbish", async () => {
    const bomb = await open({ compress: true, maxFrameSize: 10_000 }, OFFER);
    bomb.c.socket.write(frame(2, pack("x".repeat(1_000_000)), 0xc0));
    await until(() => bomb.ch.reason !== null);
    expect(bomb.ch.reason).toBe("ws_frame_too_large");
    const rubbish = await open({ compress: true }, OFFER);
    rubbish.c.socket.write(frame(2, Buffer.from("ffffffffff", "hex"), 0xc0));
    await until(() => rubbish.ch.reason !== null);
    expect(rubbish.ch.reason).toBe("ws_bad_compression");
  });
});

describe("with another implementation", () => {
  for (const kind of ["ws", "wss"] as const) {
    for (const compress of [false, true]) {
      test(`${kind}${compress ? ", compressed" : ""}`, async () => {
        const f = await serve([config({ kind, compress })]);
        const client = new WebSocket(`${kind}://127.0.0.1:${f.port}/mqtt`, {
          protocols: ["x", "mqtt"],
          tls: { rejectUnauthorized: false },
        } as never);
        client.binaryType = "arraybuffer";
        const got: Buffer[] = [];
        let closed = 0;
        client.onmessage = (e) => got.push(Buffer.from(e.data as ArrayBuffer));
        client.onclose = (e) => {
          closed = e.code;
        };
        const ch = await f.channel();
        await until(() => client.readyState === 1);
        expect(client.protocol).toBe("mqtt");
        const bytes = Buffer.from("0123456789".repeat(30_000));
        client.send(bytes);
        client.send(Buffer.from("end"));
        await until(() => ch.text.endsWith("end"));
        expect(ch.bytes.equals(Buffer.concat([bytes, Buffer.from("end")]))).toBe(true);
        await ch.sendAll(bytes);
        await until(() => Buffer.concat(got).length === bytes.length);
        expect(Buffer.concat(got).equals(bytes)).toBe(true);
        ch.transport.end();
        await until(() => closed !== 0);
        expect(closed).toBe(1000);
      });
    }
  }
});
