import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { copyFileSync, existsSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { versionRange } from "../../../server/listeners/tls.ts";
import { type Client, certificate, config, connect, type Pair, serve, stopAll, tempDir, tlsConfig, until, watch } from "./harness.ts";

afterEach(stopAll);

const dir = tempDir();
let ca: Pair;
let server: Pair;
let second: Pair;
let client: Pair;
let stranger: Pair;

beforeAll(async () => {
  const authority = await certificate("CN=authority", dir);
  ca = authority.pair;
  server = (await certificate("CN=server one", dir, authority)).pair;
  second = (await certificate("CN=server two", dir, authority)).pair;
  client = (await certificate("C=DE, O=Acme\\, Inc, CN=device-7", dir, authority)).pair;
  stranger = (await certificate("CN=stranger", dir)).pair;
});

type TlsClient = Client & { tls: tls.TLSSocket };

/** Resolves when the handshake is done or has failed. */
async function secure(port: number, options: tls.ConnectionOptions = {}): Promise<TlsClient> {
  const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  let done = false;
  socket.on("secureConnect", () => {
    done = true;
  });
  const c = watch(socket);
  await until(() => done || c.closed() || c.error() !== "", "TLS handshake");
  return { ...c, tls: socket };
}

const peerName = (c: TlsClient): string => String(c.tls.getPeerCertificate().subject?.CN);
const ssl = (over = {}, more = {}) =>
  config({ kind: "ssl", listenOn: "0", tls: tlsConfig({ keyfile: server.keyfile, certfile: server.certfile, ...over }), ...more });
const withClients = (over = {}) => ssl({ cacertfile: ca.certfile, verifyPeer: true, ...over });

describe("without configured certificates", () => {
  test("a self-signed pair is made once and used again", async () => {
    const f = await serve([config({ kind: "ssl" }), config({ kind: "wss" })]);
    const files = ["key.pem", "cert.pem"].map((n) => join(f.dataDir, "certs", n));
    for (const file of files) expect(existsSync(file)).toBe(true);
    expect(statSync(files[0] as string).mode & 0o777).toBe(0o600);
    const c = await secure(f.port);
    expect(peerName(c)).toBe("baomq");
    const x = new X509Certificate(c.tls.getPeerCertificate().raw);
    expect(x.checkHost("localhost")).toBe("localhost");
    expect(x.checkHost(hostname())).toBe(hostname());
    expect(x.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(x.checkIP("::1")).toBe("::1");
    expect(Date.parse(x.validTo) - f.clock.now()).toBeGreaterThan(9.9 * 365.25 * 86_400_000);
    expect(x.verify(x.publicKey)).toBe(true);
    const before = statSync(files[1] as string).mtimeMs;
    const again = await serve([config({ kind: "ssl" })], { dataDir: f.dataDir });
    expect(statSync(files[1] as string).mtimeMs).toBe(before);
    expect((await secure(again.port)).tls.getPeerCertificate().fingerprint256).toBe(c.tls.getPeerCertificate().fingerprint256);
  });
});

describe("a TLS connection", () => {
  test("bytes both ways, ALPN, row", async () => {
    const f = await serve([ssl()]);
    const c = await secure(f.port, { ALPNProtocols: ["mqtt"] });
    const ch = await f.channel();
    ch.react = (chunk) => ch.transport.write(chunk, 0, chunk.length);
    c.tls.write("hello");
    await until(() => c.received().toString() === "hello");
    expect(c.tls.alpnProtocol).toBe("mqtt");
    expect(ch.cert).toBeNull();
    expect(f.listeners.list()[0]).toMatchObject({ protocol: "mqtt:ssl", listenOn: String(f.port), currentConns: 1 });
    c.tls.end();
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("closed");
  });

  test("end() delivers the last bytes", async () => {
    const f = await serve([ssl()]);
    const c = await secure(f.port);
    const ch = await f.channel();
    c.tls.write("keep sending");
    await until(() => ch.chunks.length > 0);
    const last = Buffer.alloc(100_000, "z");
    expect(ch.transport.write(last, 0, last.length)).toBe(last.length);
    ch.transport.end();
    await until(() => c.ended() || c.closed());
    expect(c.received().equals(last)).toBe(true);
    expect(c.error()).toBe("");
    await until(() => f.listeners.list()[0]?.currentConns === 0);
  });

  test("back-pressure: 8 MiB to a slow reader arrive whole", async () => {
    const f = await serve([ssl()]);
    const c = await secure(f.port);
    const ch = await f.channel();
    const data = Buffer.allocUnsafe(8 * 1024 * 1024);
    for (let i = 0; i < data.length; i++) data[i] = (i * 7 + (i >> 11)) & 0xff;
    const sent = ch.sendAll(data);
    await until(() => c.received().length === data.length);
    await sent;
    expect(ch.drains).toBeGreaterThan(0);
    expect(c.received().equals(data)).toBe(true);
  });

  test("destroy() frees the slot at once", async () => {
    const f = await serve([ssl()]);
    const c = await secure(f.port);
    const ch = await f.channel();
    ch.transport.destroy();
    expect(f.listeners.list()[0]?.currentConns).toBe(0);
    await until(() => c.closed());
    expect(ch.reason).toBeNull();
  });

  test("a peer that says nothing is dropped after handshake_timeout, plain MQTT at once; no channel for either", async () => {
    const f = await serve([ssl({ handshakeTimeoutMs: 200 })]);
    const silent = await connect(f.port);
    await until(() => f.listeners.list()[0]?.currentConns === 1);
    f.clock.forward(200);
    await until(() => silent.closed() || silent.ended());
    const plain = await connect(f.port);
    plain.socket.write(Buffer.from("100c00044d5154540402003c0000", "hex"));
    await until(() => plain.closed() || plain.ended());
    expect(f.channels.length).toBe(0);
    const row = f.listeners.list()[0];
    expect(row?.rejected.get("tls_handshake_timeout")).toBe(1);
    expect(row?.rejected.get("tls_error")).toBe(1);
    expect(row?.currentConns).toBe(0);
  });

  test("versions and ciphers", async () => {
    const f = await serve([ssl({ versions: ["tlsv1.2"], ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256,NO-SUCH-CIPHER" })]);
    const c = await secure(f.port);
    expect(c.tls.getProtocol()).toBe("TLSv1.2");
    expect(c.tls.getCipher().name).toBe("ECDHE-ECDSA-AES128-GCM-SHA256");
    const only13 = await serve([ssl({ versions: ["tlsv1.3"] })]);
    expect((await secure(only13.port)).tls.getProtocol()).toBe("TLSv1.3");
    expect((await secure(only13.port, { maxVersion: "TLSv1.2" })).error()).not.toBe("");
    // Whoever serves the port: the runtime's own WebSocket server, ours, and TLS behind a PROXY header.
    for (const more of [{ kind: "wss" }, { kind: "wss", rateLimit: { rate: 1e6, burst: 1e6 } }] as const) {
      const web = await serve([ssl({ versions: ["tlsv1.3"] }, more)]);
      expect((await secure(web.port)).tls.getProtocol()).toBe("TLSv1.3");
      expect((await secure(web.port, { maxVersion: "TLSv1.2" })).error()).not.toBe("");
    }
    expect(versionRange("l", [])).toEqual({});
    expect(versionRange("l", ["tlsv1.3", "tlsv1.1"])).toEqual({ minVersion: 0x0302, maxVersion: 0x0304, secureOptions: 0x08000000 });
    expect(() => versionRange("l", ["sslv3"])).toThrow('l.tls_versions: "sslv3" is not one of tlsv1, tlsv1.1, tlsv1.2, tlsv1.3');
  });
});

describe("client certificates", () => {
  for (const version of ["TLSv1.3", "TLSv1.2"] as const) {
    const at = { minVersion: version, maxVersion: version };
    test(`required (${version}): none and a stranger's are refused, ours is told to the channel`, async () => {
      const f = await serve([withClients({ failIfNoPeerCert: true })]);
      for (const own of [{}, { key: stranger.key, cert: stranger.cert }]) {
        const c = await secure(f.port, { ...own, ...at });
        await until(() => c.closed() || c.ended() || c.error() !== "");
      }
      expect(f.channels.length).toBe(0);
      await secure(f.port, { key: client.key, cert: client.cert, ...at });
      const ch = await f.channel();
      expect(ch.cert).toEqual({ cn: "device-7", dn: "CN=device-7,O=Acme\\, Inc,C=DE", raw: "" });
      await until(() => f.listeners.list()[0]?.currentConns === 1);
      const r = f.listeners.list()[0]?.rejected;
      expect((r?.get("tls_error") ?? 0) + (r?.get("peer_certificate") ?? 0)).toBe(2);
    });
  }

  test("optional: none is fine, a stranger's is not", async () => {
    const f = await serve([withClients()]);
    await secure(f.port);
    expect((await f.channel()).cert).toBeNull();
    const c = await secure(f.port, { key: stranger.key, cert: stranger.cert });
    await until(() => c.closed() || c.ended());
    expect(f.channels.length).toBe(1);
    await secure(f.port, { key: client.key, cert: client.cert });
    expect((await f.channel(1)).cert?.cn).toBe("device-7");
  });

  test("peer_cert_as_username = crt: the certificate itself, DER in base64", async () => {
    const f = await serve([{ ...withClients(), peerCertAsUsername: "crt" }]);
    await secure(f.port, { key: client.key, cert: client.cert });
    const ch = await f.channel();
    expect(ch.cert?.raw).toBe(new X509Certificate(client.cert).raw.toString("base64"));
    expect(ch.info.peerCertAsUsername).toBe("crt");
  });
});

describe("changing the certificate", () => {
  test("new connections get the new one, old connections stay", async () => {
    const files = { keyfile: join(dir, "live.key"), certfile: join(dir, "live.pem") };
    copyFileSync(server.keyfile, files.keyfile);
    copyFileSync(server.certfile, files.certfile);
    const f = await serve([ssl(files), config({ kind: "wss", name: "w", tls: tlsConfig(files) })]);
    const old = await secure(f.port);
    const ch = await f.channel();
    ch.react = (chunk) => ch.transport.write(chunk, 0, chunk.length);
    expect(peerName(old)).toBe("server one");
    expect(await f.listeners.reloadCertificates()).toEqual([
      { listener: "listener.ssl.external", changed: false, error: null },
      { listener: "listener.wss.w", changed: false, error: null },
    ]);

    copyFileSync(second.keyfile, files.keyfile);
    const mismatch = await f.listeners.reloadCertificates();
    expect(mismatch[0]).toMatchObject({ changed: false, error: expect.stringContaining("does not belong to the certificate") });
    expect(peerName(await secure(f.port))).toBe("server one");

    copyFileSync(second.certfile, files.certfile);
    expect(await f.listeners.reloadCertificates()).toMatchObject([{ changed: true }, { changed: true }]);
    for (let i = 0; i < 5; i++) expect(peerName(await secure(f.port))).toBe("server two");
    expect(peerName(await secure(f.listeners.list()[1]?.port as number))).toBe("server two");
    old.tls.write("still here");
    await until(() => old.received().toString() === "still here");
    expect(ch.reason).toBeNull();

    // Old and new connections are on one list.
    f.listeners.stopOne("mqtt:ssl", "external");
    await until(() => old.ended() || old.closed());
    expect((await connect(f.port)).error()).toBe("ECONNREFUSED");
  });

  test("one that is stopped starts again with the certificate it had while its files are no good, which is logged once", async () => {
    const files = { keyfile: join(dir, "stopped.key"), certfile: join(dir, "stopped.pem") };
    copyFileSync(server.keyfile, files.keyfile);
    copyFileSync(server.certfile, files.certfile);
    const f = await serve([ssl(files), config({ kind: "wss", name: "w", tls: tlsConfig(files) })]);
    const all = f.listeners.list();
    for (const { protocol, name } of all) expect(f.listeners.stopOne(protocol, name)).toBe(true);
    copyFileSync(second.keyfile, files.keyfile);
    for (const { protocol, name } of all) expect(await f.listeners.startOne(protocol, name)).toBe(true);
    for (const { port } of all) expect(peerName(await secure(port))).toBe("server one");
    for (let i = 0; i < 2; i++) {
      const error = expect.stringContaining("does not belong to the certificate");
      expect(await f.listeners.reloadCertificates()).toMatchObject([{ changed: false, error }, { error }]);
    }
    expect(f.logs.filter((line) => line.startsWith("error certificate not reloaded"))).toHaveLength(all.length);
    copyFileSync(second.certfile, files.certfile);
    expect(await f.listeners.reloadCertificates()).toMatchObject([{ changed: true }, { changed: true }]);
    for (const { port } of all) expect(peerName(await secure(port))).toBe("server two");
  });

  test("the port is exclusive although it can be opened again", async () => {
    const f = await serve([ssl()]);
    const failure = await serve([ssl({}, { port: f.port })]).catch((e: unknown) => e);
    expect((failure as Error).message).toContain(`listener.ssl.external: port ${f.port} is already in use`);
  });
});

describe("bad files are told at start", () => {
  const message = async (over: object): Promise<string> => {
    const failure = await serve([ssl(over)]).catch((e: unknown) => e);
    return failure instanceof Error ? failure.message : "started";
  };
  test("each in one line", async () => {
    const junk = join(dir, "junk.pem");
    writeFileSync(junk, "-----BEGIN CERTIFICATE-----\nnope\n-----END CERTIFICATE-----\n");
    writeFileSync(join(dir, "text"), "hello");
    expect(await message({ keyfile: "/nowhere/key.pem" })).toBe(
      "listener.ssl.external.keyfile: expected a file in PEM form, but /nowhere/key.pem cannot be read: there is no such file",
    );
    expect(await message({ certfile: join(dir, "text") })).toContain("is not in PEM form");
    expect(await message({ certfile: junk })).toContain("no usable certificate and key in PEM form");
    expect(await message({ keyfile: second.keyfile })).toContain("does not belong to the certificate");
    expect(await message({ keyfile: "" })).toContain("keyfile is not set");
    expect(await message({ verifyPeer: true })).toContain("set listener.ssl.external.cacertfile");
    expect(await message({ ciphers: "NOPE" })).toContain("listener.ssl.external.ciphers: NOPE names no cipher");
    for (const text of [await message({ certfile: junk })]) expect(text).not.toContain("\n");
  });
});

test("a TLS record cut into single bytes is put together", async () => {
  const f = await serve([ssl()]);
  const relay = net.createServer((from) => {
    const to = net.connect(f.port, "127.0.0.1");
    from.on("data", (d: Buffer) => {
      for (const byte of d) to.write(Buffer.from([byte]));
    });
    to.pipe(from);
    from.on("close", () => to.destroy());
    to.on("error", () => {});
  });
  await new Promise<void>((done) => relay.listen(0, "127.0.0.1", done));
  const c = await secure((relay.address() as net.AddressInfo).port);
  const ch = await f.channel();
  c.tls.write("hello");
  await until(() => ch.text === "hello");
  expect(ch.text).toBe("hello");
  relay.close();
});
