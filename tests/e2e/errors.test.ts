/** What cannot work ends with code 1 and one line on stderr that names the thing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Installation, newPorts, type Outcome } from "../support/executable.ts";

let baomq: Installation;
beforeAll(() => {
  baomq = new Installation();
});
afterAll(() => baomq.remove());

function expectOneLine(r: Outcome, ...words: (string | RegExp)[]): void {
  expect(r.code).toBe(1);
  const lines = r.stderr.trim().split("\n");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toStartWith("baomq: ");
  // A stack trace is no explanation.
  expect(lines[0]).not.toMatch(/\bat .+:\d+:\d+/);
  for (const word of words) expect(lines[0]).toMatch(word);
}

describe("command line", () => {
  test("unknown command", async () => {
    expectOneLine(await baomq.run(["strat"]), "strat", "--help");
  });
  test("unknown option", async () => {
    expectOneLine(await baomq.run(["start", "--data", "x"]), "--data", "--help");
  });
  test("--set without a value", async () => {
    expectOneLine(await baomq.run(["start", "--set", "log.level"]), "log.level", "KEY=VALUE");
  });
  test("config without a word", async () => {
    expectOneLine(await baomq.run(["config"]), "sample", "check");
  });
});

describe("configuration", () => {
  const start = (set: Record<string, string>) => baomq.run(baomq.startArgs({ ports: newPorts(), set }));

  test("unknown key, with the nearest one", async () => {
    expectOneLine(await start({ "zone.external.max_inflght": "10" }), "zone.external.max_inflght", /zone\.external\.max_inflight\b/);
  });
  test("bad value, with what is expected", async () => {
    expectOneLine(await start({ "zone.external.retry_interval": "soon" }), "zone.external.retry_interval", "soon");
  });
  test("bad address", async () => {
    expectOneLine(await start({ "listener.tcp.external": "127.0.0.1:99999" }), "listener.tcp.external", "99999");
  });
  test("file that is not there", async () => {
    const file = join(baomq.dir, "none.conf");
    expectOneLine(await baomq.run(["start", "--config", file]), file);
  });
  test("file that is a directory", async () => {
    expectOneLine(await baomq.run(["start", "--config", baomq.dir]), baomq.dir);
  });
  test("acl_file that is not there", async () => {
    expectOneLine(await start({ acl_file: "/no/such/acl.conf" }), "acl_file", "/no/such/acl.conf");
  });
  test("certificate that is not there", async () => {
    const r = await start({ "listener.ssl.external.certfile": "/no/cert.pem", "listener.ssl.external.keyfile": "/no/key.pem" });
    expectOneLine(r, "listener.ssl.external", /\/no\/(cert|key)\.pem/);
  });
});

describe("the machine", () => {
  test("port in use", async () => {
    const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const ports = { ...newPorts(), tcp: other.port };
    const r = await baomq.run(baomq.startArgs({ ports }));
    other.stop(true);
    expectOneLine(r, "listener.tcp.external", String(other.port), /in use/, "listener.tcp.external is set by --set listener.tcp.external)");
  });

  test("HTTP port in use", async () => {
    const other = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
    const ports = { ...newPorts(), api: other.port };
    const r = await baomq.run(baomq.startArgs({ ports }));
    other.stop(true);
    expectOneLine(r, `management.listener.http: port ${other.port}`, /in use/, "management.listener.http is set by --set");
  });

  test("data directory that cannot be made", async () => {
    writeFileSync(join(baomq.dir, "file"), "");
    const r = await baomq.run(baomq.startArgs({ ports: newPorts(), data: "file/data" }));
    expectOneLine(r, join(baomq.dir, "file"));
  });

  test("second process on the same data directory", async () => {
    const broker = await baomq.start({ data: "shared" });
    const r = await baomq.run(baomq.startArgs({ ports: newPorts(), data: "shared" }));
    expectOneLine(r, baomq.dataDir("shared"));
    expect(await broker.stop()).toBe(0);
  });
});

describe("data file", () => {
  const dataFile = (dir: string): string => {
    const files = readdirSync(dir).filter((f) => f.endsWith(".db") || f.endsWith(".sqlite"));
    expect(files).toHaveLength(1);
    return join(dir, files[0] as string);
  };

  test("damaged: a refusal, and the file is left as it is", async () => {
    const broker = await baomq.start({ data: "damaged" });
    expect(await broker.stop()).toBe(0);
    const file = dataFile(baomq.dataDir("damaged"));
    const garbage = Buffer.alloc(statSync(file).size, "this is not a database ");
    writeFileSync(file, garbage);
    expectOneLine(await baomq.run(baomq.startArgs({ ports: newPorts(), data: "damaged" })), file);
    expect(Buffer.from(await Bun.file(file).arrayBuffer()).equals(garbage)).toBe(true);
  });

  test("damaged in the middle", async () => {
    const broker = await baomq.start({ data: "holes" });
    expect(await broker.stop()).toBe(0);
    const file = dataFile(baomq.dataDir("holes"));
    const bytes = Buffer.from(await Bun.file(file).arrayBuffer());
    bytes.fill(0xa5, 4096, bytes.length);
    writeFileSync(file, bytes);
    expectOneLine(await baomq.run(baomq.startArgs({ ports: newPorts(), data: "holes" })), file);
  });

  test("something else in its place", async () => {
    const broker = await baomq.start({ data: "dir" });
    expect(await broker.stop()).toBe(0);
    const file = dataFile(baomq.dataDir("dir"));
    await Bun.file(file).delete();
    mkdirSync(file);
    expectOneLine(await baomq.run(baomq.startArgs({ ports: newPorts(), data: "dir" })), file);
  });
});
