import { afterEach, describe, expect, test } from "bun:test";
import tls from "node:tls";
import { bindError, ListenerError } from "../../../server/listeners/errors.ts";
import type { Listeners } from "../../../server/listeners/index.ts";
import { config, connect, type Fixture, type Recorder, serve, stop, stopAll, until, watch } from "./harness.ts";

afterEach(stopAll);

/** More than the kernel's buffers of both ends hold. */
const HUGE = 16 * 1024 * 1024;

function pattern(n: number): Buffer {
  const b = Buffer.allocUnsafe(n);
  for (let i = 0; i < n; i++) b[i] = (i * 31 + (i >> 13)) & 0xff;
  return b;
}

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");

const rejected = (l: Listeners, cause: string): number => l.list()[0]?.rejected.get(cause) ?? 0;

/** Health checks and port scans do so: connect, and reset before the other side has looked. */
const RESETS = `
const net = require("node:net");
for (let i = 0; i < 20; i++) {
  const s = net.connect(Number(process.argv.at(-1)), "127.0.0.1", () => s.resetAndDestroy());
  s.on("error", () => {});
}`;

describe("a connection that is reset before it is accepted", () => {
  for (const [name, over, deps] of [
    ["tcp", {}, {}],
    ["tls", { kind: "ssl" }, {}],
    ["behind a proxy", { proxyProtocol: true }, {}],
    ["ws on our own sockets", { kind: "ws" }, {}],
    ["ws", { kind: "ws" }, { ownWebSocket: false }],
    ["wss", { kind: "wss" }, { ownWebSocket: false }],
  ] as const) {
    test(`is counted once, and no error: ${name}`, async () => {
      const f = await serve([config(over)], deps);
      // The child runs to its end while this thread stands still: all of them lie dead in the backlog when it looks.
      expect(Bun.spawnSync([process.execPath, "-e", RESETS, String(f.port)]).exitCode).toBe(0);
      const c = await connect(f.port);
      // Bun.serve tells us of a connection when its request is there: those have none.
      if (!("ownWebSocket" in deps)) await until(() => rejected(f.listeners, "reset") === 20, "20 counted");
      c.socket.destroy();
      await until(() => f.listeners.budget.open === 0 && f.listeners.list()[0]?.currentConns === 0, "all gone");
      expect(f.logs.filter((line) => /^(error|warn)/.test(line))).toEqual([]);
    });
  }
});

