/** The socket of the command line, and HTTPS that is started again. */
import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createListen, type Secure } from "../../../server/api/listen.ts";
import type { HttpListenerConfig } from "../../../server/config/types.ts";
import { recordingLog } from "../../support/access.ts";
import { certificate, tempDir, tlsConfig } from "../listeners/harness.ts";

const dir = tempDir();
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("what takes longer than the runtime's ten seconds is answered all the same", async () => {
  const listen = createListen({
    log: recordingLog(),
    answer: async () => {
      await Bun.sleep(13_000);
      return new Response("late");
    },
    tls: () => Promise.reject(new Error("there is none")),
  });
  const unix = join(dir, "ctl.sock");
  listen.startCtl(unix);
  try {
    expect(await (await fetch("http://localhost/", { unix })).text()).toBe("late");
  } finally {
    await listen.stopAll();
  }
});

/** HTTPS of the management API. `files`: their state, and how reading them goes. */
async function https(files: { state: string; read: () => void | Promise<void> }) {
  const { pair } = await certificate("CN=localhost", dir);
  const log = recordingLog();
  const options = { key: pair.key, cert: pair.cert };
  const listen = createListen({
    log,
    answer: () => new Response("here"),
    async tls(): Promise<Secure> {
      await files.read();
      return { options, stamp: files.state, stampNow: () => files.state };
    },
  });
  const config: HttpListenerConfig = {
    host: "127.0.0.1",
    port: 0,
    listenOn: "127.0.0.1:0",
    acceptors: 1,
    maxClients: 9,
    sendTimeoutMs: 1000,
    access: [],
    trustedProxies: [],
    tls: tlsConfig(),
  };
  const open = (more: Partial<HttpListenerConfig> = {}) => listen.openAll("management", [{ ...config, ...more }]);
  await open();
  const port = (): number => Number(listen.list()[0]?.listen_on);
  return {
    listen,
    open,
    stop: () => listen.stopOne("https:management", port()),
    start: () => listen.startOne("https:management", port()),
    answer: async () => (await fetch(`https://127.0.0.1:${port()}/`, { tls: { rejectUnauthorized: false } })).text(),
    errors: () => log.lines.filter((l) => l.level === "error").map((l) => `${l.message}: ${l.fields.error}`),
  };
}

test("HTTPS whose files are no good by now starts again with the certificate it had, and is told of once", async () => {
  const files = { state: "good", read() {} };
  const { listen, stop, start, answer, errors } = await https(files);
  try {
    expect(stop()).toBe(true);
    files.state = "bad";
    files.read = () => {
      throw new Error("no such key");
    };
    expect(await start()).toBe(true);
    expect(await answer()).toBe("here");
    const row = { listener: "management.listener.https", changed: false };
    expect(await listen.reloadCertificates()).toEqual([{ ...row, error: "no such key" }]);
    expect(errors()).toEqual(["certificate not reloaded, the old one stays in use: no such key"]);
    files.state = "mended";
    files.read = () => {};
    expect(await listen.reloadCertificates()).toEqual([{ ...row, changed: true, error: null }]);
    expect(await answer()).toBe("here");
  } finally {
    await listen.stopAll();
  }
});

test("opened anew, HTTPS has the certificate it had while its files are no good; with other settings of TLS it is not opened", async () => {
  const files = { state: "good", read() {} };
  const { listen, open, answer, errors } = await https(files);
  try {
    files.state = "bad";
    files.read = () => {
      throw new Error("no such key");
    };
    await listen.stop("management");
    await open({ maxClients: 5 });
    expect(await answer()).toBe("here");
    expect(errors()).toEqual(["certificate not reloaded, the old one stays in use: no such key"]);
    await expect(open({ tls: tlsConfig({ versions: ["tlsv1.3"] }) })).rejects.toThrow("no such key");
    expect(listen.list()).toEqual([]);
  } finally {
    await listen.stopAll();
  }
});

test("of two who start HTTPS at once, the certificate of the one that opens it counts", async () => {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const readings = [undefined, first.promise, second.promise];
  const files = { state: "old", read: () => readings.shift() };
  const { listen, stop, start } = await https(files);
  try {
    stop();
    files.state = "new";
    const [opened, late] = [start(), start()];
    first.resolve();
    expect(await opened).toBe(true);
    files.state = "newer";
    second.resolve();
    expect(await late).toBe(false);
    expect(await listen.reloadCertificates()).toMatchObject([{ changed: true, error: null }]);
  } finally {
    await listen.stopAll();
  }
});
