import { describe, expect, test } from "bun:test";
import { config, serve, until } from "./harness.ts";

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

  test("the last bytes arrive before the close", async () => {
    const { f, url } = await open();
    const ws = new WebSocket(url, ["mqtt"]);
    await connected(ws);
    await until(() => f.channels.length === 1);
    const got: number[] = [];
    ws.onmessage = (e) => void got.push(...new Uint8Array(e.data as ArrayBuffer));
    const closed = new Promise((resolve) => {
      ws.onclose = resolve;
    });
    f.channels[0]?.transport.write(Buffer.from([1, 2, 3]), 0, 3);
    f.channels[0]?.transport.end();
    await closed;
    expect(got).toEqual([1, 2, 3]);
    expect(f.channels[0]?.reason).toBeNull();
  });

  test("max_connections and access rules", async () => {
    const one = await open({ maxConnections: 1 });
    expect(await connected(new WebSocket(one.url, ["mqtt"]))).toBe(true);
    expect(await connected(new WebSocket(one.url, ["mqtt"]))).toBe(false);
    const none = await open({ access: [{ allow: false, cidr: "127.0.0.0/8" }] });
    expect(await connected(new WebSocket(none.url, ["mqtt"]))).toBe(false);
    expect([...(none.f.listeners.list()[0]?.rejected ?? [])]).toEqual([["access", 1]]);
  });

  test("the address a trusted proxy tells", async () => {
    const { f, url } = await open({ proxyAddressHeader: "X-Forwarded-For", proxyPortHeader: "X-Forwarded-Port" });
    const headers = { "X-Forwarded-For": "203.0.113.9, 10.0.0.1", "X-Forwarded-Port": "4711", "Sec-WebSocket-Protocol": "mqtt" };
    await connected(new WebSocket(url, { headers } as never));
    await until(() => f.channels.length === 1);
    expect([f.channels[0]?.transport.ip, f.channels[0]?.transport.port]).toEqual(["203.0.113.9", 4711]);
  });
});