describe("a connection", () => {
  test("bytes go both ways, and the listener's row counts it", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    ch.react = (chunk) => ch.transport.write(chunk, 1, 3);
    c.socket.write("hello");
    await until(() => c.received().length === 3);
    expect(c.received().toString()).toBe("ell");
    expect(ch.text).toBe("hello");
    expect(ch.transport.ip).toBe("127.0.0.1");
    expect(ch.transport.port).toBe(c.socket.localPort as number);
    expect(ch.info).toMatchObject({ protocol: "mqtt:tcp", name: "external", zone: "external", isWebSocket: false });
    expect(ch.cert).toBeNull();
    expect(f.listeners.list()).toMatchObject([
      {
        protocol: "mqtt:tcp",
        name: "external",
        listenOn: `127.0.0.1:${f.port}`,
        running: true,
        acceptors: 4,
        maxConns: 1000,
        currentConns: 1,
        accepted: 1,
      },
    ]);
    expect(f.port).toBeGreaterThan(0);
  });

  test("the peer closes: reason closed, the slot is free again", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    c.socket.end();
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("closed");
    expect(f.listeners.list()[0]?.currentConns).toBe(0);
    expect(f.listeners.budget.open).toBe(0);
    expect(ch.transport.write(Buffer.from("x"), 0, 1)).toBe(-1);
  });

  test("the peer resets: reason tcp_error", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    c.socket.resetAndDestroy();
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("tcp_error");
  });

  test("end() delivers the last bytes to a peer that is still sending, and then closes by itself", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    const flood = setInterval(() => c.socket.write(Buffer.alloc(10_000)), 5);
    await until(() => ch.chunks.length > 0);
    const last = pattern(200_000);
    expect(ch.transport.write(last, 0, last.length)).toBe(last.length);
    ch.transport.end();
    const seen = ch.chunks.length;
    await until(() => c.ended());
    expect(c.received().equals(last)).toBe(true);
    expect(c.error()).toBe("");
    expect(f.listeners.list()[0]?.currentConns).toBe(1);
    f.clock.forward(1000);
    await until(() => f.listeners.list()[0]?.currentConns === 0, "linger");
    clearInterval(flood);
    expect(ch.chunks.length).toBe(seen);
    expect(ch.reason).toBeNull();
  });

  test.skipIf(process.platform !== "linux")("probe() lets the kernel ask whether the peer is still there", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    // local address, remote address, state (1 = established), queues, timer (2 = keep alive)
    const row = new RegExp(`: 0100007F:${hex(f.port)} \\w+:${hex(c.socket.localPort as number)} 01 \\S+ (\\d\\d):`);
    const timer = async (): Promise<string | undefined> => row.exec(await Bun.file("/proc/net/tcp").text())?.[1];
    expect(await timer()).toBe("00");
    ch.transport.probe();
    expect(await timer()).toBe("02");
    c.socket.destroy();
    await until(() => ch.reason !== null);
    ch.transport.probe();
  });

  test("end() is over as soon as the peer closes too", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    c.socket.on("end", () => c.socket.end());
    ch.transport.end();
    // Time stands still: it is not the deadline that ends it.
    await until(() => f.listeners.list()[0]?.currentConns === 0);
    expect(c.error()).toBe("");
  });

  const current = (f: Fixture): number => f.listeners.list()[0]?.currentConns ?? -1;

  test("finish() closes without waiting for the peer, who gets every byte", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    const last = pattern(200_000);
    expect(ch.transport.write(last, 0, last.length)).toBe(last.length);
    ch.transport.finish();
    expect(current(f)).toBe(0);
    await until(() => c.ended());
    expect([c.received().equals(last), c.error(), ch.reason]).toEqual([true, "", null]);
    ch.transport.finish();
    ch.transport.end();
  });

  test("finish() for a peer that has ended already, behind its last word or later", async () => {
    const f = await serve([config()]);
    for (const later of [false, true]) {
      const c = await connect(f.port);
      const ch = await f.channel(later ? 1 : 0);
      ch.react = () => {
        ch.send("last");
        if (later) setImmediate(() => ch.transport.finish());
        else ch.transport.finish();
      };
      c.socket.end("bye");
      await until(() => c.closed());
      expect([c.received().toString(), c.error()]).toEqual(["last", ""]);
    }
    expect(current(f)).toBe(0);
  });

  test("finish() is slow where a close would be a reset: what the peer has sent lies unread", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    ch.transport.pause();
    c.socket.write(pattern(100_000));
    await until(() => c.socket.writableLength === 0);
    ch.send("last");
    ch.transport.finish();
    expect(current(f)).toBe(1);
    await until(() => c.ended());
    expect([c.received().toString(), c.error()]).toEqual(["last", ""]);
    c.socket.end();
    await until(() => current(f) === 0);
  });

  test("finish() is slow where the kernel has not taken everything", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    c.socket.pause();
    const data = pattern(HUGE);
    const taken = ch.transport.write(data, 0, data.length);
    ch.transport.finish();
    expect(current(f)).toBe(1);
    c.socket.resume();
    await until(() => c.ended());
    expect(c.received().equals(data.subarray(0, taken))).toBe(true);
  });

  test("finish() is slow where the protocol below says good-bye too", async () => {
    const f = await serve([config({ kind: "ssl" })]);
    const c = watch(tls.connect({ port: f.port, host: "127.0.0.1", rejectUnauthorized: false }));
    const ch = await f.channel();
    c.socket.write("bye");
    await until(() => ch.text === "bye");
    ch.send("last");
    ch.transport.finish();
    expect(current(f)).toBe(1);
    await until(() => c.ended());
    expect([c.received().toString(), c.error()]).toEqual(["last", ""]);
    await until(() => current(f) === 0);
  });

  test("destroy() closes at once and says nothing more to the channel", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    ch.transport.destroy();
    expect(f.listeners.list()[0]?.currentConns).toBe(0);
    await until(() => c.closed() || c.ended());
    expect(ch.reason).toBeNull();
  });

  test("back-pressure: a short write, then onDrain; nothing is lost", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    c.socket.pause();
    const data = pattern(HUGE);
    const n = ch.transport.write(data, 0, data.length);
    expect(n).toBeLessThan(data.length);
    expect(ch.transport.write(data, n, data.length - n)).toBeLessThan(data.length - n);
    const c2 = await connect(f.port);
    const ch2 = await f.channel(1);
    const sent = ch2.sendAll(data);
    await until(() => c2.received().length === data.length);
    await sent;
    expect(ch2.drains).toBeGreaterThan(0);
    expect(c2.received().equals(data)).toBe(true);
  });

  test("send_timeout: a peer that takes nothing is dropped", async () => {
    const f = await serve([config({ sendTimeoutMs: 200 })]);
    const c = await connect(f.port);
    const ch = await f.channel();
    c.socket.pause();
    ch.transport.write(pattern(HUGE), 0, HUGE);
    f.clock.forward(200);
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("send_timeout");
  });

  test("send_timeout_close = off: it may stay", async () => {
    const f = await serve([config({ sendTimeoutMs: 200, sendTimeoutClose: false })]);
    const c = await connect(f.port);
    const ch = await f.channel();
    c.socket.pause();
    ch.transport.write(pattern(HUGE), 0, HUGE);
    const ended = await connect(f.port);
    (await f.channel(1)).transport.end();
    f.clock.forward(60_000);
    // The deadlines have been looked at: that of a connection that lingers is over.
    await until(() => f.listeners.list()[0]?.currentConns === 1);
    expect(ended.ended()).toBe(true);
    expect(ch.reason).toBeNull();
  });

  test("pause() stops reading, resume() goes on", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    ch.transport.pause();
    c.socket.write("one");
    // What was sent later on another connection has been read.
    const other = await connect(f.port);
    other.socket.write("two");
    const ch2 = await f.channel(1);
    await until(() => ch2.text === "two");
    expect(ch.text).toBe("");
    ch.transport.resume();
    await until(() => ch.text === "one");
    expect(ch.reason).toBeNull();
  });

  test("an exception in the channel costs that connection alone", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const other = await connect(f.port);
    const ch = await f.channel();
    const ch2 = await f.channel(1);
    ch.react = () => {
      throw new Error("boom");
    };
    c.socket.write("x");
    await until(() => ch.reason !== null);
    expect(ch.reason).toBe("internal_error");
    expect(f.logs.join("\n")).toContain("boom");
    other.socket.write("still here");
    await until(() => ch2.text === "still here");
    expect(f.listeners.list()[0]?.currentConns).toBe(1);
  });

  test("the chunks are the channel's to keep", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    const kept: { view: Uint8Array; copy: Buffer }[] = [];
    ch.react = (chunk) => void kept.push({ view: chunk.subarray(0, 100), copy: Buffer.from(chunk.subarray(0, 100)) });
    for (const letter of "abcdef") {
      c.socket.write(letter.repeat(2000));
      await until(() => ch.text.endsWith(letter.repeat(2000)));
    }
    for (const k of kept) expect(k.copy.equals(k.view)).toBe(true);
  });
});

