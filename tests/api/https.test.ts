/** HTTPS listeners of both APIs: versions, ciphers, clients' certificates, files that are no good. */
import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { until } from "../support/until.ts";
import { certificate } from "../unit/listeners/harness.ts";
import { ADMIN, APP, basic, NODE, TestNode } from "./support/node.ts";
import { requestText } from "./support/raw.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-https-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const PORTS = [
  ["management", basic(APP.id, APP.secret)],
  ["dashboard", basic(ADMIN.login, ADMIN.password)],
] as const;

/** The answer's first line, or the code of the error. */
function ask(port: number, authorization: string, options: tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
    let text = "";
    socket.on("secureConnect", () => {
      socket.write(`GET /api/v3/brokers HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: ${authorization}\r\n\r\n`);
    });
    socket.on("data", (d) => {
      text += d.toString();
    });
    socket.on("error", (e: Error & { code?: string }) => resolve(e.code ?? e.message));
    socket.on("close", () => resolve(text.split("\r\n")[0] || "closed"));
  });
}

async function on(kind: string, settings: Record<string, string>, run: (port: number) => Promise<void>): Promise<void> {
  const all = Object.fromEntries(Object.entries(settings).map(([k, v]) => [`${kind}.listener.https${k}`, v]));
  const node = await TestNode.start({ [`${kind}.listener.https`]: "127.0.0.1:0", ...all });
  try {
    await run(Number(node.node.http.list().find((l) => l.protocol === `https:${kind}`)?.listen_on));
  } finally {
    await node.stop();
  }
}

const OK = "HTTP/1.1 200 OK";

for (const [kind, authorization] of PORTS) {
  describe(kind, () => {
    const only = (version: tls.SecureVersion): tls.ConnectionOptions => ({ minVersion: version, maxVersion: version });

    test("by itself: TLS 1.2 and 1.3", async () => {
      await on(kind, {}, async (port) => {
        expect(await ask(port, authorization, only("TLSv1.2"))).toBe(OK);
        expect(await ask(port, authorization, only("TLSv1.3"))).toBe(OK);
      });
    });

    for (const [listed, refused] of [
      ["TLSv1.3", "TLSv1.2"],
      ["TLSv1.2", "TLSv1.3"],
    ] as const) {
      test(`tls_versions = ${listed.toLowerCase()}: ${refused} is refused`, async () => {
        await on(kind, { ".tls_versions": listed.toLowerCase() }, async (port) => {
          expect(await ask(port, authorization, only(listed))).toBe(OK);
          expect(await ask(port, authorization, only(refused))).toMatch(/PROTOCOL_VERSION|ECONNRESET|closed/i);
        });
      });
    }

    test("ciphers", async () => {
      await on(
        kind,
        { ".tls_versions": "tlsv1.2", ".ciphers": "ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES256-GCM-SHA384" },
        async (port) => {
          const of = (bits: number) =>
            ask(port, authorization, {
              ciphers: [`ECDHE-RSA-AES${bits}`, `ECDHE-ECDSA-AES${bits}`].map((c) => `${c}-GCM-SHA${bits === 256 ? 384 : 256}`).join(":"),
            });
          expect(await of(256)).toBe(OK);
          expect(await of(128)).not.toBe(OK);
        },
      );
    });

    test("verify_peer: only clients whose certificate the authority has signed", async () => {
      const ca = await certificate("CN=authority", dir);
      const server = await certificate("CN=localhost", dir, ca);
      const good = await certificate("CN=good", dir, ca);
      const bad = await certificate("CN=bad", dir);
      const files = { ".keyfile": server.pair.keyfile, ".certfile": server.pair.certfile, ".cacertfile": ca.pair.certfile };
      await on(kind, { ...files, ".verify": "verify_peer", ".fail_if_no_peer_cert": "true" }, async (port) => {
        expect(await ask(port, authorization, { key: good.pair.key, cert: good.pair.cert })).toBe(OK);
        expect(await ask(port, authorization, { key: bad.pair.key, cert: bad.pair.cert })).not.toBe(OK);
        expect(await ask(port, authorization, {})).not.toBe(OK);
      });
      await on(kind, { ...files, ".verify": "verify_peer", ".fail_if_no_peer_cert": "false" }, async (port) => {
        expect(await ask(port, authorization, {})).toBe(OK);
      });
    });

    test("what is no good is told at the start, with the key", async () => {
      const key = `${kind}.listener.https`;
      const start = (settings: Record<string, string>) => on(kind, settings, async () => {});
      await expect(start({ ".tls_versions": "tlsv1.4" })).rejects.toThrow(`${key}.tls_versions = tlsv1.4: expected one or more of`);
      await expect(start({ ".keyfile": "/nowhere.pem", ".certfile": "/nowhere.pem" })).rejects.toThrow(
        `${key}.keyfile: expected a file in PEM form, but /nowhere.pem cannot be read`,
      );
    });
  });
}

/** A connection whose handshake is done, and whom it has met. */
function connected(port: number): Promise<{ socket: tls.TLSSocket; peer: string; text: () => string }> {
  return new Promise((resolve, reject) => {
    let got = "";
    const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () =>
      resolve({ socket, peer: String(socket.getPeerCertificate().subject?.CN), text: () => got }),
    );
    socket.on("data", (d) => {
      got += d.toString();
    });
    socket.on("error", reject);
  });
}

