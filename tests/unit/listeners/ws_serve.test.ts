import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { WsOpenings } from "../../../server/listeners/ws_openings.ts";
import { asksFor } from "../../../server/listeners/ws_serve.ts";
import { config, connect, type Recorder, serve, stopAll, until } from "./harness.ts";

afterEach(stopAll);

async function open(change: Parameters<typeof config>[0] = {}) {
  const f = await serve([config({ kind: "ws", ...change })], { ownWebSocket: false });
  const { port } = f.listeners.list()[0] as { port: number };
  return { f, url: `ws://127.0.0.1:${port}/mqtt`, http: `http://127.0.0.1:${port}` };
}
const connected = (ws: WebSocket): Promise<boolean> =>
  new Promise((resolve) => {
    ws.binaryType = "arraybuffer";
    ws.onopen = () => resolve(true);
    ws.onerror = () => resolve(false);
  });

describe("WebSocket by Bun.serve", () => {
  for (const protocol of ["mqtt", "mqttv3.1"]) {
    test(`subprotocol ${protocol} is confirmed, bytes go both ways [MQTT-6.0.0-3], [MQTT-6.0.0-4]`, async () => {
      const { f, url } = await open();
      const ws = new WebSocket(url, [protocol]);
      expect(await connected(ws)).toBe(true);
      expect(ws.protocol).toBe(protocol);
      await until(() => f.channels.length === 1);
      const ch = f.channels[0] as (typeof f.channels)[0];
      // One packet in two frames is one stream of bytes.
      ws.send(new Uint8Array([1, 2]));
      ws.send(new Uint8Array([3]));
      await until(() => Buffer.concat(ch.chunks).length === 3);
      expect([...Buffer.concat(ch.chunks)]).toEqual([1, 2, 3]);
      const answer = new Promise<number[]>((resolve) => {
        ws.onmessage = (e) => resolve([...new Uint8Array(e.data as ArrayBuffer)]);
      });
      expect(ch.transport.write(Buffer.from([9, 8, 7, 6]), 1, 2)).toBe(2);
      expect(await answer).toEqual([8, 7]);
      expect(f.listeners.list()[0]?.currentConns).toBe(1);
      ws.close();
      await until(() => ch.reason !== null);
      expect(ch.reason).toBe("closed");
      await until(() => f.listeners.list()[0]?.currentConns === 0);
    });
  }

  test("whoever talks on behind our last words is not cut off before they can have been read", async () => {
    const { f } = await open();
    const client = await connect((f.listeners.list()[0] as { port: number }).port);
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt";
    client.socket.write(`GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}\r\n\r\n`);
    await until(() => f.channels.length === 1);
    const { transport } = f.channels[0] as Recorder;
    transport.write(Buffer.from([0x20, 2, 0, 5]), 0, 4);
    transport.end();
    // More than a tick of the runtime's timers: each would have been a chance to close.
    for (let ms = 0; ms < 4300; ms += 50) {
      client.socket.write(Buffer.from([0x82, 0x81, 0, 0, 0, 0, 0x10]));
      await Bun.sleep(50);
    }
    expect([client.error(), client.closed()]).toEqual(["", false]);
    expect([...client.received().subarray(-10)]).toEqual([0x82, 4, 0x20, 2, 0, 5, 0x88, 2, 0x03, 0xe8]);
    client.socket.destroy();
  });

  test("the path is compared as it is asked for, or as that address is understood", () => {
    const of = (url: string): boolean => asksFor(`http://127.0.0.1:8083${url}`, "/mqtt");
    for (const yes of ["/mqtt", "/mqtt?token=/x", "/mqtt?", "/./mqtt", "/a/../mqtt"]) expect([yes, of(yes)]).toEqual([yes, true]);
    for (const no of ["/", "", "/mqtt/", "/mqttx", "/MQTT", "/x/mqtt", "/x?/mqtt", "//mqtt", "?/mqtt"])
      expect([no, of(no)]).toEqual([no, false]);
    expect(asksFor("http://[::1]:8083/a/b?c", "/a/b")).toBe(true);
    expect(asksFor("http://mqtt/x", "/mqtt")).toBe(false);
  });

  test("one subprotocol is confirmed: ours, alone or among others", async () => {
    const { url } = await open();
    for (const offered of [["mqtt"], ["mqttv3.1"], ["foo", "mqttv3.1", "mqtt"], ["mqtt", "foo"]]) {
      const ws = new WebSocket(url, offered);
      await connected(ws);
      expect(ws.protocol).toBe(offered.find((p) => p !== "foo") as string);
      ws.close();
    }
  });

  test("another subprotocol, another path, no WebSocket: refused in words", async () => {
    const { url, http } = await open();
    expect(await connected(new WebSocket(url, ["foo"]))).toBe(false);
    expect(await connected(new WebSocket(url.replace("/mqtt", "/other"), ["mqtt"]))).toBe(false);
    const plain = await fetch(`${http}/mqtt`);
    expect([plain.status, await plain.text()]).toEqual([426, "This is MQTT over WebSocket, not a web page.\n"]);
    expect((await fetch(`${http}/x`)).status).toBe(404);
  });

  test("text frames are refused [MQTT-6.0.0-1]", async () => {
    const { f, url } = await open();
    const ws = new WebSocket(url, ["mqtt"]);
    await connected(ws);
    const code = new Promise<number>((resolve) => {
      ws.onclose = (e) => resolve(e.code);
    });
    ws.send("text");
    expect(await code).toBe(1003);
    await until(() => f.channels[0]?.reason !== null);
    expect(f.channels[0]?.reason).toBe("ws_text_frame");
  });

  for (const how of ["end", "finish"] as const) {
    test(`the last bytes arrive before the close, and it is a clean one: ${how}`, async () => {
      const { f, url } = await open();
      const ws = new WebSocket(url, ["mqtt"]);
      await connected(ws);
      await until(() => f.channels.length === 1);
      const got: number[] = [];
      ws.onmessage = (e) => void got.push(...new Uint8Array(e.data as ArrayBuffer));
      const closed = new Promise<CloseEvent>((resolve) => {
        ws.onclose = resolve;
      });
      f.channels[0]?.transport.write(Buffer.from([1, 2, 3]), 0, 3);
      f.channels[0]?.transport[how]();
      expect(await closed).toMatchObject({ code: 1000, wasClean: true });
      expect(got).toEqual([1, 2, 3]);
      expect(f.channels[0]?.reason).toBeNull();
    });
  }

  test("max_connections and access rules", async () => {
    const one = await open({ maxConnections: 1 });
    expect(await connected(new WebSocket(one.url, ["mqtt"]))).toBe(true);
    expect(await connected(new WebSocket(one.url, ["mqtt"]))).toBe(false);
    const none = await open({ access: [{ allow: false, cidr: "127.0.0.0/8" }] });
    expect(await connected(new WebSocket(none.url, ["mqtt"]))).toBe(false);
    expect([...(none.f.listeners.list()[0]?.rejected ?? [])]).toEqual([["access", 1]]);
  });

  test("the address a proxy tells", async () => {
    const { f, url } = await open({ proxyAddressHeader: "X-Forwarded-For", proxyPortHeader: "X-Forwarded-Port" });
    const headers = { "X-Forwarded-For": "10.0.0.1, 203.0.113.9", "X-Forwarded-Port": "4711", "Sec-WebSocket-Protocol": "mqtt" };
    await connected(new WebSocket(url, { headers } as never));
    await until(() => f.channels.length === 1);
    expect([f.channels[0]?.transport.ip, f.channels[0]?.transport.port]).toEqual(["203.0.113.9", 4711]);
  });

  test("a frame too large, and an exception in the channel, cost that connection alone", async () => {
    const { f, url } = await open({ maxFrameSize: 1000 });
    const ws = new WebSocket(url, ["mqtt"]);
    await connected(ws);
    await until(() => f.channels.length === 1);
    ws.send(new Uint8Array(1001));
    await until(() => f.channels[0]?.reason !== null);
    expect(f.channels[0]?.reason).toBe("ws_frame_too_large");
    const second = new WebSocket(url, ["mqtt"]);
    await connected(second);
    const ch = await f.channel(1);
    ch.react = () => {
      throw new Error("boom");
    };
    second.send(new Uint8Array(1));
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("internal_error");
    expect(f.logs.join("\n")).toContain("boom");
    expect(f.listeners.list()[0]?.currentConns).toBe(0);
  });

  test("send_timeout, and back-pressure before it", async () => {
    const { f, http } = await open({ sendTimeoutMs: 200 });
    const c = await connect(Number(new URL(http).port));
    c.socket.write(
      "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
    );
    const ch = await f.channel();
    c.socket.pause();
    const piece = Buffer.alloc(64 * 1024);
    let taken = 0;
    while (ch.transport.write(piece, 0, piece.length) > 0) taken += piece.length;
    expect(taken).toBeGreaterThan(0);
    f.clock.forward(200);
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("send_timeout");
  });

  test("much data both ways, compressed and not; drain goes on where a write stopped", async () => {
    for (const compress of [false, true]) {
      const { f, url } = await open({ compress });
      const ws = new WebSocket(url, ["mqtt"]);
      await connected(ws);
      const ch = await f.channel();
      const got: Buffer[] = [];
      ws.onmessage = (e) => void got.push(Buffer.from(e.data as ArrayBuffer));
      const bytes = Buffer.from("0123456789".repeat(30_000));
      ws.send(bytes);
      await until(() => ch.bytes.length === bytes.length);
      expect(ch.bytes.equals(bytes)).toBe(true);
      await ch.sendAll(bytes);
      await until(() => Buffer.concat(got).length === bytes.length);
      expect(Buffer.concat(got).equals(bytes)).toBe(true);
    }
  });
});

