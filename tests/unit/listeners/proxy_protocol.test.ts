import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import net from "node:net";
import tls from "node:tls";
import type { ListenerConfig } from "../../../server/config/types.ts";
import { parseProxyHeader } from "../../../server/listeners/proxy_protocol.ts";
import { certificate, config, connect, type Pair, serve, stopAll, tempDir, tlsConfig, trickle, until, watch } from "./harness.ts";

afterEach(stopAll);

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const v2 = (rest: string): Buffer => Buffer.from(SIGNATURE + rest, "hex");
const V1 = "PROXY TCP4 192.0.2.7 10.0.0.1 56324 1883\r\n";
const V2_4 = v2(`2111000c${"c0000207"}${"0a000001"}${"dc04"}${"075b"}`);
const V2_6 = v2(`21210024${"20010db8000000000000000000000009"}${"00000000000000000000000000000001"}${"dc04"}${"075b"}`);

describe("the header", () => {
  const good: [string, Buffer | string, { ip: string; port: number } | null][] = [
    ["v1 TCP4", V1, { ip: "192.0.2.7", port: 56324 }],
    ["v1 TCP6", "PROXY TCP6 2001:DB8::0:7 ::1 1 65535\r\n", { ip: "2001:db8::7", port: 1 }],
    ["v1 TCP6, mapped IPv4", "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", { ip: "192.0.2.7", port: 1 }],
    ["v1 UNKNOWN", "PROXY UNKNOWN\r\n", null],
    ["v1 UNKNOWN with anything", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", null],
    ["v2 TCP4", V2_4, { ip: "192.0.2.7", port: 56324 }],
    ["v2 TCP6", V2_6, { ip: "2001:db8::9", port: 56324 }],
    ["v2 TCP4 with TLVs", v2(`21110013c00002070a000001dc04075b030004deadbeef`), { ip: "192.0.2.7", port: 56324 }],
    ["v2 LOCAL", v2("20000000"), null],
    ["v2 LOCAL with addresses", v2("2011000cc00002070a000001dc04075b"), null],
    ["v2 UNSPEC", v2("21000003aabbcc"), null],
    ["v2 UNIX", v2(`213100d8${"00".repeat(216)}`), null],
  ];
  for (const [name, bytes, source] of good) {
    test(`${name}; also with more behind it, incomplete at every cut`, () => {
      const b = Buffer.from(bytes as string, "latin1");
      expect(parseProxyHeader(b)).toEqual({ state: "done", length: b.length, source });
      expect(parseProxyHeader(Buffer.concat([b, Buffer.from("rest")]))).toEqual({ state: "done", length: b.length, source });
      for (let i = 0; i < b.length; i++) expect(parseProxyHeader(b.subarray(0, i)).state).toBe("incomplete");
    });
  }

  const wrong: [string, Buffer | string][] = [
    ["MQTT at once", Buffer.from("100c00044d51545404", "hex")],
    ["lower case", "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n"],
    ["v1 too long", `PROXY UNKNOWN ${"x".repeat(100)}\r\n`],
    ["v1 never ends", "PROXY TCP4 ".padEnd(107, "1")],
    ["v1 only LF", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"],
    ["v1 two spaces", "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n"],
    ["v1 missing port", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"],
    ["v1 more words", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"],
    ["v1 other protocol", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"],
    ["v1 bad address", "PROXY TCP4 1.2.3.400 1.2.3.4 1 2\r\n"],
    ["v1 leading zero in address", "PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n"],
    ["v1 wrong family", "PROXY TCP4 ::1 ::1 1 2\r\n"],
    ["v1 wrong family 6", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"],
    ["v1 port too big", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n"],
    ["v1 port with zero", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"],
    ["v1 port negative", "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"],
    ["v2 version 1", v2("1111000cc00002070a000001dc04075b")],
    ["v2 unknown command", v2("2211000cc00002070a000001dc04075b")],
    ["v2 datagram", v2("2112000cc00002070a000001dc04075b")],
    ["v2 unknown family", v2("21410000")],
    ["v2 too short for its addresses", v2("2111000bc00002070a000001dc0407")],
    ["v2 oversized", v2("2111ffff")],
    ["v2 broken signature", Buffer.from("0d0a0d0a000d0a515549540b2000", "hex")],
  ];
  for (const [name, bytes] of wrong) {
    test(`refused: ${name}`, () => {
      expect(parseProxyHeader(Buffer.from(bytes as string, "latin1")).state).toBe("bad");
    });
  }
});

const proxied = (over: Partial<ListenerConfig> = {}): ListenerConfig => config({ proxyProtocol: true, ...over });

describe("over a connection", () => {
  for (const [name, header] of [
    ["v1", Buffer.from(V1)],
    ["v2", V2_4],
  ] as const) {
    test(`${name}: whole, with data in the same packet`, async () => {
      const f = await serve([proxied()]);
      const c = await connect(f.port);
      c.socket.write(Buffer.concat([header, Buffer.from("hello")]));
      const ch = await f.channel();
      await until(() => ch.text === "hello");
      expect(ch.transport).toMatchObject({ ip: "192.0.2.7", port: 56324 });
    });
    test(`${name}: byte by byte`, async () => {
      const f = await serve([proxied()]);
      const c = await connect(f.port);
      await trickle(c, Buffer.concat([header, Buffer.from("hi")]), 1);
      const ch = await f.channel();
      await until(() => ch.text === "hi");
      expect(ch.transport.ip).toBe("192.0.2.7");
    });
  }

  test("LOCAL: the proxy's own address", async () => {
    const f = await serve([proxied()]);
    const c = await connect(f.port);
    c.socket.write(v2("20000000"));
    const ch = await f.channel();
    expect(ch.transport).toMatchObject({ ip: "127.0.0.1", port: c.socket.localPort as number });
  });

  test("bad header, and none in time: closed without a channel, counted", async () => {
    const f = await serve([proxied({ proxyProtocolTimeoutMs: 150 })]);
    const bad = await connect(f.port);
    bad.socket.write(Buffer.from("100c00044d51545404", "hex"));
    const silent = await connect(f.port);
    const half = await connect(f.port);
    half.socket.write("PROXY TCP4 ");
    await until(() => bad.closed() && f.listeners.list()[0]?.currentConns === 2);
    f.clock.forward(150);
    await until(() => bad.closed() && silent.closed() && half.closed());
    expect(f.channels.length).toBe(0);
    const row = f.listeners.list()[0];
    expect(row?.rejected.get("proxy_protocol_error")).toBe(1);
    expect(row?.rejected.get("proxy_protocol_timeout")).toBe(2);
    expect(row?.currentConns).toBe(0);
  });

  test("a connection that has its channel is not bound by the timeout", async () => {
    const f = await serve([proxied({ proxyProtocolTimeoutMs: 100 })]);
    const c = await connect(f.port);
    c.socket.write(V1);
    const ch = await f.channel();
    const silent = await connect(f.port);
    await until(() => f.listeners.list()[0]?.currentConns === 2);
    f.clock.forward(100);
    await until(() => silent.closed());
    expect(ch.reason).toBeNull();
    c.socket.end();
    await until(() => ch.reason === "closed");
    expect(ch.reason).toBe("closed");
  });

  test("access rules look at the proxy", async () => {
    const f = await serve([
      proxied({
        access: [
          { allow: true, cidr: "127.0.0.1" },
          { allow: false, cidr: "all" },
        ],
      }),
    ]);
    const c = await connect(f.port);
    c.socket.write(V1);
    expect((await f.channel()).transport.ip).toBe("192.0.2.7");
  });
});

describe("in front of TLS", () => {
  const dir = tempDir();
  let ca: Pair;
  let server: Pair;
  let client: Pair;
  let stranger: Pair;
  beforeAll(async () => {
    const authority = await certificate("CN=authority", dir);
    ca = authority.pair;
    server = (await certificate("CN=server", dir, authority)).pair;
    client = (await certificate("CN=device-7", dir, authority)).pair;
    stranger = (await certificate("CN=stranger", dir)).pair;
  });

  /** A proxy that puts the header and what the client says first into one packet. */
  async function proxy(port: number, header: Buffer): Promise<number> {
    const server = net.createServer((from) => {
      const to = net.connect(port, "127.0.0.1");
      from.once("data", (d: Buffer) => {
        to.write(Buffer.concat([header, d]));
        from.pipe(to);
      });
      to.on("data", (d: Buffer) => from.write(d));
      to.on("end", () => from.end());
      for (const s of [from, to]) s.on("error", () => {});
      from.on("close", () => to.destroy());
      to.on("close", () => from.destroy());
    });
    server.unref();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return (server.address() as net.AddressInfo).port;
  }

  async function secure(port: number, options: tls.ConnectionOptions = {}) {
    const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
    const c = watch(socket);
    let done = false;
    socket.on("secureConnect", () => {
      done = true;
    });
    await until(() => done || c.closed() || c.error() !== "");
    return { ...c, tls: socket };
  }

  const withTls = (over = {}): ListenerConfig =>
    proxied({
      kind: "ssl",
      tls: tlsConfig({ keyfile: server.keyfile, certfile: server.certfile, cacertfile: ca.certfile, verifyPeer: true, ...over }),
    });

  for (const header of [Buffer.from(V1), V2_4]) {
    test(`${header === V2_4 ? "v2" : "v1"}: address, certificate, ALPN, data both ways`, async () => {
      const f = await serve([withTls()]);
      const c = await secure(await proxy(f.port, header), { key: client.key, cert: client.cert, ALPNProtocols: ["mqtt"] });
      const ch = await f.channel();
      expect(ch.transport).toMatchObject({ ip: "192.0.2.7", port: 56324 });
      expect(ch.cert).toMatchObject({ cn: "device-7", dn: "CN=device-7" });
      expect(c.tls.alpnProtocol).toBe("mqtt");
      ch.react = (chunk) => ch.transport.write(chunk, 0, chunk.length);
      c.tls.write("hello");
      await until(() => c.received().toString() === "hello");
      expect(ch.text).toBe("hello");
    });
  }

  test("much data with back-pressure, then end() delivers the last bytes", async () => {
    const f = await serve([withTls()]);
    const c = await secure(await proxy(f.port, V2_4));
    const ch = await f.channel();
    const data = Buffer.allocUnsafe(4 * 1024 * 1024);
    for (let i = 0; i < data.length; i++) data[i] = (i * 13 + (i >> 9)) & 0xff;
    await ch.sendAll(data);
    ch.transport.end();
    await until(() => c.ended() || c.closed());
    expect(c.received().equals(data)).toBe(true);
    await until(() => f.listeners.list()[0]?.currentConns === 0);
  });

  test("what would have to wait in the TLS stream is not taken, however large the write", async () => {
    const f = await serve([withTls()]);
    await secure(await proxy(f.port, V2_4));
    const ch = await f.channel();
    // In one turn the stream writes to the socket alone what the kernel takes: the proxy reads none of it meanwhile.
    const data = Buffer.alloc(32 * 1024 * 1024);
    expect(ch.transport.write(data, 0, data.length)).toBeLessThan(data.length);
  });

  test("the peer closes: reason closed; destroy() closes", async () => {
    const f = await serve([withTls()]);
    const port = await proxy(f.port, V2_4);
    const c = await secure(port);
    const ch = await f.channel();
    c.tls.end();
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("closed");
    const d = await secure(port);
    (await f.channel(1)).transport.destroy();
    await until(() => d.closed() || d.ended());
    expect(f.listeners.list()[0]?.currentConns).toBe(0);
  });

  test("refused: a stranger's certificate, none where one is needed, no TLS at all, silence", async () => {
    const f = await serve([withTls({ failIfNoPeerCert: true, handshakeTimeoutMs: 200 })]);
    const port = await proxy(f.port, V2_4);
    for (const own of [{}, { key: stranger.key, cert: stranger.cert }]) {
      const c = await secure(port, own);
      await until(() => c.closed() || c.ended());
    }
    const plain = await connect(port);
    plain.socket.write(Buffer.from("100c00044d5154540402003c0000", "hex"));
    const silent = await connect(f.port);
    silent.socket.write(V1);
    await until(() => plain.closed() || plain.ended());
    await until(() => f.listeners.list()[0]?.currentConns === 1);
    // Its handshake may begin only now: then the deadline is a new one.
    await until(() => {
      f.clock.forward(100);
      return silent.closed() || silent.ended();
    });
    expect(f.channels.length).toBe(0);
    await until(() => f.listeners.list()[0]?.currentConns === 0);
    expect([...(f.listeners.list()[0]?.rejected ?? [])].sort()).toEqual([
      ["peer_certificate", 2],
      ["tls_error", 1],
      ["tls_handshake_timeout", 1],
    ]);
  });

  test("a changed certificate is used without opening the port again", async () => {
    const f = await serve([withTls()]);
    expect(await f.listeners.reloadCertificates()).toEqual([{ listener: "listener.ssl.external", changed: false, error: null }]);
    const file = Bun.file(server.certfile);
    await Bun.write(server.certfile, `${await file.text()}\n`);
    expect(await f.listeners.reloadCertificates()).toMatchObject([{ changed: true }]);
    await secure(await proxy(f.port, V2_4));
    expect(await f.channel()).toBeDefined();
  });

  for (const kind of ["ws", "wss"] as const) {
    test(`${kind}: WebSocket behind a proxy`, async () => {
      const over = kind === "wss" ? { tls: withTls().tls } : {};
      const f = await serve([proxied({ kind, ...over })]);
      const ws = new WebSocket(`${kind}://127.0.0.1:${await proxy(f.port, V2_6)}/mqtt`, {
        protocols: ["mqtt"],
        tls: { rejectUnauthorized: false, key: client.key, cert: client.cert },
      } as never);
      ws.binaryType = "arraybuffer";
      const got: string[] = [];
      ws.onmessage = (e) => got.push(Buffer.from(e.data as ArrayBuffer).toString());
      ws.onopen = () => ws.send(Buffer.from("hello"));
      const ch = await f.channel();
      await until(() => ch.text === "hello");
      expect(ch.transport).toMatchObject({ ip: "2001:db8::9", port: 56324 });
      expect(ch.cert?.cn).toBe(kind === "wss" ? "device-7" : undefined);
      ch.send("back");
      await until(() => got.join("") === "back");
      ws.close();
      await until(() => ch.reason !== null);
      expect(ch.reason).toBe("closed");
    });
  }
});
