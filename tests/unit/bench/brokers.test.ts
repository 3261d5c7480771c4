/** Where peers are found, what they are told, and how their start is noticed. */
import { describe, expect, test } from "bun:test";
import { mosquittoLines, programOf } from "../../bench/brokers.ts";
import type { Place } from "../../bench/launch.ts";
import { firstConnack } from "../../bench/restart.ts";
import { freePorts } from "../../support/ports.ts";

describe("programOf", () => {
  test("what the variable says goes before what is on the PATH", () => {
    expect(programOf("sh", { SH: process.execPath })).toBe(process.execPath);
    expect(programOf("sh", {})).toBe(Bun.which("sh"));
    expect(programOf("sh", { SH: "" })).toBe(Bun.which("sh"));
  });

  test("a variable that names nothing is a mistake, not a broker that is missing", () => {
    expect(() => programOf("mosquitto", { MOSQUITTO: "/nowhere/mosquitto" })).toThrow("MOSQUITTO: there is no /nowhere/mosquitto");
  });

  test("then the usual places, then nothing", () => {
    expect(programOf("no-such-broker", {}, ["/nowhere", process.execPath])).toBe(process.execPath);
    expect(programOf("no-such-broker", {}, ["/nowhere"])).toBeNull();
  });
});

describe("mosquittoLines", () => {
  const plain: Place = { dir: "/d", ports: { tcp: 1, ws: 2, tls: 3 }, certificate: null, keeps: false, remove() {} };

  test("TLS and the disk only where they are measured", () => {
    const lines = mosquittoLines(plain, false);
    expect(lines).toContain("persistence false");
    expect(lines.filter((l) => l.startsWith("listener"))).toEqual(["listener 1 127.0.0.1", "listener 2 127.0.0.1"]);
    expect(lines).not.toContain("set_tcp_nodelay true");
  });

  test("with them", () => {
    const lines = mosquittoLines({ ...plain, certificate: { keyfile: "/d/k", certfile: "/d/c" }, keeps: true }, true);
    for (const l of ["persistence true", "persistence_location /d/", "autosave_interval 1800", "set_tcp_nodelay true"])
      expect(lines).toContain(l);
    const tls = lines.indexOf("listener 3 127.0.0.1");
    expect(lines.slice(tls + 1, tls + 3)).toEqual(["keyfile /d/k", "certfile /d/c"]);
    // What stands below a listener is that listener's: WebSockets belong to the one before.
    expect(lines[tls - 1]).toBe("protocol websockets");
  });
});

describe("firstConnack", () => {
  /** Closes, or answers with, one of `answers` for each connection; the last one for all others. */
  function server(port: number, answers: (number[] | null)[]) {
    let connections = 0;
    const stopped = Bun.listen({
      hostname: "127.0.0.1",
      port,
      socket: {
        data(s) {
          const answer = answers[Math.min(connections++, answers.length - 1)];
          if (answer) s.write(Uint8Array.from(answer));
          else s.end();
        },
      },
    });
    return { stop: () => stopped.stop(true), tries: () => connections };
  }

  test("waits for somebody to listen, and tries again after a connection that was closed and one that was put off", async () => {
    const [port = 0] = freePorts(1);
    const answer = firstConnack(port, "device");
    await Bun.sleep(20);
    const s = server(port, [null, [0x20, 2, 0, 3], [0x20, 2, 1, 0]]);
    expect(await answer).toEqual({ code: 0, present: true });
    expect(s.tries()).toBe(3);
    s.stop();
  });

  test("a refusal is an answer", async () => {
    const [port = 0] = freePorts(1);
    const s = server(port, [[0x20, 2, 0, 5]]);
    expect(await firstConnack(port, "device")).toEqual({ code: 5, present: false });
    s.stop();
  });

  test("gives up in time, also with somebody who says nothing", async () => {
    const [port = 0] = freePorts(1);
    await expect(firstConnack(port, "device", 30)).rejects.toThrow("no CONNACK after 30 ms");
    const s = server(port, [[0x20]]);
    await expect(firstConnack(port, "device", 30)).rejects.toThrow("no CONNACK after 30 ms");
    s.stop();
  });
});