describe("limits", () => {
  test("max_connections: refused, counted, told once; a free slot is given again", async () => {
    const f = await serve([config({ maxConnections: 2 })]);
    const a = await connect(f.port);
    await connect(f.port);
    await f.channel(1);
    const third = await connect(f.port);
    const fourth = await connect(f.port);
    await until(() => third.closed() && fourth.closed());
    expect(rejected(f.listeners, "max_connections")).toBe(2);
    expect(f.channels.length).toBe(2);
    expect(f.logs.filter((l) => l.startsWith("warn connections refused")).length).toBe(1);
    a.socket.end();
    await until(() => f.listeners.list()[0]?.currentConns === 1);
    await connect(f.port);
    await f.channel(2);
    expect(f.listeners.list()[0]).toMatchObject({ currentConns: 2, accepted: 3 });
  });

  test("open files: all listeners together stay under the budget", async () => {
    const f = await serve([config(), config({ name: "second" })], {}, 2);
    const ports = f.listeners.list().map((r) => r.port);
    await connect(ports[0] as number);
    await connect(ports[1] as number);
    await f.channel(1);
    const c = await connect(ports[1] as number);
    await until(() => c.closed());
    expect(f.listeners.list()[1]?.rejected.get("open_files")).toBe(1);
  });

  test("max_conn_rate: excess is closed at once and counted", async () => {
    const f = await serve([config({ maxConnRate: 3 })]);
    const all = await Promise.all(Array.from({ length: 10 }, () => connect(f.port)));
    await until(() => all.filter((c) => c.closed()).length + f.channels.length >= 10);
    expect(f.channels.length).toBe(3);
    expect(rejected(f.listeners, "conn_rate")).toBe(7);
    f.clock.forward(1000);
    await connect(f.port);
    expect(await f.channel(3)).toBeDefined();
  });

  test("access rules: the first that matches decides", async () => {
    const rules = (...r: [boolean, string][]) => r.map(([allow, cidr]) => ({ allow, cidr }));
    const denied = await serve([config({ access: rules([true, "10.0.0.0/8"], [false, "127.0.0.0/8"], [true, "all"]) })]);
    const c = await connect(denied.port);
    await until(() => c.closed());
    expect(denied.channels.length).toBe(0);
    expect(rejected(denied.listeners, "access")).toBe(1);
    const allowed = await serve([config({ access: rules([true, "127.0.0.1"], [false, "all"]) })]);
    await connect(allowed.port);
    expect(await allowed.channel()).toBeDefined();
  });

  test("rate_limit: bytes above the rate are not read", async () => {
    const f = await serve([config({ rateLimit: { rate: 200_000, burst: 50_000 } })]);
    const c = await connect(f.port);
    const ch = await f.channel();
    // Small writes, so that one read does not bring everything. What is above the burst has to be paid for with time.
    let passed = 0;
    for (let sent = 2000; sent <= 200_000; sent += 2000) {
      c.socket.write(Buffer.alloc(2000));
      await until(() => {
        if (ch.bytes.length === sent) return true;
        f.clock.forward(1);
        passed++;
        return false;
      });
    }
    // 200 kB at 200 kB/s, 50 kB of them at once; the last write is paid for only before the next one.
    expect(passed).toBeGreaterThanOrEqual(740);
    expect(ch.reason).toBeNull();
  });

  test("a pause of the channel outlives that of the rate limit", async () => {
    const f = await serve([config({ rateLimit: { rate: 10_000, burst: 1000 } })]);
    const c = await connect(f.port);
    const ch = await f.channel();
    ch.react = () => ch.transport.pause();
    c.socket.write(Buffer.alloc(2000));
    await until(() => ch.bytes.length > 0);
    c.socket.write("more");
    // Another one that had to pay is read again, so time has passed for both.
    const other = await connect(f.port);
    const ch2 = await f.channel(1);
    other.socket.write(Buffer.alloc(2000));
    await until(() => ch2.bytes.length === 2000);
    other.socket.write("more");
    f.clock.forward(1000);
    await until(() => ch2.text.endsWith("more"));
    expect(ch.text.includes("more")).toBe(false);
    ch.react = null;
    ch.transport.resume();
    await until(() => ch.text.endsWith("more"));
    expect(ch.reason).toBeNull();
  });
});