test("a certificate that changes: new connections get it, requests that run go on; files that are no good change nothing", async () => {
  const [first, second] = [await certificate("CN=first", dir), await certificate("CN=second", dir)];
  const [keyfile, certfile] = [join(dir, "live.key"), join(dir, "live.pem")];
  copyFileSync(first.pair.keyfile, keyfile);
  copyFileSync(first.pair.certfile, certfile);
  const settings = PORTS.flatMap(([kind]) => [
    [`${kind}.listener.https`, "127.0.0.1:0"],
    [`${kind}.listener.https.keyfile`, keyfile],
    [`${kind}.listener.https.certfile`, certfile],
  ]);
  const node = await TestNode.start(Object.fromEntries(settings));
  try {
    await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_reloader/load`);
    const port = (kind: string): number => Number(node.node.http.list().find((l) => l.protocol === `https:${kind}`)?.listen_on);
    const ports = PORTS.map(([kind]) => port(kind));
    const met = (): Promise<string[]> =>
      Promise.all(
        ports.map(async (p) => {
          const { socket, peer } = await connected(p);
          socket.destroy();
          return peer;
        }),
      );
    const old = await connected(port("dashboard"));
    old.socket.write(requestText("GET /api/v3/mqtt/subscribe?topic=a", { Authorization: basic(ADMIN.login, ADMIN.password) }));
    await until(() => old.text().includes("subscribed"));
    expect(await node.data<string[]>("PUT", "/reload")).toEqual([]);

    copyFileSync(second.pair.keyfile, keyfile);
    const { json } = await node.ask("PUT", "/reload");
    expect(json?.code).toBe(102);
    for (const [kind] of PORTS)
      expect(json?.message).toMatch(
        new RegExp(`the certificate of ${kind}\\.listener\\.https stays as it was: .*does not belong to the certificate`),
      );
    expect(await met()).toEqual(["first", "first"]);

    copyFileSync(second.pair.certfile, certfile);
    expect((await node.data<string[]>("PUT", "/reload")).sort()).toEqual([
      "certificate of dashboard.listener.https",
      "certificate of management.listener.https",
    ]);
    for (let i = 0; i < 5; i++) expect(await met()).toEqual(["second", "second"]);
    expect(PORTS.map(([kind]) => port(kind))).toEqual(ports);
    await node.ask("POST", "/mqtt/publish", { body: { topic: "a", payload: "still here", client_id: "c" } });
    await until(() => old.text().includes("still here"));
    old.socket.destroy();

    // Nobody looks at the files of one that is stopped, before it is started.
    for (const [i, [kind]] of PORTS.entries()) expect(node.node.http.stopOne(`https:${kind}`, ports[i] as number)).toBe(true);
    copyFileSync(first.pair.keyfile, keyfile);
    copyFileSync(first.pair.certfile, certfile);
    expect(await node.data<string[]>("PUT", "/reload")).toEqual([]);
    for (const [i, [kind]] of PORTS.entries()) expect(await node.node.http.startOne(`https:${kind}`, ports[i] as number)).toBe(true);
    expect(await met()).toEqual(["first", "first"]);
  } finally {
    await node.stop();
  }
});

test("the port of HTTPS is nobody else's, although it can be opened again", async () => {
  const node = await TestNode.start({ "management.listener.https": "127.0.0.1:0" });
  try {
    const port = node.node.http.list().find((l) => l.protocol === "https:management")?.listen_on;
    await expect(TestNode.start({ "management.listener.https": `127.0.0.1:${port}` })).rejects.toThrow(/in use/);
  } finally {
    await node.stop();
  }
});

test("limits hold inside TLS: a log-in that does not come, and streams that end give back what they held", async () => {
  const settings = { "dashboard.listener.https": "127.0.0.1:0", "dashboard.listener.https.max_clients": "4" };
  const node = await TestNode.start(settings);
  try {
    const listed = () => node.node.http.list().find((l) => l.protocol === "https:dashboard");
    const port = Number(listed()?.listen_on);
    const open = (text: string): Promise<{ socket: tls.TLSSocket; text: () => string; closed: Promise<void> }> =>
      new Promise((resolve, reject) => {
        let got = "";
        const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
          socket.write(text);
          resolve({ socket, text: () => got, closed });
        });
        socket.on("data", (d) => {
          got += d.toString();
        });
        socket.on("error", reject);
        const closed = new Promise<void>((done) => socket.on("close", () => done()));
      });
    const half = await open(requestText("POST /api/v3/auth", { "Content-Length": "100" }, "{"));
    await half.closed;
    expect(half.text()).toStartWith("HTTP/1.1 408 ");
    const stream = requestText("GET /api/v3/mqtt/subscribe?topic=a", { Authorization: basic(ADMIN.login, ADMIN.password) });
    for (let i = 0; i < 5; i++) {
      const { socket, text } = await open(stream);
      while (!text().includes("subscribed")) await Bun.sleep(2);
      socket.destroy();
      while (listed()?.current_conns !== 0) await Bun.sleep(2);
    }
  } finally {
    await node.stop();
  }
});