describe("WebSockets by Bun.serve whose CONNECT has not come", () => {
  /** Room for two. */
  const two = { kind: "ws", maxFrameSize: 8 * 1024 * 1024 } as const;
  const options = { ownWebSocket: false, openingBudget: () => 0 };
  const half = Buffer.concat([Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x7f, 0, 0]), Buffer.alloc(1024 * 1024)]);

  interface Heard {
    text: string;
    closed: boolean;
  }
  async function come(port: number): Promise<Bun.Socket<Heard>> {
    const socket = await Bun.connect<Heard>({
      hostname: "127.0.0.1",
      port,
      data: { text: "", closed: false },
      socket: {
        data(s, chunk) {
          s.data.text += chunk.toString("latin1");
        },
        close(s) {
          s.data.closed = true;
        },
      },
    });
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt";
    socket.write(`GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}\r\n\r\n`);
    await until(() => socket.data.text.endsWith("\r\n\r\n"));
    return socket;
  }
  /** A masked frame of one byte. */
  const say = (socket: Bun.Socket<Heard>): number => socket.write(Buffer.from([0x82, 0x81, 0, 0, 0, 0, 0x10]));

  test("are read as many as there is room for; the others when one has sent its CONNECT, or is gone", async () => {
    const f = await serve([config(two)], options);
    const [a, b, c, d] = [await come(f.port), await come(f.port), await come(f.port), await come(f.port)];
    say(c);
    say(d);
    await Bun.sleep(50);
    expect(f.channels.map((x) => x.chunks.length)).toEqual([0, 0, 0, 0]);
    const first = f.channels[0] as Recorder;
    // The first piece of a CONNECT, then the rest.
    say(a);
    await until(() => first.chunks.length === 1);
    await Bun.sleep(20);
    expect(f.channels[2]?.chunks).toHaveLength(0);
    first.react = () => {
      first.phase = "connected";
    };
    say(a);
    await until(() => f.channels[2]?.chunks.length === 1);
    expect(f.channels[3]?.chunks).toHaveLength(0);
    b.end();
    await until(() => f.channels[3]?.chunks.length === 1);
    expect(f.channels.map((x) => x.reason)).toEqual([null, "closed", null, null]);
  });

  test("and who has not sent it in a second makes room, and is told and counted", async () => {
    const f = await serve([config(two)], options);
    const [a, b] = [await come(f.port), await come(f.port)];
    a.write(half);
    b.write(half);
    const c = await come(f.port);
    say(c);
    const looks = spyOn(WsOpenings.prototype, "tick");
    f.clock.forward(999);
    await until(() => looks.mock.calls.length >= 2);
    looks.mockRestore();
    expect(f.channels.map((x) => x.reason)).toEqual([null, null, null]);
    f.clock.forward(1);
    await until(() => f.channels[2]?.chunks.length === 1);
    expect(f.channels.map((x) => x.reason)).toEqual(["ws_openings", null, null]);
    expect([...(f.listeners.list()[0]?.rejected ?? [])]).toEqual([["ws_openings", 1]]);
    expect(f.logs.some((l) => l.startsWith("warn connections refused"))).toBe(true);
  });

  test("whose credentials are looked at gives up its place; it needs one again when it is read on and still not connected", async () => {
    const f = await serve([config(two)], options);
    const [a, b] = [await come(f.port), await come(f.port)];
    await until(() => f.channels.length === 2);
    const [first, second] = f.channels as [Recorder, Recorder];
    const looked = (ch: Recorder) => () => {
      ch.phase = "connecting";
      ch.transport.pause();
    };
    first.react = looked(first);
    second.react = looked(second);
    say(a);
    await until(() => first.chunks.length === 1);
    const [c, d] = [await come(f.port), await come(f.port)];
    say(c);
    say(d);
    await until(() => f.channels[2]?.chunks.length === 1);
    await Bun.sleep(20);
    expect(f.channels[3]?.chunks).toHaveLength(0);
    // An exchange goes on: it is not read before somebody makes room, and comes behind the fourth.
    say(a);
    first.transport.resume();
    first.react = null;
    await Bun.sleep(20);
    expect(first.chunks).toHaveLength(1);
    say(b);
    await until(() => f.channels[3]?.chunks.length === 1);
    await Bun.sleep(20);
    expect(first.chunks).toHaveLength(1);
    // The second is let in: connected, it needs none.
    second.phase = "connected";
    second.transport.resume();
    say(b);
    await until(() => second.chunks.length === 2);
    c.end();
    await until(() => first.chunks.length === 2);
    first.phase = "connected";
    expect(f.channels.map((x) => x.reason)).toEqual([null, null, "closed", null]);
  });

  test("whose credentials are looked at is seen to leave, as far as there is room to read it on", async () => {
    const f = await serve([config({ kind: "ws", maxFrameSize: 4 * 1024 * 1024 })], options);
    const sockets = [await come(f.port), await come(f.port), await come(f.port)] as const;
    for (const [i, ch] of f.channels.entries()) {
      ch.react = () => {
        ch.phase = "connecting";
        ch.transport.watch?.();
      };
      say(sockets[i] as Bun.Socket<Heard>);
      await until(() => ch.chunks.length === 1);
    }
    for (const socket of sockets) socket.end();
    await until(() => f.channels[0]?.reason === "closed" && f.channels[1]?.reason === "closed");
    expect(f.channels[2]?.reason).toBeNull();
    f.channels[2]?.transport.resume();
    await until(() => f.channels[2]?.reason === "closed");
  });

  test("who was watched and is let in is read on; who has to say more waits for a place", async () => {
    const f = await serve([config({ kind: "ws", maxFrameSize: 8 * 1024 * 1024 })], options);
    const [a, b] = [await come(f.port), await come(f.port)];
    const [first, second] = f.channels as [Recorder, Recorder];
    for (const ch of [first, second])
      ch.react = () => {
        ch.react = null;
        ch.phase = "connecting";
        ch.transport.watch?.();
      };
    say(a);
    await until(() => first.chunks.length === 1);
    first.phase = "connected";
    first.transport.resume();
    say(a);
    await until(() => first.chunks.length === 2);
    say(b);
    await until(() => second.chunks.length === 1);
    const [c, d] = [await come(f.port), await come(f.port)];
    second.transport.resume();
    say(b);
    await Bun.sleep(20);
    expect(second.chunks).toHaveLength(1);
    c.end();
    await until(() => second.chunks.length === 2);
    d.end();
  });

  test("what is said to one that waits, or is not read, arrives before the close", async () => {
    const f = await serve([config(two)], options);
    const [, b, c] = [await come(f.port), await come(f.port), await come(f.port)];
    await until(() => f.channels.length === 3);
    for (const [i, socket] of [b, c].entries()) {
      const { transport } = f.channels[i + 1] as Recorder;
      if (i === 0) transport.pause();
      say(socket);
      transport.write(Buffer.from([0x20, 2, 0, 5]), 0, 4);
      transport.end();
      await until(() => socket.data.closed);
      const frames = socket.data.text.slice(socket.data.text.indexOf("\r\n\r\n") + 4);
      expect([...Buffer.from(frames, "latin1")]).toEqual([0x82, 4, 0x20, 2, 0, 5, 0x88, 2, 0x03, 0xe8]);
    }
    await until(() => f.listeners.list()[0]?.currentConns === 1);
  });

  test("whoever is closed while it waits is gone at once, and a pause of its channel outlasts the wait", async () => {
    const f = await serve([config(two)], options);
    const [a, , c, d] = [await come(f.port), await come(f.port), await come(f.port), await come(f.port)];
    f.channels[2]?.transport.end();
    await until(() => f.listeners.list()[0]?.currentConns === 3);
    f.channels[3]?.transport.pause();
    say(d);
    a.end();
    await until(() => f.listeners.list()[0]?.currentConns === 2);
    await Bun.sleep(30);
    expect(f.channels[3]?.chunks).toHaveLength(0);
    f.channels[3]?.transport.resume();
    await until(() => f.channels[3]?.chunks.length === 1);
    c.end();
  });
});