describe("start and stop", () => {
  test("port in use: one line that names listener, port and what to do", async () => {
    const first = await serve([config()]);
    const free = config({ name: "free" });
    const taken = config({ name: "taken", port: first.port, listenOn: `127.0.0.1:${first.port}` });
    const failure = await serve([free, taken]).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(ListenerError);
    expect((failure as Error).message).toBe(
      `listener.tcp.taken: port ${first.port} is already in use (127.0.0.1:${first.port}); stop the program that holds it, or set another address`,
    );
  });

  test("other reasons", async () => {
    const away = await serve([config({ host: "192.0.2.1" })]).catch((e: unknown) => e);
    expect((away as Error).message).toContain("192.0.2.1 is not an address of this machine");
    const low = bindError("listener.tcp.x", "0.0.0.0", 80, { code: "EACCES", message: "permission denied" });
    expect(low.message).toContain("listener.tcp.x: no permission to listen on 0.0.0.0:80; ports below 1024 need root");
    const rule = await serve([config({ access: [{ allow: true, cidr: "10.0.0.0/99" }] })]).catch((e: unknown) => e);
    expect((rule as Error).message).toBe(
      'listener.tcp.external: access: "10.0.0.0/99" is neither an IP address, a range like 10.0.0.0/8, nor "all"',
    );
  });

  test("stopOne, startOne", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    let said: unknown[] = [];
    Object.assign(ch, {
      close(...a: unknown[]) {
        said = a;
      },
    });
    expect(f.listeners.stopOne("mqtt:tcp", "internal")).toBe(false);
    expect(f.listeners.stopOne("mqtt:ssl", "external")).toBe(false);
    expect(f.listeners.stopOne("mqtt:tcp", "external")).toBe(true);
    expect(said).toEqual([0x8b, "listener_stopped"]);
    expect(f.listeners.stopOne("mqtt:tcp", "external")).toBe(false);
    expect(f.listeners.list()[0]?.running).toBe(false);
    await until(() => c.ended());
    expect((await connect(f.port)).error()).toBe("ECONNREFUSED");
    expect(await f.listeners.startOne("mqtt:tcp", "external")).toBe(true);
    expect(await f.listeners.startOne("mqtt:tcp", "external")).toBe(false);
    await connect(f.port);
    const again = await f.channel(1);
    expect(f.listeners.stopOne("mqtt:tcp", "external")).toBe(true);
    const both = [f.listeners.startOne("mqtt:tcp", "external"), f.listeners.startOne("mqtt:tcp", "external")];
    expect(await Promise.all(both)).toEqual([true, false]);
    expect(await f.listeners.startOne("mqtt:tcp", "internal")).toBe(false);
    expect(f.listeners.list()[0]).toMatchObject({ running: true, port: f.port });
    expect(again.transport.write(Buffer.from("x"), 0, 1)).toBe(-1);
    await connect(f.port);
    expect(await f.channel(2)).toBeDefined();
  });

  test("stop() closes the ports, flushes, and returns when all connections are gone", async () => {
    let flushed = 0;
    const f = await serve([config()], { flush: () => void flushed++ });
    const c = await connect(f.port);
    const ch: Recorder = await f.channel();
    ch.send("bye");
    await stop(f);
    expect(flushed).toBe(1);
    expect(f.listeners.list()[0]?.currentConns).toBe(0);
    expect(f.listeners.budget.open).toBe(0);
    await until(() => c.ended() || c.closed());
    expect(c.received().toString()).toBe("bye");
    expect((await connect(f.port)).error()).toBe("ECONNREFUSED");
  });

  test("stop() says good-bye to everybody, also when one channel fails", async () => {
    const told: number[] = [];
    const f = await serve([config()]);
    const peers = [];
    for (let i = 0; i < 3; i++) {
      peers.push(await connect(f.port));
      const channel = await f.channel(i);
      Object.assign(channel, {
        close() {
          told.push(i);
          if (i === 1) throw new Error("broken");
        },
      });
    }
    await stop(f);
    expect(told.sort()).toEqual([0, 1, 2]);
    expect(f.listeners.list()[0]?.currentConns).toBe(0);
    for (const p of peers) await until(() => p.ended() || p.closed());
    expect(f.logs.filter((l) => l.startsWith("error connection failed"))).toHaveLength(1);
  });

  test("close() keeps the connections", async () => {
    const f = await serve([config()]);
    const c = await connect(f.port);
    const ch = await f.channel();
    f.listeners.close();
    expect((await connect(f.port)).error()).toBe("ECONNREFUSED");
    c.socket.write("still here");
    await until(() => ch.text === "still here");
    expect(ch.reason).toBeNull();
  });

  test("IPv6, and IPv4 clients of a dual-stack listener are shown as IPv4", async () => {
    const f = await serve([config({ host: "::", listenOn: "[::]:0" })]);
    await connect(f.port, "::1");
    expect((await f.channel(0)).transport.ip).toBe("::1");
    await connect(f.port, "127.0.0.1");
    expect((await f.channel(1)).transport.ip).toBe("127.0.0.1");
    expect(f.listeners.list()[0]?.listenOn).toBe(`[::]:${f.port}`);
  });
});
